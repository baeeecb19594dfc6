"""Reference posterior of state_space with phi unknown, on the Nile; writes one entry of posteriors.json.

With u_t = (flow - 919)/100: u_t ~ N(z_t, sigma2_y), z_t ~ N(phi z_{t-1}, sigma2_z), t = 1..100, z_0 ~ N(0.5, 2). A
Kalman filter gives the likelihood of (phi, sigma2_y, sigma2_z), a fixed-interval smoother the moments of each z_t
given them (Durbin & Koopman 2012, Time Series Analysis by State Space Methods, 2nd ed., chapter 4); quadrature over
(phi, log sigma2_y, log sigma2_z) does the rest.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from datasets import read_columns
from growth_curves import log_inverse_gamma
from quadrature import LogDensity, Moments, integrate_checked
from report import Estimate, require, write_posterior

SOURCE = "exact: states integrated out by a Kalman filter and smoother; trapezoidal rule in phi and 2 log variances"
START_MEAN, START_VARIANCE = 0.5, 2.0
SETTING: dict[str, Any] = {
    "data": "nile.csv",
    "model": "state_space",
    "priors": "y = (flow - 919)/100; z[0] ~ N(0.5, 2); phi ~ N(0.7, 0.04); sigma2_y ~ IG(4, 1/5); "
    "sigma2_z ~ IG(3, 1.25), that is scale 0.8; t = 1 is 1871",
    "values": {
        "m0": 0.5,
        "v0": 2,
        "m_phi": 0.7,
        "v_phi": 0.04,
        "q_y": 4,
        "r_y": "1/5",
        "q_z": 3,
        "r_z": 1.25,
    },
    "columns": {"y": "(flow - 919)/100"},
    "index": {"t": "year"},
}
REPORTED_STATES = (1, 28, 100)


@dataclass(frozen=True, slots=True)
class Filtered:
    """Means and variances of z_0..z_T given y_1..y_t, each (T + 1, N), and the log likelihood (N)."""

    mean: np.ndarray
    variance: np.ndarray
    log_likelihood: np.ndarray


def filter_states(y: np.ndarray, phi: np.ndarray, sigma2_y: np.ndarray, sigma2_z: np.ndarray) -> Filtered:
    """The Kalman filter at N points (N) at once; y has shape (T)."""
    means = np.empty((len(y) + 1, len(phi)))
    variances = np.empty_like(means)
    means[0], variances[0] = START_MEAN, START_VARIANCE
    log_likelihood = np.zeros(len(phi))
    for t, value in enumerate(y, start=1):
        predicted = phi**2 * variances[t - 1] + sigma2_z
        error = value - phi * means[t - 1]
        total = predicted + sigma2_y
        log_likelihood -= (np.log(total) + error**2 / total) / 2
        means[t] = phi * means[t - 1] + predicted / total * error
        variances[t] = predicted * sigma2_y / total
    return Filtered(means, variances, log_likelihood)


def smooth_states(filtered: Filtered, phi: np.ndarray, sigma2_z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means and variances (T + 1, N) of z_0..z_T given all of y, by Rauch, Tung & Striebel's recursion."""
    means, variances = filtered.mean.copy(), filtered.variance.copy()
    for t in range(len(means) - 2, -1, -1):
        predicted = phi**2 * filtered.variance[t] + sigma2_z
        gain = phi * filtered.variance[t] / predicted
        means[t] += gain * (means[t + 1] - phi * filtered.mean[t])
        variances[t] += gain**2 * (variances[t + 1] - predicted)
    return means, variances


def log_posterior(y: np.ndarray) -> LogDensity:
    """Log posterior density of (phi, log sigma2_y, log sigma2_z)."""

    def log_density(theta: np.ndarray) -> np.ndarray:
        phi, sigma2_y, sigma2_z = theta[:, 0], np.exp(theta[:, 1]), np.exp(theta[:, 2])
        prior = log_inverse_gamma(sigma2_y, 4, 5) + log_inverse_gamma(sigma2_z, 3, 0.8)
        prior += theta[:, 1] + theta[:, 2] - (phi - 0.7) ** 2 / (2 * 0.04)
        return filter_states(y, phi, sigma2_y, sigma2_z).log_likelihood + prior

    return log_density


def posterior(y: np.ndarray) -> dict[str, Estimate]:
    """Posterior moments of phi, the variances and a few states."""

    def moments(theta: np.ndarray) -> Moments:
        phi, sigma2_y, sigma2_z = theta[:, 0], np.exp(theta[:, 1]), np.exp(theta[:, 2])
        means, variances = smooth_states(filter_states(y, phi, sigma2_y, sigma2_z), phi, sigma2_z)
        states = {f"z[{t}]": (means[t], variances[t]) for t in (0, *REPORTED_STATES)}
        return {"phi": (phi, 0.0), "sigma2_y": (sigma2_y, 0.0), "sigma2_z": (sigma2_z, 0.0)} | states

    return integrate_checked(log_posterior(y), moments, np.array([0.8, 0.4, -1.0]), 12.0, 0.3)


def dense_moments(
    y: np.ndarray, phi: float, sigma2_y: float, sigma2_z: float
) -> tuple[float, np.ndarray, np.ndarray]:
    """Log likelihood, means and variances of z_0..z_T, from joint normals; no recursion over time."""
    size = len(y) + 1
    steps = np.eye(size)[1:] - phi * np.eye(size)[:-1]
    root = np.vstack([np.eye(size)[:1] / np.sqrt(START_VARIANCE), steps / np.sqrt(sigma2_z)])
    prior = np.linalg.inv(root.T @ root)
    mean = START_MEAN * phi ** np.arange(size)
    total = prior[1:, 1:] + sigma2_y * np.eye(len(y))
    error = y - mean[1:]
    _, log_determinant = np.linalg.slogdet(total)
    gain = np.linalg.solve(total, prior[1:]).T
    value = -log_determinant / 2 - error @ np.linalg.solve(total, error) / 2
    return float(value), mean + gain @ error, np.diag(prior - gain @ prior[1:])


def check_recursions(y: np.ndarray) -> None:
    """Compare filter and smoother with the dense computations at two points."""
    for point in ((0.8, 1.4, 0.4), (1.05, 1.0, 0.2)):
        arrays = [np.array([value]) for value in point]
        filtered = filter_states(y, *arrays)
        means, variances = smooth_states(filtered, arrays[0], arrays[2])
        value, dense_means, dense_variances = dense_moments(y, *point)
        gaps = [
            abs(filtered.log_likelihood[0] - value),
            np.abs(means[:, 0] - dense_means).max(),
            np.abs(variances[:, 0] - dense_variances).max(),
        ]
        print("against dense matrices: likelihood {:.1e}, means {:.1e}, variances {:.1e}".format(*gaps))
        require(max(gaps) < 1e-8, "the recursions disagree with the dense matrices")


def main() -> None:
    """Compute, check, print and write the posterior."""
    y = (np.array(read_columns("nile.csv")["flow"], dtype=float) - 919) / 100
    check_recursions(y)
    write_posterior(
        "nile/state_space", SETTING, posterior(y), source=SOURCE, command="nile_autoregression.py"
    )


if __name__ == "__main__":
    main()
