"""Gamma prior on a Poisson rate, with a known exposure per row.

Premises: y_k ~ Pois(e_k theta), e_k > 0 known, theta ~ Gamma(a, rate b).

theta: prod theta^y_k exp(-e_k theta) times theta^(a-1) exp(-b theta): Gamma(a + sum y_k, rate b + sum e_k).
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
    counts,
    plate,
    positive_scalars,
    positives,
    scalar,
    size_state,
)

MODEL = """
model gamma_poisson

plates
  k = 1..K

given
  e[k] > 0
  a, b > 0

data
  y[k] ~ Pois(e[k] * theta)

parameters
  theta ~ Gamma(shape=a, rate=b)
"""

SIZES: tuple[Sizes, ...] = ({"K": 4}, {"K": 1})


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: e, y (k); scalars."""
    rows = plate(sizes["K"])
    return (
        size_state(sizes)
        | {"e": positives(rng, rows), "y": counts(rng, rows)}
        | positive_scalars(rng, "theta a b")
    )


def log_joint(state: State) -> float:
    """The sum of the two log densities of the model."""
    theta = scalar(state, "theta")
    data = densities.poisson(column(state, "y"), column(state, "e") * theta)
    return data + densities.gamma(theta, scalar(state, "a"), scalar(state, "b"))


def _rate(state: State, at: Index) -> Hand:
    shape = scalar(state, "a") + np.sum(column(state, "y"))
    return Hand(
        "gamma",
        {
            "shape": float(shape),
            "rate": float(scalar(state, "b") + np.sum(column(state, "e"))),
        },
    )


CONDITIONALS = {"theta": _rate}
