"""Show stage: fixed elements of random nodes are left out, as they have no conditional."""

from __future__ import annotations

from dataclasses import replace

from deriver.derivation.conditionals import derive
from deriver.derivation.records import Derivation
from deriver.model.records import Model, Node, Range, Stochastic


def without_fixed(derivation: Derivation) -> Derivation:
    """Return the derivation of the elements that are drawn, where some of a node are fixed by the model."""
    model = derivation.model
    fixed = [each for each in model.statements if isinstance(each, Stochastic) and each.fixed is not None]
    if not fixed:
        return derivation
    names = {statement.name for statement in fixed}
    kept = tuple(statement for statement in model.statements if statement not in fixed)
    nodes = tuple(_narrowed(node, model, kept) if node.name in names else node for node in model.nodes)
    return derive(replace(model, statements=kept, nodes=nodes))


def _narrowed(node: Node, model: Model, kept: tuple) -> Node:
    """Return a node over the elements that its distribution covers, where that is one; else as it is."""
    own = [statement for statement in kept if statement.name == node.name]
    ranges: dict[str, Range] = {place.index: place for place in own[0].ranges} if len(own) == 1 else {}
    return replace(node, ranges=tuple(ranges.get(place.index, place) for place in node.ranges))
