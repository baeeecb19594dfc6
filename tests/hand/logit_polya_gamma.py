"""Logistic regression with Pólya-gamma variables (Polson, Scott & Windle 2013), repeats per individual.

Premises: y_ij ~ Bernoulli(expit(psi_ij)), psi_ij = a_i + x_ij b, w_ij ~ PG(1, psi_ij), a_i ~ N(mu, t2), b ~ N(m, v),
mu ~ N(m, v).

[y | psi][w | psi] = e^(y psi)/(1 + e^psi) . cosh(psi/2) e^(-w psi^2/2) [w | PG(1, 0)], and 1 + e^psi = 2 e^(psi/2) cosh(psi/2):
what is left is e^((y - 1/2) psi - w psi^2/2)/2, the kernel of a response (y - 1/2)/w of variance 1/w around psi.
a_i, b: L1 with those responses and variances.   mu: L1.
"""

from __future__ import annotations

import numpy as np

from . import densities
from .common import (
    Hand,
    Index,
    Sizes,
    State,
    cells,
    column,
    positive_scalars,
    positives,
    ragged,
    real_scalars,
    reals,
    rows_of,
    scalar,
    size_state,
)
from .lemmas import normal_coefficient

MODEL = """
model logit_polya_gamma

plates
  i = 1..n
  j = 1..J[i]

given
  x[i,j]
  m
  v, t2 > 0

data
  y[i,j] ~ Bernoulli(expit(a[i] + x[i,j] * b))

process
  w[i,j] ~ PolyaGamma(1, a[i] + x[i,j] * b)
  a[i] ~ N(mu, t2)

parameters
  mu ~ N(m, v)
  b ~ N(m, v)
"""

SIZES: tuple[Sizes, ...] = ({"n": 3, "J": (2, 3, 1)}, {"n": 1, "J": (1,)})


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: y, w, x (i, j); a (i); scalars."""
    rows = ragged(sizes["J"])
    data = {
        "y": {row: float(rng.integers(2)) for row in rows},
        "w": {row: value / 4 for row, value in positives(rng, rows).items()},
        "x": reals(rng, rows),
        "a": reals(rng, [(i,) for i in range(1, sizes["n"] + 1)]),
    }
    return size_state(sizes) | data | real_scalars(rng, "m mu b") | positive_scalars(rng, "v t2")


def log_polya_gamma(w: np.ndarray) -> np.ndarray:
    """log PG(w; 1, 0) by the two series of a theta function, each where its terms fall fast."""
    n = np.arange(40)
    signs, odd = (-1.0) ** n, 2 * n + 1
    left = (signs * odd * np.exp(-(odd**2) / (8 * w[:, None]))).sum(1) / np.sqrt(2 * np.pi * w**3)
    right = (signs * odd * np.exp(-(odd**2) * np.pi**2 * w[:, None] / 2)).sum(1) * 2 * np.pi
    return np.log(np.where(w < 0.2, left, right))


def log_joint(state: State) -> float:
    """The log densities of y, w, a, mu and b."""
    psi, w, y = _psi(state, cells(state)), column(state, "w"), column(state, "y")
    m, v = scalar(state, "m"), scalar(state, "v")
    latent = np.log(np.cosh(psi / 2)) - w * psi**2 / 2 + log_polya_gamma(w)
    return (
        float(np.sum(y * psi - np.log1p(np.exp(psi))) + np.sum(latent))
        + densities.normal(column(state, "a"), scalar(state, "mu"), scalar(state, "t2"))
        + densities.normal(scalar(state, "mu"), m, v)
        + densities.normal(scalar(state, "b"), m, v)
    )


def _psi(state: State, rows: list[Index]) -> np.ndarray:
    return np.array([state["a"][(i,)] + scalar(state, "b") * state["x"][(i, j)] for i, j in rows])


def _term(state: State, rows: list[Index], slope: np.ndarray, value: float) -> tuple:
    """The slopes, the working responses less all other terms of psi, and their variances."""
    w, y = column(state, "w", rows), column(state, "y", rows)
    return slope, (y - 0.5) / w - _psi(state, rows) + slope * value, 1 / w


def _effect(state: State, at: Index) -> Hand:
    rows = rows_of(state, at[0])
    term = _term(state, rows, np.ones(len(rows)), state["a"][at])
    return normal_coefficient(scalar(state, "mu"), scalar(state, "t2"), term)


def _slope(state: State, at: Index) -> Hand:
    rows = cells(state)
    term = _term(state, rows, column(state, "x", rows), scalar(state, "b"))
    return normal_coefficient(scalar(state, "m"), scalar(state, "v"), term)


def _population(state: State, at: Index) -> Hand:
    term = (1.0, column(state, "a"), scalar(state, "t2"))
    return normal_coefficient(scalar(state, "m"), scalar(state, "v"), term)


CONDITIONALS = {"a": _effect, "b": _slope, "mu": _population}
