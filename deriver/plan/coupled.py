"""Normal elements that all depend on each other, such as the coefficients of a regression: drawn whole, in one draw.

Given all other nodes the elements are jointly normal: the precision of each full conditional stands on the diagonal of
their precision matrix, and minus the coefficient of one element in the linear term of another beside it (Rue and Held
2005, Gaussian Markov Random Fields, theorem 2.6).
"""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp
from sympy import Expr, Symbol

from deriver.algebra.heads import PlateSum, Ref, index_symbol
from deriver.derivation.records import Conditional
from deriver.plan.layout import Space
from deriver.plan.records import Whole


def find_whole(conditional: Conditional, parameters: Mapping[str, Expr], space: Space) -> Whole | None:
    """Return what the draw of all elements needs; None where they are coupled otherwise, or are not all drawn.

    The elements are coupled along the last index; with more indices each of the others has a draw of its own.
    """
    if conditional.family != "normal" or conditional.truncation is not None or not conditional.coupled:
        return None
    index = conditional.indices[-1]
    if space.parents(index) or conditional.target.indices != conditional.indices:
        return None
    if _mentions(parameters["precision"], conditional.node):
        return None
    other = index_symbol(index.name + "′")
    linear, coupling = sp.S.Zero, sp.S.Zero
    for term in sp.Add.make_args(_spread(parameters["linear"], conditional.node)):
        if not _mentions(term, conditional.node):
            linear += term
            continue
        beside = _coefficient(term, conditional.target, index, other, space)
        if beside is None:
            return None
        coupling += beside
    return Whole(linear=linear, coupling=coupling, index=index, other=other) if coupling != 0 else None


def _mentions(expr: Expr, node: str) -> bool:
    return any(ref.name == node for ref in expr.atoms(Ref))


def _spread(expr: Expr, node: str) -> Expr:
    """Return an expression with its products multiplied out as far as sums in them mention the node."""
    if not isinstance(expr, sp.Mul | sp.Add) or not _mentions(expr, node):
        return expr
    if isinstance(expr, sp.Add):
        return sp.Add(*(_spread(term, node) for term in expr.args))
    held = next((f for f in expr.args if isinstance(f, sp.Add) and _mentions(f, node)), None)
    if held is None:
        return expr
    rest = sp.Mul(*(factor for factor in expr.args if factor is not held))
    free = sp.Add(*(term for term in held.args if not _mentions(term, node)))
    terms = [term for term in held.args if _mentions(term, node)]
    return rest * free + sp.Add(*(_spread(rest * term, node) for term in terms))


def _coefficient(term: Expr, target: Ref, index: Symbol, other: Symbol, space: Space) -> Expr | None:
    """Return the coefficient of the element at ``other`` in a term, None where it is no sum over all elements but one."""
    node = target.name
    factors = sp.Mul.make_args(term)
    held = [factor for factor in factors if _mentions(factor, node)]
    if len(held) != 1 or not isinstance(held[0], PlateSum) or len(held[0].bounds) != 1:
        return None
    (part,) = held
    (bound, *ends) = part.bounds[0]
    apart = [{condition.left, condition.right} for condition in part.conditions]
    if apart != [{bound, index}] or part.conditions[0].relation != "!=" or space.bounds[index] != tuple(ends):
        return None
    element = target.xreplace({index: bound})
    inside = sp.Mul.make_args(part.body)
    rest = sp.Mul(*(factor for factor in inside if factor != element))
    if element not in inside or _mentions(rest, node) or inside.count(element) != 1:
        return None
    around = sp.Mul(*(factor for factor in factors if factor is not part))
    return around * rest.xreplace({bound: other})
