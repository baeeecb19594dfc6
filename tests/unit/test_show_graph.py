"""The graph: well-formed SVG, each node once, nothing overlaps, plates hold their own nodes and no others."""

from __future__ import annotations

import itertools
from pathlib import Path
from xml.etree import ElementTree

import pytest

from deriver.errors import UsageError
from deriver.language import parse_model
from deriver.show.diagram import Diagram, draw_diagram
from deriver.show.graph import draw_graph, write_graph
from deriver.show.placing import Layout, place
from deriver.show.routing import Route, route_edges
from tests.unit.show_models import NAMES, text_of

SVG = "{http://www.w3.org/2000/svg}"


def drawn(name: str) -> tuple[Diagram, Layout, tuple[Route, ...]]:
    diagram = draw_diagram(parse_model(text_of(name)))
    layout = place(diagram)
    return diagram, layout, route_edges(diagram, layout)


@pytest.mark.parametrize("name", NAMES)
def test_the_svg_is_well_formed_and_holds_every_node_once(name: str) -> None:
    model = parse_model(text_of(name))
    root = ElementTree.fromstring(draw_graph(model))
    assert root.tag == SVG + "svg"
    names = [g.get("data-name") for g in root.iter(SVG + "g") if "vertex" in g.get("class", "")]
    assert len(names) == len(set(names))
    assert {node.name for node in model.nodes} <= set(names)


@pytest.mark.parametrize("name", NAMES)
def test_no_two_vertices_overlap(name: str) -> None:
    _, layout, _ = drawn(name)
    for (first, a), (second, b) in itertools.combinations(layout.spots.items(), 2):
        apart_across = a.right <= b.left or b.right <= a.left
        apart_down = a.y + a.height / 2 <= b.y - b.height / 2 or b.y + b.height / 2 <= a.y - a.height / 2
        assert apart_across or apart_down, f"{first} and {second} overlap"


@pytest.mark.parametrize("name", NAMES)
def test_a_plate_holds_its_own_vertices_and_no_others(name: str) -> None:
    diagram, layout, _ = drawn(name)
    for box in layout.boxes:
        for vertex in diagram.vertices:
            spot = layout.spots[vertex.name]
            within = box.left <= spot.left and spot.right <= box.right
            within = within and box.top <= spot.y - spot.height / 2 and spot.y + spot.height / 2 <= box.bottom
            outside = spot.right < box.left or spot.left > box.right
            outside = outside or spot.y + spot.height / 2 < box.top or spot.y - spot.height / 2 > box.bottom
            assert within if box.index in vertex.plates else outside, f"{vertex.name} and plate {box.index}"


@pytest.mark.parametrize("name", NAMES)
def test_no_edge_runs_through_a_vertex_and_all_point_down(name: str) -> None:
    diagram, layout, routes = drawn(name)
    for route in routes:
        assert all(a[1] < b[1] for a, b in itertools.pairwise(route.stops))
        for x, y in points_on(route):
            for vertex in diagram.vertices:
                if vertex.name in (route.parent, route.child):
                    continue
                spot = layout.spots[vertex.name]
                inside = abs(x - spot.x) < spot.width / 2 and abs(y - spot.y) < spot.height / 2
                assert not inside, f"{route.parent} -> {route.child} meets {vertex.name}"


def points_on(route: Route) -> list[tuple[float, float]]:
    """Return points along the way: Bézier curves between rows, straight lines past them."""
    points = []
    for place_on_way, ((x0, y0), (x1, y1)) in enumerate(itertools.pairwise(route.stops)):
        for step in range(21):
            s = step / 20
            if place_on_way % 2:
                points.append((x0 + s * (x1 - x0), y0 + s * (y1 - y0)))
                continue
            bend = (y1 - y0) / 2
            weights = ((1 - s) ** 3, 3 * s * (1 - s) ** 2, 3 * s**2 * (1 - s), s**3)
            xs, ys = (x0, x0, x1, x1), (y0, y0 + bend, y1 - bend, y1)
            points.append((sum(map(float.__mul__, weights, xs)), sum(map(float.__mul__, weights, ys))))
    return points


def test_layers_stand_in_order() -> None:
    diagram, layout, _ = drawn("all_random")
    assert [band.layer for band in layout.bands] == ["parameters", "process", "data"]
    for band in layout.bands:
        for vertex in diagram.vertices:
            inside = band.top <= layout.spots[vertex.name].y <= band.bottom
            assert inside == (vertex.layer == band.layer)


def test_crossed_plates_overlap_around_what_they_share() -> None:
    _, layout, _ = drawn("two_way")
    first, second = layout.boxes
    assert max(first.left, second.left) < layout.spots["y"].x < min(first.right, second.right)


def test_a_lag_is_a_loop_and_no_edge() -> None:
    diagram, _, _ = drawn("chains")
    assert diagram.vertex("z").lag == "t − 1"
    assert ("z", "z") not in diagram.edges


def test_kinds_and_labels() -> None:
    diagram, _, _ = drawn("log_scale")
    assert diagram.vertex("y").kind == "observed"
    assert diagram.vertex("sigma").kind == "deterministic"
    assert diagram.vertex("log_sigma").label == "log σ_i"
    assert diagram.vertex("tau2").label == "τ²"


@pytest.mark.parametrize("name", NAMES)
def test_dot_holds_every_vertex_and_edge(name: str, tmp_path: Path) -> None:
    diagram, _, _ = drawn(name)
    path = write_graph(parse_model(text_of(name)), tmp_path / "graph.dot")
    text = path.read_text(encoding="utf-8")
    assert text.count(" [label=") >= len(diagram.vertices)
    assert all(f'"{parent}" -> "{child}";' in text for parent, child in diagram.edges)
    assert text.count("{") == text.count("}")


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="ends in .svg or .dot"):
        write_graph(parse_model(text_of("two_way")), tmp_path / "graph.bmp")
    assert write_graph(parse_model(text_of("two_way")), tmp_path / "graph.svg").stat().st_size > 1000
