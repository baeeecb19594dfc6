"""Model G6 under G5: Poisson responses, Wishart prior on the precision matrix of the coefficients.

Premises: y_ij ~ Pois(z_ij), log z_ij = x_ij'beta_i, beta_i ~ N(mu, Q^-1), Q ~ Wish((nu S)^-1, nu).

beta_i: as in poisson_exchangeable with Q for the inverse covariance; in no family.   mu, Q: as in wishart.
"""

from __future__ import annotations

import numpy as np

from . import wishart
from .common import Index, Kernel, Sizes, State, edited, scalar
from .regressions import (
    SIZES,
    log_counts,
    log_population,
    poisson_kernel,
    poisson_state,
)

__all__ = ["CONDITIONALS", "MODEL", "SIZES", "log_joint", "random_state"]

MODEL = edited(
    wishart.MODEL,
    ("model wishart", "model poisson_wishart"),
    ("  q, r > 0\n", ""),
    ("y[i,j] ~ N(x[i,j]' * beta[i], sigma2)", "y[i,j] ~ Pois(z[i,j])"),
    ("  beta[i] ~", "  log(z[i,j]) = x[i,j]' * beta[i]\n  beta[i] ~"),
    ("  sigma2 ~ IG(q, r)\n", ""),
)


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: x (i,j)->(p,); counts y (i,j); beta (i)->(p,); mu (p,); Q, S (p, p); nu."""
    return poisson_state(rng, sizes) | wishart.wishart_state(rng, sizes["p"])


def log_joint(state: State) -> float:
    """The sum of the four log densities of the model."""
    population = log_population(state, np.linalg.inv(scalar(state, "Q")))
    return log_counts(state) + population + wishart.log_prior_precision(state)


def _coefficients(state: State, at: Index) -> Kernel:
    return Kernel(poisson_kernel(state, at, scalar(state, "Q")))


CONDITIONALS = {"beta": _coefficients, "mu": wishart.mean, "Q": wishart.precision}
