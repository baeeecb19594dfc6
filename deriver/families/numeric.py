"""Pieces of numeric log densities that several families share.

They share nothing with the symbolic ones.  A numeric log density is ``-inf`` off the support and ``nan``
where the parameters are not legal.
"""

from __future__ import annotations

import math
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

NEVER = -math.inf
UNDEFINED = math.nan


class Chance(float):
    """A probability with its complement, which was computed by itself: 1 - p has no digits where p is nearly 1."""

    rest: float

    def __new__(cls, prob: float, rest: float) -> Self:
        chance = super().__new__(cls, prob)
        chance.rest = rest
        return chance


def complement_of(prob: float) -> float:
    """Return 1 - p, with the digits that are known."""
    return prob.rest if isinstance(prob, Chance) else 1.0 - prob


def cholesky_factor(matrix: ArrayLike) -> np.ndarray | None:
    """Return the lower Cholesky factor of a (p, p) matrix, or None if it is not symmetric positive definite."""
    array = np.asarray(matrix, dtype=float)
    if array.ndim != 2 or array.shape[0] != array.shape[1] or not np.allclose(array, array.T, rtol=1e-8):
        return None
    try:
        return np.linalg.cholesky(array)
    except np.linalg.LinAlgError:
        return None


def log_determinant(factor: np.ndarray) -> float:
    """Return log|A| from the Cholesky factor of A."""
    return 2.0 * float(np.sum(np.log(np.diag(factor))))


def solve_lower(factor: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return L⁻¹ times a vector (p,) or matrix (p, m), L lower triangular.

    The matrices of random states are small, where the general solver takes a third of the time of the triangular one.
    """
    return np.linalg.solve(factor, right)


def is_count(value: float) -> bool:
    """Tell whether a number is a nonnegative integer."""
    return value >= 0 and float(value).is_integer()
