"""A Gibbs sampler for the model poisson, generated from the model; yours to edit.

    model poisson
    # Counts with coefficients of their own for each individual, on the scale of the logarithm.
    # The beta[i] have no conjugate prior; given them, mu and Q are drawn as in the model wishart.

    plates
      i = 1..n     # individuals
      j = 1..J[i]  # repeats of individual i; their number may differ, and may be 0

    given
      x[i,j] : vector(p)        # covariates of repeat j of individual i; the first is usually 1
      mu0 : vector(p) = 0
      Sigma0 : matrix(p,p) = 100 * eye(p)
      S : matrix(p,p) = eye(p)  # a guess at Sigma
      nu > p - 1 = p            # how much the guess counts, in individuals; the least that is whole

    data
      y[i,j] ~ Pois(z[i,j])

    process
      log(z[i,j]) = x[i,j]' * beta[i]  # a definition: no error of its own
      beta[i] ~ N(mu, Sigma)

    parameters
      mu ~ N(mu0, Sigma0)
      Q ~ Wish(inv(nu * S), nu)
      Sigma = inv(Q)

Arrays of the state begin with an axis of chains; those of the data have none.
[a | .] is the full conditional of a: its density given all else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln, multigammaln, xlogy

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
    y: Array  # (rows ij,), observed
    i_of_j: Array  # the i of each row j, from 0
    Xty: Array  # (n, p): sum(j: y[i,j] * x[i,j])
    inv_Sigma0: Array  # (p, p): inv(Sigma0)
    inv_Sigma0_mu0: Array  # (p,): inv_Sigma0 * mu0


@dataclass(frozen=True)
class State:
    """The nodes that are drawn, for all chains."""

    beta: Array  # (chains, n, p)
    mu: Array  # (chains, p)
    Q: Array  # (chains, p, p)


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
    Sigma0 = read(data, "Sigma0", (p, p), 100 * np.eye(p))
    S = read(data, "S", (p, p), np.eye(p))
    nu = read(data, "nu", (), p)
    y = read(data, "y", (len(i_of_j),))
    Xty = group_sum(y[:, None] * x, i_of_j, n, axis=0)
    inv_Sigma0 = np.linalg.inv(Sigma0)
    inv_Sigma0_mu0 = np.einsum("pq,q->p", inv_Sigma0, mu0)
    return Data(
        n=n,
        J=J,
        p=p,
        x=x,
        mu0=mu0,
        Sigma0=Sigma0,
        S=S,
        nu=nu,
        y=y,
        i_of_j=i_of_j,
        Xty=Xty,
        inv_Sigma0=inv_Sigma0,
        inv_Sigma0_mu0=inv_Sigma0_mu0,
    )


def compute_z(state: State, data: Data) -> Array:
    """Return z, shape (chains, rows ij).

    z[i,j] = exp(beta[i]' * x[i,j])
    """
    return np.exp(np.einsum("cjp,jp->cj", state.beta[:, data.i_of_j], data.x))


def derivatives_beta(
    beta: Array, state: State, data: Data
) -> tuple[Array, Array, Array]:
    """Return the log kernel of beta, its gradient and minus its Hessian.

    gradient = Q * mu + Xty[i] - sum(j: exp(beta[i]' * x[i,j]) * x[i,j]) - Q * beta[i]
    Hessian = -sum(j: exp(beta[i]' * x[i,j]) * x[i,j] * x[i,j]') - Q
    """
    beta_x = np.einsum("cjp,jp->cj", beta[:, data.i_of_j], data.x)
    log_kernel = (
        np.einsum("ip,cip->ci", data.Xty, beta)
        + np.einsum("cp,cpq,ciq->ci", state.mu, state.Q, beta)
        - group_sum(np.exp(beta_x), data.i_of_j, data.n, axis=1)
        - np.einsum("cip,cpq,ciq->ci", beta, state.Q, beta) / 2
    )
    gradient = (
        data.Xty
        + np.einsum("cpq,cq->cp", state.Q, state.mu)[:, None]
        - group_sum(np.exp(beta_x[:, :, None]) * data.x, data.i_of_j, data.n, axis=1)
        - np.einsum("cpq,ciq->cip", state.Q, beta)
    )
    beta_x_2 = np.exp(beta_x)
    x = np.einsum("jp,jq->jpq", data.x, data.x)
    sum_beta_x = group_sum(beta_x_2[:, :, None, None] * x, data.i_of_j, data.n, axis=1)
    curvature = sum_beta_x + state.Q[:, None]
    return log_kernel, gradient, curvature


def update_beta(
    rng: np.random.Generator, state: State, data: Data
) -> tuple[Array, Array]:
    """Update beta, shape (chains, n, p), by Metropolis-Hastings with Newton proposals.

    Not conjugate: it enters the factor of y through a term that is no statistic of the
    multivariate normal family, whose kernel its other terms have.
    log [beta[i] | .] =
      mu' * Q * beta[i]
      - beta[i]' * Q * beta[i] / 2
      + sum(j: beta[i]' * x[i,j] * y[i,j])
      - sum(j: exp(beta[i]' * x[i,j]))
    """
    return newton_step(rng, state.beta, derivatives_beta, state, data)


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


def log_joint(state: State, data: Data) -> Array:
    """Return the log of the joint density of data and state, shape (chains,)."""
    total = np.zeros(len(state.beta))
    z = compute_z(state, data)
    total += np.sum(log_poisson(data.y, z), axis=1)
    inv_Q = np.linalg.inv(state.Q)
    total += np.sum(log_mvnormal(state.beta, state.mu[:, None], inv_Q[:, None]), axis=1)
    total += log_mvnormal(state.mu, data.mu0, data.Sigma0)
    inv_S = np.linalg.inv(data.S)
    total += log_wishart(state.Q, data.nu, inv_S / data.nu)
    return total


def log_likelihood(state: State, data: Data) -> dict[str, Array]:
    """Return the log density of every observation, by node: shape (chains, ...)."""
    z = compute_z(state, data)
    y = log_poisson(data.y, z)
    return {"y": y}


def predict(rng: np.random.Generator, state: State, data: Data) -> dict[str, Array]:
    """Draw the observed nodes anew given the state, by node: shape (chains, ...)."""
    chains = len(state.beta)
    z = compute_z(state, data)
    y = predict_poisson(rng, z, (chains, len(data.i_of_j)))
    return {"y": y}


def sweep(
    rng: np.random.Generator, state: State, data: Data
) -> tuple[State, dict[str, Array]]:
    """Draw every node once, each given all the others."""
    accepted: dict[str, Array] = {}
    beta, accepted["beta"] = update_beta(rng, state, data)
    state = replace(state, beta=beta)
    state = replace(state, mu=draw_mu(rng, state, data))
    state = replace(state, Q=draw_Q(rng, state, data))
    return state, accepted


def starting_values(rng: np.random.Generator, data: Data, chains: int) -> State:
    """Return starts for the chains: spread wider than the posterior, and near the data.

    What all responses share is drawn first; the groups begin far apart, so that a few
    sweeps bring every group to its own data; variances are then multiplied by a random
    factor, and what depends on them is drawn anew.
    """
    spread = 10.0  # a variance, large
    state = State(
        beta=rng.standard_normal((chains, data.n, data.p)),
        mu=rng.standard_normal((chains, data.p)),
        Q=spread_out(rng, 1 / spread * np.eye(data.p), (chains, 1, 1)),
    )
    beta = climb(state.beta, derivatives_beta, state, data)
    state = replace(state, beta=beta)
    for _ in range(30):
        state, _ = sweep(rng, state, data)
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
    rates: dict[str, Array] = {}
    total, done = warmup + draws * thin, 0
    try:
        for number in range(total):
            state, accepted = sweep(rng, state, data)
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


def log_mvnormal(value: Array, mean: Array, covariance: Array) -> Array:
    """Return the log density of vectors (..., p), N(mean, covariance)."""
    apart = value - mean
    root = np.linalg.cholesky(covariance)
    scaled = np.linalg.solve(root, apart[..., None])[..., 0]
    volume = np.log(np.diagonal(root, axis1=-2, axis2=-1)).sum(axis=-1)
    p = value.shape[-1]
    return -0.5 * np.sum(scaled**2, axis=-1) - volume - 0.5 * p * np.log(2 * np.pi)


def log_poisson(value: Array, rate: Array) -> Array:
    """Return the log probability of a count."""
    return xlogy(value, rate) - rate - gammaln(value + 1)


def log_wishart(value: Array, df: Array, scale: Array) -> Array:
    """Return the log density of matrices (..., p, p) of mean df * scale."""
    p = value.shape[-1]
    logdet = np.linalg.slogdet(value)[1]
    trace = np.trace(np.linalg.solve(scale, value), axis1=-2, axis2=-1)
    size = 0.5 * df * (p * np.log(2) + np.linalg.slogdet(scale)[1])
    return 0.5 * ((df - p - 1) * logdet - trace) - size - multigammaln(df / 2, p)


def predict_poisson(
    rng: np.random.Generator, rate: Array, size: Sequence[int]
) -> Array:
    """Draw from the distribution itself, given its parameters."""
    return rng.poisson(rate, size).astype(float)


def bartlett(rng: np.random.Generator, df: Array, size: Sequence[int]) -> Array:
    """Draw the Cholesky factor of a Wishart matrix with unit scale; df may be any real."""
    p = size[-1]
    lower = np.tril(rng.standard_normal(size), -1)
    freedom = np.expand_dims(df, -1) - np.arange(p)
    lower[..., np.arange(p), np.arange(p)] = np.sqrt(rng.chisquare(freedom, size[:-1]))
    return lower


def climb(
    value: Array,
    derivatives: Callable[[Array, State, Data], tuple[Array, Array, Array]],
    state: State,
    data: Data,
    steps: int = 50,
) -> Array:
    """Go up to the mode by Newton steps, halved until they rise; from 0 where that is higher."""
    with np.errstate(all="ignore"):
        here = derivatives(value, state, data)[0]
        lower = ~(here >= derivatives(0 * value, state, data)[0])
        value = np.where(lower[..., None], 0, value)
        for _ in range(steps):
            now, gradient, curvature = derivatives(value, state, data)
            move = newton_move(scaled_root(curvature), gradient)
            size = np.ones(now.shape)
            for _ in range(30):
                point = value + size[..., None] * move
                worse = ~(derivatives(point, state, data)[0] >= now)
                size = np.where(worse, size / 2, size)
                if not worse.any():
                    break
            value = np.where(worse[..., None], value, point)
            if np.all(worse | (np.abs(np.sum(gradient * move, axis=-1)) < 1e-6)):
                break
    return value


def group_sum(values: Array, group: Array, groups: int, axis: int) -> Array:
    """Sum values over the rows (along axis) of each group; zero for an empty group."""
    rows = np.moveaxis(values, axis, -1)
    flat = rows.reshape(-1, rows.shape[-1])
    sums = [np.bincount(group, weights=row, minlength=groups) for row in flat]
    return np.moveaxis(np.reshape(sums, (*rows.shape[:-1], groups)), -1, axis)


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


def newton_step(
    rng: np.random.Generator,
    value: Array,
    derivatives: Callable[[Array, State, Data], tuple[Array, Array, Array]],
    state: State,
    data: Data,
) -> tuple[Array, Array]:
    """Propose t_4(m, H^-1), m a Newton step from the value; accept with the reverse density.

    derivatives gives the log kernel (...), its gradient (..., p) and H, minus its
    Hessian (..., p, p), mended where it is singular to its digits.  The centre moves with
    the value, so the way back counts too.  With more components (p), more of the steps are
    short: the share s of H^-1, and of m what keeps a normal density of that H as it is.
    """
    freedom, p = 4, value.shape[-1]
    short = rng.random(value.shape[:-1]) < p / (p + 20)
    share = np.where(short, 2 / (2 + p), 1)[..., None]

    def propose_from(
        point: Array, gradient: Array, curvature: Array
    ) -> tuple[Array, Array]:
        root = scaled_root(curvature)
        move = (1 - np.sqrt(1 - share)) * newton_move(root, gradient)
        return point + move, root / np.sqrt(share)[..., None]

    def log_proposal(point: Array, centre: Array, root: Array) -> Array:
        scaled = np.einsum("...pq,...p->...q", root, point - centre)
        volume = np.log(np.diagonal(root, axis1=-2, axis2=-1)).sum(axis=-1)
        distance = np.sum(scaled**2, axis=-1) / freedom
        return volume - (freedom + p) / 2 * np.log1p(distance)

    now, gradient, curvature = derivatives(value, state, data)
    centre, root = propose_from(value, gradient, curvature)
    noise = rng.standard_normal(value.shape)
    noise /= np.sqrt(rng.chisquare(freedom, now.shape) / freedom)[..., None]
    turned = np.linalg.solve(np.swapaxes(root, -1, -2), noise[..., None])[..., 0]
    proposal = centre + turned
    with np.errstate(all="ignore"):
        then, gradient, curvature = derivatives(proposal, state, data)
        far = ~np.isfinite(curvature).all(axis=(-2, -1)) | ~(then > now - 1000)
        if far.any():
            proposal = np.where(far[..., None], value, proposal)
            then, gradient, curvature = derivatives(proposal, state, data)
        back, back_root = propose_from(proposal, gradient, curvature)
        ratio = then - now + log_proposal(value, back, back_root)
        ratio -= log_proposal(proposal, centre, root)
        taken = (np.log(rng.random(now.shape)) < ratio) & ~far
    return np.where(taken[..., None], proposal, value), taken.astype(float)


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


def scaled_root(curvature: Array) -> Array:
    """Return lower triangles L with L L' = curvature (..., p, p), whatever its units.

    Its diagonal is made 1 before it is factored.  Where it is not positive definite then,
    its eigenvalues are taken positive and at least 1e-8.
    """
    eye = np.eye(curvature.shape[-1])
    finite = np.isfinite(curvature).all(axis=(-2, -1))[..., None, None]
    curvature = np.where(finite, curvature, eye)
    diagonal = np.diagonal(curvature, axis1=-2, axis2=-1)
    size = np.sqrt(np.where(diagonal > 0, diagonal, 1))
    scaled = curvature / size[..., :, None] / size[..., None, :] + 1e-12 * eye
    try:
        root = np.linalg.cholesky(scaled)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(scaled)
        weak = (values[..., 0] < 1e-13)[..., None, None]
        values = np.maximum(np.abs(values), 1e-8)
        mended = (vectors * values[..., None, :]) @ np.swapaxes(vectors, -1, -2)
        root = np.linalg.cholesky(np.where(weak, mended, scaled))
    return size[..., :, None] * root


def newton_move(root: Array, gradient: Array) -> Array:
    """Return inv(L L') gradient, for L (..., p, p) and a gradient (..., p)."""
    half = np.linalg.solve(root, gradient[..., None])
    return np.linalg.solve(np.swapaxes(root, -1, -2), half)[..., 0]


def spread_out(
    rng: np.random.Generator, value: Array | float, size: Sequence[int] | int
) -> Array:
    """Return a positive value times lognormal factors of the shape ``size``."""
    return value * np.exp(rng.normal(0, 0.5, size))
