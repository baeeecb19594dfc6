"""Beta prior on the probability of binomial counts.

Premises: y_k ~ Binomial(trials_k, theta), theta ~ Beta(a, b).

theta: prod theta^y_k (1-theta)^(trials_k - y_k) times theta^(a-1) (1-theta)^(b-1):
Beta(a + sum y_k, b + sum (trials_k - y_k)).
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
    constant,
    plate,
    positive_scalars,
    scalar,
    size_state,
)

MODEL = """
model beta_binomial

plates
  k = 1..K

given
  trials[k] : integer >= 0
  a, b > 0

data
  y[k] ~ Binomial(trials[k], theta)

parameters
  theta ~ Beta(a, b)
"""

SIZES: tuple[Sizes, ...] = ({"K": 4}, {"K": 1})


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: trials, y (k), y = 0 and y = trials among them; scalars."""
    rows = plate(sizes["K"])
    trials = {k: float(rng.integers(1, 7)) for k in rows}
    data = {
        "trials": trials,
        "y": {k: float(rng.integers(0, trials[k] + 1)) for k in rows},
    }
    theta = {"theta": constant(float(rng.uniform(0.1, 0.9)))}
    return size_state(sizes) | data | theta | positive_scalars(rng, "a b")


def log_joint(state: State) -> float:
    """The sum of the two log densities of the model."""
    theta = scalar(state, "theta")
    data = densities.binomial(column(state, "y"), column(state, "trials"), theta)
    return data + densities.beta(theta, scalar(state, "a"), scalar(state, "b"))


def _probability(state: State, at: Index) -> Hand:
    successes = np.sum(column(state, "y"))
    failures = np.sum(column(state, "trials")) - successes
    return Hand(
        "beta",
        {
            "a": float(scalar(state, "a") + successes),
            "b": float(scalar(state, "b") + failures),
        },
    )


CONDITIONALS = {"theta": _probability}
