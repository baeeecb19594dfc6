"""How often each test finds an error of a given size, by simulation of the numbers that the tests take."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from scipy import stats

from deriver.verification.draw_checks import DRAWS
from deriver.verification.pivots import compare_pivots
from deriver.verification.replicates import Effort
from deriver.verification.statistics import (
    LEVEL,
    POWER,
    detectable,
    detectable_shift,
    paired_p,
    rank_counts,
    simultaneous_band,
)

TESTS = 200  # of a usual model; what is found hardly depends on it
REPEATS = 400

# (rng, error) -> p value
Simulation = Callable[[np.random.Generator, float], float]


def simulate_draws(count: int, aspect: str) -> Simulation:
    """Return a simulation of draws of a conditional that are shifted by an error, or too wide by 1 + error."""

    def simulate(rng: np.random.Generator, error: float) -> float:
        shift, ratio = (error, 1.0) if aspect == "location" else (0.0, 1 + error)
        draws = stats.norm.cdf(shift + ratio * rng.standard_normal(count))
        return next(test.p for test in compare_pivots(draws) if test.aspect == aspect)

    return simulate


def simulate_updates(effort: Effort) -> Simulation:
    """Return a simulation of changes by single updates, whose mean is an error in their own standard deviations."""
    shape = effort.prior, 1
    return lambda rng, error: float(paired_p(error + rng.standard_normal(shape) / effort.block**0.5)[0])


def simulate_ranks(effort: Effort, ratio: bool) -> Simulation:
    """Return a simulation of ranks in a posterior that is shifted by an error, or 1 + error times too wide.

    Its p value is 0 outside the band and 1 inside.
    """
    lower, upper = simultaneous_band(LEVEL / TESTS, effort.ranks, effort.draws)

    def simulate(rng: np.random.Generator, error: float) -> float:
        truth = rng.standard_normal((effort.ranks, 1))
        draws = rng.standard_normal((effort.ranks, effort.draws))
        draws = (1 + error) * draws if ratio else error + draws
        counts = rank_counts((draws < truth).sum(axis=1), effort.draws)
        return float(np.all((lower <= counts) & (counts <= upper)))

    return simulate


def rate(simulation: Simulation, error: float, rng: np.random.Generator, repeats: int = REPEATS) -> float:
    """Return how often an error is found."""
    return float(np.mean([simulation(rng, error) <= LEVEL / TESTS for _ in range(repeats)]))


def smallest(simulation: Simulation, rng: np.random.Generator, start: float = 0.01) -> float:
    """Return the smallest error, in steps of a tenth of itself, that is found as often as ``POWER``."""
    error = start
    while error < 20 and rate(simulation, error, rng, 20) < 0.3:
        error *= 1.25
    while error < 20 and rate(simulation, error, rng, REPEATS) < POWER:
        error *= 1.04
    return error


def measure_power(effort: Effort, seed: int) -> Iterator[str]:
    """Yield a line for each test: the smallest error that it finds, by formula and by simulation."""
    rng, count = np.random.default_rng(seed), DRAWS * effort.draws_at
    yield f"found with probability {POWER:g} among {TESTS} tests, family-wise level {LEVEL:g}:"
    shift = detectable(count**-0.5, LEVEL, TESTS)
    found = smallest(simulate_draws(count, "location"), rng)
    yield f"  draws   shift of {found:.3f} conditional sd (formula {shift:.3f})"
    wide = detectable((2 * count) ** -0.5, LEVEL, TESTS)
    found = smallest(simulate_draws(count, "scale"), rng)
    yield f"  draws   sd too wide by {found:.1%} (formula {wide:.1%})"
    own = detectable((effort.prior * effort.block) ** -0.5, LEVEL, TESTS)
    found = smallest(simulate_updates(effort), rng)
    yield f"  update  mean change of {found:.2f} of its own sd (formula {own:.2f})"
    error = detectable_shift(effort.ranks, effort.draws, LEVEL / TESTS)
    found = smallest(simulate_ranks(effort, ratio=False), rng)
    yield f"  ranks   shift of {found:.2f} posterior sd (formula {error:.2f})"
    found = smallest(simulate_ranks(effort, ratio=True), rng)
    yield f"  ranks   sd too wide by a factor {1 + found:.2f}"
