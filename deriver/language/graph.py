"""Layers and cycles: who may use whom, and an order in which every node comes after what it needs.

Input: a scope with checked places.  Output: the order; mistakes for a layer that uses a higher one and for
circles.  A lag (``z[t-1]`` in the statement of ``z[t]``) is no circle: time orders it.
"""

from __future__ import annotations

from dataclasses import dataclass

from deriver.language.affine import Affine, read_affine
from deriver.language.mistakes import listing
from deriver.language.rewrite import whole_number
from deriver.language.scope import Draft, Entity, Scope
from deriver.model.expressions import Colon, Expression, Reference, SumOver, children

_RANK = {"parameters": 0, "process": 1, "data": 2}
_LAYER = {rank: layer for layer, rank in _RANK.items()}


@dataclass(frozen=True, slots=True)
class Edge:
    """``child`` uses ``parent``; ``step`` is ``same`` (same element), ``lag`` (an earlier one) or ``other``."""

    child: str
    parent: str
    step: str
    found: Reference
    draft: Draft


def find_edges(scope: Scope) -> list[Edge]:
    """Return every use of a node by a node."""
    edges = []
    for draft in scope.drafts:
        for expression in draft.expressions():
            for found, summed in _uses(expression, ()):
                if found.name in scope.nodes:
                    step = _classify(scope, draft, found, summed)
                    edges.append(Edge(draft.name, found.name, step, found, draft))
    return edges


def _uses(expression: Expression, summed: tuple[str, ...]) -> list[tuple[Reference, tuple[str, ...]]]:
    """Return the references of a tree, each with the indices of the sums around it."""
    inner = (*summed, expression.index) if isinstance(expression, SumOver) else summed
    own = [(expression, summed)] if isinstance(expression, Reference) else []
    return own + [use for child in children(expression) for use in _uses(child, inner)]


def _classify(scope: Scope, draft: Draft, found: Reference, summed: tuple[str, ...]) -> str:
    entity = scope.nodes[found.name]
    if len(draft.subscripts) != len(entity.indices):
        return "other"
    for target, used in zip(draft.subscripts, found.subscripts, strict=False):
        step = _step(scope, draft, target, used, summed)
        if step != 0:
            return "lag" if step is not None and step < 0 else "other"
    return "same"


def _step(
    scope: Scope, draft: Draft, target: Expression, used: Expression, summed: tuple[str, ...]
) -> int | None:
    """Return -1, 0 or 1 as the used element lies before, at or after the one on the left; None if that depends."""
    if isinstance(used, Colon):
        return None
    value = read_affine(used)
    if any(name in summed for name in value.terms):
        return None
    constant = whole_number(target)
    if constant is None and not value.terms:
        return _step_to_constant(draft, target, value)
    apart = value.minus(read_affine(target))
    if apart.terms:
        return None
    return (apart.constant > 0) - (apart.constant < 0)


def _step_to_constant(draft: Draft, target: Expression, value: Affine) -> int | None:
    own = draft.bound().get(getattr(target, "name", ""))
    if own is None or own.lower is None:
        return None
    apart = value.minus(read_affine(own.lower))
    return -1 if not apart.terms and apart.constant < 0 else None


def order_nodes(scope: Scope, edges: list[Edge]) -> tuple[str, ...]:
    """Return the nodes, parents first; record a mistake for each circle."""
    _refuse_false_lags(scope, edges)
    parents: dict[str, set[str]] = {name: set() for name in scope.nodes}
    for edge in edges:
        if edge.step != "lag":
            parents[edge.child].add(edge.parent)
    children_of: dict[str, list[str]] = {name: [] for name in scope.nodes}
    for child, needed in parents.items():
        for parent in needed:
            children_of[parent].append(child)
    open_needs = {name: len(needed) for name, needed in parents.items()}
    ready = [name for name in scope.nodes if not open_needs[name]]
    order: list[str] = []
    while ready:
        name = ready.pop(0)
        order.append(name)
        for child in sorted(children_of[name]):
            open_needs[child] -= 1
            if not open_needs[child]:
                ready.append(child)
    if len(order) < len(scope.nodes):
        _add_circle(scope, edges, set(scope.nodes) - set(order))
    return tuple(order)


def _refuse_false_lags(scope: Scope, edges: list[Edge]) -> None:
    """Record a circle that closes through a lag and through a step that time does not order."""
    if not any(edge.step == "lag" for edge in edges):
        return
    reach = _reachable(scope, edges)
    for edge in edges:
        inside = edge.child != edge.parent and edge.child in reach[edge.parent]
        if edge.step == "other" and inside and not _circle_without_lags(edges, edge):
            _add_cycle_mistake(scope, edge, [edge.child, edge.parent])


def _reachable(scope: Scope, edges: list[Edge]) -> dict[str, set[str]]:
    """Return for each node the nodes it uses, directly or not."""
    uses: dict[str, set[str]] = {name: set() for name in scope.nodes}
    for edge in edges:
        uses[edge.child].add(edge.parent)
    found = {}
    for name in uses:
        seen: set[str] = set()
        waiting = [name]
        while waiting:
            for parent in uses[waiting.pop()] - seen:
                seen.add(parent)
                waiting.append(parent)
        found[name] = seen
    return found


def _circle_without_lags(edges: list[Edge], closing: Edge) -> bool:
    """Tell whether the circle through an edge closes without lags, where ``order_nodes`` finds it."""
    uses: dict[str, set[str]] = {}
    for edge in edges:
        if edge.step != "lag":
            uses.setdefault(edge.child, set()).add(edge.parent)
    seen: set[str] = set()
    waiting = [closing.parent]
    while waiting:
        for parent in uses.get(waiting.pop(), set()) - seen:
            seen.add(parent)
            waiting.append(parent)
    return closing.child in seen


def _add_circle(scope: Scope, edges: list[Edge], left: set[str]) -> None:
    """Record one mistake for each circle among the nodes that could not be put in order."""
    direct = [edge for edge in edges if edge.step != "lag" and edge.child in left and edge.parent in left]
    done: set[str] = set()
    for start in (name for name in scope.nodes if name in left):
        path = _find_path(direct, start)
        if path and not done & set(path):
            done |= set(path)
            edge = next(
                each for each in direct if each.child == path[0] and each.parent == (path[1:] + path)[0]
            )
            _add_cycle_mistake(scope, edge, path)


def _find_path(edges: list[Edge], start: str) -> list[str]:
    """Return a shortest circle from a node to itself along its parents; empty if there is none."""
    before: dict[str, str] = {}
    waiting = [start]
    while waiting:
        name = waiting.pop(0)
        for edge in edges:
            if edge.child != name or edge.parent in before:
                continue
            before[edge.parent] = name
            if edge.parent == start:
                return _walk_back(before, start)
            waiting.append(edge.parent)
    return []


def _walk_back(before: dict[str, str], start: str) -> list[str]:
    path = [before[start]]
    while path[-1] != start:
        path.append(before[path[-1]])
    return path[::-1]


def _add_cycle_mistake(scope: Scope, edge: Edge, path: list[str]) -> None:
    if len(path) == 1:
        found = f"`{path[0]}` depends on itself"
        remedy = "its distribution or definition may not use its own value"
        if edge.step == "other" and edge.draft.ranges:
            remedy = f"only an earlier element of `{path[0]}`, such as {path[0]}[t-1], may stand here"
    else:
        found = "these nodes depend on each other in a circle: " + " -> ".join([*path, path[0]])
        remedy = "state one of them without the others"
    scope.mistakes.add("cycle", found, span=edge.found.span, remedy=remedy)


def check_layers(scope: Scope, edges: list[Edge], order: tuple[str, ...]) -> None:
    """Record each stochastic node that uses a node of a higher layer, directly or through definitions."""
    ranks: dict[str, int] = {}
    by_child: dict[str, list[Edge]] = {}
    for edge in edges:
        by_child.setdefault(edge.child, []).append(edge)
    for name in order:
        entity = scope.nodes[name]
        used = [ranks.get(edge.parent, 0) for edge in by_child.get(name, [])]
        ranks[name] = _RANK[entity.layer] if entity.stochastic else max(used, default=0)
    ranks |= {name: _RANK[entity.layer] for name, entity in scope.nodes.items() if entity.stochastic}
    for name, entity in scope.nodes.items():
        for edge in by_child.get(name, []) if entity.stochastic else []:
            _check_layer(scope, entity, edge, ranks)


def _check_layer(scope: Scope, entity: Entity, edge: Edge, ranks: dict[str, int]) -> None:
    rank = ranks.get(edge.parent, 0)
    if rank <= _RANK[entity.layer]:
        return
    direct = scope.nodes[edge.parent].stochastic
    through = "" if direct else f", which rests on a node under `{_LAYER[rank]}`"
    allowed = listing([f"`{layer}`" for layer, each in _RANK.items() if each <= _RANK[entity.layer]], "and")
    kind = f"a node under `{_LAYER[rank]}`" if direct else "a definition"
    scope.mistakes.add(
        "layer",
        f"`{entity.name}` stands under `{entity.layer}` and uses `{edge.parent}`, {kind}{through}",
        span=edge.found.span,
        expected=f"nodes under {allowed} only",
        remedy=f"move `{entity.name}` to `{_LAYER[rank]}`, or `{edge.parent}` to `{entity.layer}`"
        if direct
        else f"move `{entity.name}` to `{_LAYER[rank]}`",
    )
