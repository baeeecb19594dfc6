"""Graph, third step: the way of each edge, which meets no vertex but its own two.

Between two rows an edge is a curve that leaves and arrives upright; where it passes a row it runs straight down
at a place that is free of vertices.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from deriver.show.diagram import Diagram
from deriver.show.placing import Layout

_CLEAR = 9.0  # least distance from a vertex that is passed
_LANE = 7.0  # between two edges that pass side by side
_DETOUR = 60.0  # how much longer across the page a way may be, if it has fewer bends

Point = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """An edge's way: upright pieces from ``stops[2k]`` to ``stops[2k+1]``, curves between them."""

    parent: str
    child: str
    stops: tuple[Point, ...]


def route_edges(diagram: Diagram, layout: Layout) -> tuple[Route, ...]:
    """Return the way of each edge, in the diagram's order."""
    passed = _pass_rows(diagram, layout)
    ports = _Ports(diagram, layout, passed)
    routes = []
    for parent, child in diagram.edges:
        way = passed[parent, child]
        stops = [point for row, x in way for point in ((x, row.top), (x, row.bottom))]
        start, end = ports.leave(parent, child), ports.arrive(parent, child)
        routes.append(Route(parent=parent, child=child, stops=(start, *stops, end)))
    return tuple(routes)


def _pass_rows(diagram: Diagram, layout: Layout) -> dict[tuple[str, str], list[tuple[_Row, float]]]:
    """Return for each edge the rows that it passes, and where."""
    taken: dict[int, list[float]] = defaultdict(list)
    passed = {}
    for parent, child in diagram.edges:
        above, below = layout.spots[parent], layout.spots[child]
        between = _rows_between(layout, above.row, below.row)
        rows = [_Row.of(layout, row, taken[row]) for row in between]
        places = _places(rows, above.x, below.x)
        for row, x in zip(rows, places, strict=True):
            row.taken.append(x)
        passed[parent, child] = list(zip(rows, places, strict=True))
    return passed


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A row that is passed: its extent, what is shut in it, and the ways already taken."""

    top: float
    bottom: float
    shut: tuple[tuple[float, float], ...]
    taken: list[float]

    @classmethod
    def of(cls, layout: Layout, row: int, taken: list[float]) -> _Row:
        """Return the row: vertices are shut, and the upright edges of boxes."""
        own = [spot for spot in layout.spots.values() if spot.row == row]
        top = min(spot.y - spot.height / 2 for spot in own)
        bottom = max(spot.y + spot.height / 2 for spot in own)
        boxes = [box for box in layout.boxes if box.top < bottom and box.bottom > top]
        edges = [(x - _LANE, x + _LANE) for box in boxes for x in (box.left, box.right)]
        vertices = [(spot.left - _CLEAR, spot.right + _CLEAR) for spot in own]
        return cls(top=top, bottom=bottom, shut=(*vertices, *edges), taken=taken)

    def is_open(self, x: float) -> bool:
        """Tell whether a place meets nothing shut."""
        return not any(low < x < high for low, high in self.shut)

    def is_apart(self, x: float) -> bool:
        """Tell whether a place keeps its distance from the ways already taken."""
        return not any(abs(x - other) < _LANE for other in self.taken)

    def ends(self) -> list[float]:
        """Return the places just beside what is shut or taken."""
        lanes = [end for x in self.taken for end in (x - _LANE, x + _LANE)]
        return [end for interval in self.shut for end in interval] + lanes


def _places(rows: list[_Row], start: float, end: float) -> list[float]:
    """Return where each row is passed: all at one place if one is not far from the straight way."""
    candidates = [end, start, *(place for row in rows for place in row.ends())]
    open_to_all = [x for x in candidates if all(row.is_open(x) and row.is_apart(x) for row in rows)]
    detour = {x: abs(x - start) + abs(x - end) - abs(start - end) for x in open_to_all}
    if detour and min(detour.values()) <= _DETOUR:
        best = min(open_to_all, key=lambda x: (detour[x], abs(x - end), x))
        return [best] * len(rows)
    places, x = [], start
    for passed, row in enumerate(rows):
        x = _nearest(row, x + (end - x) / (len(rows) - passed + 1))
        places.append(x)
    return places


def _nearest(row: _Row, wish: float) -> float:
    free = [x for x in (wish, *row.ends()) if row.is_open(x)]
    apart = [x for x in free if row.is_apart(x)]
    return min(apart or free, key=lambda x: (abs(x - wish), x))


def _rows_between(layout: Layout, above: int, below: int) -> list[int]:
    return sorted({spot.row for spot in layout.spots.values() if above < spot.row < below})


class _Ports:
    """Where edges leave and meet each vertex: spread over its lower and upper side, in the order in which they come."""

    def __init__(
        self, diagram: Diagram, layout: Layout, passed: dict[tuple[str, str], list[tuple[_Row, float]]]
    ) -> None:
        self._spots = layout.spots
        self._kinds = {vertex.name: vertex.kind for vertex in diagram.vertices}
        below: dict[str, list[tuple[float, str]]] = defaultdict(list)
        above: dict[str, list[tuple[float, str]]] = defaultdict(list)
        for parent, child in diagram.edges:
            way = [x for _, x in passed[parent, child]]
            below[parent].append(((way or [self._spots[child].x])[0], child))
            above[child].append(((way or [self._spots[parent].x])[-1], parent))
        self._below = {name: [other for _, other in sorted(ends)] for name, ends in below.items()}
        self._above = {name: [other for _, other in sorted(ends)] for name, ends in above.items()}

    def leave(self, parent: str, child: str) -> Point:
        """Return the point on the parent's lower side."""
        return self._port(parent, self._below[parent], child, 1)

    def arrive(self, parent: str, child: str) -> Point:
        """Return the point on the child's upper side."""
        return self._port(child, self._above[child], parent, -1)

    def _port(self, name: str, others: list[str], other: str, side: int) -> Point:
        spot = self._spots[name]
        count = len(others)
        share = (others.index(other) - (count - 1) / 2) / max(count, 2)
        across = share * 1.3 * min(1.0, count / 3) * (0.8 if self._kinds[name] == "given" else 1.0)
        height = spot.height / 2
        if self._kinds[name] in ("stochastic", "observed"):
            height *= (1 - min(across**2, 0.9)) ** 0.5
        return (spot.x + across * spot.width / 2, spot.y + side * height)
