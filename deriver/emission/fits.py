"""Least-squares fits of the rows of each cell: the statements in ``prepare``, and the words about them."""

from __future__ import annotations

import sympy as sp
from sympy import Expr

from deriver.algebra import heads
from deriver.algebra.heads import PlateSum, Ref
from deriver.emission import printer
from deriver.emission.contraction import axis_length
from deriver.emission.mathtext import show
from deriver.emission.reading import base_text, slice_text
from deriver.emission.restrict import Grouping, grouping_of, restrict_sum
from deriver.emission.rows import index_name
from deriver.emission.scope import Module
from deriver.emission.source import Frame, Source, count_sides
from deriver.emission.text import ATOM, break_call
from deriver.plan.layout import Axis, free_indices
from deriver.plan.records import Crossing, LeastSquares, Statistic, Step

PARTS = ("fit", "rest", "root")


def write_procedure(source: Source, statistic: Statistic) -> None:
    """Write the statements of the procedure that makes a statistic, and the others that it makes."""
    if isinstance(statistic.procedure, Crossing):
        write_crossing(source, statistic.procedure)
    elif statistic.procedure is not None:
        write_fit(source.within(statistic.space), statistic, statistic.procedure)


def write_crossing(source: Source, crossing: Crossing) -> None:
    """Write the distinct combinations of group columns."""
    source.needs.helpers.add("distinct_groups")
    parts = ", ".join(crossing.parts)
    columns = [base_text(source, source.quantity(name)) for name in crossing.columns]
    head = f"{crossing.of_row}, {parts} = distinct_groups("
    source.lines += break_call(head, columns, ")", source.depth)
    source.add(f"{crossing.count} = len({crossing.parts[0]})")


def write_fit(source: Source, statistic: Statistic, fit: LeastSquares) -> None:
    """Write the call that fits the rows, and what takes its results apart."""
    rows = _as_sum(fit)
    inner, _, _ = restrict_sum(source, rows)
    grouping = grouping_of(inner, rows, rows.bound_symbols)
    rules = dict(grouping.rules) if grouping is not None else {}
    frame = Frame(axes=_row_axes(inner, fit, grouping))
    response = printer.print_expression(inner, fit.response.xreplace(rules), frame).text
    design = _design(inner, [column.xreplace(rules) for column in fit.columns], frame)
    arguments = [response, design, *_cells(inner, statistic, grouping, frame)]
    if fit.weight != 1:
        weight = printer.print_expression(inner, fit.weight.xreplace(rules), frame).text
        arguments.append(f"weight={weight}")
    source.needs.helpers.add("least_squares")
    for name in fit.names:
        source.taken.discard(name)
    whole = len(fit.columns) == 1 and not fit.columns[0].is_commutative
    parts = PARTS if fit.roots else (*PARTS[:2], "_")
    results = [fit.fits[0], fit.rests[0], fit.roots[0]] if whole else [source.fresh(n) for n in parts]
    head = f"{', '.join([*results, fit.rss])} = least_squares("
    source.lines += break_call(head, arguments, ")", source.depth)
    if not whole:
        _take_apart(source, fit, results)
    wanted = grouping.wanted(inner) if grouping is not None else ""
    for name in fit.names if wanted else ():
        source.add(f"{name} = {name}[{wanted}]")


def _as_sum(fit: LeastSquares) -> PlateSum:
    """Return a sum over the rows of a fit, which tells how they are grouped."""
    found = PlateSum(sp.Dummy() * fit.response * fit.weight, fit.bounds, fit.conditions)
    (own,) = (
        part for part in sp.Mul.make_args(found) if isinstance(part, PlateSum)
    )  # a number stands before it
    return own


def _row_axes(inner: Source, fit: LeastSquares, grouping: Grouping | None) -> tuple[Axis, ...]:
    """Return the axes of the rows, those of the cells among them."""
    used = free_indices(sp.Tuple(fit.response, fit.weight, *fit.columns), inner.space)
    if grouping is not None:
        used = (used - set(grouping.free)) | set(grouping.rows.indices)
    return inner.space.axes(used)


def _design(inner: Source, columns: list[Expr], frame: Frame) -> str:
    """Return the text of the columns side by side, (rows, p)."""
    if len(columns) == 1 and not columns[0].is_commutative:
        return printer.print_expression(inner, columns[0], Frame(axes=frame.axes, sides=1)).text
    if columns == [1]:
        return "np.ones(1)"
    shown = [
        printer.print_expression(inner, column, Frame(axes=frame.axes, sides=count_sides(column)))
        for column in columns
    ]
    if all(column.is_commutative for column in columns):
        texts = [text.text for text in shown]
        alone = f"{shown[0].wrapped(ATOM)}[..., None]"
        return alone if len(shown) == 1 else f"np.stack(np.broadcast_arrays({', '.join(texts)}), axis=-1)"
    inner.needs.helpers.add("side_by_side")
    texts = [
        text.text
        if not column.is_commutative
        else "np.ones(1)"
        if column == 1
        else f"{text.wrapped(ATOM)}[..., None]"
        for text, column in zip(shown, columns, strict=True)
    ]
    return f"side_by_side({', '.join(texts)})"


def _cells(inner: Source, statistic: Statistic, grouping: Grouping | None, frame: Frame) -> list[str]:
    """Return the arguments that tell the cell of each row, and the lengths of the axes of cells."""
    axes = inner.space.axes(statistic.indices)
    if not axes:
        return []
    labels, lengths = [], []
    for axis in axes:
        if grouping is not None and axis == grouping.result:
            own = Frame(axes=(grouping.rows,))
            labels.append(printer.realign(inner, grouping.labels(inner), own, frame))
            lengths.append(grouping.size(inner))
        else:
            length = axis_length(inner, axis)
            labels.append(printer.realign(inner, f"np.arange({length})", Frame(axes=(axis,)), frame))
            lengths.append(length)
    text, *_ = labels
    for label, length in zip(labels[1:], lengths[1:], strict=True):
        text = f"({text} * {length} + {label})"
    return [
        text.removeprefix("(").removesuffix(")") if len(labels) > 1 else text,
        f"({', '.join(lengths)}{',' if len(lengths) == 1 else ''})",
    ]


def _take_apart(source: Source, fit: LeastSquares, results: list[str]) -> None:
    """Write the parts that belong to each column as slices of the last axes."""
    spots = _spots(source, fit)
    for spot, name, rest in zip(spots, fit.fits, fit.rests, strict=True):
        source.add(f"{name}, {rest} = {results[0]}[..., {spot}], {results[1]}[..., {spot}]")
    places = [(row, place) for row in range(len(spots)) for place in range(row, len(spots))]
    for (row, place), name in zip(places, fit.roots, strict=bool(fit.roots)):
        source.add(f"{name} = {results[2]}[..., {spots[row]}, {spots[place]}]")


def _spots(source: Source, fit: LeastSquares) -> list[str]:
    """Return the subscript of each column among all columns side by side."""
    spots, first = [], sp.S.Zero
    for column in fit.columns:
        if column.is_commutative:
            spots.append(printer.print_size(source, first))
            first = first + 1
        else:
            end = sp.expand(first + heads.shape_of(column)[0])
            spots.append(slice_text(printer.print_size(source, first), printer.print_size(source, end)))
            first = end
    return spots


# --- words ------------------------------------------------------------------------------------------------


def field_comment(statistic: Statistic) -> str:
    """Return what the record of the data says of a statistic that a procedure makes."""
    cells = ", ".join(index_name(symbol) for symbol in statistic.indices)
    of, made, name = (f" of each {cells}" if cells else ""), statistic.procedure, statistic.name
    if isinstance(made, Crossing):
        if name == made.of_row:
            return f"the {made.cell}{of}: its combination of {' and '.join(made.columns)}, from 0"
        return f"the {statistic.quantity.plate}{of}, from 0"
    assert made is not None
    if name == made.rss:
        return f"sum of squares{of} around its least-squares fit"
    if name in made.fits:
        return f"least-squares fit{of}"
    if name in made.roots:
        return f"a part of R, the columns{of} being QR"
    return f"what rounding leaves out of {made.fits[made.rests.index(name)]}"


def is_made_by_fit(module: Module, expr: Expr) -> bool:
    """Tell whether an expression is an element of a statistic that a fit makes."""
    return isinstance(expr, Ref) and any(
        statistic.name == expr.name and statistic.procedure is not None
        for statistic in module.plan.statistics
    )


def reduction_words(step: Step) -> list[str]:
    """Return the lines that say how a step takes sums of squares from statistics of the data."""
    lines = [f"  {show(reduction.total)} = {show(reduction.value)}" for reduction in step.reductions]
    return ["Sums of squares are taken from statistics of the data:", *lines] if lines else []
