"""A second likelihood term over some of the individuals, declared by a column s : b -> i of those it covers.

Premises: y_ij ~ N(beta0_i, sigma2); w_b ~ N(c0 + c1 beta0_{s[b]}, v_b), b = 1..B, v_b known; beta0_i ~ N(mu0, sigma2_0).

beta0_i: L1 with the J_i rows d = 1, e = y_ij, w = sigma2 and, for each b with s[b] = i, d = c1, e = w_b - c0, w = v_b.
mu0, sigma2_0: over all individuals.   sigma2: L3, rows of y only.
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
    members,
    plate,
    positive_scalars,
    positives,
    ragged,
    real_scalars,
    reals,
    rows_of,
    scalar,
    size_state,
)
from .lemmas import normal_coefficient, variance

MODEL = """
model subset_column

plates
  i = 1..n
  j = 1..J[i]
  b = 1..B                     # the individuals measured a second time

given
  s : b -> i
  v[b] > 0
  c0
  c1
  m
  v0 > 0
  q, r, q0, r0 > 0

data
  y[i,j] ~ N(beta0[i], sigma2)
  w[b] ~ N(c0 + c1 * beta0[s[b]], v[b])

process
  beta0[i] ~ N(mu0, sigma2_0)

parameters
  mu0 ~ N(m, v0)
  sigma2_0 ~ IG(q0, r0)
  sigma2 ~ IG(q, r)
"""

SIZES: tuple[Sizes, ...] = (
    {"n": 4, "J": (2, 1, 0, 3), "B": 2, "s": (3, 1)},
    {"n": 2, "J": (2, 2), "B": 1, "s": (2,)},
    {"n": 3, "J": (0, 4, 1), "B": 4, "s": (1, 2, 1, 1)},
)


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: y (i,j); s, v, w (b); beta0 (i); scalars."""
    seconds = plate(sizes["B"])
    return (
        size_state(sizes)
        | {"y": reals(rng, ragged(sizes["J"])), "beta0": reals(rng, plate(sizes["n"]))}
        | {"w": reals(rng, seconds), "v": positives(rng, seconds)}
        | real_scalars(rng, "mu0 c0 c1 m")
        | positive_scalars(rng, "sigma2 sigma2_0 v0 q r q0 r0")
    )


def first_residuals(state: State) -> np.ndarray:
    """y_ij - beta0_i, all rows."""
    return np.array([state["y"][(i, j)] - state["beta0"][(i,)] for i, j in cells(state)])


def log_first(state: State) -> float:
    """The log joint without the second term."""
    mu0, sigma2_0, sigma2 = (
        scalar(state, "mu0"),
        scalar(state, "sigma2_0"),
        scalar(state, "sigma2"),
    )
    return (
        densities.normal(first_residuals(state), 0.0, sigma2)
        + densities.normal(column(state, "beta0"), mu0, sigma2_0)
        + densities.normal(mu0, scalar(state, "m"), scalar(state, "v0"))
        + densities.inverse_gamma(sigma2_0, scalar(state, "q0"), scalar(state, "r0"))
        + densities.inverse_gamma(sigma2, scalar(state, "q"), scalar(state, "r"))
    )


def log_joint(state: State) -> float:
    """The sum of the six log densities of the model."""
    measured = np.array([state["beta0"][(int(i),)] for i in state["s"].values()])
    fitted = scalar(state, "c0") + scalar(state, "c1") * measured
    return log_first(state) + densities.normal(column(state, "w"), fitted, column(state, "v"))


def intercept_with(state: State, at: Index, seconds: list[Index]) -> Hand:
    """[beta0_i | .] with the second measurements given."""
    first = (1.0, column(state, "y", rows_of(state, at[0])), scalar(state, "sigma2"))
    left = column(state, "w", seconds) - scalar(state, "c0")
    second = (scalar(state, "c1"), left, column(state, "v", seconds))
    return normal_coefficient(scalar(state, "mu0"), scalar(state, "sigma2_0"), first, second)


def _intercept(state: State, at: Index) -> Hand:
    return intercept_with(state, at, members(state, "s", at[0]))


def mean(state: State, at: Index) -> Hand:
    """[mu0 | .]."""
    term = (1.0, column(state, "beta0"), scalar(state, "sigma2_0"))
    return normal_coefficient(scalar(state, "m"), scalar(state, "v0"), term)


def between(state: State, at: Index) -> Hand:
    """[sigma2_0 | .]."""
    left = column(state, "beta0") - scalar(state, "mu0")
    return variance(scalar(state, "q0"), scalar(state, "r0"), (left, 1.0))


def within(state: State, at: Index) -> Hand:
    """[sigma2 | .]."""
    return variance(scalar(state, "q"), scalar(state, "r"), (first_residuals(state), 1.0))


CONDITIONALS = {"beta0": _intercept, "mu0": mean, "sigma2_0": between, "sigma2": within}
