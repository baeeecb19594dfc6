"""The tests of replicates' numbers: t tests, the simultaneous band of ranks, and the family-wise correction.

Stage verification.
"""

from __future__ import annotations

import numpy as np
from scipy import stats
from scipy.special import ndtri

LEVEL = 1e-3  # of all tests together
POWER = 0.9


def paired_p(values: np.ndarray) -> np.ndarray:
    """Return two-sided p values that each column of (replicates, functions) has mean 0; 1 where nothing varies."""
    return _t_p(values.mean(axis=0), values.var(axis=0, ddof=1) / len(values), np.array(len(values) - 1.0))


def compared_p(values: np.ndarray, mean: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Return two-sided p values that columns of (replicates, functions) have the mean estimated with an error.

    ``error`` is the standard error of ``mean``, whose own draws are many (Welch's test).
    """
    own = values.var(axis=0, ddof=1) / len(values)
    with np.errstate(all="ignore"):
        degrees = (own + error**2) ** 2 / (own**2 / (len(values) - 1))
    return _t_p(values.mean(axis=0) - mean, own + error**2, np.nan_to_num(degrees, nan=1.0, posinf=1e9))


def _t_p(difference: np.ndarray, variance: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    still = variance <= 1e-24
    ratio = difference / np.sqrt(np.where(still, 1.0, variance))
    found = 2 * stats.t.sf(np.abs(ratio), degrees)
    return np.where(still, np.where(np.abs(difference) > 1e-9, 0.0, 1.0), found)


def holm(p: np.ndarray) -> np.ndarray:
    """Return p values adjusted for their number (Holm 1979): reject where they are below the family-wise level."""
    order = np.argsort(p)
    adjusted = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))
    found = np.empty_like(adjusted)
    found[order] = np.minimum(adjusted, 1.0)
    return found


# --- ranks ------------------------------------------------------------------------------------------------


def rank_counts(ranks: np.ndarray, draws: int) -> np.ndarray:
    """Return how many ranks lie below 1, 2, .., ``draws``: N times the ECDF at z = k / (draws + 1)."""
    return np.cumsum(np.bincount(ranks.astype(int), minlength=draws + 1))[:-1]


def tail_level(counts: np.ndarray, replicates: int) -> float:
    """Return the smallest two-sided pointwise tail probability of an ECDF, at any of its points."""
    z = np.arange(1, len(counts) + 1) / (len(counts) + 1)
    low = stats.binom.cdf(counts, replicates, z)
    high = stats.binom.sf(counts - 1, replicates, z)
    return float(min(1.0, 2 * np.min(np.minimum(low, high))))


def band_limits(level: float, replicates: int, draws: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the counts between which the ECDF lies if no point's two-sided tail probability is below ``level``."""
    z = np.arange(1, draws + 1) / (draws + 1)
    lower = stats.binom.ppf(level / 2, replicates, z)
    lower = np.where(stats.binom.cdf(lower, replicates, z) < level / 2 * (1 - 1e-9), lower + 1, lower)
    upper = stats.binom.isf(level / 2, replicates, z)
    upper = np.where(stats.binom.sf(upper - 1, replicates, z) < level / 2 * (1 - 1e-9), upper - 1, upper)
    return lower.astype(int), upper.astype(int)


def leaving_probability(level: float, replicates: int, draws: int) -> float:
    """Return the probability that the ECDF of uniform ranks leaves the band of a pointwise level.

    The counts form a Markov chain: given k ranks below z, those below z' are k plus a binomial
    (Säilynoja, Bürkner & Vehtari 2022, section 2.2); the recursion over the points is exact.
    """
    lower, upper = band_limits(level, replicates, draws)
    inside = np.array([1.0])
    before, z = np.array([0]), 0.0
    lost = 0.0
    for point in range(draws):
        now = np.arange(lower[point], upper[point] + 1)
        share = (1 / (draws + 1)) / (1 - z)
        move = stats.binom.pmf(now[:, None] - before[None], replicates - before[None], share)
        outside = _outside(before, now, replicates, share)
        lost += float(outside @ inside)
        inside, before, z = move @ inside, now, (point + 1) / (draws + 1)
    return lost


def _outside(before: np.ndarray, now: np.ndarray, replicates: int, share: float) -> np.ndarray:
    """Return the probability of leaving the interval ``now`` from each count; summed so that small ones keep digits."""
    if not len(now):
        return np.ones(len(before))
    below = stats.binom.cdf(now[0] - 1 - before, replicates - before, share)
    return below + stats.binom.sf(now[-1] - before, replicates - before, share)


def rank_p(ranks: np.ndarray, draws: int) -> float:
    """Return the p value that ranks 0..draws are uniform, by their ECDF's largest departure at any point."""
    return leaving_probability(
        tail_level(rank_counts(ranks, draws), len(ranks)) * (1 + 1e-7), len(ranks), draws
    )


def simultaneous_band(level: float, replicates: int, draws: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the counts between which the whole ECDF lies with probability 1 - ``level``, or a little more."""
    low, high = 1e-14, level
    for _ in range(30):
        middle = np.sqrt(low * high)
        if leaving_probability(middle, replicates, draws) > level:
            high = middle
        else:
            low = middle
    return band_limits(low, replicates, draws)


# --- power ------------------------------------------------------------------------------------------------


def detectable(error: float, level: float, tests: int, power: float = POWER) -> float:
    """Return the smallest effect, of a standard error, that a two-sided test at ``level / tests`` sees."""
    return float((ndtri(1 - level / tests / 2) + ndtri(power)) * error)


def detectable_shift(replicates: int, draws: int, level: float, power: float = POWER) -> float:
    """Return the smallest shift, in posterior standard deviations, that ranks see with that power.

    The rank of a shifted truth is below the middle as often as the truth is below the median of the draws, whose
    variance is about pi / 2 divided by their number.
    """
    lower, upper = simultaneous_band(level, replicates, draws)
    middle = draws // 2
    width = (upper[middle] - lower[middle]) / 2 / replicates
    needed = width + ndtri(power) * 0.5 / np.sqrt(replicates)
    return float(ndtri(0.5 + needed) * np.sqrt(1 + np.pi / 2 / draws)) if needed < 0.5 else float("inf")
