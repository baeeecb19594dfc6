"""Show stage, brackets as a person writes them: (y − δ) x for −(2δ − 2y) x/2.

In a product, a bracket whose terms share a whole number gives it up, and its first term in reading order is
made positive; a number that a sum over plates or a gate has in it stands before it.  The value is the same.
"""

from __future__ import annotations

import sympy as sp
from sympy import Expr

from deriver.algebra import heads
from deriver.show.order import Order, split_sign


def tidy(expr: Expr, order: Order) -> Expr:
    """Return the expression with its brackets tidied, from the leaves up."""
    args = [tidy(arg, order) if arg.args and isinstance(arg, Expr) else arg for arg in expr.args]
    if any(a is not b for a, b in zip(args, expr.args, strict=True)):
        expr = expr.func(*args)
    match expr:
        case sp.Mul():
            number, rest = _take_number(expr, order)
            return expr if number == 1 else sp.Mul(number, *sp.Mul.make_args(rest))
        case heads.PlateSum() | heads.Gated():
            number, rest = _take_number(expr.args[0], order)
            return number * expr.func(rest, *expr.args[1:])
    return expr


def _take_number(expr: Expr, order: Order) -> tuple[Expr, Expr]:
    """Return a number and the rest of a product; SymPy would multiply a lone bracket by it, so they stay apart."""
    found = [_tidy_factor(factor, order) for factor in sp.Mul.make_args(expr)]
    own, rest = sp.Mul(*(factor for _, factor in found)).as_coeff_Mul()
    return sp.Mul(own, *(number for number, _ in found)), rest


def _tidy_factor(factor: Expr, order: Order) -> tuple[Expr, Expr]:
    """Return a number and a factor whose product is the factor."""
    if not factor.is_commutative:
        return sp.S.One, factor
    base, exponent = factor.as_base_exp()
    if not base.is_Add or not exponent.is_Integer:
        return sp.S.One, factor
    shared = _shared_number(base)
    if split_sign(order.first_term(base))[0]:
        shared = -shared
    bracket = sp.Add(*(term / shared for term in base.args))
    return shared**exponent, sp.Pow(bracket, exponent)


def _shared_number(bracket: Expr) -> Expr:
    """Return the number that all terms share: a whole one above 1, or a fraction that is the size of each."""
    sizes = {abs(term.as_coeff_Mul()[0]) for term in bracket.args}
    shared = sp.Add(*bracket.args).primitive()[0]
    return shared if (shared.is_Integer and shared > 1) or sizes == {shared} else sp.S.One
