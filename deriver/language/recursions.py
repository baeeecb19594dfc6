"""Definitions that refer to their own earlier elements: ``x[1] = x1`` and ``x[t] = a * x[t-1] for t in 2..T``.

Input: a scope with checked places, and the graph's order.  Output: mistakes for what is no such recursion: several rules,
first elements that are not the first ones, vectors, elements of a drawn node along the way.
Every earlier element that a rule names is known to exist (``places``), and to be earlier (``graph``).
"""

from __future__ import annotations

from collections.abc import Iterator

from deriver.language.dimensions import SCALAR
from deriver.language.inference import Inference
from deriver.language.rewrite import whole_number
from deriver.language.scope import Draft, Entity, Scope
from deriver.model.expressions import Number, Reference, references
from deriver.model.recursions import Rules, find_groups, find_inline


def recursion_groups(scope: Scope) -> tuple[tuple[str, ...], ...]:
    """Return the groups of definitions that are computed step by step."""
    return find_groups(_rules(scope))


def _rules(scope: Scope) -> Rules:
    return {
        name: [
            (draft.subscripts, draft.expression) for draft in entity.drafts if draft.expression is not None
        ]
        for name, entity in scope.nodes.items()
        if not entity.stochastic and entity.sound and not any(draft.implied for draft in entity.drafts)
    }


def check_recursions(scope: Scope, inference: Inference) -> None:
    """Record what cannot be computed step by step."""
    for entity in scope.nodes.values():
        several = len(entity.drafts) > 1 and not entity.stochastic and entity.sound
        if several and not any(draft.implied for draft in entity.drafts):
            _check_rules(scope, entity)
    if scope.mistakes:
        return
    for group in recursion_groups(scope):
        inline = find_inline(group, _rules(scope))
        entities = [scope.nodes[name] for name in group if name not in inline]
        _check_shapes(scope, entities, inference)
        along = _find_along(scope, group)
        if along is not None and not _check_same_start(scope, entities, along):
            continue
        for name in group if along is not None else ():
            for draft in scope.nodes[name].drafts:
                _check_steps(scope, draft, group, along or "")


def _check_rules(scope: Scope, entity: Entity) -> None:
    """A node with several definitions has its first elements one by one, and one rule for the others."""
    rules = [draft for draft in entity.drafts if not any(isinstance(s, Number) for s in draft.subscripts)]
    subset = any(each.subset for draft in entity.drafts for each in draft.ranges)
    if len(rules) == 1 and not subset and _is_last(entity, rules[0]):
        return
    second = entity.drafts[1]
    index = entity.indices[-1] if entity.indices else "t"
    name = entity.name
    scope.mistakes.add(
        "recursion",
        f"the definitions of `{name}` are not its first elements, one by one, and a rule for the others",
        span=second.span,
        expected=f"lines such as {name}[1] = ..., {name}[2] = ... and {name}[{index}] = ... for {index} in 3..T",
        remedy="put several rules into one, each times a given that is 1 where it holds and 0 elsewhere",
    )


def _is_last(entity: Entity, rule: Draft) -> bool:
    """Tell whether a rule holds for the elements after those that are stated by number."""
    place = next(
        k for draft in entity.drafts for k, each in enumerate(draft.subscripts) if isinstance(each, Number)
    )
    upper = entity.ranges[place].upper
    own = rule.ranges[place] if len(rule.ranges) == len(entity.ranges) else None
    return own is not None and own.upper == upper


def _check_shapes(scope: Scope, entities: list[Entity], inference: Inference) -> None:
    for entity in entities:
        if inference.shapes.get(entity.name, SCALAR) != SCALAR:
            scope.mistakes.add(
                "recursion",
                f"`{entity.name}` is computed from its own earlier elements, which are vectors",
                span=entity.drafts[0].span,
                expected="a number for each step",
                remedy=f"define each component under a name of its own, such as {entity.name}1 and {entity.name}2",
            )


def _find_along(scope: Scope, group: tuple[str, ...]) -> str | None:
    """Return the index along which a group is computed: that of the subscripts which are numbers on the left."""
    for name in group:
        entity = scope.nodes[name]
        for draft in entity.drafts:
            for index, each in zip(entity.indices, draft.subscripts, strict=True):
                if isinstance(each, Number):
                    return index
    return None


def _check_same_start(scope: Scope, entities: list[Entity], along: str) -> bool:
    """Nodes that are computed together begin together."""
    starts = {}
    for entity in entities:
        if along not in entity.indices:
            continue
        own = entity.ranges[entity.indices.index(along)]
        starts[entity.name] = (own.lower, own.upper)
    names = list(starts)
    different = next((name for name in names if starts[name] != starts[names[0]]), None)
    whole = all(entity.indices == entities[0].indices for entity in entities)
    number = all(lower is not None and whole_number(lower) is not None for lower, _ in starts.values())
    if different is None and whole and number:
        return True
    other = different or entities[-1].name
    scope.mistakes.add(
        "recursion",
        f"`{entities[0].name}` and `{other}` are computed from each other's earlier elements, over different ranges"
        if other != entities[0].name
        else f"the elements of `{other}` do not begin at a number",
        span=scope.nodes[other].drafts[0].span,
        expected="the same indices and the same first and last element, the first a number",
        remedy="state the first elements of both, and rules for the same range",
    )
    return False


def _check_steps(scope: Scope, draft: Draft, group: tuple[str, ...], along: str) -> None:
    for expression in draft.expressions():
        for found in references(expression):
            if found.name not in group and found.name in scope.nodes:
                _check_random(scope, draft, found, along)


def _check_random(scope: Scope, draft: Draft, found: Reference, along: str) -> None:
    """Elements of a drawn node that change with the step would each need the whole path at every update."""
    if not any(along in {part.name for part in references(each)} for each in found.subscripts):
        return
    drawn = next(_drawn(scope, found.name, along, set()), None)
    if drawn is None:
        return
    scope.mistakes.add(
        "recursion",
        f"`{draft.name}` is computed step by step from `{found.name}`, and `{drawn}` is drawn for each step",
        span=found.span,
        expected="data, givens, and nodes that are the same at all steps",
        remedy=f"let `{draft.name}` be random itself: state it with ~, its mean from its earlier element, in the place "
        f"of `{drawn}`",
    )


def _drawn(scope: Scope, name: str, along: str, seen: set[str]) -> Iterator[str]:
    """Yield the nodes with that index that are drawn, below a name."""
    entity = scope.nodes.get(name)
    if entity is None or name in seen:
        return
    seen.add(name)
    if entity.stochastic:
        line = entity.drafts[0].line
        if along in entity.indices and (entity.layer != "data" or line.partly):
            yield name
        return
    for draft in entity.drafts:
        for expression in draft.expressions():
            for found in references(expression):
                yield from _drawn(scope, found.name, along, seen)
