"""Compiled Newton updates side by side: the ratio that accepts them, against the density of the proposals; names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from deriver.emission import emit
from deriver.language import parse_model
from deriver.pipeline import derive
from deriver.plan import make_plan
from tests.test_compiled import Bench, load_uncompiled, pair_up

WIDTH = 2  # lanes, so that a few elements fill them several times, the last time in part
MARGIN = 1e-6


class Weighing:
    """Runs of one update with the same normals; the last uniforms, which accept, are given."""

    def __init__(self, bench: Bench, step: Any) -> None:
        self.bench, self.step, self.calls = bench, step, []
        self.thresholds: list[float] = []
        self.module, self.newton = bench.module, getattr(bench.module, f"newton_{step.node}")
        setattr(self.module, f"newton_{step.node}", self.record)
        self.module.WIDTH, self.module.fill_normal = WIDTH, self.fill_normal
        self.module.fill_uniform = self.fill_uniform

    def record(self, *arguments: float) -> Any:
        found = self.newton(*arguments)
        self.calls.append((arguments, found))
        return found

    def fill_normal(self, rng: Any, values: np.ndarray) -> None:
        values[:] = self.random.normal(size=len(values))

    def fill_uniform(self, rng: Any, first: int, count: int) -> None:
        rng.room[first : first + count] = self.random.uniform(size=count)
        own = [self.thresholds.pop(0) if self.thresholds else 1.0 for _ in range(WIDTH)]
        rng.room[first + count - WIDTH : first + count] = own

    def run(self, thresholds: list[float]) -> tuple[np.ndarray, np.ndarray]:
        """Return the node after an update, and which proposals were counted as taken."""
        self.random, self.thresholds = np.random.default_rng(7), list(thresholds)
        self.calls.clear()
        shape = getattr(self.bench.arrays(), self.step.node).shape
        rate = np.zeros(shape[1:])
        after = self.bench.run(self.step, rate=rate, kept=np.full((64, *shape[1:]), np.nan))
        return getattr(after, self.step.node), rate


def log_ratio(value: tuple, proposal: tuple, p: int) -> float:
    """Return the log ratio of a proposal by the density of the multivariate t."""

    def log_density(place: np.ndarray, found: tuple) -> float:
        root = np.zeros((p, p))
        root[np.tril_indices(p)] = found[1 + p :]
        centre, shape = np.array(found[1 : 1 + p]), np.linalg.inv(root @ root.T)
        return stats.multivariate_t.logpdf(place, loc=centre, shape=shape, df=4)

    (here, first), (there, second) = value, proposal
    forth = log_density(np.array(there[:p]), first)
    return second[0] - first[0] + log_density(np.array(here[:p]), second) - forth


@pytest.mark.parametrize("name", ["poisson_wishart", "poisson_free_covariance"])
def test_proposals_are_taken_by_their_ratio(name: str, tmp_path: Path) -> None:
    """A uniform just below the ratio takes every proposal, one just above it none."""
    bench = Bench(name, 1, tmp_path)
    step = next(step for step in bench.plan.steps if step.method == "newton")
    before = getattr(bench.arrays(), step.node)
    weighing = Weighing(bench, step)
    p, n = before.shape
    weighing.run([])
    pairs = pair_up(bench, step, weighing.calls)[:n]
    ratios = np.array([log_ratio(*pair, p) for pair in pairs])
    proposals = np.array([there[:p] for _, (there, _) in pairs]).T
    assert n > WIDTH and np.ptp(ratios) > 0.01
    after, rate = weighing.run(list(np.exp(ratios - MARGIN)))
    np.testing.assert_array_equal(after, proposals)
    np.testing.assert_array_equal(rate, 1.0)
    after, rate = weighing.run(list(np.exp(ratios + MARGIN)))
    np.testing.assert_array_equal(after, before)
    np.testing.assert_array_equal(rate, 0.0)


COUNTS = """model counts

plates
  i = 1..n
  j = 1..J[i]
given
  x[i,j] : vector(2)
  {0}[i] : vector(2)
  {1} > 0
data
  y[i,j] ~ Pois(z[i,j])
process
  log(z[i,j]) = x[i,j]' * beta[i]
  beta[i] ~ N({0}[i], {1} * eye(2))
"""


@pytest.mark.parametrize("names", [("count", "gamma"), ("first", "room"), ("rate", "a")])
def test_names_of_the_model_are_not_overwritten(names: tuple[str, str], tmp_path: Path) -> None:
    """The update does the same whatever the nodes around it are called."""
    found = []
    for pair in (("m", "v"), names):
        derivation = derive(parse_model(COUNTS.format(*pair)))
        source = emit(derivation, make_plan(derivation), backend="numba", sizes={})
        module = load_uncompiled(source, tmp_path, f"counts_{pair[0]}")
        rng = np.random.default_rng(3)
        data = {"J": np.array([2, 3, 1]), "x": rng.normal(size=(6, 2)), "y": rng.poisson(2.0, size=6)}
        data |= {pair[0]: rng.normal(size=(3, 2)), pair[1]: 0.7}
        found.append(module.sample(module.prepare(data), draws=3, warmup=2, chains=1, seed=4)["beta"])
    np.testing.assert_array_equal(*found)


NOISY = """
model noisy
plates
  i = 1..n
  j = 1..J
given
  {0}[i]
  s2 > 0
data
  y[i,j] ~ N(beta[i], s2)
process
  beta[i] ~ N({0}[i] * mu, tau2)
parameters
  mu ~ N(0, 100)
  tau2 ~ IG(2, 1)
"""


def test_a_given_named_noise_is_not_taken_for_the_normals(tmp_path: Path) -> None:
    """Normals are drawn ahead of a loop under a local name, which an array of the model may have."""
    found = []
    for name in ("w", "noise"):
        derivation = derive(parse_model(NOISY.format(name)))
        source = emit(derivation, make_plan(derivation), backend="numba", sizes={})
        module = load_uncompiled(source, tmp_path, f"noisy_{name}")
        rng = np.random.default_rng(3)
        data = {"y": rng.normal(size=(4, 2)), name: rng.normal(size=4), "s2": 0.5}
        found.append(module.sample(module.prepare(data), draws=3, warmup=2, chains=1, seed=4)["beta"])
    np.testing.assert_array_equal(*found)
