"""Reference posterior of free_covariance (G4) on the rats, by quadrature; writes one entry of posteriors.json.

y_i ~ N(X beta_i, sigma2 I), beta_i ~ N(mu, Sigma), Sigma with variances sigma2_0, sigma2_1 and correlation rho, which
have independent priors. Effects and population mean are integrated out in closed form (growth_curves.py); the
coordinates of the grid are (log sigma2_0, log sigma2_1, asinh(atanh rho), log sigma2). The likelihood does not vanish
at rho = 1, so the density of atanh rho falls as exp(-2 atanh rho) only; asinh shortens that tail.
"""

from typing import Any

import numpy as np

from datasets import read_balanced
from growth_curves import (
    Curves,
    check_likelihood,
    correlate,
    effect_given_variances,
    log_inverse_gamma,
    log_likelihood,
    mean_given_variances,
    summarise_curves,
)
from quadrature import Moments, integrate_checked
from report import Estimate, write_posterior

SOURCE = (
    "exact: rat effects and population means integrated out in closed form; trapezoidal rule in 3 log variances and "
    "asinh(atanh(rho))"
)
MEAN, COVARIANCE = [240.0, 40.0], [[100.0, 5.0], [5.0, 25.0]]
SETTING: dict[str, Any] = {
    "data": "rats.csv",
    "model": "free_covariance",
    "priors": "X = [1, (day - 22)/7]; mu ~ N([240, 40], [100, 5; 5, 25]); sigma2_0 ~ IG(3, 1/400); "
    "sigma2_1 ~ IG(4, 1/40); rho ~ Unif(-1, 1); sigma2 ~ IG(5, 1/150)",
    "values": {
        "mu0": MEAN, "Sigma0": COVARIANCE, "q0": 3, "r0": "1/400", "q1": 4, "r1": "1/40", "q": 5, "r": "1/150",
    },
    "columns": {"y": "weight", "x": "[1, (day - 22)/7]"},
    "index": {"i": "rat"},
}  # fmt: skip


def free_covariance(curves: Curves) -> dict[str, Estimate]:
    """Posterior moments; with z = atanh rho, drho = (1 - rho^2) dz = sqrt(1 + z^2)/cosh(z)^2 d(asinh z)."""

    def log_density(theta: np.ndarray) -> np.ndarray:
        variances = np.exp(theta[:, [0, 1, 3]])
        z = np.sinh(theta[:, 2])
        sigma, _ = correlate(theta[:, 0], theta[:, 1], z)
        jacobian = theta[:, [0, 1, 3]].sum(axis=1) + np.log1p(z**2) / 2 - 2 * np.logaddexp(z, -z)
        prior = [
            log_inverse_gamma(v, *p) for v, p in zip(variances.T, [(3, 400), (4, 40), (5, 150)], strict=True)
        ]
        return log_likelihood(curves, sigma, variances[:, 2]) + sum(prior) + jacobian

    def moments(theta: np.ndarray) -> Moments:
        z = np.sinh(theta[:, 2])
        sigma, _ = correlate(theta[:, 0], theta[:, 1], z)
        sigma2 = np.exp(theta[:, 3])
        m1, m2, w = mean_given_variances(curves, sigma, sigma2)
        return {
            "mu[1]": (m1, w[0]),
            "mu[2]": (m2, w[2]),
            "sigma2_0": (sigma[0], 0.0),
            "sigma2_1": (sigma[2], 0.0),
            "rho": (np.tanh(z), 0.0),
            "sigma2": (sigma2, 0.0),
            "Sigma[1,2]": (sigma[1], 0.0),
            "beta[1,1]": effect_given_variances(curves, 0, 0, sigma, sigma2),
            "beta[1,2]": effect_given_variances(curves, 0, 1, sigma, sigma2),
        }

    start = np.array([np.log(200.0), np.log(12.0), 0.4, np.log(36.0)])
    return integrate_checked(log_density, moments, start, 12.0, 0.55)


def main() -> None:
    """Compute, check, print and write the posterior."""
    _, day, weight = read_balanced("rats.csv", "rat", "day", "weight")
    week = (day - 22) / 7
    curves = summarise_curves(week, weight, np.array(COVARIANCE), MEAN)
    check_likelihood(week, weight, curves)
    estimates = free_covariance(curves)
    write_posterior("rats/free_covariance", SETTING, estimates, source=SOURCE, command="free_covariance.py")


if __name__ == "__main__":
    main()
