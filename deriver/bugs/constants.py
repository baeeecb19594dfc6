"""Elements that the data give and nothing states, ``thresh[1]`` beside ``thresh[k] ~ dnorm(k + 0.5, 0.25)`` for k in 2..3.

They are numbers: the program is rewritten to define them, ``thresh[1] <- 1.5``, so that the others are drawn beside them.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from deriver.bugs.elaborate import Elaborated, target_place
from deriver.bugs.syntax import Literal, Program, Relation

Arrays = dict[str, np.ndarray]


def state_constants(program: Program, found: Elaborated) -> tuple[Program, Arrays] | None:
    """Return the program and its data with such elements defined; None if there are none."""
    arrays = {name: array for name, array in found.arrays.items() if name in found.given}
    made: list[Relation] = []
    for name in dict.fromkeys(each.target.name for each in found.relations if each.stochastic):
        if name in arrays:
            made += _take_constants(name, found, arrays)
    if not made:
        return None
    return dataclasses.replace(program, model=(*made, *program.model)), arrays


def _take_constants(name: str, found: Elaborated, arrays: Arrays) -> list[Relation]:
    """Return the definitions of a node's elements that no relation states, and take them out of the data."""
    own, data = found.relations_of(name), arrays[name]
    if any(not each.target.subscripts for each in own) or data.shape != found.extents[name]:
        return []
    stated = np.zeros(data.shape, dtype=bool)
    for relation in own:
        for counters in found.counts[relation]:
            stated[target_place(relation.target, found.arrays, counters)] = True
    alone = ~stated & ~np.isnan(data)
    if not alone.any() or not np.isnan(data[stated]).all():
        return []
    left = np.where(alone, np.nan, data)
    arrays[name] = left
    if np.isnan(left).all():
        del arrays[name]
    return [_define(own[0], place, float(data[place])) for place in zip(*np.nonzero(alone), strict=True)]


def _define(relation: Relation, place: tuple[int, ...], value: float) -> Relation:
    span = relation.target.span
    subscripts = tuple(Literal(text=str(int(each) + 1), span=span) for each in place)
    return Relation(
        target=dataclasses.replace(relation.target, subscripts=subscripts), loops=(), span=relation.span,
        expression=Literal(text=repr(value), span=span),
    )  # fmt: skip
