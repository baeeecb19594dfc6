"""Probit regression through latent normals (Albert & Chib 1993), with an effect per group.

Premises: y_k = 1 where z_k > 0, else 0; z_k ~ N(a_g(k) + x_k b, 1), a_i ~ N(mu, t2), b ~ N(m, v), mu ~ N(m, v).

z_k: the indicator cuts N(a_g(k) + x_k b, 1) to (0, inf) where y_k = 1 and to (-inf, 0) where y_k = 0.
a_i, b: L1 with residuals of z and variance 1; the indicator is free of them.   mu: L1.
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
    members,
    plate,
    positive_scalars,
    real_scalars,
    reals,
    scalar,
    size_state,
)
from .lemmas import normal_coefficient

MODEL = """
model probit_latent

plates
  i = 1..n
  k = 1..K

given
  g : k -> i
  x[k]
  m
  v, t2 > 0

data
  y[k] ~ Bernoulli(is_positive(z[k]))

process
  z[k] ~ N(a[g[k]] + x[k] * b, 1)
  a[i] ~ N(mu, t2)

parameters
  mu ~ N(m, v)
  b ~ N(m, v)
"""

SIZES: tuple[Sizes, ...] = ({"n": 3, "K": 7}, {"n": 1, "K": 1})


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state; y alternates, and z has the signs that y tells, whatever the seed."""
    rows, groups = plate(sizes["K"]), plate(sizes["n"])
    y = {(k,): float(k % 2) for (k,) in rows}
    z = {(k,): float((2 * y[(k,)] - 1) * np.exp(rng.normal(-0.3, 0.6))) for (k,) in rows}
    of = {(k,): 1 + (k * k) % sizes["n"] for (k,) in rows}
    data = {"y": y, "z": z, "g": of, "x": reals(rng, rows), "a": reals(rng, groups)}
    return size_state(sizes) | data | real_scalars(rng, "m mu b") | positive_scalars(rng, "v t2")


def _mean(state: State) -> np.ndarray:
    effects = np.array([state["a"][(int(i),)] for i in column(state, "g")])
    return effects + scalar(state, "b") * column(state, "x")


def log_joint(state: State) -> float:
    """The log densities of z, a, mu and b, where every z has its sign."""
    z, y = column(state, "z"), column(state, "y")
    if np.any((z > 0) != (y == 1)):
        return -np.inf
    m, v = scalar(state, "m"), scalar(state, "v")
    return (
        densities.normal(z, _mean(state), 1.0)
        + densities.normal(column(state, "a"), scalar(state, "mu"), scalar(state, "t2"))
        + densities.normal(scalar(state, "mu"), m, v)
        + densities.normal(scalar(state, "b"), m, v)
    )


def _latent(state: State, at: Index) -> Hand:
    mean = state["a"][(int(state["g"][at]),)] + scalar(state, "b") * state["x"][at]
    one = state["y"][at] == 1
    cut = {"lower": 0.0 if one else -np.inf, "upper": np.inf if one else 0.0}
    return Hand("normal", {"mean": float(mean), "var": 1.0, **cut})


def _effect(state: State, at: Index) -> Hand:
    rows = members(state, "g", at[0])
    left = column(state, "z", rows) - scalar(state, "b") * column(state, "x", rows)
    return normal_coefficient(scalar(state, "mu"), scalar(state, "t2"), (1.0, left, 1.0))


def _population(state: State, at: Index) -> Hand:
    term = (1.0, column(state, "a"), scalar(state, "t2"))
    return normal_coefficient(scalar(state, "m"), scalar(state, "v"), term)


def _slope(state: State, at: Index) -> Hand:
    x = column(state, "x")
    left = column(state, "z") - _mean(state) + scalar(state, "b") * x
    return normal_coefficient(scalar(state, "m"), scalar(state, "v"), (x, left, 1.0))


CONDITIONALS = {"z": _latent, "a": _effect, "mu": _population, "b": _slope}
