"""The variances of a block on an unbounded scale, one after another in a vector u: there and back, with the Jacobian."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from deriver.emission.metropolis import Coordinate, wrap_minus
from deriver.emission.naming import local_name
from deriver.emission.printer import print_size
from deriver.emission.scope import Module, make_function
from deriver.emission.source import Source
from deriver.emission.text import WIDTH, Text, break_call, join_sum
from deriver.emission.views import FunctionView
from deriver.plan.records import Block, BlockMember, Step

FARTHEST = 12  # on the scale of a logit: 6e-6 of the interval from a bound; nearer, the marginal density loses its digits
NO_DIGITS = 1e-120  # a bound so small a share of the interval counts as 0, near which no digits are lost
# With variances near 0, the sums that cancel in the density leave it too few digits, and the move is refused: where one
# is larger by the first factor than what is left, or what is left of a precision is less than the second share of it.
LARGEST_TERM, SMALLEST_SHARE = "1e9", "1e-10"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where each of several nodes lies along one axis: ``slots`` by node, and the length ``total``."""

    slots: tuple[tuple[str, str], ...]
    total: str

    def at(self, node: str) -> str:
        """Return the subscript of a node: a number, or a slice."""
        return dict(self.slots)[node]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """The functions that lay the variances out in a vector."""

    functions: tuple[FunctionView, ...]
    total: str


def lay_out(source: Source, members: Sequence[BlockMember], first: int = 0) -> Place:
    """Return where the components of Gaussian nodes lie, one node after another from ``first``."""
    sizes = [
        (m.node, print_size(source, m.conditional.shape[0]) if m.conditional.shape else "") for m in members
    ]
    return place_sizes(sizes, first)


def place_sizes(sizes: list[tuple[str, str]], first: int = 0) -> Place:
    """Return the places of nodes by the texts of their sizes, "" for one number without an axis."""
    slots: list[tuple[str, str]] = []
    number, names = first, ""
    for node, size in sizes:
        start = _add(number, names)
        if not size:
            slots.append((node, start))
            number += 1
            continue
        if size.isdigit():
            number += int(size)
        else:
            names = f"{names} + {size}" if names else size
        slots.append((node, _slice("" if start == "0" else start, _add(number, names))))
    whole = [(node, ":") for node, _ in slots] if len(slots) == 1 and not first and sizes[0][1] else slots
    return Place(slots=tuple(whole), total=_add(number, names))


def _slice(start: str, stop: str) -> str:
    """Return a slice, spaced as ruff spaces it: around the colon where an end is more than a name or number."""
    plain = all(end.replace("_", "").isalnum() or not end for end in (start, stop))
    return f"{start}:{stop}" if plain else f"{start} : {stop}".lstrip()


def _add(number: int, names: str) -> str:
    if not names:
        return str(number)
    return f"{number} + {names}" if number else names


# --- the variances ------------------------------------------------------------------------------------------


def variance_size(step: Step, side: str) -> str:
    """Return how many numbers stand for a node, "" for one that is a number itself."""
    kind = step.conditional.support[0]
    if kind == "real":
        return side
    more = "+" if kind == "spd" else "-"
    if side.isdigit():
        p = int(side)
        return str(p * (p + 1) // 2 if kind == "spd" else p * (p - 1) // 2)
    return f"{side} * ({side} {more} 1) // 2"


def place_variances(module: Module, block: Block) -> Placed:
    """Return ``to_coordinates`` and ``from_coordinates`` of a block's variances, and the length of u."""
    return place_steps(module, block.variances)


def place_steps(module: Module, steps: Sequence[Step], suffix: str = "") -> Placed:
    """Return ``to_coordinates`` and ``from_coordinates`` of nodes, and the length of u.

    A node with indices is laid out flat; the ends of its support are the same for all its elements.
    """
    there, back = module.source(), module.source()
    sizes = []
    for step in steps:
        if step.conditional.indices:
            size = f"size_{step.node}"
            back.add(f"{size} = state.{step.node}[0].size")
            sizes.append((step.node, size))
            continue
        side = print_size(there, step.conditional.shape[0]) if step.conditional.shape else ""
        sizes.append((step.node, variance_size(step, side)))
    places = place_sizes(sizes)
    parts: list[str] = []
    jacobians: list[str] = []
    words: list[str] = []
    for step, (_, size) in zip(steps, sizes, strict=True):
        coordinate = Coordinate(module, there, step)
        for line in coordinate.setup:
            _add_setup(there, back, step.node, line, coordinate)
        text = coordinate.forth.format(f"state.{step.node}")
        if step.conditional.indices:
            text = text if text.endswith(")") or text.isidentifier() else f"({text})"
            text = f"{text}.reshape(len(state.{step.node}), -1)"
        parts.append(text if size else _column(text))
        jacobians += _write_back(back, step, coordinate, places.at(step.node), bool(size))
        words.append(step.node if coordinate.is_plain else coordinate.words)
    if len(parts) == 1:
        there.add(f"return {parts[0]}")
    else:
        _write_list(there, "parts", parts)
        there.add("return np.concatenate(parts, axis=-1)")
    _finish_back(back, steps, jacobians)
    nodes = ", ".join(step.node for step in steps)
    doc = [f"Return {nodes} on an unbounded scale, (chains, d).", f"In this order: {'; '.join(words)}."]
    other = ["Return the state with the values that u stands for, and log |d/du|."]
    other.append(f"u is as to_coordinates{suffix} gives it.")
    signature = ("state: State", "data: Data")
    return Placed(
        functions=(
            make_function(f"to_coordinates{suffix}", signature, "Array", doc, there.lines),
            make_function(
                f"from_coordinates{suffix}",
                (*signature, "u: Array"),
                "tuple[State, Array]",
                other,
                back.lines,
            ),
        ),
        total=places.total,
    )


def _finish_back(back: Source, steps: Sequence[Step], jacobians: list[str]) -> None:
    """Write the end of ``from_coordinates``: the log Jacobian, the nodes in their shapes, the state."""
    total = _sum(jacobians) if jacobians else Text(text="np.zeros(len(u))")
    if not back.statement("log_jacobian = ", total):
        back.add(f"log_jacobian = {jacobians[0]}")
        for jacobian in jacobians[1:]:
            back.add(f"log_jacobian = log_jacobian + {jacobian}")
    for step in steps:
        if step.conditional.indices:
            back.add(f"{local_name(step.node)} = {local_name(step.node)}.reshape(state.{step.node}.shape)")
    named = [f"{step.node}={local_name(step.node)}" for step in steps]
    back.lines += break_call("moved = replace(state, ", named, ")", 1)
    back.add("return moved, log_jacobian")


def _column(text: str) -> str:
    """Return numbers, one for each chain, as a column."""
    plain = text.endswith(")") or text.replace(".", "").replace("_", "").isalnum()
    return f"{text}[:, None]" if plain else f"({text})[:, None]"


def _write_list(source: Source, name: str, items: list[str]) -> None:
    """Write a list, one item a line where one line is too short."""
    whole = f"{name} = [{', '.join(items)}]"
    if len(whole) + 4 <= WIDTH:
        source.add(whole)
        return
    source.add(f"{name} = [")
    for item in items:
        source.add(f"    {item},")
    source.add("]")


def _sum(parts: list[str]) -> Text:
    return join_sum([(False, Text(text=part, level=1 if " " not in part else 0)) for part in parts])


def _add_setup(there: Source, back: Source, node: str, line: str, coordinate: Coordinate) -> None:
    """Write a named bound in both functions, under a name with the node in it."""
    name, value = line.split(" = ", 1)
    own = f"{name}_{node}"
    for field in ("forth", "back", "jacobian"):
        setattr(coordinate, field, re.sub(rf"\b{name}\b", own, getattr(coordinate, field)))
    coordinate.words = coordinate.words.replace(name, own)
    coordinate.ends = tuple(own if end == name else end for end in coordinate.ends)
    there.add(f"{own} = {value}")
    back.add(f"{own} = {value}")


def is_interval(step: Step) -> bool:
    """Tell whether a node lies between two ends."""
    kind, lower, upper = step.conditional.support
    return kind == "real" and lower is not None and upper is not None


def find_reach(step: Step) -> tuple[int, int] | None:
    """Return how far from 0 the logit of a node between two ends may lie, below and above; None where numbers do not tell.

    Of the distance from an end as many digits are kept however small a share of the interval it is, but not of the end:
    a standard deviation of 0.01 between 0 and 1000 is no less exact than one of 500.
    """
    _, lower, upper = step.conditional.support
    assert lower is not None and upper is not None
    if lower == 0 and not upper.is_number:
        return (_reach(0.0, 1.0), FARTHEST)
    if not (lower.is_number and upper.is_number):
        return None
    low, high = float(lower), float(upper)
    return (_reach(low, high - low), _reach(high, high - low))


def _reach(end: float, width: float) -> int:
    share = width / max(abs(end), NO_DIGITS * width)
    return int(FARTHEST + max(0.0, math.log(share)))


def _write_reach(back: Source, step: Step, coordinate: Coordinate) -> tuple[str, str]:
    """Return the texts of the least and the greatest logit of a node; named where they depend on data."""
    reach = find_reach(step)
    if reach is not None:
        return (f"-{reach[0]}", str(reach[1]))
    names = (f"least_{step.node}", f"most_{step.node}")
    for name, sign, end in zip(names, ("-", ""), coordinate.ends, strict=True):
        share = f"({coordinate.ends[1]} - {wrap_minus(coordinate.ends[0])}) / np.maximum(np.abs({end}), {NO_DIGITS})"
        back.add(f"{name} = {sign}({FARTHEST} + np.log(np.maximum({share}, 1)))")
    return names


def _write_back(back: Source, step: Step, coordinate: Coordinate, at: str, has_axis: bool) -> list[str]:
    """Write the value of one node from its part of u; return the texts of its log Jacobian."""
    node, local, piece = step.node, local_name(step.node), f"u[:, {at}]" if at != ":" else "u"
    if step.conditional.indices:
        back.add(f"u_{node} = {piece}")
        piece = f"u_{node}"
    if hasattr(coordinate, "pair"):
        back.add(f"{local}, log_jacobian_{node} = {coordinate.pair.format(piece)}")
        return [f"log_jacobian_{node}"]
    if coordinate.is_plain:
        back.add(f"{local} = {piece}")
        return []
    if coordinate.jacobian == "u":
        back.add(f"{local} = {coordinate.back.format(piece)}")
        return [f"np.sum({piece}, axis=-1)" if has_axis else piece]
    least, most = _write_reach(back, step, coordinate)
    back.add(f"{local} = {coordinate.back.format(f'np.clip({piece}, {least}, {most})')}")
    back.add(f"log_jacobian_{node} = {coordinate.jacobian}")
    back.add(f"far = ({piece} < {least}) | ({piece} > {most})  # too near to a bound to keep digits")
    back.add(f"log_jacobian_{node} = np.where(far, -np.inf, log_jacobian_{node})")
    return [f"np.sum(log_jacobian_{node}, axis=-1)" if has_axis else f"log_jacobian_{node}"]
