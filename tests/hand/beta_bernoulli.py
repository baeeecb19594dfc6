"""Beta prior on the probability of Bernoulli responses, a probability per individual.

Premises: y_ij ~ Bernoulli(theta_i), theta_i ~ Beta(a, b).

theta_i: theta^(a - 1 + sum_j y_ij) (1-theta)^(b - 1 + sum_j (1 - y_ij)): Beta(a + sum_j y_ij, b + J_i - sum_j y_ij).
With J_i = 0 the prior.
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
    ragged,
    rows_of,
    scalar,
    size_state,
)

MODEL = """
model beta_bernoulli

plates
  i = 1..n
  j = 1..J[i]

given
  a, b > 0

data
  y[i,j] ~ Bernoulli(theta[i])

parameters
  theta[i] ~ Beta(a, b)
"""

SIZES: tuple[Sizes, ...] = (
    {"n": 3, "J": (2, 5, 1)},
    {"n": 1, "J": (1,)},
    {"n": 3, "J": (3, 0, 2)},
)


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: y (i,j) in {0, 1}; theta (i); scalars."""
    data = {"y": {at: float(rng.integers(0, 2)) for at in ragged(sizes["J"])}}
    theta = {"theta": {at: float(rng.uniform(0.1, 0.9)) for at in plate(sizes["n"])}}
    return size_state(sizes) | data | theta | positive_scalars(rng, "a b")


def log_joint(state: State) -> float:
    """The sum of the log densities of the model; a Bernoulli is a binomial with one trial."""
    rows = sum(
        densities.binomial(column(state, "y", rows_of(state, at[0])), 1.0, theta)
        for at, theta in state["theta"].items()
    )
    return rows + densities.beta(column(state, "theta"), scalar(state, "a"), scalar(state, "b"))


def _probability(state: State, at: Index) -> Hand:
    responses = column(state, "y", rows_of(state, at[0]))
    ones = float(np.sum(responses))
    return Hand(
        "beta",
        {
            "a": scalar(state, "a") + ones,
            "b": scalar(state, "b") + len(responses) - ones,
        },
    )


CONDITIONALS = {"theta": _probability}
