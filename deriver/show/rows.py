"""Show stage, sums of products as products of matrices: Σ_j x_ij x_ij′ is X_i′X_i, and Σ_j x_ij y_ij is X_i′y_i.

X_i is the matrix whose rows are the x_ij′.  Only whole sums over plates that index the covariate vector are
written so; when a sum of vectors or matrices is of another kind, there is no such form.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import sympy as sp
from sympy import Expr, Symbol

from deriver.algebra import heads
from deriver.algebra.heads import Ref, Variable, transpose


@dataclass(frozen=True, slots=True, kw_only=True)
class Stacked:
    """A quantity made of ``parts`` (x_ij or y_ij) as the indices ``over`` run: a matrix of rows, or a vector."""

    whole: Ref
    parts: Ref
    over: tuple[Symbol, ...]


def stack_rows(expr: Expr, names: Collection[str]) -> tuple[Expr, tuple[Stacked, ...]] | None:
    """Return the expression with matrices of rows, and what they are made of; None if it has no such form.

    ``names`` are those of the model: a capital letter that is taken cannot name the matrix.
    """
    sums = [part for part in sp.preorder_traversal(expr) if _is_vector_sum(part)]
    rules: dict[Expr, Expr] = {}
    made: dict[Ref, Stacked] = {}
    for plate_sum in sums:
        found = _stack_sum(plate_sum, names)
        if found is None:
            return None
        rules[plate_sum], stacked = found
        made |= {one.whole: one for one in stacked}
    return (expr.xreplace(rules), tuple(made.values())) if rules else None


def _is_vector_sum(part: sp.Basic) -> bool:
    return isinstance(part, heads.PlateSum) and not part.is_commutative


def _stack_sum(plate_sum: heads.PlateSum, names: Collection[str]) -> tuple[Expr, tuple[Stacked, ...]] | None:
    scalars, chain = plate_sum.body.args_cnc()
    over = tuple(bound[0] for bound in plate_sum.bounds)
    if plate_sum.conditions or not _is_covariate(chain[0], over, names):
        return None
    rows = _stack_covariate(chain[0], over)
    if len(chain) == 2 and not scalars and chain[1] == transpose(chain[0]):
        return transpose(rows.whole) * rows.whole, (rows,)
    if len(chain) == 1 and len(scalars) == 1 and _is_indexed(scalars[0], over):
        column = _stack_scalar(scalars[0], over)
        return transpose(rows.whole) * column.whole, (rows, column)
    return None


def _is_indexed(expr: Expr, over: tuple[Symbol, ...]) -> bool:
    return isinstance(expr, Ref) and set(over) <= set(expr.indices)


def _is_covariate(expr: Expr, over: tuple[Symbol, ...], names: Collection[str]) -> bool:
    if not _is_indexed(expr, over) or len(expr.variable.shape) != 1:
        return False
    return expr.name.upper() != expr.name and expr.name.upper() not in names


def _stack_covariate(part: Ref, over: tuple[Symbol, ...]) -> Stacked:
    count = Symbol("count", integer=True, positive=True)
    variable = Variable(part.name.upper(), (count, part.variable.shape[0]))
    return Stacked(whole=Ref(variable, *_left(part, over)), parts=part, over=over)


def _stack_scalar(part: Ref, over: tuple[Symbol, ...]) -> Stacked:
    count = Symbol("count", integer=True, positive=True)
    return Stacked(whole=Ref(Variable(part.name, (count,)), *_left(part, over)), parts=part, over=over)


def _left(part: Ref, over: tuple[Symbol, ...]) -> list[Expr]:
    return [index for index in part.indices if index not in over]
