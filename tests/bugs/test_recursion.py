"""Definitions that recur on random quantities: exact posteriors of the programs that are stated anew."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import deriver
from deriver.bugs import read_arrays, translate
from tests.test_partly_observed import check

GROWTH = """model {
  x[1] ~ dnorm(2, 0.5)
  for (t in 1:(T-1)) { r[t] ~ dnorm(g, 4); x[t+1] <- 0.9 * x[t] SIGN r[t] }
  for (t in 1:T) { y[t] ~ dnorm(x[t], 2) }
  g ~ dnorm(0, 0.25)
}"""
CONTRAST = """model {
  for (i in 1:n) { y[i] ~ dnorm(m + a[A[i]], 2) }
  m ~ dnorm(0, 0.1)
  a[1] <- -sum(a[2:3])
  for (j in 2:3) { a[j] ~ dnorm(0, 0.3) }
}"""
SURVIVAL = """model {
  for (i in 1:n) {
    z[i, 1] <- 1
    for (t in 2:T) { z[i, t] ~ dbern(phi * z[i, t-1]); y[i, t] ~ dbern(p * z[i, t]) }
  }
  phi ~ dunif(0, 1); p ~ dunif(0, 1)
}"""


def posterior_of(program: str, data: dict, folder: Path):
    """Return the draws of a program by its names."""
    (folder / "program.bug").write_text(program, encoding="utf-8")
    (folder / "data.json").write_text(json.dumps(data), encoding="utf-8")
    result = deriver.run(
        folder / "program.bug",
        folder / "data.json",
        seed=1,
        draws=4000,
        warmup=500,
        backend="numpy",
        progress=False,
    )
    return result.idata.posterior


def check_gaussian(rows: list, precisions: list, values: list, draws: np.ndarray, kept: np.ndarray) -> None:
    """Check draws of ``kept @ unknowns``, for observations ``rows @ unknowns`` with the given precisions."""
    design, weight = np.array(rows, dtype=float), np.array(precisions)
    precision = design.T @ (weight[:, None] * design)
    mean = np.linalg.solve(precision, design.T @ (weight * np.array(values)))
    cov = kept @ np.linalg.inv(precision) @ kept.T
    check(draws, kept @ mean, np.sqrt(np.diag(cov)))


def test_a_state_with_a_random_increment(tmp_path: Path) -> None:
    y = [1.9, 2.5, 2.2, 3.4]
    for name, sign in (("+", 1), ("-", -1)):
        unit = np.eye(8)  # x[1..4], r[1..3], g
        step = [unit[t + 1] - 0.9 * unit[t] - sign * unit[4 + t] for t in range(3)]
        rows = [unit[0], *unit[:4], *(unit[4 + t] - unit[7] for t in range(3)), unit[7], *step]
        values = [2, *y, 0, 0, 0, 0, 0, 0, 0]
        found = posterior_of(GROWTH.replace("SIGN", name), {"T": 4, "y": y}, tmp_path)
        draws = np.concatenate([found.x, found.r, found.g.to_numpy()[..., None]], axis=-1)
        check_gaussian(rows, [0.5, *[2] * 4, *[4] * 3, 0.25, *[1e9] * 3], values, draws, unit)


def test_effects_that_sum_to_zero(tmp_path: Path) -> None:
    y, group = [1.0, 2, 3, 2, 4, 5], [1, 2, 3, 1, 2, 3]
    effects = np.array([[0, -1, -1], [0, 1, 0], [0, 0, 1]])  # of m, a[2], a[3]
    rows = [np.array([1, 0, 0]) + effects[k - 1] for k in group] + list(np.eye(3))
    found = posterior_of(CONTRAST, {"n": 6, "y": y, "A": group}, tmp_path)
    draws = np.concatenate([found.m.to_numpy()[..., None], found.a], axis=-1)
    check_gaussian(rows, [*[2] * 6, 0.1, 0.3, 0.3], [*y, 0, 0, 0], draws, np.vstack([[1, 0, 0], effects]))


def test_capture_and_recapture(tmp_path: Path) -> None:
    y = [[1, 1, 0, 1, 0], [1, 0, 0, 0, 0], [1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [1, 0, 1, 0, 0]]
    grid = (np.arange(400) + 0.5) / 400
    phi, p = np.meshgrid(grid, grid, indexing="ij")
    likelihood = np.ones_like(phi)
    for row in y:
        alive, dead = np.ones_like(phi), np.zeros_like(phi)
        for seen in row[1:]:
            dead = (dead + alive * (1 - phi)) * (1 - seen)
            alive = alive * phi * stats.bernoulli(p).pmf(seen)
        likelihood *= alive + dead
    weight = likelihood / likelihood.sum()
    mean = np.array([(weight * each).sum() for each in (phi, p)])
    sd = np.sqrt([(weight * (each - m) ** 2).sum() for each, m in zip((phi, p), mean, strict=True)])
    found = posterior_of(SURVIVAL, {"n": 5, "T": 5, "y": y}, tmp_path)
    check(np.stack([found.phi, found.p], axis=-1), mean, sd)
    assert (found.z.to_numpy()[..., 0] == 1).all()


def test_what_is_stated(tmp_path: Path) -> None:
    (tmp_path / "data.json").write_text('{"T": 4, "y": [1, 2, 3, 4]}', encoding="utf-8")
    text = translate(GROWTH.replace("SIGN", "-"), read_arrays(tmp_path / "data.json")).text
    assert "x[t] ~ Normal(0.9 * x[t-1] - g, prec=4) for t in 2..4" in text
    assert "r[t] = 0.9 * x[t] - x[t+1] for t in 1..3" in text


MEANS = """model {
  mean[1] <- g / 2
  x[1] ~ dnorm(mean[1], 3)
  for (t in 2:4) { mean[t] <- 0.5 * x[t-1] + g; x[t] ~ dnorm(mean[t], 3) }
  for (t in 1:4) { y[t] ~ dnorm(x[t], 2) }
  g ~ dnorm(0, 0.25)
}"""
BOUNDED = """model {
  for (i in 1:2) { theta[i] ~ dnorm(m, 1) I(-100, 5); y[i] ~ dnorm(theta[i], 2) }
  m ~ dnorm(4, 0.5)
}"""


def test_means_by_several_definitions(tmp_path: Path) -> None:
    y, unit = [1.9, 2.5, 2.2, 3.4], np.eye(5)  # x[1..4], g
    steps = [unit[0] - unit[4] / 2, *(unit[t] - 0.5 * unit[t - 1] - unit[4] for t in (1, 2, 3))]
    found = posterior_of(MEANS, {"y": y}, tmp_path)
    draws = np.concatenate([found.x, found.g.to_numpy()[..., None]], axis=-1)
    check_gaussian([*unit[:4], *steps, unit[4]], [*[2] * 4, *[3] * 4, 0.25], [*y, *[0] * 5], draws, unit)


@pytest.mark.parametrize("low", [-100, -1])
def test_bounds_leave_the_density_between_them_as_it_is(low: int, tmp_path: Path) -> None:
    y = [6.5, 4.8]
    m, theta = np.meshgrid(np.linspace(-4, 12, 1601), np.linspace(max(low, -3), 5, 1601)[1:-1], indexing="ij")
    parts = [stats.norm(m, 1).pdf(theta) * stats.norm(theta, 0.5**0.5).pdf(value) for value in y]
    sums = [part.sum(axis=1) for part in parts]
    prior = stats.norm(4, 2**0.5).pdf(m[:, 0])
    weight = prior * sums[0] * sums[1]
    mean_m = (weight * m[:, 0]).sum() / weight.sum()
    first = (prior * sums[1] * (parts[0] * theta).sum(axis=1)).sum() / weight.sum()
    square = (prior * sums[1] * (parts[0] * theta**2).sum(axis=1)).sum() / weight.sum()
    sd_m = np.sqrt((weight * m[:, 0] ** 2).sum() / weight.sum() - mean_m**2)
    found = posterior_of(BOUNDED.replace("-100", str(low)), {"y": y}, tmp_path)
    draws = np.stack([found.m, found.theta[:, :, 0]], axis=-1)
    check(draws, np.array([mean_m, first]), np.array([sd_m, np.sqrt(square - first**2)]))
