"""Conditions on indices turned into narrower ranges, where they are comparisons with a bound."""

from __future__ import annotations

import sympy as sp
from sympy import Expr

from deriver.algebra.heads import Condition, Ref
from deriver.plan.layout import Space, free_indices, offset


def narrow(space: Space, conditions: list[Condition]) -> tuple[Space, dict, list[Condition]]:
    """Narrow the ranges of indices by conditions; return too what an index is pinned to, and what is left."""
    rules: dict[Expr, Expr] = {}
    masks: list[Condition] = []
    for condition in conditions:
        narrowed = _narrow_one(space, condition, rules)
        if narrowed is None:
            masks.append(condition)
        else:
            space = narrowed
    return space, rules, masks


def _narrow_one(space: Space, condition: Condition, rules: dict) -> Space | None:
    relation, symbol, end = condition.relation, condition.left, condition.right
    if symbol not in space.bounds:
        symbol, end = end, symbol
        relation = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}.get(relation, relation)
    if symbol not in space.bounds:
        return None
    if space.has_label(end):
        return None
    if relation == "in":
        return space.confine(symbol, end.name)
    if isinstance(end, Ref) and end.variable.shape == () and free_indices(end, space) - space.parents(symbol):
        return None
    if symbol in end.free_symbols or (free_indices(end, space) - space.parents(symbol)):
        return None
    lower, upper = space.bounds[symbol]
    ends = _new_ends(relation, sp.expand(end), lower, upper)
    if ends is None:
        return None
    if relation == "=":
        rules[symbol] = sp.expand(end)
        return space.without(symbol)
    return space.extend([sp.Tuple(symbol, *ends)])


def _new_ends(relation: str, end: Expr, lower: Expr, upper: Expr) -> tuple[Expr, Expr] | None:
    match relation:
        case "=":
            return (end, end)
        case ">=":
            return (end, upper)
        case ">":
            return (end + 1, upper)
        case "<=":
            return (lower, end)
        case "<":
            return (lower, end - 1)
        case "!=" if offset(end, lower) == 0:
            return (lower + 1, upper)
        case "!=" if offset(end, upper) == 0:
            return (lower, upper - 1)
    return None
