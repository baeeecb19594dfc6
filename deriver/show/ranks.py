"""Graph, between the first step and the second: rows and columns, before any measure is known.

Rows come from the layers (parameters above, data below) and from who needs whom inside a layer.  Vertices
with the same plates share a column, and the columns are ordered so that each plate is one stretch of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from deriver.show.diagram import LAYERS, Diagram, Vertex

_MOST_COLUMNS = 7

Columns = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A run of columns of one plate, the rows it reaches, and how far it stands out from what it holds."""

    index: str
    first: int
    last: int
    top: int
    bottom: int
    level: int


# --- rows ----------------------------------------------------------------------------------------------------


def assign_rows(diagram: Diagram) -> dict[str, int]:
    """Return each vertex's row: layer by layer from the parameters down, every edge pointing down."""
    depths = _depths(diagram)
    rows: dict[str, int] = {}
    start = 0
    for layer in LAYERS:
        own = {v.name: depths[v.name] for v in diagram.vertices if v.layer == layer}
        if not own:
            continue
        levels = sorted(set(own.values()))
        rows |= {name: start + levels.index(depth) for name, depth in own.items()}
        start += len(levels)
    return rows


def _depths(diagram: Diagram) -> dict[str, int]:
    """Return the length of the longest way to each vertex inside its layer; a given stands just above its child."""
    layer = {vertex.name: vertex.layer for vertex in diagram.vertices}
    given = {vertex.name for vertex in diagram.vertices if vertex.kind == "given"}
    inner = [(a, b) for a, b in diagram.edges if layer[a] == layer[b] and a not in given]
    depths = {vertex.name: 0 for vertex in diagram.vertices}
    for _ in diagram.vertices:
        for parent, child in inner:
            depths[child] = max(depths[child], depths[parent] + 1)
    for name in given:
        below = [depths[b] for a, b in diagram.edges if a == name and layer[b] == layer[name]]
        depths[name] = min(below, default=0) - 1
    return _apart(diagram, depths, given)


def _apart(diagram: Diagram, depths: dict[str, int], given: set[str]) -> dict[str, int]:
    """Return the depths doubled, givens on the rows between, so that they never share a row with a node."""
    return {name: 2 * depth + 1 if name in given else 2 * depth for name, depth in depths.items()}


# --- columns -------------------------------------------------------------------------------------------------


def order_columns(diagram: Diagram) -> Columns:
    """Return the plate sets that occur, ordered so that each plate is one stretch if that can be."""
    sets = list(dict.fromkeys(plate_set(vertex) for vertex in diagram.vertices if vertex.plates))
    sets.sort()
    if len(sets) > _MOST_COLUMNS:
        return tuple(sets)
    pull = _pull(diagram)
    return min(itertools.permutations(sets), key=lambda order: _cost(order, pull), default=())


def plate_set(vertex: Vertex) -> tuple[str, ...]:
    """Return the plates of a vertex in a fixed order."""
    return tuple(sorted(vertex.plates))


def _pull(diagram: Diagram) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    sets = {vertex.name: plate_set(vertex) for vertex in diagram.vertices}
    return [(sets[a], sets[b]) for a, b in diagram.edges if sets[a] and sets[b]]


def _cost(
    order: Columns, pull: Iterable[tuple[tuple[str, ...], tuple[str, ...]]]
) -> tuple[int, int, Columns]:
    place_of = {own: place for place, own in enumerate(order)}
    indices = sorted({index for own in order for index in own})
    breaks = sum(len(_runs(order, index)) - 1 for index in indices)
    return (breaks, sum(abs(place_of[a] - place_of[b]) for a, b in pull), order)


def _runs(order: Columns, index: str) -> list[tuple[int, int]]:
    """Return the (first, last) places of each unbroken run of columns in a plate."""
    runs: list[tuple[int, int]] = []
    for place_in_order, own in enumerate(order):
        if index not in own:
            continue
        if runs and runs[-1][1] == place_in_order - 1:
            runs[-1] = (runs[-1][0], place_in_order)
        else:
            runs.append((place_in_order, place_in_order))
    return runs


def find_stretches(diagram: Diagram, rows: dict[str, int], columns: Columns) -> list[Stretch]:
    """Return the stretches, smaller first, each at a level above those that it meets."""
    found = []
    for frame in diagram.frames:
        for first, last in _runs(columns, frame.index):
            own = [rows[v.name] for v in diagram.vertices if plate_set(v) in columns[first : last + 1]]
            found.append((last - first, max(own) - min(own), frame.index, first, last, min(own), max(own)))
    stretches: list[Stretch] = []
    inner_first = sorted(found, key=lambda one: (one[0], one[1], -_place_of(diagram, one[2])))
    for _, _, index, first, last, top, bottom in inner_first:
        met = [s.level for s in stretches if s.first <= last and first <= s.last]
        level = max(met, default=0) + 1
        stretches.append(Stretch(index=index, first=first, last=last, top=top, bottom=bottom, level=level))
    return stretches


def _place_of(diagram: Diagram, index: str) -> int:
    return [frame.index for frame in diagram.frames].index(index)
