"""Elements without a response whose covariates are missing too: they say nothing, and are left out.

``Y[i,j] ~ dnorm(mu[i,j], tau)`` beside ``mu[i,j] <- alpha[i] + beta[i] * t[i,j]``, with Y and t both missing for the visits
that a patient did not have: the statements stand over the other elements only, numbered through by one loop.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from deriver.bugs.censoring import Arrays, split_rows, substitute
from deriver.bugs.elaborate import Counters, Elaborated, target_place
from deriver.bugs.evaluate import Unknown, evaluate
from deriver.bugs.recursion import replace_names
from deriver.bugs.syntax import Name, Program, Relation, Term, names_in
from deriver.language.mistakes import LineMistake


def leave_out_unobserved(program: Program, found: Elaborated) -> tuple[Program, Arrays] | None:
    """Return the program and its data without such elements; None if there are none."""
    arrays = {name: array for name, array in found.arrays.items() if name in found.given}
    relations = list(program.model)
    changed = [_leave_out(each, relations, found, arrays) for each in found.relations if each.stochastic]
    if not any(changed):
        return None
    return dataclasses.replace(program, model=tuple(relations)), arrays


def _leave_out(response: Relation, relations: list[Relation], found: Elaborated, arrays: Arrays) -> bool:
    """Number a response, and the definitions beside it, over the elements that are known; tell whether it was done."""
    data = arrays.get(response.target.name)
    if data is None or not np.isnan(data).any() or not response.loops:
        return False
    beside = [
        each for each in relations
        if not each.stochastic and each.loops == response.loops and _has_gaps(each, found)
        and not _stands_elsewhere(each, response, relations)
    ]  # fmt: skip
    parts = [response, *beside]
    kept = [
        counters for counters in found.counts[response]
        if not np.isnan(data[target_place(response.target, found.arrays, counters)]).all()
        or not any(_is_missing(part, found, counters) for part in parts)
    ]  # fmt: skip
    gaps = [part for part in parts if any(_is_missing(part, found, counters) for counters in kept)]
    if (
        gaps
        or len(kept) == len(found.counts[response])
        or not kept
        or len(relations_of(response, relations)) > 1
    ):
        return False
    values = np.array([data[target_place(response.target, found.arrays, counters)] for counters in kept])
    made = [_renumber(part, kept, arrays) for part in parts]
    renamed: dict[Name, Term] = {part.target: new.target for part, new in zip(parts, made, strict=True)}
    for part, new in zip(parts, made, strict=True):
        relations[relations.index(part)] = _rename(new, part, renamed, arrays)
    del arrays[response.target.name]
    arrays[made[0].target.name] = values
    return True


def relations_of(relation: Relation, relations: list[Relation]) -> list[Relation]:
    """Return the relations whose left side is the same node."""
    return [each for each in relations if each.target.name == relation.target.name]


def _has_gaps(relation: Relation, found: Elaborated) -> bool:
    return any(_is_missing(relation, found, counters) for counters in found.counts.get(relation, []))


def _is_missing(relation: Relation, found: Elaborated, counters: Counters) -> bool:
    """Tell whether data that stand in a relation are missing for an element."""
    for term in relation.terms():
        for name in names_in(term):
            if name.name in found.arrays and not found.is_node(name.name):
                try:
                    evaluate(name, found.arrays, counters)
                except Unknown:
                    return True
                except LineMistake:
                    return False
    return False


def _stands_elsewhere(definition: Relation, response: Relation, relations: list[Relation]) -> bool:
    """Tell whether a definition stands in a statement over other loops, or with other subscripts."""
    name = definition.target.name
    for each in relations:
        for term in each.terms():
            for other in names_in(term):
                if other.name == name and (each.loops != response.loops or other != definition.target):
                    return True
    return len(relations_of(definition, relations)) > 1


def _renumber(part: Relation, kept: list[Counters], arrays: Arrays) -> Relation:
    return split_rows(part, kept, "known", arrays)[0]


def _rename(new: Relation, part: Relation, renamed: dict[Name, Term], arrays: Arrays) -> Relation:
    """Return a relation over the known elements, in which the others of them have their new names."""
    counter = new.target.subscripts or ()
    columns: dict[str, Term] = {
        loop.variable: Name(
            name=f"{loop.variable}.known.{part.target.name}", subscripts=counter, span=part.span
        )
        for loop in part.loops
    }

    def rewrite(term: Term) -> Term:
        return substitute(replace_names(term, renamed), columns)

    expression = None if part.expression is None else rewrite(part.expression)
    bounds = part.bounds
    if bounds is not None:
        lower, upper = (None if each is None else rewrite(each) for each in (bounds.lower, bounds.upper))
        bounds = dataclasses.replace(bounds, lower=lower, upper=upper)
    return dataclasses.replace(
        new, expression=expression, arguments=tuple(map(rewrite, part.arguments)), bounds=bounds
    )
