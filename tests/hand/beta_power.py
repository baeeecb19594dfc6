"""A gamma prior on the shape of a beta whose other shape is 1.

Premises: y_k ~ Beta(th, 1), z_k ~ Beta(1, th), th ~ Gamma(a, rate b).

B(th, 1) = 1/th, so y_k has density th y_k^(th - 1), and z_k th (1 - z_k)^(th - 1): 2K factors th, and
exp(th (sum log y_k + sum log(1 - z_k))): Gamma(a + 2K, rate b - sum log y_k - sum log(1 - z_k)).
"""

from __future__ import annotations

import numpy as np

from . import densities
from .common import Hand, Index, Sizes, State, column, plate, positive_scalars, scalar, size_state

MODEL = """
model beta_power

plates
  k = 1..K

given
  a, b > 0

data
  y[k] ~ Beta(th, 1)
  z[k] ~ Beta(1, th)

parameters
  th ~ Gamma(shape=a, rate=b)
"""

SIZES: tuple[Sizes, ...] = ({"K": 4}, {"K": 1})


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: y and z (k) in (0, 1); scalars."""
    rows = plate(sizes["K"])
    data = {name: {at: float(rng.uniform(0.05, 0.95)) for at in rows} for name in "yz"}
    return size_state(sizes) | data | positive_scalars(rng, "th a b")


def log_joint(state: State) -> float:
    """The sum of the three log densities of the model."""
    th = scalar(state, "th")
    data = densities.beta(column(state, "y"), th, 1.0) + densities.beta(column(state, "z"), 1.0, th)
    return data + densities.gamma(th, scalar(state, "a"), scalar(state, "b"))


def _shape(state: State, at: Index) -> Hand:
    y, z = column(state, "y"), column(state, "z")
    rate = scalar(state, "b") - float(np.sum(np.log(y)) + np.sum(np.log1p(-z)))
    return Hand("gamma", {"shape": scalar(state, "a") + 2 * len(y), "rate": rate})


CONDITIONALS = {"th": _shape}
