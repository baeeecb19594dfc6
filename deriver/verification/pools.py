"""Pools of pivots: the values of each pivot over many draws and states, and every test of them.

Stage verification.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from scipy import stats
from scipy.special import ndtri

from deriver.verification.pivots import compare_pivots

Aspect = Literal["location", "spread", "shape", "dependence"]
MOST_PAIRS = 15
WORDS: dict[str, Aspect] = {"location": "location", "scale": "spread", "shape": "shape"}
# (element's index tuple, pivot's name) -> pieces of shape (draws,), one a state
Pools = dict[tuple[tuple[int, ...], str], list[np.ndarray]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolTest:
    """One test of the pooled pivots; ``subject`` names the element, ``p`` is not adjusted for the number of tests."""

    aspect: Aspect
    subject: str
    p: float
    effect: float
    draws: int


def add_pivots(pools: Pools, key: tuple[int, ...], names: tuple[str, ...], values: np.ndarray) -> None:
    """Add pivots of shape (draws, pivots) of one element at one state."""
    for name, column in zip(names, values.T, strict=True):
        pools.setdefault((key, name), []).append(np.nan_to_num(column, nan=0.0))


def compare_pools(node: str, pools: Pools) -> list[PoolTest]:
    """Return the tests of location, spread and shape of every pivot, and of the dependence of pairs."""
    by_subject = {name_subject(node, *place): pieces for place, pieces in pools.items()}
    columns = {subject: np.concatenate(pieces) for subject, pieces in by_subject.items()}
    found = [
        PoolTest(aspect=WORDS[test.aspect], subject=subject, p=test.p, effect=test.effect, draws=len(values))
        for subject, values in columns.items()
        for test in compare_pivots(values)
    ]
    for one, two in list(combinations(columns, 2))[:MOST_PAIRS]:
        found.append(_compare_pair(f"{one} and {two}", by_subject[one], by_subject[two]))
    return found


def name_subject(node: str, key: tuple[int, ...], pivot: str) -> str:
    """Return the name of an element, and of its pivot where it has several."""
    element = f"{node}[{','.join(map(str, key))}]" if key else node
    return element if pivot == "value" else f"{element} {pivot}"


def _compare_pair(subject: str, one: list[np.ndarray], two: list[np.ndarray]) -> PoolTest:
    """Test that two pivots are uncorrelated at each state, by their normal scores."""
    a, b = (np.concatenate([_scores(piece) for piece in pieces]) for pieces in (one, two))
    correlation = float(np.mean(a * b) / np.sqrt(max(np.mean(a**2) * np.mean(b**2), 1e-12)))
    count = len(a) - len(one)
    p = float(2 * stats.norm.sf(abs(correlation) * np.sqrt(count)))
    return PoolTest(aspect="dependence", subject=subject, p=p, effect=correlation, draws=len(a))


def _scores(uniform: np.ndarray) -> np.ndarray:
    """Return the normal scores of the ranks within one state."""
    return ndtri((stats.rankdata(uniform) - 0.5) / len(uniform))
