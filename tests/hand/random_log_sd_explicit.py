"""Model G2: the log of each individual's standard deviation is normal; ell_i is the node, sigma_i = exp(ell_i).

Premises: y_ij ~ N(x_ij'beta_i, sigma_i^2), sigma_i = exp(ell_i), ell_i ~ N(mu_sigma, sigma2_sigma).

beta_i: L2 with W = exp(2 ell_i) I.
ell_i: each of the J_i normals gives exp(-ell_i - e^2/(2 exp(2 ell_i))): the kernel is
    exp{-J_i ell_i - SSR_i exp(-2 ell_i)/2 - (ell_i - mu_sigma)^2/(2 sigma2_sigma)}, in no family.
mu_sigma: L1, d = 1, e_i = ell_i, w = sigma2_sigma; prior N(m, v).   sigma2_sigma: L3, e_i = ell_i - mu_sigma.
mu, sigma2_beta, rho: as in all_random.
"""

from __future__ import annotations

import numpy as np

from . import all_random, densities
from .common import (
    Hand,
    Index,
    Kernel,
    Sizes,
    State,
    column,
    constant,
    edited,
    exchangeable_rho,
    plate,
    positive_scalars,
    real_scalars,
    reals,
    scalar,
)
from .lemmas import normal_coefficient, variance
from .regressions import SIZES, coefficients, gaussian_state, log_population, residuals

__all__ = ["CONDITIONALS", "MODEL", "SIZES", "log_joint", "random_state"]

MODEL = edited(
    all_random.MODEL,
    ("model all_random", "model random_log_sd_explicit"),
    ("beta[i], sigma2)", "beta[i], sigma[i]^2)"),
    ("q, r, q_beta, r_beta > 0", "m\n  v > 0\n  q, r, q_beta, r_beta > 0"),
    (
        "  beta[i] ~",
        "  ell[i] ~ N(mu_sigma, sigma2_sigma)\n  sigma[i] = exp(ell[i])\n  beta[i] ~",
    ),
    ("  sigma2 ~ IG(q, r)", "  mu_sigma ~ N(m, v)\n  sigma2_sigma ~ IG(q, r)"),
)


def log_sd_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """Data, coefficients, ell (i) and its priors."""
    ell = {index: 0.5 * value for index, value in reals(rng, plate(sizes["n"])).items()}
    return (
        gaussian_state(rng, sizes)
        | {"ell": ell}
        | real_scalars(rng, "mu_sigma m")
        | positive_scalars(rng, "sigma2_sigma v q r")
    )


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: as all_random, with ell (i), mu_sigma and sigma2_sigma for sigma2."""
    rho = {"rho": constant(exchangeable_rho(rng, sizes["p"]))}
    return log_sd_state(rng, sizes) | rho | positive_scalars(rng, "sigma2_beta q_beta r_beta")


def log_data(state: State) -> float:
    """The log likelihood, and the log densities of ell, mu_sigma and sigma2_sigma."""
    mu, s = scalar(state, "mu_sigma"), scalar(state, "sigma2_sigma")
    rows = sum(
        densities.normal(residuals(state, i), 0.0, np.exp(ell) ** 2) for (i,), ell in state["ell"].items()
    )
    return (
        rows
        + densities.normal(column(state, "ell"), mu, s)
        + densities.normal(mu, scalar(state, "m"), scalar(state, "v"))
        + densities.inverse_gamma(s, scalar(state, "q"), scalar(state, "r"))
    )


def log_joint(state: State) -> float:
    """The sum of the log densities of the model."""
    low = -1 / max(scalar(state, "p") - 1, 1)
    return (
        log_data(state)
        + log_population(state, all_random.spread(state))
        + densities.inverse_gamma(
            scalar(state, "sigma2_beta"),
            scalar(state, "q_beta"),
            scalar(state, "r_beta"),
        )
        + densities.uniform(scalar(state, "rho"), low, 1.0)
    )


def _coefficients(state: State, at: Index) -> Hand:
    return coefficients(state, at, all_random.spread(state), np.exp(2 * state["ell"][at]))


def log_sd(state: State, at: Index) -> Kernel:
    """[ell_i | .]."""
    left = residuals(state, at[0])
    squares, mu, s = (
        np.sum(left**2),
        scalar(state, "mu_sigma"),
        scalar(state, "sigma2_sigma"),
    )
    return Kernel(lambda ell: -len(left) * ell - squares * np.exp(-2 * ell) / 2 - (ell - mu) ** 2 / (2 * s))


def mean_log_sd(state: State, at: Index) -> Hand:
    """[mu_sigma | .]."""
    term = (1.0, column(state, "ell"), scalar(state, "sigma2_sigma"))
    return normal_coefficient(scalar(state, "m"), scalar(state, "v"), term)


def spread_log_sd(state: State, at: Index) -> Hand:
    """[sigma2_sigma | .]."""
    left = column(state, "ell") - scalar(state, "mu_sigma")
    return variance(scalar(state, "q"), scalar(state, "r"), (left, 1.0))


LOG_SD_CONDITIONALS = {
    "ell": log_sd,
    "mu_sigma": mean_log_sd,
    "sigma2_sigma": spread_log_sd,
}
CONDITIONALS = {
    "beta": _coefficients,
    "mu": all_random.mean,
    "sigma2_beta": all_random.scale,
    "rho": all_random.correlation,
} | LOG_SD_CONDITIONALS
