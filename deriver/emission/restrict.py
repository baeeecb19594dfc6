"""Conditions on indices: turned into narrower ranges, groups or masks."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import sympy as sp
from sympy import Expr, Symbol

from deriver.algebra import heads
from deriver.algebra.heads import Condition, Ref
from deriver.emission import labels, printer
from deriver.emission.reading import (
    align,
    base_text,
    group_shift,
    moved,
    parent_rows,
    read_reference,
    subscripted,
)
from deriver.emission.source import Frame, Source
from deriver.plan.conditions import narrow
from deriver.plan.layout import Axis, free_indices, offset, plate_of, unsupported


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """Rows that are added up within groups.

    ``rows`` is the axis that goes, ``result`` the axis of groups that comes.  ``column`` is the group column
    g[k] of long format, or a label (``drawn``); without one the rows are those of a ragged plate.  ``rules`` rewrite
    the summand.
    """

    rows: Axis
    result: Axis
    free: tuple[Symbol, ...]
    column: Ref | None = None
    rules: tuple[tuple[Expr, Expr], ...] = ()
    drawn: bool = False

    def labels(self, source: Source) -> str:
        """Return the text of the group of each row."""
        if self.column is not None and self.drawn:
            lower, _ = source.space.bounds[self.result.last]
            frame = Frame(axes=(self.rows,), chain=source.uses_state(self.column))
            return labels.print_position(source, self.column, lower, frame)
        if self.column is not None:
            reading = read_reference(source, self.column)
            column = subscripted(reading.base, [text for text, _ in reading.subscripts])
            return moved(column, max(self.margins(source)[0], 0))
        path = self.rows.indices[self.rows.indices.index(self.result.last) :]
        text = ""
        for parent, child in pairwise(path):
            name = source.data + parent_rows(source, parent, child, source.space.bounds[child])
            text = name if not text else f"{text}[{name}]"
        return text

    def size(self, source: Source) -> str:
        """Return the text of the number of groups before those out of range are cut off."""
        from deriver.emission.contraction import axis_length

        if self.column is None or self.drawn:
            return axis_length(source, self.result)
        before, after = self.margins(source)
        lower, upper = source.declared[source.quantity(self.column.name).plate]
        return printer.print_size(source, sp.expand(upper - lower + 1 + max(before, 0) + max(after, 0)))

    def margins(self, source: Source) -> tuple[int, int]:
        """Return how far the groups wanted reach beyond the plate of the column, before it and after it."""
        assert self.column is not None
        lower, upper = source.space.bounds[self.result.last]
        declared = source.declared[source.quantity(self.column.name).plate]
        before, after = offset(declared[0], lower), offset(upper, declared[1])
        if before is None or after is None:
            raise unsupported(
                f"sums by {self.column} over {lower}..{upper}", "let the values run over their plate"
            )
        return before, after

    def wanted(self, source: Source) -> str:
        """Return the subscript that keeps the groups in range, or nothing where all are."""
        if self.column is None or self.drawn:
            return ""
        before, after = self.margins(source)
        subset = source.space.subsets.get(self.result.last)
        if subset is not None:
            return moved(base_text(source, source.quantity(subset)), max(before, 0))
        first, last = str(-before) if before < 0 else "", str(after) if after < 0 else ""
        return f"{first}:{last}" if first or last else ""


def grouping_of(source: Source, expr: heads.PlateSum, bound: set[Symbol]) -> Grouping | None:
    """Return how a sum is grouped by the free indices, or None when whole axes are summed."""
    found = _groups(source, expr, bound)
    label = _label_of_rows(source, expr, bound)
    if label is not None:
        column, own = label
        (axis,) = source.space.extend(expr.bounds).axes(bound)
        result = source.space.axes([own])[0]
        rules = ((own, column),)
        return Grouping(rows=axis, result=result, free=(own,), column=column, rules=rules, drawn=True)
    if found:
        column, own = (found[0].left, found[0].right)
        if not isinstance(column, Ref):
            column, own = own, column
        rows = _rows_of(source, expr, column)
        result = source.space.axes([own])[0]
        return Grouping(rows=rows[0], result=result, free=(own,), column=column, rules=((own, column),))
    free = free_indices(expr, source.space)
    for axis in source.space.axes(free | bound):
        inside = [symbol for symbol in axis.indices if symbol in bound]
        outside = tuple(symbol for symbol in axis.indices if symbol not in bound)
        if inside and outside:
            return Grouping(rows=axis, result=Axis(indices=outside), free=())
    return None


def _label_of_rows(source: Source, expr: heads.PlateSum, bound: set[Symbol]) -> tuple[Ref, Symbol] | None:
    """Return the label and the index of a sum over the rows of each label; None for what a mask must tell."""
    if len(expr.conditions) != 1 or expr.conditions[0].relation != "=":
        return None
    label, own = expr.conditions[0].left, expr.conditions[0].right
    inside = source.space.extend(expr.bounds)
    if not labels.is_label(source, label) or not isinstance(own, Symbol) or own in source.space.subsets:
        return None
    whole = source.space.bounds.get(own) == tuple(source.declared.get(plate_of(own), ()))
    rows = free_indices(label, inside) == bound and len(inside.axes(bound)) == 1
    return (label, own) if whole and rows and free_indices(expr, source.space) == {own} else None


def _rows_of(source: Source, expr: heads.PlateSum, column: Ref) -> tuple[Axis, ...]:
    """Return the axes over which a group column stands, inside a sum."""
    inside = source.space.extend(expr.bounds)
    return inside.axes(free_indices(column, inside))


def _groups(source: Source, expr: heads.PlateSum, bound: set[Symbol]) -> list[Condition]:
    """Return the conditions that make groups of one axis of a sum; a mask must tell the others."""
    inside = source.space.extend(expr.bounds)
    summed = inside.axes(free_indices(expr.body, inside) | bound)
    found = []
    for condition in expr.conditions:
        if _is_group(source, condition, bound):
            column = condition.left if isinstance(condition.left, Ref) else condition.right
            rows = _rows_of(source, expr, column)
            whole = len(rows) == 1 and rows[0] in summed and set(rows[0].indices) <= bound
            found += [condition] if whole else []
    return found


def _is_group(source: Source, condition: Condition, bound: set[Symbol]) -> bool:
    if condition.relation != "=" or source.space.has_label(condition):
        return False
    sides = (condition.left, condition.right)
    column = next((side for side in sides if isinstance(side, Ref) and side.free_symbols & bound), None)
    other = sides[1] if column is sides[0] else sides[0]
    return column is not None and isinstance(other, Symbol) and other not in bound


def restrict_sum(source: Source, expr: heads.PlateSum) -> tuple[Source, Expr, list[Expr]]:
    """Return the scope inside a sum, its body, and the conditions that need a mask."""
    space = source.space.extend(expr.bounds)
    bound = {symbol for symbol, _, _ in expr.bounds}
    groups = _groups(source, expr, bound)[:1]
    groups = list(expr.conditions) if _label_of_rows(source, expr, bound) is not None else groups
    rest = [c for c in expr.conditions if c not in groups]
    space, rules, masks = narrow(space, rest)
    body = expr.body.xreplace(rules)
    return source.within(space), body, [mask.xreplace(rules) for mask in masks]


def mask_text(source: Source, condition: Condition, frame: Frame) -> str:
    """Return the text of a condition as a Boolean array; group columns and indices count from 0."""
    flat = Frame(axes=frame.axes, chain=frame.chain)
    if condition.relation == "in":
        subset = source.quantity(condition.right.name)
        first = source.declared[subset.plate][0]
        return f"np.isin({_position_text(source, condition.left, flat, first)}, {base_text(source, subset)})"
    sides = (condition.left, condition.right)
    column = next((side for side in sides if is_column(source, side)), None)
    if column is None:
        texts = [printer.print_expression(source, side, flat).wrapped(1) for side in sides]
    else:
        first = source.declared[source.quantity(column.name).plate][0]
        texts = [_position_text(source, side, flat, first) for side in sides]
    relation = "==" if condition.relation == "=" else condition.relation
    return f"{texts[0]} {relation} {texts[1]}"


def is_column(source: Source, side: Expr) -> bool:
    """Tell whether an expression is an element of a group column that indices name, no label."""
    named = isinstance(side, Ref) and source.quantity(side.name).kind == "index"
    return named and not labels.has_label(source, side)


def _position_text(source: Source, side: Expr, frame: Frame, first: Expr) -> str:
    """Return the text of a value of a plate as a position, counted from ``first``."""
    if is_column(source, side):
        text = align(source, read_reference(source, side), frame)
        return moved(text, group_shift(source, side, first))
    return printer.print_expression(source, sp.expand(side - first), frame).wrapped(1)
