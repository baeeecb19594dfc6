"""A half-Cauchy prior on a group standard deviation as a mixture of inverse gammas (Wand et al. 2011).

Premises: y_ij ~ N(b_i, s2), b_i ~ N(mu, tau^2), tau = sqrt(t), t | a ~ IG(shape 1/2, scale 1/a), a ~ IG(shape 1/2, scale 1/A^2),
mu ~ N(m, v), s2 ~ IG(q, r).

t: t^(-n/2) exp(-sum (b_i - mu)^2/(2t)) times t^(-3/2) exp(-1/(a t)): shape (n + 1)/2, scale sum (b_i - mu)^2/2 + 1/a.
a: the scale 1/a of [t | a] gives a^(-1/2) exp(-1/(a t)), the prior a^(-3/2) exp(-1/(A^2 a)): shape 1, scale 1/t + 1/A^2.
b_i, mu: L1.   s2: L3.
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
    ragged,
    real_scalars,
    reals,
    rows_of,
    scalar,
    size_state,
)
from .lemmas import normal_coefficient, variance

MODEL = """
model half_cauchy_mixture

plates
  i = 1..n
  j = 1..J[i]

given
  A > 0
  m
  v, q, r > 0

data
  y[i,j] ~ N(b[i], s2)

process
  b[i] ~ Normal(mu, sd=tau)

parameters
  mu ~ N(m, v)
  tau = sqrt(t)
  t ~ InverseGamma(shape=1/2, scale=1 / a)
  a ~ InverseGamma(shape=1/2, scale=1 / A^2)
  s2 ~ IG(q, r)
"""

SIZES: tuple[Sizes, ...] = ({"n": 3, "J": (2, 3, 1)}, {"n": 1, "J": (1,)})


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: y (i, j); b (i); scalars."""
    data = {"y": reals(rng, ragged(sizes["J"])), "b": reals(rng, [(i,) for i in range(1, sizes["n"] + 1)])}
    return size_state(sizes) | data | real_scalars(rng, "m mu") | positive_scalars(rng, "A v q r t a s2")


def log_joint(state: State) -> float:
    """The sum of the six log densities of the model."""
    t, a = scalar(state, "t"), scalar(state, "a")
    effects = np.array([state["b"][(i,)] for i, _ in cells(state)])
    return (
        densities.normal(column(state, "y"), effects, scalar(state, "s2"))
        + densities.normal(column(state, "b"), scalar(state, "mu"), t)
        + densities.normal(scalar(state, "mu"), scalar(state, "m"), scalar(state, "v"))
        + densities.inverse_gamma(t, 0.5, a)
        + densities.inverse_gamma(a, 0.5, scalar(state, "A") ** 2)
        + densities.inverse_gamma(scalar(state, "s2"), scalar(state, "q"), scalar(state, "r"))
    )


def _square(state: State, at: Index) -> Hand:
    left = column(state, "b") - scalar(state, "mu")
    scale = np.sum(left**2) / 2 + 1 / scalar(state, "a")
    return Hand("inverse_gamma", {"shape": (len(left) + 1) / 2, "scale": float(scale)})


def _mixing(state: State, at: Index) -> Hand:
    return Hand("inverse_gamma", {"shape": 1.0, "scale": 1 / scalar(state, "t") + scalar(state, "A") ** -2})


def _effect(state: State, at: Index) -> Hand:
    rows = rows_of(state, at[0])
    term = (1.0, column(state, "y", rows), scalar(state, "s2"))
    return normal_coefficient(scalar(state, "mu"), scalar(state, "t"), term)


def _population(state: State, at: Index) -> Hand:
    term = (1.0, column(state, "b"), scalar(state, "t"))
    return normal_coefficient(scalar(state, "m"), scalar(state, "v"), term)


def _noise(state: State, at: Index) -> Hand:
    left = np.array([state["y"][row] - state["b"][(row[0],)] for row in cells(state)])
    return variance(scalar(state, "q"), scalar(state, "r"), (left, 1.0))


CONDITIONALS = {"t": _square, "a": _mixing, "b": _effect, "mu": _population, "s2": _noise}
