"""Model B, random slopes.

Premises: y_ij ~ N(beta0 + beta1_i x_ij, sigma2), beta1_i ~ N(mu1, sigma2_1).

beta0: L1, d = 1, e_ij = y_ij - beta1_i x_ij, w = sigma2, all sum J_i rows; prior N(m0, v0).
beta1_i: L1, d = x_ij, e_ij = y_ij - beta0, w = sigma2, j = 1..J_i; prior N(mu1, sigma2_1).
mu1: L1, d = 1, e_i = beta1_i, w = sigma2_1; prior N(mu10, sigma2_10).
sigma2_1: L3, e_i = beta1_i - mu1.  sigma2: L3, e_ij = y_ij - beta0 - beta1_i x_ij.
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
    ragged,
    real_scalars,
    reals,
    rows_of,
    scalar,
    size_state,
)
from .lemmas import normal_coefficient, variance

MODEL = """
model random_slopes

plates
  i = 1..n
  j = 1..J[i]

given
  x[i,j]
  m0
  mu10
  v0, sigma2_10 > 0
  q, r, q1, r1 > 0

data
  y[i,j] ~ N(beta0 + beta1[i] * x[i,j], sigma2)

process
  beta1[i] ~ N(mu1, sigma2_1)

parameters
  mu1 ~ N(mu10, sigma2_10)
  sigma2_1 ~ IG(q1, r1)
  beta0 ~ N(m0, v0)
  sigma2 ~ IG(q, r)
"""

SIZES: tuple[Sizes, ...] = (
    {"n": 3, "J": (2, 4, 1)},
    {"n": 1, "J": (1,)},
    {"n": 4, "J": (3, 0, 1, 5)},
)


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: x, y (i,j); beta1 (i); scalars."""
    every = ragged(sizes["J"])
    return (
        size_state(sizes)
        | {
            "x": reals(rng, every),
            "y": reals(rng, every),
            "beta1": reals(rng, plate(sizes["n"])),
        }
        | real_scalars(rng, "beta0 mu1 m0 mu10")
        | positive_scalars(rng, "sigma2 sigma2_1 v0 sigma2_10 q r q1 r1")
    )


def _slope_part(state: State) -> np.ndarray:
    return np.array([state["beta1"][(i,)] * state["x"][(i, j)] for i, j in cells(state)])


def log_joint(state: State) -> float:
    """The sum of the six log densities of the model."""
    mu1, sigma2_1, beta0 = (
        scalar(state, "mu1"),
        scalar(state, "sigma2_1"),
        scalar(state, "beta0"),
    )
    fitted = beta0 + _slope_part(state)
    return (
        densities.normal(column(state, "y", cells(state)), fitted, scalar(state, "sigma2"))
        + densities.normal(column(state, "beta1"), mu1, sigma2_1)
        + densities.normal(mu1, scalar(state, "mu10"), scalar(state, "sigma2_10"))
        + densities.inverse_gamma(sigma2_1, scalar(state, "q1"), scalar(state, "r1"))
        + densities.normal(beta0, scalar(state, "m0"), scalar(state, "v0"))
        + densities.inverse_gamma(scalar(state, "sigma2"), scalar(state, "q"), scalar(state, "r"))
    )


def _intercept(state: State, at: Index) -> Hand:
    left = column(state, "y", cells(state)) - _slope_part(state)
    return normal_coefficient(scalar(state, "m0"), scalar(state, "v0"), (1.0, left, scalar(state, "sigma2")))


def _slope(state: State, at: Index) -> Hand:
    rows = rows_of(state, at[0])
    left = column(state, "y", rows) - scalar(state, "beta0")
    term = (column(state, "x", rows), left, scalar(state, "sigma2"))
    return normal_coefficient(scalar(state, "mu1"), scalar(state, "sigma2_1"), term)


def _mean(state: State, at: Index) -> Hand:
    term = (1.0, column(state, "beta1"), scalar(state, "sigma2_1"))
    return normal_coefficient(scalar(state, "mu10"), scalar(state, "sigma2_10"), term)


def _between(state: State, at: Index) -> Hand:
    deviations = column(state, "beta1") - scalar(state, "mu1")
    return variance(scalar(state, "q1"), scalar(state, "r1"), (deviations, 1.0))


def _within(state: State, at: Index) -> Hand:
    left = column(state, "y", cells(state)) - scalar(state, "beta0") - _slope_part(state)
    return variance(scalar(state, "q"), scalar(state, "r"), (left, 1.0))


CONDITIONALS = {
    "beta0": _intercept,
    "beta1": _slope,
    "mu1": _mean,
    "sigma2_1": _between,
    "sigma2": _within,
}
