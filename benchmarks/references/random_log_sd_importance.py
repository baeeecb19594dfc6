"""Cross-check of the random_log_sd posterior by importance sampling; NumPy and SciPy only, no Markov chain.

Each rat's effects are integrated out in closed form and its log standard deviation by the trapezoidal rule
(scale_mixtures.py), which leaves (mu[1], mu[2], log sigma2_beta, atanh rho, mu_sigma, log sigma2_sigma). Proposal and
errors are those of seizures_importance.py. Writes the field `cross_check` of rats/random_log_sd, after a
comparison with the NUTS run if that entry is there.
"""

import numpy as np

from datasets import read_balanced
from growth_curves import correlate, log_inverse_gamma, summarise_curves
from quadrature import LogDensity, laplace_frame
from report import POSTERIORS, Estimate, as_records, print_table, read_json, require, update_entry
from scale_mixtures import Curves, Nodes, check_integral, first_group, log_likelihood
from seizures_importance import POINTS, REPLICATES, propose
from varying_variance import COVARIANCE, MEAN, log_mean_prior

KEY = "rats/random_log_sd"
SEED = 1990
NODES = Nodes(log_sd=np.arange(-1.0, 5.0, 0.06))


def log_normal(value: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """log N(value; mean, variance), up to a constant."""
    return -(np.log(variance) + (value - mean) ** 2 / variance) / 2


def log_sd_prior(theta: np.ndarray) -> np.ndarray:
    """log p(l) at the nodes (N, K), given (mu_sigma, log sigma2_sigma)."""
    return log_normal(NODES.log_sd, theta[:, 4, None], np.exp(theta[:, 5, None]))


def log_posterior(curves: Curves) -> LogDensity:
    """Log posterior density of the six coordinates."""

    def log_density(theta: np.ndarray) -> np.ndarray:
        sigma, _ = correlate(theta[:, 2], theta[:, 2], theta[:, 3])
        prior = log_mean_prior(theta[:, :2]) - 2 * np.logaddexp(theta[:, 3], -theta[:, 3])
        prior += log_inverse_gamma(sigma[0], 4, 300) + theta[:, 2]
        prior += log_normal(theta[:, 4], 1.5, 0.25)
        prior += log_inverse_gamma(np.exp(theta[:, 5]), 5, 0.5) + theta[:, 5]
        return log_likelihood(curves, NODES, theta[:, :2], sigma, log_sd_prior(theta)) + prior

    return log_density


def first_rat(curves: Curves, theta: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Mean and variance (N) of the first rat's parameters, given theta, in pieces."""
    names = {
        "log_sigma[1]": "log_sigma",
        "sigma[1]": "sigma",
        "beta[1,1]": "beta1",
        "beta[1,2]": "beta2",
    }
    pieces = []
    for piece in np.array_split(theta, max(1, len(theta) // 4096)):
        sigma, _ = correlate(piece[:, 2], piece[:, 2], piece[:, 3])
        pieces.append(first_group(curves, NODES, piece[:, :2], sigma, log_sd_prior(piece)))
    return {
        name: tuple(np.concatenate([piece[there][k] for piece in pieces]) for k in (0, 1))
        for name, there in names.items()
    }


def describe(curves: Curves, theta: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray | float]]:
    """Mean and variance (N) of each reported scalar, given theta."""
    return {
        "mu[1]": (theta[:, 0], 0.0),
        "mu[2]": (theta[:, 1], 0.0),
        "sigma2_beta": (np.exp(theta[:, 2]), 0.0),
        "rho": (np.tanh(theta[:, 3]), 0.0),
        "mu_sigma": (theta[:, 4], 0.0),
        "sigma2_sigma": (np.exp(theta[:, 5]), 0.0),
    } | first_rat(curves, theta)


def weighted_moments(
    described: dict[str, tuple[np.ndarray, np.ndarray | float]], weight: np.ndarray
) -> dict[str, tuple[float, float]]:
    """Self-normalised mean and standard deviation of each scalar."""
    weight = weight / weight.sum()
    moments = {}
    for name, (mean, variance) in described.items():
        centre = weight @ mean
        moments[name] = (centre, np.sqrt(weight @ ((mean - centre) ** 2 + variance)))
    return moments


def sample(curves: Curves) -> dict[str, Estimate]:
    """Means and sds over the replicates, with errors from their spread."""
    log_density = log_posterior(curves)
    start = np.array([242.0, 43.0, np.log(100.0), 0.3, 1.7, np.log(0.12)])
    frame = laplace_frame(log_density, start)
    each, efficiencies = [], []
    for replicate in range(REPLICATES):
        theta, log_proposal = propose(frame, SEED + replicate)
        log_weight = log_density(theta) - log_proposal
        weight = np.exp(log_weight - log_weight.max())
        efficiencies.append(weight.sum() ** 2 / (weight**2).sum() / weight.size)
        each.append(weighted_moments(describe(curves, theta), weight))
    print(f"importance sampling: efficiency {np.mean(efficiencies):.2f}, {REPLICATES} x {POINTS} points")
    require(min(efficiencies) > 0.3, "the proposal fits badly")
    estimates = {}
    for name in each[0]:
        values = np.array([moments[name] for moments in each])
        mean, error = values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(REPLICATES)
        estimates[name] = Estimate(mean=mean[0], sd=mean[1], mcse=error[0], sd_mcse=error[1])
    return estimates


def compare_with_nuts(estimates: dict[str, Estimate]) -> None:
    """Demand agreement with the NUTS entry within four Monte Carlo errors of the difference."""
    for name, record in read_json(POSTERIORS).get(KEY, {}).get("parameters", {}).items():
        for value, error in (("mean", "mcse"), ("sd", "sd_mcse")):
            ours = getattr(estimates[name], value), getattr(estimates[name], error)
            z = (record[value] - ours[0]) / np.hypot(record[error], ours[1])
            print(f"{name:<14}{value:<5} NUTS minus ours: {z:+.2f} standard errors")
            require(abs(z) < 4, f"{value} of {name} disagrees with the NUTS run")


def main() -> None:
    """Compute, check, print and write the cross-check."""
    _, day, weight = read_balanced("rats.csv", "rat", "day", "weight")
    week = (day - 22) / 7
    curves = summarise_curves(week, weight, np.array(COVARIANCE), MEAN)
    points = [
        (np.array([240.0, 42.0]), np.array([[90.0, 30.0], [30.0, 90.0]]), (1.6, 0.1)),
        (np.array([246.0, 45.0]), np.array([[150.0, -20.0], [-20.0, 150.0]]), (1.9, 0.3)),
    ]
    check_integral(curves, week, weight, NODES, points, log_normal)
    estimates = sample(curves)
    print_table(f"{KEY} (importance sampling)", estimates)
    compare_with_nuts(estimates)
    cross_check = {
        "source": "effects integrated out in closed form, each log standard deviation by the trapezoidal rule, then "
        f"importance sampling with {REPLICATES} x {POINTS} scrambled Sobol points; errors from the replicates",
        "command": "python benchmarks/references/random_log_sd_importance.py",
        "parameters": as_records(estimates),
    }
    update_entry(KEY, POSTERIORS, cross_check=cross_check)


if __name__ == "__main__":
    main()
