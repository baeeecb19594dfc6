"""Sums over one axis of an array of the chains times data, printed as products of matrices.

``left @ right`` is many times as fast as an einsum of three operands or more, which goes over all their letters together.
"""

from __future__ import annotations

import sympy as sp
from sympy import Expr

from deriver.algebra import heads
from deriver.algebra.heads import PlateSum
from deriver.emission import printer
from deriver.emission.source import Frame, Source
from deriver.emission.text import ATOM, SUM, Text, atom, call
from deriver.plan.layout import Axis, free_indices

LONGEST_SIDE = 36


def print_as_product(source: Source, body: Expr, axes: tuple[Axis, ...], own: Frame) -> Text | None:
    """Return Σ over the one axis that ``own`` lacks as a product of matrices, in the frame ``own``; None where it is none.

    The factors with nodes have that axis last, those of data that axis and at most one other.
    """
    summed = [axis for axis in axes if axis not in own.axes]
    if len(summed) != 1 or summed[0].is_rows or own.sides or not own.chain or not body.is_commutative:
        return None
    (over,) = summed
    if over.last in source.space.subsets:
        return None
    sides = _split_sides(source, body, over)
    if sides is None:
        return None
    left, right = sides
    first, second = source.frame_of(left), source.frame_of(right)
    kept = tuple(axis for axis in first.axes if axis != over)
    others = tuple(axis for axis in second.axes if axis != over)
    if over not in first.axes or over not in second.axes or second.sides or first.sides:
        return None
    if len(others) > 1 or any(axis.is_rows for axis in others):
        return None
    straight = (*kept, *others) == own.axes
    if not straight and (len(kept) != 1 or (*others, *kept) != own.axes):
        return None
    before = _print_side(source, left, Frame(axes=_in_order(first.axes, over), chain=True))
    after = _print_side(source, right, Frame(axes=second.axes))
    rows_first = not others or second.axes[0] == over
    if straight:
        return matrix_product(before, after if rows_first else atom(f"{after.wrapped(ATOM)}.T"))
    turned = call("np.swapaxes", before.text, "-1", "-2")
    return matrix_product(atom(f"{after.wrapped(ATOM)}.T") if rows_first else after, turned)


def _in_order(axes: tuple[Axis, ...], over: Axis) -> tuple[Axis, ...]:
    """Return axes with the one that is summed over last."""
    return (*(axis for axis in axes if axis != over), over)


def matrix_product(left: Text, right: Text) -> Text:
    """Return ``left @ right``, which goes into brackets beside any other operator."""
    return Text(text=f"{left.wrapped(ATOM)} @ {right.wrapped(ATOM)}", level=SUM)


def _split_sides(source: Source, body: Expr, over: Axis) -> tuple[Expr, Expr] | None:
    """Return the product of the factors with nodes, and that of the data; None where one is missing, or not summed over."""
    factors = sp.Mul.make_args(body)
    nodes = [factor for factor in factors if source.uses_state(factor)]
    data = [factor for factor in factors if not source.uses_state(factor)]
    across = [factor for factor in factors if over.last not in free_indices(factor, source.space)]
    hard = any(isinstance(part, PlateSum | heads.Gated) for part in nodes)
    if not nodes or not data or across or hard or source.space.has_label(body):
        return None
    return sp.Mul(*nodes), sp.Mul(*data)


def _print_side(source: Source, expr: Expr, frame: Frame) -> Text:
    shown = printer.print_expression(source, expr, frame)
    if len(shown.text) <= LONGEST_SIDE or source.frame_of(expr) != frame:
        return shown
    printer.lift(source, expr)
    return printer.print_expression(source, expr, frame)
