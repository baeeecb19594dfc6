"""The statistics of the tests against simulation and closed forms."""

from __future__ import annotations

import numpy as np
from scipy import stats

from deriver.verification.statistics import (
    band_limits,
    holm,
    leaving_probability,
    paired_p,
    rank_counts,
    rank_p,
    simultaneous_band,
)


def test_holm_is_the_textbook_example() -> None:
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])


def test_the_probability_of_leaving_the_band_is_that_of_simulation() -> None:
    rng, replicates, draws, level = np.random.default_rng(1), 60, 15, 0.02
    lower, upper = band_limits(level, replicates, draws)
    counts = np.array([rank_counts(rng.integers(0, draws + 1, replicates), draws) for _ in range(20_000)])
    left = np.mean(((counts < lower) | (counts > upper)).any(axis=1))
    assert abs(leaving_probability(level, replicates, draws) - left) < 4 * np.sqrt(left / 20_000)


def test_the_band_keeps_its_level() -> None:
    for level in (0.05, 1e-4):
        lower, upper = simultaneous_band(level, 100, 20)
        z = np.arange(1, 21) / 21
        tails = stats.binom.cdf(lower - 1, 100, z) + stats.binom.sf(upper, 100, z)
        assert tails.max() <= level
        assert (upper > lower).all()


def test_p_values_of_uniform_ranks_are_valid() -> None:
    rng = np.random.default_rng(2)
    p = np.array([rank_p(rng.integers(0, 16, 50), 15) for _ in range(150)])
    for level in (0.01, 0.05, 0.2):
        assert np.mean(p <= level) <= level + 3 * np.sqrt(level / 150)
    assert np.mean(p <= 0.2) > 0.08
    assert rank_p(np.zeros(50), 15) < 1e-12


def test_paired_p_leaves_constants_alone() -> None:
    values = np.random.default_rng(3).standard_normal((50, 3))
    values[:, 1], values[:, 2] = 0.0, 1.0
    p = paired_p(values)
    assert 0 < p[0] < 1 and p[1] == 1.0 and p[2] == 0.0
