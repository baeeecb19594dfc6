"""A Gibbs sampler for the model wishart, generated from the model; yours to edit.

    model wishart
    # all_random, with a covariance matrix that is free: its inverse Q has a Wishart prior, with mean inv(S).
    # Wish(V, nu) has mean nu * V. Every node is conjugate.

    plates
      i = 1..n     # individuals
      j = 1..J[i]  # repeats of individual i; their number may differ, and may be 0

    given
      x[i,j] : vector(p)        # covariates of repeat j of individual i; the first is usually 1
      mu0 : vector(p) = 0
      Sigma0 : matrix(p,p) = 1e4 * eye(p)
      S : matrix(p,p) = eye(p)  # a guess at Sigma
      nu > p - 1 = p            # how much the guess counts, in individuals; the least that is whole
      q > 0 = 0.001             # shape: vague, yet proper
      r > 0 = 1000              # reciprocal of the scale

    data
      y[i,j] ~ N(x[i,j]' * beta[i], sigma2)

    process
      beta[i] ~ N(mu, Sigma)

    parameters
      mu ~ N(mu0, Sigma0)
      Q ~ Wish(inv(nu * S), nu)
      Sigma = inv(Q)
      sigma2 ~ IG(q, r)

Arrays of the state begin with an axis of chains; those of the data have none.
[a | .] is the full conditional of a: its density given all else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln, multigammaln

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
    S: Array  # (p, p)
    nu: Array
    q: Array
    r: Array
    y: Array  # (rows ij,), observed
    i_of_j: Array  # the i of each row j, from 0
    XtX: Array  # (n, p, p): sum(j: x[i,j] * x[i,j]')
    Xty: Array  # (n, p): sum(j: y[i,j] * x[i,j])
    inv_Sigma0: Array  # (p, p): inv(Sigma0)
    inv_Sigma0_mu0: Array  # (p,): inv_Sigma0 * mu0
    sum_J: Array  # (): sum(i: J[i])
    fit_beta: Array  # (n, p): least-squares fit of each i
    fit_beta_rest: Array  # (n, p): what rounding leaves out of fit_beta
    root_beta: Array  # (n, p, p): a part of R, the columns of each i being QR
    sum_rss: Array  # (): sum of squares of all rows around their least-squares fits


@dataclass(frozen=True)
class State:
    """The nodes that are drawn, for all chains."""

    beta: Array  # (chains, n, p)
    mu: Array  # (chains, p)
    Q: Array  # (chains, p, p)
    sigma2: Array  # (chains,)


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
    q = read(data, "q", (), 0.001)
    r = read(data, "r", (), 1000)
    Sigma0 = read(data, "Sigma0", (p, p), 10000 * np.eye(p))
    S = read(data, "S", (p, p), np.eye(p))
    nu = read(data, "nu", (), p)
    y = read(data, "y", (len(i_of_j),))
    XtX = group_sum(np.einsum("jp,jq->jpq", x, x), i_of_j, n, axis=0)
    Xty = group_sum(y[:, None] * x, i_of_j, n, axis=0)
    inv_Sigma0 = np.linalg.inv(Sigma0)
    inv_Sigma0_mu0 = np.einsum("pq,q->p", inv_Sigma0, mu0)
    sum_J = np.sum(J)
    fit_beta, fit_beta_rest, root_beta, rss = least_squares(y, x, i_of_j, (n,))
    sum_rss = np.sum(rss)
    return Data(
        n=n,
        J=J,
        p=p,
        x=x,
        mu0=mu0,
        Sigma0=Sigma0,
        S=S,
        nu=nu,
        q=q,
        r=r,
        y=y,
        i_of_j=i_of_j,
        XtX=XtX,
        Xty=Xty,
        inv_Sigma0=inv_Sigma0,
        inv_Sigma0_mu0=inv_Sigma0_mu0,
        sum_J=sum_J,
        fit_beta=fit_beta,
        fit_beta_rest=fit_beta_rest,
        root_beta=root_beta,
        sum_rss=sum_rss,
    )


def draw_beta(rng: np.random.Generator, state: State, data: Data) -> Array:
    """Draw beta, shape (chains, n, p).

    [beta[i] | .] = N(A^-1 b, A^-1)
      A = sum(j: x[i,j] * x[i,j]') / sigma2 + Q
      b = sum(j: y[i,j] * x[i,j]) / sigma2 + Q * mu
    """
    precision = data.XtX / state.sigma2[:, None, None, None] + state.Q[:, None]
    sigma2_Xty = data.Xty / state.sigma2[:, None, None]
    linear = sigma2_Xty + np.einsum("cpq,cq->cp", state.Q, state.mu)[:, None]
    return random_mvnormal(rng, precision, linear, state.beta.shape)


def draw_mu(rng: np.random.Generator, state: State, data: Data) -> Array:
    """Draw mu, shape (chains, p).

    [mu | .] = N(A^-1 b, A^-1)
      A = n * Q + inv(Sigma0)
      b = Q * sum(i: beta[i]) + inv(Sigma0) * mu0
    """
    precision = data.inv_Sigma0 + data.n * state.Q
    sum_beta = np.sum(state.beta, axis=1)
    linear = np.einsum("cpq,cq->cp", state.Q, sum_beta) + data.inv_Sigma0_mu0
    return random_mvnormal(rng, precision, linear, state.mu.shape)


def draw_Q(rng: np.random.Generator, state: State, data: Data) -> Array:
    """Draw Q, shape (chains, p, p).

    [Q | .] = Wishart(df, inverse scale)
      df = n + nu
      inverse scale = sum(i: (beta[i] - mu) * (beta[i]' - mu')) + nu * S
    """
    df = data.n + data.nu
    deviation = state.beta - state.mu[:, None]
    inverse_scale = np.einsum("cip,ciq->cpq", deviation, deviation) + data.nu * data.S
    return random_wishart(rng, df, inverse_scale, state.Q.shape)


def draw_sigma2(rng: np.random.Generator, state: State, data: Data) -> Array:
    """Draw sigma2, shape (chains,).

    [sigma2 | .] = IG(shape, scale), density x^-(shape + 1) exp(-scale / x)
      shape = sum(i: J[i]) / 2 + q
      scale = sum(i,j: (y[i,j] - beta[i]' * x[i,j])^2) / 2 + 1 / r
    Sums of squares are taken from statistics of the data:
      sum(j: (y[i,j] - beta[i]' * x[i,j])^2) = (beta[i]' - fit_beta[i]') * root_beta[i]'
          * root_beta[i] * (beta[i] - fit_beta[i]) + rss[i]
    """
    shape = data.sum_J / 2 + data.q
    off_beta = state.beta - data.fit_beta - data.fit_beta_rest
    scaled = np.einsum("ipq,ciq->cip", data.root_beta, off_beta)
    scale = np.einsum("cip,cip->c", scaled, scaled) / 2 + data.sum_rss / 2 + 1 / data.r
    return random_inverse_gamma(rng, shape, scale, state.sigma2.shape)


def log_joint(state: State, data: Data) -> Array:
    """Return the log of the joint density of data and state, shape (chains,)."""
    total = np.zeros(len(state.beta))
    mean = np.einsum("cjp,jp->cj", state.beta[:, data.i_of_j], data.x)
    total += np.sum(log_normal(data.y, mean, state.sigma2[:, None]), axis=1)
    inv_Q = np.linalg.inv(state.Q)
    total += np.sum(log_mvnormal(state.beta, state.mu[:, None], inv_Q[:, None]), axis=1)
    total += log_mvnormal(state.mu, data.mu0, data.Sigma0)
    inv_S = np.linalg.inv(data.S)
    total += log_wishart(state.Q, data.nu, inv_S / data.nu)
    total += log_inverse_gamma(state.sigma2, data.q, 1 / data.r)
    return total


def log_likelihood(state: State, data: Data) -> dict[str, Array]:
    """Return the log density of every observation, by node: shape (chains, ...)."""
    mean = np.einsum("cjp,jp->cj", state.beta[:, data.i_of_j], data.x)
    y = log_normal(data.y, mean, state.sigma2[:, None])
    return {"y": y}


def predict(rng: np.random.Generator, state: State, data: Data) -> dict[str, Array]:
    """Draw the observed nodes anew given the state, by node: shape (chains, ...)."""
    chains = len(state.beta)
    mean = np.einsum("cjp,jp->cj", state.beta[:, data.i_of_j], data.x)
    y = predict_normal(rng, mean, state.sigma2[:, None], (chains, len(data.i_of_j)))
    return {"y": y}


def sweep(rng: np.random.Generator, state: State, data: Data) -> State:
    """Draw every node once, each given all the others."""
    state = replace(state, beta=draw_beta(rng, state, data))
    state = replace(state, mu=draw_mu(rng, state, data))
    state = replace(state, Q=draw_Q(rng, state, data))
    state = replace(state, sigma2=draw_sigma2(rng, state, data))
    return state


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
        mu=rng.standard_normal((chains, data.p)),
        Q=spread_out(rng, 1 / spread * np.eye(data.p), (chains, 1, 1)),
        sigma2=spread_out(rng, variance, chains),
    )
    for _ in range(5):
        state = sweep(rng, state, data)
    sigma2 = spread_out(rng, state.sigma2, state.sigma2.shape)
    state = replace(state, sigma2=sigma2)
    state = replace(state, beta=draw_beta(rng, state, data))
    state = replace(state, mu=draw_mu(rng, state, data))
    state = replace(state, Q=draw_Q(rng, state, data))
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
    """
    rng = np.random.default_rng(seed)
    state = starting_values(rng, data, chains)
    for name, value in (start or {}).items():
        shape = getattr(state, name).shape
        given = np.broadcast_to(np.asarray(value, dtype=float), shape).copy()
        state = replace(state, **{name: given})
    names = list(vars(state)) if keep is None else list(keep)
    kept = {name: np.empty(kept_shape(state, name, draws)) for name in names}
    total, done = warmup + draws * thin, 0
    try:
        for number in range(total):
            state = sweep(rng, state, data)
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
    found["acceptance"] = {}
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


def log_wishart(value: Array, df: Array, scale: Array) -> Array:
    """Return the log density of matrices (..., p, p) of mean df * scale."""
    p = value.shape[-1]
    logdet = np.linalg.slogdet(value)[1]
    trace = np.trace(np.linalg.solve(scale, value), axis1=-2, axis2=-1)
    size = 0.5 * df * (p * np.log(2) + np.linalg.slogdet(scale)[1])
    return 0.5 * ((df - p - 1) * logdet - trace) - size - multigammaln(df / 2, p)


def predict_normal(
    rng: np.random.Generator, mean: Array, variance: Array, size: Sequence[int]
) -> Array:
    """Draw from the distribution itself, given its parameters."""
    return mean + np.sqrt(variance) * rng.standard_normal(size)


def bartlett(rng: np.random.Generator, df: Array, size: Sequence[int]) -> Array:
    """Draw the Cholesky factor of a Wishart matrix with unit scale; df may be any real."""
    p = size[-1]
    lower = np.tril(rng.standard_normal(size), -1)
    freedom = np.expand_dims(df, -1) - np.arange(p)
    lower[..., np.arange(p), np.arange(p)] = np.sqrt(rng.chisquare(freedom, size[:-1]))
    return lower


def group_sum(values: Array, group: Array, groups: int, axis: int) -> Array:
    """Sum values over the rows (along axis) of each group; zero for an empty group."""
    rows = np.moveaxis(values, axis, -1)
    flat = rows.reshape(-1, rows.shape[-1])
    sums = [np.bincount(group, weights=row, minlength=groups) for row in flat]
    return np.moveaxis(np.reshape(sums, (*rows.shape[:-1], groups)), -1, axis)


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


def random_wishart(
    rng: np.random.Generator, df: Array, inverse_scale: Array, size: Sequence[int]
) -> Array:
    """Draw matrices (..., p, p) of mean df times the inverse of inverse_scale."""
    lower = np.swapaxes(np.linalg.cholesky(inverse_scale), -1, -2)
    root = np.linalg.solve(lower, bartlett(rng, df, size))
    return root @ np.swapaxes(root, -1, -2)


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
