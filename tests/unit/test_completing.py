"""Sums over all elements but one, made whole: the same values, and no array over pairs of elements."""

from __future__ import annotations

import re

import numpy as np
import pytest
import sympy as sp

from deriver.algebra.evaluate import evaluate
from deriver.algebra.heads import Condition, PlateSum, Ref, Variable, index_symbol
from deriver.derivation.conditionals import derive
from deriver.emission import emit
from deriver.language import parse_model
from deriver.plan.completing import complete_sums
from tests.model_checks import check_model

D, E, K = (index_symbol(name) for name in "dek")
W, X, Z = Variable("w"), Variable("x"), Variable("z", integer=True)
ALL = (sp.S.One, sp.Integer(4))
BOUNDS = {D: ALL}
BESIDE = PlateSum(Ref(W, E) * Ref(X, E), [sp.Tuple(E, *ALL)], [Condition("!=", E, D)])
OWN = Ref(W, D) * Ref(X, D)
ROWS = [sp.Tuple(K, sp.S.One, sp.Integer(6))]


def by_value(relation: str) -> PlateSum:
    return PlateSum(sp.log(1 + Ref(X, K) ** 2), ROWS, [Condition(relation, Ref(Z, K), D)])


CASES = {
    "a sum": (BESIDE + OWN, 1),
    "with a factor": (3 * Ref(W, sp.S.One) * BESIDE + 3 * Ref(W, sp.S.One) * OWN + 7, 1),
    "under a function": (sp.log(1 + sp.exp(BESIDE + OWN)), 1),
    "of exponentials": (sp.exp(BESIDE + 1) * sp.exp(OWN - 2), 1),
    "inside another": (PlateSum(sp.exp(Ref(X, K) * BESIDE + Ref(X, K) * OWN), ROWS), 2),
    "rows with and without a value": (by_value("=") + by_value("!="), 1),
}
MISSES = {
    "another element": BESIDE + Ref(W, D) * Ref(X, sp.S.One),
    "the wrong sign": BESIDE - OWN,
    "half of it": BESIDE + OWN / 2,
    "the same twice": by_value("=") + by_value("="),
    "another summand": by_value("=") + 2 * by_value("!="),
}


def values(expr: sp.Expr) -> list[float]:
    rng = np.random.default_rng(1)
    state = {name: {(k,): float(v) for k, v in enumerate(rng.normal(size=6), 1)} for name in "wx"}
    state["z"] = {(k,): 1 + k % 4 for k in range(1, 7)}
    return [evaluate(expr, state, {D: place}) for place in range(1, 5)]


@pytest.mark.parametrize("name", CASES)
def test_a_sum_is_made_whole(name: str) -> None:
    expr, sums = CASES[name]
    whole = complete_sums(expr, BOUNDS)
    left = whole.atoms(PlateSum)
    assert len(left) == sums and not any(part.conditions for part in left)
    np.testing.assert_allclose(values(whole), values(expr), rtol=1e-12)


@pytest.mark.parametrize("name", MISSES)
def test_what_is_not_the_rest_of_a_sum_stays(name: str) -> None:
    assert complete_sums(MISSES[name], BOUNDS) == MISSES[name]


def test_an_element_of_another_range_stays() -> None:
    assert complete_sums(BESIDE + OWN, {D: (sp.S.One, sp.Integer(5))}) == BESIDE + OWN


SOFTMAX = """
model softmax
plates
  n = 1..N
  m = 1..M
  c = 1..3
given
  u[n,m]
data
  y[n] ~ Categorical(q[n,:])
process
  q[n,c] = e[n,c] / sum(c: e[n,c])
  e[n,c] = exp(sum(m: u[n,m]*w[c,m]))
  w[c,m] ~ Normal(0, sd=2)
"""


def test_the_sampler_of_coupled_elements_has_no_array_over_pairs_of_them(tmp_path) -> None:
    check_model(SOFTMAX, tmp_path, seed=4)
    source = emit(derive(parse_model(SOFTMAX)))
    target = source.split("def log_target(")[1].split("return log_kernel")[0]
    assert "np.where" not in target and not re.search(r"None, :, None|None, None, :", target)
