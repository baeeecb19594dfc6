"""A positive node that has the name of the coordinate in which positive nodes are moved.

Premises: y_i ~ N(0, u^3 + c), u ~ Gamma(q, r).

u: log density -sum_i log(u^3 + c)/2 - sum_i y_i^2/(2 (u^3 + c)) + (q - 1) log u - r u.
"""

from __future__ import annotations

import numpy as np

from . import densities
from .common import Index, Kernel, Sizes, State, column, plate, positive_scalars, reals, scalar, size_state

MODEL = """
model scale_named_u

plates
  i = 1..n

given
  c, q, r > 0

data
  y[i] ~ N(0, u^3 + c)

parameters
  u ~ Gamma(shape=q, rate=r)
"""

SIZES: tuple[Sizes, ...] = ({"n": 5},)


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state."""
    return size_state(sizes) | {"y": reals(rng, plate(sizes["n"]))} | positive_scalars(rng, "c q r u")


def log_joint(state: State) -> float:
    """The log densities of y and u."""
    u = scalar(state, "u")
    rows = densities.normal(column(state, "y"), 0.0, u**3 + scalar(state, "c"))
    return rows + densities.gamma(u, scalar(state, "q"), scalar(state, "r"))


def _scale(state: State, at: Index) -> Kernel:
    y, c = column(state, "y"), scalar(state, "c")

    def log_kernel(u: float) -> float:
        variance = u**3 + c
        prior = (scalar(state, "q") - 1) * np.log(u) - scalar(state, "r") * u
        return -len(y) * np.log(variance) / 2 - np.sum(y**2) / (2 * variance) + prior

    return Kernel(log_kernel)


CONDITIONALS = {"u": _scale}
