"""The normal form of sums: deterministic nodes written out, sums split into their terms and multiplied out.

Two expressions that differ by zero in this form are equal for every state.
"""

from __future__ import annotations

from functools import reduce

import sympy as sp
from sympy import Expr, S

from deriver.algebra.heads import Inner, Literal, PlateSum, Ref, Trace, inner, trace
from deriver.algebra.normal_form import sum_over
from deriver.derivation.factors import Definitions


def normalise(expr: Expr, definitions: Definitions) -> Expr:
    """Return the normal form of a difference: deterministic nodes expanded, sums split and multiplied out."""
    return sp.expand(_split_sums(sp.expand(_split_sums(definitions.expand(expr)))))


def _split_sums(expr: Expr) -> Expr:
    if not expr.args or isinstance(expr, Ref | Literal):
        return expr
    args = [_split_sums(arg) if isinstance(arg, Expr) else arg for arg in expr.args]
    match expr:
        case PlateSum():
            return sp.Add(*(_sum_term(term, expr) for term in sp.Add.make_args(sp.expand(args[0]))))
        case Inner():
            return inner(sp.expand(args[0]))
        case Trace():
            return trace(sp.expand(args[0]))
    return expr.func(*args)


def _sum_term(term: Expr, whole: PlateSum) -> Expr:
    bounds, conditions = tuple(whole.bounds), tuple(whole.conditions)
    scalars, matrices = term.args_cnc()
    sums = [f for f in (*scalars, *matrices) if isinstance(f, PlateSum)]
    if len(sums) == 1 and not (sums[0].bound_symbols & whole.bound_symbols):
        (found,) = sums
        bounds, conditions = (*bounds, *found.bounds), (*conditions, *found.conditions)
        parts = [f.body if f is found else f for f in (*scalars, *matrices)]
        term = reduce(lambda left, right: left * right, parts, S.One)
    return sum_over(term, bounds, conditions)
