"""Reference posteriors of the rats demonstrations, by quadrature; writes three entries of references.json.

Data: 30 rats, five weights each (Gelfand et al. 1990). The random effects and population means are integrated
out in closed form (growth_curves.py); three or four variance coordinates are left for the grid.
"""

import numpy as np

from datasets import read_balanced
from growth_curves import (
    Curves,
    check_likelihood,
    correlate,
    log_inverse_gamma,
    log_likelihood,
    mean_given_variances,
    summarise_curves,
)
from quadrature import LogDensity, Moments, integrate_checked
from report import Estimate, as_records, print_table, require, update_entry
from wishart_curves import wishart_posterior

COMMAND = "python benchmarks/references/rats.py"
MEAN_VARIANCE = 1e4
METHOD = "rat effects and population means integrated out in closed form; trapezoidal rule in"
# BUGS volume 1, "rats", with means ~ N(0, 1e4): quadrature done independently of this script.
PUBLISHED = {
    "mu0": (242.47114562403, 2.74058371336946),
    "mu1": (6.185707030193186, 0.10830272314714136),
    "alpha0": (106.3855909597799, 3.6315103377206137),
    "sigma": (6.090145278965901, 0.4644596152369027),
    "sd_0": (14.618080887143622, 2.068287539068002),
    "sd_1": (0.5169703421740364, 0.0921555459724037),
}


def diagonal_sigma(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sigma = diag(sigma2_0, sigma2_1) from the log variances."""
    return np.exp(theta[:, 0]), np.zeros(len(theta)), np.exp(theta[:, 1])


def independent_log_density(curves: Curves) -> LogDensity:
    """Log posterior density of (log sigma2_0, log sigma2_1, log sigma2), all IG(0.001, 1000)."""

    def log_density(theta: np.ndarray) -> np.ndarray:
        likelihood = log_likelihood(curves, diagonal_sigma(theta), np.exp(theta[:, 2]))
        prior = log_inverse_gamma(np.exp(theta), 0.001, 0.001) + theta
        return likelihood + prior.sum(axis=1)

    return log_density


def independent_posterior(curves: Curves) -> dict[str, Estimate]:
    """Posterior of rats/independent_effects (model G3)."""

    def moments(theta: np.ndarray) -> Moments:
        variances = np.exp(theta)
        m0, m1, w = mean_given_variances(curves, diagonal_sigma(theta), variances[:, 2])
        return {
            "mu0": (m0, w[0]),
            "mu1": (m1, w[2]),
            "alpha0": (m0 - 22 * m1, w[0] - 44 * w[1] + 484 * w[2]),
            "sigma2": (variances[:, 2], 0.0),
            "sigma2_0": (variances[:, 0], 0.0),
            "sigma2_1": (variances[:, 1], 0.0),
            "sigma": (np.sqrt(variances[:, 2]), 0.0),
            "sd_0": (np.sqrt(variances[:, 0]), 0.0),
            "sd_1": (np.sqrt(variances[:, 1]), 0.0),
        }

    start = np.log([200.0, 0.25, 36.0])
    return integrate_checked(independent_log_density(curves), moments, start, 24.0, 0.4)


def equal_variance_sigma(
    theta: np.ndarray,
) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], np.ndarray, np.ndarray]:
    """Sigma = sigma2_beta [1, rho; rho, 1] from (log sigma2_beta, atanh rho), with sigma2_beta and rho."""
    sigma, _ = correlate(theta[:, 0], theta[:, 0], theta[:, 1])
    return sigma, sigma[0], np.tanh(theta[:, 1])


def all_random_posterior(curves: Curves) -> dict[str, Estimate]:
    """Posterior of rats/all_random (model C): sigma2_beta, sigma2 ~ IG(2, 1), rho ~ Unif(-1, 1)."""

    def log_density(theta: np.ndarray) -> np.ndarray:
        sigma, sigma2_beta, _ = equal_variance_sigma(theta)
        sigma2 = np.exp(theta[:, 2])
        jacobian = theta[:, 0] + theta[:, 2] - 2 * np.log(np.cosh(theta[:, 1]))
        prior = log_inverse_gamma(sigma2_beta, 2, 1) + log_inverse_gamma(sigma2, 2, 1)
        return log_likelihood(curves, sigma, sigma2) + prior + jacobian

    def moments(theta: np.ndarray) -> Moments:
        sigma, sigma2_beta, rho = equal_variance_sigma(theta)
        sigma2 = np.exp(theta[:, 2])
        m1, m2, w = mean_given_variances(curves, sigma, sigma2)
        return {
            "mu[1]": (m1, w[0]),
            "mu[2]": (m2, w[2]),
            "sigma2_beta": (sigma2_beta, 0.0),
            "rho": (rho, 0.0),
            "sigma2": (sigma2, 0.0),
        }

    start = np.array([np.log(100.0), 0.3, np.log(36.0)])
    return integrate_checked(log_density, moments, start, half_width=20.0, step=0.4)


def check_published(estimates: dict[str, Estimate]) -> None:
    """Demand agreement with the exact BUGS values to 1e-4 standard deviations."""
    gaps = {
        name: max(abs(estimates[name].mean - mean), abs(estimates[name].sd - sd)) / sd
        for name, (mean, sd) in PUBLISHED.items()
    }
    worst = max(gaps, key=lambda name: gaps[name])
    print(f"largest difference from the BUGS values: {gaps[worst]:.1e} sd ({worst})")
    require(gaps[worst] < 1e-4, f"{worst} differs from the BUGS value")


def write(key: str, source: str, priors: str, estimates: dict[str, Estimate]) -> None:
    """Print one posterior and write it to references.json."""
    print_table(key, estimates)
    parameters = as_records(estimates)
    source = f"exact: {METHOD} {source}"
    update_entry(key, source=source, command=COMMAND, priors=priors, parameters=parameters)


def main() -> None:
    """Compute, check, print and write the three posteriors."""
    _, day, weight = read_balanced("rats.csv", "rat", "day", "weight")
    daily = summarise_curves(day - 22, weight, MEAN_VARIANCE)
    weekly = summarise_curves((day - 22) / 7, weight, MEAN_VARIANCE)
    check_likelihood(day - 22, weight, daily)
    independent = independent_posterior(daily)
    check_published(independent)
    write(
        "rats/independent_effects",
        "3 log variances; agrees with the quadrature values of BUGS vol. 1 'rats'",
        "x = day - 22; mu0, mu1 ~ N(0, 1e4); sigma2_0, sigma2_1, sigma2 ~ IG(0.001, 1000), that is shape "
        "0.001 and scale 0.001; alpha0 = mu0 - 22 mu1; sd_0, sd_1, sigma = roots of the variances",
        independent,
    )
    write(
        "rats/wishart",
        "2 log variances, atanh(rho) and log sigma2",
        "X = [1, day - 22]; mu ~ N(0, 1e4 I); inv(Sigma) ~ Wish(inv(S nu), nu), nu = 3, "
        "S = diag(100, 0.1); sigma2 ~ IG(0.001, 1000), that is shape 0.001 and scale 0.001",
        wishart_posterior(daily, np.diag([100.0, 0.1]), 3, 0.001, 0.001),
    )
    write(
        "rats/all_random",
        "log sigma2_beta, atanh(rho) and log sigma2",
        "X = [1, (day - 22)/7]; Sigma = sigma2_beta [1, rho; rho, 1]; mu ~ N(0, 1e4 I); "
        "sigma2_beta ~ IG(2, 1); rho ~ Unif(-1, 1); sigma2 ~ IG(2, 1)",
        all_random_posterior(weekly),
    )


if __name__ == "__main__":
    main()
