"""Nested groups with additive effects: the school of pupil k is found through the class, school[g[k]].

Premises: y_k ~ N(mu + a_{g[k]} + u_{school[g[k]]}, sigma2), a_c ~ N(0, sigma2_a), u_i ~ N(0, sigma2_u).

a_c: L1 over the pupils with g[k] = c, d = 1, e_k = y_k - mu - u_{school[g[k]]}; prior N(0, sigma2_a).
u_i: L1 over the pupils with school[g[k]] = i, d = 1, e_k = y_k - mu - a_{g[k]}; prior N(0, sigma2_u).
mu: L1 over all pupils, e_k = y_k - a_{g[k]} - u_{school[g[k]]}; prior N(m, v).
sigma2_a: L3, e_c = a_c.   sigma2_u: L3, e_i = u_i.   sigma2: L3 over pupils.
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
from .nested_groups import SIZES

__all__ = ["CONDITIONALS", "MODEL", "SIZES", "log_joint", "random_state"]

MODEL = """
model nested_groups_composed

plates
  i = 1..n                     # schools
  c = 1..C                     # classes
  k = 1..K                     # pupils

given
  school : c -> i
  g : k -> c
  m
  v > 0
  q, r, q_a, r_a, q_u, r_u > 0

data
  y[k] ~ N(mu + a[g[k]] + u[school[g[k]]], sigma2)

process
  a[c] ~ N(0, sigma2_a)
  u[i] ~ N(0, sigma2_u)

parameters
  mu ~ N(m, v)
  sigma2_u ~ IG(q_u, r_u)
  sigma2_a ~ IG(q_a, r_a)
  sigma2 ~ IG(q, r)
"""


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: school, a (c); g, y (k); u (i); scalars."""
    return (
        size_state(sizes)
        | {"y": reals(rng, plate(sizes["K"]))}
        | {"a": reals(rng, plate(sizes["C"])), "u": reals(rng, plate(sizes["n"]))}
        | real_scalars(rng, "mu m")
        | positive_scalars(rng, "sigma2 sigma2_a sigma2_u v q r q_a r_a q_u r_u")
    )


def _classes(state: State) -> np.ndarray:
    """The class of each pupil, shape (K,)."""
    return column(state, "g").astype(int)


def _schools(state: State) -> np.ndarray:
    """The school of each pupil, shape (K,)."""
    return np.array([int(state["school"][(c,)]) for c in _classes(state)])


def _effects(state: State, name: str, labels: np.ndarray) -> np.ndarray:
    return np.array([state[name][(int(label),)] for label in labels])


def _residuals(state: State) -> np.ndarray:
    classes = _effects(state, "a", _classes(state))
    return column(state, "y") - scalar(state, "mu") - classes - _effects(state, "u", _schools(state))


def log_joint(state: State) -> float:
    """The sum of the seven log densities of the model."""
    sigma2, sigma2_a, sigma2_u = (scalar(state, f"sigma2{level}") for level in ("", "_a", "_u"))
    return (
        densities.normal(_residuals(state), 0.0, sigma2)
        + densities.normal(column(state, "a"), 0.0, sigma2_a)
        + densities.normal(column(state, "u"), 0.0, sigma2_u)
        + densities.normal(scalar(state, "mu"), scalar(state, "m"), scalar(state, "v"))
        + densities.inverse_gamma(sigma2, scalar(state, "q"), scalar(state, "r"))
        + densities.inverse_gamma(sigma2_a, scalar(state, "q_a"), scalar(state, "r_a"))
        + densities.inverse_gamma(sigma2_u, scalar(state, "q_u"), scalar(state, "r_u"))
    )


def _effect(name: str, labels_of):
    def conditional(state: State, at: Index) -> Hand:
        own = labels_of(state) == at[0]
        left = _residuals(state)[own] + state[name][at]
        return normal_coefficient(0.0, scalar(state, f"sigma2_{name}"), (1.0, left, scalar(state, "sigma2")))

    return conditional


def _mean(state: State, at: Index) -> Hand:
    term = (1.0, _residuals(state) + scalar(state, "mu"), scalar(state, "sigma2"))
    return normal_coefficient(scalar(state, "m"), scalar(state, "v"), term)


def _between(name: str):
    def conditional(state: State, at: Index) -> Hand:
        return variance(
            scalar(state, f"q_{name}"),
            scalar(state, f"r_{name}"),
            (column(state, name), 1.0),
        )

    return conditional


def _within(state: State, at: Index) -> Hand:
    return variance(scalar(state, "q"), scalar(state, "r"), (_residuals(state), 1.0))


CONDITIONALS = {
    "a": _effect("a", _classes),
    "u": _effect("u", _schools),
    "mu": _mean,
    "sigma2_u": _between("u"),
    "sigma2_a": _between("a"),
    "sigma2": _within,
}
