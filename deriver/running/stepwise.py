"""Deterministic nodes that rest on their own earlier elements, computed from the draws step by step.

Stage run, beside ``quantities``.  Input: a model, its layouts and an environment.  Output: arrays of their values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from deriver.model.expressions import Number, references
from deriver.model.records import Deterministic, Model
from deriver.model.recursions import find_groups, rules_of
from deriver.running.evaluate import Environment, Stored, evaluate
from deriver.running.layout import Layout
from deriver.running.values import Value, scalar

Rows = Mapping[str, np.ndarray]


def find_recursions(model: Model) -> tuple[tuple[str, ...], ...]:
    """Return the groups of deterministic nodes that refer to their own earlier elements."""
    rules = rules_of(model)
    return tuple(
        group
        for group in find_groups(rules)
        if any(found.name in group for name in group for _, body in rules[name] for found in references(body))
    )


def compute_steps(
    statements: Sequence[Deterministic], layouts: Mapping[str, Layout], rows: Mapping[str, Rows], env: Environment,
    lead: Mapping[str, int],
) -> dict[str, Stored]:  # fmt: skip
    """Return the values of a group of nodes, by name.

    ``rows`` hold the index values of the elements of each; ``lead`` are the axes before those of the plates, with their
    lengths, along which all values may differ.
    """
    shape = tuple(lead.values())
    made = {
        name: Stored(
            array=np.full((*shape, *layouts[name].extents), np.nan), layout=layouts[name], lead=tuple(lead)
        )
        for name in rows
    }
    env = replace(env, stored={**env.stored, **made})
    along = _find_along(statements, layouts)
    steps = sorted({int(place) for own in rows.values() for place in own[along]})
    order = _order(statements)
    for step in steps:
        for statement in order:
            if step in _steps_of(statement, statements, layouts[statement.name].indices.index(along), steps):
                here = {
                    i: values[rows[statement.name][along] == step]
                    for i, values in rows[statement.name].items()
                }
                _fill(statement, here, env)
    return made


def _find_along(statements: Sequence[Deterministic], layouts: Mapping[str, Layout]) -> str:
    return next(
        index
        for each in statements
        for index, subscript in zip(layouts[each.name].indices, each.subscripts, strict=True)
        if isinstance(subscript, Number)
    )


def _steps_of(
    statement: Deterministic, statements: Sequence[Deterministic], place: int, steps: Sequence[int]
) -> set[int]:
    """Return the values of the index that runs at which a statement holds."""
    own = statement.subscripts[place]
    if isinstance(own, Number):
        return {int(own.value)}
    others = [each.subscripts[place] for each in statements if each.name == statement.name]
    return set(steps) - {int(each.value) for each in others if isinstance(each, Number)}


def _order(statements: Sequence[Deterministic]) -> list[Deterministic]:
    """Return statements in an order in which a step can be computed: after those whose same element they use."""
    order: list[Deterministic] = []
    waiting = list(statements)
    while waiting:
        left = {each.name for each in waiting}
        ready = [
            each
            for each in waiting
            if not any(
                found.name in left - {each.name} and found.subscripts == each.subscripts
                for found in references(each.expression)
            )
        ]
        order += ready or waiting
        waiting = [each for each in waiting if each not in order]
    return order


def _fill(statement: Deterministic, here: Rows, env: Environment) -> None:
    """Write the elements that a statement defines at one step into the array of its node."""
    stored = env.stored[statement.name]
    indices = {index: scalar(values, ("element",)) for index, values in here.items()}
    value = evaluate(statement.expression, replace(env, indices={**env.indices, **indices}))
    places = stored.layout.locate(dict(here))[0]
    stored.array[(slice(None),) * len(stored.lead) + places] = _aligned(value, (*stored.lead, "element"))


def _aligned(value: Value, axes: tuple[str, ...]) -> np.ndarray:
    """Return the numbers of a value with all these axes, of length 1 where it has none."""
    plain = value.plain()
    plain = np.transpose(plain, [value.axes.index(axis) for axis in axes if axis in value.axes])
    return plain[tuple(slice(None) if axis in value.axes else None for axis in axes)]
