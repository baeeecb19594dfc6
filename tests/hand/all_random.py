"""Model C for any p: every coefficient random, exchangeable correlation.

Premises: y_ij ~ N(x_ij'beta_i, sigma2), beta_i ~ N(mu, s R), s = sigma2_beta, R = exchangeable(rho, p),
rho ~ Unif(-1/max(p-1, 1), 1), the interval on which R is positive definite.

beta_i: L2, D = X_i, e = y_i, W = sigma2 I; prior N(mu, s R).   mu: L2, D = I, e_i = beta_i, W = s R.
sigma2_beta: L3 with n vectors of length p: shape q_beta + np/2, scale 1/r_beta + sum d_i'R^-1 d_i/2, d_i = beta_i - mu.
sigma2: L3 over the sum J_i rows.   rho: L5, in no family. At p = 1, R = 1 and rho keeps its prior.
"""

from __future__ import annotations

import numpy as np

from . import densities
from .common import (
    Hand,
    Index,
    Kernel,
    Sizes,
    State,
    constant,
    exchangeable_rho,
    positive_scalars,
    scalar,
)
from .lemmas import exchangeable, exchangeable_kernel, scale_of_covariance, variance
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
model all_random

plates
  i = 1..n
  j = 1..J[i]

given
  x[i,j] : vector(p)
  mu0 : vector(p) = 0
  Sigma0 : matrix(p,p) = 1e4 * eye(p)
  q, r, q_beta, r_beta > 0

data
  y[i,j] ~ N(x[i,j]' * beta[i], sigma2)

process
  beta[i] ~ N(mu, Sigma)
  Sigma = sigma2_beta * R
  R = exchangeable(rho, p)

parameters
  mu ~ N(mu0, Sigma0)
  sigma2_beta ~ IG(q_beta, r_beta)
  rho ~ Unif(-1/max(p-1,1), 1)
  sigma2 ~ IG(q, r)
"""


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: x (i,j)->(p,); y (i,j); beta (i)->(p,); mu (p,); scalars."""
    rho = {"rho": constant(exchangeable_rho(rng, sizes["p"]))}
    return common_variance_state(rng, sizes) | rho | positive_scalars(rng, "sigma2_beta q_beta r_beta")


def spread(state: State) -> np.ndarray:
    """Sigma = sigma2_beta R(rho), shape (p, p)."""
    return scalar(state, "sigma2_beta") * exchangeable(scalar(state, "p"), scalar(state, "rho"))


def log_joint(state: State) -> float:
    """The sum of the six log densities of the model."""
    low = -1 / max(scalar(state, "p") - 1, 1)
    return (
        densities.normal(all_residuals(state), 0.0, scalar(state, "sigma2"))
        + log_population(state, spread(state))
        + densities.inverse_gamma(
            scalar(state, "sigma2_beta"),
            scalar(state, "q_beta"),
            scalar(state, "r_beta"),
        )
        + densities.uniform(scalar(state, "rho"), low, 1.0)
        + densities.inverse_gamma(scalar(state, "sigma2"), scalar(state, "q"), scalar(state, "r"))
    )


def _coefficients(state: State, at: Index) -> Hand:
    return coefficients(state, at, spread(state), scalar(state, "sigma2"))


def mean(state: State, at: Index) -> Hand:
    """[mu | .]."""
    return mean_of_coefficients(state, spread(state))


def scale(state: State, at: Index) -> Hand:
    """[sigma2_beta | .]."""
    fixed = exchangeable(scalar(state, "p"), scalar(state, "rho"))
    return scale_of_covariance(scalar(state, "q_beta"), scalar(state, "r_beta"), deviations(state), fixed)


def correlation(state: State, at: Index) -> Kernel:
    """[rho | .]."""
    return Kernel(exchangeable_kernel(scalar(state, "p"), deviations(state), scalar(state, "sigma2_beta")))


def within(state: State, at: Index) -> Hand:
    """[sigma2 | .]."""
    return variance(scalar(state, "q"), scalar(state, "r"), (all_residuals(state), 1.0))


CONDITIONALS = {
    "beta": _coefficients,
    "mu": mean,
    "sigma2_beta": scale,
    "rho": correlation,
    "sigma2": within,
}
