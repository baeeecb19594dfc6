"""Graph, last step: the picture as SVG, written by hand so that it needs no other program."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from deriver.show.diagram import Diagram, Vertex
from deriver.show.placing import Band, Box, Layout, Spot
from deriver.show.routing import Point, Route

_STYLE = """
  text { font-family: "STIX Two Text", "Cambria Math", Cambria, "DejaVu Serif", "Times New Roman", serif; }
  .label { font-size: 17px; text-anchor: middle; fill: #111; }
  .given .label { font-size: 15px; fill: #444; }
  .stochastic ellipse, .observed ellipse, .deterministic rect { fill: #fff; stroke: #222; stroke-width: 1.4; }
  .observed ellipse { fill: #cfd8e3; }
  .plate rect { fill: none; stroke: #6b7686; stroke-width: 1.2; }
  .plate text { font-size: 14px; font-style: italic; text-anchor: end; fill: #3c4654; }
  .band rect { stroke: none; }
  .band text { font-size: 14px; fill: #5a6472; }
  .edge path { fill: none; stroke: #444; stroke-width: 1.2; }
  .edge.sure path { stroke-dasharray: 5 3; }
  .key text { font-size: 13px; fill: #3c4654; }
"""

_ARROW = """<defs><marker id="arrow" viewBox="0 0 10 10" refX="9.5" refY="5" markerWidth="8" markerHeight="8" \
orient="auto"><path d="M0,1 L10,5 L0,9 z" fill="#444"/></marker></defs>"""

_TINTS = {"parameters": "#f7f4ee", "process": "#eef3f7", "data": "#f1f6ef"}
_KEY_HEIGHT = 54.0


def write_svg(diagram: Diagram, layout: Layout, routes: tuple[Route, ...]) -> str:
    """Return the picture: bands, plates, edges, labels and vertices, in this order, then the key."""
    width, height = max(layout.width, 560.0), layout.height + _KEY_HEIGHT
    size = f'width="{_f(width)}" height="{_f(height)}"'
    deterministic = {vertex.name for vertex in diagram.vertices if vertex.kind == "deterministic"}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {_f(width)} {_f(height)}" role="img">',
        f"<title>The graph of the model {escape(diagram.title)}</title>",
        f"<style>{_STYLE}</style>",
        _ARROW,
        f'<rect {size} fill="#fff"/>',
        *(_band(band, width) for band in layout.bands),
        *(_box(box) for box in layout.boxes),
        *(_edge(route, route.child in deterministic) for route in routes),
        *map(_box_label, layout.boxes),
        *(_vertex(vertex, layout.spots[vertex.name]) for vertex in diagram.vertices),
        _key(layout.height + 32.0),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _f(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _band(band: Band, width: float) -> str:
    return (
        f'<g class="band"><rect x="0" y="{_f(band.top)}" width="{_f(width)}" height="{_f(band.bottom - band.top)}" '
        f'fill="{_TINTS[band.layer]}"/><text x="12" y="{_f(band.top + 22)}">{band.layer}</text></g>'
    )


def _box(box: Box) -> str:
    return (
        f'<g class="plate" data-index={quoteattr(box.index)}><rect x="{_f(box.left)}" y="{_f(box.top)}" '
        f'width="{_f(box.right - box.left)}" height="{_f(box.bottom - box.top)}" rx="9"/></g>'
    )


def _box_label(box: Box) -> str:
    place = f'x="{_f(box.right - 8)}" y="{_f(box.bottom - 7)}"'
    return f'<g class="plate"><text {place}>{label_spans(box.label)}</text></g>'


def _edge(route: Route, sure: bool) -> str:
    words = "edge sure" if sure else "edge"
    ends = f"data-from={quoteattr(route.parent)} data-to={quoteattr(route.child)}"
    return f'<g class="{words}" {ends}><path d="{path_of(route.stops)}" marker-end="url(#arrow)"/></g>'


def path_of(stops: tuple[Point, ...]) -> str:
    """Return the path through an edge's stops: curves between rows, straight lines past them."""
    text = f"M{_f(stops[0][0])},{_f(stops[0][1])}"
    for (x0, y0), (x1, y1), passing in zip(stops, stops[1:], _alternate(len(stops)), strict=False):
        if passing:
            text += f" L{_f(x1)},{_f(y1)}"
        else:
            bend = (y1 - y0) / 2
            text += f" C{_f(x0)},{_f(y0 + bend)} {_f(x1)},{_f(y1 - bend)} {_f(x1)},{_f(y1)}"
    return text


def _alternate(count: int) -> list[bool]:
    return [place % 2 == 1 for place in range(count)]


def _vertex(vertex: Vertex, spot: Spot) -> str:
    x, y, w, h = spot.x, spot.y, spot.width, spot.height
    shape = ""
    if vertex.kind == "deterministic":
        shape = f'<rect x="{_f(x - w / 2)}" y="{_f(y - h / 2)}" width="{_f(w)}" height="{_f(h)}"/>'
    elif vertex.kind != "given":
        shape = f'<ellipse cx="{_f(x)}" cy="{_f(y)}" rx="{_f(w / 2)}" ry="{_f(h / 2)}"/>'
    label = f'<text class="label" x="{_f(x)}" y="{_f(y + 5)}">{label_spans(vertex.label)}</text>'
    loop = _loop(vertex, spot) if vertex.lag else ""
    name = quoteattr(vertex.name)
    return f'<g class="vertex {vertex.kind}" data-name={name}>{shape}{label}{loop}</g>'


def _loop(vertex: Vertex, spot: Spot) -> str:
    """A node that uses its own past has an arrow to itself, with the index of the past beside it."""
    right, y = spot.x + spot.width / 2, spot.y
    path = (
        f"M{_f(right - 4)},{_f(y - 9)} C{_f(right + 24)},{_f(y - 26)} {_f(right + 24)},{_f(y + 26)} "
        f"{_f(right - 4)},{_f(y + 9)}"
    )
    arrow = f'<path d="{path}" fill="none" stroke="#444" stroke-width="1.2" marker-end="url(#arrow)"/>'
    return f'{arrow}<text x="{_f(right + 22)}" y="{_f(y + 4)}" font-size="12" fill="#444">{escape(vertex.lag)}</text>'


def label_spans(label: str) -> str:
    """Return a label with its subscripts lowered: σ²_{β,i}, and J_i inside ``j = 1, …, J_i``."""
    text, rest = "", label
    while "_" in rest:
        head, _, rest = rest.partition("_")
        if rest.startswith("{"):
            below, _, rest = rest[1:].partition("}")
        else:
            size = next((k for k, c in enumerate(rest) if not (c.isalnum() or c == "·")), len(rest))
            below, rest = rest[:size], rest[size:]
        lowered = f'<tspan dy="4" font-size="12">{escape(below)}</tspan>'
        text += escape(head) + lowered + ('<tspan dy="-4">&#8203;</tspan>' if rest else "")
    return text + escape(rest)


def _key(y: float) -> str:
    """The meaning of the shapes."""
    entries = [
        ('<ellipse cx="0" cy="0" rx="9" ry="9" fill="#fff" stroke="#222"/>', "random"),
        ('<ellipse cx="0" cy="0" rx="9" ry="9" fill="#cfd8e3" stroke="#222"/>', "observed"),
        (
            '<rect x="-9" y="-8" width="18" height="16" fill="#fff" stroke="#222"/>',
            "follows from its parents",
        ),
        ('<text x="0" y="5" text-anchor="middle">x</text>', "given"),
    ]
    x, parts = 24.0, []
    for shape, words in entries:
        text = f'<text x="15" y="4.5">{words}</text>'
        parts.append(f'<g transform="translate({_f(x)},{_f(y)})">{shape}{text}</g>')
        x += 46 + 7.2 * len(words)
    return f'<g class="key">{"".join(parts)}</g>'
