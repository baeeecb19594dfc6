"""The moves leave their target as it is: exact draws, moved, are still draws from it."""

from __future__ import annotations

import numpy as np
import pytest

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
    module = helpers(tmp_path, name)
    rng = np.random.default_rng(8)
    exact = exact_draws(rng)
    value = exact.copy()
    for _ in range(6):
        value = move(module, rng, value)
    assert (value != exact).mean() > 0.5
    assert_same(value, exact)


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
