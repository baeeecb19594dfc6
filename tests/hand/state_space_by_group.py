"""Model T once per group, with unequal lengths T_i (1 among them), an autoregression and an innovation variance per group.

Premises: y_it ~ N(z_it, sigma2_y), z_i0 ~ N(m0, v0), z_it ~ N(phi_i z_{i,t-1}, s_i), t = 1..T_i, s_i = sigma2_z[i].

z_it: as in state_space within its own group; the last time is T_i, and another group never enters.
phi_i: L1, d = z_{i,t-1}, e = z_it, w = s_i, t = 1..T_i; prior N(m_phi, v_phi).   s_i: L3, T_i terms.
sigma2_y: L3, e_it = y_it - z_it, sum T_i terms.
"""

from __future__ import annotations

import numpy as np

from . import densities
from .common import (
    Hand,
    Index,
    Sizes,
    State,
    cells,
    column,
    plate,
    positive_scalars,
    positives,
    ragged,
    real_scalars,
    reals,
    scalar,
    size_state,
)
from .lemmas import normal_coefficient, variance

MODEL = """
model state_space_by_group

plates
  i = 1..n
  t = 1..T[i]

given
  m0
  m_phi
  v0, v_phi > 0
  q_y, r_y, q_z, r_z > 0

data
  y[i,t] ~ N(z[i,t], sigma2_y)

process
  z[i,0] ~ N(m0, v0)
  z[i,t] ~ N(phi[i] * z[i,t-1], sigma2_z[i]) for t in 1..T[i]

parameters
  phi[i] ~ N(m_phi, v_phi)
  sigma2_y ~ IG(q_y, r_y)
  sigma2_z[i] ~ IG(q_z, r_z)
"""

SIZES: tuple[Sizes, ...] = (
    {"n": 3, "T": (4, 1, 2)},
    {"n": 1, "T": (1,)},
    {"n": 2, "T": (6, 3)},
)


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: y (i,t), t >= 1; z (i,t), t >= 0; phi, sigma2_z (i); scalars."""
    times, groups = ragged(sizes["T"]), plate(sizes["n"])
    starts = [(i, 0) for (i,) in groups]
    return (
        size_state(sizes)
        | {"y": reals(rng, times), "z": reals(rng, [*starts, *times])}
        | {"phi": reals(rng, groups), "sigma2_z": positives(rng, groups)}
        | real_scalars(rng, "m0 m_phi")
        | positive_scalars(rng, "sigma2_y v0 v_phi q_y r_y q_z r_z")
    )


def _steps(state: State, i: int) -> tuple[np.ndarray, np.ndarray]:
    """z_{i,t-1} and z_it for t = 1..T_i."""
    z = column(state, "z", [(i, t) for t in range(int(state["T"][(i,)]) + 1)])
    return z[:-1], z[1:]


def _measured(state: State) -> np.ndarray:
    times = cells(state, "T")
    return column(state, "y", times) - column(state, "z", times)


def _log_chain(state: State, i: int) -> float:
    before, after = _steps(state, i)
    phi, s = state["phi"][(i,)], state["sigma2_z"][(i,)]
    return (
        densities.normal(before[0], scalar(state, "m0"), scalar(state, "v0"))
        + densities.normal(after, phi * before, s)
        + densities.normal(phi, scalar(state, "m_phi"), scalar(state, "v_phi"))
        + densities.inverse_gamma(s, scalar(state, "q_z"), scalar(state, "r_z"))
    )


def log_joint(state: State) -> float:
    """The sum of the log densities of the model."""
    sigma2_y = scalar(state, "sigma2_y")
    data = densities.normal(_measured(state), 0.0, sigma2_y)
    prior = densities.inverse_gamma(sigma2_y, scalar(state, "q_y"), scalar(state, "r_y"))
    return data + prior + sum(_log_chain(state, i) for (i,) in state["T"])


def _latent(state: State, at: Index) -> Hand:
    i, t = at
    phi, s = state["phi"][(i,)], state["sigma2_z"][(i,)]
    ahead = [(phi, state["z"][(i, t + 1)], s)] if t < state["T"][(i,)] else []
    if t == 0:
        return normal_coefficient(scalar(state, "m0"), scalar(state, "v0"), *ahead)
    here = (1.0, state["y"][at], scalar(state, "sigma2_y"))
    return normal_coefficient(phi * state["z"][(i, t - 1)], s, here, *ahead)


def _autoregression(state: State, at: Index) -> Hand:
    before, after = _steps(state, at[0])
    return normal_coefficient(
        scalar(state, "m_phi"),
        scalar(state, "v_phi"),
        (before, after, state["sigma2_z"][at]),
    )


def _innovation(state: State, at: Index) -> Hand:
    before, after = _steps(state, at[0])
    return variance(
        scalar(state, "q_z"),
        scalar(state, "r_z"),
        (after - state["phi"][at] * before, 1.0),
    )


def _measurement(state: State, at: Index) -> Hand:
    return variance(scalar(state, "q_y"), scalar(state, "r_y"), (_measured(state), 1.0))


CONDITIONALS = {
    "z": _latent,
    "phi": _autoregression,
    "sigma2_z": _innovation,
    "sigma2_y": _measurement,
}
