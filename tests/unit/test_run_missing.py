"""Missing responses: leaving them out is exact, and they are drawn from their own distribution."""

from __future__ import annotations

import numpy as np
import pytest

import deriver
from deriver.errors import DataError
from deriver.language import parse_model
from deriver.running.binding import bind_data
from deriver.running.missing import leave_out_missing

LEVEL = parse_model(
    """model level
plates
  t = 1..T
data
  y[t] ~ N(z[t], 1.5)
process
  z[0] ~ N(1, 2)
  z[t] ~ N(0.8 * z[t-1], 0.5) for t in 1..T
"""
)

CROSSED = parse_model(
    """model crossed
plates
  i = 1..n
  j = 1..m
data
  y[i,j] ~ N(a[i] + b[j], 0.5)
process
  a[i] ~ N(0, 2)
  b[j] ~ N(1, 1)
"""
)

REPEATS = parse_model(
    """model repeats
plates
  i = 1..n
  j = 1..J[i]
given
  x[i,j]
data
  y[i,j] ~ N(a[i] + 0.5 * x[i,j], 0.5)
process
  a[i] ~ N(0, 2)
"""
)


def exact_moments(
    design: np.ndarray, offset: np.ndarray, noise: float, mean: np.ndarray, cov: np.ndarray, y: np.ndarray
):
    """Return the posterior mean and sd of a normal vector, and those of the missing ``y``."""
    seen = ~np.isnan(y)
    precision = np.linalg.inv(cov) + design[seen].T @ design[seen] / noise
    linear = np.linalg.solve(cov, mean) + design[seen].T @ (y - offset)[seen] / noise
    variance = np.linalg.inv(precision)
    centre = variance @ linear
    gone = design[~seen]
    missing_sd = np.sqrt(np.einsum("ka,ab,kb->k", gone, variance, gone) + noise)
    return centre, np.sqrt(np.diag(variance)), gone @ centre + offset[~seen], missing_sd


def check_draws(draws: np.ndarray, mean: np.ndarray, sd: np.ndarray) -> None:
    """Check means and standard deviations over (chain, draw) against exact ones."""
    flat = draws.reshape(-1, mean.size)
    np.testing.assert_allclose(flat.mean(axis=0), mean, atol=0.12)
    np.testing.assert_allclose(flat.std(axis=0), sd, rtol=0.12)


def test_a_series_with_gaps() -> None:
    rng, length = np.random.default_rng(4), 12
    y = rng.normal(size=length) * 2
    y[[2, 3, 11]] = np.nan
    result = deriver.run(LEVEL, {"y": y}, seed=1, draws=2000, warmup=500)
    step = np.linalg.inv(np.eye(length + 1) - 0.8 * np.eye(length + 1, k=-1))
    cov = step @ np.diag([2.0, *[0.5] * length]) @ step.T
    mean = step @ np.array([1.0, *[0.0] * length])
    design = np.eye(length + 1)[1:]
    exact = exact_moments(design, np.zeros(length), 1.5, mean, cov, y)
    posterior = result.idata.posterior
    check_draws(posterior.z.to_numpy(), *exact[:2])
    check_draws(posterior.y_missing.to_numpy(), *exact[2:])
    assert posterior.y_missing_dim.to_numpy().tolist() == ["3", "4", "12"]


def test_crossed_groups() -> None:
    rng, n, m = np.random.default_rng(5), 4, 3
    y = rng.normal(size=(n, m)) + 1
    y[1, 2] = y[3, 0] = np.nan
    result = deriver.run(CROSSED, {"y": y}, seed=1, draws=3000, warmup=500)
    design = np.hstack([np.kron(np.eye(n), np.ones((m, 1))), np.kron(np.ones((n, 1)), np.eye(m))])
    mean, cov = np.array([0.0] * n + [1.0] * m), np.diag([2.0] * n + [1.0] * m)
    exact = exact_moments(design, np.zeros(n * m), 0.5, mean, cov, y.ravel())
    posterior = result.idata.posterior
    check_draws(np.concatenate([posterior.a, posterior.b], axis=-1), *exact[:2])
    check_draws(posterior.y_missing.to_numpy(), *exact[2:])


def test_ragged_repeats_lose_their_rows() -> None:
    y = [[1.0, None], [2.0, 3.0, 4.0], [None]]
    x = [[1.0, 2.0], [0.0, 1.0, 2.0], [1.0]]
    binding = bind_data(REPEATS, {"y": y, "x": x})
    observed = leave_out_missing(binding)
    assert observed.model == REPEATS
    assert observed.arrays["J"].tolist() == [1, 3, 0]
    assert observed.arrays["x"].tolist() == [1, 0, 1, 2]
    result = deriver.run(REPEATS, {"y": y, "x": x}, seed=1, draws=2000, warmup=200)
    design = np.repeat(np.eye(3), [2, 3, 1], axis=0)
    flat = np.array([1, np.nan, 2, 3, 4, np.nan])
    offset = 0.5 * np.array([1, 2, 0, 1, 2, 1.0])
    exact = exact_moments(design, offset, 0.5, np.zeros(3), 2 * np.eye(3), flat)
    check_draws(result.idata.posterior.a.to_numpy(), *exact[:2])
    check_draws(result.idata.posterior.y_missing.to_numpy(), *exact[2:])


def test_a_response_without_any_value_is_refused() -> None:
    with pytest.raises(DataError, match="every value is missing"):
        leave_out_missing(bind_data(CROSSED, {"y": np.full((2, 2), np.nan)}))


def test_nothing_changes_without_missing_values() -> None:
    binding = bind_data(CROSSED, {"y": np.ones((2, 3))})
    assert leave_out_missing(binding).model is CROSSED
