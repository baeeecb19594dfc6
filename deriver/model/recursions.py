"""Which definitions refer to their own earlier elements, by themselves or through each other.

Input: for each deterministic node its statements, as (subscripts of the left side, expression).  Output: groups of nodes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deriver.model.expressions import Expression, Number, references
from deriver.model.records import Deterministic, Model

Rules = Mapping[str, Sequence[tuple[tuple[Expression, ...], Expression]]]


def rules_of(model: Model) -> dict[str, list[tuple[tuple[Expression, ...], Expression]]]:
    """Return the statements of each deterministic node."""
    rules: dict[str, list[tuple[tuple[Expression, ...], Expression]]] = {}
    for each in model.statements:
        if isinstance(each, Deterministic):
            rules.setdefault(each.name, []).append((each.subscripts, each.expression))
    return rules


def find_groups(rules: Rules) -> tuple[tuple[str, ...], ...]:
    """Return the groups of nodes that are computed step by step, in the order in which they are stated.

    A node is in one that has itself among what it rests on, or that is stated element by element.
    """
    uses = {
        name: {found.name for _, body in own for found in references(body) if found.name in rules}
        for name, own in rules.items()
    }
    reach = {name: _reach(name, uses) for name in rules}
    groups: list[tuple[str, ...]] = []
    for name, own in rules.items():
        if any(name in group for group in groups):
            continue
        if name in reach[name]:
            groups.append(tuple(other for other in rules if other in reach[name] and name in reach[other]))
        elif any(isinstance(each, Number) for subscripts, _ in own for each in subscripts):
            groups.append((name,))
    return tuple(groups)


def _reach(name: str, uses: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [name]
    while waiting:
        new = uses[waiting.pop()] - found
        found |= new
        waiting += new
    return found


def find_inline(group: tuple[str, ...], rules: Rules) -> frozenset[str]:
    """Return the nodes of a group that need no path of their own: one rule, of which only the same element is used."""
    lagged = set()
    for name in group:
        for subscripts, body in rules[name]:
            for found in references(body):
                if found.name in group and (found.name == name or found.subscripts != subscripts):
                    lagged.add(found.name)
    stated = {
        name for name in group
        if len(rules[name]) > 1 or any(isinstance(each, Number) for each in rules[name][0][0])
    }  # fmt: skip
    return frozenset(group) - lagged - stated
