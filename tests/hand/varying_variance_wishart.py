"""G1 crossed with G5: a data variance per individual and a Wishart prior on the precision matrix.

Premises: y_ij ~ N(x_ij'beta_i, sigma2_i), beta_i ~ N(mu, Q^-1), Q ~ Wish((nu S)^-1, nu), sigma2_i ~ IG(q, r).

beta_i: L2 with W = sigma2_i I, prior N(mu, Q^-1).  mu, Q: as in wishart.  sigma2_i: as in varying_variance.
"""

from __future__ import annotations

import numpy as np

from . import varying_variance, wishart
from .common import Hand, Index, Sizes, State, edited, scalar
from .regressions import SIZES, coefficients, log_population, varying_variance_state

__all__ = ["CONDITIONALS", "MODEL", "SIZES", "log_joint", "random_state"]

MODEL = edited(
    wishart.MODEL,
    ("model wishart", "model varying_variance_wishart"),
    ("beta[i], sigma2)", "beta[i], sigma2[i])"),
    ("sigma2 ~ IG(q, r)", "sigma2[i] ~ IG(q, r)"),
)


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: as wishart, with sigma2 (i)."""
    return varying_variance_state(rng, sizes) | wishart.wishart_state(rng, sizes["p"])


def log_joint(state: State) -> float:
    """The sum of the log densities of the model."""
    population = log_population(state, np.linalg.inv(scalar(state, "Q")))
    return varying_variance.log_data(state) + population + wishart.log_prior_precision(state)


def _coefficients(state: State, at: Index) -> Hand:
    return coefficients(state, at, np.linalg.inv(scalar(state, "Q")), state["sigma2"][at])


CONDITIONALS = {
    "beta": _coefficients,
    "mu": wishart.mean,
    "Q": wishart.precision,
    "sigma2": varying_variance.within,
}
