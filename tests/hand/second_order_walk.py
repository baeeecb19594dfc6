"""A second-order random walk: a lag of two, and two starting values.

Premises: y_t ~ N(z_t, s_y); z_1, z_2 ~ N(m0, v0); z_t ~ N(2 z_{t-1} - z_{t-2}, s_z), t = 3..T; s_z ~ IG(q, r), s_y known.

z_t: prior N(m0, v0) for t <= 2, else N(2 z_{t-1} - z_{t-2}, s_z); term d = 1, e = y_t, w = s_y;
    if 2 <= t <= T-1, from z_{t+1}: d = 2, e = z_{t+1} + z_{t-1}, w = s_z;
    if t <= T-2, from z_{t+2}: d = -1, e = z_{t+2} - 2 z_{t+1}, w = s_z.
s_z: L3, e_t = z_t - 2 z_{t-1} + z_{t-2}, T - 2 of them.
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
model second_order_walk

plates
  t = 1..T

given
  T : integer >= 2
  m0
  v0, s_y > 0
  q, r > 0

data
  y[t] ~ N(z[t], s_y)

process
  z[t] ~ N(m0, v0) for t in 1..2
  z[t] ~ N(2 * z[t-1] - z[t-2], s_z) for t in 3..T

parameters
  s_z ~ IG(q, r)
"""

SIZES: tuple[Sizes, ...] = ({"T": 6}, {"T": 3}, {"T": 4})


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: y, z (t), t = 1..T; scalars."""
    times = plate(sizes["T"])
    nodes = {"y": reals(rng, times), "z": reals(rng, times)}
    return size_state(sizes) | nodes | real_scalars(rng, "m0") | positive_scalars(rng, "s_z v0 s_y q r")


def _second_differences(state: State) -> np.ndarray:
    return np.diff(column(state, "z", plate(scalar(state, "T"))), n=2)


def log_joint(state: State) -> float:
    """The sum of the four log densities of the model."""
    z, s_z = column(state, "z"), scalar(state, "s_z")
    return (
        densities.normal(column(state, "y"), z, scalar(state, "s_y"))
        + densities.normal(z[:2], scalar(state, "m0"), scalar(state, "v0"))
        + densities.normal(_second_differences(state), 0.0, s_z)
        + densities.inverse_gamma(s_z, scalar(state, "q"), scalar(state, "r"))
    )


def _latent(state: State, at: Index) -> Hand:
    (t,), last, s_z = at, scalar(state, "T"), scalar(state, "s_z")

    def z(time: int) -> float:
        return state["z"][(time,)]

    terms = [(1.0, state["y"][at], scalar(state, "s_y"))]
    if 2 <= t <= last - 1:
        terms.append((2.0, z(t + 1) + z(t - 1), s_z))
    if t <= last - 2:
        terms.append((-1.0, z(t + 2) - 2 * z(t + 1), s_z))
    if t <= 2:
        return normal_coefficient(scalar(state, "m0"), scalar(state, "v0"), *terms)
    return normal_coefficient(2 * z(t - 1) - z(t - 2), s_z, *terms)


def _innovation(state: State, at: Index) -> Hand:
    return variance(scalar(state, "q"), scalar(state, "r"), (_second_differences(state), 1.0))


CONDITIONALS = {"z": _latent, "s_z": _innovation}
