"""A normal prior cut to the positive numbers: the conditional is the truncated member of the normal family.

Premises: y_k ~ N(mu, sigma2); mu ~ N(m, v) restricted to mu > 0, m and v known, so that the constant of the restriction is
free of every latent node; sigma2 ~ IG(q, r).

mu: L1 on mu > 0: N(b/a, 1/a) restricted to (0, inf).   sigma2: L3.
"""

from __future__ import annotations

import numpy as np
from scipy.special import log_ndtr

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
model truncated_normal

plates
  k = 1..K

given
  m
  v > 0
  q, r > 0

data
  y[k] ~ N(mu, sigma2)

parameters
  mu ~ N(m, v) T(0, inf)
  sigma2 ~ IG(q, r)
"""

SIZES: tuple[Sizes, ...] = ({"K": 4}, {"K": 1})


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: y (k); mu > 0; scalars."""
    data = {"y": reals(rng, plate(sizes["K"]))}
    return size_state(sizes) | data | real_scalars(rng, "m") | positive_scalars(rng, "mu sigma2 v q r")


def log_joint(state: State) -> float:
    """The sum of the three log densities of the model; P(mu > 0) under the prior is Phi(m / sqrt(v))."""
    mu, sigma2 = scalar(state, "mu"), scalar(state, "sigma2")
    if mu <= 0:
        return -np.inf
    m, v = scalar(state, "m"), scalar(state, "v")
    prior = densities.normal(mu, m, v) - float(log_ndtr(m / np.sqrt(v)))
    data = densities.normal(column(state, "y"), mu, sigma2)
    return data + prior + densities.inverse_gamma(sigma2, scalar(state, "q"), scalar(state, "r"))


def _mean(state: State, at: Index) -> Hand:
    term = (1.0, column(state, "y"), scalar(state, "sigma2"))
    whole = normal_coefficient(scalar(state, "m"), scalar(state, "v"), term)
    return Hand("normal", {**whole.parameters, "lower": 0.0, "upper": np.inf})


def _noise(state: State, at: Index) -> Hand:
    left = column(state, "y") - scalar(state, "mu")
    return variance(scalar(state, "q"), scalar(state, "r"), (left, 1.0))


CONDITIONALS = {"mu": _mean, "sigma2": _noise}
