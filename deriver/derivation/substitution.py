"""Exact replacement in expressions; closed heads are rebuilt where their content changes shape."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp
from sympy import Expr

from deriver.algebra import heads


def substitute(expr: Expr, rules: Mapping) -> Expr:
    """Replace exactly, and rebuild closed heads whose content changed shape."""
    if expr in rules:
        return rules[expr]
    if not expr.args:
        return expr
    args = [substitute(arg, rules) if isinstance(arg, sp.Basic) else arg for arg in expr.args]
    if all(new is old for new, old in zip(args, expr.args, strict=True)):
        return expr
    if isinstance(expr, heads.Inner):
        return heads.inner(args[0])
    if isinstance(expr, heads.Trace):
        return heads.trace(args[0])
    if isinstance(expr, heads.LogDet):
        return heads.logdet(args[0])
    if isinstance(expr, heads.Component):
        return heads.component(*args)
    if isinstance(expr, sp.Pow) and not args[0].is_commutative and args[1] == -1:
        return heads.invert(args[0]) if not isinstance(args[0], heads.Literal) else args[0] ** -1
    return expr.func(*args)
