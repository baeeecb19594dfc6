"""Model G2 with the transform on the left, log(sigma[i]) ~ N(...): the node drawn is ell_i = log sigma_i.

The density stated is that of ell_i, with no Jacobian: the conditionals are those of random_log_sd_explicit.
The node drawn is named log_sigma here; the state holds it and sigma = exp(log_sigma).
"""

from __future__ import annotations

import numpy as np

from . import random_log_sd_explicit as explicit
from .common import Sizes, State, edited
from .regressions import SIZES

__all__ = ["CONDITIONALS", "MODEL", "SIZES", "log_joint", "random_state"]

MODEL = edited(
    explicit.MODEL,
    ("model random_log_sd_explicit", "model random_log_sd"),
    ("  ell[i] ~", "  log(sigma[i]) ~"),
    ("  sigma[i] = exp(ell[i])\n", ""),
)


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """As random_log_sd_explicit, with log_sigma for ell, and sigma."""
    state = explicit.random_state(rng, sizes)
    ell = state.pop("ell")
    return state | {
        "log_sigma": ell,
        "sigma": {at: float(np.exp(value)) for at, value in ell.items()},
    }


def _renamed(state: State) -> State:
    return state | {"ell": state["log_sigma"]}


def log_joint(state: State) -> float:
    """The log joint of random_log_sd_explicit; sigma itself is not read."""
    return explicit.log_joint(_renamed(state))


def _from(node: str):
    return lambda state, at: explicit.CONDITIONALS[node](_renamed(state), at)


CONDITIONALS = {("log_sigma" if node == "ell" else node): _from(node) for node in explicit.CONDITIONALS}
