"""Model C as the notes write it: p = 2 and the correlation matrix spelt out.

Premises and conditionals of all_random at p = 2, where they become
sigma2_beta: shape n + q_beta.
rho: (1-rho^2)^(-n/2) exp{-(a - 2 rho c)/(2 s (1-rho^2))} on (-1, 1), a = sum d_i'd_i, c = sum d_i0 d_i1,
    for R^-1 = [1, -rho; -rho, 1]/(1-rho^2) and |R| = 1-rho^2.
"""

from __future__ import annotations

import numpy as np

from .all_random import CONDITIONALS as ANY_P
from .all_random import MODEL as MODEL_ANY_P
from .all_random import log_joint, random_state
from .common import Hand, Index, Kernel, State, edited, scalar
from .regressions import SIZES_TWO as SIZES
from .regressions import deviations

__all__ = ["CONDITIONALS", "MODEL", "SIZES", "log_joint", "random_state"]

MODEL = edited(
    MODEL_ANY_P,
    ("model all_random", "model all_random_two"),
    ("  R = exchangeable(rho, p)\n", ""),
    ("sigma2_beta * R", "sigma2_beta * [1, rho; rho, 1]"),
    ("Unif(-1/max(p-1,1), 1)", "Unif(-1, 1)"),
    ("vector(p)", "vector(2)"),
    ("matrix(p,p)", "matrix(2,2)"),
    ("eye(p)", "eye(2)"),
)


def _scale(state: State, at: Index) -> Hand:
    d, rho = deviations(state), scalar(state, "rho")
    quadratic = np.sum(d[:, 0] ** 2 + d[:, 1] ** 2 - 2 * rho * d[:, 0] * d[:, 1]) / (1 - rho**2)
    rate = 1 / scalar(state, "r_beta") + quadratic / 2
    return Hand(
        "inverse_gamma",
        {"shape": len(d) + scalar(state, "q_beta"), "scale": float(rate)},
    )


def _correlation(state: State, at: Index) -> Kernel:
    d, s = deviations(state), scalar(state, "sigma2_beta")
    a, c = np.sum(d**2), np.sum(d[:, 0] * d[:, 1])

    def log_kernel(rho: float) -> float:
        left = 1 - rho**2
        return float(-len(d) / 2 * np.log(left) - (a - 2 * rho * c) / (2 * s * left)) if left > 0 else -np.inf

    return Kernel(log_kernel)


CONDITIONALS = ANY_P | {"sigma2_beta": _scale, "rho": _correlation}
