"""What a reduced sampler is given: factors of a row as text, recipes kept as JSON, a row added in vectors."""

from __future__ import annotations

import json

import numpy as np
import pytest
import sympy as sp

from deriver.algebra.heads import LogGamma, Ref, Variable, index_symbol
from deriver.pipeline import derive, plan
from deriver.reduction.lanes import LANES, read_layout, write_layout
from deriver.reduction.moments import Moments, Shape
from deriver.reduction.recipe import make_recipe, write_factor
from deriver.reduction.records import Term, recipe_from_json, recipe_to_json
from deriver.reduction.rows import symbols_of, term_values

K = index_symbol("k")
X, Y = (Ref(Variable(name, real=True), K) for name in "xy")
CELLS = {"x": np.array([0.5, 2.0, 3.0]), "y": np.array([-1.5, 1.0, 7.0])}
FACTORS = [
    X, X**2, 2 * X - Y / 3, -X, sp.Rational(-1, 7) * X * Y, sp.pi * X, sp.Float("1.25e-7") * Y, 1 / X, sp.sqrt(X),
    X**-2, sp.log(X), sp.exp(-Y), LogGamma(X + 1), sp.factorial(X), sp.Abs(Y) ** 3, (X - Y) ** 2 * sp.log(X) - 4,
    sp.S.One, -sp.Float(3.5) * X ** sp.Float(-0.5),
]  # fmt: skip


@pytest.mark.parametrize("factor", FACTORS, ids=str)
def test_a_factor_as_text_has_the_value_of_its_expression(factor: sp.Expr) -> None:
    text = write_factor(factor)
    found = term_values(Term(scalar=text), 0, CELLS, 3)
    plain = {X: sp.Symbol("x"), Y: sp.Symbol("y")}
    for row in range(3):
        at = {sp.Symbol(name): sp.Float(cells[row], 40) for name, cells in CELLS.items()}
        assert found[row] == pytest.approx(float(factor.xreplace(plain).subs(at).evalf(30)), rel=1e-13)
    assert {*symbols_of(text)} == {ref.name for ref in factor.atoms(Ref)}


@pytest.mark.parametrize("name", ["random_intercepts", "wishart", "varying_variance", "independent_effects"])
def test_a_recipe_is_the_same_when_it_has_been_kept(name: str) -> None:
    derivation = derive(name)
    recipe = make_recipe(derivation, plan(derivation))
    assert recipe_from_json(json.loads(json.dumps(recipe_to_json(recipe)))) == recipe


def test_a_column_is_one_factor_whatever_its_subscripts() -> None:
    """The response of the fit and that of the moments of the starts are the same column, and are summed once."""
    derivation = derive("random_intercepts")
    recipe = make_recipe(derivation, plan(derivation))
    assert {item.response for item in recipe.items if hasattr(item, "response")} == {Term(scalar="y")}


def test_a_layout_is_read_as_it_was_written() -> None:
    for features, pairs, weighted in ((0, [], False), (12, [(0, 0), (3, 11)], True)):
        assert read_layout(write_layout(features, pairs, weighted)) == (features, weighted, pairs)


@pytest.mark.parametrize("weighted", [False, True])
def test_more_products_than_lanes(weighted: bool) -> None:
    """Sums of ten features and their products, which take several vectors, held against exact sums."""
    features, rows = LANES + 2, 40
    pairs = tuple((k, m) for k in range(features) for m in range(k, features))
    shape = Shape(features=features, pairs=pairs, weighted=weighted)
    rng = np.random.default_rng(5)
    columns, group = rng.integers(-50, 50, (features, rows)).astype(float), rng.integers(0, 3, rows)
    weight = rng.integers(1, 9, rows).astype(float) if weighted else np.ones(rows)
    moments = Moments(shape)
    moments.add(group, columns, weight if weighted else None)
    records = moments.records
    for g in range(3):
        own = columns[:, group == g]
        away, w = own - own[:, :1], weight[group == g]
        sums = [w.sum(), *(away @ w), *((away[k] * away[m]) @ w for k, m in pairs)]
        np.testing.assert_array_equal(records[g, 1 + features : 1 + features + shape.parts], sums)
        assert not records[g, 1 + features + shape.parts :].any()
