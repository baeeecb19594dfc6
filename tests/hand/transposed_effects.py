"""Nodes whose indices are in another order than the plates.

Premises, the plate of m declared before that of j: y_mj ~ N(w_jm, s), w_jm ~ N(a_j, v); z_mj ~ Poisson(exp(e_jm)),
e_jm ~ N(a_j, v); a_j ~ N(0, v).

w: precision 1/s + 1/v, b = y_mj/s + a_j/v.
e: log density z_mj e - exp(e) - (e - a_j)^2/(2 v).
a: precision (2 M + 1)/v, b = sum_m (w_jm + e_jm)/v.
"""

from __future__ import annotations

import numpy as np

from . import densities
from .common import Hand, Index, Kernel, Sizes, State, counts, positive_scalars, reals, scalar, size_state

MODEL = """
model transposed_effects

plates
  m = 1..M
  j = 1..J

given
  s, v > 0

data
  y[m,j] ~ N(w[j,m], s)
  z[m,j] ~ Poisson(log_rate=e[j,m])

process
  w[j,m] ~ N(a[j], v)
  e[j,m] ~ N(a[j], v)
  a[j] ~ N(0, v)
"""

SIZES: tuple[Sizes, ...] = ({"M": 3, "J": 3}, {"M": 2, "J": 4})  # square: transposed, it would go unnoticed


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state."""
    rows = [(m, j) for m in range(1, sizes["M"] + 1) for j in range(1, sizes["J"] + 1)]
    turned = sorted((j, m) for m, j in rows)
    data = {"y": reals(rng, rows), "z": counts(rng, rows)}
    effects = {"w": reals(rng, turned), "e": reals(rng, turned)}
    effects["a"] = reals(rng, [(j,) for j in range(1, sizes["J"] + 1)])
    return size_state(sizes) | data | effects | positive_scalars(rng, "s v")


def log_joint(state: State) -> float:
    """The log densities of y, z, w, e and a."""
    s, v = scalar(state, "s"), scalar(state, "v")
    total = sum(densities.normal(a, 0.0, v) for a in state["a"].values())
    for (j, m), w in state["w"].items():
        e, a = state["e"][j, m], state["a"][j,]
        total += densities.normal(state["y"][m, j], w, s) + densities.poisson(state["z"][m, j], np.exp(e))
        total += densities.normal(w, a, v) + densities.normal(e, a, v)
    return total


def _normal(precision: float, linear: float) -> Hand:
    return Hand("normal", {"mean": linear / precision, "var": 1 / precision})


def _effect(state: State, at: Index) -> Hand:
    (j, m), s, v = at, scalar(state, "s"), scalar(state, "v")
    return _normal(1 / s + 1 / v, state["y"][m, j] / s + state["a"][j,] / v)


def _log_rate(state: State, at: Index) -> Kernel:
    (j, m), v = at, scalar(state, "v")
    count, mean = state["z"][m, j], state["a"][j,]
    return Kernel(lambda e: count * e - np.exp(e) - (e - mean) ** 2 / (2 * v))


def _mean(state: State, at: Index) -> Hand:
    v, columns = scalar(state, "v"), range(1, int(scalar(state, "M")) + 1)
    total = sum(state["w"][at[0], m] + state["e"][at[0], m] for m in columns)
    return _normal((2 * len(columns) + 1) / v, total / v)


CONDITIONALS = {"w": _effect, "e": _log_rate, "a": _mean}
