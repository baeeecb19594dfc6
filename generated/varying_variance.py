"""A Gibbs sampler for the model varying_variance, generated from the model; yours to edit.

    model varying_variance  # all_random, with a variance of the data for each individual.

    plates
      i = 1..n     # individuals
      j = 1..J[i]  # repeats of individual i; their number may differ, and may be 0

    given
      x[i,j] : vector(p)  # covariates of repeat j of individual i; the first is usually 1
      mu0 : vector(p) = 0
      Sigma0 : matrix(p,p) = 1e4 * eye(p)
      q, r > 0 = 1        # prior of each sigma2[i]: a vague one says nothing where J[i] is small
      q_beta > 0 = 0.001  # shape: vague, yet proper
      r_beta > 0 = 1000   # reciprocal of the scale

    data
      y[i,j] ~ N(x[i,j]' * beta[i], sigma2[i])

    process
      beta[i] ~ N(mu, Sigma)
      Sigma = sigma2_beta * R
      R = exchangeable(rho, p)  # 1 on the diagonal, rho off it
      sigma2[i] ~ IG(q, r)      # individuals differ in how much their repeats differ

    parameters
      mu ~ N(mu0, Sigma0)
      sigma2_beta ~ IG(q_beta, r_beta)
      rho ~ Unif(-1 / max(p - 1, 1), 1)

Arrays of the state begin with an axis of chains; those of the data have none.
[a | .] is the full conditional of a: its density given all else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, gammaln

Array = np.ndarray


@dataclass(frozen=True)
class Data:
    """What is given, and what the sweeps need of it."""

    n: int
    J: Array  # (n,)
    p: int
    x: Array  # (rows ij, p)
    mu0: Array  # (p,)
    Sigma0: Array  # (p, p)
    q: Array
    r: Array
    q_beta: Array
    r_beta: Array
    y: Array  # (rows ij,), observed
    i_of_j: Array  # the i of each row j, from 0
    XtX: Array  # (n, p, p): sum(j: x[i,j] * x[i,j]')
    Xty: Array  # (n, p): sum(j: y[i,j] * x[i,j])
    rss: Array  # (n,): sum of squares of each i around its least-squares fit
    fit_beta: Array  # (n, p): least-squares fit of each i
    fit_beta_rest: Array  # (n, p): what rounding leaves out of fit_beta
    root_beta: Array  # (n, p, p): a part of R, the columns of each i being QR
    inv_Sigma0: Array  # (p, p): inv(Sigma0)
    inv_Sigma0_mu0: Array  # (p,): inv_Sigma0 * mu0


@dataclass(frozen=True)
class State:
    """The nodes that are drawn, for all chains."""

    beta: Array  # (chains, n, p)
    sigma2: Array  # (chains, n)
    mu: Array  # (chains, p)
    sigma2_beta: Array  # (chains,)
    rho: Array  # (chains,)


def prepare(data: Mapping[str, ArrayLike]) -> Data:
    """Check the data, and compute what the sweeps need of it.

    Fixed plates have an axis each; sizes may be left out where an array shows them.
    Ragged plates are rows one after another; J tells how many each has.
    """
    J = np.asarray(data["J"], dtype=int)
    n = int(np.asarray(data.get("n", np.shape(data["J"])[0])))
    p = int(np.asarray(data.get("p", np.shape(data["x"])[1])))
    i_of_j = np.repeat(np.arange(len(J)), J)
    x = read(data, "x", (len(i_of_j), p))
    mu0 = read(data, "mu0", (p,), np.full((p,), 0.0))
    q = read(data, "q", (), 1)
    r = read(data, "r", (), 1)
    q_beta = read(data, "q_beta", (), 0.001)
    r_beta = read(data, "r_beta", (), 1000)
    Sigma0 = read(data, "Sigma0", (p, p), 10000 * np.eye(p))
    y = read(data, "y", (len(i_of_j),))
    XtX = group_sum(np.einsum("jp,jq->jpq", x, x), i_of_j, n, axis=0)
    Xty = group_sum(y[:, None] * x, i_of_j, n, axis=0)
    fit_beta, fit_beta_rest, root_beta, rss = least_squares(y, x, i_of_j, (n,))
    inv_Sigma0 = np.linalg.inv(Sigma0)
    inv_Sigma0_mu0 = np.einsum("pq,q->p", inv_Sigma0, mu0)
    return Data(
        n=n,
        J=J,
        p=p,
        x=x,
        mu0=mu0,
        Sigma0=Sigma0,
        q=q,
        r=r,
        q_beta=q_beta,
        r_beta=r_beta,
        y=y,
        i_of_j=i_of_j,
        XtX=XtX,
        Xty=Xty,
        rss=rss,
        fit_beta=fit_beta,
        fit_beta_rest=fit_beta_rest,
        root_beta=root_beta,
        inv_Sigma0=inv_Sigma0,
        inv_Sigma0_mu0=inv_Sigma0_mu0,
    )


def compute_Sigma(state: State, data: Data) -> Array:
    """Return Sigma, shape (chains, p, p).

    Sigma = sigma2_beta * R
    """
    R = compute_R(state, data)
    return state.sigma2_beta[:, None, None] * R


def compute_R(state: State, data: Data) -> Array:
    """Return R, shape (chains, p, p).

    R = exchangeable(rho, p)
    """
    return np.where(np.eye(data.p) == 1, 1.0, state.rho[:, None, None])


def draw_beta(rng: np.random.Generator, state: State, data: Data) -> Array:
    """Draw beta, shape (chains, n, p).

    [beta[i] | .] = N(A^-1 b, A^-1)
      A = sum(j: x[i,j] * x[i,j]') / sigma2[i] + inv(Sigma)
      b = sum(j: y[i,j] * x[i,j]) / sigma2[i] + inv(Sigma) * mu
    """
    Sigma = compute_Sigma(state, data)
    inv_Sigma = np.linalg.inv(Sigma)
    precision = data.XtX / state.sigma2[:, :, None, None] + inv_Sigma[:, None]
    sigma2_Xty = data.Xty / state.sigma2[:, :, None]
    linear = sigma2_Xty + np.einsum("cpq,cq->cp", inv_Sigma, state.mu)[:, None]
    return random_mvnormal(rng, precision, linear, state.beta.shape)


def draw_sigma2(rng: np.random.Generator, state: State, data: Data) -> Array:
    """Draw sigma2, shape (chains, n).

    [sigma2[i] | .] = IG(shape, scale), density x^-(shape + 1) exp(-scale / x)
      shape = q + J[i] / 2
      scale = sum(j: (y[i,j] - beta[i]' * x[i,j])^2) / 2 + 1 / r
    Sums of squares are taken from statistics of the data:
      sum(j: (y[i,j] - beta[i]' * x[i,j])^2) = (beta[i]' - fit_beta[i]') * root_beta[i]'
          * root_beta[i] * (beta[i] - fit_beta[i]) + rss[i]
    """
    shape = data.q + data.J / 2
    off_beta = state.beta - data.fit_beta - data.fit_beta_rest
    scaled = np.einsum("ipq,ciq->cip", data.root_beta, off_beta)
    scale = np.einsum("cip,cip->ci", scaled, scaled) / 2 + data.rss / 2 + 1 / data.r
    return random_inverse_gamma(rng, shape, scale, state.sigma2.shape)


def draw_mu(rng: np.random.Generator, state: State, data: Data) -> Array:
    """Draw mu, shape (chains, p).

    [mu | .] = N(A^-1 b, A^-1)
      A = n * inv(Sigma) + inv(Sigma0)
      b = inv(Sigma) * sum(i: beta[i]) + inv(Sigma0) * mu0
    """
    Sigma = compute_Sigma(state, data)
    inv_Sigma = np.linalg.inv(Sigma)
    precision = data.inv_Sigma0 + data.n * inv_Sigma
    sum_beta = np.sum(state.beta, axis=1)
    linear = np.einsum("cpq,cq->cp", inv_Sigma, sum_beta) + data.inv_Sigma0_mu0
    return random_mvnormal(rng, precision, linear, state.mu.shape)


def draw_sigma2_beta(rng: np.random.Generator, state: State, data: Data) -> Array:
    """Draw sigma2_beta, shape (chains,).

    [sigma2_beta | .] = IG(shape, scale), density x^-(shape + 1) exp(-scale / x)
      shape = n * p / 2 + q_beta
      scale = sum(i: (beta[i]' - mu') * inv(R) * (beta[i] - mu)) / 2 + 1 / r_beta
    """
    shape = data.n * data.p / 2 + data.q_beta
    deviation = state.beta - state.mu[:, None]
    sum_mu_beta = np.einsum("cip,ciq->cpq", deviation, deviation)
    R = compute_R(state, data)
    inv_R = np.linalg.inv(R)
    scale = np.einsum("cpq,cqp->c", sum_mu_beta, inv_R) / 2 + 1 / data.r_beta
    return random_inverse_gamma(rng, shape, scale, state.sigma2_beta.shape)


def update_rho(
    rng: np.random.Generator, state: State, data: Data, step: Array
) -> tuple[Array, Array]:
    """Update rho, shape (chains,), by random-walk Metropolis.

    Not conjugate: it enters the factor of beta through a term that is no statistic of
    the normal family, whose kernel its other terms have.
    log [rho | .] =
      - log(1 + (p - 1) * rho) * n / 2
      + (1/2 - p / 2) * log(1 - rho) * n
      - sum(i: (beta[i]' - mu') * (beta[i] - mu)) / (2 * (1 - rho) * sigma2_beta)
      + sum(i: (ones(p)' * (beta[i] - mu))^2) * rho / (2 * (1 - rho) * (1 + (p - 1) *
          rho) * sigma2_beta)
    It moves on the scale u = logit((rho - lower) / (1 - lower)), whose Jacobian is
    counted.
    """
    lower = -1 / np.maximum(1, data.p - 1)
    deviation = state.beta - state.mu[:, None]
    weight = np.einsum("cip,cip->c", deviation, deviation) / (2 * state.sigma2_beta)
    weight_2 = np.sum(np.einsum("cip->ci", deviation) ** 2, axis=1) / state.sigma2_beta

    def log_target(u: Array) -> Array:
        rho = from_line(u, lower, 1)
        log_kernel = (
            np.log(1 - rho) * data.n * (0.5 - data.p / 2)
            + rho * weight_2 / (2 * (1 - rho) * (1 + rho * (data.p - 1)))
            - np.log(1 + rho * (data.p - 1)) * data.n / 2
            - weight / (1 - rho)
        )
        return log_kernel + np.log(rho - lower) + np.log(1 - rho)

    u, accepted = random_walk(
        rng, to_line(state.rho, lower, 1), log_target, step, repeats=5
    )
    return from_line(u, lower, 1), accepted


def log_joint(state: State, data: Data) -> Array:
    """Return the log of the joint density of data and state, shape (chains,)."""
    total = np.zeros(len(state.beta))
    mean = np.einsum("cjp,jp->cj", state.beta[:, data.i_of_j], data.x)
    total += np.sum(log_normal(data.y, mean, state.sigma2[:, data.i_of_j]), axis=1)
    Sigma = compute_Sigma(state, data)
    total += np.sum(log_mvnormal(state.beta, state.mu[:, None], Sigma[:, None]), axis=1)
    total += np.sum(log_inverse_gamma(state.sigma2, data.q, 1 / data.r), axis=1)
    total += log_mvnormal(state.mu, data.mu0, data.Sigma0)
    total += log_inverse_gamma(state.sigma2_beta, data.q_beta, 1 / data.r_beta)
    total += log_uniform(state.rho, -1 / np.maximum(1, data.p - 1), 1)
    return total


def log_likelihood(state: State, data: Data) -> dict[str, Array]:
    """Return the log density of every observation, by node: shape (chains, ...)."""
    mean = np.einsum("cjp,jp->cj", state.beta[:, data.i_of_j], data.x)
    y = log_normal(data.y, mean, state.sigma2[:, data.i_of_j])
    return {"y": y}


def predict(rng: np.random.Generator, state: State, data: Data) -> dict[str, Array]:
    """Draw the observed nodes anew given the state, by node: shape (chains, ...)."""
    chains = len(state.beta)
    mean = np.einsum("cjp,jp->cj", state.beta[:, data.i_of_j], data.x)
    y = predict_normal(
        rng, mean, state.sigma2[:, data.i_of_j], (chains, len(data.i_of_j))
    )
    return {"y": y}


def sweep(
    rng: np.random.Generator, state: State, data: Data, steps: dict[str, Any]
) -> tuple[State, dict[str, Array]]:
    """Draw every node once, each given all the others."""
    accepted: dict[str, Array] = {}
    state = replace(state, beta=draw_beta(rng, state, data))
    state = replace(state, sigma2=draw_sigma2(rng, state, data))
    state = replace(state, mu=draw_mu(rng, state, data))
    state = replace(state, sigma2_beta=draw_sigma2_beta(rng, state, data))
    rho, accepted["rho"] = update_rho(rng, state, data, steps["rho"])
    state = replace(state, rho=rho)
    return state, accepted


def first_steps(state: State) -> dict[str, Any]:
    """Return the sizes of the proposals to begin with."""
    return {"rho": np.ones_like(state.rho)}


def adapt_steps(
    steps: dict[str, Any], state: State, accepted: dict[str, Array], number: int
) -> None:
    """Adapt the proposals after a sweep of the warm-up, after which they stay."""
    steps["rho"] = adapt(steps["rho"], accepted["rho"], number)


def starting_values(rng: np.random.Generator, data: Data, chains: int) -> State:
    """Return starts for the chains: spread wider than the posterior, and near the data.

    What all responses share is drawn first; the groups begin far apart, so that a few
    sweeps bring every group to its own data; variances are then multiplied by a random
    factor, and what depends on them is drawn anew.
    """
    variance = np.var(data.y) + 1e-6
    spread = 10 * np.mean(data.y**2) + 1e-6  # a variance, large
    state = State(
        beta=rng.standard_normal((chains, data.n, data.p)),
        sigma2=spread_out(rng, variance, (chains, data.n)),
        mu=rng.standard_normal((chains, data.p)),
        sigma2_beta=spread_out(rng, spread, chains),
        rho=inside(-1 / np.maximum(1, data.p - 1), 1, rng.uniform(0.2, 0.8, chains)),
    )
    steps = first_steps(state)
    for number in range(30):
        state, accepted = sweep(rng, state, data, steps)
        adapt_steps(steps, state, accepted, number)
    sigma2 = spread_out(rng, state.sigma2, state.sigma2.shape)
    state = replace(state, sigma2=sigma2)
    sigma2_beta = spread_out(rng, state.sigma2_beta, state.sigma2_beta.shape)
    state = replace(state, sigma2_beta=sigma2_beta)
    state = replace(state, beta=draw_beta(rng, state, data))
    state = replace(state, mu=draw_mu(rng, state, data))
    return state


def sample(
    data: Data,
    *,
    draws: int = 1000,
    warmup: int = 1000,
    chains: int = 4,
    thin: int = 1,
    seed: int | None = None,
    keep: Sequence[str] | None = None,
    start: Mapping[str, ArrayLike] | None = None,
    progress: Callable[[int, int], None] | None = None,
    visit: Callable[[int, Mapping[str, Array]], None] | None = None,
) -> dict[str, Any]:
    """Run the chains side by side: each node's draws, shape (chains, draws, ...).

    "acceptance" holds, for each node updated by Metropolis-Hastings, the share of its
    proposals that were accepted after the warm-up.  ``keep`` names the nodes to return
    (all of them, by default), ``start`` values to start from, with or without a chain
    axis.  ``visit`` is called with the number and the nodes of each draw, kept or not.
    An interrupt (Ctrl-C) returns the draws so far.
    "lost" numbers the chains that never came to values of positive density.
    """
    rng = np.random.default_rng(seed)
    state = starting_values(rng, data, chains)
    for name, value in (start or {}).items():
        shape = getattr(state, name).shape
        given = np.broadcast_to(np.asarray(value, dtype=float), shape).copy()
        state = replace(state, **{name: given})
    names = list(vars(state)) if keep is None else list(keep)
    kept = {name: np.empty(kept_shape(state, name, draws)) for name in names}
    steps = first_steps(state)
    rates: dict[str, Array] = {}
    total, done = warmup + draws * thin, 0
    try:
        for number in range(total):
            state, accepted = sweep(rng, state, data, steps)
            if number < warmup:
                adapt_steps(steps, state, accepted, number)
            if number >= warmup:
                rates = {k: rates.get(k, 0) + rate for k, rate in accepted.items()}
            place, left = divmod(number + 1 - warmup, thin)
            if number >= warmup and left == 0:
                for name in names:
                    kept[name][:, place - 1] = getattr(state, name)
                if visit is not None:
                    visit(place - 1, vars(state))
                done = place
            if progress is not None:
                progress(number + 1, total)
    except KeyboardInterrupt:
        pass
    found: dict[str, Any] = {name: values[:, :done] for name, values in kept.items()}
    swept = max(done * thin, 1)
    found["acceptance"] = {name: rate / swept for name, rate in rates.items()}
    found["lost"] = lost_chains(state, data)
    return found


def kept_shape(state: State, name: str, draws: int) -> tuple[int, ...]:
    """Return the shape in which the draws of a node are kept."""
    chains, *rest = getattr(state, name).shape
    return (chains, draws, *rest)


def log_inverse_gamma(value: Array, shape: Array, scale: Array) -> Array:
    """Return the log density of IG(shape, scale), -inf off the positive line."""
    positive = np.where(value > 0, value, 1.0)
    logs = shape * np.log(scale / positive) - scale / positive - np.log(positive)
    return np.where(value > 0, logs - gammaln(shape), -np.inf)


def log_mvnormal(value: Array, mean: Array, covariance: Array) -> Array:
    """Return the log density of vectors (..., p), N(mean, covariance)."""
    apart = value - mean
    root = np.linalg.cholesky(covariance)
    scaled = np.linalg.solve(root, apart[..., None])[..., 0]
    volume = np.log(np.diagonal(root, axis1=-2, axis2=-1)).sum(axis=-1)
    p = value.shape[-1]
    return -0.5 * np.sum(scaled**2, axis=-1) - volume - 0.5 * p * np.log(2 * np.pi)


def log_normal(value: Array, mean: Array, variance: Array) -> Array:
    """Return the log density of N(mean, variance)."""
    return -0.5 * (np.log(2 * np.pi * variance) + (value - mean) ** 2 / variance)


def log_uniform(value: Array, lower: Array | float, upper: Array | float) -> Array:
    """Return the log density of a uniform variable between two bounds."""
    inside = (value > lower) & (value < upper)
    return np.where(inside, -np.log(upper - lower), -np.inf)


def predict_normal(
    rng: np.random.Generator, mean: Array, variance: Array, size: Sequence[int]
) -> Array:
    """Draw from the distribution itself, given its parameters."""
    return mean + np.sqrt(variance) * rng.standard_normal(size)


def adapt(step: Array, accepted: Array, sweep: int) -> Array:
    """Move each step towards an acceptance of 0.44; the gain dies away (Robbins-Monro)."""
    return step * np.exp((accepted - 0.44) * min(1.0, 5 / (sweep + 1) ** 0.6))


def group_sum(values: Array, group: Array, groups: int, axis: int) -> Array:
    """Sum values over the rows (along axis) of each group; zero for an empty group."""
    rows = np.moveaxis(values, axis, -1)
    flat = rows.reshape(-1, rows.shape[-1])
    sums = [np.bincount(group, weights=row, minlength=groups) for row in flat]
    return np.moveaxis(np.reshape(sums, (*rows.shape[:-1], groups)), -1, axis)


def inside(lower: Array | float, upper: Array | float, share: Array) -> Array:
    """Return the point that divides an interval in this share."""
    return lower + (upper - lower) * share


def least_squares(
    response: Array,
    design: Array,
    group: Array | int = 0,
    groups: tuple[int, ...] = (),
    weight: Array | float = 1.0,
) -> tuple[Array, Array, Array, Array]:
    """Fit the rows of each group by least squares: (fit, rest, R, rss).

    The coefficients are fit + rest; X = QR with R upper triangular.  The sum of squares
    around any coefficients b is rss + |R (b - fit - rest)|^2, and keeps all its digits
    where the responses are large and b is near the fit.  ``design`` is (rows ..., p),
    ``group`` the group of each row; the results begin with the axes ``groups``.
    """
    shapes = (np.shape(response), np.shape(group), np.shape(weight))
    shape = np.broadcast_shapes(*shapes, design.shape[:-1])
    y = np.broadcast_to(response, shape).ravel()
    x = np.broadcast_to(design, (*shape, design.shape[-1])).reshape(len(y), -1)
    root = np.sqrt(np.broadcast_to(weight, shape).ravel())
    rows, count = np.broadcast_to(group, shape).ravel(), int(np.prod(groups))
    basis, upper = orthogonal_columns(root[:, None] * x, rows, count)
    fit = triangular_fit(basis, upper, root * y, rows)
    apart = subtract_exactly(y, x, fit[rows])
    rest, residual = np.zeros_like(fit), apart
    for _ in range(2):
        rest += triangular_fit(basis, upper, root * residual, rows)
        residual = apart - np.sum(x * rest[rows], axis=1)
    rss = np.bincount(rows, (root * residual) ** 2, count)
    ends = (*groups, x.shape[1])
    upper = upper.reshape((*ends, x.shape[1]))
    return fit.reshape(ends), rest.reshape(ends), upper, rss.reshape(groups)


def to_line(value: Array, lower: Array | float, upper: Array | float) -> Array:
    """Return log((value - lower) / (upper - value)), which is free of bounds."""
    return np.log(value - lower) - np.log(upper - value)


def from_line(u: Array, lower: Array | float, upper: Array | float) -> Array:
    """Return the value between the bounds that u stands for."""
    return lower + (upper - lower) * expit(u)


def lost_chains(state: State, data: Data) -> list[int]:
    """Return the numbers of the chains whose density is zero: no step has led out of there."""
    nodes = [getattr(state, name) for name in State.__annotations__]
    lost = []
    for k in range(len(nodes[0])):
        with np.errstate(all="ignore"):
            try:
                density = log_joint(State(*(node[k : k + 1] for node in nodes)), data)
            except np.linalg.LinAlgError:  # a matrix that has lost its digits
                continue
        if not density[0] > -np.inf:
            lost.append(k + 1)
    return lost


def orthogonal_columns(columns: Array, group: Array, count: int) -> tuple[Array, Array]:
    """Return Q and R of each group, columns = Q R, by Gram-Schmidt done twice.

    A column that depends on those before it is zero in Q, and so is its row of R.
    """
    basis, p = columns.copy(), columns.shape[1]
    upper = np.zeros((count, p, p))
    for k in range(p):
        length = np.sqrt(np.bincount(group, basis[:, k] ** 2, count))
        for before in [*range(k), *range(k)]:
            part = np.bincount(group, basis[:, before] * basis[:, k], count)
            upper[:, before, k] += part
            basis[:, k] -= part[group] * basis[:, before]
        left = np.sqrt(np.bincount(group, basis[:, k] ** 2, count))
        upper[:, k, k] = np.where(left > 1e-12 * length, left, 0)
        kept = upper[:, k, k] > 0
        basis[:, k] *= np.divide(1, left, where=kept, out=np.zeros(count))[group]
    return basis, upper


def random_inverse_gamma(
    rng: np.random.Generator, shape: Array, scale: Array, size: Sequence[int]
) -> Array:
    """Draw from the density proportional to x^-(shape + 1) exp(-scale / x)."""
    return scale / rng.standard_gamma(shape, size)


def random_mvnormal(
    rng: np.random.Generator, precision: Array, linear: Array, size: Sequence[int]
) -> Array:
    """Draw vectors from N(A^-1 b, A^-1), A the precision (..., p, p), b (..., p)."""
    lower = np.linalg.cholesky(precision)
    noise = rng.standard_normal(size)[..., None]
    half = np.linalg.solve(lower, linear[..., None])
    return np.linalg.solve(np.swapaxes(lower, -1, -2), half + noise)[..., 0]


def random_walk(
    rng: np.random.Generator,
    value: Array,
    log_target: Callable[[Array], Array],
    step: Array,
    repeats: int = 1,
    moves: Array | bool = True,
) -> tuple[Array, Array]:
    """Take Metropolis steps, each element by itself; return it and the share accepted.

    Where the density is zero, steps of all lengths search for its support, and short ones
    wander, not beyond 20 or where they are; they count 0.44, so that no scale is learned.
    """
    accepted = np.zeros(value.shape)
    value = np.where(np.isinf(value) & moves, np.clip(value, -20.0, 20.0), value)
    with np.errstate(all="ignore"):
        now = log_target(value)
        now = np.where(np.isnan(now), -np.inf, now)
        for _ in range(repeats):
            noise, lost = rng.standard_normal(value.shape), np.isneginf(now)
            wander = lost & (np.abs(noise) < 1)
            noise = np.where(lost, noise * np.exp(noise**2), noise)
            proposal = np.where(moves, value + step * noise, value)
            then = log_target(proposal)
            then = np.where(np.isnan(then), -np.inf, then)
            wander &= np.abs(proposal) <= np.maximum(np.abs(value), 20.0)
            taken = ((np.log(rng.random(value.shape)) < then - now) | wander) & moves
            value = np.where(taken, proposal, value)
            now = np.where(taken, then, now)
            if moves is not True:
                now = log_target(value)
                now = np.where(np.isnan(now), -np.inf, now)
            accepted += np.where(lost & moves, 0.44, taken) / repeats
    return value, accepted


def read(
    data: Mapping[str, ArrayLike],
    name: str,
    shape: tuple[int, ...],
    default: ArrayLike | None = None,
) -> Array:
    """Return an array of the data with its shape checked, or its default."""
    if name not in data and default is None:
        raise ValueError(f"{name} is missing from the data")
    value = np.asarray(data.get(name, default), dtype=float)
    if value.shape != shape:
        raise ValueError(f"{name} has the shape {value.shape}; expected {shape}")
    if not np.isfinite(value).all():
        raise ValueError(f"{name} has values that are missing or infinite")
    return value


def spread_out(
    rng: np.random.Generator, value: Array | float, size: Sequence[int] | int
) -> Array:
    """Return a positive value times lognormal factors of the shape ``size``."""
    return value * np.exp(rng.normal(0, 0.5, size))


def subtract_exactly(y: Array, x: Array, b: Array) -> Array:
    """Return y - sum of x * b over the last axis, as if computed in twice the digits.

    Products and sums with their rounding errors after Dekker (1971) and Knuth.
    """
    total, error = y, np.zeros_like(y)
    for k in range(x.shape[-1]):
        left, right = x[:, k], -b[:, k]
        product = left * right
        left_high = left * 134217729.0 - (left * 134217729.0 - left)
        right_high = right * 134217729.0 - (right * 134217729.0 - right)
        left_low, right_low = left - left_high, right - right_high
        error = error + (left_high * right_high - product + left_high * right_low)
        error = error + left_low * right_high + left_low * right_low
        new = total + product
        back = new - total
        error = error + ((total - (new - back)) + (product - back))
        total = new
    return total + error


def triangular_fit(basis: Array, upper: Array, values: Array, group: Array) -> Array:
    """Return the coefficients (groups, p) of values on Q R, those of a zero column 0."""
    count, p = upper.shape[:2]
    fit = np.zeros((count, p))
    for k in reversed(range(p)):
        pivot = upper[:, k, k]
        along = np.bincount(group, basis[:, k] * values, count)
        along -= np.sum(upper[:, k] * fit, axis=1)
        np.divide(along, pivot, where=pivot > 0, out=fit[:, k])
    return fit
