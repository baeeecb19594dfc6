"""Nodes of several plates drawn together, against posteriors found by dense linear algebra that the engine has no part in."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from deriver.derivation.conditionals import derive
from deriver.emission import emit
from deriver.errors import UsageError
from deriver.language import parse_model
from deriver.pipeline import run
from deriver.plan import make_plan
from deriver.running.mixing import mixing
from tests.emitted import load_source
from tests.posterior_checks import DATA, discrepancies
from tests.unit.test_linked import CROSSED

STANDARD_ERRORS = 4.5
# A linear mixed model with crossed effects: fixed coefficients, random ones of one factor, an intercept of the other.
MIXED = """
model mixed
plates
  k = 1..K
  i = 1..n
  h = 1..m
given
  a : k -> i
  b : k -> h
  x[k] : vector(p)
  z[k] : vector(q)
  s2, s2v > 0
  S : matrix(q,q) = eye(q)
  m0 : vector(p) = 0
  r0 : vector(q) = 0
  V : matrix(p,p) = 1e6 * eye(p)
data
  y[k] ~ N(x[k]' * beta + z[k]' * u[a[k]] + v[b[k]], s2)
process
  u[i] ~ N(r0, S)
  v[h] ~ N(0, s2v)
parameters
  beta ~ N(m0, V)
"""


def dense_posterior(data: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and covariance of (beta, u by element, v): a regression on one wide design, the priors as rows."""
    p, q, n, m = data["x"].shape[1], data["z"].shape[1], data["n"], data["m"]
    design = np.zeros((len(data["y"]), p + n * q + m))
    design[:, :p] = data["x"]
    for row, (group, other) in enumerate(zip(data["a"], data["b"], strict=True)):
        design[row, p + group * q : p + (group + 1) * q] = data["z"][row]
        design[row, p + n * q + other] = 1.0
    prior = np.zeros((design.shape[1], design.shape[1]))
    prior[:p, :p] = np.eye(p) / 1e6
    prior[p : p + n * q, p : p + n * q] = np.kron(np.eye(n), np.linalg.inv(data["S"]))
    prior[p + n * q :, p + n * q :] = np.eye(m) / data["s2v"]
    covariance = np.linalg.inv(design.T @ design / data["s2"] + prior)
    return covariance @ design.T @ data["y"] / data["s2"], covariance


def simulated(p: int, q: int, seed: int) -> dict[str, Any]:
    """Return unbalanced crossed data with empty cells; one group of each factor has no row."""
    rng = np.random.default_rng(seed)
    n, m, rows = 7, 5, 40
    a, b = rng.integers(0, n - 1, rows), rng.integers(0, m - 1, rows)
    assert len(set(zip(a, b, strict=True))) < (n - 1) * (m - 1)
    x = np.column_stack([np.ones(rows), rng.normal(size=(rows, p - 1))])
    z = np.column_stack([np.ones(rows), rng.normal(size=(rows, q - 1))])
    root = np.tril(rng.normal(size=(q, q))) + 2 * np.eye(q)
    data = {"K": rows, "n": n, "m": m, "a": a, "b": b, "x": x, "z": z, "s2": 0.7, "s2v": 1.5}
    return data | {"S": root @ root.T, "y": 20 + rng.normal(size=n)[a] + rng.normal(size=rows)}


def sleepstudy() -> dict[str, Any]:
    """Return the sleep study with random slopes for subjects, crossed with an intercept for each day."""
    with (DATA / "sleepstudy.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    subjects = sorted({row["subject"] for row in rows})
    days = np.array([int(row["days"]) for row in rows])
    x = np.column_stack([np.ones(len(rows)), days])
    y = np.array([float(row["reaction"]) for row in rows])
    data = {"K": len(rows), "n": len(subjects), "m": 10, "b": days, "x": x, "z": x, "y": y}
    data["a"] = np.array([subjects.index(row["subject"]) for row in rows])
    return data | {"s2": 650.0, "s2v": 60.0, "S": np.array([[600.0, 10.0], [10.0, 35.0]])}


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    derivation = derive(parse_model(MIXED))
    source = emit(derivation, make_plan(derivation, blocks="on"))
    return load_source(source, tmp_path_factory.mktemp("mixed"), "mixed_posterior")


@pytest.mark.parametrize("case", ["1, 1", "2, 1", "2, 2", "sleep"])
def test_posterior_given_variances_is_the_dense_one(case: str, mixed) -> None:
    """Every draw is exact and independent: means and variances of each number at their Monte Carlo error."""
    data = sleepstudy() if case == "sleep" else simulated(int(case[0]), int(case[-1]), seed=3)
    found = mixed.sample(mixed.prepare(data), draws=1500, warmup=1, chains=2, seed=5, collapse="on")
    draws = np.concatenate([found[node].reshape(2, 1500, -1) for node in ("beta", "u", "v")], axis=2)
    draws = draws.reshape(3000, -1)
    mean, covariance = dense_posterior(data)
    sd = np.sqrt(np.diag(covariance))
    assert np.abs(draws.mean(axis=0) - mean).max() < STANDARD_ERRORS * (sd / np.sqrt(3000)).max()
    scaled = (draws - mean) / sd
    np.testing.assert_allclose(np.mean(scaled**2, axis=0), 1.0, atol=STANDARD_ERRORS * np.sqrt(2 / 3000))
    correlation = scaled.T @ scaled / 3000
    np.testing.assert_allclose(
        correlation, covariance / np.outer(sd, sd), atol=STANDARD_ERRORS * np.sqrt(2 / 3000)
    )
    once = scaled[1:1500].T @ scaled[:1499] / 1499  # of the first chain: nothing is carried over
    assert np.abs(np.diag(once)).max() < STANDARD_ERRORS / np.sqrt(1499)


def penicillin(seed: int = 2) -> dict[str, Any]:
    """Return data like the penicillin assay: 24 plates crossed with 6 samples, one reading each."""
    rng = np.random.default_rng(seed)
    a, b = (index.ravel() for index in np.indices((24, 6)))
    y = 23 + 0.85 * rng.normal(size=24)[a] + 1.9 * rng.normal(size=6)[b] + 0.55 * rng.normal(size=144)
    return {"a": a + 1, "b": b + 1, "y": y, "n": 24, "m": 6, "K": 144}


def test_posterior_with_variances_is_that_of_a_grid() -> None:
    """The variances on a grid, everything else integrated out of it by dense algebra."""
    rng = np.random.default_rng(4)
    a, b = rng.integers(0, 6, 26), rng.integers(0, 4, 26)
    y = 1 + rng.normal(size=6)[a] + rng.normal(size=4)[b] + rng.normal(size=26)
    ones, left, right = np.ones((26, 1)), np.eye(6)[a], np.eye(4)[b]
    logs = [np.linspace(low, high, 26) for low, high in ((-3.2, 3.6), (-3.2, 4.2), (-1.8, 2.0))]
    points = np.stack(np.meshgrid(*logs, indexing="ij"), axis=-1).reshape(-1, 3)
    outer = [m @ m.T for m in (left, right)]
    density, location = [], []
    for part in np.array_split(points, 16):
        su, sv, s2 = np.exp(part.T)[:, :, None, None]
        total = su * outer[0] + sv * outer[1] + s2 * np.eye(26) + 100 * ones @ ones.T
        weighed = np.linalg.solve(total, np.broadcast_to(y[:, None], (len(part), 26, 1)))[..., 0]
        prior = -2 * part - np.exp(-part)  # of the log of IG(2, 1)
        density.append(-np.linalg.slogdet(total)[1] / 2 - weighed @ y / 2 + prior.sum(axis=1))
        location.append(100 * weighed.sum(axis=1))
    weight = np.exp(np.concatenate(density) - max(map(np.max, density)))
    weight /= weight.sum()
    data = {"a": a + 1, "b": b + 1, "y": y, "n": 6, "m": 4, "K": 26}
    result = run(parse_model(CROSSED), data, blocks="on", backend="numpy", seed=6, draws=1500, progress=False)
    posterior = result.idata.posterior
    expected = {}
    for place, name in enumerate(("s2u", "s2v", "sigma2")):
        posterior[f"log_{name}"] = np.log(posterior[name])
        mean = weight @ points[:, place]
        expected[f"log_{name}"] = {"mean": mean, "sd": np.sqrt(weight @ (points[:, place] - mean) ** 2)}
    assert discrepancies(posterior, expected) == {}
    means = posterior["mu"].to_numpy()
    error = means.std() / np.sqrt(mixing(means[..., None])[0][0])
    assert abs(means.mean() - weight @ np.concatenate(location)) < STANDARD_ERRORS * error


def test_crossed_effects_mix_many_times_better() -> None:
    """Chosen by the sampler itself; the least effective draws over all nodes, of as many sweeps."""
    model, data = parse_model(CROSSED), penicillin()
    found = {}
    for blocks in ("off", "auto"):
        result = run(model, data, blocks=blocks, seed=1, draws=1000, warmup=600, progress=False)
        nodes = [
            np.asarray(result.idata.posterior[name]) for name in ("mu", "u", "v", "s2u", "s2v", "sigma2")
        ]
        flat = [node.reshape(*node.shape[:2], -1) for node in nodes]
        found[blocks] = min(float(mixing(node)[0].min()) for node in flat) / 4000
        notes = " ".join(result.notes)
        assert ("u, v and mu are drawn together" in notes) == (blocks == "auto")
    assert found["off"] < 0.03
    assert found["auto"] > 0.3


def test_what_would_be_too_wide_is_drawn_one_by_one() -> None:
    rng = np.random.default_rng(1)
    data = {"a": rng.integers(1, 2301, 4000), "b": rng.integers(1, 2101, 4000), "y": rng.normal(size=4000)}
    data |= {"n": 2300, "m": 2100, "K": 4000}
    result = run(parse_model(CROSSED), data, blocks="on", backend="numpy", draws=2, warmup=2, progress=False)
    (note,) = [note for note in result.notes if "one by one" in note]
    assert "2,101 numbers would be left dense, of at most 2,000" in note


def test_compiled_loops_refuse_it_in_words() -> None:
    with pytest.raises(UsageError, match="u, v and mu, of several plates, drawn together"):
        run(
            parse_model(CROSSED),
            penicillin(),
            blocks="on",
            backend="numba",
            draws=2,
            warmup=2,
            progress=False,
        )


TWO_WAYS = """
model two_ways
plates
  k = 1..N
  g = 1..n
  s = 1..m
given
  at : k -> g
  of : k -> s
data
  y[k] ~ Normal(a[at[k]] + b[of[k]], sd=sigma_y)
process
  a[g] ~ Normal(mu, sd=sigma_a)
  b[s] ~ Normal(0, sd=1)
parameters
  mu ~ Normal(0, var=1)
  sigma_a ~ Uniform(0, 100)
  sigma_y ~ Uniform(0, 100)
"""


def test_a_scale_near_zero_has_its_density_or_none(tmp_path) -> None:
    """The sums that cancel there leave no digits: a chain once stayed at a scale of 1e-11, whose density came out too high."""
    derivation = derive(parse_model(TWO_WAYS))
    module = load_source(emit(derivation, make_plan(derivation, blocks="on")), tmp_path, "two_ways")
    rng = np.random.default_rng(3)
    at, of = np.arange(40) % 5, np.arange(40) % 8
    y = rng.standard_normal(5)[at] + rng.standard_normal(8)[of] + rng.standard_normal(40)
    data = module.prepare({"at": at, "of": of, "y": y, "n": 5, "m": 8})
    scales = 10.0 ** -np.arange(0, 16, dtype=float)
    state = module.starting_values(rng, data, len(scales))
    state = module.State(
        **{
            name: np.repeat(getattr(state, name)[:1], len(scales), axis=0)
            for name in ("a", "b", "mu", "sigma_y")
        },
        sigma_a=scales,
    )
    order = module.find_order(*module.precision_parts(state, data))
    with np.errstate(all="ignore"):
        found = module.log_marginal(state, data, order, module.marginal_sums(state, data))[0]
    exact = [_log_marginal(y, at, of, scale, float(state.sigma_y[0])) for scale in scales]
    gaps = (found - exact) - (found - exact)[0]
    assert np.all(np.isneginf(found) | (np.abs(gaps) < 1e-3))
    assert np.all(np.isfinite(found[:5])) and np.isneginf(found[-1])


def _log_marginal(y: np.ndarray, at: np.ndarray, of: np.ndarray, scale: float, noise: float) -> float:
    same = np.equal.outer(at, at), np.equal.outer(of, of)
    covariance = noise**2 * np.eye(len(y)) + scale**2 * same[0] + same[1] + 1.0
    log_det = np.linalg.slogdet(covariance)[1]
    return float(-(log_det + y @ np.linalg.solve(covariance, y)) / 2)
