"""Steps → those of discrete nodes that are chains, which are drawn whole."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from sympy import Symbol

from deriver.derivation.path_check import check_path
from deriver.derivation.paths import find_path
from deriver.derivation.records import Conditional, Derivation
from deriver.plan.layout import Space
from deriver.plan.records import Path, Step
from deriver.plan.statistics import Hoisting

# A sequence is weighed for every pair of values: beyond so many values, one element after another is cheaper.
MOST_VALUES = 24


def draw_paths(
    derivation: Derivation, steps: tuple[Step, ...], space: Space, hoisting: Hoisting, chosen: Collection[str]
) -> tuple[Step, ...]:
    """Return the steps, those of discrete chains with the two parts of their density; ``chosen`` nodes are left."""
    return tuple(
        _with_path(derivation, step, space, hoisting)
        if step.method == "enumerate" and step.node not in chosen
        else step
        for step in steps
    )


def _with_path(derivation: Derivation, step: Step, base: Space, hoisting: Hoisting) -> Step:
    conditional = step.conditional
    if _count_values(conditional) > MOST_VALUES:
        return step
    found = find_path(conditional)
    axis = _axis_along(conditional, found.along, base) if found is not None else None
    if found is None or axis is None:
        return step
    if not check_path(derivation, conditional, found):
        return step
    space = base.extend(conditional.ranges)
    path = Path(own=hoisting.rewrite(found.own, space), link=hoisting.rewrite(found.link, space), axis=axis)
    return replace(step, path=path)


def _count_values(conditional: Conditional) -> int:
    """Return how many values an element has, 0 where the data tell."""
    _, lower, upper = conditional.support
    assert lower is not None and upper is not None
    count = upper - lower + 1
    return int(count) if count.is_Integer else 0


def _axis_along(conditional: Conditional, along: Symbol, base: Space) -> int | None:
    """Return the axis of the array, counted from its end, on which neighbours lie next to each other; None if on none.

    Rows of a ragged plate lie one after another, those of the inner index next to each other.
    """
    axes = base.extend(conditional.ranges).axes(conditional.indices, as_given=True)
    place = next(k for k, axis in enumerate(axes) if along in axis.indices)
    return place - len(axes) if axes[place].last == along else None
