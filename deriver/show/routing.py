"""Graph, third step: the way of each edge, which meets no vertex but its own two.

Between two rows an edge is a curve that leaves and arrives upright; where it passes a row it runs straight down
at a place that is free of vertices.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from deriver.show.diagram import Diagram
from deriver.show.placing import Layout, Spot

_CLEAR = 9.0  # least distance from a vertex that is passed
_LANE = 7.0  # between two edges that pass side by side

Point = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """An edge's way: upright pieces from ``stops[2k]`` to ``stops[2k+1]``, curves between them."""

    parent: str
    child: str
    stops: tuple[Point, ...]


def route_edges(diagram: Diagram, layout: Layout) -> tuple[Route, ...]:
    """Return the way of each edge, in the diagram's order."""
    ports = _Ports(diagram, layout)
    taken: dict[int, list[float]] = defaultdict(list)
    return tuple(_route(parent, child, layout, ports, taken) for parent, child in diagram.edges)


def _route(
    parent: str, child: str, layout: Layout, ports: _Ports, taken: dict[int, list[float]]
) -> Route:
    start, end = ports.leave(parent, child), ports.arrive(parent, child)
    rows = _rows_between(layout, layout.spots[parent].row, layout.spots[child].row)
    stops = [start]
    x = start[0]
    for place, row in enumerate(rows):
        own = [spot for spot in layout.spots.values() if spot.row == row]
        straight = x + (end[0] - x) / (len(rows) - place + 1)
        x = _free_place(straight, own, taken[row])
        taken[row].append(x)
        top, bottom = _extent(own)
        stops += [(x, top), (x, bottom)]
    return Route(parent=parent, child=child, stops=(*stops, end))


def _rows_between(layout: Layout, above: int, below: int) -> list[int]:
    return sorted({spot.row for spot in layout.spots.values() if above < spot.row < below})


def _extent(own: list[Spot]) -> tuple[float, float]:
    return min(s.y - s.height / 2 for s in own), max(s.y + s.height / 2 for s in own)


def _free_place(wish: float, own: list[Spot], taken: list[float]) -> float:
    """Return the place nearest to the wish that is clear of the row's vertices and of other edges."""
    shut = [(s.x - s.width / 2 - _CLEAR, s.x + s.width / 2 + _CLEAR) for s in own]
    lanes = [(x - _LANE, x + _LANE) for x in taken]
    places = [wish, *(end for interval in shut + lanes for end in interval)]
    free = [x for x in places if not any(low < x < high for low, high in shut)]
    apart = [x for x in free if not any(low < x < high for low, high in lanes)]
    return min(apart or free, key=lambda x: (abs(x - wish), x))


class _Ports:
    """Where edges leave and meet each vertex: spread over its lower and upper side, in the order of their ends."""

    def __init__(self, diagram: Diagram, layout: Layout) -> None:
        self._spots = layout.spots
        self._kinds = {vertex.name: vertex.kind for vertex in diagram.vertices}
        self._below: dict[str, list[str]] = defaultdict(list)
        self._above: dict[str, list[str]] = defaultdict(list)
        for parent, child in diagram.edges:
            self._below[parent].append(child)
            self._above[child].append(parent)
        for others in (*self._below.values(), *self._above.values()):
            others.sort(key=lambda name: (self._spots[name].x, name))

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
