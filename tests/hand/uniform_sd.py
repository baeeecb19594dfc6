"""A regression with a flat prior on the coefficients, standard deviations with uniform and flat priors.

Premises: y_k ~ N(x_k' b, s^2), b flat on R^p, s ~ Unif(0, u); z_k ~ N(m, t^2), t flat on (0, inf); K >= 2.

b: the data alone: precision X'X/s^2, mean the least-squares fit.
s: each row gives s^-1 exp(-(y_k - x_k' b)^2 / (2 s^2)): s^-K exp(-S / (2 s^2)) on (0, u).  With v = s^2 and
   ds = dv / (2 sqrt v), v has v^-((K-1)/2 + 1) exp(-S / (2 v)): the root of an IG of shape (K-1)/2 and scale S/2.
t: the same with the residuals from m, on (0, inf).
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
    vectors,
)

MODEL = """
model uniform_sd

plates
  k = 1..K

given
  K : integer >= 2
  x[k] : vector(p)
  m
  u > 0

data
  y[k] ~ Normal(x[k]' * b, sd=s)
  z[k] ~ Normal(m, sd=t)

parameters
  b ~ Flat(p)
  s ~ Unif(0, u)
  t ~ Flat() T(0, inf)
"""

SIZES: tuple[Sizes, ...] = ({"K": 5, "p": 2}, {"K": 3, "p": 1})


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: y, z, x (k); s in (0, u); scalars."""
    rows = plate(sizes["K"])
    state = size_state(sizes) | {"y": reals(rng, rows), "z": reals(rng, rows)}
    state |= {"x": vectors(rng, rows, sizes["p"]), "b": vectors(rng, [()], sizes["p"])}
    state |= real_scalars(rng, "m") | positive_scalars(rng, "s t u")
    state["u"] = {(): 20.0 + scalar(state, "u")}
    return state


def _left(state: State) -> np.ndarray:
    return column(state, "y") - column(state, "x") @ state["b"][()]


def log_joint(state: State) -> float:
    """The log densities of y, z and s; those of b and t are flat."""
    s, t, u = scalar(state, "s"), scalar(state, "t"), scalar(state, "u")
    if not (0 < s < u and t > 0):
        return -np.inf
    data = densities.normal(_left(state), 0.0, s**2)
    return (
        data + densities.normal(column(state, "z"), scalar(state, "m"), t**2) + densities.uniform(s, 0.0, u)
    )


def _coefficients(state: State, at: Index) -> Hand:
    x, y = column(state, "x"), column(state, "y")
    inner = np.linalg.inv(x.T @ x)
    return Hand("mvnormal", {"mean": inner @ x.T @ y, "cov": inner * scalar(state, "s") ** 2})


def _root(left: np.ndarray) -> dict:
    return {"shape": (len(left) - 1) / 2, "scale": float(np.sum(left**2) / 2)}


def _cut(state: State, at: Index) -> Hand:
    return Hand("sqrt_inverse_gamma", {**_root(_left(state)), "lower": 0.0, "upper": scalar(state, "u")})


def _whole(state: State, at: Index) -> Hand:
    return Hand("sqrt_inverse_gamma", _root(column(state, "z") - scalar(state, "m")))


CONDITIONALS = {"b": _coefficients, "s": _cut, "t": _whole}
