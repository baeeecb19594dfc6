"""Model G5 with the transform on the left, inv(Sigma) ~ Wish(...): the node is the precision matrix.

The density stated is that of Sigma^-1, with no Jacobian: the conditionals are those of wishart, Q = inv(Sigma).
The node drawn is named inv_Sigma here; the state holds it and Sigma = inv(inv_Sigma).
"""

from __future__ import annotations

import numpy as np

from . import wishart
from .common import Hand, Index, Sizes, State, constant, edited
from .regressions import SIZES

__all__ = ["CONDITIONALS", "MODEL", "SIZES", "log_joint", "random_state"]

MODEL = edited(
    wishart.MODEL,
    ("model wishart", "model wishart_transformed"),
    ("  Sigma = inv(Q)\n", ""),
    ("  Q ~ Wish", "  inv(Sigma) ~ Wish"),
)


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """As wishart, with inv_Sigma for Q, and Sigma."""
    state = wishart.random_state(rng, sizes)
    precision = state.pop("Q")[()]
    return state | {
        "inv_Sigma": constant(precision),
        "Sigma": constant(np.linalg.inv(precision)),
    }


def _renamed(state: State) -> State:
    return state | {"Q": state["inv_Sigma"]}


def log_joint(state: State) -> float:
    """The log joint of wishart; Sigma itself is not read."""
    return wishart.log_joint(_renamed(state))


def _from(node: str):
    def conditional(state: State, at: Index) -> Hand:
        return wishart.CONDITIONALS[node](_renamed(state), at)

    return conditional


CONDITIONALS = {
    "beta": _from("beta"),
    "mu": _from("mu"),
    "inv_Sigma": _from("Q"),
    "sigma2": _from("sigma2"),
}
