"""Show stage, cases: a conditional with gates (first, interior, last t) split into those on which none is left.

Input: the gates of a conditional, conditions on the target's own indices.  Output: the cases, each with what
it assumes and the substitution that makes its expressions plain.  When the gates do not lie at fixed
distances from the ends of one index's range, the cases are the ways in which the gates can hold or fail.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

import sympy as sp
from sympy import Expr, Symbol, Tuple

from deriver.algebra.heads import Condition, Gated
from deriver.derivation.factors import compare
from deriver.derivation.records import Conditional

_OPPOSITE = {
    "=": "!=",
    "!=": "=",
    "<": ">=",
    ">=": "<",
    ">": "<=",
    "<=": ">",
    "in": "not in",
    "not in": "in",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Conditions that hold together, the gates that are then true, and the index put at a fixed value."""

    conditions: tuple[Condition, ...]
    true: tuple[Condition, ...]
    fixed: tuple[tuple[Symbol, Expr], ...] = ()

    def resolve(self, expr: Expr) -> Expr:
        """Return the expression in this case: each gate open or shut, a fixed index replaced."""
        rules = {gated: self._open(gated) for gated in expr.atoms(Gated)}
        return expr.xreplace(rules).xreplace(dict(self.fixed))

    def holds(self, gates: Iterable[Condition]) -> bool:
        """Tell whether all these gates hold in this case."""
        return all(gate in self.true for gate in gates)

    def _open(self, gated: Gated) -> Expr:
        body, conditions = gated.args
        return body if self.holds(conditions) else sp.S.Zero


@dataclass(frozen=True, slots=True, kw_only=True)
class Cases:
    """All the cases of a conditional; they cover its range when ``needs`` (on the range's length) holds."""

    cases: tuple[Case, ...]
    needs: Condition | None = None


def split_cases(conditional: Conditional) -> Cases | None:
    """Return the cases of a conditional, None when it has no gates."""
    gates = tuple(dict.fromkeys(gate for c in conditional.contributions for gate in c.gates))
    if not gates:
        return None
    return _split_range(gates, conditional.ranges) or _split_truths(gates)


def _split_range(gates: tuple[Condition, ...], ranges: tuple[Tuple, ...]) -> Cases | None:
    """Split one index's range at its ends; None when a gate is of another kind."""
    symbols = {gate.left for gate in gates}
    bound = next((b for b in ranges if symbols == {b[0]}), None)
    if bound is None:
        return None
    _, lower, upper = bound
    from_below, from_above = _distances(gates, lower), _distances(gates, upper)
    if any(a is None and b is None for a, b in zip(from_below, from_above, strict=True)):
        return None
    low, high = 0, 0
    for gate, below, above in zip(gates, from_below, from_above, strict=True):
        if above is None or (below is not None and gate.relation not in ("<", "<=")):
            low = max(low, _depth_below(gate, below or 0))
        else:
            high = max(high, _depth_above(gate, above))
    places = [lower + k for k in range(low)] + [None] + [upper - k for k in reversed(range(high))]
    cases = tuple(_make_case(gates, bound, place, low, high) for place in places)
    return Cases(cases=cases, needs=_needed(bound, low + high))


def _distances(gates: tuple[Condition, ...], end: Expr) -> list[int | None]:
    """Return each gate's distance from one end of the range, None where it is not a whole number."""
    found = [sp.expand(gate.right - end) for gate in gates]
    return [int(distance) if distance.is_Integer else None for distance in found]


def _depth_below(gate: Condition, distance: int) -> int:
    """Return how many values at the lower end must be looked at one by one."""
    return distance + 1 if gate.relation in ("=", "!=", "<=", ">") else distance


def _depth_above(gate: Condition, distance: int) -> int:
    return 1 - distance if gate.relation in ("=", "!=", ">=", "<") else -distance


def _make_case(gates: tuple[Condition, ...], bound: Tuple, place: Expr | None, low: int, high: int) -> Case:
    symbol, lower, upper = bound
    if place is not None:
        true = tuple(gate for gate in gates if _holds_at(gate, place, bound))
        equal = Condition("=", symbol, place)
        return Case(conditions=(equal,), true=true, fixed=((symbol, place),))
    inside = []
    if low:
        inside.append(Condition(">=", symbol, lower + low))
    if high:
        inside.append(Condition("<=", symbol, upper - high))
    true = tuple(gate for gate in gates if _holds_inside(gate, bound))
    return Case(conditions=tuple(inside), true=true)


def _holds_at(gate: Condition, place: Expr, bound: Tuple) -> bool:
    """Compare two places on the range: both from one end, or one near each end (then the order is plain)."""
    difference = sp.expand(place - gate.right)
    if not difference.is_Integer:
        near_lower = sp.expand(place - bound[1]).is_Integer
        difference = -sp.oo if near_lower else sp.oo
    return compare(gate.relation, difference)


def _holds_inside(gate: Condition, bound: Tuple) -> bool:
    above = sp.expand(gate.right - bound[1]).is_Integer
    return compare(gate.relation, sp.oo if above else -sp.oo)


def _needed(bound: Tuple, count: int) -> Condition | None:
    """Return the least length for which the cases do not overlap, None when any length of one will do."""
    _, lower, upper = bound
    least = sp.expand(lower + count - 1)
    length = sp.expand(upper - least)
    return (
        None if (length + 1).is_positive or least.is_Integer and least <= 1 else Condition(">=", upper, least)
    )


def _split_truths(gates: tuple[Condition, ...]) -> Cases:
    cases = []
    for truths in itertools.product((True, False), repeat=len(gates)):
        held = tuple(gate for gate, truth in zip(gates, truths, strict=True) if truth)
        said = tuple(
            gate if truth else Condition(_OPPOSITE[gate.relation], gate.left, gate.right)
            for gate, truth in zip(gates, truths, strict=True)
        )
        cases.append(Case(conditions=said, true=held))
    return Cases(cases=tuple(cases))
