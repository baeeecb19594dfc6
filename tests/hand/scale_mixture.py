"""Student t responses as a scale mixture of normals, the weights being nodes.

Premises: y_k ~ N(mu, sigma2 / w_k), w_k ~ Gamma(nu/2, rate nu/2), nu > 0 known, mu ~ N(m, v), sigma2 ~ IG(q, r).

w_k: w^1/2 exp(-w (y_k-mu)^2/(2 sigma2)) times w^(nu/2-1) exp(-nu w/2): Gamma((nu+1)/2, rate nu/2 + (y_k-mu)^2/(2 sigma2)).
mu: L1, d = 1, e_k = y_k, variance sigma2/w_k.   sigma2: L3 with multipliers 1/w_k.
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
    real_scalars,
    reals,
    scalar,
    size_state,
)
from .lemmas import normal_coefficient, variance

MODEL = """
model scale_mixture

plates
  k = 1..K

given
  nu > 0
  m
  v > 0
  q, r > 0

data
  y[k] ~ N(mu, sigma2 / w[k])

process
  w[k] ~ Gamma(shape=nu/2, rate=nu/2)

parameters
  mu ~ N(m, v)
  sigma2 ~ IG(q, r)
"""

SIZES: tuple[Sizes, ...] = ({"K": 4}, {"K": 1})


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: y, w (k); scalars."""
    rows = plate(sizes["K"])
    data = {"y": reals(rng, rows), "w": positives(rng, rows)}
    return size_state(sizes) | data | real_scalars(rng, "mu m") | positive_scalars(rng, "sigma2 nu v q r")


def log_joint(state: State) -> float:
    """The sum of the four log densities of the model."""
    mu, sigma2, nu = scalar(state, "mu"), scalar(state, "sigma2"), scalar(state, "nu")
    return (
        densities.normal(column(state, "y"), mu, sigma2 / column(state, "w"))
        + densities.gamma(column(state, "w"), nu / 2, nu / 2)
        + densities.normal(mu, scalar(state, "m"), scalar(state, "v"))
        + densities.inverse_gamma(sigma2, scalar(state, "q"), scalar(state, "r"))
    )


def _weight(state: State, at: Index) -> Hand:
    nu, left = scalar(state, "nu"), state["y"][at] - scalar(state, "mu")
    rate = nu / 2 + left**2 / (2 * scalar(state, "sigma2"))
    return Hand("gamma", {"shape": (nu + 1) / 2, "rate": float(rate)})


def _mean(state: State, at: Index) -> Hand:
    term = (1.0, column(state, "y"), scalar(state, "sigma2") / column(state, "w"))
    return normal_coefficient(scalar(state, "m"), scalar(state, "v"), term)


def _scale(state: State, at: Index) -> Hand:
    left = column(state, "y") - scalar(state, "mu")
    return variance(scalar(state, "q"), scalar(state, "r"), (left, 1 / column(state, "w")))


CONDITIONALS = {"w": _weight, "mu": _mean, "sigma2": _scale}
