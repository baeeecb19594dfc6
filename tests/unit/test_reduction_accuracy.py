"""Moments in twice the working precision: sums and fits held against exact rational arithmetic, however they are merged."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from deriver.pipeline import derive, plan
from deriver.reduction.moments import Moments, Shape
from deriver.reduction.recipe import make_recipe
from deriver.reduction.run import choose_reduction
from deriver.reduction.solve import ONE, Fit, pooled_moment, solve_fit, sum_products, total_in_parts
from deriver.running.job import Job

SHAPE = Shape(features=3, pairs=((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)))
WEIGHTED = Shape(features=3, pairs=SHAPE.pairs, weighted=True)
X, Y, UNIT = 0, 1, 2


def make_rows(rows: int = 240, groups: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Groups, and columns x, y, 1: means near 1e8 and as far apart, slopes of 1e6, an sd of 1 around the lines."""
    rng = np.random.default_rng(20240607)
    group = rng.integers(0, groups, rows)
    x = 1e5 * rng.standard_normal(groups)[group] + rng.standard_normal(rows)
    mean, slope = 1e8 * (1 + rng.standard_normal(groups)), 1e6 * rng.standard_normal(groups)
    y = mean[group] + slope[group] * x + rng.standard_normal(rows)
    return group, np.stack([x, y, np.ones(rows)])


def in_one_piece(group: np.ndarray, columns: np.ndarray, weight: np.ndarray | None = None) -> Moments:
    """The moments of rows added in batches."""
    moments = Moments(SHAPE if weight is None else WEIGHTED)
    for first in range(0, len(group), 50):
        part = slice(first, first + 50)
        moments.add(group[part], columns[:, part].copy(), None if weight is None else weight[part])
    return moments


def merged(group: np.ndarray, columns: np.ndarray, cuts: tuple[int, ...]) -> Moments:
    """The moments of pieces that number the groups as they meet them, merged one after another."""
    total, known = Moments(SHAPE), {}
    for part in np.split(np.arange(len(group)), cuts):
        own = list(dict.fromkeys(group[part].tolist()))
        piece = in_one_piece(np.array([own.index(g) for g in group[part].tolist()]), columns[:, part])
        places = np.array([known.setdefault(g, len(known)) for g in own])
        total.merge(piece, places)
    return total.reordered(np.array([known[g] for g in sorted(known)]))


def exact_fit(
    columns: list[np.ndarray], y: np.ndarray, weight: np.ndarray
) -> tuple[list[Fraction], Fraction]:
    """Coefficients and residual sum of squares by rational arithmetic."""
    design = [[Fraction(float(c[k])) for c in columns] for k in range(len(y))]
    response, w = [Fraction(float(v)) for v in y], [Fraction(float(v)) for v in weight]
    p = len(columns)
    system = [
        [sum(v * row[a] * row[b] for v, row in zip(w, design, strict=True)) for b in range(p)]
        + [sum(v * row[a] * r for v, row, r in zip(w, design, response, strict=True))]
        for a in range(p)
    ]
    for k in range(p):
        for row in range(p):
            if row != k:
                part = system[row][k] / system[k][k]
                system[row] = [a - part * b for a, b in zip(system[row], system[k], strict=True)]
    b = [system[k][p] / system[k][k] for k in range(p)]
    residual = [
        r - sum(c * d for c, d in zip(b, row, strict=True)) for r, row in zip(response, design, strict=True)
    ]
    return b, sum((v * r * r for v, r in zip(w, residual, strict=True)), Fraction(0))


def assert_exact(
    fit: Fit, group: np.ndarray, columns: list[np.ndarray], y: np.ndarray, weight: np.ndarray
) -> None:
    """Every group's fit: coefficients to 25 digits in their two parts, the sum of squares to 14."""
    for g in range(len(fit.rss)):
        rows = group == g
        b, rss = exact_fit([c[rows] for c in columns], y[rows], weight[rows])
        assert abs(Fraction(float(fit.rss[g])) - rss) <= Fraction(1, 10**14) * rss
        for k, exact in enumerate(b):
            found = Fraction(float(fit.fit[g, k])) + Fraction(float(fit.rest[g, k]))
            assert abs(found - exact) <= Fraction(1, 10**25) * abs(exact)
        design = np.stack([c[rows] for c in columns], axis=-1) * np.sqrt(weight[rows])[:, None]
        gram = design.T @ design
        np.testing.assert_allclose(fit.root[g].T @ fit.root[g], gram, rtol=1e-12)


@pytest.mark.parametrize("cuts", [None, (), (7,), (1, 2, 100, 239)])
@pytest.mark.parametrize("order", [(ONE, X), (X, UNIT), (X,)])
def test_fits_are_exact(cuts: tuple[int, ...] | None, order: tuple[int, ...]) -> None:
    group, columns = make_rows()
    moments = in_one_piece(group, columns) if cuts is None else merged(group, columns, cuts)
    design = [columns[UNIT if feature == ONE else feature] for feature in order]
    assert_exact(solve_fit(moments, order, Y), group, design, columns[Y], np.ones(len(group)))


def test_weighted_fits_are_exact() -> None:
    group, columns = make_rows()
    weight = np.random.default_rng(2).uniform(0.1, 3, len(group))
    fit = solve_fit(in_one_piece(group, columns, weight), (ONE, X), Y)
    assert_exact(fit, group, [columns[UNIT], columns[X]], columns[Y], weight)


def test_sums_are_exact() -> None:
    group, columns = make_rows()
    for moments in (in_one_piece(group, columns), merged(group, columns, (60, 61, 200))):
        for one, two in ((X, Y), (Y, Y), (X, ONE), (ONE, ONE)):
            a, b = (columns[UNIT if feature == ONE else feature] for feature in (one, two))
            exact = [Fraction(float(p)) * Fraction(float(q)) for p, q in zip(a, b, strict=True)]
            parts = sum_products(moments, one, two)
            for g in range(moments.groups):
                own = sum((e for e, h in zip(exact, group, strict=True) if h == g), Fraction(0))
                assert abs(Fraction(float(parts[g].sum())) - own) <= Fraction(1, 10**15) * abs(own)
            assert abs(Fraction(total_in_parts(parts)) - sum(exact)) <= Fraction(1, 10**15) * abs(sum(exact))


def test_moments_of_all_rows() -> None:
    group, columns = make_rows()
    variance, square = pooled_moment(in_one_piece(group, columns), Y)
    np.testing.assert_allclose([variance, square], [np.var(columns[Y]), np.mean(columns[Y] ** 2)], rtol=1e-12)


@pytest.mark.parametrize(
    ("x", "y"),
    [([], []), ([3.0], [7.0]), ([3.0, 3.0], [7.0, 9.0]), ([0.0, 0.0, 0.0], [1.0, 2.0, 4.0]), ([1.0, 2.0], [5.0, 6.0])],
)  # fmt: skip
def test_groups_that_do_not_determine_their_fit(x: list[float], y: list[float]) -> None:
    """rss + |R(b − fit)|² is the sum of squares around any coefficients b."""
    moments = Moments(SHAPE)
    moments.add(np.zeros(1, dtype=np.int64), np.array([[1.0], [2.0], [1.0]]))
    moments.add(np.ones(len(x), dtype=np.int64), np.array([x, y, np.ones(len(x))]).reshape(3, -1))
    moments = moments.reordered(np.array([1 if x else -1]))
    for order in ((ONE, X), (X, UNIT), (X,)):
        fit = solve_fit(moments, order, Y)
        b = np.array([0.3, -0.7])[: len(order)]
        design = np.array([[v if feature == X else 1.0 for feature in order] for v in x]).reshape(
            -1, len(order)
        )
        around = fit.root[0] @ (b - fit.fit[0] - fit.rest[0])
        expected = np.sum((np.array(y) - design @ b) ** 2)
        np.testing.assert_allclose(fit.rss[0] + around @ around, expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("slope", [0.0, -3.0])
def test_the_whole_path_keeps_twelve_digits(tmp_path: Path, slope: float) -> None:
    """Data mean 1e8, group means spread by 1e8, sd 1: the hoisted sum of squares, from Parquet files in any order."""
    rng = np.random.default_rng(11)
    group = rng.integers(0, 5, 3000)
    x = rng.standard_normal(3000)
    y = 1e8 + 1e8 * rng.standard_normal(5)[group] + slope * x + rng.standard_normal(3000)
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"g": group, "x": x, "y": y}), path, row_group_size=170)
    reduction = choose_reduction(path, Job(columns={"x": "x"}, index={"i": "g"}), choice="on")
    assert reduction is not None
    derivation = derive("random_intercepts")
    job = Job(columns={"x": "x"}, index={"i": "g"})
    binding = reduction.bind(derivation.model, make_recipe(derivation, plan(derivation)), job)
    for g in range(5):
        rows = group == g
        _, rss = exact_fit([np.ones(rows.sum()), x[rows]], y[rows], np.ones(rows.sum()))
        assert abs(Fraction(float(binding.arrays["rss"][g])) - rss) <= Fraction(1, 10**12) * rss
