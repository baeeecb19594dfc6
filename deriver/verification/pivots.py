"""Tests that pivots are independent and uniform: location, scale and shape, each with an exact reference distribution.

Stage verification.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.special import ndtri


@dataclass(frozen=True, slots=True, kw_only=True)
class PivotTest:
    """One test of one pivot.

    ``aspect`` is ``location`` (mean of the normal scores), ``scale`` (their variance) or ``shape`` (Kolmogorov and
    Smirnov's distance).  ``effect`` is the mean, the ratio of standard deviations, or the distance.
    """

    aspect: str
    p: float
    effect: float


def compare_pivots(uniform: np.ndarray) -> tuple[PivotTest, ...]:
    """Return the tests of one pivot's values, shape (draws,)."""
    count = len(uniform)
    scores = ndtri(np.clip(uniform, 1e-15, 1 - 1e-15))
    mean = float(scores.mean())
    square = float((scores**2).mean())
    distance = stats.kstest(uniform, "uniform")
    tail = stats.chi2.sf(count * square, count), stats.chi2.cdf(count * square, count)
    return (
        PivotTest(aspect="location", p=float(2 * stats.norm.sf(abs(mean) * np.sqrt(count))), effect=mean),
        PivotTest(aspect="scale", p=float(min(1.0, 2 * min(tail))), effect=float(scores.std())),
        PivotTest(aspect="shape", p=float(distance.pvalue), effect=float(distance.statistic)),
    )
