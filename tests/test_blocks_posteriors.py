"""Samplers that integrate effects out, against reference posteriors and against those that do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from deriver.emission import emit
from deriver.emission.coordinates import FARTHEST
from deriver.pipeline import derive, run
from deriver.plan import make_plan
from tests.emitted import load_source
from tests.posterior_checks import discrepancies
from tests.test_posteriors import SETTINGS, sample

# What a log density near a bound may be off by: a proposal's acceptance changes by no more than this share.
LARGEST_ERROR = 0.01
KEYS = (
    "test:sleepstudy/random_intercepts",
    "test:sleepstudy/random_slopes",
    "test:rats/free_covariance",
    "test:rats/random_slopes_as_printed",
    "test:rats/varying_variance",
    "demo:sleepstudy/wishart",
    "demo:rats/all_random",
)


@pytest.mark.parametrize("key", KEYS)
def test_posterior_is_the_reference(key: str) -> None:
    options = {"blocks": "on", "backend": "numpy", "draws": 3_000}
    result = sample(key, seed=21, **options)
    assert "def log_marginal(" in result.source
    assert discrepancies(result.idata.posterior, SETTINGS[key]["parameters"]) == {}


COMPILED = ("test:sleepstudy/random_intercepts", "demo:sleepstudy/wishart", "demo:rats/all_random")


@pytest.mark.parametrize("key", COMPILED)
def test_compiled_posterior_is_the_reference(key: str) -> None:
    result = sample(key, seed=22, blocks="on", backend="numba", draws=4_000)
    assert "def sweep_together(" in result.source
    assert discrepancies(result.idata.posterior, SETTINGS[key]["parameters"]) == {}


def test_a_run_tells_how_it_chose() -> None:
    """Few repeats for each group mix badly one by one; many do not, and their draws are those of the plain sweep."""
    rng = np.random.default_rng(8)
    found = []
    for repeats, spread in ((3, 0.1), (40, 3.0)):
        group = np.repeat(np.arange(40), repeats)
        y = spread * rng.normal(size=40)[group] + rng.normal(size=len(group))
        data = {"group": group, "x": rng.normal(size=len(group)), "y": y}
        plain, chosen = (
            run("random_intercepts", data, index={"i": "group"}, seed=1, draws=50, warmup=500, blocks=blocks)
            for blocks in ("off", "auto")
        )
        same = np.array_equal(*(result.idata.posterior["sigma2_0"] for result in (plain, chosen)))
        found.append((same, [note for note in chosen.notes if "effective draws a sweep" in note]))
    (moved, (first,)), (stayed, (second,)) = found
    assert not moved and "integrated out" in first
    assert stayed and "by itself" in second


def exact_log_density(inputs: dict, sigma2_beta: float, rho: float, sigma2: float) -> float:
    """Return log [y, sigma2_beta, rho, sigma2] up to a constant, from the covariance matrix of y."""
    x, y, rows = inputs["x"], inputs["y"], np.repeat(np.arange(len(inputs["J"])), inputs["J"])
    between = sigma2_beta * np.array([[1.0, rho], [rho, 1.0]])
    covariance = sigma2 * np.eye(len(y)) + x @ inputs["Sigma0"] @ x.T
    covariance += (rows[:, None] == rows) * (x @ between @ x.T)
    log_density = stats.multivariate_normal.logpdf(y, x @ inputs["mu0"], covariance)
    for value, shape, scale in ((sigma2_beta, "q_beta", "r_beta"), (sigma2, "q", "r")):
        log_density += stats.invgamma.logpdf(value, inputs[shape], scale=1 / inputs[scale])
    return float(log_density)


def test_the_density_keeps_its_digits_up_to_the_bounds_of_a_correlation(tmp_path: Path) -> None:
    """Near rho = -1 or 1 precisions are all but singular; what is proposed beyond the last safe value is refused."""
    derivation, rng = derive("all_random"), np.random.default_rng(1)
    x = np.stack([np.ones(9), rng.normal(size=9)], axis=1)
    priors = {"mu0": np.zeros(2), "Sigma0": 2 * np.eye(2), "q": 3.0, "r": 0.5, "q_beta": 3.0, "r_beta": 0.5}
    inputs = {"J": np.full(3, 3), "x": x, "y": 1.5 * rng.normal(size=9), **priors}
    module = load_source(emit(derivation, make_plan(derivation, blocks="on")), tmp_path, "together")
    data = module.prepare(inputs)
    ends = (-FARTHEST, -6, 0, 6, FARTHEST)
    u = np.array([(a, b, c) for a in (-3.0, 0.0, 2.0) for b in ends for c in (-3.0, 0.0, 2.0)], dtype=float)
    anchor = module.starting_values(np.random.default_rng(2), data, len(u))
    moved, log_jacobian = module.from_coordinates(anchor, data, u)
    found = module.log_marginal(moved, data, module.marginal_sums(anchor, data))[0]
    values = zip(moved.sigma2_beta, moved.rho, moved.sigma2, strict=True)
    exact = np.array([exact_log_density(inputs, *each) for each in values])
    constants = anchor_constants(module, anchor, data)
    apart = found + constants - exact
    assert np.ptp(apart) < LARGEST_ERROR
    assert np.isfinite(log_jacobian).all()
    beyond = u + np.array([0.0, 1.0, 0.0]) * np.where(u[:, 1] < 0, -1, 1)[:, None]
    outside = module.from_coordinates(anchor, data, beyond)[1]
    assert np.isneginf(outside[np.abs(u[:, 1]) == FARTHEST]).all()


def anchor_constants(module, anchor, data) -> np.ndarray:
    """Return the part of the log joint density that the anchor sets and the variances do not: that of mu."""
    return module.log_mvnormal(anchor.mu, data.mu0, data.Sigma0)
