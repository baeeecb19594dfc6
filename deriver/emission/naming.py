"""Readable names for the parts of an expression that get a line of their own."""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp
from sympy import Expr

from deriver.algebra import heads
from deriver.algebra.heads import Ref


def name_hint(expr: Expr) -> str:
    """Return a name that says what a part is: ``inv_Sigma``, ``sum_beta``, ``x_beta``."""
    match expr:
        case sp.Pow() if expr.exp == -1 and not expr.is_commutative:
            return f"inv_{name_hint(expr.base)}"
        case heads.PlateSum():
            return f"sum_{name_hint(expr.body)}"
        case heads.Literal() | heads.Exchangeable():
            return "R" if expr.is_commutative is False and heads.shape_of(expr)[1] is not None else "vector"
        case heads.Trace():
            return "quadratic"
        case heads.Inner() if len(expr.args[0].args_cnc()[1]) > 2:
            return "quadratic"
        case heads.LogDet():
            return f"logdet_{name_hint(expr.args[0])}"
        case sp.Add():
            return "deviation" if any(_has_minus(term) for term in expr.args) else "total"
        case Ref():
            return plain(expr.name)
    names = list(dict.fromkeys(plain(ref.name) for ref in references_in_order(expr)))
    names = [name for name in names if name.isidentifier()]
    return "_".join(names[:3]) if names else "part"


def references_in_order(expr: sp.Basic) -> Iterator[Ref]:
    """Yield the references of an expression in reading order, those inside subscripts left out."""
    if isinstance(expr, Ref):
        yield expr
        return
    if isinstance(expr, heads.Component) and isinstance(expr.args[0], heads.Recursion):
        yield expr.args[0].element(expr.args[1])
        return
    arguments = expr.args[:1] if isinstance(expr, heads.PlateSum | heads.Gated) else expr.args
    for argument in arguments:
        yield from references_in_order(argument)


def plain(name: str) -> str:
    """Return a quantity's name without the mark of a local."""
    return name.removesuffix(" (local)")


def _has_minus(term: Expr) -> bool:
    coefficient = term.as_coeff_Mul()[0]
    return bool(coefficient.is_number and coefficient < 0)
