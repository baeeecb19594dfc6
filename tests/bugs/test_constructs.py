"""Constructs of published BUGS programs: each runs, and agrees with a posterior that is computed otherwise.

The references are sums over every configuration of the discrete nodes, with continuous ones integrated by hand, or
quadrature on a grid.  Draws are compared at over four Monte Carlo standard errors; seeds are fixed.
"""

from __future__ import annotations

import itertools
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import betaln, comb, gammaln

import deriver
from tests.bugs.test_others import OTHERS


def draws_of(
    program: str, data: Mapping[str, Any], folder: Path, draws: int = 300
) -> Mapping[str, np.ndarray]:
    """Run a program with NumPy, many short chains side by side; every warning of the sampler's arithmetic is an error."""
    file = folder / "program.bug"
    file.write_text(program, encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        found = deriver.run(
            file, data, chains=60, warmup=100, draws=draws, seed=1, backend="numpy", progress=False
        )
    return {name: values.values for name, values in found.idata.posterior.data_vars.items()}


def shares(values: np.ndarray, labels: range) -> np.ndarray:
    """Return how often each label was drawn."""
    return np.array([(values == label).mean() for label in labels])


PHENOTYPES = """
model {
  for (i in 1:N) {
    x[i] ~ dbern(q)
    d[i] ~ dbern(r)
    w[i] ~ dbern(phi[x1[i], d1[i]])
    x1[i] <- x[i] + 1; d1[i] <- d[i] + 1
  }
  q ~ dunif(0, 1); r ~ dunif(0, 1)
  for (j in 1:2) { for (k in 1:2) { phi[j, k] ~ dbeta(a[j, k], b[j, k]) } }
}
"""


def test_two_subscripts_that_are_drawn(tmp_path: Path) -> None:
    """An element named by two random subscripts: against the sum over all their values."""
    a, b = np.array([[1.0, 4.0], [2.0, 6.0]]), np.array([[5.0, 2.0], [2.0, 1.0]])
    w = np.array([0, 1, 1, 0])
    drawn = draws_of(PHENOTYPES, {"N": 4, "w": w, "a": a, "b": b}, tmp_path)
    weights, moments = [], []
    for x in itertools.product((0, 1), repeat=4):
        for d in itertools.product((0, 1), repeat=4):
            ones, zeros = np.zeros((2, 2)), np.zeros((2, 2))
            np.add.at(ones, (x, d), w)
            np.add.at(zeros, (x, d), 1 - w)
            labels = sum(betaln(1 + sum(z), 1 + 4 - sum(z)) for z in (x, d))
            weights.append(np.exp(labels + np.sum(betaln(a + ones, b + zeros) - betaln(a, b))))
            moments.append([x[0], d[1], *((a + ones) / (a + b + ones + zeros)).ravel()])
    expected = np.average(moments, axis=0, weights=weights)
    found = [drawn["x"][..., 0].mean(), drawn["d"][..., 1].mean(), *drawn["phi"].mean((0, 1)).ravel()]
    np.testing.assert_allclose(found, expected, atol=0.03)


def test_a_table_by_two_genotypes(tmp_path: Path) -> None:
    """The genotypes of the pigs, tables by the genotypes of both parents: against the sum over all genotypes."""
    program, text = OTHERS["pigs"]
    data = json.loads(text)
    mendel, recessive = np.array(data["p.mendelian"]), np.array(data["p.recessive"])
    names = ("Ann", "Brian", "Clare", "Diane", "Fred", "Henry", "Jane")
    chances = np.zeros((len(names), 3))
    mean = 0.0
    for ann, brian, clare, diane, fred, henry, jane in itertools.product(range(3), repeat=7):
        own = ann + brian + fred
        weight = comb(2, ann) * comb(2, brian) * comb(2, fred) * np.exp(betaln(1 + own, 7 - own))
        weight *= mendel[ann, brian, clare] * mendel[ann, brian, diane] * mendel[fred, diane, henry]
        weight *= mendel[henry, clare, jane] * recessive[jane, 1]
        chances[range(7), (ann, brian, clare, diane, fred, henry, jane)] += weight
        mean += weight * (1 + own) / 8
    chances, mean = chances / chances[0].sum(), mean / chances[0].sum()
    drawn = draws_of(program, data, tmp_path)
    assert drawn["q"].mean() == pytest.approx(mean, abs=0.03)
    for name, expected in zip(names, chances, strict=True):
        np.testing.assert_allclose(shares(drawn[name], range(1, 4)), expected, atol=0.04)


CHANGE = """
model {
  for (t in 1:n) { D[t] ~ dpois(lam[k[t]]); k[t] <- 1 + step(t - cp - 0.5) }
  cp ~ dcat(pr[])
  for (t in 1:n) { pr[t] <- 1 / n }
  for (j in 1:2) { lam[j] ~ dgamma(2, 1) }
}
"""


def test_a_change_point_that_is_a_subscript(tmp_path: Path) -> None:
    """A rate before and one after a drawn time: against the sum over all times."""
    counts = np.array([4, 5, 4, 3, 1, 0, 1, 1])
    drawn = draws_of(CHANGE, {"n": 8, "D": counts}, tmp_path)
    logs = []
    for last in range(1, 9):
        parts = (counts[:last], counts[last:])
        logs.append(sum(gammaln(2 + p.sum()) - (2 + p.sum()) * np.log(1 + len(p)) for p in parts))
    weights = np.exp(np.array(logs) - max(logs))
    np.testing.assert_allclose(shares(drawn["cp"], range(1, 9)), weights / weights.sum(), atol=0.02)


ABUNDANCE = """
model {
  lambda ~ dgamma(2, 0.5); p ~ dbeta(2, 2)
  for (i in 1:2) { N[i] ~ dpois(lambda); for (j in 1:2) { y[i, j] ~ dbin(p, N[i]) } }
}
"""


def test_an_unknown_number_of_trials(tmp_path: Path) -> None:
    """Counts of an unknown population, whose first value must not be below what was seen."""
    y = np.array([[2, 1], [3, 5]])
    drawn = draws_of(ABUNDANCE, {"y": y}, tmp_path, draws=600)
    grid = np.arange(0, 80)
    with np.errstate(divide="ignore"):
        each = [np.log(comb(grid, a)) + np.log(comb(grid, b)) - gammaln(grid + 1) for a, b in y]
    total = grid[:, None] + grid
    logs = each[0][:, None] + each[1] + gammaln(2 + total) - (2 + total) * np.log(0.5 + 2)
    missed = np.maximum(2 * total - y.sum(), 0)
    logs = logs + betaln(2 + y.sum(), 2 + missed)
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    expected = [(weights * grid[:, None]).sum(), (weights * grid).sum()]
    found = drawn["N"].mean((0, 1))
    np.testing.assert_allclose(found, expected, rtol=0.06)
    prob = (2 + y.sum()) / (4 + y.sum() + missed)
    assert drawn["p"].mean() == pytest.approx((weights * prob).sum(), abs=0.015)
