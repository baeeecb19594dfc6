"""Show stage, fractions with the same denominator put together: 1/v + φ²/v is (1 + φ²)/v.

Only for what is stated at the end; the steps before show each factor's own terms.
"""

from __future__ import annotations

import sympy as sp
from sympy import Expr

from deriver.algebra import heads


def gather_fractions(expr: Expr) -> Expr:
    """Return a scalar sum with terms of equal denominator put together; anything else as it is."""
    if not expr.is_Add or not expr.is_commutative:
        return expr
    groups: dict[Expr, list[Expr]] = {}
    for term in expr.args:
        top, bottom = term.as_numer_denom() if not term.has(heads.PlateSum, heads.Gated) else (term, sp.S.One)
        groups.setdefault(bottom, []).append(top)
    return sp.Add(*(_put_together(tops, bottom) for bottom, tops in groups.items()))


def _put_together(tops: list[Expr], bottom: Expr) -> Expr:
    if len(tops) == 1 or bottom.is_number:
        return sp.Add(*tops) / bottom
    return sp.Mul(sp.factor_terms(sp.Add(*tops)), 1 / bottom)
