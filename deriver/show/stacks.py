"""Show stage, vectors made of the elements of a node, where the target is one of the elements.

The engine takes the target out of such a vector, β_ic e_c + (β_ic″ where c″ ≠ c), so that it stands alone.  A
reader wants β_i· where the whole is meant, and a sum over c″ ≠ c where the rest is; the model language has
neither a unit vector nor a second index of one plate, and writes the rest as the whole less the element.
"""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp
from sympy import Basic, Expr, Symbol

from deriver.algebra import heads


def for_reading(expr: Expr) -> Expr:
    """Return the expression with whole vectors put together and the rest of a vector as a sum."""
    return _rewrite(_rewrite(expr, _put_together), _open_rest)


def for_language(expr: Expr) -> Expr:
    """Return the expression with the rest of a vector, or of a sum, as the whole less the element."""
    return _rewrite(_rewrite(expr, _put_together), _close_rest)


def _rewrite(expr: Expr, change: Callable[[Basic], Basic]) -> Expr:
    """Return the expression with ``change`` made from the leaves up."""
    args = [_rewrite(arg, change) if arg.args and isinstance(arg, Expr) else arg for arg in expr.args]
    if any(a is not b for a, b in zip(args, expr.args, strict=True)):
        expr = expr.func(*args)
    return change(expr)


def _rest(expr: Basic) -> tuple[Expr, sp.Tuple, Symbol, Expr] | None:
    """Return (body, bound, index, own element) of a vector that lacks one element."""
    if not isinstance(expr, heads.Stack) or not isinstance(expr.args[0], heads.Gated):
        return None
    body, conditions = expr.args[0].args
    bound = expr.args[1]
    if len(conditions) != 1 or conditions[0].relation != "!=" or conditions[0].left != bound[0]:
        return None
    return body, bound, bound[0], conditions[0].right


def _put_together(expr: Basic) -> Basic:
    if not isinstance(expr, sp.Add):
        return expr
    terms = list(expr.args)
    for term in expr.args:
        found = _rest(term)
        if found is None:
            continue
        body, bound, index, own = found
        _, lower, upper = bound
        element = body.xreplace({index: own}) * heads.Unit(own - lower + 1, upper - lower + 1)
        if element in terms:
            terms.remove(element)
            terms[terms.index(term)] = heads.Stack(body, bound)
    return sp.Add(*terms)


def _pair(expr: Basic) -> tuple[Expr, Expr] | None:
    """Return the vector and the lacking vector of an inner product of two."""
    if not isinstance(expr, heads.Inner):
        return None
    factors = [
        heads.transpose(f) if isinstance(f, heads.Transposed) else f for f in expr.args[0].args_cnc()[1]
    ]
    if len(factors) != 2:
        return None
    first, second = factors
    if _rest(first):
        return second, first
    return (first, second) if _rest(second) else None


def _open_rest(expr: Basic) -> Basic:
    pair = _pair(expr)
    if pair is None:
        return expr
    other, lacking = pair
    body, bound, index, own = _rest(lacking)  # type: ignore[misc]
    entry = heads.component(other, index - bound[1] + 1)
    return heads.PlateSum(entry * body, [bound], [heads.Condition("!=", index, own)])


def _close_rest(expr: Basic) -> Basic:
    pair = _pair(expr)
    if pair is not None:
        other, lacking = pair
        body, bound, index, own = _rest(lacking)  # type: ignore[misc]
        whole = heads.inner(heads.transpose(other) * heads.Stack(body, bound))
        return whole - heads.component(other, own - bound[1] + 1) * body.xreplace({index: own})
    if isinstance(expr, heads.PlateSum):
        return _close_sum(expr)
    return expr


def _close_sum(expr: heads.PlateSum) -> Expr:
    apart = [c for c in expr.conditions if c.relation == "!=" and c.left in expr.bound_symbols]
    if len(apart) != 1 or len(expr.bounds) != 1:
        return expr
    kept = [condition for condition in expr.conditions if condition is not apart[0]]
    own = {apart[0].left: apart[0].right}
    here = heads.Gated(expr.body.xreplace(own), [condition.xreplace(own) for condition in kept])
    return heads.PlateSum(expr.body, expr.bounds, kept) - here
