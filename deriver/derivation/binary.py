"""Log densities with a node that is 0 or 1 in them, written so that the node stands outside of logs and powers.

For z in {0, 1}, f(z) = (1 − z) f(0) + z f(1).  So log(1 − z p) is z log(1 − p), and a success probability that such a
node switches on has the terms of a beta kernel; so the precision of a mixture of two normals is a sum of two.
"""

from __future__ import annotations

import sympy as sp
from sympy import Expr, S

from deriver.algebra.heads import Ref, XLogY
from deriver.families.symbolic import log_complement, log_of


def split_binary(density: Expr, names: frozenset[str]) -> Expr:
    """Return a log density with the nodes ``names``, each 0 or 1, taken out of its logs and powers.

    An element that a sum within the density runs over has no place outside of that sum, and stays.
    """
    bound = {
        symbol for part in sp.preorder_traversal(density) for symbol in getattr(part, "bound_symbols", ())
    }
    found = (ref for ref in density.atoms(Ref) if ref.name in names and not ref.free_symbols & bound)
    for ref in sp.ordered(found):
        density = sp.Add(*(_split_term(term, ref) for term in sp.Add.make_args(density)))
    return density


def _split_term(term: Expr, z: Ref) -> Expr:
    """Return one term; log 0 stays with the coefficient that it multiplies, for 0 log 0 is 0."""
    sums = [
        f
        for f in sp.Mul.make_args(term)
        if isinstance(f, sp.Add) and any(log.has(z) for log in f.atoms(sp.log))
    ]
    if sums and term != sums[0]:
        rest = term / sums[0]
        return sp.Add(*(_split_term(rest * part, z) for part in sums[0].args))
    logs = [f for f in sp.Mul.make_args(term) if isinstance(f, sp.log) and f.has(z)]
    if len(logs) != 1:
        return _split_powers(term, z)
    coefficient = term / logs[0]
    inside = logs[0].args[0]
    off, on = inside.xreplace({z: S.Zero}), inside.xreplace({z: S.One})
    if coefficient.has(z) or off == on == 0:
        return term
    if off == 0:
        return XLogY(coefficient, z) + coefficient * log_of(on)
    if on == 0:
        return XLogY(coefficient, 1 - z) + coefficient * log_of(off)
    return coefficient * ((1 - z) * _log(off) + z * _log(on))


def _log(expr: Expr) -> Expr:
    return log_complement(1 - expr) if isinstance(expr, sp.Add) and 1 in expr.args else log_of(expr)


def _split_powers(expr: Expr, z: Ref) -> Expr:
    """Split the powers of sums of numbers that z is in, where both values are proper."""
    rules = {}
    for power in expr.atoms(sp.Pow):
        whole = power.exp.is_Integer and power.exp > 0
        if not power.has(z) or power.exp.has(z) or whole or not power.is_commutative:
            continue
        off, on = power.base.xreplace({z: S.Zero}), power.base.xreplace({z: S.One})
        if off.is_positive and on.is_positive:
            rules[power] = (1 - z) * off**power.exp + z * on**power.exp
    return expr.xreplace(rules)
