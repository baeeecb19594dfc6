"""Sums over all elements but one, made whole again where the one is added to them: Σ_{e≠d} f_e + f_d is Σ_e f_e.

A full conditional is written with its target apart.  Where the whole array is at hand, the element as well as the others,
the sum over all needs no axis for both.  The sums over rows that have a value, and over those that have not, join likewise.
"""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp
from sympy import Expr, Symbol

from deriver.algebra.heads import Condition, PlateSum

Bounds = Mapping[Symbol, tuple[Expr, Expr]]
OPPOSITES = {"=": "!=", "!=": "="}


def complete_sums(expr: Expr, bounds: Bounds) -> Expr:
    """Return an expression of the same value with such sums made whole; ``bounds`` are the indices in scope."""
    if not isinstance(expr, sp.Basic) or not expr.has(PlateSum):
        return expr
    inside = bounds
    if isinstance(expr, PlateSum):
        inside = {**bounds, **{symbol: tuple(ends) for symbol, *ends in expr.bounds}}
        body = complete_sums(expr.body, inside)
        return expr if body == expr.body else PlateSum(body, expr.bounds, expr.conditions)
    args = [complete_sums(arg, inside) if isinstance(arg, Expr) else arg for arg in expr.args]
    whole = expr if args == list(expr.args) else expr.func(*args)
    if isinstance(whole, sp.Mul) and whole.is_commutative:
        return _join_exponentials(whole, bounds)
    return _complete(whole, bounds) if isinstance(whole, sp.Add) and whole.is_commutative else whole


def _join_exponentials(expr: sp.Mul, bounds: Bounds) -> Expr:
    """Return exp(a) exp(b) as exp(a + b) where that makes a sum whole."""
    powers = [factor for factor in expr.args if isinstance(factor, sp.exp)]
    if len(powers) < 2:
        return expr
    joined = sp.Add(*(power.args[0] for power in powers))
    made = complete_sums(joined, bounds)
    return expr if made == joined else sp.Mul(sp.exp(made), *(f for f in expr.args if f not in powers))


def _complete(expr: sp.Add, bounds: Bounds) -> Expr:
    """Return a sum with each of its parts made whole that can be."""
    terms = list(expr.args)
    for term in expr.args:
        if term in terms:
            found = _whole(term, terms, bounds) or _joined(term, terms)
            if found is not None:
                made, used = found
                terms = [other for other in terms if other not in used] + [made]
    return expr if terms == list(expr.args) else _complete_again(sp.Add(*terms), bounds)


def _complete_again(expr: Expr, bounds: Bounds) -> Expr:
    return _complete(expr, bounds) if isinstance(expr, sp.Add) else complete_sums(expr, bounds)


def _split(term: Expr) -> tuple[Expr, PlateSum] | None:
    """Return a term as a factor and one sum over plates, None where it is something else."""
    factors = sp.Mul.make_args(term)
    sums = [factor for factor in factors if isinstance(factor, PlateSum)]
    return (sp.Mul(*(f for f in factors if f is not sums[0])), sums[0]) if len(sums) == 1 else None


def _whole(term: Expr, terms: list[Expr], bounds: Bounds) -> tuple[Expr, list[Expr]] | None:
    """Return the whole sum for one without an element that is among the terms, and the terms that it stands for."""
    split = _split(term)
    if split is None or len(split[1].bounds) != 1 or len(split[1].conditions) != 1:
        return None
    around, part = split
    (index, *ends), (condition,) = part.bounds[0], part.conditions
    own = condition.right if condition.left == index else condition.left
    if condition.relation != "!=" or {condition.left, condition.right} != {index, own}:
        return None
    if not isinstance(own, Symbol) or bounds.get(own) != tuple(ends) or part.body.has(own):
        return None
    alone = around * part.body.xreplace({index: own})
    for written in (alone, sp.expand_mul(alone, deep=False), sp.expand_mul(alone)):
        lacking = list(sp.Add.make_args(written))
        if all(each in terms for each in lacking) and term not in lacking:
            return around * PlateSum(part.body, part.bounds), [term, *lacking]
    return None


def _joined(term: Expr, terms: list[Expr]) -> tuple[Expr, list[Expr]] | None:
    """Return the sum over all for one where a condition holds, when that where it does not is among the terms."""
    split = _split(term)
    if split is None:
        return None
    around, part = split
    for condition in part.conditions:
        opposite = OPPOSITES.get(condition.relation)
        others = [each for each in part.conditions if each != condition]
        if opposite is None:
            continue
        turned = Condition(opposite, condition.left, condition.right)
        other = around * PlateSum(part.body, part.bounds, [*others, turned])
        if other in terms:
            return around * PlateSum(part.body, part.bounds, others), [term, other]
    return None
