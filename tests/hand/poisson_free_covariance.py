"""Model G6 under G4: Poisson responses, free 2 x 2 covariance of the coefficients.

Premises: y_ij ~ Pois(z_ij), log z_ij = x_ij'beta_i, beta_i ~ N(mu, Sigma(s0, s1, rho)).

beta_i: as in poisson_exchangeable with Sigma; in no family.   mu, s0, s1, rho: as in free_covariance.
"""

from __future__ import annotations

import numpy as np

from . import free_covariance
from .common import Index, Kernel, Sizes, State, edited
from .regressions import SIZES_TWO as SIZES
from .regressions import log_counts, log_population, poisson_kernel, poisson_state

__all__ = ["CONDITIONALS", "MODEL", "SIZES", "log_joint", "random_state"]

MODEL = edited(
    free_covariance.MODEL,
    ("model free_covariance", "model poisson_free_covariance"),
    ("  q, r > 0\n", ""),
    ("y[i,j] ~ N(x[i,j]' * beta[i], sigma2)", "y[i,j] ~ Pois(z[i,j])"),
    ("  beta[i] ~", "  log(z[i,j]) = x[i,j]' * beta[i]\n  beta[i] ~"),
    ("  sigma2 ~ IG(q, r)\n", ""),
)


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: x (i,j)->(2,); counts y (i,j); beta (i)->(2,); mu (2,); scalars."""
    return poisson_state(rng, sizes) | free_covariance.covariance_state(rng)


def log_joint(state: State) -> float:
    """The sum of the log densities of the model."""
    population = log_population(state, free_covariance.spread(state))
    return log_counts(state) + population + free_covariance.log_prior(state)


def _coefficients(state: State, at: Index) -> Kernel:
    return Kernel(poisson_kernel(state, at, np.linalg.inv(free_covariance.spread(state))))


CONDITIONALS = {"beta": _coefficients} | free_covariance.COVARIANCE_CONDITIONALS
