"""The resolver: a ``Document`` to a ``Model``.

Input: lines as written.  Output: a model with names resolved, shapes and supports filled in, or ``ModelError``
with all the mistakes found.  Each step works on what the steps before it made of the parts without mistakes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from deriver.language.coverage import cover_nodes
from deriver.language.declare import declare_dimensions, declare_givens, declare_plates, declare_sizes
from deriver.language.demands import check_demands
from deriver.language.fixed import fix_elements
from deriver.language.graph import check_layers, find_edges, order_nodes
from deriver.language.inference import Inference, infer_shapes
from deriver.language.labels import check_labels
from deriver.language.mistakes import Mistakes
from deriver.language.names import refuse_name
from deriver.language.places import check_places
from deriver.language.recursions import check_recursions
from deriver.language.rewrite import substitute
from deriver.language.scope import Draft, Entity, Scope
from deriver.language.supports import Supports, find_supports
from deriver.language.syntax import Document
from deriver.language.targets import declare_targets
from deriver.model.expressions import Expression, Span
from deriver.model.records import (
    Argument,
    Deterministic,
    Given,
    Model,
    Node,
    Plate,
    Range,
    Statement,
    Stochastic,
    Support,
)

_ORIGINS = ("size", "dimension", "given")


def resolve(document: Document, mistakes: Mistakes) -> Model:
    """Return the model of a document; raise ``ModelError`` with every mistake, those of the reader included."""
    document = fix_elements(document)
    scope = Scope(document=document, mistakes=mistakes)
    reason = refuse_name(document.name, quantity=False) if document.name else None
    if reason:
        mistakes.add("name", reason[0], span=Span(1, 0, 1), remedy=reason[1])
    declare_names(scope)
    edges = find_edges(scope)
    order = order_nodes(scope, edges)
    check_layers(scope, edges, order)
    inference = infer_shapes(scope)
    check_recursions(scope, inference)
    supports = find_supports(scope, inference, order)
    check_demands(scope, inference, supports, order)
    check_labels(scope, inference, supports)
    _check_content(scope)
    mistakes.raise_any()
    return _assemble(scope, inference, supports)


def declare_names(scope: Scope) -> None:
    """Fill in the plates, givens, sizes, dimensions and nodes of a scope, with the places of all names checked."""
    declare_plates(scope)
    declare_givens(scope)
    declare_sizes(scope)
    declare_dimensions(scope)
    declare_targets(scope)
    cover_nodes(scope)
    check_places(scope)


def _check_content(scope: Scope) -> None:
    if not scope.document.statements and not scope.mistakes:
        scope.mistakes.add(
            "block",
            "the model states no node",
            span=Span(1, 0, 1),
            expected="at least one line with `~` under data, process or parameters",
        )


def _assemble(scope: Scope, inference: Inference, supports: Supports) -> Model:
    """Return the records, with every dimension replaced by what it turned out to be."""
    values = {name: inference.dimensions.resolve(each) for name, each in inference.dimensions.values.items()}
    document = scope.document
    nodes = tuple(_make_node(entity, inference, supports, values) for entity in scope.nodes.values())
    statements = tuple(
        _make_statement(draft, inference, position, values) for position, draft in enumerate(scope.drafts)
    )
    return Model(
        name=document.name,
        plates=tuple(_make_plate(plate, values) for plate in scope.plates.values()),
        givens=_make_givens(scope, values),
        statements=statements,
        nodes=nodes,
        comment=document.comment,
        source=document.source,
    )


def _make_plate(plate: Plate, values: Mapping[str, Expression]) -> Plate:
    lower, upper = substitute(plate.lower, values), substitute(plate.upper, values)
    return dataclasses.replace(plate, lower=lower, upper=upper)


def _make_givens(scope: Scope, values: Mapping[str, Expression]) -> tuple[Given, ...]:
    """Return sizes, dimensions and givens; a dimension that turned out to be another thing is gone."""
    kept = [given for given in scope.givens.values() if given.name not in values]
    return tuple(
        dataclasses.replace(
            given,
            shape=tuple(substitute(each, values) for each in given.shape),
            support=_substitute_support(given.support, values),
            default=_substitute_or_none(given.default, values),
        )
        for origin in _ORIGINS
        for given in kept
        if given.origin == origin
    )


def _substitute_or_none(expression: Expression | None, values: Mapping[str, Expression]) -> Expression | None:
    return substitute(expression, values) if expression is not None else None


def _substitute_support(support: Support, values: Mapping[str, Expression]) -> Support:
    lower, upper = _substitute_or_none(support.lower, values), _substitute_or_none(support.upper, values)
    return dataclasses.replace(support, lower=lower, upper=upper)


def _substitute_range(each: Range, values: Mapping[str, Expression]) -> Range:
    lower, upper = _substitute_or_none(each.lower, values), _substitute_or_none(each.upper, values)
    return dataclasses.replace(each, lower=lower, upper=upper)


def _make_node(
    entity: Entity, inference: Inference, supports: Supports, values: Mapping[str, Expression]
) -> Node:
    return Node(
        name=entity.name,
        kind="stochastic" if entity.stochastic else "deterministic",
        indices=entity.indices,
        ranges=tuple(_substitute_range(each, values) for each in entity.ranges),
        shape=tuple(inference.dimensions.resolve(each) for each in inference.shapes[entity.name].dims),
        support=_substitute_support(supports.nodes[entity.name], values),
        layer=entity.layer,
        partly=entity.stochastic and any(draft.line.partly or draft.line.fixed for draft in entity.drafts),
    )


def _make_statement(
    draft: Draft, inference: Inference, position: int, values: Mapping[str, Expression]
) -> Statement:
    ranges = tuple(_substitute_range(each, values) for each in draft.ranges)
    if draft.expression is not None:
        return Deterministic(
            name=draft.name,
            subscripts=draft.subscripts,
            expression=substitute(draft.expression, values),
            ranges=ranges,
            layer=draft.layer,
            transform=draft.transform,  # type: ignore[arg-type]
            implied=draft.implied,
            explicit_ranges=bool(draft.line.ranges),
            comment="" if draft.implied else draft.line.comment,
            span=draft.line.span,
        )
    choice = inference.choices[position]
    arguments = tuple(
        Argument(keyword=keyword, value=substitute(argument.value, values))
        for keyword, argument in zip(choice.form.keywords, choice.arguments, strict=True)
    )
    return Stochastic(
        name=draft.name,
        subscripts=draft.subscripts,
        family=choice.signature.key,
        arguments=arguments,
        truncation=_make_truncation(draft, values),
        ranges=ranges,
        layer=draft.layer,
        transform=draft.transform,  # type: ignore[arg-type]
        written=draft.written,
        short=choice.short,
        explicit_ranges=bool(draft.line.ranges),
        partly=draft.line.partly,
        fixed=_substitute_or_none(draft.line.fixed, values),
        comment=draft.line.comment,
        span=draft.line.span,
    )


def _make_truncation(
    draft: Draft, values: Mapping[str, Expression]
) -> tuple[Expression | None, Expression | None] | None:
    bounds = draft.line.truncation
    if bounds is None or bounds == (None, None):
        return None
    return _substitute_or_none(bounds[0], values), _substitute_or_none(bounds[1], values)
