"""Covariances stated entry by entry, K[:,:]: Gaussian processes and spatial models, against linear algebra by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import deriver
from deriver.bugs.to_jags import to_jags
from deriver.bugs.to_stan import to_stan

MODEL = """
model smooth

plates
  i = 1..N
  j = 1..N

given
  x[i]

data
  y ~ N(m * ones(N), K[:,:] + sigma^2 * eye(N))

process
  K[i,j] = {kernel}

parameters
  m ~ Normal(0, sd=3)
  rho ~ Gamma(shape=4, rate=1)
  alpha ~ HalfNormal(sd=2)
  sigma ~ HalfNormal(sd=1)
"""
SQUARED = "alpha^2 * exp(-(x[i] - x[j])^2 / (2 * rho^2))"
X, Y = np.array([-2.0, -0.5, 0.1, 1.0, 3.0]), np.array([0.3, 1.1, 0.8, -0.4, 0.2])


def covariance(rho: float, alpha: float, sigma: float) -> np.ndarray:
    gap = X[:, None] - X
    return alpha**2 * np.exp(-(gap**2) / (2 * rho**2)) + sigma**2 * np.eye(len(X))


@pytest.mark.parametrize(
    "kernel",
    [
        SQUARED,
        "alpha^2 * exp(-abs(x[i] - x[j]) / rho)",
        "alpha^2 * (1 + exp(-(x[i] - x[j])^2 / rho)) * exp(-abs(x[i] - x[j]))",
    ],
)
def test_a_mean_is_conjugate_where_the_covariance_is_proved(kernel: str) -> None:
    conditional = deriver.derive(deriver.parse_model(MODEL.format(kernel=kernel))).node("m")
    assert conditional.method == "gibbs" and conditional.family == "normal"


@pytest.mark.parametrize(
    "kernel",
    [
        "alpha^2 * exp((x[i] - x[j])^2 / rho)",
        "alpha^2 * exp(-(x[i] + x[j])^2 / rho)",
        "alpha^2 * exp(-(2 * x[i] - x[j])^2 / rho)",
        "alpha^2 * exp(-abs(x[i] - x[j])^3 / rho)",
        "alpha^2 * (1 - exp(-(x[i] - x[j])^2))",
    ],
)
def test_a_covariance_that_is_not_proved_leaves_the_mean_to_metropolis(kernel: str) -> None:
    conditional = deriver.derive(deriver.parse_model(MODEL.format(kernel=kernel))).node("m")
    assert conditional.method == "mh"


def test_the_conditional_of_the_mean_is_generalised_least_squares() -> None:
    """[m | .] = N(b/A, 1/A), A = 1'V⁻¹1 + 1/9, b = 1'V⁻¹y, for V the covariance of y."""
    derivation = deriver.derive(deriver.parse_model(MODEL.format(kernel=SQUARED)))
    rho, alpha, sigma = 1.7, 0.9, 0.6
    numbers = {"N": 5, "y": Y[:, None], "m": 0.2, "rho": rho, "alpha": alpha, "sigma": sigma}
    gap = np.subtract.outer(X, X) ** 2
    kernel = {(i + 1, j + 1): alpha**2 * np.exp(-gap[i, j] / (2 * rho**2)) for i, j in np.ndindex(5, 5)}
    state = {name: {(): value} for name, value in numbers.items()}
    state |= {"x": {(i + 1,): value for i, value in enumerate(X)}, "K": kernel}
    family, found = derivation.node("m").at(state)
    weights = np.linalg.solve(covariance(rho, alpha, sigma), np.ones(5))
    precision = weights.sum() + 1 / 9
    assert family == "normal"
    assert found["mean"] == pytest.approx(weights @ Y / precision, rel=1e-12)
    assert found["var"] == pytest.approx(1 / precision, rel=1e-12)


def test_the_posterior_of_a_gaussian_process() -> None:
    """The mean of each parameter against a grid over (ρ, α, σ), m integrated out exactly."""
    with_data = {"N": 5, "x": X, "y": Y}
    result = deriver.run(
        deriver.parse_model(MODEL.format(kernel=SQUARED)), with_data, draws=1500, warmup=300, seed=3,
        chains=4, backend="numpy", progress=False,
    )  # fmt: skip
    rho, alpha, sigma = np.meshgrid(
        np.linspace(0.02, 16, 28), np.linspace(0.02, 7, 28), np.linspace(0.02, 3.5, 28), indexing="ij"
    )
    gap = (X[:, None] - X) ** 2
    cov = alpha[..., None, None] ** 2 * np.exp(-gap / (2 * rho[..., None, None] ** 2))
    cov = cov + sigma[..., None, None] ** 2 * np.eye(5) + 9 * np.ones((5, 5))
    prior = stats.gamma.logpdf(rho, 4) - alpha**2 / 8 - sigma**2 / 2
    fit = np.einsum("p,...pq,q", Y, np.linalg.inv(cov), Y)
    weight = np.exp(prior - fit / 2 - np.linalg.slogdet(cov)[1] / 2)
    exact = [np.sum(weight * each) / np.sum(weight) for each in (rho, alpha, sigma)]
    summary = result.summary()
    for name, value in zip(("rho", "alpha", "sigma"), exact, strict=True):
        row = summary.row(name)
        assert abs(row.mean - value) <= 4 * row.mcse, name
        assert row.mcse <= 0.05 * row.sd, name


def test_a_latent_process_is_moved_by_newton_steps() -> None:
    """f ~ N(0, K) under a Poisson response: its gradient is k - exp(f) - K⁻¹f, component by component."""
    model = deriver.parse_model(
        """
model counts

plates
  i = 1..N
  j = 1..N

given
  x[i]

data
  k[i] ~ Poisson(log_rate=f[i])

process
  K[i,j] = exp(-(x[i] - x[j])^2)
  f ~ N(0 * ones(N), K[:,:] + 0.0001 * eye(N))
"""
    )
    assert "newton_step(rng, state.f, derivatives_f" in deriver.emit(model)


def test_other_systems_read_the_table_as_a_matrix() -> None:
    model = deriver.parse_model(MODEL.format(kernel=SQUARED))
    assert "to_matrix(K[:, :])" in to_stan(model)
    assert "K[1:N,1:N]" in to_jags(model)


def test_a_derived_quantity_reads_the_table() -> None:
    """The trace of K is N α², as x_i - x_i = 0."""
    model = deriver.parse_model(MODEL.format(kernel=SQUARED))
    result = deriver.run(
        model, {"N": 5, "x": X, "y": Y}, draws=5, warmup=5, seed=1, chains=2, backend="numpy",
        derived=["spread = tr(K[:,:])"], progress=False,
    )  # fmt: skip
    np.testing.assert_allclose(result.posterior["spread"], 5 * result.posterior["alpha"] ** 2)
