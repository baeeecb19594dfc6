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


def to_coordinates_mu_with_beta(state: State, data: Data) -> Array:
    """Return mu on an unbounded scale, (chains, d).

    In this order: mu.
    """
    return state.mu


def from_coordinates_mu_with_beta(
    state: State, data: Data, u: Array
) -> tuple[State, Array]:
    """Return the state with the values that u stands for, and log |d/du|.

    u is as to_coordinates_mu_with_beta gives it.
    """
    mu = u
    log_jacobian = np.zeros(len(u))
    moved = replace(state, mu=mu)
    return moved, log_jacobian


def centre_mu_with_beta(state: State, data: Data) -> Array:
    """Return the centre of beta, in its shape.

    centre = mu
    """
    beta_value = state.mu
    chains = len(state.beta)
    beta_value_full = np.broadcast_to(
        beta_value[:, None], (chains, data.n, *beta_value.shape[1:])
    )
    return beta_value_full


def log_density_mu_with_beta(state: State, data: Data) -> Array:
    """Return the log densities that mention what is moved, shape (chains,).

    log [mu, beta | .] =
      - (mu' - mu0') * inv(Sigma0) * (mu - mu0) / 2
      + sum(i,j: beta[i]' * x[i,j] * y[i,j] - exp(beta[i]' * x[i,j]))
      - sum(i: (beta[i]' - mu') * Q * (beta[i] - mu)) / 2
    """
    deviation = state.mu - data.mu0
    beta_x = np.einsum("cjp,jp->cj", state.beta[:, data.i_of_j], data.x)
    deviation_2 = state.beta - state.mu[:, None]
    sum_mu_beta = np.einsum("cip,ciq->cpq", deviation_2, deviation_2)
    log_kernel = (
        np.einsum("ip,cip->c", data.Xty, state.beta)
        - np.einsum("cp,pq,cq->c", deviation, data.inv_Sigma0, deviation) / 2
        - np.sum(np.exp(beta_x), axis=1)
        - np.einsum("cpq,cqp->c", sum_mu_beta, state.Q) / 2
    )
    return log_kernel


def update_mu_with_beta(
    rng: np.random.Generator, state: State, data: Data, steps: MoveSteps
) -> tuple[State, Array]:
    """Move mu by one Metropolis-Hastings step: beta keeps its distance from its centre.

    (beta - centre) stays; the Jacobian of that is counted.
    """
    if steps.dropped:
        return state, np.zeros(len(state.mu))

    def place(u: Array) -> tuple[State, Array]:
        moved, log_jacobian = from_coordinates_mu_with_beta(state, data, u)
        beta = state.beta - centre_mu_with_beta(state, data)
        beta = beta + centre_mu_with_beta(moved, data)
        moved = replace(moved, beta=beta)
        return moved, log_jacobian

    def log_density(moved: State) -> Array:
        return log_density_mu_with_beta(moved, data)

    u = to_coordinates_mu_with_beta(state, data)
    return joint_move(rng, state, u, place, log_density, steps)


def to_coordinates_Q_with_beta(state: State, data: Data) -> Array:
    """Return Q on an unbounded scale, (chains, d).

    In this order: the entries of its log-Cholesky factor.
    """
    return to_log_cholesky(state.Q)


def from_coordinates_Q_with_beta(
    state: State, data: Data, u: Array
) -> tuple[State, Array]:
    """Return the state with the values that u stands for, and log |d/du|.

    u is as to_coordinates_Q_with_beta gives it.
    """
    Q, log_jacobian_Q = from_log_cholesky(u, data.p)
    log_jacobian = log_jacobian_Q
    moved = replace(state, Q=Q)
    return moved, log_jacobian


def centre_Q_with_beta(state: State, data: Data) -> Array:
    """Return the centre of beta, in its shape.

    centre = mu
    """
    beta_value = state.mu
    chains = len(state.beta)
    beta_value_full = np.broadcast_to(
        beta_value[:, None], (chains, data.n, *beta_value.shape[1:])
    )
    return beta_value_full


def covariance_Q_with_beta(state: State, data: Data) -> Array:
    """Return the covariance of beta, (chains, p, p).

    covariance = inv(Q)
    """
    covariance = np.linalg.inv(state.Q)
    return covariance


def log_density_Q_with_beta(state: State, data: Data) -> Array:
    """Return the log densities that mention what is moved, shape (chains,).

    log [Q, beta | .] =
      (nu / 2 - 1/2 - p / 2) * logdet(Q)
      - nu * tr(Q * S) / 2
      + sum(i,j: beta[i]' * x[i,j] * y[i,j] - exp(beta[i]' * x[i,j]))
      + sum(i: logdet(Q) / 2 - (beta[i]' - mu') * Q * (beta[i] - mu) / 2)
    """
    beta_x = np.einsum("cjp,jp->cj", state.beta[:, data.i_of_j], data.x)
    deviation = state.beta - state.mu[:, None]
    sum_mu_beta = np.einsum("cip,ciq->cpq", deviation, deviation)
    log_kernel = (
        np.einsum("ip,cip->c", data.Xty, state.beta)
        + np.linalg.slogdet(state.Q)[1] * (data.nu / 2 - 0.5 - data.p / 2)
        + np.linalg.slogdet(state.Q)[1] * data.n / 2
        - np.sum(np.exp(beta_x), axis=1)
        - np.einsum("cpq,cqp->c", sum_mu_beta, state.Q) / 2
        - data.nu * np.einsum("cpq,qp->c", state.Q, data.S) / 2
    )
    return log_kernel


def update_Q_with_beta(
    rng: np.random.Generator, state: State, data: Data, steps: MoveSteps
) -> tuple[State, Array]:
    """Move Q by one Metropolis-Hastings step: beta stays what it is in units of the
    root of its covariance.

    inv(L) (beta - centre), with LL' the covariance, stays; the Jacobian of that is
    counted.
    """
    if steps.dropped:
        return state, np.zeros(len(state.Q))

    def place(u: Array) -> tuple[State, Array]:
        moved, log_jacobian = from_coordinates_Q_with_beta(state, data, u)
        beta = state.beta - centre_Q_with_beta(state, data)
        beta, log_scale = in_units(
            beta,
            covariance_Q_with_beta(state, data),
            covariance_Q_with_beta(moved, data),
        )
        log_jacobian = log_jacobian + log_scale
        beta = beta + centre_Q_with_beta(moved, data)
        moved = replace(moved, beta=beta)
        return moved, log_jacobian

    def log_density(moved: State) -> Array:
        return log_density_Q_with_beta(moved, data)

    u = to_coordinates_Q_with_beta(state, data)
    return joint_move(rng, state, u, place, log_density, steps)


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
    rng: np.random.Generator, state: State, data: Data, steps: dict[str, Any]
) -> tuple[State, dict[str, Array]]:
    """Draw every node once, each given all the others.

    Then nodes that depend on each other strongly are moved together.
    """
    accepted: dict[str, Array] = {}
    beta, accepted["beta"] = update_beta(rng, state, data)
    state = replace(state, beta=beta)
    state = replace(state, mu=draw_mu(rng, state, data))
    state = replace(state, Q=draw_Q(rng, state, data))
    state, accepted["mu_with_beta"] = update_mu_with_beta(
        rng, state, data, steps["mu_with_beta"]
    )
    state, accepted["Q_with_beta"] = update_Q_with_beta(
        rng, state, data, steps["Q_with_beta"]
    )
    return state, accepted


def first_steps(state: State) -> dict[str, Any]:
    """Return the sizes of the proposals to begin with."""
    mu_with_beta = first_move_steps(len(state.mu), state.mu.shape[-1])
    Q_with_beta = first_move_steps(
        len(state.Q), state.Q.shape[-1] * (state.Q.shape[-1] + 1) // 2
    )
    return {"mu_with_beta": mu_with_beta, "Q_with_beta": Q_with_beta}


def adapt_steps(
    steps: dict[str, Any], state: State, accepted: dict[str, Array], number: int
) -> None:
    """Adapt the proposals after a sweep of the warm-up, after which they stay."""
    steps["mu_with_beta"].adapt(accepted["mu_with_beta"])
    steps["Q_with_beta"].adapt(accepted["Q_with_beta"])


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
    steps = first_steps(state)
    beta = climb(state.beta, derivatives_beta, state, data)
    state = replace(state, beta=beta)
    for number in range(30):
        state, accepted = sweep(rng, state, data, steps)
        adapt_steps(steps, state, accepted, number)
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


def block_move(
    rng: np.random.Generator,
    u: Array,
    log_target: Callable[[Array], tuple[Array, ...]],
    steps: BlockSteps,
    known: tuple[Array, ...] = (),
) -> tuple[Array, Array, tuple[Array, ...]]:
    """Take a Metropolis-Hastings step of u (chains, d).

    ``log_target`` returns the log density and what else was found on the way, (chains,
    ...) each; ``known`` is what it returns at u, if that is known.  Return the new value,
    whether it was accepted, and what log_target returns there.
    """
    with np.errstate(all="ignore"):
        proposal, log_ratio = steps.propose(rng, u)
        old = known or log_target(u)
        new = log_target(proposal)
        taken = np.log(rng.random(len(u))) < new[0] - old[0] + log_ratio
    pairs = zip(old, new, strict=True)
    choices = [(taken.reshape(-1, *[1] * (a.ndim - 1)), b, a) for a, b in pairs]
    steps.known = tuple(np.where(*choice) for choice in choices)
    steps.place = np.where(taken[:, None], proposal, u)
    return steps.place, taken.astype(float), steps.known


@dataclass
class BlockSteps:
    """Proposals for nodes updated together, u (chains, d) on an unbounded scale.

    Most are independent of the current value: multivariate t with 5 degrees of freedom,
    fitted to the warm-up.  The others are random-walk steps, so that no chain sticks
    where the fit is bad.  ``collapse`` tells whether the nodes are updated together.
    """

    collapse: bool
    centre: Array  # (d,)
    root: Array  # (d, d), the Cholesky factor of the covariance
    inverse: Array  # (d, d), of the root
    scale: Array  # (chains,), of the random walk
    mean: Array  # (d,), of the draws since the last fit but one
    covariance: Array  # (d, d), about that mean
    place: Array  # (chains, d), where the chains are
    count: int = 0
    sweeps: int = 0
    walks: float = 1.0  # the share of random-walk steps
    walked: bool = True  # whether the last step was one
    rate: float = 0.5  # acceptance of the others, a moving average
    anchor: tuple[Any, ...] = ()  # data, a state from which the density is seen, sums
    seen: tuple[Any, ...] = ()  # at which data and values ...
    known: tuple[Array, ...] = ()  # ... the density is known

    def recall(self, *values: Any) -> tuple[Array, ...]:
        """Return what is known of the density at these very data and values."""
        same = list(map(id, values)) == list(map(id, self.seen))
        return self.known if same else ()

    def propose(self, rng: np.random.Generator, u: Array) -> tuple[Array, Any]:
        """Return proposals, and the log ratios of proposing back and forth."""
        noise = rng.standard_normal(u.shape) @ self.root.T
        self.walked = bool(rng.random() < self.walks)
        if self.walked:
            return u + self.scale[:, None] * noise, 0.0
        proposal = self.centre + np.sqrt(5 / rng.chisquare(5, (len(u), 1))) * noise
        return proposal, self.log_density(u) - self.log_density(proposal)

    def log_density(self, u: Array) -> Array:
        """Return the log density of the independent proposals, up to a constant."""
        apart = (u - self.centre) @ self.inverse.T
        return -(5 + len(self.centre)) / 2 * np.log1p(np.sum(apart**2, axis=1) / 5)

    def adapt(self, accepted: Array) -> None:
        """Learn from a sweep of the warm-up; fit at 50, 100, 200 and then every 100."""
        self.sweeps += 1
        if self.walked:
            gain = min(1.0, 5 / self.sweeps**0.6)
            self.scale = self.scale * np.exp((accepted - 0.3) * gain)
        else:
            self.rate += 0.02 * (np.mean(accepted) - self.rate)
            self.walks = 0.05 if self.rate > 0.2 else 0.5
        chains = len(self.place)
        self.count += chains
        share = chains / self.count
        middle = np.mean(self.place, axis=0)
        gap, apart = middle - self.mean, self.place - middle
        within = apart.T @ apart / chains + (1 - share) * np.outer(gap, gap)
        self.mean = self.mean + share * gap
        self.covariance = (1 - share) * self.covariance + share * within
        if self.sweeps in (50, 100, 200) or self.sweeps % 100 == 0:
            self.fit()

    def fit(self) -> None:
        """Fit the proposals to the draws gathered, and forget early ones."""
        self.centre = self.mean
        ridge = 1e-8 * np.diag(np.diag(self.covariance) + 1e-4)
        self.root = np.linalg.cholesky(self.covariance + ridge)
        self.inverse = np.linalg.inv(self.root)
        self.anchor, self.seen = (), ()
        if self.sweeps == 100:
            self.walks = 0.05
        self.count = 0 if self.sweeps <= 200 else self.count


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


def first_block_steps(chains: int, size: int, collapse: bool) -> BlockSteps:
    """Return the proposals to begin with: steps of a random walk."""
    scale = np.full(chains, 2.4 / np.sqrt(size))
    middle, root, place = np.zeros(size), 0.2 * np.eye(size), np.zeros((chains, size))
    return BlockSteps(collapse, middle, root, root, scale, middle, root, place)


def first_move_steps(chains: int, size: int) -> MoveSteps:
    """Return the proposals to begin with; none for more than 12 numbers."""
    steps = vars(first_block_steps(chains, size, True))
    return MoveSteps(**steps, dropped=size > 12)


def from_log_cholesky(u: Array, p: int) -> tuple[Array, Array]:
    """Return the matrix LL' of the entries u of L (logs on the diagonal), and log |d/du|."""
    lower = np.zeros((*u.shape[:-1], p, p))
    lower[..., *np.tril_indices(p)] = u
    logs = np.diagonal(lower, axis1=-2, axis2=-1)
    log_jacobian = np.sum((p + 1 - np.arange(p)) * logs, axis=-1)
    lower = np.tril(lower, -1) + np.exp(logs)[..., None] * np.eye(p)
    return lower @ np.swapaxes(lower, -1, -2), log_jacobian


def group_sum(values: Array, group: Array, groups: int, axis: int) -> Array:
    """Sum values over the rows (along axis) of each group; zero for an empty group."""
    rows = np.moveaxis(values, axis, -1)
    flat = rows.reshape(-1, rows.shape[-1])
    sums = [np.bincount(group, weights=row, minlength=groups) for row in flat]
    return np.moveaxis(np.reshape(sums, (*rows.shape[:-1], groups)), -1, axis)


def in_units(vectors: Array, before: Array, after: Array) -> tuple[Array, Array]:
    """Return vectors (chains, ..., p) that stay what they are in units of a root.

    The root is the Cholesky factor of a covariance (chains, p, p), as it was ``before``
    and is ``after``.  The log Jacobian, (chains,), is returned too.
    """
    old, new = np.linalg.cholesky(before), np.linalg.cholesky(after)
    rows = vectors.reshape(len(vectors), -1, vectors.shape[-1])
    apart = np.linalg.solve(old, np.swapaxes(rows, 1, 2))
    moved = np.swapaxes(new @ apart, 1, 2).reshape(vectors.shape)
    logs = [np.log(np.diagonal(root, axis1=1, axis2=2)) for root in (old, new)]
    return moved, rows.shape[1] * np.sum(logs[1] - logs[0], axis=1)


def joint_move(
    rng: np.random.Generator,
    state: State,
    u: Array,
    place: Callable[[Array], tuple[State, Array]],
    log_density: Callable[[State], Array],
    steps: MoveSteps,
) -> tuple[State, Array]:
    """Take a Metropolis-Hastings step of several nodes, which u (chains, d) stands for.

    ``place`` returns the state with the values of u and the log Jacobian.  A chain where
    the density has lost its digits (too near to a bound) stays as it is; so do all, where
    a matrix that is proposed for one of them is singular.
    """

    def log_target(u: Array) -> tuple[Array, ...]:
        try:
            moved, log_jacobian = place(u)
            return (log_density(moved) + log_jacobian,)
        except np.linalg.LinAlgError:
            return (np.full(len(u), -np.inf),)

    u = np.nan_to_num(u, posinf=50.0, neginf=-50.0)
    steps.begun = u
    with np.errstate(all="ignore"):
        now = log_target(u)[0]
        known = np.where(np.isfinite(now), now, np.inf)
        u, accepted, _ = block_move(rng, u, log_target, steps, (known,))
        moved = vars(place(u)[0])
    values = {}
    for name, old in vars(state).items():
        if moved[name] is not old:
            taken = accepted.reshape(-1, *[1] * (old.ndim - 1)) > 0
            values[name] = np.where(taken, moved[name], old)
    return replace(state, **values), accepted


@dataclass
class MoveSteps(BlockSteps):
    """Proposals for a move of several nodes besides their own updates.

    It is dropped where there are too many numbers to propose at once, and where from
    sweep 200 to 400 it moved them, in every direction, less than a quarter as far as their
    own updates did: squares of the jumps, in units of the fitted covariance.
    """

    dropped: bool = False
    begun: Array | None = None  # (chains, d), where the chains were before the move
    left: Array | None = None  # (chains, d), after the move of the sweep before
    jumps: Array | None = None  # (2, d, d), squares: of other updates, its own

    def adapt(self, accepted: Array) -> None:
        """Learn from a sweep of the warm-up, and whether the move pays."""
        if self.dropped:
            return
        super().adapt(accepted)
        if self.left is not None and 200 < self.sweeps <= 400:
            apart = np.array([self.begun - self.left, self.place - self.begun])
            apart = apart @ self.inverse.T
            found = np.swapaxes(apart, 1, 2) @ apart
            self.jumps = found if self.jumps is None else self.jumps + found
        self.left = self.place
        if self.sweeps == 400 and self.jumps is not None:
            others, own = self.jumps
            ridge = 1e-9 * (1e-9 + np.trace(others + own)) * np.eye(len(own))
            gains = np.linalg.eigvals(np.linalg.solve(others + ridge, own))
            self.dropped = bool(np.max(gains.real) < 0.25)


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

    def propose_from(point: Array) -> tuple[Array, Array, Array]:
        log_kernel, gradient, curvature = derivatives(point, state, data)
        root = scaled_root(curvature)
        move = (1 - np.sqrt(1 - share)) * newton_move(root, gradient)
        return log_kernel, point + move, root / np.sqrt(share)[..., None]

    def log_proposal(point: Array, centre: Array, root: Array) -> Array:
        scaled = np.einsum("...pq,...p->...q", root, point - centre)
        volume = np.log(np.diagonal(root, axis1=-2, axis2=-1)).sum(axis=-1)
        distance = np.sum(scaled**2, axis=-1) / freedom
        return volume - (freedom + p) / 2 * np.log1p(distance)

    now, centre, root = propose_from(value)
    noise = rng.standard_normal(value.shape)
    noise /= np.sqrt(rng.chisquare(freedom, now.shape) / freedom)[..., None]
    turned = np.linalg.solve(np.swapaxes(root, -1, -2), noise[..., None])[..., 0]
    proposal = centre + turned
    with np.errstate(all="ignore"):
        there, _, curvature = derivatives(proposal, state, data)
        far = ~np.isfinite(curvature).all(axis=(-2, -1)) | ~(there > now - 1000)
        proposal = np.where(far[..., None], value, proposal)
        then, back, back_root = propose_from(proposal)
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


def to_log_cholesky(matrix: Array) -> Array:
    """Return the entries of the Cholesky factors of (..., p, p), logs on the diagonal."""
    lower = np.linalg.cholesky(matrix)
    diagonal = np.diagonal(lower, axis1=-2, axis2=-1)
    shown = np.tril(lower, -1) + np.log(diagonal)[..., None] * np.eye(matrix.shape[-1])
    return shown[..., *np.tril_indices(matrix.shape[-1])]
