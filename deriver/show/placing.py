"""Graph, second step: where each vertex and plate stands.

Rows come from the layers (parameters above, data below) and from who needs whom inside a layer.  Vertices
with the same plates share a column of the page, and the columns are ordered so that each plate is one
stretch of them: then its box holds its own vertices and no others.  Vertices in no plate stand freely in the
rows that no plate reaches, beside the plates in the others.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from deriver.show.diagram import LAYERS, Diagram, Vertex

_HEIGHT = {"given": 22.0}
_NODE_HEIGHT = 44.0
_CHARACTER = 9.0
_GAP = 26.0  # between vertices in a row
_ROW_GAP = 44.0
_BAND_GAP = 26.0
_PAD = 13.0  # between a box and what it holds
_LABEL = 18.0  # height of a plate's label
_SWEEPS = 8
_MOST_COLUMNS = 7


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


Columns = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stretch:
    """A run of columns of one plate, the rows it reaches, and how far it stands out from what it holds."""

    index: str
    first: int
    last: int
    top: int
    bottom: int
    level: int


def place(diagram: Diagram) -> Layout:
    """Return the layout of a diagram."""
    rows = assign_rows(diagram)
    columns = order_columns(diagram)
    stretches = _find_stretches(diagram, rows, columns)
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
    sets = list(dict.fromkeys(_plate_set(vertex) for vertex in diagram.vertices if vertex.plates))
    sets.sort()
    if len(sets) > _MOST_COLUMNS:
        return tuple(sets)
    pull = _pull(diagram)
    return min(itertools.permutations(sets), key=lambda order: _cost(order, pull), default=())


def _plate_set(vertex: Vertex) -> tuple[str, ...]:
    return tuple(sorted(vertex.plates))


def _pull(diagram: Diagram) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    sets = {vertex.name: _plate_set(vertex) for vertex in diagram.vertices}
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


def _find_stretches(diagram: Diagram, rows: dict[str, int], columns: Columns) -> list[_Stretch]:
    """Return the stretches, smaller first, each at a level above those that it meets."""
    found = []
    for frame in diagram.frames:
        for first, last in _runs(columns, frame.index):
            own = [rows[v.name] for v in diagram.vertices if _plate_set(v) in columns[first : last + 1]]
            found.append((last - first, max(own) - min(own), frame.index, first, last, min(own), max(own)))
    stretches: list[_Stretch] = []
    inner_first = sorted(found, key=lambda one: (one[0], one[1], -_place_of(diagram, one[2])))
    for _, _, index, first, last, top, bottom in inner_first:
        met = [s.level for s in stretches if s.first <= last and first <= s.last]
        level = max(met, default=0) + 1
        stretches.append(_Stretch(index=index, first=first, last=last, top=top, bottom=bottom, level=level))
    return stretches


def _place_of(diagram: Diagram, index: str) -> int:
    return [frame.index for frame in diagram.frames].index(index)


# --- across the page -----------------------------------------------------------------------------------------

Interval = tuple[float, float]
_EVERYWHERE: Interval = (float("-inf"), float("inf"))


def _place_across(
    diagram: Diagram, spots: dict[str, Spot], columns: Columns, stretches: list[_Stretch]
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
        column = columns.index(_plate_set(vertex)) if vertex.plates else -1
        groups[spots[vertex.name].row, column].append(vertex.name)
    return groups


def _neighbours(diagram: Diagram) -> dict[str, list[str]]:
    neighbours: dict[str, list[str]] = defaultdict(list)
    for parent, child in diagram.edges:
        neighbours[parent].append(child)
        neighbours[child].append(parent)
    return neighbours


def _column_intervals(
    diagram: Diagram, spots: dict[str, Spot], columns: Columns, stretches: list[_Stretch]
) -> list[Interval]:
    """Return the left and right end of each column, with room for the boxes' edges between them."""
    intervals, x = [], 0.0
    for place_in_order, own in enumerate(columns):
        in_row: dict[int, float] = defaultdict(float)
        for vertex in diagram.vertices:
            if _plate_set(vertex) == own:
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


def _place_down(diagram: Diagram, spots: dict[str, Spot], stretches: list[_Stretch]) -> tuple[Band, ...]:
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
    stretches: list[_Stretch],
    intervals: list[Interval],
) -> tuple[Box, ...]:
    """Return a box for each stretch, outer ones first."""
    labels = {frame.index: frame.label for frame in diagram.frames}
    boxes = []
    for stretch in sorted(stretches, key=lambda s: -s.level):
        own = columns[stretch.first : stretch.last + 1]
        held = [spots[v.name] for v in diagram.vertices if v.plates and _plate_set(v) in own]
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
