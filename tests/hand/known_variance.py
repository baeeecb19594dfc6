"""A known variance per row, as in a meta-analysis: rows k with estimate y_k and variance v_k, grouped by g[k].

Premises: y_k ~ N(beta0_{g[k]}, v_k), beta0_i ~ N(mu0, sigma2_0).

beta0_i: L1 over g[k] = i, d = 1, e_k = y_k, w_k = v_k: precision sum 1/v_k + 1/sigma2_0.
mu0: L1 over i.   sigma2_0: L3, e_i = beta0_i - mu0.
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
    positives,
    real_scalars,
    reals,
    scalar,
    size_state,
)
from .lemmas import normal_coefficient, variance
from .nested_groups import looked_up

MODEL = """
model known_variance

plates
  i = 1..n
  k = 1..K

given
  g : k -> i
  v[k] > 0
  m0
  v0 > 0
  q0, r0 > 0

data
  y[k] ~ N(beta0[g[k]], v[k])

process
  beta0[i] ~ N(mu0, sigma2_0)

parameters
  mu0 ~ N(m0, v0)
  sigma2_0 ~ IG(q0, r0)
"""

SIZES: tuple[Sizes, ...] = (
    {"n": 4, "K": 6, "g": (1, 4, 1, 2, 1, 4)},
    {"n": 1, "K": 1, "g": (1,)},
    {"n": 3, "K": 3, "g": (1, 2, 3)},
)


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: g, v, y (k); beta0 (i); scalars."""
    rows = plate(sizes["K"])
    return (
        size_state(sizes)
        | {
            "y": reals(rng, rows),
            "v": positives(rng, rows),
            "beta0": reals(rng, plate(sizes["n"])),
        }
        | real_scalars(rng, "mu0 m0")
        | positive_scalars(rng, "sigma2_0 v0 q0 r0")
    )


def log_joint(state: State) -> float:
    """The sum of the four log densities of the model."""
    mu0, sigma2_0 = scalar(state, "mu0"), scalar(state, "sigma2_0")
    return (
        densities.normal(column(state, "y"), looked_up(state, "beta0", "g"), column(state, "v"))
        + densities.normal(column(state, "beta0"), mu0, sigma2_0)
        + densities.normal(mu0, scalar(state, "m0"), scalar(state, "v0"))
        + densities.inverse_gamma(sigma2_0, scalar(state, "q0"), scalar(state, "r0"))
    )


def _intercept(state: State, at: Index) -> Hand:
    rows = members(state, "g", at[0])
    term = (1.0, column(state, "y", rows), column(state, "v", rows))
    return normal_coefficient(scalar(state, "mu0"), scalar(state, "sigma2_0"), term)


def _mean(state: State, at: Index) -> Hand:
    term = (1.0, column(state, "beta0"), scalar(state, "sigma2_0"))
    return normal_coefficient(scalar(state, "m0"), scalar(state, "v0"), term)


def _between(state: State, at: Index) -> Hand:
    left = column(state, "beta0") - scalar(state, "mu0")
    return variance(scalar(state, "q0"), scalar(state, "r0"), (left, 1.0))


CONDITIONALS = {"beta0": _intercept, "mu0": _mean, "sigma2_0": _between}
