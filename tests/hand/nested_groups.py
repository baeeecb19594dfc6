"""Nested groups, hierarchically centred: pupils k in classes c in schools i.

Premises: y_k ~ N(a_{g[k]} + beta1 x_k, sigma2), a_c ~ N(u_{school[c]}, sigma2_a), u_i ~ N(mu, sigma2_u).

a_c: L1 over the pupils with g[k] = c, d = 1, e_k = y_k - beta1 x_k, w = sigma2; prior N(u_{school[c]}, sigma2_a).
u_i: L1 over the classes with school[c] = i, d = 1, e_c = a_c, w = sigma2_a; prior N(mu, sigma2_u). Pupils do not enter.
mu: L1 over schools.   beta1: L1, d = x_k, e_k = y_k - a_{g[k]}.
sigma2_u: L3, e_i = u_i - mu.   sigma2_a: L3, e_c = a_c - u_{school[c]}.   sigma2: L3 over pupils.
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
from .lemmas import normal_coefficient, variance

MODEL = """
model nested_groups

plates
  i = 1..n                     # schools
  c = 1..C                     # classes
  k = 1..K                     # pupils

given
  school : c -> i
  g : k -> c
  x[k]
  m
  m1
  v, v1 > 0
  q, r, q_a, r_a, q_u, r_u > 0

data
  y[k] ~ N(a[g[k]] + beta1 * x[k], sigma2)

process
  a[c] ~ N(u[school[c]], sigma2_a)
  u[i] ~ N(mu, sigma2_u)

parameters
  mu ~ N(m, v)
  beta1 ~ N(m1, v1)
  sigma2_u ~ IG(q_u, r_u)
  sigma2_a ~ IG(q_a, r_a)
  sigma2 ~ IG(q, r)
"""

SIZES: tuple[Sizes, ...] = (
    {"n": 2, "C": 4, "K": 7, "school": (1, 2, 1, 1), "g": (1, 2, 2, 4, 4, 4, 1)},
    {"n": 3, "C": 3, "K": 4, "school": (3, 3, 1), "g": (1, 3, 3, 1)},
    {"n": 1, "C": 1, "K": 1, "school": (1,), "g": (1,)},
)


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: school, a (c); g, x, y (k); u (i); scalars."""
    pupils = plate(sizes["K"])
    return (
        size_state(sizes)
        | {"x": reals(rng, pupils), "y": reals(rng, pupils)}
        | {"a": reals(rng, plate(sizes["C"])), "u": reals(rng, plate(sizes["n"]))}
        | real_scalars(rng, "beta1 mu m m1")
        | positive_scalars(rng, "sigma2 sigma2_a sigma2_u v v1 q r q_a r_a q_u r_u")
    )


def looked_up(state: State, name: str, labels: str) -> np.ndarray:
    """The element of a node that each label of a column points to."""
    return np.array([state[name][(int(label),)] for label in state[labels].values()])


def _pupil_residuals(state: State) -> np.ndarray:
    return column(state, "y") - looked_up(state, "a", "g") - scalar(state, "beta1") * column(state, "x")


def _class_deviations(state: State) -> np.ndarray:
    return column(state, "a") - looked_up(state, "u", "school")


def log_joint(state: State) -> float:
    """The sum of the eight log densities of the model."""
    mu, beta1 = scalar(state, "mu"), scalar(state, "beta1")
    sigma2, sigma2_a, sigma2_u = (scalar(state, f"sigma2{level}") for level in ("", "_a", "_u"))
    return (
        densities.normal(_pupil_residuals(state), 0.0, sigma2)
        + densities.normal(_class_deviations(state), 0.0, sigma2_a)
        + densities.normal(column(state, "u"), mu, sigma2_u)
        + densities.normal(mu, scalar(state, "m"), scalar(state, "v"))
        + densities.normal(beta1, scalar(state, "m1"), scalar(state, "v1"))
        + densities.inverse_gamma(sigma2, scalar(state, "q"), scalar(state, "r"))
        + densities.inverse_gamma(sigma2_a, scalar(state, "q_a"), scalar(state, "r_a"))
        + densities.inverse_gamma(sigma2_u, scalar(state, "q_u"), scalar(state, "r_u"))
    )


def _class(state: State, at: Index) -> Hand:
    pupils = members(state, "g", at[0])
    left = column(state, "y", pupils) - scalar(state, "beta1") * column(state, "x", pupils)
    prior_mean = state["u"][(int(state["school"][at]),)]
    return normal_coefficient(prior_mean, scalar(state, "sigma2_a"), (1.0, left, scalar(state, "sigma2")))


def _school(state: State, at: Index) -> Hand:
    classes = members(state, "school", at[0])
    term = (1.0, column(state, "a", classes), scalar(state, "sigma2_a"))
    return normal_coefficient(scalar(state, "mu"), scalar(state, "sigma2_u"), term)


def _mean(state: State, at: Index) -> Hand:
    term = (1.0, column(state, "u"), scalar(state, "sigma2_u"))
    return normal_coefficient(scalar(state, "m"), scalar(state, "v"), term)


def _slope(state: State, at: Index) -> Hand:
    term = (
        column(state, "x"),
        column(state, "y") - looked_up(state, "a", "g"),
        scalar(state, "sigma2"),
    )
    return normal_coefficient(scalar(state, "m1"), scalar(state, "v1"), term)


def _between_schools(state: State, at: Index) -> Hand:
    left = column(state, "u") - scalar(state, "mu")
    return variance(scalar(state, "q_u"), scalar(state, "r_u"), (left, 1.0))


def _between_classes(state: State, at: Index) -> Hand:
    return variance(scalar(state, "q_a"), scalar(state, "r_a"), (_class_deviations(state), 1.0))


def _within(state: State, at: Index) -> Hand:
    return variance(scalar(state, "q"), scalar(state, "r"), (_pupil_residuals(state), 1.0))


CONDITIONALS = {
    "a": _class,
    "u": _school,
    "mu": _mean,
    "beta1": _slope,
    "sigma2_u": _between_schools,
    "sigma2_a": _between_classes,
    "sigma2": _within,
}
