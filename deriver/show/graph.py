"""Show stage: the graph of a model by layer and plate, as a picture.

Input: a ``Model``.  Output: a file, SVG or DOT by its suffix.  No other program is needed.
"""

from __future__ import annotations

from pathlib import Path

from deriver.errors import Mistake, UsageError
from deriver.model.records import Model
from deriver.show.diagram import draw_diagram
from deriver.show.dot import write_dot
from deriver.show.placing import place
from deriver.show.routing import route_edges
from deriver.show.svg import write_svg


def draw_graph(model: Model) -> str:
    """Return the graph of a model as SVG."""
    diagram = draw_diagram(model)
    layout = place(diagram)
    return write_svg(diagram, layout, route_edges(diagram, layout))


def write_graph(model: Model, path: str | Path) -> Path:
    """Write the graph of a model to ``path`` (``.svg`` or ``.dot``) and return the path.

    Raises ``UsageError`` for another suffix.
    """
    path = Path(path)
    match path.suffix:
        case ".svg":
            text = draw_graph(model)
        case ".dot" | ".gv":
            text = write_dot(draw_diagram(model))
        case _:
            found = f"a graph cannot be written as `{path.suffix or path.name}`"
            raise UsageError(
                [
                    Mistake(
                        code="graph_suffix",
                        found=found,
                        expected="a file name that ends in .svg or .dot",
                        remedy="write an .svg; browsers and word processors open it",
                    )
                ]
            )
    path.write_text(text, encoding="utf-8")
    return path
