"""Conditions on indices: turned into narrower ranges, groups or masks."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from sympy import Expr, Symbol

from deriver.algebra import heads
from deriver.algebra.heads import Condition, Ref
from deriver.emit import printer
from deriver.emit.reading import parent_rows, read_reference, subscripted
from deriver.emit.source import Frame, Source
from deriver.plan.conditions import narrow
from deriver.plan.layout import Axis, free_indices, unsupported


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """Rows that are added up within groups.

    ``rows`` is the axis that goes, ``result`` the axis of groups that comes.  ``column`` is the group column
    g[k] of long format; without one the rows are those of a ragged plate.  ``rules`` rewrite the summand.
    """

    rows: Axis
    result: Axis
    free: tuple[Symbol, ...]
    column: Ref | None = None
    rules: tuple[tuple[Expr, Expr], ...] = ()

    def labels(self, source: Source) -> str:
        """Return the text of the group of each row."""
        if self.column is not None:
            reading = read_reference(source, self.column)
            return subscripted(reading.base, [text for text, _ in reading.subscripts])
        path = self.rows.indices[self.rows.indices.index(self.result.last) :]
        text = ""
        for parent, child in pairwise(path):
            name = source.data + parent_rows(source, parent, child, source.space.bounds[child])
            text = name if not text else f"{text}[{name}]"
        return text

    def size(self, source: Source) -> str:
        """Return the text of the number of groups."""
        from deriver.emit.contraction import axis_length

        return axis_length(source, self.result)


def grouping_of(source: Source, expr: heads.PlateSum, bound: set[Symbol]) -> Grouping | None:
    """Return how a sum is grouped by the free indices, or None when whole axes are summed."""
    found = [c for c in expr.conditions if _is_group(c, bound)]
    if found:
        column, own = (found[0].left, found[0].right)
        if not isinstance(column, Ref):
            column, own = own, column
        rows = source.space.axes(free_indices(column, source.space))
        if len(rows) != 1:
            raise unsupported(f"the group column {column}", "give a group column one index")
        result = source.space.axes([own])[0]
        return Grouping(rows=rows[0], result=result, free=(own,), column=column, rules=((own, column),))
    free = free_indices(expr, source.space)
    for axis in source.space.axes(free | bound):
        inside = [symbol for symbol in axis.indices if symbol in bound]
        outside = tuple(symbol for symbol in axis.indices if symbol not in bound)
        if inside and outside:
            return Grouping(rows=axis, result=Axis(indices=outside), free=())
    return None


def _is_group(condition: Condition, bound: set[Symbol]) -> bool:
    if condition.relation != "=":
        return False
    sides = (condition.left, condition.right)
    column = next((side for side in sides if isinstance(side, Ref) and side.free_symbols & bound), None)
    other = sides[1] if column is sides[0] else sides[0]
    return column is not None and isinstance(other, Symbol) and other not in bound


def restrict_sum(source: Source, expr: heads.PlateSum) -> tuple[Source, Expr, list[Expr]]:
    """Return the scope inside a sum, its body, and the conditions that need a mask."""
    space = source.space.extend(expr.bounds)
    bound = {symbol for symbol, _, _ in expr.bounds}
    groups = [c for c in expr.conditions if _is_group(c, bound)][:1]
    rest = [c for c in expr.conditions if c not in groups]
    space, rules, masks = narrow(space, rest)
    body = expr.body.xreplace(rules)
    return source.within(space), body, [mask.xreplace(rules) for mask in masks]


def mask_text(source: Source, condition: Condition, frame: Frame) -> str:
    """Return the text of a condition as a Boolean array; group columns and indices count from 0."""
    flat = Frame(axes=frame.axes, chain=frame.chain)
    positional = any(_is_position(source, side) for side in (condition.left, condition.right))
    left = _side_text(source, condition.left, flat, positional)
    right = _side_text(source, condition.right, flat, positional)
    relation = "==" if condition.relation == "=" else condition.relation
    return f"{left} {relation} {right}"


def _is_position(source: Source, side: Expr) -> bool:
    return isinstance(side, Ref) and source.quantity(side.name).kind == "index"


def _side_text(source: Source, side: Expr, frame: Frame, positional: bool) -> str:
    if positional and not _is_position(source, side):
        return printer.print_expression(source, side - 1, frame).wrapped(1)
    return printer.print_expression(source, side, frame).wrapped(1)
