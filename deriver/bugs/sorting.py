"""Sorted draws: ``a[1:3] <- sort(a0)``, the elements of a0 independent and alike, as an order of a's elements.

The sorted values have the density of unsorted ones where these are in order, times a constant; so a is drawn from the
distribution of a0 under ``ordered[j] ~ dbern(a[j+1] > a[j])`` with ordered[j] = 1.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from deriver.bugs.elaborate import Elaborated
from deriver.bugs.syntax import (
    Apply,
    Literal,
    Loop,
    Name,
    Operation,
    Program,
    Relation,
    Slice,
    Term,
    names_in,
)

Arrays = dict[str, np.ndarray]


def rewrite_sorts(program: Program, found: Elaborated) -> tuple[Program, Arrays] | None:
    """Return the program and its data with every such sort as an order; None if there is none."""
    arrays = {name: array for name, array in found.arrays.items() if name in found.given}
    relations = list(program.model)
    for relation in program.model:
        drawn = _drawn_alike(relation, found)
        if drawn is None:
            continue
        place = relations.index(drawn)
        target = dataclasses.replace(drawn.target, name=relation.target.name)
        relations[place] = dataclasses.replace(drawn, target=target)
        extent = found.extents[drawn.target.name][0]
        relations[relations.index(relation)] = _order(relation, drawn.loops[0], extent)
        arrays[_order_name(relation)] = np.ones(extent - 1)
    if len(relations) == len(program.model) and relations == list(program.model):
        return None
    return dataclasses.replace(program, model=tuple(relations)), arrays


def _drawn_alike(relation: Relation, found: Elaborated) -> Relation | None:
    """Return the statement of the values that a definition sorts, if they are alike and nothing else reads them."""
    match relation.expression:
        case Apply(function="sort", arguments=(Name() as inner,)):
            own = found.relations_of(inner.name)
            reading = [
                name
                for each in found.relations
                for term in each.terms()
                for name in names_in(term)
                if name.name == inner.name
            ]
            if len(own) != 1 or len(reading) != 1 or not own[0].stochastic or inner.name in found.arrays:
                return None
            (drawn,) = own
            loops = {loop.variable for loop in drawn.loops}
            alike = not any(name.name in loops for term in drawn.terms() for name in names_in(term))
            return drawn if alike and _is_plain(drawn, relation, found.extents[inner.name]) else None
    return None


def _is_plain(drawn: Relation, relation: Relation, extents: tuple[int, ...]) -> bool:
    """Tell whether both are whole vectors: one loop from 1 for the draws, a slice or nothing for the sorted."""
    subscripts = relation.target.subscripts
    sorted_whole = subscripts is None or len(subscripts) == 1 and isinstance(subscripts[0], Slice)
    first = drawn.loops[0].lower if drawn.loops else None
    from_one = isinstance(first, Literal) and float(first.text) == 1
    return (
        sorted_whole and not relation.loops and len(drawn.loops) == 1 and from_one and len(extents) == 1
        and extents[0] > 1 and drawn.target.subscripts == (Name(name=drawn.loops[0].variable, span=drawn.span),)
    )  # fmt: skip


def _order_name(relation: Relation) -> str:
    return f"{relation.target.name}.ordered"


def _order(relation: Relation, loop: Loop, extent: int) -> Relation:
    """Return the statement that each element is above the one before it."""
    span, name = relation.span, relation.target.name
    counter = Name(name=loop.variable, span=span)
    one = Literal(text="1", span=span)

    def element(place: Term) -> Term:
        return Name(name=name, subscripts=(place,), span=span)

    after = element(Operation(operator="+", left=counter, right=one, span=span))
    return Relation(
        target=Name(name=_order_name(relation), subscripts=(counter,), span=span),
        loops=(
            Loop(
                variable=loop.variable, lower=one, upper=Literal(text=str(extent - 1), span=span), span=span
            ),
        ),
        span=span,
        distribution="dbern",
        arguments=(Operation(operator=">", left=after, right=element(counter), span=span),),
        distribution_span=span,
    )
