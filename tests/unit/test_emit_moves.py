"""The moves leave their target as it is: exact draws, moved, are still draws from it."""

from __future__ import annotations

import numpy as np
import pytest

from deriver.emission.module import CALLS
from deriver.language import parse_model
from deriver.pipeline import run
from tests.unit.test_emit import helpers

CHAINS = 60_000


def log_density(point):
    """A Poisson count of 3 with a vague normal prior on the log rate: skew, so that a wrong ratio shows."""
    return 3 * point - np.exp(point) - point**2 / 50


def exact_draws(rng):
    grid = np.linspace(-12, 4, 40_001)
    weights = np.exp(log_density(grid) - log_density(grid).max())
    return np.interp(rng.random(CHAINS), np.cumsum(weights) / weights.sum(), grid)


def derivatives(value, state, data):
    point = value[..., 0]
    gradient = 3 - np.exp(point) - point / 25
    curvature = np.exp(point) + 1 / 25
    return log_density(point), gradient[..., None], curvature[..., None, None]


def assert_same(moved, exact):
    """Quantiles agree within five standard errors of an empirical distribution function."""
    for share in (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98):
        below = (moved <= np.quantile(exact, share)).mean()
        assert abs(below - share) < 5 * np.sqrt(2 * share * (1 - share) / CHAINS), share


def walk(module, rng, value):
    return module.random_walk(rng, value, log_density, np.full(CHAINS, 0.8))[0]


def newton(module, rng, value):
    return module.newton_step(rng, value[:, None], derivatives, None, None)[0][:, 0]


def sliced(module, rng, value):
    return module.slice_sample(rng, value, log_density)


def vector(module, rng, value):
    step = np.full((CHAINS, 1, 1), 0.8)
    return module.vector_walk(rng, value[:, None], lambda point: log_density(point[..., 0]), step)[0][:, 0]


MOVES = [("random_walk", walk), ("newton_step", newton), ("slice_sample", sliced), ("vector_walk", vector)]


@pytest.mark.parametrize(("name", "move"), MOVES)
def test_a_move_keeps_its_target(name, move, tmp_path):
    module = helpers(tmp_path, name, *CALLS.get(name, ()))
    rng = np.random.default_rng(8)
    exact = exact_draws(rng)
    value = exact.copy()
    for _ in range(6):
        value = move(module, rng, value)
    assert (value != exact).mean() > 0.5
    assert_same(value, exact)


def test_a_walk_finds_its_way_from_where_the_density_is_no_number(tmp_path):
    module = helpers(tmp_path, "random_walk")

    def density(point):
        return np.where(point > 3, -((point - 4) ** 2), np.where(point > 2, -np.inf, np.nan))

    rng, value = np.random.default_rng(1), np.full(400, 1.0)
    for _ in range(300):
        value, _ = module.random_walk(rng, value, density, np.ones(400))
    assert np.mean(value > 3) > 0.8


def test_integer_walk_keeps_its_target(tmp_path):
    module = helpers(tmp_path, "integer_walk")
    rng = np.random.default_rng(3)
    values, chances = np.arange(6), np.array([0.05, 0.1, 0.4, 0.25, 0.15, 0.05])
    value = rng.choice(values, CHAINS, p=chances).astype(float)

    def target(point):
        return np.log(chances)[point.astype(int)]

    for _ in range(6):
        value = module.integer_walk(rng, value, target, np.ones(CHAINS), 0, 5)[0]
    shares = np.bincount(value.astype(int), minlength=6) / CHAINS
    np.testing.assert_allclose(shares, chances, atol=5 * 0.5 / np.sqrt(CHAINS))


def test_enumeration_draws_by_the_probabilities(tmp_path):
    module = helpers(tmp_path, "enumerate_values")
    chances = np.array([0.1, 0.6, 0.3])
    target = lambda point: np.log(chances)[point.astype(int) - 1]
    drawn = module.enumerate_values(np.random.default_rng(1), target, 1, 3, (CHAINS,))
    shares = np.bincount(drawn.astype(int), minlength=4)[1:] / CHAINS
    np.testing.assert_allclose(shares, chances, atol=5 * 0.5 / np.sqrt(CHAINS))


BADLY_SCALED = """model counts
plates
  i = 1..N
given
  x[i] : vector(p)
data
  y[i] ~ Poisson(log_rate=x[i]' * beta)
parameters
  beta ~ Normal(0, cov=1e6 * eye(p))
"""


@pytest.mark.parametrize("columns", ["intercept and 0..1000", "with squares", "collinear"])
def test_newton_proposals_stand_any_scale_of_covariates(columns):
    """A log rate that rises from 1 to 4: the fit at both ends is found, whatever the columns are."""
    slope = np.linspace(0, 1000, 60)
    y = np.random.default_rng(0).poisson(np.exp(1 + 0.003 * slope)).astype(float)
    others = {"with squares": [slope**2], "collinear": [1000 - slope]}.get(columns, [])
    x = np.column_stack([np.ones(60), slope, *others])
    result = run(parse_model(BADLY_SCALED), {"y": y, "x": x}, draws=400, warmup=100, seed=1, progress=False,
                 backend="numpy")  # fmt: skip
    assert result.acceptance["beta"].min() > 0.5
    ends = result.idata.posterior["beta"].values @ x[[0, -1]].T
    assert np.abs(ends.mean(axis=(0, 1)) - [1, 4]).max() < 0.4
    assert ends.std(axis=(0, 1)).max() < 0.3


def test_a_curvature_that_is_not_definite_is_mended_and_others_are_not(tmp_path):
    module = helpers(tmp_path, "scaled_root")
    matrices = np.array([np.diag([1e-8, 1e8]), [[1.0, 1.0], [1.0, 1.0]], [[4.0, 1.0], [1.0, 3.0]]])
    root = module.scaled_root(matrices)
    back = root @ np.swapaxes(root, -1, -2)
    assert np.allclose(back[[0, 2]], matrices[[0, 2]], rtol=1e-9, atol=0)
    assert np.isfinite(np.linalg.solve(root[1], np.ones(2))).all()
    assert np.allclose(back[1], matrices[1], atol=1e-7)


def nowhere(point):
    return np.full(point.shape[:1], -np.inf)


def test_a_walk_without_a_support_does_not_drift(tmp_path):
    """Steps outside of the support teach no scale, and lead no farther than 20."""
    module = helpers(tmp_path, "random_walk", "vector_walk", "slice_sample")
    rng, many = np.random.default_rng(1), 200
    value, vector, sliced = np.zeros(many), np.zeros((many, 2)), np.full(many, -np.inf)
    for _ in range(400):
        value, taken = module.random_walk(rng, value, nowhere, np.ones(many), repeats=2)
        np.testing.assert_allclose(taken, 0.44)
        vector, taken = module.vector_walk(rng, vector, nowhere, np.tile(np.eye(2), (many, 1, 1)))
        np.testing.assert_array_equal(taken, 0.234)
        sliced = module.slice_sample(rng, sliced, nowhere)
    for found in (value, vector, sliced):
        assert 0 < np.abs(found).max() <= 20


def far_off(point):
    """A support that no step of ordinary length reaches from 0."""
    return np.where((point > 90) & (point < 140), -(((point - 100) / 5) ** 2), -np.inf)


@pytest.mark.parametrize("name", ["random_walk", "vector_walk", "slice_sample"])
def test_a_support_far_off_is_found(name, tmp_path):
    module = helpers(tmp_path, name)
    rng, value = np.random.default_rng(2), np.zeros(100)
    value[0] = np.inf  # as the log of a number that has overflowed
    for _ in range(1000):
        if name == "vector_walk":
            step = np.ones((100, 1, 1))
            value[0] = min(value[0], 20.0)
            value = module.vector_walk(rng, value[:, None], lambda u: far_off(u[..., 0]), step)[0][:, 0]
        elif name == "random_walk":
            value = module.random_walk(rng, value, far_off, np.ones(100), repeats=5)[0]
        else:
            value = module.slice_sample(rng, value, far_off)
    assert np.mean(value > 90) > 0.9


LOST = """model lost
plates
  i = 1..n
data
  y[i] ~ Unif(m - 1, m + 1)
parameters
  m ~ N(0, 1e10)
"""


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_a_chain_that_finds_no_density_is_told(backend):
    """No step reaches 50000 from near 0: the result says so, and where to begin."""
    data = {"y": np.array([50000.1, 50000.4, 50000.2])}
    options = {"backend": backend, "draws": 50, "warmup": 60, "chains": 2, "seed": 1, "progress": False}
    model = parse_model(LOST)
    result = run(model, data, **options)
    assert np.abs(result.posterior["m"]).max() <= 20
    assert result.warnings[0].startswith("chains 1 and 2 never came to values of positive density")
    assert "--start m=" in result.warnings[0]
    result = run(model, data, start={"m": 50000}, **options)
    assert not any("positive density" in warning for warning in result.warnings)
    assert np.abs(result.posterior["m"] - 50000.25).max() < 1
