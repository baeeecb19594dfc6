"""Graph, second step: where each vertex and plate stands.

A plate is one stretch of columns, so that its box holds its own vertices and no others.  Vertices in no plate
stand freely in the rows that no plate reaches, beside the plates in the others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

from deriver.show.diagram import Diagram, Vertex
from deriver.show.ranks import Columns, Stretch, assign_rows, find_stretches, order_columns, plate_set

_HEIGHT = {"given": 22.0}
_NODE_HEIGHT = 44.0
_CHARACTER = 9.0
_GAP = 26.0  # between vertices in a row
_ROW_GAP = 44.0
_BAND_GAP = 26.0
_PAD = 13.0  # between a box and what it holds
_LABEL = 18.0  # height of a plate's label
_SWEEPS = 8


@dataclass(slots=True)
class Spot:
    """The place of a vertex: its centre and size, and ``room`` for what stands on its right."""

    x: float
    y: float
    width: float
    height: float
    row: int
    room: float = 0.0

    @property
    def left(self) -> float:
        """The left edge."""
        return self.x - self.width / 2

    @property
    def right(self) -> float:
        """The right edge, with the room beside it."""
        return self.x + self.width / 2 + self.room


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A plate's box, by its edges; a plate of scattered columns has several."""

    index: str
    label: str
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """A layer's band across the page."""

    layer: str
    top: float
    bottom: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Everything placed."""

    spots: Mapping[str, Spot]
    boxes: tuple[Box, ...]
    bands: tuple[Band, ...]
    width: float
    height: float


def place(diagram: Diagram) -> Layout:
    """Return the layout of a diagram."""
    rows = assign_rows(diagram)
    columns = order_columns(diagram)
    stretches = find_stretches(diagram, rows, columns)
    spots = {vertex.name: _new_spot(vertex, rows[vertex.name]) for vertex in diagram.vertices}
    intervals = _place_across(diagram, spots, columns, stretches)
    bands = _place_down(diagram, spots, stretches)
    boxes = _make_boxes(diagram, spots, columns, stretches, intervals)
    return _shift(spots, boxes, bands)


def label_width(label: str) -> float:
    """Return how wide a label is set: what stands below the line is smaller."""
    head, _, below = label.partition("_")
    return _CHARACTER * len(head) + 0.7 * _CHARACTER * len(below.strip("{}"))


def _new_spot(vertex: Vertex, row: int) -> Spot:
    text = label_width(vertex.label)
    height = _HEIGHT.get(vertex.kind, _NODE_HEIGHT)
    width = text + 8 if vertex.kind == "given" else max(_NODE_HEIGHT, text + 22)
    room = 30.0 + label_width(vertex.lag) if vertex.lag else 0.0
    return Spot(0.0, 0.0, width, height, row, room)


# --- across the page -----------------------------------------------------------------------------------------

Interval = tuple[float, float]
_EVERYWHERE: Interval = (float("-inf"), float("inf"))


def _place_across(
    diagram: Diagram, spots: dict[str, Spot], columns: Columns, stretches: list[Stretch]
) -> list[Interval]:
    """Set every vertex's place in its row; return the columns' intervals."""
    intervals = _column_intervals(diagram, spots, columns, stretches)
    reached = {row for s in stretches for row in range(s.top, s.bottom + 1)}
    groups = _group_by_place(diagram, spots, columns)
    neighbours = _neighbours(diagram)
    for sweep in range(_SWEEPS):
        for row, column in sorted(groups, reverse=sweep % 2 == 1):
            names = groups[row, column]
            if column >= 0:
                _settle(names, spots, neighbours, intervals[column])
            elif row not in reached:
                _settle(names, spots, neighbours, _EVERYWHERE)
            else:
                _settle_beside(names, spots, neighbours, intervals, len(stretches))
    return intervals


def _group_by_place(
    diagram: Diagram, spots: dict[str, Spot], columns: Columns
) -> dict[tuple[int, int], list[str]]:
    groups: dict[tuple[int, int], list[str]] = defaultdict(list)
    for vertex in diagram.vertices:
        column = columns.index(plate_set(vertex)) if vertex.plates else -1
        groups[spots[vertex.name].row, column].append(vertex.name)
    return groups


def _neighbours(diagram: Diagram) -> dict[str, list[str]]:
    neighbours: dict[str, list[str]] = defaultdict(list)
    for parent, child in diagram.edges:
        neighbours[parent].append(child)
        neighbours[child].append(parent)
    return neighbours


def _column_intervals(
    diagram: Diagram, spots: dict[str, Spot], columns: Columns, stretches: list[Stretch]
) -> list[Interval]:
    """Return the left and right end of each column, with room for the boxes' edges between them."""
    intervals, x = [], 0.0
    for place_in_order, own in enumerate(columns):
        in_row: dict[int, float] = defaultdict(float)
        for vertex in diagram.vertices:
            if plate_set(vertex) == own:
                spot = spots[vertex.name]
                in_row[spot.row] += spot.right - spot.left + _GAP
        titles = [label_width(f.label) for f in diagram.frames if f.index in own]
        width = max([*in_row.values(), *titles])
        edges = [s.level for s in stretches if place_in_order in (s.first, s.last + 1)]
        x += _PAD * (2 * max(edges, default=0) + 1)
        intervals.append((x, x + width))
        x += width
    return intervals


def _settle(
    names: list[str], spots: dict[str, Spot], neighbours: dict[str, list[str]], inside: Interval
) -> None:
    """Put the vertices of one row and column near their neighbours, in that order, without overlap."""
    wish = {name: _wish(name, spots, neighbours) for name in names}
    names.sort(key=lambda name: (wish[name], name))
    edge = float("-inf")
    for name in names:
        spot = spots[name]
        spot.x = max(wish[name], edge + spot.width / 2)
        edge = spot.right + _GAP
    _move(names, spots, -sum(spots[name].x - wish[name] for name in names) / len(names))
    low, high = inside[0] + _GAP / 2, inside[1] - _GAP / 2
    if spots[names[-1]].right > high:
        _move(names, spots, high - spots[names[-1]].right)
    if spots[names[0]].left < low:
        _move(names, spots, low - spots[names[0]].left)


def _settle_beside(
    names: list[str],
    spots: dict[str, Spot],
    neighbours: dict[str, list[str]],
    intervals: list[Interval],
    levels: int,
) -> None:
    """Put vertices in no plate to the left or the right of all plates, whichever is nearer."""
    left, right = intervals[0][0], intervals[-1][1]
    out = _PAD * (levels + 1)
    west = [name for name in names if _wish(name, spots, neighbours) < (left + right) / 2]
    east = [name for name in names if name not in west]
    if west:
        _settle(west, spots, neighbours, (float("-inf"), left - out))
    if east:
        _settle(east, spots, neighbours, (right + out, float("inf")))


def _wish(name: str, spots: dict[str, Spot], neighbours: dict[str, list[str]]) -> float:
    near = [spots[other].x for other in neighbours[name]]
    return sum(near) / len(near) if near else 0.0


def _move(names: list[str], spots: dict[str, Spot], by: float) -> None:
    for name in names:
        spots[name].x += by


# --- down the page -------------------------------------------------------------------------------------------


def _place_down(diagram: Diagram, spots: dict[str, Spot], stretches: list[Stretch]) -> tuple[Band, ...]:
    """Set every row's height, with room for the boxes that begin and end there; return the layers' bands."""
    layer_of = {spots[vertex.name].row: vertex.layer for vertex in diagram.vertices}
    bands: list[Band] = []
    y, previous, top = 0.0, "", 0.0
    for row in sorted(layer_of):
        begins = max((s.level for s in stretches if s.top == row), default=0)
        if layer_of[row] != previous:
            if previous:
                bands.append(Band(layer=previous, top=top, bottom=y + _BAND_GAP / 2))
            top = y + _BAND_GAP / 2 if previous else y
            y += _BAND_GAP
        previous = layer_of[row]
        y += begins * _PAD
        own = [spot for spot in spots.values() if spot.row == row]
        height = max(spot.height for spot in own)
        for spot in own:
            spot.y = y + height / 2
        ends = max((s.level for s in stretches if s.bottom == row), default=0)
        y += height + ends * (_PAD + _LABEL) + _ROW_GAP
    bands.append(Band(layer=previous, top=top, bottom=y))
    return tuple(bands)


def _make_boxes(
    diagram: Diagram,
    spots: dict[str, Spot],
    columns: Columns,
    stretches: list[Stretch],
    intervals: list[Interval],
) -> tuple[Box, ...]:
    """Return a box for each stretch, outer ones first."""
    labels = {frame.index: frame.label for frame in diagram.frames}
    boxes = []
    for stretch in sorted(stretches, key=lambda s: -s.level):
        own = columns[stretch.first : stretch.last + 1]
        held = [spots[v.name] for v in diagram.vertices if v.plates and plate_set(v) in own]
        out = stretch.level * _PAD
        boxes.append(
            Box(
                index=stretch.index,
                label=labels[stretch.index],
                left=intervals[stretch.first][0] - out,
                right=intervals[stretch.last][1] + out,
                top=min(spot.y - spot.height / 2 for spot in held) - out,
                bottom=max(spot.y + spot.height / 2 for spot in held) + stretch.level * (_PAD + _LABEL),
            )
        )
    return tuple(boxes)


def _shift(spots: dict[str, Spot], boxes: tuple[Box, ...], bands: tuple[Band, ...]) -> Layout:
    """Move everything so that the page begins at zero, a margin for the layers' names on the left."""
    margin = 116.0
    lefts = [spot.left for spot in spots.values()] + [box.left for box in boxes]
    rights = [spot.right for spot in spots.values()] + [box.right for box in boxes]
    by = margin - min(lefts)
    for spot in spots.values():
        spot.x += by
    moved = tuple(replace(box, left=box.left + by, right=box.right + by) for box in boxes)
    return Layout(
        spots=spots, boxes=moved, bands=bands, width=max(rights) + by + 30.0, height=bands[-1].bottom
    )
