"""Group columns in sums: which groups a sum is over, and by which column an element is reached."""

from __future__ import annotations

from sympy import Expr, Symbol

from deriver.algebra.heads import PlateSum, Ref, index_symbol
from deriver.plan.layout import Space


def known_groups(expr: PlateSum) -> dict[Expr, Expr]:
    """Return what group columns equal in a sum over the members of a group: g[k] is i where g[k] = i."""
    return {
        condition.left: condition.right
        for condition in expr.conditions
        if condition.relation == "="
        and isinstance(condition.left, Ref)
        and isinstance(condition.right, Symbol)
        and condition.right not in expr.bound_symbols
        and condition.left.free_symbols & expr.bound_symbols
    }


def unused_index(symbol: Symbol, space: Space) -> Symbol:
    """Return an index of the same plate that is not in scope."""
    while symbol in space.bounds:
        symbol = index_symbol(symbol.name + "′")
    return symbol


def first_column(index: Expr) -> Ref | None:
    """Return the group column that is read first: g[k] in school[g[k]]; None for what is no column."""
    while isinstance(index, Ref):
        inner_refs = [own for own in index.indices if isinstance(own, Ref)]
        if not inner_refs:
            return index
        if len(index.indices) > 1:
            return None
        (index,) = inner_refs
    return None
