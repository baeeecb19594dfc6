"""The posterior of growth curves with a Wishart prior on Sigma^-1 (model G5), by 4-dimensional quadrature.

y_i ~ N(X beta_i, sigma2 I), beta_i ~ N(mu, Sigma), Sigma^-1 ~ Wish((S nu)^-1, nu), mu ~ N(0, c I), sigma2 ~ IG.
Coordinates: (log Sigma11, log Sigma22, atanh rho, log sigma2). Used by rats.py and sleepstudy.py.
"""

from collections.abc import Callable

import numpy as np

from growth_curves import (
    Curves,
    correlate,
    log_inverse_gamma,
    log_inverse_wishart,
    log_likelihood,
    mean_given_variances,
)
from quadrature import LogDensity, Moments, integrate_checked
from report import Estimate


def wishart_log_density(curves: Curves, s: np.ndarray, nu: float, shape: float, scale: float) -> LogDensity:
    """The log posterior density of (log Sigma11, log Sigma22, atanh rho, log sigma2)."""

    def log_density(theta: np.ndarray) -> np.ndarray:
        sigma, jacobian = correlate(theta[:, 0], theta[:, 1], theta[:, 2])
        sigma2 = np.exp(theta[:, 3])
        return (
            log_likelihood(curves, sigma, sigma2)
            + log_inverse_wishart(sigma, s * nu, nu)
            + jacobian
            + log_inverse_gamma(sigma2, shape, scale)
            + theta[:, 3]
        )

    return log_density


def wishart_moments(curves: Curves) -> Callable[[np.ndarray], Moments]:
    """Mean and variance of each reported parameter given a point of the grid."""

    def moments(theta: np.ndarray) -> Moments:
        sigma, _ = correlate(theta[:, 0], theta[:, 1], theta[:, 2])
        sigma2 = np.exp(theta[:, 3])
        m1, m2, w = mean_given_variances(curves, sigma, sigma2)
        return {
            "mu[1]": (m1, w[0]),
            "mu[2]": (m2, w[2]),
            "sigma2": (sigma2, 0.0),
            "sigma": (np.sqrt(sigma2), 0.0),
            "Sigma[1,1]": (sigma[0], 0.0),
            "Sigma[1,2]": (sigma[1], 0.0),
            "Sigma[2,2]": (sigma[2], 0.0),
            "sd_1": (np.sqrt(sigma[0]), 0.0),
            "sd_2": (np.sqrt(sigma[2]), 0.0),
            "rho": (np.tanh(theta[:, 2]), 0.0),
        }

    return moments


def wishart_posterior(
    curves: Curves, s: np.ndarray, nu: float, shape: float, scale: float
) -> dict[str, Estimate]:
    """Posterior moments under sigma2 ~ IG(shape, 1/scale) and Sigma^-1 ~ Wish((s nu)^-1, nu)."""
    spread = curves.scatter / curves.groups
    residual = curves.residual / (curves.groups * (curves.repeats - 2))
    start = np.log([spread[0, 0], spread[1, 1], 1.0, residual])
    log_density = wishart_log_density(curves, s, nu, shape, scale)
    return integrate_checked(log_density, wishart_moments(curves), start, 12.0, 0.4)
