"""Model B', what the lecture notes print under "random slopes": one slope, with a hyperprior on its mean and variance.

Premises: y_ij ~ N(beta0_i + beta1 x_ij, sigma2), beta1 ~ N(mu1, sigma2_1): a single draw informs mu1 and sigma2_1.

beta0_i: L1, d = 1, e_ij = y_ij - beta1 x_ij, w = sigma2; prior N(mu0, sigma2_0), both given.
beta1: L1, d = x_ij, e_ij = y_ij - beta0_i, w = sigma2; prior N(mu1, sigma2_1).
mu1: L1, one term d = 1, e = beta1, w = sigma2_1; prior N(mu10, sigma2_10).
sigma2_1: L3, one term e = beta1 - mu1: shape q1 + 1/2.  sigma2: L3 over all rows.
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
model random_slopes_as_printed

plates
  i = 1..n
  j = 1..J[i]

given
  x[i,j]
  mu10
  mu0
  sigma2_10, sigma2_0 > 0
  q, r, q1, r1 > 0

data
  y[i,j] ~ N(beta0[i] + beta1 * x[i,j], sigma2)

process
  beta1 ~ N(mu1, sigma2_1)
  beta0[i] ~ N(mu0, sigma2_0)

parameters
  mu1 ~ N(mu10, sigma2_10)
  sigma2_1 ~ IG(q1, r1)
  sigma2 ~ IG(q, r)
"""

SIZES: tuple[Sizes, ...] = (
    {"n": 3, "J": (2, 4, 1)},
    {"n": 1, "J": (1,)},
    {"n": 4, "J": (3, 0, 1, 5)},
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
        | real_scalars(rng, "beta1 mu1 mu10 mu0")
        | positive_scalars(rng, "sigma2 sigma2_1 sigma2_10 sigma2_0 q r q1 r1")
    )


def _without_intercept(state: State) -> np.ndarray:
    return np.array([state["y"][(i, j)] - state["beta0"][(i,)] for i, j in cells(state)])


def log_joint(state: State) -> float:
    """The sum of the six log densities of the model."""
    mu1, sigma2_1, beta1 = (
        scalar(state, "mu1"),
        scalar(state, "sigma2_1"),
        scalar(state, "beta1"),
    )
    fitted = beta1 * column(state, "x", cells(state))
    return (
        densities.normal(_without_intercept(state), fitted, scalar(state, "sigma2"))
        + densities.normal(column(state, "beta0"), scalar(state, "mu0"), scalar(state, "sigma2_0"))
        + densities.normal(beta1, mu1, sigma2_1)
        + densities.normal(mu1, scalar(state, "mu10"), scalar(state, "sigma2_10"))
        + densities.inverse_gamma(sigma2_1, scalar(state, "q1"), scalar(state, "r1"))
        + densities.inverse_gamma(scalar(state, "sigma2"), scalar(state, "q"), scalar(state, "r"))
    )


def _intercept(state: State, at: Index) -> Hand:
    rows = rows_of(state, at[0])
    left = column(state, "y", rows) - scalar(state, "beta1") * column(state, "x", rows)
    term = (1.0, left, scalar(state, "sigma2"))
    return normal_coefficient(scalar(state, "mu0"), scalar(state, "sigma2_0"), term)


def _slope(state: State, at: Index) -> Hand:
    term = (
        column(state, "x", cells(state)),
        _without_intercept(state),
        scalar(state, "sigma2"),
    )
    return normal_coefficient(scalar(state, "mu1"), scalar(state, "sigma2_1"), term)


def _mean(state: State, at: Index) -> Hand:
    term = (1.0, scalar(state, "beta1"), scalar(state, "sigma2_1"))
    return normal_coefficient(scalar(state, "mu10"), scalar(state, "sigma2_10"), term)


def _between(state: State, at: Index) -> Hand:
    deviation = np.array([scalar(state, "beta1") - scalar(state, "mu1")])
    return variance(scalar(state, "q1"), scalar(state, "r1"), (deviation, 1.0))


def _within(state: State, at: Index) -> Hand:
    left = _without_intercept(state) - scalar(state, "beta1") * column(state, "x", cells(state))
    return variance(scalar(state, "q"), scalar(state, "r"), (left, 1.0))


CONDITIONALS = {
    "beta0": _intercept,
    "beta1": _slope,
    "mu1": _mean,
    "sigma2_1": _between,
    "sigma2": _within,
}
