"""Observed ``dhyper``: SciPy's Fisher noncentral hypergeometric distribution, integrated over a grid, is the reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import gamma, nchypergeom_fisher

from deriver.bugs import translate
from deriver.errors import ModelError
from tests.bugs.test_constructs import draws_of

PROGRAM = """
model {
  for (i in 1:n) { y[i] ~ dhyper(n1[i], n2[i], m1[i], psi) }
  psi ~ dgamma(3, 2)
}
"""
SIZES = {"n1": [10, 20, 5], "n2": [12, 3, 30], "m1": [8, 10, 6]}


def test_the_odds_ratio_of_tables_with_fixed_margins(tmp_path: Path) -> None:
    """Tables of which the smallest count is 0 and is not; draws against the posterior on a grid."""
    y = np.array([6, 8, 1])
    drawn = draws_of(PROGRAM, SIZES | {"n": 3, "y": y}, tmp_path)
    grid = np.linspace(0.02, 12, 800)
    logs = gamma.logpdf(grid, 3, scale=0.5)
    for count, first, second, size in zip(y, *SIZES.values(), strict=True):
        logs += [nchypergeom_fisher.logpmf(count, first + second, first, size, odds) for odds in grid]
    weights = np.exp(logs - logs.max())
    for power in (1, 2):
        expected = np.average(grid**power, weights=weights)
        assert (drawn["psi"] ** power).mean() == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize(
    "changed,message",
    [
        ({"y": [6, 2, 1]}, "the response 2 of `dhyper\\(20, 3, 10, psi\\)`"),
        ({"y": [6, float("nan"), 1]}, "`dhyper` of what is not data"),
    ],
)
def test_what_cannot_be_is_refused(changed: dict, message: str) -> None:
    """A count outside of its margins, and one that was not seen."""
    data = SIZES | {"n": 3, "y": [6, 8, 1]} | changed
    with pytest.raises(ModelError, match=message):
        translate(PROGRAM, {name: np.asarray(value, dtype=float) for name, value in data.items()})
