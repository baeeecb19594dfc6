"""A known offset and a known weight per row: y_k ~ N(o_k + x_k'beta, sigma2 / w_k).

Premises: beta ~ N(mu0, Sigma0), a vector without a plate; sigma2 ~ IG(q, r); o_k, w_k > 0 given.

beta: L2, D rows x_k', e_k = y_k - o_k, W = diag(sigma2 / w_k).
sigma2: L3 with c_k = 1/w_k: shape q + K/2, scale 1/r + sum w_k (y_k - o_k - x_k'beta)^2/2.
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
    positives,
    reals,
    scalar,
    size_state,
    spd,
    vectors,
)
from .lemmas import regression, variance

MODEL = """
model known_offset

plates
  k = 1..K

given
  x[k] : vector(p)
  o[k]
  w[k] > 0
  mu0 : vector(p)
  Sigma0 : matrix(p,p)
  q, r > 0

data
  y[k] ~ N(o[k] + x[k]' * beta, sigma2 / w[k])

parameters
  beta ~ N(mu0, Sigma0)
  sigma2 ~ IG(q, r)
"""

SIZES: tuple[Sizes, ...] = (
    {"K": 5, "p": 2},
    {"K": 1, "p": 3},
    {"K": 4, "p": 1},
    {"K": 7, "p": 5},
)


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: x (k)->(p,); y, o, w (k); beta, mu0 (p,); Sigma0 (p, p); scalars."""
    rows, p = plate(sizes["K"]), sizes["p"]
    return (
        size_state(sizes)
        | {
            "x": vectors(rng, rows, p),
            "y": reals(rng, rows),
            "o": reals(rng, rows),
            "w": positives(rng, rows),
        }
        | {
            "beta": constant(rng.normal(size=p)),
            "mu0": constant(rng.normal(size=p)),
            "Sigma0": constant(spd(rng, p)),
        }
        | positive_scalars(rng, "sigma2 q r")
    )


def _residuals(state: State) -> np.ndarray:
    return column(state, "y") - column(state, "o") - column(state, "x") @ scalar(state, "beta")


def log_joint(state: State) -> float:
    """The sum of the three log densities of the model."""
    sigma2 = scalar(state, "sigma2")
    return (
        densities.normal(_residuals(state), 0.0, sigma2 / column(state, "w"))
        + densities.mvnormal(scalar(state, "beta"), scalar(state, "mu0"), scalar(state, "Sigma0"))
        + densities.inverse_gamma(sigma2, scalar(state, "q"), scalar(state, "r"))
    )


def _coefficients(state: State, at: Index) -> Hand:
    left = column(state, "y") - column(state, "o")
    noise = scalar(state, "sigma2") / column(state, "w")
    return regression(scalar(state, "mu0"), scalar(state, "Sigma0"), column(state, "x"), left, noise)


def _within(state: State, at: Index) -> Hand:
    return variance(
        scalar(state, "q"),
        scalar(state, "r"),
        (_residuals(state), 1 / column(state, "w")),
    )


CONDITIONALS = {"beta": _coefficients, "sigma2": _within}
