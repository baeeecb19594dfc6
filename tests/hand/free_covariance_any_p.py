"""Model G4 for any p: Sigma = diag(sigma) R diag(sigma), R ~ LKJ(eta), a plate of standard deviations.

Premises: sigma_c ~ Gamma(a, rate b), R has density prop. to |R|^(eta-1) over correlation matrices. With d_i = beta_i - mu,
S = sum d_i d_i', D = diag(sigma), M = R^-1:  log|Sigma| = 2 sum log sigma_c + log|R|,  sum d'Sigma^-1 d =
tr(M D^-1 S D^-1) = sum_ce M_ce S_ce/(sigma_c sigma_e).

sigma_c: sigma_c^(a-1-n) exp{-b sigma_c - M_cc S_cc/(2 sigma_c^2) - sum_{e != c} M_ce S_ce/(sigma_c sigma_e)}; in no family.
R: |R|^(eta-1-n/2) exp{-tr(R^-1 D^-1 S D^-1)/2} over correlation matrices; in no family. At p = 1, R = [1] and is fixed.
beta_i, mu: L2.   sigma2: L3.
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
    column,
    constant,
    correlation,
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
model free_covariance_any_p

plates
  i = 1..n
  j = 1..J[i]
  c = 1..p

given
  x[i,j] : vector(p)
  mu0 : vector(p)
  Sigma0 : matrix(p,p)
  q, r, a, b, eta > 0

data
  y[i,j] ~ N(x[i,j]' * beta[i], sigma2)

process
  beta[i] ~ N(mu, Sigma)
  Sigma = diag(sigma[:]) * R * diag(sigma[:])

parameters
  mu ~ N(mu0, Sigma0)
  sigma[c] ~ Gamma(shape=a, rate=b)
  R ~ LKJ(p, eta)
  sigma2 ~ IG(q, r)
"""


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: x (i,j)->(p,); y (i,j); beta (i)->(p,); mu (p,); sigma (c); R (p, p); scalars."""
    p = sizes["p"]
    covariance = {"sigma": positives(rng, plate(p)), "R": constant(correlation(rng, p))}
    return common_variance_state(rng, sizes) | covariance | positive_scalars(rng, "a b eta")


def _spread(state: State) -> np.ndarray:
    sds = column(state, "sigma")
    return np.outer(sds, sds) * scalar(state, "R")


def log_joint(state: State) -> float:
    """The sum of the six log densities of the model; LKJ without its constant, which eta fixes."""
    return (
        densities.normal(all_residuals(state), 0.0, scalar(state, "sigma2"))
        + log_population(state, _spread(state))
        + densities.gamma(column(state, "sigma"), scalar(state, "a"), scalar(state, "b"))
        + densities.lkj(scalar(state, "R"), scalar(state, "eta"))
        + densities.inverse_gamma(scalar(state, "sigma2"), scalar(state, "q"), scalar(state, "r"))
    )


def _coefficients(state: State, at: Index) -> Hand:
    return coefficients(state, at, _spread(state), scalar(state, "sigma2"))


def _mean(state: State, at: Index) -> Hand:
    return mean_of_coefficients(state, _spread(state))


def _sd(state: State, at: Index) -> Kernel:
    own, sds, d = at[0] - 1, column(state, "sigma"), deviations(state)
    weights = np.linalg.inv(scalar(state, "R"))[own] * (d.T @ d)[own]
    cross = np.sum(np.delete(weights / sds, own))
    a, b, n = scalar(state, "a"), scalar(state, "b"), len(d)
    return Kernel(lambda s: float((a - 1 - n) * np.log(s) - b * s - weights[own] / (2 * s**2) - cross / s))


def _correlation(state: State, at: Index) -> Kernel:
    scaled = deviations(state) / column(state, "sigma")
    power = scalar(state, "eta") - 1 - len(scaled) / 2

    def log_kernel(matrix: np.ndarray) -> float:
        trace = np.trace(np.linalg.inv(matrix) @ scaled.T @ scaled)
        return float(power * np.linalg.slogdet(matrix)[1] - trace / 2)

    return Kernel(log_kernel)


def _within(state: State, at: Index) -> Hand:
    return variance(scalar(state, "q"), scalar(state, "r"), (all_residuals(state), 1.0))


CONDITIONALS = {
    "beta": _coefficients,
    "mu": _mean,
    "sigma": _sd,
    "R": _correlation,
    "sigma2": _within,
}
