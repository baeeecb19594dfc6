"""Graph, first step: a model as vertices, edges and plates; no geometry yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from deriver.model.expressions import Expression, Reference, references
from deriver.model.records import Deterministic, Given, Model, Node, Plate, Statement
from deriver.show import notation as n
from deriver.show.arrange import read_tree
from deriver.show.names import names_of
from deriver.show.text import TextSpelling

Kind = Literal["stochastic", "observed", "deterministic", "given"]
LAYERS = ("parameters", "process", "data")


@dataclass(frozen=True, slots=True, kw_only=True)
class Vertex:
    """One quantity: its label as text (``σ²_β``), the plates it is in, its layer (a given: that of its child)."""

    name: str
    label: str
    kind: Kind
    plates: tuple[str, ...]
    layer: str
    lag: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A plate: its index and its label (``i = 1, …, n``)."""

    index: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagram:
    """A model's graph.  Edges are (parent, child); a node's use of its own past is its ``lag``."""

    title: str
    vertices: tuple[Vertex, ...]
    edges: tuple[tuple[str, str], ...]
    frames: tuple[Frame, ...]

    def vertex(self, name: str) -> Vertex:
        """Return the vertex of that name."""
        return next(vertex for vertex in self.vertices if vertex.name == name)


def draw_diagram(model: Model) -> Diagram:
    """Return the vertices, edges and plates of a model; sizes and dimensions are left out."""
    spelling = TextSpelling(names_of(model))
    edges, lags = _find_edges(model)
    used = {parent for parent, _ in edges}
    nodes = [_node_vertex(node, model, spelling, lags.get(node.name, "")) for node in model.nodes]
    layers = {vertex.name: vertex.layer for vertex in nodes}
    givens = [
        _given_vertex(given, _layer_of_given(given.name, edges, layers), spelling)
        for given in model.givens
        if given.origin == "given" and given.name in used
    ]
    vertices = (*nodes, *givens)
    held = {index for vertex in vertices for index in vertex.plates}
    frames = tuple(
        Frame(index=plate.index, label=_plate_label(plate, spelling))
        for plate in model.plates
        if plate.index in held
    )
    return Diagram(title=model.name, vertices=vertices, edges=edges, frames=frames)


def _plate_label(plate: Plate, spelling: TextSpelling) -> str:
    lower, upper = spelling.one_line(read_tree(plate.lower)), spelling.one_line(read_tree(plate.upper))
    return f"{plate.index} = {lower}, …, {upper}"


def _find_edges(model: Model) -> tuple[tuple[tuple[str, str], ...], dict[str, str]]:
    """Return the edges, each once, and the lag of each node that uses its own past."""
    known = {node.name for node in model.nodes} | {g.name for g in model.givens if g.origin == "given"}
    edges: dict[tuple[str, str], None] = {}
    lags: dict[str, str] = {}
    for statement in model.statements:
        for expression in _expressions(statement):
            for used in references(expression):
                if used.name == statement.name:
                    lags.setdefault(used.name, _lag_of(used))
                elif used.name in known:
                    edges[used.name, statement.name] = None
    return tuple(edges), lags


def _expressions(statement: Statement) -> tuple[Expression, ...]:
    if isinstance(statement, Deterministic):
        return (statement.expression,)
    ends = tuple(end for end in statement.truncation or () if end is not None)
    return tuple(argument.value for argument in statement.arguments) + ends


def _lag_of(used: Reference) -> str:
    shifted = [read_tree(each) for each in used.subscripts if not isinstance(each, Reference)]
    return TextSpelling().one_line(shifted[0]) if shifted else ""


def _node_vertex(node: Node, model: Model, spelling: TextSpelling, lag: str) -> Vertex:
    kind: Kind = "deterministic" if node.kind == "deterministic" else "stochastic"
    if kind == "stochastic" and node.layer == "data":
        kind = "observed"
    label = _label(node, model, spelling)
    return Vertex(name=node.name, label=label, kind=kind, plates=node.indices, layer=node.layer, lag=lag)


def _label(node: Node, model: Model, spelling: TextSpelling) -> str:
    subscripts = tuple(n.Name(index) for index in node.indices)
    for statement in model.statements_of(node.name):
        written = getattr(statement, "written", "")
        if written and written != node.name:
            name: n.Notation = n.Name(written, subscripts)
            if statement.transform == "inv":
                return spelling.one_line(n.Power(name, n.Minus(n.ONE), matrix=True))
            return spelling.one_line(n.Apply(statement.transform or "", (name,)))
    return spelling.one_line(n.Name(node.name, subscripts))


def _given_vertex(given: Given, layer: str, spelling: TextSpelling) -> Vertex:
    label = spelling.one_line(n.Name(given.name, tuple(n.Name(index) for index in given.indices)))
    return Vertex(name=given.name, label=label, kind="given", plates=given.indices, layer=layer)


def _layer_of_given(name: str, edges: tuple[tuple[str, str], ...], layers: dict[str, str]) -> str:
    """Return the uppermost layer in which a given is used."""
    used = {layers[child] for parent, child in edges if parent == name}
    return next(layer for layer in LAYERS if layer in used)
