"""Model G3: intercepts and slopes vary, independently.

Premises: y_ij ~ N(beta0_i + beta1_i x_ij, sigma2), beta0_i ~ N(mu0, sigma2_0), beta1_i ~ N(mu1, sigma2_1).

beta0_i: L1, d = 1, e_ij = y_ij - beta1_i x_ij, w = sigma2; prior N(mu0, sigma2_0).
beta1_i: L1, d = x_ij, e_ij = y_ij - beta0_i, w = sigma2; prior N(mu1, sigma2_1).
mu_c: L1, d = 1, e_i = beta_c,i, w = sigma2_c; prior N(m_c, v_c).   sigma2_c: L3, e_i = beta_c,i - mu_c.
sigma2: L3, e_ij = y_ij - beta0_i - beta1_i x_ij.
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
model independent_effects

plates
  i = 1..n
  j = 1..J[i]

given
  x[i,j]
  m0
  m1
  v0, v1 > 0
  q, r, q0, r0, q1, r1 > 0

data
  y[i,j] ~ N(beta0[i] + beta1[i] * x[i,j], sigma2)

process
  beta0[i] ~ N(mu0, sigma2_0)
  beta1[i] ~ N(mu1, sigma2_1)

parameters
  mu0 ~ N(m0, v0)
  mu1 ~ N(m1, v1)
  sigma2_0 ~ IG(q0, r0)
  sigma2_1 ~ IG(q1, r1)
  sigma2 ~ IG(q, r)
"""

SIZES: tuple[Sizes, ...] = (
    {"n": 3, "J": (2, 4, 1)},
    {"n": 1, "J": (2,)},
    {"n": 4, "J": (3, 0, 1, 5)},
)


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: x, y (i,j); beta0, beta1 (i); scalars."""
    every, each = ragged(sizes["J"]), plate(sizes["n"])
    effects = {"beta0": reals(rng, each), "beta1": reals(rng, each)}
    return (
        size_state(sizes)
        | {"x": reals(rng, every), "y": reals(rng, every)}
        | effects
        | real_scalars(rng, "mu0 mu1 m0 m1")
        | positive_scalars(rng, "sigma2 sigma2_0 sigma2_1 v0 v1 q r q0 r0 q1 r1")
    )


def _residuals(state: State) -> np.ndarray:
    fitted = [state["beta0"][(i,)] + state["beta1"][(i,)] * state["x"][(i, j)] for i, j in cells(state)]
    return column(state, "y", cells(state)) - np.array(fitted)


def _log_effect(state: State, c: int) -> float:
    mu, s = scalar(state, f"mu{c}"), scalar(state, f"sigma2_{c}")
    return (
        densities.normal(column(state, f"beta{c}"), mu, s)
        + densities.normal(mu, scalar(state, f"m{c}"), scalar(state, f"v{c}"))
        + densities.inverse_gamma(s, scalar(state, f"q{c}"), scalar(state, f"r{c}"))
    )


def log_joint(state: State) -> float:
    """The sum of the eight log densities of the model."""
    sigma2 = scalar(state, "sigma2")
    data = densities.normal(_residuals(state), 0.0, sigma2)
    prior = densities.inverse_gamma(sigma2, scalar(state, "q"), scalar(state, "r"))
    return data + prior + _log_effect(state, 0) + _log_effect(state, 1)


def _intercept(state: State, at: Index) -> Hand:
    rows = rows_of(state, at[0])
    left = column(state, "y", rows) - state["beta1"][at] * column(state, "x", rows)
    return normal_coefficient(
        scalar(state, "mu0"),
        scalar(state, "sigma2_0"),
        (1.0, left, scalar(state, "sigma2")),
    )


def _slope(state: State, at: Index) -> Hand:
    rows = rows_of(state, at[0])
    left = column(state, "y", rows) - state["beta0"][at]
    term = (column(state, "x", rows), left, scalar(state, "sigma2"))
    return normal_coefficient(scalar(state, "mu1"), scalar(state, "sigma2_1"), term)


def _mean(c: int):
    def conditional(state: State, at: Index) -> Hand:
        term = (1.0, column(state, f"beta{c}"), scalar(state, f"sigma2_{c}"))
        return normal_coefficient(scalar(state, f"m{c}"), scalar(state, f"v{c}"), term)

    return conditional


def _between(c: int):
    def conditional(state: State, at: Index) -> Hand:
        left = column(state, f"beta{c}") - scalar(state, f"mu{c}")
        return variance(scalar(state, f"q{c}"), scalar(state, f"r{c}"), (left, 1.0))

    return conditional


def _within(state: State, at: Index) -> Hand:
    return variance(scalar(state, "q"), scalar(state, "r"), (_residuals(state), 1.0))


CONDITIONALS = {
    "beta0": _intercept,
    "beta1": _slope,
    "mu0": _mean(0),
    "mu1": _mean(1),
    "sigma2_0": _between(0),
    "sigma2_1": _between(1),
    "sigma2": _within,
}
