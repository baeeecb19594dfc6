"""Model A, random intercepts.

Premises: y_ij ~ N(beta0_i + beta1 x_ij, sigma2), beta0_i ~ N(mu0, sigma2_0), all else independent a priori.

beta0_i: L1, d = 1, e_ij = y_ij - beta1 x_ij, w = sigma2, j = 1..J_i; prior N(mu0, sigma2_0).
    precision J_i/sigma2 + 1/sigma2_0. With J_i = 0 the prior.
mu0: L1, d = 1, e_i = beta0_i, w = sigma2_0, i = 1..n (individuals without rows count); prior N(mu00, sigma2_00).
beta1: L1, d = x_ij, e_ij = y_ij - beta0_i, w = sigma2; prior N(mu1, sigma2_1).
sigma2_0: L3, e_i = beta0_i - mu0.  sigma2: L3, e_ij = y_ij - beta0_i - beta1 x_ij, N = sum J_i.
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
model random_intercepts

plates
  i = 1..n
  j = 1..J[i]

given
  x[i,j]
  mu00
  mu1
  sigma2_00, sigma2_1 > 0
  q0, r0, q1, r1 > 0

data
  y[i,j] ~ N(beta0[i] + beta1 * x[i,j], sigma2)

process
  beta0[i] ~ N(mu0, sigma2_0)

parameters
  mu0 ~ N(mu00, sigma2_00)
  sigma2_0 ~ IG(q0, r0)
  beta1 ~ N(mu1, sigma2_1)
  sigma2 ~ IG(q1, r1)
"""

SIZES: tuple[Sizes, ...] = (
    {"n": 3, "J": (2, 4, 1)},
    {"n": 1, "J": (1,)},
    {"n": 4, "J": (3, 0, 1, 5)},
    {"n": 2, "J": (3, 3)},
)


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: x, y (i,j); beta0 (i); scalars."""
    every = ragged(sizes["J"])
    return (
        size_state(sizes)
        | {
            "x": reals(rng, every),
            "y": reals(rng, every),
            "beta0": reals(rng, plate(sizes["n"])),
        }
        | real_scalars(rng, "beta1 mu0 mu00 mu1")
        | positive_scalars(rng, "sigma2 sigma2_0 sigma2_00 sigma2_1 q0 r0 q1 r1")
    )


def _residuals(state: State) -> np.ndarray:
    return np.array(
        [
            state["y"][(i, j)] - state["beta0"][(i,)] - scalar(state, "beta1") * state["x"][(i, j)]
            for i, j in cells(state)
        ]
    )


def log_joint(state: State) -> float:
    """The sum of the six log densities of the model."""
    mu0, sigma2_0 = scalar(state, "mu0"), scalar(state, "sigma2_0")
    return (
        densities.normal(_residuals(state), 0.0, scalar(state, "sigma2"))
        + densities.normal(column(state, "beta0"), mu0, sigma2_0)
        + densities.normal(mu0, scalar(state, "mu00"), scalar(state, "sigma2_00"))
        + densities.inverse_gamma(sigma2_0, scalar(state, "q0"), scalar(state, "r0"))
        + densities.normal(scalar(state, "beta1"), scalar(state, "mu1"), scalar(state, "sigma2_1"))
        + densities.inverse_gamma(scalar(state, "sigma2"), scalar(state, "q1"), scalar(state, "r1"))
    )


def _intercept(state: State, at: Index) -> Hand:
    rows = rows_of(state, at[0])
    left = column(state, "y", rows) - scalar(state, "beta1") * column(state, "x", rows)
    return normal_coefficient(
        scalar(state, "mu0"),
        scalar(state, "sigma2_0"),
        (np.ones(len(rows)), left, scalar(state, "sigma2")),
    )


def _mean(state: State, at: Index) -> Hand:
    term = (1.0, column(state, "beta0"), scalar(state, "sigma2_0"))
    return normal_coefficient(scalar(state, "mu00"), scalar(state, "sigma2_00"), term)


def _slope(state: State, at: Index) -> Hand:
    left = np.array([state["y"][(i, j)] - state["beta0"][(i,)] for i, j in cells(state)])
    term = (column(state, "x", cells(state)), left, scalar(state, "sigma2"))
    return normal_coefficient(scalar(state, "mu1"), scalar(state, "sigma2_1"), term)


def _between(state: State, at: Index) -> Hand:
    deviations = column(state, "beta0") - scalar(state, "mu0")
    return variance(scalar(state, "q0"), scalar(state, "r0"), (deviations, 1.0))


def _within(state: State, at: Index) -> Hand:
    return variance(scalar(state, "q1"), scalar(state, "r1"), (_residuals(state), 1.0))


CONDITIONALS = {
    "beta0": _intercept,
    "mu0": _mean,
    "beta1": _slope,
    "sigma2_0": _between,
    "sigma2": _within,
}
