"""Cross-check of the seizures posterior by importance sampling; NumPy and SciPy only, no Markov chain.

The effects of each patient are integrated out by adaptive Gauss-Hermite quadrature in two dimensions (Pinheiro &
Bates 1995, J. Comput. Graph. Statist. 4, 12-35), which leaves the marginal posterior of (mu, Sigma), five-
dimensional. A multivariate t at its mode, driven by scrambled Sobol points, is the proposal. The spread over
independent scramblings gives the Monte Carlo error (Owen 1997, SIAM J. Numer. Anal. 34, 1884-1910). Writes the
field `cross_check` of seizures/poisson, and compares it with the NUTS run if that entry is there.

Coordinates: (mu[1], mu[2], log Sigma11, log Sigma22, atanh rho).
"""

import json

import numpy as np
from scipy.special import logsumexp
from scipy.stats import chi2, norm, qmc

from datasets import read_balanced
from growth_curves import Triple, correlate, invert, log_inverse_wishart
from quadrature import Frame, LogDensity, laplace_frame
from report import REFERENCES, Estimate, as_records, print_table, require, update_entry

KEY = "seizures/poisson"
NU, S, MEAN_VARIANCE = 3.0, 0.1, 1e4
FREEDOM = 8.0
REPLICATES, POINTS, SEED = 16, 4096, 1990
ORDER = 9


def find_effects(
    x: np.ndarray, y: np.ndarray, mu: np.ndarray, precision: Triple
) -> tuple[np.ndarray, Triple]:
    """Mode (2, n, N) of each patient's effects given mu (N, 2) and Sigma, and minus the Hessian there.

    Newton's method on sum_j (y_ij eta_ij - exp eta_ij) - (b - mu)' Sigma^-1 (b - mu)/2, concave in b, from the
    prior mean moved to the patient's mean count.
    """
    level = np.log(y.mean(axis=1) + 0.5)[:, None]
    b0, b1 = np.broadcast_arrays(level, mu[:, 1])
    b0, b1 = b0.copy(), b1.copy()
    for _ in range(30):
        rate = np.exp(b0[..., None] + b1[..., None] * x)
        residual = y[:, None, :] - rate
        d0, d1 = b0 - mu[:, 0], b1 - mu[:, 1]
        g0 = residual.sum(axis=2) - precision[0] * d0 - precision[1] * d1
        g1 = residual @ x - precision[1] * d0 - precision[2] * d1
        hessian = (
            rate.sum(axis=2) + precision[0],
            rate @ x + precision[1],
            rate @ x**2 + precision[2],
        )
        inverse = invert(hessian)
        step0 = inverse[0] * g0 + inverse[1] * g1
        step1 = inverse[1] * g0 + inverse[2] * g1
        b0 += np.clip(step0, -1, 1)
        b1 += np.clip(step1, -1, 1)
        if max(np.abs(step0).max(), np.abs(step1).max()) < 1e-9:
            return np.stack([b0, b1]), hessian
    raise SystemExit("check failed: Newton's method did not converge")


def log_marginal(x: np.ndarray, y: np.ndarray, mu: np.ndarray, sigma: Triple, order: int) -> np.ndarray:
    """log p(y | mu, Sigma) up to a constant, shape (N)."""
    precision = invert(sigma)
    (b0, b1), h = find_effects(x, y, mu, precision)
    node, weight = np.polynomial.hermite_e.hermegauss(order)
    l00 = np.sqrt(h[0])
    l10 = h[1] / l00
    l11 = np.sqrt(h[2] - l10**2)
    terms = []
    for u, wu in zip(node, weight, strict=True):
        for v, wv in zip(node, weight, strict=True):
            e1 = b1 + v / l11
            e0 = b0 + (u - l10 * v / l11) / l00
            eta = e0[..., None] + e1[..., None] * x
            d0, d1 = e0 - mu[:, 0], e1 - mu[:, 1]
            penalty = precision[0] * d0**2 + 2 * precision[1] * d0 * d1
            penalty += precision[2] * d1**2
            fit = (y[:, None, :] * eta - np.exp(eta)).sum(axis=2)
            terms.append(fit - penalty / 2 + (u**2 + v**2) / 2 + np.log(wu * wv))
    inner = logsumexp(np.array(terms), axis=0) - np.log(l00 * l11)
    determinant = sigma[0] * sigma[2] - sigma[1] ** 2
    return inner.sum(axis=0) - len(y) / 2 * np.log(determinant)


def log_posterior(x: np.ndarray, y: np.ndarray, order: int = ORDER) -> LogDensity:
    """Log posterior density of (mu[1], mu[2], log Sigma11, log Sigma22, atanh rho)."""

    def log_density(theta: np.ndarray) -> np.ndarray:
        mu = theta[:, :2]
        sigma, jacobian = correlate(theta[:, 2], theta[:, 3], theta[:, 4])
        prior = log_inverse_wishart(sigma, S * NU * np.eye(2), NU) + jacobian
        prior -= (mu**2).sum(axis=1) / (2 * MEAN_VARIANCE)
        return log_marginal(x, y, mu, sigma, order) + prior

    return log_density


def propose(frame: Frame, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Scrambled Sobol points (N, 5) from a multivariate t, and their log density up to a constant."""
    d = len(frame.centre)
    uniform = qmc.Sobol(d + 1, rng=np.random.default_rng(seed)).random(POINTS)
    uniform = np.clip(uniform, 1e-12, 1 - 1e-12)
    scale = np.sqrt(FREEDOM / chi2.ppf(uniform[:, d], FREEDOM))
    z = norm.ppf(uniform[:, :d]) * scale[:, None]
    log_density = -(FREEDOM + d) / 2 * np.log1p((z**2).sum(axis=1) / FREEDOM)
    return frame.centre + z @ frame.scale.T, log_density


def name_scalars(theta: np.ndarray) -> dict[str, np.ndarray]:
    """The reported scalars, each (N)."""
    (s11, s12, s22), _ = correlate(theta[:, 2], theta[:, 3], theta[:, 4])
    return {
        "mu[1]": theta[:, 0],
        "mu[2]": theta[:, 1],
        "Sigma[1,1]": s11,
        "Sigma[1,2]": s12,
        "Sigma[2,2]": s22,
        "sd_1": np.sqrt(s11),
        "sd_2": np.sqrt(s22),
        "rho": np.tanh(theta[:, 4]),
    }


def weighted_moments(theta: np.ndarray, weight: np.ndarray) -> dict[str, tuple[float, float]]:
    """Self-normalised mean and standard deviation of each scalar."""
    weight = weight / weight.sum()
    moments = {}
    for name, value in name_scalars(theta).items():
        mean = weight @ value
        moments[name] = (mean, np.sqrt(weight @ (value - mean) ** 2))
    return moments


def sample(log_density: LogDensity, frame: Frame) -> dict[str, Estimate]:
    """Pooled moments, with errors from the spread of the replicates."""
    points, log_weights = [], []
    for replicate in range(REPLICATES):
        theta, log_proposal = propose(frame, SEED + replicate)
        points.append(theta)
        log_weights.append(log_density(theta) - log_proposal)
    weights = np.exp(np.array(log_weights) - np.max(log_weights))
    efficiency = weights.sum() ** 2 / (weights**2).sum() / weights.size
    print(f"importance sampling: efficiency {efficiency:.2f}, {weights.size} points")
    require(efficiency > 0.3, "the proposal fits badly")
    pooled = weighted_moments(np.concatenate(points), weights.ravel())
    each = [weighted_moments(p, w) for p, w in zip(points, weights, strict=True)]
    estimates = {}
    for name, (mean, sd) in pooled.items():
        spread = np.std([m[name] for m in each], axis=0, ddof=1) / np.sqrt(REPLICATES)
        estimates[name] = Estimate(mean=mean, sd=sd, mcse=spread[0], sd_mcse=spread[1])
    return estimates


def check_order(x: np.ndarray, y: np.ndarray, frame: Frame) -> None:
    """Compare Gauss-Hermite orders on differences of the log posterior across proposals."""
    theta, _ = propose(frame, SEED)
    low, high = (log_posterior(x, y, order)(theta[:200]) for order in (ORDER, 13))
    error = float(np.ptp(low - high))
    print(f"log posterior with {ORDER} and 13 nodes a side: differs by {error:.1e}")
    require(error < 5e-4, "the inner quadrature is too coarse")


def compare_with_nuts(estimates: dict[str, Estimate]) -> None:
    """Demand agreement with the NUTS entry within four Monte Carlo errors of the difference."""
    content = json.loads(REFERENCES.read_text()) if REFERENCES.exists() else {}
    for name, record in content.get(KEY, {}).get("parameters", {}).items():
        for value, error in (("mean", "mcse"), ("sd", "sd_mcse")):
            ours = getattr(estimates[name], value), getattr(estimates[name], error)
            z = (record[value] - ours[0]) / np.hypot(record[error], ours[1])
            print(f"{name:<12}{value:<5} NUTS minus ours: {z:+.2f} standard errors")
            require(abs(z) < 4, f"{value} of {name} disagrees with the NUTS run")


def main() -> None:
    """Compute, check, print and write the cross-check."""
    _, visit, count = read_balanced("seizures.csv", "patient", "visit", "count")
    x = visit - 2.5
    log_density = log_posterior(x, count)
    start = np.array([1.6, -0.05, np.log(0.9), np.log(0.04), 0.0])
    frame = laplace_frame(log_density, start)
    check_order(x, count, frame)
    estimates = sample(log_density, frame)
    print_table(f"{KEY} (importance sampling)", estimates)
    compare_with_nuts(estimates)
    cross_check = {
        "source": "adaptive Gauss-Hermite quadrature for the effects, then importance sampling with "
        f"{REPLICATES} x {POINTS} scrambled Sobol points; errors from the replicates",
        "command": "python benchmarks/references/seizures_importance.py",
        "parameters": as_records(estimates),
    }
    update_entry(KEY, cross_check=cross_check)


if __name__ == "__main__":
    main()
