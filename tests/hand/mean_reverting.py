"""An autoregression about a mean: mu and phi each enter a transition more than once.

Premises: y_t ~ N(z_t, s_y), z_0 ~ N(m0, v0), z_t ~ N(mu + phi (z_{t-1} - mu), s_z), t = 1..T; s_y, s_z known.

mu: the mean is (1 - phi) mu + phi z_{t-1}: L1, d = 1 - phi, e = z_t - phi z_{t-1}, w = s_z; prior N(m, v).
phi: L1, d = z_{t-1} - mu, e = z_t - mu, w = s_z; prior N(m_phi, v_phi).
z_t: as in state_space with prior mean mu + phi (z_{t-1} - mu) and, ahead, d = phi, e = z_{t+1} - (1 - phi) mu.
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
from .lemmas import normal_coefficient

MODEL = """
model mean_reverting

plates
  t = 1..T

given
  m0
  m
  m_phi
  v0, v, v_phi, s_y, s_z > 0

data
  y[t] ~ N(z[t], s_y)

process
  z[0] ~ N(m0, v0)
  z[t] ~ N(mu + phi * (z[t-1] - mu), s_z) for t in 1..T

parameters
  mu ~ N(m, v)
  phi ~ N(m_phi, v_phi)
"""

SIZES: tuple[Sizes, ...] = ({"T": 5}, {"T": 1}, {"T": 2})


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: y (t), t = 1..T; z (t), t = 0..T; scalars."""
    times = plate(sizes["T"])
    return (
        size_state(sizes)
        | {"y": reals(rng, times), "z": reals(rng, [(0,), *times])}
        | real_scalars(rng, "mu phi m0 m m_phi")
        | positive_scalars(rng, "v0 v v_phi s_y s_z")
    )


def _steps(state: State) -> tuple[np.ndarray, np.ndarray]:
    z = column(state, "z", [(0,), *plate(scalar(state, "T"))])
    return z[:-1], z[1:]


def log_joint(state: State) -> float:
    """The sum of the five log densities of the model."""
    before, after = _steps(state)
    mu, phi = scalar(state, "mu"), scalar(state, "phi")
    return (
        densities.normal(column(state, "y"), after, scalar(state, "s_y"))
        + densities.normal(before[0], scalar(state, "m0"), scalar(state, "v0"))
        + densities.normal(after, mu + phi * (before - mu), scalar(state, "s_z"))
        + densities.normal(mu, scalar(state, "m"), scalar(state, "v"))
        + densities.normal(phi, scalar(state, "m_phi"), scalar(state, "v_phi"))
    )


def _latent(state: State, at: Index) -> Hand:
    (t,) = at
    mu, phi, s_z = scalar(state, "mu"), scalar(state, "phi"), scalar(state, "s_z")
    ahead = [(phi, state["z"][(t + 1,)] - (1 - phi) * mu, s_z)] if t < scalar(state, "T") else []
    if t == 0:
        return normal_coefficient(scalar(state, "m0"), scalar(state, "v0"), *ahead)
    here = (1.0, state["y"][at], scalar(state, "s_y"))
    return normal_coefficient(mu + phi * (state["z"][(t - 1,)] - mu), s_z, here, *ahead)


def _level(state: State, at: Index) -> Hand:
    before, after = _steps(state)
    phi = scalar(state, "phi")
    term = (1 - phi, after - phi * before, scalar(state, "s_z"))
    return normal_coefficient(scalar(state, "m"), scalar(state, "v"), term)


def _autoregression(state: State, at: Index) -> Hand:
    before, after = _steps(state)
    mu = scalar(state, "mu")
    term = (before - mu, after - mu, scalar(state, "s_z"))
    return normal_coefficient(scalar(state, "m_phi"), scalar(state, "v_phi"), term)


CONDITIONALS = {"z": _latent, "mu": _level, "phi": _autoregression}
