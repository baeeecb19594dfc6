"""One node with several children on different scales.

Premises: y1_k ~ N(a, v), k = 1..K; y2_l ~ N(3 a + c, w v), l = 1..L; a ~ N(m0, v0), v ~ IG(q, r); c, w > 0 known.

a: L1, K terms d = 1, e = y1_k, variance v, and L terms d = 3, e = y2_l - c, variance w v:
    precision K/v + 9 L/(w v) + 1/v0.
v: L3, e = y1_k - a with multiplier 1 and e = y2_l - 3a - c with multiplier w: shape q + (K + L)/2.
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

MODEL = """
model several_children

plates
  k = 1..K
  l = 1..L

given
  c
  m0
  w, v0 > 0
  q, r > 0

data
  y1[k] ~ N(a, v)
  y2[l] ~ N(3 * a + c, w * v)

parameters
  a ~ N(m0, v0)
  v ~ IG(q, r)
"""

SIZES: tuple[Sizes, ...] = ({"K": 4, "L": 2}, {"K": 1, "L": 1}, {"K": 2, "L": 5})


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: y1 (k); y2 (l); scalars."""
    data = {"y1": reals(rng, plate(sizes["K"])), "y2": reals(rng, plate(sizes["L"]))}
    return size_state(sizes) | data | real_scalars(rng, "a c m0") | positive_scalars(rng, "v w v0 q r")


def log_joint(state: State) -> float:
    """The sum of the four log densities of the model."""
    a, v = scalar(state, "a"), scalar(state, "v")
    return (
        densities.normal(column(state, "y1"), a, v)
        + densities.normal(column(state, "y2"), 3 * a + scalar(state, "c"), scalar(state, "w") * v)
        + densities.normal(a, scalar(state, "m0"), scalar(state, "v0"))
        + densities.inverse_gamma(v, scalar(state, "q"), scalar(state, "r"))
    )


def _mean(state: State, at: Index) -> Hand:
    v = scalar(state, "v")
    second = (3.0, column(state, "y2") - scalar(state, "c"), scalar(state, "w") * v)
    return normal_coefficient(scalar(state, "m0"), scalar(state, "v0"), (1.0, column(state, "y1"), v), second)


def _variance(state: State, at: Index) -> Hand:
    a = scalar(state, "a")
    first = (column(state, "y1") - a, 1.0)
    second = (column(state, "y2") - 3 * a - scalar(state, "c"), scalar(state, "w"))
    return variance(scalar(state, "q"), scalar(state, "r"), first, second)


CONDITIONALS = {"a": _mean, "v": _variance}
