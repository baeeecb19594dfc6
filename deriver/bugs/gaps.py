"""Binary states of which each unit has others, ``for (t in (first[i]+1):T) { x[i,t] ~ dbern(phi * x[i,t-1]) }``.

The states that the program does not state stand in the rectangle as 1, seen, of a probability that no parameter enters:
``x[i,t] ~ dbern(x.drawn[i,t] * phi * x[i,t-1] + 1 - x.drawn[i,t])``, whose log is 0 where x.drawn is 0.
First states that are data, and on which others recur, are stated as seen, by a probability of a half.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from deriver.bugs.censoring import Arrays
from deriver.bugs.elaborate import Elaborated, target_place
from deriver.bugs.evaluate import Unknown, evaluate
from deriver.bugs.syntax import Literal, Loop, Name, Operation, Program, Relation, Slice, Term, names_in
from deriver.language.mistakes import LineMistake


def fill_gaps(program: Program, found: Elaborated) -> tuple[Program, Arrays] | None:
    """Return the program and its data with such states over rectangles; None if there are none."""
    arrays = {name: array for name, array in found.arrays.items() if name in found.given}
    relations = list(program.model)
    for relation in found.relations:
        if _is_binary(relation) and len(relation.loops) > 1:
            _fill(relation, relations, found, arrays)
        if _is_binary(relation) and relation in relations:
            _state_seen_starts(relation, relations, found, arrays)
    if relations == list(program.model):
        return None
    return dataclasses.replace(program, model=tuple(relations)), arrays


def _is_binary(relation: Relation) -> bool:
    match relation.distribution, relation.arguments:
        case "dbern", (_,):
            return relation.bounds is None
        case (("dbin" | "dbinom"), (_, Literal(text=text))):
            return float(text) == 1 and relation.bounds is None
    return False


def _fill(relation: Relation, relations: list[Relation], found: Elaborated, arrays: Arrays) -> None:
    """State the states of a relation over the rectangle around them, if they leave some of it out."""
    name, span = relation.target.name, relation.target.span
    drawn, known = _drawn(relation, found), _known(relation, found)
    if drawn is None or known is None:
        return
    seen = arrays.get(name, np.full(drawn.shape, np.nan))
    if seen.shape != drawn.shape or not np.isnan(seen[drawn]).any():
        return
    known = np.where(~drawn & np.isnan(known), seen, known)
    moving = [k for k, loop in enumerate(relation.loops) if names_in_bounds(loop, relation)]
    if len(moving) != 1 or not drawn.any() or (drawn & ~np.isnan(known)).any():
        return
    (lag,) = moving
    places = np.argwhere(drawn)[:, lag]
    low = int(places.min())
    if places.max() + 1 != drawn.shape[lag] or np.moveaxis(drawn, lag, 0)[low:].all():
        return
    loops = tuple(_whole(loop, relation, found) for loop in relation.loops)
    weight = Name(name=f"{name}.drawn", subscripts=relation.target.subscripts, span=span)
    one = Literal(text="1", span=span)
    masked = Operation(operator="*", left=weight, right=relation.arguments[0], span=span)
    rest = Operation(operator="-", left=one, right=weight, span=span)
    value = Operation(operator="+", left=masked, right=rest, span=span)
    arrays[f"{name}.drawn"] = drawn.astype(float)
    arrays[name] = np.where(drawn, seen, np.where(np.isnan(known), 1.0, known))
    place = relations.index(relation)
    relations[place] = dataclasses.replace(
        relation, loops=loops, distribution="dbern", arguments=(value, *relation.arguments[2:])
    )
    if low:
        relations.insert(place, _starts(relation, lag, low, drawn.shape))
    for each in [each for each in relations if each.target.name == name and not each.stochastic]:
        relations.remove(each)
    for position, each in enumerate(relations):
        if not each.stochastic and each.loops == relation.loops:
            relations[position] = dataclasses.replace(each, loops=loops)


def _state_seen_starts(
    relation: Relation, relations: list[Relation], found: Elaborated, arrays: Arrays
) -> None:
    """State the first elements of states that recur on them, where they are data and no statement has them."""
    name = relation.target.name
    drawn, data = _drawn(relation, found), arrays.get(name)
    recurs = any(each.name == name for term in relation.terms() for each in names_in(term))
    if drawn is None or data is None or not recurs or len(found.relations_of(name)) > 1:
        return
    late = [k for k in range(drawn.ndim) if np.argwhere(drawn)[:, k].min() > 0]
    if len(late) != 1 or data.shape != drawn.shape:
        return
    (lag,) = late
    low = int(np.argwhere(drawn)[:, lag].min())
    before = np.moveaxis(data, lag, 0)[:low]
    if np.moveaxis(drawn, lag, 0)[low:].all() and not np.isnan(before).any():
        relations.insert(relations.index(relation), _starts(relation, lag, low, drawn.shape))


def _drawn(relation: Relation, found: Elaborated) -> np.ndarray | None:
    """Return which elements a relation draws; None unless each loop variable is a subscript alone or by a step."""
    drawn = np.zeros(found.extents[relation.target.name], dtype=bool)
    subscripts = relation.target.subscripts or ()
    if any(isinstance(each, Slice) for each in subscripts) or len(subscripts) != len(relation.loops):
        return None
    if any(each != Name(name=loop.variable, span=each.span)
           for each, loop in zip(subscripts, relation.loops, strict=True)):  # fmt: skip
        return None
    for counters in found.counts[relation]:
        drawn[target_place(relation.target, found.arrays, counters)] = True
    return drawn


def _known(relation: Relation, found: Elaborated) -> np.ndarray | None:
    """Return the numbers that definitions give some elements, NaN elsewhere; None for one that is random."""
    known = np.full(found.extents[relation.target.name], np.nan)
    for each in found.relations_of(relation.target.name):
        if each is relation:
            continue
        if each.stochastic or each.link or each.expression is None:
            return None
        for counters in found.counts[each]:
            try:
                value = evaluate(each.expression, found.arrays, counters)
            except (Unknown, LineMistake):
                return None
            known[target_place(each.target, found.arrays, counters)] = value
    return known


def _whole(loop: Loop, relation: Relation, found: Elaborated) -> Loop:
    """Return a loop over all the values that its variable has, whatever the others are."""
    if not names_in_bounds(loop, relation):
        return loop
    values = [counters[loop.variable] for counters in found.counts[relation]]
    lower, upper = (Literal(text=str(n), span=loop.span) for n in (min(values), max(values)))
    return dataclasses.replace(loop, lower=lower, upper=upper)


def names_in_bounds(loop: Loop, relation: Relation) -> bool:
    """Tell whether the bounds of a loop rest on the variable of another."""
    others = {each.variable for each in relation.loops}
    return any(name.name in others for bound in (loop.lower, loop.upper) for name in names_in(bound))


def _starts(relation: Relation, lag: int, below: int, shape: tuple[int, ...]) -> Relation:
    """Return the statement of the elements before the first drawn one: all seen, by a probability of a half."""
    span = relation.target.span
    loops = []
    for position, loop in enumerate(relation.loops):
        upper: Term = Literal(text=str(below if position == lag else shape[position]), span=span)
        loops.append(
            dataclasses.replace(loop, lower=Literal(text="1", span=span), upper=upper, span=loop.span)
        )
    return dataclasses.replace(
        relation, loops=tuple(loops), distribution="dbern", arguments=(Literal(text="0.5", span=span),)
    )
