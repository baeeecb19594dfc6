"""Reference posteriors of the Nile demonstration; writes two entries of references.json.

y_t ~ N(z_t, sigma2_y), z_t ~ N(z_{t-1}, sigma2_z), t = 1..100, z_0 ~ N(1000, 1e5). A Kalman filter gives the
likelihood of the two variances (the prediction error decomposition) and a fixed-interval smoother the mean and
variance of each z_t given them: Durbin & Koopman (2012), Time Series Analysis by State Space Methods, 2nd ed.,
chapter 2. Two-dimensional quadrature over the log variances does the rest. With the variances fixed at the
maximum likelihood estimates of that book, 15099 and 1469.1, the smoothed states are exact normal moments.
"""

from dataclasses import dataclass

import numpy as np

from datasets import read_columns
from quadrature import LogDensity, Moments, integrate_checked
from report import Estimate, as_records, print_table, require, update_entry

COMMAND = "python benchmarks/references/nile.py"
START_MEAN, START_VARIANCE = 1000.0, 1e5
FIXED_Y, FIXED_Z = 15099.0, 1469.1
REPORTED_STATES = (1, 28, 100)


@dataclass(frozen=True, slots=True)
class Filtered:
    """Means and variances of z_0..z_T given y_1..y_t, each (T + 1, N), and the log likelihood (N)."""

    mean: np.ndarray
    variance: np.ndarray
    log_likelihood: np.ndarray


def filter_states(y: np.ndarray, sigma2_y: np.ndarray, sigma2_z: np.ndarray) -> Filtered:
    """The Kalman filter for N pairs of variances (N) at once; y has shape (T)."""
    means = np.empty((len(y) + 1, len(sigma2_y)))
    variances = np.empty_like(means)
    means[0], variances[0] = START_MEAN, START_VARIANCE
    log_likelihood = np.zeros(len(sigma2_y))
    for t, value in enumerate(y, start=1):
        predicted = variances[t - 1] + sigma2_z
        total = predicted + sigma2_y
        error = value - means[t - 1]
        log_likelihood -= (np.log(total) + error**2 / total) / 2
        means[t] = means[t - 1] + predicted / total * error
        variances[t] = predicted * sigma2_y / total
    return Filtered(means, variances, log_likelihood)


def smooth_states(filtered: Filtered, sigma2_z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means and variances (T + 1, N) of z_0..z_T given all of y, by Rauch, Tung & Striebel's recursion."""
    means, variances = filtered.mean.copy(), filtered.variance.copy()
    for t in range(len(means) - 2, -1, -1):
        predicted = filtered.variance[t] + sigma2_z
        gain = filtered.variance[t] / predicted
        means[t] += gain * (means[t + 1] - filtered.mean[t])
        variances[t] += gain**2 * (variances[t + 1] - predicted)
    return means, variances


def log_posterior(y: np.ndarray) -> LogDensity:
    """Log posterior density of (log sigma2_y, log sigma2_z), with scales 15000 and 1500 and shape 2."""

    def log_density(theta: np.ndarray) -> np.ndarray:
        variances = np.exp(theta)
        filtered = filter_states(y, variances[:, 0], variances[:, 1])
        prior = -2 * theta - np.array([15000.0, 1500.0]) / variances
        return filtered.log_likelihood + prior.sum(axis=1)

    return log_density


def posterior(y: np.ndarray) -> dict[str, Estimate]:
    """Posterior moments of the variances and of a few states."""

    def moments(theta: np.ndarray) -> Moments:
        sigma2_y, sigma2_z = np.exp(theta).T
        means, variances = smooth_states(filter_states(y, sigma2_y, sigma2_z), sigma2_z)
        states = {f"z[{t}]": (means[t], variances[t]) for t in REPORTED_STATES}
        return {"sigma2_y": (sigma2_y, 0.0), "sigma2_z": (sigma2_z, 0.0)} | states

    start = np.log([FIXED_Y, FIXED_Z])
    return integrate_checked(log_posterior(y), moments, start, 14.0, 0.25)


def fixed_variances(y: np.ndarray) -> dict[str, Estimate]:
    """Mean and standard deviation of z_0..z_T given the fixed variances."""
    sigma2_y, sigma2_z = np.array([FIXED_Y]), np.array([FIXED_Z])
    means, variances = smooth_states(filter_states(y, sigma2_y, sigma2_z), sigma2_z)
    return {
        f"z[{t}]": Estimate(mean=float(mean), sd=float(np.sqrt(variance)))
        for t, (mean, variance) in enumerate(zip(means[:, 0], variances[:, 0], strict=True))
    }


def dense_states(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same moments from the joint precision matrix (T + 1, T + 1) of z_0..z_T: no recursion."""
    size = len(y) + 1
    steps = np.diff(np.eye(size), axis=0)
    precision = steps.T @ steps / FIXED_Z + np.eye(size) / FIXED_Y
    precision[0, 0] += 1 / START_VARIANCE - 1 / FIXED_Y
    right = np.append(START_MEAN / START_VARIANCE, y / FIXED_Y)
    covariance = np.linalg.inv(precision)
    return covariance @ right, np.sqrt(np.diag(covariance))


def dense_log_likelihood(y: np.ndarray, sigma2_y: float, sigma2_z: float) -> float:
    """The log likelihood from the joint covariance of y: cov(y_s, y_t) = 1e5 + min(s, t) sigma2_z + ..."""
    t = np.arange(1, len(y) + 1)
    covariance = START_VARIANCE + sigma2_z * np.minimum.outer(t, t)
    covariance += sigma2_y * np.eye(len(y))
    _, log_determinant = np.linalg.slogdet(covariance)
    error = y - START_MEAN
    return float(-log_determinant / 2 - error @ np.linalg.solve(covariance, error) / 2)


def check_recursions(y: np.ndarray, smoothed: dict[str, Estimate]) -> None:
    """Compare filter and smoother with the dense computations."""
    means, sds = dense_states(y)
    gap = max(
        max(abs(e.mean - m), abs(e.sd - s)) / s for e, m, s in zip(smoothed.values(), means, sds, strict=True)
    )
    filtered = filter_states(y, np.array([FIXED_Y]), np.array([FIXED_Z]))
    dense = dense_log_likelihood(y, FIXED_Y, FIXED_Z)
    error = abs(filtered.log_likelihood[0] - dense)
    print(f"against dense matrices: smoother {gap:.1e} sd, log likelihood {error:.1e}")
    require(gap < 1e-8, "the smoother disagrees with the dense precision matrix")
    require(error < 1e-8, "the filter disagrees with the dense covariance matrix")


def main() -> None:
    """Compute, check, print and write both posteriors."""
    y = np.array(read_columns("nile.csv")["flow"], dtype=float)
    states = fixed_variances(y)
    check_recursions(y, states)
    estimates = posterior(y)
    print_table("nile/state_space", estimates)
    shown = {name: states[name] for name in ("z[0]", "z[1]", "z[28]", "z[100]")}
    print_table("nile/state_space_fixed_variances (four of 101 states)", shown)
    start = "z[0] ~ N(1000, 1e5); phi = 1; t = 1 is 1871"
    update_entry(
        "nile/state_space",
        source="exact: states integrated out by a Kalman filter and smoother; trapezoidal rule in 2 log variances",
        command=COMMAND,
        priors=f"{start}; sigma2_y ~ IG(2, 1/15000), that is shape 2 and scale 15000; "
        "sigma2_z ~ IG(2, 1/1500), that is shape 2 and scale 1500",
        parameters=as_records(estimates),
    )
    update_entry(
        "nile/state_space_fixed_variances",
        source="exact: Kalman smoother, equal to the dense joint normal; the variances are the maximum likelihood "
        "estimates of Durbin & Koopman",
        command=COMMAND,
        priors=f"{start}; sigma2_y = 15099 and sigma2_z = 1469.1 are known",
        parameters=as_records(states),
    )


if __name__ == "__main__":
    main()
