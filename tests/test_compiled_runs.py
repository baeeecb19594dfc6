"""Compiled samplers as they run: their random numbers, their posteriors, interrupts, and the choice of a backend."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import deriver
from deriver.emission import emit
from deriver.pipeline import derive
from deriver.plan import make_plan
from tests.emitted import load_source
from tests.posterior_checks import discrepancies
from tests.test_posteriors import SETTINGS, sample


@pytest.fixture(scope="module")
def helpers(tmp_path_factory):
    """The random numbers of a compiled module, drawn from within its own functions."""
    derivation = derive("wishart")
    source = emit(derivation, make_plan(derivation), backend="numba", sizes={"p": 2})
    return load_source(source, tmp_path_factory.mktemp("compiled"), "wishart_compiled")


def stream(module, seed: int, room: int = 64):
    return module.Random(np.random.SeedSequence(seed).generate_state(4, np.uint64), np.empty(room))


def test_normals_have_the_normal_distribution(helpers) -> None:
    """By cells, in both tails beyond the last edge of the ziggurat, and from one draw to the next."""
    z = np.empty(count := 4_000_000)
    helpers.fill_normal(stream(helpers, 1), z)
    cells = np.histogram(stats.norm.cdf(z), 1000, (0, 1))[0]
    assert stats.chisquare(cells).pvalue > 1e-4
    for edge in (2.5, 3.7, 4.2):
        expected = count * stats.norm.sf(edge)
        for tail in ((z > edge).sum(), (z < -edge).sum()):
            assert abs(tail - expected) < 4.5 * np.sqrt(expected)
    assert abs(np.corrcoef(z[1:], z[:-1])[0, 1]) < 4.5 / np.sqrt(count)
    assert abs(np.corrcoef(z[1:] ** 2, z[:-1] ** 2)[0, 1]) < 4.5 / np.sqrt(count)


def test_the_check_of_the_tails_can_fail(helpers) -> None:
    """A ziggurat that goes back to its start from a rejected tail loses some tenths of it."""
    z = np.empty(count := 4_000_000)
    helpers.fill_normal(stream(helpers, 1), z)
    z = z[(np.abs(z) < 3.65) | (np.arange(count) % 9 > 0)]
    expected = len(z) * stats.norm.sf(3.7)
    assert max(abs((z > 3.7).sum() - expected), abs((z < -3.7).sum() - expected)) > 2.5 * np.sqrt(expected)


@pytest.mark.parametrize("shape", [0.2, 1.0, 2.5, 300.0])
def test_gammas_have_the_gamma_distribution(helpers, shape: float) -> None:
    rng = stream(helpers, 2)
    draws = [helpers.random_gamma(rng, shape) for _ in range(40_000)]
    assert stats.kstest(draws, "gamma", args=(shape,)).pvalue > 1e-4


def test_vectorised_functions_have_all_digits(tmp_path: Path) -> None:
    """Against NumPy's: two units in the last place over the whole range, an end to growth, no number from none."""
    derivation = derive("poisson")
    source = emit(derivation, make_plan(derivation), backend="numba", sizes={"p": 2})
    module = load_source(source, tmp_path, "counts")
    values = np.concatenate([np.linspace(-708, 708, 20_001), np.linspace(-1, 1, 20_001)])
    found = np.array([module.exponential(value) for value in values])
    np.testing.assert_allclose(found, np.exp(values), rtol=4.5e-16)
    assert math.isnan(module.exponential(math.nan))
    assert module.exponential(1e4) == module.exponential(708.0)
    positive = np.concatenate([np.exp(values), np.linspace(0.5, 2, 20_001)])
    found = np.array([module.logarithm(value) for value in positive])
    np.testing.assert_allclose(found, np.log(positive), rtol=4.5e-16)
    assert math.isnan(module.logarithm(math.nan)) and math.isnan(module.logarithm(math.inf))


def test_wishart_matrices_have_their_distribution(helpers) -> None:
    """The first entry, and the inverse of the last entry of the inverse, are chi-squares."""
    scale, rng, draws = np.array([[2.0, 0.5], [0.5, 1.0]]), stream(helpers, 3), []
    for _ in range(20_000):
        matrix = scale.copy()
        helpers.random_wishart(rng, 5.0, matrix)
        draws.append(matrix)
    found, inverse = np.array(draws), np.linalg.inv(scale)
    assert stats.kstest(found[:, 0, 0] / inverse[0, 0], "chi2", args=(5,)).pvalue > 1e-4
    assert stats.kstest(scale[1, 1] / np.linalg.inv(found)[:, 1, 1], "chi2", args=(4,)).pvalue > 1e-4


@pytest.mark.parametrize(
    "key", ["demo:rats/wishart", "demo:seizures/poisson", "test:nile/state_space", "demo:rats/all_random"]
)
def test_compiled_posterior_is_the_reference(key: str) -> None:
    posterior = sample(key, seed=21, backend="numba").idata.posterior
    assert discrepancies(posterior, SETTINGS[key]["parameters"]) == {}


LINE = """
model line
plates
  i = 1..n
given
  x[i] : vector(p)
  m0 : vector(p) = 0
data
  y[i] ~ N(x[i]' * beta, 4)
parameters
  beta ~ N(m0, 9 * eye(p))
"""


def test_long_vectors_have_their_distribution(tmp_path: Path) -> None:
    """Eight coefficients, written in loops: mean and covariance of independent draws."""
    rng = np.random.default_rng(8)
    x, y = rng.normal(size=(40, 8)), rng.normal(size=40)
    (tmp_path / "line.model").write_text(LINE, encoding="utf-8")
    fit = deriver.run(
        tmp_path / "line.model", {"x": x, "y": y}, backend="numba", chains=2, draws=4000, warmup=10, seed=1, progress=False
    )  # fmt: skip
    found = fit.idata.posterior["beta"].values.reshape(-1, 8)
    covariance = np.linalg.inv(x.T @ x / 4 + np.eye(8) / 9)
    error = np.sqrt(np.diag(covariance) / len(found))
    assert np.all(abs(found.mean(0) - covariance @ (x.T @ y / 4)) < 4.5 * error)
    white = np.linalg.solve(np.linalg.cholesky(covariance), (found - found.mean(0)).T)
    assert np.all(abs(white @ white.T / len(found) - np.eye(8)) < 4.5 * np.sqrt(2 / len(found)))


def test_the_same_seed_gives_the_same_draws_whatever_the_threads(helpers) -> None:
    rng = np.random.default_rng(5)
    x = np.stack([np.ones(20), rng.normal(size=20)], axis=1)
    data = helpers.prepare({"J": np.full(5, 4), "x": x, "y": rng.normal(size=20)})
    first, second = (helpers.sample(data, draws=50, warmup=20, chains=3, seed=9, cores=c) for c in (1, 2))
    assert first["beta"].shape == (3, 50, 5, 2)
    for name, values in first.items():
        if name not in ("acceptance", "lost"):
            np.testing.assert_array_equal(values, second[name])


def test_an_interrupt_keeps_the_draws_so_far(helpers) -> None:
    def stop(done: int, total: int) -> None:
        if done > 100:
            raise KeyboardInterrupt

    data = helpers.prepare({"J": np.full(5, 4), "x": np.ones((20, 2)), "y": np.arange(20.0)})
    found = helpers.sample(data, draws=5000, warmup=50, chains=2, seed=9, progress=stop)
    assert 50 <= found["sigma2"].shape[1] < 5000


def test_starts_are_taken(helpers) -> None:
    """The first sweep reads the start: with the responses all but known, the effects are their fits."""
    rng = np.random.default_rng(6)
    x, y = np.stack([np.ones(20), rng.normal(size=20)], axis=1), rng.normal(size=20)
    data = helpers.prepare({"J": np.full(5, 4), "x": x, "y": y})
    found = helpers.sample(data, draws=1, warmup=0, chains=2, seed=9, start={"sigma2": 1e-12, "Q": np.eye(2)})
    fits = [np.linalg.lstsq(x[k : k + 4], y[k : k + 4], rcond=None)[0] for k in range(0, 20, 4)]
    np.testing.assert_allclose(found["beta"][0, 0], fits, atol=1e-4)


def test_draws_that_are_no_numbers_are_an_error(helpers) -> None:
    """Two columns alike and a variance of nearly 0: the precision is singular to the last digit."""
    data = helpers.prepare({"J": np.full(5, 4), "x": np.ones((20, 2)), "y": np.arange(20.0)})
    with pytest.raises(ArithmeticError, match="not finite"):
        helpers.sample(data, draws=1, warmup=0, chains=2, seed=9, start={"sigma2": 1e-30})


def test_the_backend_is_chosen_by_the_predicted_time(tmp_path: Path) -> None:
    data = {"y": np.random.default_rng(1).normal(size=60), "J": np.full(20, 3), "x": np.ones((60, 2))}
    short = deriver.run("wishart", data, draws=20, warmup=10, seed=1, progress=False)
    assert any(note.startswith("sampled by numpy: a run of about") for note in short.notes)
    long = deriver.run("wishart", data, draws=60_000, warmup=10, seed=1, progress=False, keep=["sigma2"])
    assert any(note.startswith("sampled by numba: NumPy would take") for note in long.notes)
    assert "import numba" in long.source
