"""Elements of the target's node that stand under a sum or a stack inside one factor.

Input: a log density and the target element.  Output: the same density, every sum that ranges over the
target's node split into the term that holds the target and the rest; a ``!=`` in the rest's conditions says
that the target is not in it.
"""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp
from sympy import Expr, Symbol, Tuple

from deriver.algebra import heads
from deriver.algebra.heads import Condition, Ref, transpose
from deriver.derivation.factors import condition_holds_trivially, substitute

# A sum or a stack taken apart: its body, its bounds and its conditions.
Parts = tuple[Expr, tuple[Tuple, ...], tuple[Condition, ...]]


def expand_diagonals(expr: Expr, name: str) -> Expr:
    """Write u′D^k v, D the diagonal matrix of a plate of the target's node, as a sum over that plate."""
    if not heads.mentions(expr, name):
        return expr
    if isinstance(expr, heads.Inner):
        return _expand_diagonal_product(expr, name)
    args = {arg: expand_diagonals(arg, name) for arg in expr.args if isinstance(arg, Expr)}
    changed = {arg: new for arg, new in args.items() if new != arg}
    return substitute(expr, changed) if changed and not isinstance(expr, Ref) else expr


def _expand_diagonal_product(expr: heads.Inner, name: str) -> Expr:
    scalars, factors = expr.args[0].args_cnc()
    if len(factors) != 3 or not heads.mentions(factors[1], name):
        return expr
    base, power = factors[1].as_base_exp()
    if not isinstance(base, heads.Diagonal) or not isinstance(base.args[0], heads.Stack):
        return expr
    body, bound = base.args[0].args
    position = bound[0] - bound[1] + 1
    left, right = (heads.component(v, position) for v in (transpose(factors[0]), factors[2]))
    return sp.Mul(*scalars) * heads.PlateSum(left * body**power * right, (bound,))


def isolate(expr: Expr, target: Ref, ranges: tuple[Tuple, ...]) -> Expr:
    """Split the sums and stacks over elements of the target's node, innermost first.

    ``ranges`` are the values that the target's own indices take.
    """
    if isinstance(expr, Ref) or not heads.mentions(expr, target.name):
        return expr
    args = {arg: isolate(arg, target, ranges) for arg in expr.args if isinstance(arg, Expr)}
    changed = {arg: new for arg, new in args.items() if new != arg}
    whole = substitute(expr, changed) if changed else expr
    if isinstance(whole, heads.PlateSum | heads.Stack):
        return _split(whole, target, ranges)
    return whole


def free_references(expr: Expr, target: Ref, unequal: tuple[Condition, ...] = ()) -> Iterator[Ref]:
    """Yield the references to the target's node that no ``!=`` around them keeps from being the target."""
    if isinstance(expr, heads.PlateSum | heads.Gated | heads.Stack):
        unequal = (*unequal, *_parts(expr)[2])
    if isinstance(expr, Ref) and expr.name == target.name and not _is_excluded(expr, target, unequal):
        yield expr
    for arg in expr.args:
        if isinstance(arg, sp.Basic):
            yield from free_references(arg, target, unequal)


def _is_excluded(ref: Ref, target: Ref, conditions: tuple[Condition, ...]) -> bool:
    pairs = zip(ref.indices, target.indices, strict=True)
    return any(Condition("!=", index, own) in conditions for index, own in pairs)


def _parts(expr: Expr) -> Parts:
    match expr:
        case heads.PlateSum():
            return expr.body, tuple(expr.bounds), tuple(expr.conditions)
        case heads.Stack():
            body, conditions = expr.args[0], ()
            if isinstance(body, heads.Gated):
                body, conditions = body.args[0], tuple(body.args[1])
            return body, (expr.args[1],), conditions
    return expr.args[0], (), tuple(expr.args[1])


def _split(expr: Expr, target: Ref, ranges: tuple[Tuple, ...]) -> Expr:
    """Take the target out of a sum or stack, one reference at a time."""
    if not isinstance(expr, heads.PlateSum | heads.Stack):
        return expr
    body, bounds, conditions = _parts(expr)
    bound_symbols = {bound[0] for bound in bounds}
    found = sp.ordered(r for r in free_references(expr, target) if r.free_symbols & bound_symbols)
    ref = next(iter(found), None)
    if ref is None:
        return expr
    position = next(p for p, index in enumerate(ref.indices) if index.free_symbols & bound_symbols)
    index, own = ref.indices[position], target.indices[position]
    rest = _rebuild(expr, (body, bounds, (*conditions, Condition("!=", index, own))))
    bound = next(bound for bound in bounds if bound[0] in index.free_symbols)
    shift = sp.expand(index - bound[0])
    if shift.is_Integer:
        alone = _solved(expr, bound, own - shift, ranges)
    else:
        here = substitute(body, _at_own(body, target, position, index))
        alone = _rebuild(expr, (here, bounds, (*conditions, Condition("=", index, own))))
    return sp.Add(*(_split(part, target, ranges) for part in (alone, rest)))


def _at_own(body: Expr, target: Ref, position: int, index: Expr) -> dict[Expr, Expr]:
    """Map the references that have an index at a position to those that have the target's own there."""
    rules: dict[Expr, Expr] = {}
    for ref in free_references(body, target):
        if ref.indices[position] == index:
            own = (*ref.indices[:position], target.indices[position], *ref.indices[position + 1 :])
            rules[ref] = Ref(target.variable, *own)
    return rules


def _rebuild(expr: Expr, parts: Parts) -> Expr:
    body, bounds, conditions = parts
    if isinstance(expr, heads.Stack):
        return heads.Stack(heads.Gated(body, conditions), bounds[0])
    return heads.PlateSum(body, bounds, conditions)


def _solved(expr: Expr, bound: Tuple, value: Expr, ranges: tuple[Tuple, ...]) -> Expr:
    """Return the one term of a sum or stack at which the bound index has a value, where it has it."""
    symbol, lower, upper = bound
    body, bounds, conditions = _parts(expr)
    here = substitute(body, {symbol: value})
    held = [
        *(c.xreplace({symbol: value}) for c in conditions),
        *range_conditions(value, lower, upper, ranges),
    ]
    held = [condition for condition in held if condition_holds_trivially(condition) is not True]
    others = tuple(other.xreplace({symbol: value}) for other in bounds if other != bound)
    if isinstance(expr, heads.Stack):
        return heads.Gated(here, held) * heads.Unit(value - lower + 1, upper - lower + 1)
    return heads.PlateSum(here, others, held) if others else heads.Gated(here, held)


def range_conditions(
    value: Expr, lower: Expr, upper: Expr, ranges: tuple[Tuple, ...]
) -> tuple[Condition, ...]:
    """Return what keeps a solved index (an own index of the target, shifted) inside lower..upper.

    Nothing is returned that the target's own ``ranges`` imply.
    """
    single: Symbol | None = next(iter(value.free_symbols), None)
    shift = sp.expand(value - single) if single is not None else sp.S.Zero
    anchor = single if single is not None else value
    found = []
    if not _at_least(value.xreplace({s: low for s, low, _ in ranges}), lower):
        found.append(Condition(">=", anchor, lower - shift))
    if not _at_least(upper, value.xreplace({s: high for s, _, high in ranges})):
        found.append(Condition("<=", anchor, upper - shift))
    return tuple(found)


def _at_least(left: Expr, right: Expr) -> bool:
    return bool(sp.expand(left - right).is_nonnegative)
