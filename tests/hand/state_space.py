"""Model T, a linear state space.

Premises: y_t ~ N(z_t, sigma2_y), t = 1..T; z_0 ~ N(m0, v0); z_t ~ N(phi z_{t-1}, sigma2_z), t = 1..T.

z_t is in its own equation (or the prior of z_0), in that of z_{t+1} if t < T, and in that of y_t if t >= 1.
z_0: L1 with one term d = phi, e = z_1, w = sigma2_z; prior N(m0, v0).
z_t, 1 <= t: L1, prior N(phi z_{t-1}, sigma2_z), term d = 1, e = y_t, w = sigma2_y, and if t < T d = phi, e = z_{t+1},
    w = sigma2_z: precision 1/sigma2_y + (1 + phi^2)/sigma2_z inside, without phi^2 at t = T.
phi: L1, d = z_{t-1}, e = z_t, w = sigma2_z, t = 1..T; prior N(m_phi, v_phi).
sigma2_y: L3, e_t = y_t - z_t, T of them.   sigma2_z: L3, e_t = z_t - phi z_{t-1}, T of them (z_0 has its own prior).
"""

from __future__ import annotations

import numpy as np

from . import densities
from .common import (
    Hand,
    Index,
    Sizes,
    State,
    column,
    plate,
    positive_scalars,
    real_scalars,
    reals,
    scalar,
    size_state,
)
from .lemmas import normal_coefficient, variance

MODEL = """
model state_space

plates
  t = 1..T

given
  m0
  m_phi
  v0, v_phi > 0
  q_y, r_y, q_z, r_z > 0

data
  y[t] ~ N(z[t], sigma2_y)

process
  z[0] ~ N(m0, v0)
  z[t] ~ N(phi * z[t-1], sigma2_z) for t in 1..T

parameters
  phi ~ N(m_phi, v_phi)
  sigma2_y ~ IG(q_y, r_y)
  sigma2_z ~ IG(q_z, r_z)
"""

SIZES: tuple[Sizes, ...] = ({"T": 5}, {"T": 1}, {"T": 2}, {"T": 8})


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: y (t), t = 1..T; z (t), t = 0..T; scalars."""
    times = plate(sizes["T"])
    return (
        size_state(sizes)
        | {"y": reals(rng, times), "z": reals(rng, [(0,), *times])}
        | real_scalars(rng, "phi m0 m_phi")
        | positive_scalars(rng, "sigma2_y sigma2_z v0 v_phi q_y r_y q_z r_z")
    )


def _steps(state: State) -> tuple[np.ndarray, np.ndarray]:
    """z_{t-1} and z_t for t = 1..T."""
    z = column(state, "z", [(0,), *plate(scalar(state, "T"))])
    return z[:-1], z[1:]


def log_joint(state: State) -> float:
    """The sum of the six log densities of the model."""
    before, after = _steps(state)
    phi, sigma2_y, sigma2_z = (scalar(state, name) for name in ("phi", "sigma2_y", "sigma2_z"))
    return (
        densities.normal(column(state, "y"), after, sigma2_y)
        + densities.normal(state["z"][(0,)], scalar(state, "m0"), scalar(state, "v0"))
        + densities.normal(after, phi * before, sigma2_z)
        + densities.normal(phi, scalar(state, "m_phi"), scalar(state, "v_phi"))
        + densities.inverse_gamma(sigma2_y, scalar(state, "q_y"), scalar(state, "r_y"))
        + densities.inverse_gamma(sigma2_z, scalar(state, "q_z"), scalar(state, "r_z"))
    )


def _latent(state: State, at: Index) -> Hand:
    (t,) = at
    phi, sigma2_z = scalar(state, "phi"), scalar(state, "sigma2_z")
    ahead = [(phi, state["z"][(t + 1,)], sigma2_z)] if t < scalar(state, "T") else []
    if t == 0:
        return normal_coefficient(scalar(state, "m0"), scalar(state, "v0"), *ahead)
    here = (1.0, state["y"][at], scalar(state, "sigma2_y"))
    return normal_coefficient(phi * state["z"][(t - 1,)], sigma2_z, here, *ahead)


def _autoregression(state: State, at: Index) -> Hand:
    before, after = _steps(state)
    return normal_coefficient(
        scalar(state, "m_phi"),
        scalar(state, "v_phi"),
        (before, after, scalar(state, "sigma2_z")),
    )


def _measurement(state: State, at: Index) -> Hand:
    left = column(state, "y") - _steps(state)[1]
    return variance(scalar(state, "q_y"), scalar(state, "r_y"), (left, 1.0))


def _innovation(state: State, at: Index) -> Hand:
    before, after = _steps(state)
    left = after - scalar(state, "phi") * before
    return variance(scalar(state, "q_z"), scalar(state, "r_z"), (left, 1.0))


CONDITIONALS = {
    "z": _latent,
    "phi": _autoregression,
    "sigma2_y": _measurement,
    "sigma2_z": _innovation,
}
