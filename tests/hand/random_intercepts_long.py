"""Model A in long format: rows k = 1..K, the individual of row k in a column g[k]; an individual may have no row.

Premises: y_k ~ N(beta0_{g[k]} + beta1 x_k, sigma2), beta0_i ~ N(mu0, sigma2_0).

beta0_i: L1 over the rows with g[k] = i, d = 1, e_k = y_k - beta1 x_k, w = sigma2; none: the prior N(mu0, sigma2_0).
mu0, sigma2_0: over all n individuals.   beta1, sigma2: over all K rows.
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
    members,
    plate,
    positive_scalars,
    real_scalars,
    reals,
    scalar,
    size_state,
)
from .lemmas import normal_coefficient, variance

MODEL = """
model random_intercepts_long

plates
  i = 1..n
  k = 1..K

given
  g : k -> i
  x[k]
  mu00
  mu1
  sigma2_00, sigma2_1 > 0
  q0, r0, q1, r1 > 0

data
  y[k] ~ N(beta0[g[k]] + beta1 * x[k], sigma2)

process
  beta0[i] ~ N(mu0, sigma2_0)

parameters
  mu0 ~ N(mu00, sigma2_00)
  sigma2_0 ~ IG(q0, r0)
  beta1 ~ N(mu1, sigma2_1)
  sigma2 ~ IG(q1, r1)
"""

SIZES: tuple[Sizes, ...] = (
    {"n": 4, "K": 7, "g": (1, 4, 1, 2, 1, 4, 1)},
    {"n": 1, "K": 1, "g": (1,)},
    {"n": 3, "K": 2, "g": (3, 3)},
)


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: g, x, y (k); beta0 (i); scalars."""
    rows = plate(sizes["K"])
    return (
        size_state(sizes)
        | {
            "x": reals(rng, rows),
            "y": reals(rng, rows),
            "beta0": reals(rng, plate(sizes["n"])),
        }
        | real_scalars(rng, "beta1 mu0 mu00 mu1")
        | positive_scalars(rng, "sigma2 sigma2_0 sigma2_00 sigma2_1 q0 r0 q1 r1")
    )


def _own_intercepts(state: State) -> np.ndarray:
    return np.array([state["beta0"][(int(label),)] for label in state["g"].values()])


def log_joint(state: State) -> float:
    """The sum of the six log densities of the model."""
    mu0, sigma2_0, beta1 = (
        scalar(state, "mu0"),
        scalar(state, "sigma2_0"),
        scalar(state, "beta1"),
    )
    fitted = _own_intercepts(state) + beta1 * column(state, "x")
    return (
        densities.normal(column(state, "y"), fitted, scalar(state, "sigma2"))
        + densities.normal(column(state, "beta0"), mu0, sigma2_0)
        + densities.normal(mu0, scalar(state, "mu00"), scalar(state, "sigma2_00"))
        + densities.inverse_gamma(sigma2_0, scalar(state, "q0"), scalar(state, "r0"))
        + densities.normal(beta1, scalar(state, "mu1"), scalar(state, "sigma2_1"))
        + densities.inverse_gamma(scalar(state, "sigma2"), scalar(state, "q1"), scalar(state, "r1"))
    )


def _intercept(state: State, at: Index) -> Hand:
    rows = members(state, "g", at[0])
    left = column(state, "y", rows) - scalar(state, "beta1") * column(state, "x", rows)
    return normal_coefficient(
        scalar(state, "mu0"),
        scalar(state, "sigma2_0"),
        (1.0, left, scalar(state, "sigma2")),
    )


def _mean(state: State, at: Index) -> Hand:
    term = (1.0, column(state, "beta0"), scalar(state, "sigma2_0"))
    return normal_coefficient(scalar(state, "mu00"), scalar(state, "sigma2_00"), term)


def _slope(state: State, at: Index) -> Hand:
    left = column(state, "y") - _own_intercepts(state)
    term = (column(state, "x"), left, scalar(state, "sigma2"))
    return normal_coefficient(scalar(state, "mu1"), scalar(state, "sigma2_1"), term)


def _between(state: State, at: Index) -> Hand:
    left = column(state, "beta0") - scalar(state, "mu0")
    return variance(scalar(state, "q0"), scalar(state, "r0"), (left, 1.0))


def _within(state: State, at: Index) -> Hand:
    left = column(state, "y") - _own_intercepts(state) - scalar(state, "beta1") * column(state, "x")
    return variance(scalar(state, "q1"), scalar(state, "r1"), (left, 1.0))


CONDITIONALS = {
    "beta0": _intercept,
    "mu0": _mean,
    "beta1": _slope,
    "sigma2_0": _between,
    "sigma2": _within,
}
