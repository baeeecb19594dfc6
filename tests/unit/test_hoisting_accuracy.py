"""Accuracy of hoisted sums of squares against exact rational arithmetic: data of mean 1e8, groups 1e8 apart, sd 1."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.emitted import build
from tests.hand.catalogue import load

DRAWS = 20
NARROW = 1e-12  # the relative error allowed


def exact_sum(y: np.ndarray, design: np.ndarray, coefficients: np.ndarray) -> Fraction:
    """Return the sum over rows of (y - design · coefficients)², all arrays by row, without rounding."""
    total = Fraction(0)
    for response, row, own in zip(y, design, coefficients, strict=True):
        fitted = sum(
            (Fraction(float(a)) * Fraction(float(b)) for a, b in zip(row, own, strict=True)), Fraction(0)
        )
        total += (Fraction(float(response)) - fitted) ** 2
    return total


def relative_error(computed: float, exact: Fraction) -> float:
    """Return the distance of a number from an exact one, relative to it."""
    return float(abs(Fraction(float(computed)) - exact) / exact)


def scale_of(module: ModuleType, state: Any, data: Any) -> float:
    """Return twice the scale that ``draw_sigma2`` hands to the generator, for one chain."""
    seen: list[np.ndarray] = []

    def capture(rng: Any, shape: np.ndarray, scale: np.ndarray, size: Any) -> np.ndarray:
        seen.append(scale)
        return state.sigma2

    original = module.random_inverse_gamma
    module.random_inverse_gamma = capture
    try:
        module.draw_sigma2(None, state, data)
    finally:
        module.random_inverse_gamma = original
    return float(2 * seen[0][0])


@dataclasses.dataclass(frozen=True)
class Rows:
    """Rows in groups of unequal size: group of each, covariate, response with group means far apart."""

    lengths: np.ndarray
    group: np.ndarray
    t: np.ndarray
    y: np.ndarray

    @property
    def design(self) -> np.ndarray:
        """Return (1, t) by row."""
        return np.column_stack([np.ones(len(self.t)), self.t])

    def near(self, rng: np.random.Generator, slope: float) -> np.ndarray:
        """Return intercepts near those of the posterior, for a slope."""
        means = np.zeros(len(self.lengths))
        for group in range(len(means)):
            own = self.group == group
            means[group] = np.mean(self.y[own] - slope * self.t[own]) if own.any() else 1e8
        return means + rng.normal(size=len(means)) / np.sqrt(np.maximum(self.lengths, 1))


def make_rows(rng: np.random.Generator, origin: float, groups: int = 25) -> Rows:
    """Return rows with responses of mean 1e8, groups 1e8 apart, sd 1; two groups have one row, and one none."""
    lengths = rng.integers(2, 9, groups)
    lengths[:3] = [1, 0, 1]
    group = np.repeat(np.arange(groups), lengths)
    t = origin + rng.normal(size=len(group))
    means = rng.normal(1e8, 1e8, groups)
    return Rows(lengths=lengths, group=group, t=t, y=means[group] + 2.5 * t + rng.normal(size=len(group)))


def slopes_case(folder: Path, rows: Rows) -> Callable[[np.random.Generator], float]:
    """Return a function to the relative error of a random state: wishart, with x = (1, t)."""
    _, module = build(load("wishart").MODEL, folder)
    given = {"mu0": np.zeros(2), "Sigma0": np.eye(2), "S": np.eye(2), "nu": 3.0, "q": 1.0, "r": np.inf}
    bare = module.prepare({"J": rows.lengths, "x": rows.design, "y": rows.y, **given, "r": 1.0})
    data = dataclasses.replace(bare, r=np.inf)

    def error(rng: np.random.Generator) -> float:
        slope = 2.5 + 0.3 * rng.normal(size=len(rows.lengths))
        beta = np.column_stack([[rows.near(rng, b)[i] for i, b in enumerate(slope)], slope])
        state = module.State(beta=beta[None], mu=np.zeros((1, 2)), Q=np.eye(2)[None], sigma2=np.ones(1))
        exact = exact_sum(rows.y, rows.design, beta[rows.group])
        return relative_error(scale_of(module, state, data), exact)

    return error


def intercepts_case(folder: Path, rows: Rows, name: str) -> Callable[[np.random.Generator], float]:
    """Return a function to the relative error of a random state: random_intercepts, ragged or in long format."""
    _, module = build(load(name).MODEL, folder)
    layout = {"J": rows.lengths} if name == "random_intercepts" else {"g": rows.group, "n": len(rows.lengths)}
    fields = module.Data.__dataclass_fields__
    given = {k: 1.0 for k in fields if k[0] in "mqrsv" and k not in layout and not k.startswith("sum_")}
    bare = module.prepare({**given, **layout, "x": rows.t, "y": rows.y})
    free = [k for k in ("r", "r1") if k in fields]
    data = dataclasses.replace(bare, **dict.fromkeys(free, np.inf))

    def error(rng: np.random.Generator) -> float:
        slope = 2.5 + 0.05 * rng.normal()
        means = rows.near(rng, slope)
        state = module.State(
            beta0=means[None],
            mu0=np.zeros(1),
            sigma2_0=np.ones(1),
            beta1=np.array([slope]),
            sigma2=np.ones(1),
        )
        coefficients = np.column_stack([means, np.full(len(means), slope)])
        exact = exact_sum(rows.y, rows.design, coefficients[rows.group])
        return relative_error(scale_of(module, state, data), exact)

    return error


@pytest.mark.parametrize("origin", [0.0, 5.0, 2000.0])
@pytest.mark.parametrize("name", ["wishart", "random_intercepts", "random_intercepts_long"])
def test_sums_of_squares_keep_their_digits(name: str, origin: float, tmp_path: Path) -> None:
    rng = np.random.default_rng([1, int(origin)])
    rows = make_rows(rng, origin)
    error = slopes_case(tmp_path, rows) if name == "wishart" else intercepts_case(tmp_path, rows, name)
    assert max(error(rng) for _ in range(DRAWS)) <= NARROW


# --- the fit itself ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sampler(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return build(load("wishart").MODEL, tmp_path_factory.mktemp("fit"))[1]


CASES = {
    "a column twice": lambda t: np.column_stack([np.ones_like(t), t, t]),
    "a column that adds up": lambda t: np.column_stack([np.ones_like(t), t, 3 * t - 2]),
    "a column of zeros": lambda t: np.column_stack([np.zeros_like(t), np.ones_like(t), t]),
    "more columns than rows": lambda t: np.column_stack([t**k for k in range(3)]),
    "columns nearly alike": lambda t: np.column_stack([np.ones_like(t), t, t + 1e-6 * t**2]),
}


@pytest.mark.parametrize("case", CASES)
def test_any_fit_gives_the_sum_of_squares_around_other_coefficients(sampler: ModuleType, case: str) -> None:
    rng = np.random.default_rng(7)
    group = np.array([0, 0, 0, 0, 0, 1, 1, 3, 4, 4, 4, 4])
    t = rng.normal(size=len(group))
    x = CASES[case](t)
    y = 1e8 + rng.normal(size=len(group))
    weight = rng.uniform(0.5, 2, len(group))
    fit, rest, root, rss = sampler.least_squares(y, x, group, (5,), weight)
    assert rss[2] == 0
    for _ in range(DRAWS):
        b = (fit + rest) + rng.normal(size=fit.shape)
        scaled = np.einsum("gpq,gq->gp", root, b - fit - rest)
        got = rss + np.sum(scaled**2, axis=1)
        for own in (0, 1, 3, 4):
            rows = np.flatnonzero(group == own)
            exact = sum(Fraction(float(weight[k])) * exact_sum(y[[k]], x[[k]], b[[own]]) for k in rows)
            assert relative_error(got[own], exact) < 1e-7  # b of the size 1e8 is itself rounded to 1e-8


def test_rows_without_groups_are_one_cell(sampler: ModuleType) -> None:
    y = np.array([1.0, 2.0, 4.0, 9.0])
    fit, rest, root, rss = sampler.least_squares(y, np.ones(1))
    assert (float(fit[0]), float(rest[0]), float(root[0, 0]), float(rss)) == (4.0, 0.0, 2.0, 38.0)
