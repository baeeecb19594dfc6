"""A gamma prior on the rate of a gamma population of Poisson rates.

Premises: y_k ~ Pois(e_k theta_{g[k]}), theta_i ~ Gamma(a, rate b), b ~ Gamma(c, rate d); a, c, d known.

theta_i: over the rows with g[k] = i, theta^(a-1+sum y_k) exp(-(b + sum e_k) theta): Gamma(a + sum y_k, rate b + sum e_k).
b: each theta_i gives b^a exp(-b theta_i): Gamma(c + n a, rate d + sum theta_i).
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
    counts,
    members,
    plate,
    positive_scalars,
    positives,
    scalar,
    size_state,
)
from .nested_groups import looked_up

MODEL = """
model gamma_rate

plates
  i = 1..n
  k = 1..K

given
  g : k -> i
  e[k] > 0
  a, c, d > 0

data
  y[k] ~ Pois(e[k] * theta[g[k]])

process
  theta[i] ~ Gamma(shape=a, rate=b)

parameters
  b ~ Gamma(shape=c, rate=d)
"""

SIZES: tuple[Sizes, ...] = (
    {"n": 4, "K": 6, "g": (1, 4, 1, 2, 1, 4)},
    {"n": 1, "K": 1, "g": (1,)},
)


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: g, e, y (k); theta (i); scalars."""
    rows = plate(sizes["K"])
    return (
        size_state(sizes)
        | {
            "e": positives(rng, rows),
            "y": counts(rng, rows),
            "theta": positives(rng, plate(sizes["n"])),
        }
        | positive_scalars(rng, "a b c d")
    )


def log_joint(state: State) -> float:
    """The sum of the three log densities of the model."""
    rates = column(state, "e") * looked_up(state, "theta", "g")
    return (
        densities.poisson(column(state, "y"), rates)
        + densities.gamma(column(state, "theta"), scalar(state, "a"), scalar(state, "b"))
        + densities.gamma(scalar(state, "b"), scalar(state, "c"), scalar(state, "d"))
    )


def _rate(state: State, at: Index) -> Hand:
    rows = members(state, "g", at[0])
    shape = scalar(state, "a") + np.sum(column(state, "y", rows))
    rate = scalar(state, "b") + np.sum(column(state, "e", rows))
    return Hand("gamma", {"shape": float(shape), "rate": float(rate)})


def _population_rate(state: State, at: Index) -> Hand:
    rates = column(state, "theta")
    shape = scalar(state, "c") + len(rates) * scalar(state, "a")
    return Hand(
        "gamma",
        {"shape": float(shape), "rate": float(scalar(state, "d") + np.sum(rates))},
    )


CONDITIONALS = {"theta": _rate, "b": _population_rate}
