"""Model G3 with vectors: beta_i ~ N(mu, diag(s_1, .., s_p)), a plate of variances.

Premises: y_ij ~ N(x_ij'beta_i, sigma2); s_c ~ IG(q_beta, r_beta), c = 1..p.

beta_i: L2, prior N(mu, diag(s)).   mu: L2 with W = diag(s), prior N(mu0, Sigma0).
s_c: the density of beta_i factors over c, and s_c is in the factor of (beta_i - mu)[c] alone: L3, e_i = (beta_i - mu)[c].
sigma2: L3.
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
    positives,
    scalar,
)
from .lemmas import variance
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
model diagonal_covariance

plates
  i = 1..n
  j = 1..J[i]
  c = 1..p

given
  x[i,j] : vector(p)
  mu0 : vector(p)
  Sigma0 : matrix(p,p)
  q, r, q_beta, r_beta > 0

data
  y[i,j] ~ N(x[i,j]' * beta[i], sigma2)

process
  beta[i] ~ N(mu, diag(s[:]))

parameters
  mu ~ N(mu0, Sigma0)
  s[c] ~ IG(q_beta, r_beta)
  sigma2 ~ IG(q, r)
"""


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: x (i,j)->(p,); y (i,j); beta (i)->(p,); mu (p,); s (c); scalars."""
    variances = {"s": positives(rng, plate(sizes["p"]))}
    return common_variance_state(rng, sizes) | variances | positive_scalars(rng, "q_beta r_beta")


def _spread(state: State) -> np.ndarray:
    return np.diag(column(state, "s"))


def log_joint(state: State) -> float:
    """The sum of the five log densities of the model."""
    return (
        densities.normal(all_residuals(state), 0.0, scalar(state, "sigma2"))
        + log_population(state, _spread(state))
        + densities.inverse_gamma(column(state, "s"), scalar(state, "q_beta"), scalar(state, "r_beta"))
        + densities.inverse_gamma(scalar(state, "sigma2"), scalar(state, "q"), scalar(state, "r"))
    )


def _coefficients(state: State, at: Index) -> Hand:
    return coefficients(state, at, _spread(state), scalar(state, "sigma2"))


def _mean(state: State, at: Index) -> Hand:
    return mean_of_coefficients(state, _spread(state))


def _between(state: State, at: Index) -> Hand:
    entries = deviations(state)[:, at[0] - 1]
    return variance(scalar(state, "q_beta"), scalar(state, "r_beta"), (entries, 1.0))


def _within(state: State, at: Index) -> Hand:
    return variance(scalar(state, "q"), scalar(state, "r"), (all_residuals(state), 1.0))


CONDITIONALS = {"beta": _coefficients, "mu": _mean, "s": _between, "sigma2": _within}
