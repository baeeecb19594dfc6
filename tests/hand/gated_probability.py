"""A probability that a 0/1 variable switches on, and a mean of two kinds of rows.

Premises: y_k ~ Binomial(t_k, z_k p), z_k ~ Bernoulli(w), p ~ Unif(0, 1), w ~ Unif(0, 1);
x_k ~ N(m, (1 - z_k) a + z_k b), a ~ IG(q, r), b known.

p: where z_k = 1, p^y_k (1 - p)^(t_k - y_k); where z_k = 0, y_k = 0 and the factor is 1, so that y_k z_k = y_k:
   Beta(1 + sum y_k, 1 + sum z_k (t_k - y_k)).
w: Beta(1 + sum z_k, 1 + sum (1 - z_k)).
a: the rows with z_k = 0 alone: IG of shape q + sum (1 - z_k)/2 and scale 1/r + sum (1 - z_k) (x_k - m)^2/2.
z: by the two values of the joint density.
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

MODEL = """
model gated_probability

plates
  k = 1..K

given
  t[k] : integer >= 0
  m
  q, r, b > 0

data
  y[k] ~ Binomial(t[k], z[k] * p)
  x[k] ~ N(m, (1 - z[k]) * a + z[k] * b)

process
  z[k] ~ Bernoulli(w)

parameters
  p ~ Unif(0, 1)
  w ~ Unif(0, 1)
  a ~ IG(q, r)
"""

SIZES: tuple[Sizes, ...] = ({"K": 5}, {"K": 2})


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: counts only in rows that are switched on; a row that is on and has none."""
    rows = plate(sizes["K"])
    z = {at: float(place % 2) for place, at in enumerate(rows)}
    trials = {at: float(rng.integers(1, 6)) for at in rows}
    y = {at: float(rng.integers(0, trials[at] + 1)) if z[at] else 0.0 for at in rows}
    state = size_state(sizes) | {"z": z, "t": trials, "y": y, "x": reals(rng, rows)}
    probabilities = {name: {(): float(rng.uniform(0.1, 0.9))} for name in ("p", "w")}
    return state | probabilities | real_scalars(rng, "m") | positive_scalars(rng, "q r a b")


def _spread(state: State) -> np.ndarray:
    z = column(state, "z")
    return (1 - z) * scalar(state, "a") + z * scalar(state, "b")


def log_joint(state: State) -> float:
    """The log densities of y, x, z and a; those of p and w are 0."""
    z, w = column(state, "z"), scalar(state, "w")
    total = densities.normal(column(state, "x"), scalar(state, "m"), _spread(state))
    total += densities.inverse_gamma(scalar(state, "a"), scalar(state, "q"), scalar(state, "r"))
    on = z == 1  # a row that is off has no successes, for certain
    total += densities.binomial(column(state, "y")[on], column(state, "t")[on], scalar(state, "p"))
    return total + float(np.sum(z * np.log(w) + (1 - z) * np.log(1 - w)))


def _success(state: State, at: Index) -> Hand:
    y, z, t = (column(state, name) for name in "yzt")
    return Hand("beta", {"a": 1 + float(y.sum()), "b": 1 + float(np.sum(z * (t - y)))})


def _share(state: State, at: Index) -> Hand:
    z = column(state, "z")
    return Hand("beta", {"a": 1 + float(z.sum()), "b": 1 + float(np.sum(1 - z))})


def _variance(state: State, at: Index) -> Hand:
    off = 1 - column(state, "z")
    left = column(state, "x") - scalar(state, "m")
    scale = 1 / scalar(state, "r") + float(np.sum(off * left**2)) / 2
    return Hand("inverse_gamma", {"shape": scalar(state, "q") + float(off.sum()) / 2, "scale": scale})


CONDITIONALS = {"p": _success, "w": _share, "a": _variance}
