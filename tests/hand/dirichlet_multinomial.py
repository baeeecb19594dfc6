"""Dirichlet prior on the probabilities of multinomial counts, a vector of probabilities per group.

Premises: y_k ~ Multinomial(trials_k, theta_{g[k]}), theta_i ~ Dirichlet(alpha), alpha a known vector.

theta_i: prod_c theta_c^(alpha_c - 1 + sum_k y_kc) over the rows with g[k] = i: Dirichlet(alpha + sum y_k).
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
    members,
    plate,
    scalar,
    size_state,
)

MODEL = """
model dirichlet_multinomial

plates
  i = 1..n
  k = 1..K

given
  g : k -> i
  trials[k] : integer >= 0
  alpha : vector(p) > 0

data
  y[k] ~ Multinomial(trials[k], theta[g[k]])

parameters
  theta[i] ~ Dirichlet(alpha)
"""

SIZES: tuple[Sizes, ...] = (
    {"n": 3, "K": 4, "g": (1, 3, 1, 3), "p": 3},
    {"n": 1, "K": 1, "g": (1,), "p": 2},
    {"n": 2, "K": 3, "g": (1, 2, 2), "p": 5},
)


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: g, trials (k); y (k)->(p,); theta (i)->(p,) on the simplex; alpha (p,)."""
    rows, p = plate(sizes["K"]), sizes["p"]
    y = {k: rng.poisson(1.5, size=p).astype(float) + (np.arange(p) == 0) for k in rows}
    return size_state(sizes) | {
        "y": y,
        "trials": {k: float(np.sum(value)) for k, value in y.items()},
        "theta": {i: rng.dirichlet(np.full(p, 4.0)) for i in plate(sizes["n"])},
        "alpha": constant(np.exp(rng.normal(0.1, 0.5, size=p))),
    }


def log_joint(state: State) -> float:
    """The sum of the log densities of the model."""
    alpha = scalar(state, "alpha")
    rows = sum(densities.multinomial(y, state["theta"][(int(state["g"][k]),)]) for k, y in state["y"].items())
    return rows + sum(densities.dirichlet(theta, alpha) for theta in state["theta"].values())


def _probabilities(state: State, at: Index) -> Hand:
    total = np.sum(column(state, "y", members(state, "g", at[0])), axis=0)
    return Hand("dirichlet", {"concentration": scalar(state, "alpha") + total})


CONDITIONALS = {"theta": _probabilities}
