"""Closed-form posteriors with the variances known, for tests; writes tests/references/exact.json.

With its variances known each model is one linear regression y ~ N(Z theta, sigma2 I) with a normal prior on theta
= (population means, effects), so theta | y is normal with precision Z'Z/sigma2 + P and P the prior's precision
(Lindley & Smith 1972, J. R. Statist. Soc. B 34, 1-41). Three cases:

  sleepstudy/random_intercepts (A)  y_ij ~ N(beta0_i + beta1 x_ij, sigma2), beta0_i ~ N(mu0, sigma2_0);
  sleepstudy/random_slopes (B)      y_ij ~ N(beta0 + beta1_i x_ij, sigma2), beta1_i ~ N(mu1, sigma2_1);
  rats/correlated_effects (C, G5)   y_i ~ N(X beta_i, sigma2 I), beta_i ~ N(mu, Sigma).

The check computes every posterior again by conditioning the joint normal of (theta, y) on y.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from datasets import read_balanced
from report import ROOT, Estimate, as_records, print_table, require, write_json

TARGET = ROOT / "tests" / "references" / "exact.json"
COMMAND = "python benchmarks/references/known_variances.py"

# Second arguments are variances.
MODEL_A = (
    "A: y[i,j] ~ N(beta0[i] + beta1 x[j], sigma2); beta0[i] ~ N(mu0, sigma2_0); mu0 ~ N(mu00, sigma2_00); "
    "beta1 ~ N(mu1, sigma2_1)"
)
MODEL_B = (
    "B: y[i,j] ~ N(beta0 + beta1[i] x[j], sigma2); beta1[i] ~ N(mu1, sigma2_1); mu1 ~ N(mu10, sigma2_10); "
    "beta0 ~ N(mu0, sigma2_0)"
)
MODEL_C = (
    "C and G5: y[i,j] ~ N(beta[i,1] + beta[i,2] x[j], sigma2); beta[i] ~ N(mu, Sigma); mu ~ N(mu0, Sigma0)"
)
KNOWN_A = {
    "sigma2": 960.0,
    "sigma2_0": 1400.0,
    "mu00": 250.0,
    "sigma2_00": 1e4,
    "mu1": 0.0,
    "sigma2_1": 100.0,
}
KNOWN_B = {
    "sigma2": 960.0,
    "sigma2_1": 60.0,
    "mu10": 0.0,
    "sigma2_10": 100.0,
    "mu0": 250.0,
    "sigma2_0": 1e4,
}
KNOWN_C = {
    "sigma2": 36.0,
    "Sigma": [[200.0, 4.0], [4.0, 0.25]],
    "mu0": [0.0, 0.0],
    "Sigma0": [[1e4, 0.0], [0.0, 1e4]],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Regression:
    """y (N) ~ N(design @ theta, sigma2 I); theta = lift @ u with u ~ N(mean, covariance).

    `lift` turns independent blocks (population means, deviations of the effects) into theta.
    """

    names: list[str]
    y: np.ndarray
    design: np.ndarray
    sigma2: float
    lift: np.ndarray
    mean: np.ndarray
    covariance: np.ndarray


def posterior_by_precision(model: Regression) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of theta | y: precision Z'Z/sigma2 + P."""
    prior_mean = model.lift @ model.mean
    unlift = np.linalg.inv(model.lift)
    prior = unlift.T @ np.linalg.inv(model.covariance) @ unlift
    precision = model.design.T @ model.design / model.sigma2 + prior
    right = model.design.T @ model.y / model.sigma2 + prior @ prior_mean
    return np.linalg.solve(precision, right), np.linalg.inv(precision)


def posterior_by_conditioning(model: Regression) -> tuple[np.ndarray, np.ndarray]:
    """The same moments from cov(theta, y) var(y)^-1."""
    prior_mean = model.lift @ model.mean
    prior = model.lift @ model.covariance @ model.lift.T
    cross = prior @ model.design.T
    total = model.design @ cross + model.sigma2 * np.eye(len(model.y))
    gain = np.linalg.solve(total, cross.T).T
    mean = prior_mean + gain @ (model.y - model.design @ prior_mean)
    return mean, prior - gain @ cross.T


def estimate(title: str, model: Regression) -> dict[str, Estimate]:
    """Posterior mean and standard deviation of each element of theta, computed in two ways."""
    mean, covariance = posterior_by_precision(model)
    other_mean, other_covariance = posterior_by_conditioning(model)
    sd = np.sqrt(np.diag(covariance))
    gap = max(
        np.abs((mean - other_mean) / sd).max(),
        np.abs(np.sqrt(np.diag(other_covariance)) / sd - 1).max(),
    )
    print(f"{title[:2]} the two computations differ by {gap:.1e} sd")
    require(gap < 1e-6, f"{title[:2]} the two computations disagree")
    return {
        name: Estimate(mean=float(m), sd=float(s)) for name, m, s in zip(model.names, mean, sd, strict=True)
    }


def random_intercepts(x: np.ndarray, y: np.ndarray, known: dict[str, Any]) -> Regression:
    """Model A; theta = (mu0, beta1, beta0[1], ..., beta0[n])."""
    n, repeats = y.shape
    design = np.zeros((y.size, n + 2))
    design[:, 1] = np.tile(x, n)
    design[:, 2:] = np.kron(np.eye(n), np.ones((repeats, 1)))
    lift = np.eye(n + 2)
    lift[2:, 0] = 1
    variances = [known["sigma2_00"], known["sigma2_1"], *[known["sigma2_0"]] * n]
    return Regression(
        names=["mu0", "beta1", *[f"beta0[{i + 1}]" for i in range(n)]],
        y=y.ravel(),
        design=design,
        sigma2=known["sigma2"],
        lift=lift,
        mean=np.array([known["mu00"], known["mu1"], *[0.0] * n]),
        covariance=np.diag(variances),
    )


def random_slopes(x: np.ndarray, y: np.ndarray, known: dict[str, Any]) -> Regression:
    """Model B; theta = (mu1, beta0, beta1[1], ..., beta1[n])."""
    n = len(y)
    design = np.zeros((y.size, n + 2))
    design[:, 1] = 1
    design[:, 2:] = np.kron(np.eye(n), x[:, None])
    lift = np.eye(n + 2)
    lift[2:, 0] = 1
    variances = [known["sigma2_10"], known["sigma2_0"], *[known["sigma2_1"]] * n]
    return Regression(
        names=["mu1", "beta0", *[f"beta1[{i + 1}]" for i in range(n)]],
        y=y.ravel(),
        design=design,
        sigma2=known["sigma2"],
        lift=lift,
        mean=np.array([known["mu10"], known["mu0"], *[0.0] * n]),
        covariance=np.diag(variances),
    )


def correlated_effects(x: np.ndarray, y: np.ndarray, known: dict[str, Any]) -> Regression:
    """Models C and G5; theta = (mu, beta[1], ..., beta[n]), two elements each."""
    n = len(y)
    rows = np.column_stack([np.ones_like(x), x])
    lift = np.eye(2 * n + 2)
    lift[2:, :2] = np.tile(np.eye(2), (n, 1))
    covariance = np.kron(np.eye(n + 1), np.array(known["Sigma"]))
    covariance[:2, :2] = known["Sigma0"]
    effects = [f"beta[{i + 1},{k}]" for i in range(n) for k in (1, 2)]
    return Regression(
        names=["mu[1]", "mu[2]", *effects],
        y=y.ravel(),
        design=np.hstack([np.zeros((y.size, 2)), np.kron(np.eye(n), rows)]),
        sigma2=known["sigma2"],
        lift=lift,
        mean=np.array([*known["mu0"], *[0.0] * (2 * n)]),
        covariance=covariance,
    )


def record(
    data: str,
    model: str,
    labels: list[str],
    known: dict[str, Any],
    posterior: Regression,
) -> dict[str, Any]:
    """One entry of exact.json."""
    estimates = estimate(model, posterior)
    print_table(model, dict(list(estimates.items())[:4]))
    return {
        "source": "exact: joint normal, computed from its precision and again by conditioning",
        "command": COMMAND,
        "data": data,
        "model": model,
        "groups": labels,
        "known": known,
        "parameters": as_records(estimates),
    }


def sleepstudy_records() -> dict[str, Any]:
    """The entries for models A and B."""
    labels, days, reaction = read_balanced("sleepstudy.csv", "subject", "days", "reaction")
    data = "sleepstudy.csv, x = days, y = reaction"
    return {
        "sleepstudy/random_intercepts": record(
            data, MODEL_A, labels, KNOWN_A, random_intercepts(days, reaction, KNOWN_A)
        ),
        "sleepstudy/random_slopes": record(
            data, MODEL_B, labels, KNOWN_B, random_slopes(days, reaction, KNOWN_B)
        ),
    }


def rats_records() -> dict[str, Any]:
    """The entry for models C and G5."""
    labels, day, weight = read_balanced("rats.csv", "rat", "day", "weight")
    data = "rats.csv, x = day - 22, y = weight"
    posterior = correlated_effects(day - 22, weight, KNOWN_C)
    return {"rats/correlated_effects": record(data, MODEL_C, labels, KNOWN_C, posterior)}


def main() -> None:
    """Compute, check and write the three posteriors."""
    write_json(TARGET, sleepstudy_records() | rats_records())


if __name__ == "__main__":
    main()
