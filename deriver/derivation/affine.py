"""Expressions that are affine in an element of a node, and their derivatives in it."""

from __future__ import annotations

import sympy as sp
from sympy import Expr, S

from deriver.algebra import heads
from deriver.algebra.heads import PlateSum, Ref, shape_of, transpose
from deriver.algebra.normal_form import sum_over


class NotAffine(ValueError):
    """A linear term is not affine in a node, as far as the rules here can tell."""


def affine_slope(expr: Expr, target: Ref) -> Expr:
    """Return the derivative of a scalar or vector expression that is affine in a scalar or vector.

    A row for a scalar expression and a vector target.  Raises ``NotAffine`` where it is not affine.
    """
    slope = _slope(expr, target)
    if slope.has(target):
        raise NotAffine(str(expr))
    return slope


def _slope(expr: Expr, target: Ref) -> Expr:
    if not expr.has(target):
        return S.Zero
    if expr == target:
        return heads.Eye(shape_of(target)[0]) if target.variable.shape else S.One
    match expr:
        case sp.Add():
            return sp.Add(*(_slope(term, target) for term in expr.args))
        case PlateSum():
            return sum_over(_slope(expr.body, target), tuple(expr.bounds), tuple(expr.conditions))
        case heads.Gated():
            return heads.Gated(_slope(expr.args[0], target), expr.args[1])
        case heads.Inner():
            return _inner_slope(expr, target)
        case heads.Component() if expr.args[0] == target:
            return transpose(heads.Unit(expr.args[1], shape_of(target)[0]))
        case sp.Mul():
            return _product_slope(expr, target)
    raise NotAffine(str(expr))


def _inner_slope(expr: heads.Inner, target: Ref) -> Expr:
    """x'θ has the slope x', a row."""
    scalars, factors = expr.args[0].args_cnc()
    if factors[-1] == target:
        row = sp.Mul(*factors[:-1])
    elif factors[0] == transpose(target):
        row = transpose(sp.Mul(*factors[1:]))
    else:
        raise NotAffine(str(expr))
    return sp.Mul(*scalars) * row


def _product_slope(expr: sp.Mul, target: Ref) -> Expr:
    scalars, factors = expr.args_cnc()
    held = [factor for factor in (*scalars, *factors) if factor.has(target)]
    if len(held) != 1:
        raise NotAffine(str(expr))
    slope = _slope(held[0], target)
    if held[0] in scalars:
        rest = sp.Mul(*(s for s in scalars if s != held[0]))
        return rest * sp.Mul(*factors) * slope if factors else rest * slope
    if factors[-1] != held[0]:
        raise NotAffine(str(expr))
    product = sp.Mul(*factors[:-1])
    if isinstance(slope, heads.Eye) and product != 1:
        return sp.Mul(*scalars) * product
    return sp.Mul(*scalars) * product * slope
