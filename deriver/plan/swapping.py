"""Sums over rows of sums over a plate, the order of the two changed, so that the rows are summed over once.

Of a regression on the columns of x, Σ_k x[k,d] Σ_e x[k,e] β[e] is Σ_e β[e] Σ_k x[k,d] x[k,e], of which the inner sum is of
data alone: what the fit adds to a full conditional costs as many operations as there are coefficients, whatever the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import sympy as sp
from sympy import Expr, Symbol

from deriver.algebra.heads import PlateSum, Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class Swapped:
    """Σ over ``bounds`` of ``around`` × ``summed``, a sum of data over rows; all of it times ``outside``."""

    outside: Expr
    around: Expr
    summed: PlateSum
    bounds: sp.Tuple
    conditions: sp.Tuple


def swap_sums(part: PlateSum, data_only: Callable[[sp.Basic], bool]) -> list[Swapped] | None:
    """Return a sum over rows with the order of its two sums changed, a record for each term of the inner sum.

    None where the summand is no product of data and one sum over another plate, or where nodes differ between rows.
    """
    rows = part.bound_symbols
    factors = sp.Mul.make_args(part.body)
    inner = [factor for factor in factors if isinstance(factor, PlateSum)]
    if not part.body.is_commutative or len(inner) != 1 or not data_only(part.conditions):
        return None
    (own,) = inner
    if (sp.Tuple(own.bounds, own.conditions).free_symbols | _indices(own.conditions)) & rows:
        return None
    outside, of_rows = _split([factor for factor in factors if factor is not own], rows)
    made = []
    for term in sp.Add.make_args(own.body):
        around, columns = _split(sp.Mul.make_args(term), rows)
        data = sp.Mul(*of_rows, *columns)
        if not data_only(data) or not columns or not sp.Mul(*columns).free_symbols & own.bound_symbols:
            return None
        summed = PlateSum(data, part.bounds, part.conditions)
        made.append(
            Swapped(
                outside=sp.Mul(*outside), around=sp.Mul(*around), summed=summed, bounds=own.bounds,
                conditions=own.conditions,
            )
        )  # fmt: skip
    return made


def _split(factors, rows: set) -> tuple[list[Expr], list[Expr]]:
    """Return the factors that are the same in all rows, and the others."""
    apart = [factor for factor in factors if not factor.free_symbols & rows]
    return apart, [factor for factor in factors if factor.free_symbols & rows]


def _indices(expr: sp.Basic) -> set:
    return set().union(*(index.free_symbols for ref in expr.atoms(Ref) for index in ref.indices))


def multiply_out(body: sp.Mul, data_only: Callable[[sp.Basic], bool]) -> Expr:
    """Return a product with its one sum that mentions nodes multiplied out, as it is where there is not one alone."""
    drawn = [factor for factor in body.args if isinstance(factor, sp.Add) and not data_only(factor)]
    if len(drawn) != 1 or not drawn[0].is_commutative:
        return body
    rest = [factor for factor in body.args if factor is not drawn[0]]
    return sp.Add(*(sp.Mul(*rest, term) for term in drawn[0].args))


def find_own_term(part: PlateSum, bounds: Mapping[Symbol, tuple[Expr, Expr]]) -> Expr | None:
    """Return what a sum over all elements but one lacks, where the sum over all less that one costs less.

    It does where the elements are numbers times data: then no array has an axis for both.  Not of exponentials, of which
    one may hide the others.
    """
    if len(part.bounds) != 1 or len(part.conditions) != 1 or part.conditions[0].relation != "!=":
        return None
    (index, *ends), (condition,) = part.bounds[0], part.conditions
    own = condition.right if condition.left == index else condition.left
    if {condition.left, condition.right} != {index, own} or bounds.get(own) != tuple(ends):
        return None
    if not part.body.is_commutative or part.body.has(sp.exp, sp.log) or not isinstance(own, Symbol):
        return None
    return part.body.xreplace({index: own})
