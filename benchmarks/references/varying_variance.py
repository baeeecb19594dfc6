"""Reference posterior of varying_variance (G1) on the rats, by quadrature; writes one entry of posteriors.json.

y_i ~ N(X beta_i, sigma2_i I), beta_i ~ N(mu, Sigma), Sigma = sigma2_beta [1, rho; rho, 1], sigma2_i inverse gamma. Each
rat's effects are integrated out in closed form and its variance by the trapezoidal rule (scale_mixtures.py), which
leaves (mu[1], mu[2], log sigma2_beta, atanh rho) for the grid.
"""

from typing import Any

import numpy as np

from datasets import read_balanced
from growth_curves import correlate, log_inverse_gamma, summarise_curves
from quadrature import Moments, integrate_checked
from report import Estimate, write_posterior
from scale_mixtures import Curves, Nodes, check_integral, first_group, log_likelihood

SOURCE = (
    "exact: rat effects integrated out in closed form, each rat's variance by the trapezoidal rule; trapezoidal rule "
    "in mu, log sigma2_beta and atanh(rho)"
)
MEAN, COVARIANCE = [240.0, 40.0], [[100.0, 5.0], [5.0, 25.0]]
SHAPE, SCALE = 3, 80
NODES = Nodes(log_sd=np.arange(0.2, 5.3, 0.12))
SETTING: dict[str, Any] = {
    "data": "rats.csv",
    "model": "varying_variance",
    "priors": "X = [1, (day - 22)/7]; mu ~ N([240, 40], [100, 5; 5, 25]); Sigma = sigma2_beta [1, rho; rho, 1]; "
    "sigma2_beta ~ IG(4, 1/300); rho ~ Unif(-1, 1); sigma2[i] ~ IG(3, 1/80)",
    "values": {"mu0": MEAN, "Sigma0": COVARIANCE, "q": 3, "r": "1/80", "q_beta": 4, "r_beta": "1/300"},
    "columns": {"y": "weight", "x": "[1, (day - 22)/7]"},
    "index": {"i": "rat"},
}


def log_sd_prior(log_sd: np.ndarray) -> np.ndarray:
    """log density of l = log(s)/2, s ~ IG(3, 1/80), up to a constant: ds = 2 s dl."""
    variance = np.exp(2 * log_sd)
    return log_inverse_gamma(variance, SHAPE, SCALE) + 2 * log_sd


def log_mean_prior(mu: np.ndarray) -> np.ndarray:
    """log N(mu; MEAN, COVARIANCE), up to a constant, shape (N)."""
    d = mu - MEAN
    return -np.einsum("ni,ij,nj->n", d, np.linalg.inv(COVARIANCE), d) / 2


def varying_variance(curves: Curves) -> dict[str, Estimate]:
    """Posterior moments of the population, and of the first rat."""
    log_prior = log_sd_prior(NODES.log_sd)[None, :]

    def log_density(theta: np.ndarray) -> np.ndarray:
        sigma, _ = correlate(theta[:, 2], theta[:, 2], theta[:, 3])
        jacobian = theta[:, 2] - 2 * np.logaddexp(theta[:, 3], -theta[:, 3])
        prior = log_inverse_gamma(sigma[0], 4, 300) + log_mean_prior(theta[:, :2]) + jacobian
        return log_likelihood(curves, NODES, theta[:, :2], sigma, log_prior) + prior

    def moments(theta: np.ndarray) -> Moments:
        sigma, _ = correlate(theta[:, 2], theta[:, 2], theta[:, 3])
        rat = first_group(curves, NODES, theta[:, :2], sigma, log_prior)
        return {
            "mu[1]": (theta[:, 0], 0.0),
            "mu[2]": (theta[:, 1], 0.0),
            "sigma2_beta": (sigma[0], 0.0),
            "rho": (np.tanh(theta[:, 3]), 0.0),
            "sigma2[1]": rat["sigma2"],
            "beta[1,1]": rat["beta1"],
            "beta[1,2]": rat["beta2"],
        }

    start = np.array([242.0, 43.0, np.log(100.0), 0.3])
    return integrate_checked(log_density, moments, start, 8.0, 0.7)


def main() -> None:
    """Compute, check, print and write the posterior."""
    _, day, weight = read_balanced("rats.csv", "rat", "day", "weight")
    week = (day - 22) / 7
    curves = summarise_curves(week, weight, np.array(COVARIANCE), MEAN)
    points = [
        (np.array([240.0, 42.0]), np.array([[90.0, 30.0], [30.0, 90.0]]), ()),
        (np.array([246.0, 45.0]), np.array([[150.0, -20.0], [-20.0, 150.0]]), ()),
    ]
    check_integral(curves, week, weight, NODES, points, log_sd_prior)
    estimates = varying_variance(curves)
    write_posterior("rats/varying_variance", SETTING, estimates, source=SOURCE, command="varying_variance.py")


if __name__ == "__main__":
    main()
