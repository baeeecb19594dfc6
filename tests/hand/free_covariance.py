"""Model G4 at p = 2: a free covariance matrix through two standard deviations and a correlation.

Premises: y_ij ~ N(x_ij'beta_i, sigma2), beta_i ~ N(mu, Sigma), Sigma = [s0^2, s0 s1 rho; s0 s1 rho, s1^2],
s0 ~ Gamma(a0, rate b0), s1 ~ Unif(0, u1), rho ~ Unif(-1, 1). With d_i = beta_i - mu, A = sum d_i0^2, B = sum d_i1^2,
C = sum d_i0 d_i1:  |Sigma| = s0^2 s1^2 (1-rho^2), and

    sum d_i'Sigma^-1 d_i = [A/s0^2 - 2 rho C/(s0 s1) + B/s1^2] / (1-rho^2).

beta_i, mu: L2.   sigma2: L3.
s0: s0^-n exp{-[A/s0^2 - 2 rho C/(s0 s1)]/(2(1-rho^2))} times the prior. Both s0^-2 and s0^-1 occur: no family in s0, nor
    in s0^2.   s1: the same with B and its own prior.
rho: (1-rho^2)^(-n/2) exp{-[...]/(2(1-rho^2))} on (-1, 1).
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
    positive_scalars,
    scalar,
)
from .lemmas import variance
from .regressions import SIZES_TWO as SIZES
from .regressions import (
    all_residuals,
    coefficients,
    common_variance_state,
    deviations,
    log_population,
    mean_of_coefficients,
)

__all__ = ["CONDITIONALS", "MODEL", "SIZES", "log_joint", "random_state"]

MODEL = """
model free_covariance

plates
  i = 1..n
  j = 1..J[i]

given
  x[i,j] : vector(2)
  mu0 : vector(2)
  Sigma0 : matrix(2,2)
  q, r > 0
  a0, b0, u1 > 0

data
  y[i,j] ~ N(x[i,j]' * beta[i], sigma2)

process
  beta[i] ~ N(mu, Sigma)
  Sigma = [sigma0^2, sigma0*sigma1*rho; sigma0*sigma1*rho, sigma1^2]

parameters
  mu ~ N(mu0, Sigma0)
  sigma0 ~ Gamma(shape=a0, rate=b0)
  sigma1 ~ Unif(0, u1)
  rho ~ Unif(-1, 1)
  sigma2 ~ IG(q, r)
"""


def covariance_state(rng: np.random.Generator) -> State:
    """sigma0 > 0, sigma1 in (0, 2) and below every u1, rho in (-1, 1), and the hyperparameters."""
    bounded = {
        "sigma1": constant(float(rng.uniform(0.3, 1.9))),
        "u1": constant(2.0 + float(rng.uniform())),
        "rho": constant(float(rng.uniform(-0.9, 0.9))),
    }
    return bounded | positive_scalars(rng, "sigma0 a0 b0")


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: x (i,j)->(2,); y (i,j); beta (i)->(2,); mu (2,); scalars."""
    return common_variance_state(rng, sizes) | covariance_state(rng)


def spread(state: State) -> np.ndarray:
    """Sigma, shape (2, 2)."""
    s0, s1 = scalar(state, "sigma0"), scalar(state, "sigma1")
    cross = s0 * s1 * scalar(state, "rho")
    return np.array([[s0**2, cross], [cross, s1**2]])


def log_prior(state: State) -> float:
    """The log densities of sigma0, sigma1 and rho."""
    return (
        densities.gamma(scalar(state, "sigma0"), scalar(state, "a0"), scalar(state, "b0"))
        + densities.uniform(scalar(state, "sigma1"), 0.0, scalar(state, "u1"))
        + densities.uniform(scalar(state, "rho"), -1.0, 1.0)
    )


def log_joint(state: State) -> float:
    """The sum of the seven log densities of the model."""
    sigma2 = scalar(state, "sigma2")
    return (
        densities.normal(all_residuals(state), 0.0, sigma2)
        + log_population(state, spread(state))
        + log_prior(state)
        + densities.inverse_gamma(sigma2, scalar(state, "q"), scalar(state, "r"))
    )


def _coefficients(state: State, at: Index) -> Hand:
    return coefficients(state, at, spread(state), scalar(state, "sigma2"))


def mean(state: State, at: Index) -> Hand:
    """[mu | .]."""
    return mean_of_coefficients(state, spread(state))


def sums(state: State) -> tuple[int, float, float, float]:
    """n, A, B, C of the module's docstring."""
    d = deviations(state)
    return (
        len(d),
        float(d[:, 0] @ d[:, 0]),
        float(d[:, 1] @ d[:, 1]),
        float(d[:, 0] @ d[:, 1]),
    )


def first_sd(state: State, at: Index) -> Kernel:
    """[sigma0 | .]."""
    n, a, _, c = sums(state)
    s1, rho = scalar(state, "sigma1"), scalar(state, "rho")
    shape, rate = scalar(state, "a0"), scalar(state, "b0")

    def log_kernel(s0: float) -> float:
        quadratic = (a / s0**2 - 2 * rho * c / (s0 * s1)) / (1 - rho**2)
        return float((shape - 1 - n) * np.log(s0) - rate * s0 - quadratic / 2) if s0 > 0 else -np.inf

    return Kernel(log_kernel)


def second_sd(state: State, at: Index) -> Kernel:
    """[sigma1 | .]."""
    n, _, b, c = sums(state)
    s0, rho, high = scalar(state, "sigma0"), scalar(state, "rho"), scalar(state, "u1")

    def log_kernel(s1: float) -> float:
        if not 0 < s1 < high:
            return -np.inf
        return float(-n * np.log(s1) - (b / s1**2 - 2 * rho * c / (s0 * s1)) / (2 * (1 - rho**2)))

    return Kernel(log_kernel)


def correlation(state: State, at: Index) -> Kernel:
    """[rho | .]."""
    n, a, b, c = sums(state)
    s0, s1 = scalar(state, "sigma0"), scalar(state, "sigma1")

    def log_kernel(rho: float) -> float:
        left = 1 - rho**2
        if left <= 0:
            return -np.inf
        quadratic = (a / s0**2 - 2 * rho * c / (s0 * s1) + b / s1**2) / left
        return float(-n * np.log(left) / 2 - quadratic / 2)

    return Kernel(log_kernel)


def _within(state: State, at: Index) -> Hand:
    return variance(scalar(state, "q"), scalar(state, "r"), (all_residuals(state), 1.0))


COVARIANCE_CONDITIONALS = {
    "mu": mean,
    "sigma0": first_sd,
    "sigma1": second_sd,
    "rho": correlation,
}
CONDITIONALS = {"beta": _coefficients, "sigma2": _within} | COVARIANCE_CONDITIONALS
