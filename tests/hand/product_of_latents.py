"""A mean that is a product of two latent nodes: bilinear, conjugate in each given the other.

Premises: y_ij ~ N(a_i b_j, s2), i = 1..n, j = 1..M (a rectangle), a_i ~ N(m_a, v_a), b_j ~ N(m_b, v_b).

a_i: L1 over j, d = b_j, e = y_ij, w = s2.   b_j: L1 over i, d = a_i, e = y_ij, w = s2.   s2: L3, e_ij = y_ij - a_i b_j.
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
model product_of_latents

plates
  i = 1..n
  j = 1..M

given
  m_a
  m_b
  v_a, v_b > 0
  q, r > 0

data
  y[i,j] ~ N(a[i] * b[j], s2)

process
  a[i] ~ N(m_a, v_a)
  b[j] ~ N(m_b, v_b)

parameters
  s2 ~ IG(q, r)
"""

SIZES: tuple[Sizes, ...] = ({"n": 3, "M": 4}, {"n": 1, "M": 1}, {"n": 2, "M": 1})


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: y (i,j); a (i); b (j); scalars."""
    rows, columns = plate(sizes["n"]), plate(sizes["M"])
    return (
        size_state(sizes)
        | {"y": reals(rng, [row + col for row in rows for col in columns])}
        | {"a": reals(rng, rows), "b": reals(rng, columns)}
        | real_scalars(rng, "m_a m_b")
        | positive_scalars(rng, "s2 v_a v_b q r")
    )


def _table(state: State) -> np.ndarray:
    """y, shape (n, M)."""
    return column(state, "y").reshape(len(state["a"]), len(state["b"]))


def _residuals(state: State) -> np.ndarray:
    return _table(state) - np.outer(column(state, "a"), column(state, "b"))


def log_joint(state: State) -> float:
    """The sum of the four log densities of the model."""
    s2 = scalar(state, "s2")
    return (
        densities.normal(_residuals(state), 0.0, s2)
        + densities.normal(column(state, "a"), scalar(state, "m_a"), scalar(state, "v_a"))
        + densities.normal(column(state, "b"), scalar(state, "m_b"), scalar(state, "v_b"))
        + densities.inverse_gamma(s2, scalar(state, "q"), scalar(state, "r"))
    )


def _row(state: State, at: Index) -> Hand:
    term = (column(state, "b"), _table(state)[at[0] - 1], scalar(state, "s2"))
    return normal_coefficient(scalar(state, "m_a"), scalar(state, "v_a"), term)


def _column(state: State, at: Index) -> Hand:
    term = (column(state, "a"), _table(state)[:, at[0] - 1], scalar(state, "s2"))
    return normal_coefficient(scalar(state, "m_b"), scalar(state, "v_b"), term)


def _noise(state: State, at: Index) -> Hand:
    return variance(scalar(state, "q"), scalar(state, "r"), (_residuals(state), 1.0))


CONDITIONALS = {"a": _row, "b": _column, "s2": _noise}
