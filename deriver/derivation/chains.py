"""Chains of jointly normal elements, each coupled to the next: the parameters by which they are drawn whole.

Given all other nodes, the elements z_t of such a node are jointly normal with a tridiagonal precision matrix: its
diagonal is the precision of each full conditional, the entry beside it minus the coefficient of z_{t-1} in the linear
term (Rue and Held 2005, Gaussian Markov Random Fields, section 2.4).
"""

from __future__ import annotations

import sympy as sp
from sympy import Expr, Symbol

from deriver.algebra import heads
from deriver.algebra.heads import Ref
from deriver.derivation.records import Conditional


def find_chain_index(conditional: Conditional) -> Symbol | None:
    """Return the index along which elements depend on the one before and the one after, and on no other."""
    places: set[int] = set()
    for left, right in conditional.coupled:
        apart = [(k, sp.expand(a - b)) for k, (a, b) in enumerate(zip(left, right, strict=True)) if a != b]
        if len(apart) != 1 or abs(apart[0][1]) != 1:
            return None
        places.add(apart[0][0])
    return conditional.indices[places.pop()] if len(places) == 1 else None


def split_chain(conditional: Conditional, parameters: dict[str, Expr]) -> dict[str, Expr] | None:
    """Return ``precision``, ``linear`` without the neighbours, and ``coupling`` (the coefficient of z_{t-1}).

    None when the node is no chain of numbers each coupled to the one before and the one after.
    """
    along = find_chain_index(conditional)
    if along is None or conditional.family != "normal" or conditional.truncation is not None:
        return None
    target = conditional.target
    earlier, later = (target.xreplace({along: along + shift}) for shift in (-1, 1))
    precision, linear = parameters["precision"], parameters["linear"]
    neighbours = {ref for ref in linear.atoms(Ref) if ref.name == target.name}
    if not neighbours <= {earlier, later} or earlier not in neighbours:
        return None
    if any(ref.name == target.name for ref in precision.atoms(Ref)):
        return None
    coupling = _coefficient(linear, earlier)
    if coupling is None or _coefficient(linear, later) is None:
        return None
    if any(ref.name == target.name for ref in coupling.atoms(Ref)):
        return None
    own = linear.xreplace({earlier: sp.S.Zero, later: sp.S.Zero})
    return {"precision": precision, "linear": _tidy(own), "coupling": _tidy(coupling)}


def _coefficient(linear: Expr, neighbour: Ref) -> Expr | None:
    """Return the coefficient of an element in a sum, or None when the sum is not linear in it."""
    found = sp.S.Zero
    for term in sp.Add.make_args(linear):
        if not term.has(neighbour):
            continue
        gate = next((part for part in sp.Mul.make_args(term) if isinstance(part, heads.Gated)), None)
        body = gate.args[0] if gate is not None else term
        inside = sp.expand(body).coeff(neighbour)
        if inside == 0 or inside.has(neighbour) or sp.expand(body - inside * neighbour).has(neighbour):
            return None
        around = (
            sp.Mul(*(part for part in sp.Mul.make_args(term) if part is not gate)) if gate is not None else 1
        )
        found += around * (heads.Gated(inside, gate.args[1]) if gate is not None else inside)
    return found


def _tidy(expr: Expr) -> Expr:
    """Drop gated terms whose body has become 0."""
    return expr.replace(
        lambda part: isinstance(part, heads.Gated) and part.args[0] == 0, lambda part: sp.S.Zero
    )
