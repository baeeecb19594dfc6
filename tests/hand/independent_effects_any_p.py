"""Model G3 for any p: coefficients beta[i,c], c = 1..p, each with its own mean and variance, one element at a time.

Premises: y_ij ~ N(x_ij'beta_i, sigma2), beta_i the row (beta_i1, .., beta_ip); beta_ic ~ N(mu_c, sigma2_beta_c).

beta_ic: L1, d = x_ij[c], e_ij = y_ij - sum_{d != c} x_ij[d] beta_id, w = sigma2; prior N(mu_c, sigma2_beta_c).
mu_c: L1, d = 1, e_i = beta_ic, i = 1..n; prior N(m, v).   sigma2_beta_c: L3, e_i = beta_ic - mu_c.   sigma2: L3.
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
    positives,
    ragged,
    real_scalars,
    reals,
    rows_of,
    scalar,
    size_state,
    vectors,
)
from .lemmas import normal_coefficient, variance
from .regressions import SIZES

__all__ = ["CONDITIONALS", "MODEL", "SIZES", "log_joint", "random_state"]

MODEL = """
model independent_effects_any_p

plates
  i = 1..n
  j = 1..J[i]
  c = 1..p

given
  x[i,j] : vector(p)
  m
  v > 0
  q, r, q_beta, r_beta > 0

data
  y[i,j] ~ N(x[i,j]' * beta[i,:], sigma2)

process
  beta[i,c] ~ N(mu[c], sigma2_beta[c])

parameters
  mu[c] ~ N(m, v)
  sigma2_beta[c] ~ IG(q_beta, r_beta)
  sigma2 ~ IG(q, r)
"""


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: x (i,j)->(p,); y (i,j); beta (i,c); mu, sigma2_beta (c); scalars."""
    every, entries = ragged(sizes["J"]), plate(sizes["p"])
    pairs = [(i, c) for (i,) in plate(sizes["n"]) for (c,) in entries]
    return (
        size_state(sizes)
        | {
            "x": vectors(rng, every, sizes["p"]),
            "y": reals(rng, every),
            "beta": reals(rng, pairs),
        }
        | {"mu": reals(rng, entries), "sigma2_beta": positives(rng, entries)}
        | real_scalars(rng, "m")
        | positive_scalars(rng, "v sigma2 q r q_beta r_beta")
    )


def _row(state: State, i: int) -> np.ndarray:
    return column(state, "beta", [(i, c) for (c,) in plate(scalar(state, "p"))])


def _entries(state: State, c: int) -> np.ndarray:
    return column(state, "beta", [(i, c) for (i,) in plate(scalar(state, "n"))])


def _residuals(state: State, i: int) -> np.ndarray:
    rows = rows_of(state, i)
    return column(state, "y", rows) - column(state, "x", rows) @ _row(state, i)


def _all_residuals(state: State) -> np.ndarray:
    return np.concatenate([_residuals(state, i) for (i,) in plate(scalar(state, "n"))])


def log_joint(state: State) -> float:
    """The sum of the five log densities of the model."""
    sigma2 = scalar(state, "sigma2")
    populations = sum(
        densities.normal(_entries(state, c), state["mu"][(c,)], state["sigma2_beta"][(c,)])
        for (c,) in plate(scalar(state, "p"))
    )
    return (
        densities.normal(_all_residuals(state), 0.0, sigma2)
        + populations
        + densities.normal(column(state, "mu"), scalar(state, "m"), scalar(state, "v"))
        + densities.inverse_gamma(
            column(state, "sigma2_beta"),
            scalar(state, "q_beta"),
            scalar(state, "r_beta"),
        )
        + densities.inverse_gamma(sigma2, scalar(state, "q"), scalar(state, "r"))
    )


def _coefficient(state: State, at: Index) -> Hand:
    i, c = at
    slopes = column(state, "x", rows_of(state, i))[:, c - 1]
    left = _residuals(state, i) + slopes * state["beta"][at]
    term = (slopes, left, scalar(state, "sigma2"))
    return normal_coefficient(state["mu"][(c,)], state["sigma2_beta"][(c,)], term)


def _mean(state: State, at: Index) -> Hand:
    term = (1.0, _entries(state, at[0]), state["sigma2_beta"][at])
    return normal_coefficient(scalar(state, "m"), scalar(state, "v"), term)


def _between(state: State, at: Index) -> Hand:
    left = _entries(state, at[0]) - state["mu"][at]
    return variance(scalar(state, "q_beta"), scalar(state, "r_beta"), (left, 1.0))


def _within(state: State, at: Index) -> Hand:
    return variance(scalar(state, "q"), scalar(state, "r"), (_all_residuals(state), 1.0))


CONDITIONALS = {
    "beta": _coefficient,
    "mu": _mean,
    "sigma2_beta": _between,
    "sigma2": _within,
}
