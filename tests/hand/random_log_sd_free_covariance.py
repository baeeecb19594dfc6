"""G2 crossed with G4: log sigma_i normal, and a free 2 x 2 covariance of the coefficients.

Premises: y_ij ~ N(x_ij'beta_i, sigma_i^2), log sigma_i = ell_i ~ N(mu_sigma, sigma2_sigma), beta_i ~ N(mu, Sigma(s0, s1, rho)).

beta_i: L2 with W = exp(2 ell_i) I and prior N(mu, Sigma).  ell_i, mu_sigma, sigma2_sigma: as in random_log_sd_explicit.
mu, s0, s1, rho: as in free_covariance.
"""

from __future__ import annotations

import numpy as np

from . import free_covariance
from . import random_log_sd_explicit as log_sd
from .common import Hand, Index, Sizes, State, edited
from .regressions import SIZES_TWO as SIZES
from .regressions import coefficients, log_population

__all__ = ["CONDITIONALS", "MODEL", "SIZES", "log_joint", "random_state"]

MODEL = edited(
    free_covariance.MODEL,
    ("model free_covariance", "model random_log_sd_free_covariance"),
    ("beta[i], sigma2)", "beta[i], sigma[i]^2)"),
    ("  q, r > 0", "  m\n  v > 0\n  q, r > 0"),
    (
        "  beta[i] ~",
        "  ell[i] ~ N(mu_sigma, sigma2_sigma)\n  sigma[i] = exp(ell[i])\n  beta[i] ~",
    ),
    ("  sigma2 ~ IG(q, r)", "  mu_sigma ~ N(m, v)\n  sigma2_sigma ~ IG(q, r)"),
)


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: data and ell as random_log_sd_explicit, covariance as free_covariance."""
    return log_sd.log_sd_state(rng, sizes) | free_covariance.covariance_state(rng)


def log_joint(state: State) -> float:
    """The sum of the log densities of the model."""
    population = log_population(state, free_covariance.spread(state))
    return log_sd.log_data(state) + population + free_covariance.log_prior(state)


def _coefficients(state: State, at: Index) -> Hand:
    return coefficients(state, at, free_covariance.spread(state), np.exp(2 * state["ell"][at]))


CONDITIONALS = {"beta": _coefficients} | log_sd.LOG_SD_CONDITIONALS | free_covariance.COVARIANCE_CONDITIONALS
