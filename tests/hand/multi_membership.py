"""Multi-membership: each row belongs to two groups of one plate, y_k ~ N(a_{g[k]} + a_{h[k]}, sigma2).

Premises: a_i ~ N(mu, sigma2_a); g[k] and h[k] may be equal.

a_i: the mean of row k is d_k a_i + the rest with d_k = 1[g[k]=i] + 1[h[k]=i], 0, 1 or 2; L1 with that d_k and
    e_k = y_k - (the other of a_{g[k]}, a_{h[k]}; nothing if both are i). Where g[k] = h[k] = i, d_k = 2 and d_k^2 = 4.
mu: L1 over i; prior N(m, v).   sigma2_a, sigma2: L3.
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
from .nested_groups import looked_up

MODEL = """
model multi_membership

plates
  i = 1..n
  k = 1..K

given
  g : k -> i
  h : k -> i
  m
  v > 0
  q, r, q_a, r_a > 0

data
  y[k] ~ N(a[g[k]] + a[h[k]], sigma2)

process
  a[i] ~ N(mu, sigma2_a)

parameters
  mu ~ N(m, v)
  sigma2_a ~ IG(q_a, r_a)
  sigma2 ~ IG(q, r)
"""

SIZES: tuple[Sizes, ...] = (
    {"n": 3, "K": 5, "g": (1, 2, 2, 3, 1), "h": (2, 2, 3, 3, 1)},
    {"n": 4, "K": 3, "g": (1, 4, 1), "h": (2, 1, 4)},
    {"n": 1, "K": 2, "g": (1, 1), "h": (1, 1)},
)


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: g, h, y (k); a (i); scalars."""
    return (
        size_state(sizes)
        | {"y": reals(rng, plate(sizes["K"])), "a": reals(rng, plate(sizes["n"]))}
        | real_scalars(rng, "mu m")
        | positive_scalars(rng, "sigma2 sigma2_a v q r q_a r_a")
    )


def _residuals(state: State) -> np.ndarray:
    return column(state, "y") - looked_up(state, "a", "g") - looked_up(state, "a", "h")


def log_joint(state: State) -> float:
    """The sum of the five log densities of the model."""
    mu, sigma2_a, sigma2 = (
        scalar(state, "mu"),
        scalar(state, "sigma2_a"),
        scalar(state, "sigma2"),
    )
    return (
        densities.normal(_residuals(state), 0.0, sigma2)
        + densities.normal(column(state, "a"), mu, sigma2_a)
        + densities.normal(mu, scalar(state, "m"), scalar(state, "v"))
        + densities.inverse_gamma(sigma2_a, scalar(state, "q_a"), scalar(state, "r_a"))
        + densities.inverse_gamma(sigma2, scalar(state, "q"), scalar(state, "r"))
    )


def _effect(state: State, at: Index) -> Hand:
    times = (column(state, "g") == at[0]).astype(float) + (column(state, "h") == at[0])
    left = _residuals(state) + times * state["a"][at]
    return normal_coefficient(
        scalar(state, "mu"),
        scalar(state, "sigma2_a"),
        (times, left, scalar(state, "sigma2")),
    )


def _mean(state: State, at: Index) -> Hand:
    term = (1.0, column(state, "a"), scalar(state, "sigma2_a"))
    return normal_coefficient(scalar(state, "m"), scalar(state, "v"), term)


def _between(state: State, at: Index) -> Hand:
    left = column(state, "a") - scalar(state, "mu")
    return variance(scalar(state, "q_a"), scalar(state, "r_a"), (left, 1.0))


def _within(state: State, at: Index) -> Hand:
    return variance(scalar(state, "q"), scalar(state, "r"), (_residuals(state), 1.0))


CONDITIONALS = {"a": _effect, "mu": _mean, "sigma2_a": _between, "sigma2": _within}
