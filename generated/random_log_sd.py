"""A Gibbs sampler for the model random_log_sd, generated from the model; yours to edit.

    model random_log_sd
    # all_random, with standard deviations of the data that come from a population of their own.
    # The node is log_sigma[i], the logarithm of sigma[i]; sigma[i] follows from it.

    plates
      i = 1..n     # individuals
      j = 1..J[i]  # repeats of individual i; their number may differ, and may be 0

    given
      x[i,j] : vector(p)  # covariates of repeat j of individual i; the first is usually 1
      mu0 : vector(p) = 0
      Sigma0 : matrix(p,p) = 1e4 * eye(p)
      m = 0               # prior mean of mu_sigma
      v > 0 = 100         # prior variance of mu_sigma
      q_sigma, r_sigma > 0 = 1
      q_beta > 0 = 0.001  # shape: vague, yet proper
      r_beta > 0 = 1000   # reciprocal of the scale

    data
      y[i,j] ~ N(x[i,j]' * beta[i], sigma[i]^2)

    process
      beta[i] ~ N(mu, Sigma)
      Sigma = sigma2_beta * R
      R = exchangeable(rho, p)                   # 1 on the diagonal, rho off it
      log(sigma[i]) ~ N(mu_sigma, sigma2_sigma)  # not conjugate

    parameters
      mu ~ N(mu0, Sigma0)
      sigma2_beta ~ IG(q_beta, r_beta)
      rho ~ Unif(-1 / max(p - 1, 1), 1)
      mu_sigma ~ N(m, v)
      sigma2_sigma ~ IG(q_sigma, r_sigma)

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
    m: Array
    v: Array
    q_sigma: Array
    r_sigma: Array
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
    log_sigma: Array  # (chains, n)
    mu: Array  # (chains, p)
    sigma2_beta: Array  # (chains,)
    rho: Array  # (chains,)
    mu_sigma: Array  # (chains,)
    sigma2_sigma: Array  # (chains,)


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
    m = read(data, "m", (), 0)
    v = read(data, "v", (), 100)
    q_sigma = read(data, "q_sigma", (), 1)
    r_sigma = read(data, "r_sigma", (), 1)
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
        m=m,
        v=v,
        q_sigma=q_sigma,
        r_sigma=r_sigma,
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


def compute_sigma(state: State, data: Data) -> Array:
    """Return sigma, shape (chains, n).

    sigma[i] = exp(log_sigma[i])
    """
    return np.exp(state.log_sigma)


def draw_beta(rng: np.random.Generator, state: State, data: Data) -> Array:
    """Draw beta, shape (chains, n, p).

    [beta[i] | .] = N(A^-1 b, A^-1)
      A = sum(j: x[i,j] * x[i,j]') / sigma[i]^2 + inv(Sigma)
      b = sum(j: y[i,j] * x[i,j]) / sigma[i]^2 + inv(Sigma) * mu
    """
    sigma = compute_sigma(state, data)
    Sigma = compute_Sigma(state, data)
    inv_Sigma = np.linalg.inv(Sigma)
    precision = data.XtX / sigma[:, :, None, None] ** 2 + inv_Sigma[:, None]
    sigma_Xty = data.Xty / sigma[:, :, None] ** 2
    linear = sigma_Xty + np.einsum("cpq,cq->cp", inv_Sigma, state.mu)[:, None]
    return random_mvnormal(rng, precision, linear, state.beta.shape)


def update_log_sigma(
    rng: np.random.Generator, state: State, data: Data, step: Array
) -> tuple[Array, Array]:
    """Update log_sigma, shape (chains, n), by random-walk Metropolis.

    Not conjugate: it enters the factor of y through a term that is no statistic of the
    normal family, whose kernel its other terms have.
    log [log_sigma[i] | .] =
      (mu_sigma / sigma2_sigma - J[i]) * log_sigma[i]
      - exp(-2 * log_sigma[i]) * sum(j: (y[i,j] - beta[i]' * x[i,j])^2) / 2
      - log_sigma[i]^2 / (2 * sigma2_sigma)
    Sums of squares are taken from statistics of the data:
      sum(j: (y[i,j] - beta[i]' * x[i,j])^2) = (beta[i]' - fit_beta[i]') * root_beta[i]'
          * root_beta[i] * (beta[i] - fit_beta[i]) + rss[i]
    """
    off_beta = state.beta - data.fit_beta - data.fit_beta_rest
    scaled = np.einsum("ipq,ciq->cip", data.root_beta, off_beta)
    weight = np.einsum("cip,cip->ci", scaled, scaled) / 2 + data.rss / 2

    def log_target(log_sigma: Array) -> Array:
        log_kernel = (
            log_sigma * (state.mu_sigma[:, None] / state.sigma2_sigma[:, None] - data.J)
            - np.exp(-2 * log_sigma) * weight
            - log_sigma**2 / (2 * state.sigma2_sigma[:, None])
        )
        return log_kernel

    return random_walk(rng, state.log_sigma, log_target, step)


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


def draw_mu_sigma(rng: np.random.Generator, state: State, data: Data) -> Array:
    """Draw mu_sigma, shape (chains,).

    [mu_sigma | .] = N(A^-1 b, A^-1)
      A = n / sigma2_sigma + 1 / v
      b = sum(i: log_sigma[i]) / sigma2_sigma + m / v
    """
    precision = data.n / state.sigma2_sigma + 1 / data.v
    linear = np.sum(state.log_sigma, axis=1) / state.sigma2_sigma + data.m / data.v
    return random_normal(rng, precision, linear, state.mu_sigma.shape)


def draw_sigma2_sigma(rng: np.random.Generator, state: State, data: Data) -> Array:
    """Draw sigma2_sigma, shape (chains,).

    [sigma2_sigma | .] = IG(shape, scale), density x^-(shape + 1) exp(-scale / x)
      shape = n / 2 + q_sigma
      scale = sum(i: (log_sigma[i] - mu_sigma)^2) / 2 + 1 / r_sigma
    """
    shape = data.n / 2 + data.q_sigma
    deviation = state.log_sigma - state.mu_sigma[:, None]
    scale = np.sum(deviation**2, axis=1) / 2 + 1 / data.r_sigma
    return random_inverse_gamma(rng, shape, scale, state.sigma2_sigma.shape)


def to_coordinates_sigma2_sigma_with_log_sigma(state: State, data: Data) -> Array:
    """Return sigma2_sigma on an unbounded scale, (chains, d).

    In this order: log(sigma2_sigma).
    """
    return np.log(state.sigma2_sigma)[:, None]


def from_coordinates_sigma2_sigma_with_log_sigma(
    state: State, data: Data, u: Array
) -> tuple[State, Array]:
    """Return the state with the values that u stands for, and log |d/du|.

    u is as to_coordinates_sigma2_sigma_with_log_sigma gives it.
    """
    sigma2_sigma = np.exp(u[:, 0])
    log_jacobian = u[:, 0]
    moved = replace(state, sigma2_sigma=sigma2_sigma)
    return moved, log_jacobian


def centre_sigma2_sigma_with_log_sigma(state: State, data: Data) -> Array:
    """Return the centre of log_sigma, in its shape.

    centre = mu_sigma
    """
    log_sigma_value = state.mu_sigma
    chains = len(state.beta)
    return np.broadcast_to(log_sigma_value[:, None], (chains, data.n))


def spread_sigma2_sigma_with_log_sigma(state: State, data: Data) -> Array:
    """Return the spread of log_sigma, in its shape.

    spread = sqrt(sigma2_sigma)
    """
    log_sigma_value = np.sqrt(state.sigma2_sigma)
    chains = len(state.beta)
    return np.broadcast_to(log_sigma_value[:, None], (chains, data.n))


def log_density_sigma2_sigma_with_log_sigma(state: State, data: Data) -> Array:
    """Return the log densities that mention what is moved, shape (chains,).

    log [sigma2_sigma, log_sigma | .] =
      - (1 + q_sigma) * log(sigma2_sigma)
      - 1 / (r_sigma * sigma2_sigma)
      + sum(i,j: -(y[i,j] - beta[i]' * x[i,j])^2 * exp(-2 * log_sigma[i]) / 2 -
          log_sigma[i])
      + sum(i: -(log_sigma[i] - mu_sigma)^2 / (2 * sigma2_sigma) - log(sigma2_sigma) /
          2)
    """
    deviation = state.log_sigma - state.mu_sigma[:, None]
    off_beta = state.beta - data.fit_beta - data.fit_beta_rest
    scaled = np.einsum("ipq,ciq->cip", data.root_beta, off_beta)
    scaled_2 = np.einsum("cip,cip->ci", scaled, scaled) + data.rss
    log_kernel = (
        np.log(state.sigma2_sigma) * (-1 - data.q_sigma)
        - np.sum(deviation**2, axis=1) / (2 * state.sigma2_sigma)
        - np.einsum("ci,ci->c", scaled_2, np.exp(-2 * state.log_sigma)) / 2
        - (state.log_sigma @ data.J)
        - np.log(state.sigma2_sigma) * data.n / 2
        - 1 / (data.r_sigma * state.sigma2_sigma)
    )
    return log_kernel


def update_sigma2_sigma_with_log_sigma(
    rng: np.random.Generator, state: State, data: Data, steps: MoveSteps
) -> tuple[State, Array]:
    """Move sigma2_sigma by one Metropolis-Hastings step: log_sigma stays what it is in
    units of its scale.

    (log_sigma - centre) / spread stays; the Jacobian of that is counted.
    """
    if steps.dropped:
        return state, np.zeros(len(state.sigma2_sigma))

    def place(u: Array) -> tuple[State, Array]:
        moved, log_jacobian = from_coordinates_sigma2_sigma_with_log_sigma(
            state, data, u
        )
        log_sigma = state.log_sigma - centre_sigma2_sigma_with_log_sigma(state, data)
        ratio = spread_sigma2_sigma_with_log_sigma(moved, data)
        ratio = ratio / spread_sigma2_sigma_with_log_sigma(state, data)
        log_sigma = log_sigma * ratio
        log_ratio = np.log(ratio).reshape(len(ratio), -1)
        log_jacobian = log_jacobian + np.sum(log_ratio, axis=1)
        log_sigma = log_sigma + centre_sigma2_sigma_with_log_sigma(moved, data)
        moved = replace(moved, log_sigma=log_sigma)
        return moved, log_jacobian

    def log_density(moved: State) -> Array:
        return log_density_sigma2_sigma_with_log_sigma(moved, data)

    u = to_coordinates_sigma2_sigma_with_log_sigma(state, data)
    return joint_move(rng, state, u, place, log_density, steps)


def log_joint(state: State, data: Data) -> Array:
    """Return the log of the joint density of data and state, shape (chains,)."""
    total = np.zeros(len(state.beta))
    mean = np.einsum("cjp,jp->cj", state.beta[:, data.i_of_j], data.x)
    sigma = compute_sigma(state, data)
    total += np.sum(log_normal(data.y, mean, sigma[:, data.i_of_j] ** 2), axis=1)
    Sigma = compute_Sigma(state, data)
    total += np.sum(log_mvnormal(state.beta, state.mu[:, None], Sigma[:, None]), axis=1)
    terms = log_normal(
        state.log_sigma, state.mu_sigma[:, None], state.sigma2_sigma[:, None]
    )
    total += terms.sum(axis=1)
    total += log_mvnormal(state.mu, data.mu0, data.Sigma0)
    total += log_inverse_gamma(state.sigma2_beta, data.q_beta, 1 / data.r_beta)
    total += log_uniform(state.rho, -1 / np.maximum(1, data.p - 1), 1)
    total += log_normal(state.mu_sigma, data.m, data.v)
    total += log_inverse_gamma(state.sigma2_sigma, data.q_sigma, 1 / data.r_sigma)
    return total


def log_likelihood(state: State, data: Data) -> dict[str, Array]:
    """Return the log density of every observation, by node: shape (chains, ...)."""
    mean = np.einsum("cjp,jp->cj", state.beta[:, data.i_of_j], data.x)
    sigma = compute_sigma(state, data)
    y = log_normal(data.y, mean, sigma[:, data.i_of_j] ** 2)
    return {"y": y}


def predict(rng: np.random.Generator, state: State, data: Data) -> dict[str, Array]:
    """Draw the observed nodes anew given the state, by node: shape (chains, ...)."""
    chains = len(state.beta)
    mean = np.einsum("cjp,jp->cj", state.beta[:, data.i_of_j], data.x)
    sigma = compute_sigma(state, data)
    y = predict_normal(
        rng, mean, sigma[:, data.i_of_j] ** 2, (chains, len(data.i_of_j))
    )
    return {"y": y}


def sweep(
    rng: np.random.Generator, state: State, data: Data, steps: dict[str, Any]
) -> tuple[State, dict[str, Array]]:
    """Draw every node once, each given all the others.

    Then nodes that depend on each other strongly are moved together.
    """
    accepted: dict[str, Array] = {}
    state = replace(state, beta=draw_beta(rng, state, data))
    log_sigma, accepted["log_sigma"] = update_log_sigma(
        rng, state, data, steps["log_sigma"]
    )
    state = replace(state, log_sigma=log_sigma)
    state = replace(state, mu=draw_mu(rng, state, data))
    state = replace(state, sigma2_beta=draw_sigma2_beta(rng, state, data))
    rho, accepted["rho"] = update_rho(rng, state, data, steps["rho"])
    state = replace(state, rho=rho)
    state = replace(state, mu_sigma=draw_mu_sigma(rng, state, data))
    state = replace(state, sigma2_sigma=draw_sigma2_sigma(rng, state, data))
    state, accepted["sigma2_sigma_with_log_sigma"] = update_sigma2_sigma_with_log_sigma(
        rng, state, data, steps["sigma2_sigma_with_log_sigma"]
    )
    return state, accepted


def first_steps(state: State) -> dict[str, Any]:
    """Return the sizes of the proposals to begin with."""
    sigma2_sigma_with_log_sigma = first_move_steps(len(state.sigma2_sigma), 1)
    return {
        "log_sigma": np.ones_like(state.log_sigma),
        "rho": np.ones_like(state.rho),
        "sigma2_sigma_with_log_sigma": sigma2_sigma_with_log_sigma,
    }


def adapt_steps(
    steps: dict[str, Any], state: State, accepted: dict[str, Array], number: int
) -> None:
    """Adapt the proposals after a sweep of the warm-up, after which they stay."""
    steps["log_sigma"] = adapt(steps["log_sigma"], accepted["log_sigma"], number)
    steps["rho"] = adapt(steps["rho"], accepted["rho"], number)
    steps["sigma2_sigma_with_log_sigma"].adapt(accepted["sigma2_sigma_with_log_sigma"])


def starting_values(rng: np.random.Generator, data: Data, chains: int) -> State:
    """Return starts for the chains: spread wider than the posterior, and near the data.

    What all responses share is drawn first; the groups begin far apart, so that a few
    sweeps bring every group to its own data; variances are then multiplied by a random
    factor, and what depends on them is drawn anew.
    """
    spread = 10 * np.mean(data.y**2) + 1e-6  # a variance, large
    state = State(
        beta=rng.standard_normal((chains, data.n, data.p)),
        log_sigma=rng.standard_normal((chains, data.n)),
        mu=rng.standard_normal((chains, data.p)),
        sigma2_beta=spread_out(rng, spread, chains),
        rho=inside(-1 / np.maximum(1, data.p - 1), 1, rng.uniform(0.2, 0.8, chains)),
        mu_sigma=rng.standard_normal(chains),
        sigma2_sigma=spread_out(rng, spread, chains),
    )
    steps = first_steps(state)
    for number in range(30):
        state, accepted = sweep(rng, state, data, steps)
        adapt_steps(steps, state, accepted, number)
    sigma2_beta = spread_out(rng, state.sigma2_beta, state.sigma2_beta.shape)
    state = replace(state, sigma2_beta=sigma2_beta)
    sigma2_sigma = spread_out(rng, state.sigma2_sigma, state.sigma2_sigma.shape)
    state = replace(state, sigma2_sigma=sigma2_sigma)
    state = replace(state, beta=draw_beta(rng, state, data))
    state = replace(state, mu=draw_mu(rng, state, data))
    state = replace(state, mu_sigma=draw_mu_sigma(rng, state, data))
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
        # A value at its very bound, as in first sweeps, is infinite here.
        place = self.place[np.isfinite(self.place).all(axis=1)]
        if len(place) > 0:
            self.count += len(place)
            share, middle = len(place) / self.count, np.mean(place, axis=0)
            gap, apart = middle - self.mean, place - middle
            within = apart.T @ apart / len(place) + (1 - share) * np.outer(gap, gap)
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


def first_block_steps(chains: int, size: int, collapse: bool) -> BlockSteps:
    """Return the proposals to begin with: steps of a random walk."""
    scale = np.full(chains, 2.4 / np.sqrt(size))
    middle, root, place = np.zeros(size), 0.2 * np.eye(size), np.zeros((chains, size))
    return BlockSteps(collapse, middle, root, root, scale, middle, root, place)


def first_move_steps(chains: int, size: int) -> MoveSteps:
    """Return the proposals to begin with; none for more than 12 numbers."""
    steps = vars(first_block_steps(chains, size, True))
    return MoveSteps(**steps, dropped=size > 12)


def group_sum(values: Array, group: Array, groups: int, axis: int) -> Array:
    """Sum values over the rows (along axis) of each group; zero for an empty group."""
    rows = np.moveaxis(values, axis, -1)
    flat = rows.reshape(-1, rows.shape[-1])
    sums = [np.bincount(group, weights=row, minlength=groups) for row in flat]
    return np.moveaxis(np.reshape(sums, (*rows.shape[:-1], groups)), -1, axis)


def inside(lower: Array | float, upper: Array | float, share: Array) -> Array:
    """Return the point that divides an interval in this share."""
    return lower + (upper - lower) * share


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
            apart = np.where(np.isfinite(apart), apart, 0.0) @ self.inverse.T
            found = np.swapaxes(apart, 1, 2) @ apart
            self.jumps = found if self.jumps is None else self.jumps + found
        self.left = self.place
        if self.sweeps == 400 and self.jumps is not None:
            others, own = self.jumps
            ridge = 1e-9 * (1e-9 + np.trace(others + own)) * np.eye(len(own))
            gains = np.linalg.eigvals(np.linalg.solve(others + ridge, own))
            self.dropped = bool(np.max(gains.real) < 0.25)


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


def random_normal(
    rng: np.random.Generator, precision: Array, linear: Array, size: Sequence[int]
) -> Array:
    """Draw from N(b / A, 1 / A), A the precision and b the linear term."""
    noise = rng.standard_normal(size)
    return linear / precision + noise / np.sqrt(precision)


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
