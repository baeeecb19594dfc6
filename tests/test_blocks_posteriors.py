"""Samplers that integrate effects out, against reference posteriors and against those that do not."""

from __future__ import annotations

from pathlib import Path

import arviz
import numpy as np
import pytest
from scipy import stats

from deriver.emission import emit
from deriver.emission.coordinates import FARTHEST
from deriver.pipeline import derive, load_model, run
from deriver.plan import make_plan
from tests.emitted import load_source
from tests.posterior_checks import DATA, discrepancies
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
CHAINS = ("test:nile/state_space", "demo:nile/state_space")


@pytest.mark.parametrize("key", [*KEYS, *CHAINS])
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


@pytest.mark.parametrize("key", CHAINS)
def test_posterior_of_a_compiled_chain_is_the_reference(key: str) -> None:
    """Chosen by the sampler itself: variances of states that are drawn one after another mix badly."""
    result = sample(key, seed=22, blocks="auto", backend="numba", draws=10_000)
    assert any("integrated out" in note for note in result.notes)
    assert discrepancies(result.idata.posterior, SETTINGS[key]["parameters"]) == {}


def test_missing_responses_of_a_chain_are_left_out_of_its_density() -> None:
    """Two gaps in the Nile's flow: the posterior is that of the plain sweep, within the errors of both."""
    values = {"m0": 1000, "v0": 1e5, "q_y": 2, "q_z": 2, "r_y": 1e-4, "r_z": 1e-3}
    flow = np.loadtxt(DATA / "nile.csv", delimiter=",", skiprows=2)[:, 1]
    flow[20:40] = flow[60:80] = np.nan
    options = {"values": values, "fix": {"phi": 1}, "backend": "numpy", "progress": False}
    found = {
        blocks: run(load_model("state_space"), {"y": flow}, blocks=blocks, draws=draws, seed=23, **options)
        for blocks, draws in (("on", 4_000), ("off", 30_000))
    }
    for name in ("sigma2_y", "sigma2_z"):
        means, errors = [], []
        for result in found.values():
            logs = np.log(result.idata.posterior[name])
            means.append(float(logs.mean()))
            errors.append(float(logs.std()) / np.sqrt(float(arviz.ess(logs)[name])))
        assert abs(means[0] - means[1]) < 4 * np.hypot(*errors)


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


def test_the_density_of_a_chain_keeps_its_digits(tmp_path: Path) -> None:
    """At a high level, and ratios of the two variances from 1e-10 to 1e8."""
    derivation, rng = derive("state_space"), np.random.default_rng(1)
    y = 1000 + np.cumsum(rng.normal(size=40)) + rng.normal(size=40)
    priors = {"m0": 1000.0, "v0": 100.0, "m_phi": 1.0, "v_phi": 0.1}
    inputs = {"y": y, **priors, "q_y": 2.0, "r_y": 1e12, "q_z": 2.0, "r_z": 1e12}
    module = load_source(emit(derivation, make_plan(derivation, blocks="on")), tmp_path, "chain_together")
    data = module.prepare(inputs)
    variances = [(1.0, z) for z in (1e-10, 1e-4, 1.0, 1e4)] + [(y, 1.0) for y in (1e-8, 1e4)]
    places = [(phi, *pair) for phi in (0.2, 1.0, 1.02) for pair in variances]
    u = np.array([(phi, np.log(y), np.log(z)) for phi, y, z in places])
    anchor = module.starting_values(np.random.default_rng(2), data, 1)
    anchor = module.State(**{name: np.repeat(v, len(u), axis=0) for name, v in vars(anchor).items()})
    moved, _ = module.from_coordinates(anchor, data, u)
    found = module.log_marginal(moved, data)[0]
    exact = np.array([exact_chain_density(inputs, *each) for each in places])
    np.testing.assert_allclose(np.diff(found), np.diff(exact), rtol=1e-10, atol=1e-4)


def exact_chain_density(inputs: dict, phi: float, sigma2_y: float, sigma2_z: float) -> float:
    """Return log [y, phi, sigma2_y, sigma2_z] up to a constant, one prediction error after another (Kalman)."""
    mean, variance = inputs["m0"], inputs["v0"]
    total = stats.norm.logpdf(phi, inputs["m_phi"], np.sqrt(inputs["v_phi"]))
    for value, name in ((sigma2_y, "y"), (sigma2_z, "z")):
        total += stats.invgamma.logpdf(value, inputs[f"q_{name}"], scale=1 / inputs[f"r_{name}"])
    for y in inputs["y"]:
        mean, variance = phi * mean, phi**2 * variance + sigma2_z
        total += stats.norm.logpdf(y, mean, np.sqrt(variance + sigma2_y))
        gain = variance / (variance + sigma2_y)
        mean, variance = mean + gain * (y - mean), sigma2_y * gain
    return float(total)
