"""A Gibbs sampler for the model state_space, generated from the model; yours to edit.

    model state_space  # A hidden state z[t] that remembers the one before it, seen with error.

    plates
      t = 1..T  # times; the state begins one step earlier, at 0

    given
      m0, m_phi = 0         # prior means of z[0] and phi
      v0 > 0 = 1e6          # prior variance of z[0]
      v_phi > 0 = 1         # prior variance of phi
      q_y, q_z > 0 = 0.001  # shapes: vague, yet proper
      r_y, r_z > 0 = 1000   # reciprocals of the scales

    data
      y[t] ~ N(z[t], sigma2_y)  # error of the measurement

    process
      z[0] ~ N(m0, v0)
      z[t] ~ N(phi * z[t-1], sigma2_z) for t in 1..T

    parameters
      phi ~ N(m_phi, v_phi)  # 1 is a random walk; nothing keeps it below 1 here
      sigma2_y ~ IG(q_y, r_y)
      sigma2_z ~ IG(q_z, r_z)

Arrays of the state begin with an axis of chains; those of the data have none.
[a | .] is the full conditional of a: its density given all else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import cholesky_banded
from scipy.linalg.lapack import dtbtrs
from scipy.special import gammaln

Array = np.ndarray


@dataclass(frozen=True)
class Data:
    """What is given, and what the sweeps need of it."""

    T: int
    m0: Array
    m_phi: Array
    v0: Array
    v_phi: Array
    q_y: Array
    q_z: Array
    r_y: Array
    r_z: Array
    y: Array  # (T,), observed


@dataclass(frozen=True)
class State:
    """The nodes that are drawn, for all chains."""

    z: Array  # (chains, 1 + T)
    phi: Array  # (chains,)
    sigma2_y: Array  # (chains,)
    sigma2_z: Array  # (chains,)


def prepare(data: Mapping[str, ArrayLike]) -> Data:
    """Check the data, and compute what the sweeps need of it.

    Fixed plates have an axis each; sizes may be left out where an array shows them.
    """
    T = int(np.asarray(data.get("T", np.shape(data["y"])[0])))
    m0 = read(data, "m0", (), 0)
    m_phi = read(data, "m_phi", (), 0)
    v0 = read(data, "v0", (), 1000000.0)
    v_phi = read(data, "v_phi", (), 1)
    q_y = read(data, "q_y", (), 0.001)
    q_z = read(data, "q_z", (), 0.001)
    r_y = read(data, "r_y", (), 1000)
    r_z = read(data, "r_z", (), 1000)
    y = read(data, "y", (T,))
    return Data(
        T=T,
        m0=m0,
        m_phi=m_phi,
        v0=v0,
        v_phi=v_phi,
        q_y=q_y,
        q_z=q_z,
        r_y=r_y,
        r_z=r_z,
        y=y,
    )


def draw_z(rng: np.random.Generator, state: State, data: Data) -> Array:
    """Draw z, shape (chains, 1 + T).

    [z[t] | .] = N(A^-1 b, A^-1)
      A = phi^2 / sigma2_z [t <= T - 1] + 1 / sigma2_y [t >= 1] + 1 / sigma2_z [t >= 1]
          + 1 / v0 [t = 0]
      b = m0 / v0 [t = 0] + y[t] / sigma2_y [t >= 1] + phi * z[t-1] / sigma2_z [t >= 1]
          + phi * z[1+t] / sigma2_z [t <= T - 1]
    """
    precision = np.zeros_like(state.z)
    precision[:, :-1] += state.phi[:, None] ** 2 / state.sigma2_z[:, None]
    precision[:, 0] += 1 / data.v0
    precision[:, 1:] += 1 / state.sigma2_y[:, None] + 1 / state.sigma2_z[:, None]
    linear = np.zeros_like(state.z)
    linear[:, 0] += data.m0 / data.v0
    linear[:, 1:] += data.y / state.sigma2_y[:, None]
    coupling = np.zeros_like(state.z)
    coupling[:, 1:] += state.phi[:, None] / state.sigma2_z[:, None]
    return random_chain(rng, precision, linear, coupling, state.z.shape)


def draw_phi(rng: np.random.Generator, state: State, data: Data) -> Array:
    """Draw phi, shape (chains,).

    [phi | .] = N(A^-1 b, A^-1)
      A = sum(t: z[t-1]^2) / sigma2_z + 1 / v_phi
      b = sum(t: z[t] * z[t-1]) / sigma2_z + m_phi / v_phi
    """
    precision = np.sum(state.z[:, :-1] ** 2, axis=1) / state.sigma2_z + 1 / data.v_phi
    sum_z = np.einsum("ct,ct->c", state.z[:, 1:], state.z[:, :-1])
    linear = sum_z / state.sigma2_z + data.m_phi / data.v_phi
    return random_normal(rng, precision, linear, state.phi.shape)


def draw_sigma2_y(rng: np.random.Generator, state: State, data: Data) -> Array:
    """Draw sigma2_y, shape (chains,).

    [sigma2_y | .] = IG(shape, scale), density x^-(shape + 1) exp(-scale / x)
      shape = T / 2 + q_y
      scale = sum(t: (y[t] - z[t])^2) / 2 + 1 / r_y
    """
    shape = data.T / 2 + data.q_y
    residual = data.y - state.z[:, 1:]
    scale = np.sum(residual**2, axis=1) / 2 + 1 / data.r_y
    return random_inverse_gamma(rng, shape, scale, state.sigma2_y.shape)


def draw_sigma2_z(rng: np.random.Generator, state: State, data: Data) -> Array:
    """Draw sigma2_z, shape (chains,).

    [sigma2_z | .] = IG(shape, scale), density x^-(shape + 1) exp(-scale / x)
      shape = T / 2 + q_z
      scale = sum(t: (z[t] - phi * z[t-1])^2) / 2 + 1 / r_z
    """
    shape = data.T / 2 + data.q_z
    deviation = state.z[:, 1:] - state.phi[:, None] * state.z[:, :-1]
    scale = np.sum(deviation**2, axis=1) / 2 + 1 / data.r_z
    return random_inverse_gamma(rng, shape, scale, state.sigma2_z.shape)


def log_joint(state: State, data: Data) -> Array:
    """Return the log of the joint density of data and state, shape (chains,)."""
    total = np.zeros(len(state.z))
    total += np.sum(log_normal(data.y, state.z[:, 1:], state.sigma2_y[:, None]), axis=1)
    total += log_normal(state.z[:, 0], data.m0, data.v0)
    terms = log_normal(
        state.z[:, 1:], state.phi[:, None] * state.z[:, :-1], state.sigma2_z[:, None]
    )
    total += terms.sum(axis=1)
    total += log_normal(state.phi, data.m_phi, data.v_phi)
    total += log_inverse_gamma(state.sigma2_y, data.q_y, 1 / data.r_y)
    total += log_inverse_gamma(state.sigma2_z, data.q_z, 1 / data.r_z)
    return total


def log_likelihood(state: State, data: Data) -> dict[str, Array]:
    """Return the log density of every observation, by node: shape (chains, ...)."""
    y = log_normal(data.y, state.z[:, 1:], state.sigma2_y[:, None])
    return {"y": y}


def predict(rng: np.random.Generator, state: State, data: Data) -> dict[str, Array]:
    """Draw the observed nodes anew given the state, by node: shape (chains, ...)."""
    chains = len(state.z)
    y = predict_normal(rng, state.z[:, 1:], state.sigma2_y[:, None], (chains, data.T))
    return {"y": y}


def sweep(rng: np.random.Generator, state: State, data: Data) -> State:
    """Draw every node once, each given all the others."""
    state = replace(state, z=draw_z(rng, state, data))
    state = replace(state, phi=draw_phi(rng, state, data))
    state = replace(state, sigma2_y=draw_sigma2_y(rng, state, data))
    state = replace(state, sigma2_z=draw_sigma2_z(rng, state, data))
    return state


def starting_values(rng: np.random.Generator, data: Data, chains: int) -> State:
    """Return starts for the chains: spread wider than the posterior, and near the data.

    What all responses share is drawn first; the groups begin far apart, so that a few
    sweeps bring every group to its own data; variances are then multiplied by a random
    factor, and what depends on them is drawn anew.
    """
    variance = np.var(data.y) + 1e-6
    state = State(
        z=rng.standard_normal((chains, 1 + data.T)),
        phi=rng.standard_normal(chains),
        sigma2_y=spread_out(rng, variance, chains),
        sigma2_z=spread_out(rng, variance, chains),
    )
    for _ in range(5):
        state = sweep(rng, state, data)
    sigma2_y = spread_out(rng, state.sigma2_y, state.sigma2_y.shape)
    state = replace(state, sigma2_y=sigma2_y)
    sigma2_z = spread_out(rng, state.sigma2_z, state.sigma2_z.shape)
    state = replace(state, sigma2_z=sigma2_z)
    state = replace(state, z=draw_z(rng, state, data))
    state = replace(state, phi=draw_phi(rng, state, data))
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


def log_normal(value: Array, mean: Array, variance: Array) -> Array:
    """Return the log density of N(mean, variance)."""
    return -0.5 * (np.log(2 * np.pi * variance) + (value - mean) ** 2 / variance)


def predict_normal(
    rng: np.random.Generator, mean: Array, variance: Array, size: Sequence[int]
) -> Array:
    """Draw from the distribution itself, given its parameters."""
    return mean + np.sqrt(variance) * rng.standard_normal(size)


def random_chain(
    rng: np.random.Generator,
    precision: Array,
    linear: Array,
    coupling: Array,
    size: Sequence[int],
) -> Array:
    """Draw whole chains from N(A^-1 b, A^-1), A tridiagonal; all of them as one system.

    precision is the diagonal of A, minus coupling the entry to the element before,
    0 for the first of each chain (Rue and Held 2005, section 2.4).
    """
    diagonal, right, beside = (
        np.broadcast_to(part, size).ravel() for part in (precision, linear, coupling)
    )
    band = np.stack([diagonal, np.append(-beside[1:], 0.0)])
    root = cholesky_banded(band, lower=True)
    half, _ = dtbtrs(root, right[:, None], uplo="L")
    noisy = half + rng.standard_normal(half.shape)
    drawn, _ = dtbtrs(root, noisy, uplo="L", trans="T")
    return drawn.reshape(size)


def random_inverse_gamma(
    rng: np.random.Generator, shape: Array, scale: Array, size: Sequence[int]
) -> Array:
    """Draw from the density proportional to x^-(shape + 1) exp(-scale / x)."""
    return scale / rng.standard_gamma(shape, size)


def random_normal(
    rng: np.random.Generator, precision: Array, linear: Array, size: Sequence[int]
) -> Array:
    """Draw from N(b / A, 1 / A), A the precision and b the linear term."""
    noise = rng.standard_normal(size)
    return linear / precision + noise / np.sqrt(precision)


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
