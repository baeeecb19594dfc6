"""Model G5: a Wishart prior on the precision matrix of the coefficients.

Premises: y_ij ~ N(x_ij'beta_i, sigma2), beta_i ~ N(mu, Q^-1), Q ~ Wish((nu S)^-1, nu), so that E Q = S^-1.

beta_i, mu: L2 as in all_random, with Q^-1 for the covariance.
Q: L4 with V^-1 = nu S: Wish((nu S + sum d_i d_i')^-1, nu + n), d_i = beta_i - mu.   sigma2: L3.
"""

from __future__ import annotations

import numpy as np

from . import densities
from .common import Hand, Index, Sizes, State, constant, scalar, spd
from .lemmas import precision_matrix, variance
from .regressions import (
    SIZES,
    all_residuals,
    coefficients,
    common_variance_state,
    deviations,
    log_population,
    mean_of_coefficients,
)

__all__ = ["CONDITIONALS", "MODEL", "SIZES", "log_joint", "random_state"]

MODEL = """
model wishart

plates
  i = 1..n
  j = 1..J[i]

given
  x[i,j] : vector(p)
  mu0 : vector(p)
  Sigma0 : matrix(p,p)
  S : matrix(p,p)
  nu > p - 1
  q, r > 0

data
  y[i,j] ~ N(x[i,j]' * beta[i], sigma2)

process
  beta[i] ~ N(mu, Sigma)
  Sigma = inv(Q)

parameters
  mu ~ N(mu0, Sigma0)
  Q ~ Wish(inv(nu * S), nu)
  sigma2 ~ IG(q, r)
"""


def wishart_state(rng: np.random.Generator, p: int) -> State:
    """Q, S, shape (p, p), and nu > p - 1."""
    return {
        "Q": constant(spd(rng, p)),
        "S": constant(spd(rng, p)),
        "nu": constant(p - 1 + float(rng.uniform(0.3, 4.0))),
    }


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: x (i,j)->(p,); y (i,j); beta (i)->(p,); mu (p,); Q, S (p, p); scalars."""
    return common_variance_state(rng, sizes) | wishart_state(rng, sizes["p"])


def log_prior_precision(state: State) -> float:
    """The log density of Q."""
    nu = scalar(state, "nu")
    return densities.wishart(scalar(state, "Q"), np.linalg.inv(nu * scalar(state, "S")), nu)


def log_joint(state: State) -> float:
    """The sum of the five log densities of the model."""
    sigma2 = scalar(state, "sigma2")
    return (
        densities.normal(all_residuals(state), 0.0, sigma2)
        + log_population(state, np.linalg.inv(scalar(state, "Q")))
        + log_prior_precision(state)
        + densities.inverse_gamma(sigma2, scalar(state, "q"), scalar(state, "r"))
    )


def _coefficients(state: State, at: Index) -> Hand:
    return coefficients(state, at, np.linalg.inv(scalar(state, "Q")), scalar(state, "sigma2"))


def mean(state: State, at: Index) -> Hand:
    """[mu | .]."""
    return mean_of_coefficients(state, np.linalg.inv(scalar(state, "Q")))


def precision(state: State, at: Index) -> Hand:
    """[Q | .]."""
    nu = scalar(state, "nu")
    return precision_matrix(np.linalg.inv(nu * scalar(state, "S")), nu, deviations(state))


def _within(state: State, at: Index) -> Hand:
    return variance(scalar(state, "q"), scalar(state, "r"), (all_residuals(state), 1.0))


CONDITIONALS = {"beta": _coefficients, "mu": mean, "Q": precision, "sigma2": _within}
