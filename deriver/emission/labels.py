"""Labels that are drawn or observed, as subscripts: ``mu[z[i]]`` picked by label, sums over the rows of each label.

A group column is known when the module is written for its data, and becomes a gather of positions; a label differs
between chains, and is looked up along an axis of its own.
"""

from __future__ import annotations

import sympy as sp
from sympy import Expr

from deriver.algebra.heads import Ref
from deriver.emission import printer
from deriver.emission.source import Frame, Source, count_sides
from deriver.emission.text import Text, atom, call
from deriver.plan.columns import unused_index
from deriver.plan.layout import unsupported


def is_label(source: Source, position: Expr) -> bool:
    """Tell whether a position is a category that is observed or drawn, no index or group column."""
    if not isinstance(position, Ref):
        return False
    quantity = source.quantity(position.name)
    if quantity.plate:  # a group column is none, unless a label tells which of its entries
        return has_label(source, position)
    return quantity.chain or bool(position.indices) or position.name in source.space.labels


def has_label(source: Source, expr: Expr) -> bool:
    """Tell whether an expression is an element that is named by a label."""
    return isinstance(expr, Ref) and any(is_label(source, index) for index in expr.indices)


def print_picked(source: Source, ref: Ref, frame: Frame) -> Text:
    """Print ``mu[z[i]]``: all elements of ``mu`` along an axis that comes last, of which each label picks one."""
    place = next(k for k, index in enumerate(ref.indices) if is_label(source, index))
    label, quantity = ref.indices[place], source.quantity(ref.name)
    lower, upper = quantity.ranges[place]
    if (lower.free_symbols | upper.free_symbols) & set(quantity.indices):
        raise unsupported(f"the label {label} into a ragged plate", "give every group as many values")
    symbol = unused_index(quantity.indices[place], source.space)
    inside = source.within(source.space.extend([sp.Tuple(symbol, lower, upper)]))
    whole = Ref(ref.variable, *(symbol if k == place else index for k, index in enumerate(ref.indices)))
    sides = count_sides(ref)
    (axis,) = inside.space.axes([symbol])
    values = printer.print_expression(
        inside, whole, Frame(axes=(*frame.axes, axis), chain=frame.chain, sides=sides)
    )
    position = print_position(source, label, lower, frame)
    source.needs.helpers.add("pick")
    picked = call("pick", values.text, position, *([f"sides={sides}"] if sides else []))
    missing = frame.sides - sides
    return atom(f"{picked.text}[..., {', '.join(['None'] * missing)}]") if missing > 0 else picked


def print_position(source: Source, label: Expr, lower: Expr, frame: Frame) -> str:
    """Return the text of a label counted from 1, where its plate starts at ``lower``."""
    flat = Frame(axes=frame.axes, chain=frame.chain)
    return printer.print_expression(source, sp.expand(label - lower + 1), flat).text
