"""Reference posteriors of models with one random coefficient (A, B and B'); writes entries of posteriors.json.

    A   y_ij ~ N(beta0_i + beta1 x_ij, sigma2), beta0_i ~ N(mu0, sigma2_0), mu0 and beta1 normal;
    B   y_ij ~ N(beta0 + beta1_i x_ij, sigma2), beta1_i ~ N(mu1, sigma2_1), mu1 and beta0 normal;
    B'  y_ij ~ N(beta0_i + beta1 x_ij, sigma2), beta0_i ~ N(mu0, sigma2_0) with both known,
        beta1 ~ N(mu1, sigma2_1), mu1 ~ N(mu10, sigma2_10), sigma2_1 inverse gamma.

Each is a growth curve (growth_curves.py) with a singular Sigma, and in B' with a singular prior covariance of the mean
too: the intercept's mean is known and, mu1 integrated out, beta1 ~ N(mu10, sigma2_1 + sigma2_10). Two log
variances are left for the grid. Every hyperparameter has a value of its own, so that two that change places show.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from datasets import read_balanced
from growth_curves import (
    Curves,
    Triple,
    check_likelihood,
    effect_given_variances,
    log_inverse_gamma,
    log_likelihood,
    mean_given_variances,
    summarise_curves,
)
from quadrature import Moments, integrate_checked
from report import Estimate, write_posterior

COMMAND = "one_random_effect.py"
SOURCE = "exact: effects and means integrated out in closed form; trapezoidal rule in 2 log variances"
SLEEPSTUDY = {"data": "sleepstudy.csv", "columns": {"y": "reaction", "x": "days"}, "index": {"i": "subject"}}
RATS = {"data": "rats.csv", "columns": {"y": "weight", "x": "(day - 22)/7"}, "index": {"i": "rat"}}
INTERCEPTS: dict[str, Any] = SLEEPSTUDY | {
    "model": "random_intercepts",
    "priors": "x = days; mu0 ~ N(250, 900); beta1 ~ N(8, 4); sigma2_0 ~ IG(3, 1/2000); sigma2 ~ IG(5, 1/4000)",
    "values": {
        "mu00": 250, "sigma2_00": 900, "mu1": 8, "sigma2_1": 4, "q0": 3, "r0": "1/2000", "q1": 5, "r1": "1/4000",
    },
}  # fmt: skip
SLOPES: dict[str, Any] = SLEEPSTUDY | {
    "model": "random_slopes",
    "priors": "x = days; beta0 ~ N(240, 100); mu1 ~ N(8, 4); sigma2_1 ~ IG(3, 1/200); sigma2 ~ IG(5, 1/4000)",
    "values": {
        "m0": 240, "v0": 100, "mu10": 8, "sigma2_10": 4, "q1": 3, "r1": "1/200", "q": 5, "r": "1/4000",
    },
}  # fmt: skip
AS_PRINTED: dict[str, Any] = RATS | {
    "model": "random_slopes_as_printed",
    "priors": "x = (day - 22)/7; beta0[i] ~ N(240, 200); mu1 ~ N(40, 25); sigma2_1 ~ IG(5, 1/40); sigma2 ~ IG(4, 1/150)",
    "values": {
        "mu0": 240, "sigma2_0": 200, "mu10": 40, "sigma2_10": 25, "q1": 5, "r1": "1/40", "q": 4, "r": "1/150",
    },
}  # fmt: skip


def log_prior(theta: np.ndarray, place: int, shape: float, scale: float) -> np.ndarray:
    """log density of a log variance whose variance is IG(shape, 1/scale)."""
    return log_inverse_gamma(np.exp(theta[:, place]), shape, scale) + theta[:, place]


def intercept_sigma(variance: np.ndarray) -> Triple:
    """Sigma when only the intercepts differ between groups."""
    zero = np.zeros_like(variance)
    return variance, zero, zero


def slope_sigma(variance: np.ndarray) -> Triple:
    """Sigma when only the slopes differ between groups."""
    zero = np.zeros_like(variance)
    return zero, zero, variance


def random_intercepts(curves: Curves) -> dict[str, Estimate]:
    """Posterior of A, from (log sigma2_0, log sigma2)."""

    def log_density(theta: np.ndarray) -> np.ndarray:
        sigma2_0, sigma2 = np.exp(theta).T
        prior = log_prior(theta, 0, 3, 2000) + log_prior(theta, 1, 5, 4000)
        return log_likelihood(curves, intercept_sigma(sigma2_0), sigma2) + prior

    def moments(theta: np.ndarray) -> Moments:
        sigma2_0, sigma2 = np.exp(theta).T
        sigma = intercept_sigma(sigma2_0)
        mu0, beta1, w = mean_given_variances(curves, sigma, sigma2)
        return {
            "mu0": (mu0, w[0]),
            "beta1": (beta1, w[2]),
            "sigma2_0": (sigma2_0, 0.0),
            "sigma2": (sigma2, 0.0),
            "beta0[1]": effect_given_variances(curves, 0, 0, sigma, sigma2),
            "beta0[18]": effect_given_variances(curves, 17, 0, sigma, sigma2),
        }

    return integrate_checked(log_density, moments, np.log([1300.0, 950.0]), 16.0, 0.25)


def random_slopes(curves: Curves) -> dict[str, Estimate]:
    """Posterior of B, from (log sigma2_1, log sigma2)."""

    def log_density(theta: np.ndarray) -> np.ndarray:
        sigma2_1, sigma2 = np.exp(theta).T
        prior = log_prior(theta, 0, 3, 200) + log_prior(theta, 1, 5, 4000)
        return log_likelihood(curves, slope_sigma(sigma2_1), sigma2) + prior

    def moments(theta: np.ndarray) -> Moments:
        sigma2_1, sigma2 = np.exp(theta).T
        sigma = slope_sigma(sigma2_1)
        beta0, mu1, w = mean_given_variances(curves, sigma, sigma2)
        return {
            "beta0": (beta0, w[0]),
            "mu1": (mu1, w[2]),
            "sigma2_1": (sigma2_1, 0.0),
            "sigma2": (sigma2, 0.0),
            "beta1[1]": effect_given_variances(curves, 0, 1, sigma, sigma2),
            "beta1[18]": effect_given_variances(curves, 17, 1, sigma, sigma2),
        }

    return integrate_checked(log_density, moments, np.log([60.0, 950.0]), 16.0, 0.25)


def random_slopes_as_printed(curves: Curves) -> dict[str, Estimate]:
    """Posterior of B', from (log sigma2_1, log sigma2)."""
    known, mean, variance = 200.0, 40.0, 25.0

    def at(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, Curves, Triple]:
        sigma2_1, sigma2 = np.exp(theta).T
        zero = np.zeros_like(sigma2)
        prior = (zero, zero, sigma2_1 + variance)
        return sigma2_1, sigma2, replace(curves, prior_covariance=prior), intercept_sigma(zero + known)

    def log_density(theta: np.ndarray) -> np.ndarray:
        _, sigma2, here, sigma = at(theta)
        prior = log_prior(theta, 0, 5, 40) + log_prior(theta, 1, 4, 150)
        return log_likelihood(here, sigma, sigma2) + prior

    def moments(theta: np.ndarray) -> Moments:
        sigma2_1, sigma2, here, sigma = at(theta)
        _, beta1, w = mean_given_variances(here, sigma, sigma2)
        share = variance / (variance + sigma2_1)
        mu1 = mean + share * (beta1 - mean)
        return {
            "beta1": (beta1, w[2]),
            "mu1": (mu1, share * sigma2_1 + share**2 * w[2]),
            "sigma2_1": (sigma2_1, 0.0),
            "sigma2": (sigma2, 0.0),
            "beta0[1]": effect_given_variances(here, 0, 0, sigma, sigma2),
            "beta0[30]": effect_given_variances(here, 29, 0, sigma, sigma2),
        }

    return integrate_checked(log_density, moments, np.log([10.0, 60.0]), 20.0, 0.2)


def main() -> None:
    """Compute, check, print and write the three posteriors."""
    _, days, reaction = read_balanced("sleepstudy.csv", "subject", "days", "reaction")
    _, day, weight = read_balanced("rats.csv", "rat", "day", "weight")
    week = (day - 22) / 7
    a = summarise_curves(days, reaction, np.diag([900.0, 4.0]), (250, 8))
    check_likelihood(days, reaction, a, effects=(True, False))
    write_posterior(
        "sleepstudy/random_intercepts", INTERCEPTS, random_intercepts(a), source=SOURCE, command=COMMAND
    )
    b = summarise_curves(days, reaction, np.diag([100.0, 4.0]), (240, 8))
    check_likelihood(days, reaction, b, effects=(False, True))
    write_posterior("sleepstudy/random_slopes", SLOPES, random_slopes(b), source=SOURCE, command=COMMAND)
    printed = summarise_curves(week, weight, np.diag([0.0, 35.0]), (240, 40))
    check_likelihood(week, weight, printed, effects=(True, False))
    write_posterior(
        "rats/random_slopes_as_printed",
        AS_PRINTED,
        random_slopes_as_printed(printed),
        source=SOURCE,
        command=COMMAND,
    )


if __name__ == "__main__":
    main()
