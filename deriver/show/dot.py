"""Graph, as text for Graphviz: plates as clusters where they are nested, else one cluster for each set of plates."""

from __future__ import annotations

from deriver.show.diagram import Diagram, Vertex

_SHAPES = {
    "stochastic": "shape=ellipse",
    "observed": 'shape=ellipse, style=filled, fillcolor="#cfd8e3"',
    "deterministic": "shape=box",
    "given": "shape=plaintext",
}


def write_dot(diagram: Diagram) -> str:
    """Return the graph in the DOT language."""
    lines = [f'digraph "{diagram.title}" {{', "  rankdir=TB;", '  node [fontname="serif"];']
    lines += _clusters(diagram)
    lines += [f'  "{parent}" -> "{child}";' for parent, child in diagram.edges]
    lines += [f'  "{v.name}" -> "{v.name}" [label="{v.lag}"];' for v in diagram.vertices if v.lag]
    return "\n".join([*lines, "}"]) + "\n"


def _clusters(diagram: Diagram) -> list[str]:
    order = [frame.index for frame in diagram.frames]
    chains = {
        vertex.name: tuple(index for index in order if index in vertex.plates) for vertex in diagram.vertices
    }
    if not _are_nested(set(chains.values())):
        chains = {name: ("+".join(chain),) if chain else () for name, chain in chains.items()}
    labels = {frame.index: frame.label for frame in diagram.frames}
    return _level(diagram.vertices, chains, labels, (), "  ")


def _are_nested(chains: set[tuple[str, ...]]) -> bool:
    """Tell whether every plate stands in one chain of plates alone."""
    above: dict[str, set[tuple[str, ...]]] = {}
    for chain in chains:
        for place, index in enumerate(chain):
            above.setdefault(index, set()).add(chain[:place])
    return all(len(places) == 1 for places in above.values())


def _level(
    vertices: tuple[Vertex, ...],
    chains: dict[str, tuple[str, ...]],
    labels: dict[str, str],
    here: tuple[str, ...],
    indent: str,
) -> list[str]:
    lines = [
        f'{indent}"{v.name}" [label="{v.label}", {_SHAPES[v.kind]}];'
        for v in vertices
        if chains[v.name] == here
    ]
    depth = len(here)
    below = dict.fromkeys(c[depth] for c in chains.values() if len(c) > depth and c[:depth] == here)
    for index in below:
        label = "; ".join(labels[one] for one in index.split("+"))
        lines += [
            f'{indent}subgraph "cluster_{index}" {{',
            f'{indent}  label="{label}"; labeljust=r; style=rounded;',
        ]
        lines += _level(vertices, chains, labels, (*here, index), indent + "  ")
        lines.append(indent + "}")
    return lines
