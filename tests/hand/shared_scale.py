"""One variance in the data and in the prior of the coefficients: conjugate, though sigma2 has two kinds of children.

Premises: y_k ~ N(x_k'beta, sigma2), beta ~ N(mu0, sigma2 V), sigma2 ~ IG(q, r).

beta: L2 with prior covariance sigma2 V and W = sigma2 I.
sigma2: L3 with the K residuals, multiplier 1, and the vector beta - mu0 of covariance sigma2 V:
    shape q + (K + p)/2, scale 1/r + SSR/2 + (beta - mu0)'V^-1(beta - mu0)/2.
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
    constant,
    plate,
    positive_scalars,
    reals,
    scalar,
    size_state,
    spd,
    vectors,
)
from .lemmas import regression

MODEL = """
model shared_scale

plates
  k = 1..K

given
  x[k] : vector(p)
  mu0 : vector(p)
  V : matrix(p,p)
  q, r > 0

data
  y[k] ~ N(x[k]' * beta, sigma2)

process
  beta ~ N(mu0, sigma2 * V)

parameters
  sigma2 ~ IG(q, r)
"""

SIZES: tuple[Sizes, ...] = ({"K": 5, "p": 2}, {"K": 1, "p": 3}, {"K": 4, "p": 1})


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: x (k)->(p,); y (k); beta, mu0 (p,); V (p, p); scalars."""
    rows, p = plate(sizes["K"]), sizes["p"]
    means = {name: constant(rng.normal(size=p)) for name in ("beta", "mu0")}
    data = {
        "x": vectors(rng, rows, p),
        "y": reals(rng, rows),
        "V": constant(spd(rng, p)),
    }
    return size_state(sizes) | data | means | positive_scalars(rng, "sigma2 q r")


def _residuals(state: State) -> np.ndarray:
    return column(state, "y") - column(state, "x") @ scalar(state, "beta")


def log_joint(state: State) -> float:
    """The sum of the three log densities of the model."""
    sigma2 = scalar(state, "sigma2")
    return (
        densities.normal(_residuals(state), 0.0, sigma2)
        + densities.mvnormal(scalar(state, "beta"), scalar(state, "mu0"), sigma2 * scalar(state, "V"))
        + densities.inverse_gamma(sigma2, scalar(state, "q"), scalar(state, "r"))
    )


def _coefficients(state: State, at: Index) -> Hand:
    sigma2 = scalar(state, "sigma2")
    prior = sigma2 * scalar(state, "V")
    return regression(scalar(state, "mu0"), prior, column(state, "x"), column(state, "y"), sigma2)


def _scale(state: State, at: Index) -> Hand:
    left, d = _residuals(state), scalar(state, "beta") - scalar(state, "mu0")
    quadratic = left @ left + d @ np.linalg.inv(scalar(state, "V")) @ d
    shape = scalar(state, "q") + (len(left) + len(d)) / 2
    return Hand(
        "inverse_gamma",
        {"shape": shape, "scale": float(1 / scalar(state, "r") + quadratic / 2)},
    )


CONDITIONALS = {"beta": _coefficients, "sigma2": _scale}
