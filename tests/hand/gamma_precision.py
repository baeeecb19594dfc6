"""A gamma prior on a precision.

Premises: y_k ~ N(mu, 1/tau), tau ~ Gamma(a, rate b), mu ~ N(m, v).

tau: each y_k gives tau^1/2 exp(-tau (y_k - mu)^2/2): Gamma(a + K/2, rate b + sum (y_k - mu)^2/2).
mu: L1, d = 1, e_k = y_k, w = 1/tau.
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
from .lemmas import normal_coefficient

MODEL = """
model gamma_precision

plates
  k = 1..K

given
  m
  v > 0
  a, b > 0

data
  y[k] ~ Normal(mu, prec=tau)

parameters
  mu ~ N(m, v)
  tau ~ Gamma(shape=a, rate=b)
"""

SIZES: tuple[Sizes, ...] = ({"K": 4}, {"K": 1})


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: y (k); scalars."""
    data = {"y": reals(rng, plate(sizes["K"]))}
    return size_state(sizes) | data | real_scalars(rng, "mu m") | positive_scalars(rng, "tau v a b")


def log_joint(state: State) -> float:
    """The sum of the three log densities of the model."""
    mu, tau = scalar(state, "mu"), scalar(state, "tau")
    return (
        densities.normal(column(state, "y"), mu, 1 / tau)
        + densities.normal(mu, scalar(state, "m"), scalar(state, "v"))
        + densities.gamma(tau, scalar(state, "a"), scalar(state, "b"))
    )


def _mean(state: State, at: Index) -> Hand:
    term = (1.0, column(state, "y"), 1 / scalar(state, "tau"))
    return normal_coefficient(scalar(state, "m"), scalar(state, "v"), term)


def _precision(state: State, at: Index) -> Hand:
    left = column(state, "y") - scalar(state, "mu")
    shape, rate = (
        scalar(state, "a") + len(left) / 2,
        scalar(state, "b") + np.sum(left**2) / 2,
    )
    return Hand("gamma", {"shape": shape, "rate": float(rate)})


CONDITIONALS = {"mu": _mean, "tau": _precision}
