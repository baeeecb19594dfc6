"""Normal vectors seen in part: ``Y[i,1:2] ~ dmnorm(mu[], tau[,])`` with some components missing.

A missing component z is drawn.  With the seen ones y and 0 in its place, the density of (y, 0) about mu - z e, e its unit
vector, is that of (y, z) about mu; so z has a flat prior there, and its full conditional is the normal one that it should
have.  Rows with all components, or none, stay as they are.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from deriver.bugs.censoring import Arrays, split_rows
from deriver.bugs.elaborate import Counters, Elaborated, target_place
from deriver.bugs.syntax import Literal, Name, Operation, Program, Relation, Slice, Term, names_in

NORMAL = ("dmnorm", "dmnorm.vcov")


def rewrite_partial_vectors(program: Program, found: Elaborated) -> tuple[Program, Arrays] | None:
    """Return the program and its data with such rows stated by what is missing; None if there are none."""
    arrays = {name: array for name, array in found.arrays.items() if name in found.given}
    relations = list(program.model)
    for relation in found.relations:
        patterns = _patterns(relation, found, arrays) if relation.distribution in NORMAL else {}
        partial = [missing for missing in patterns if missing.any() and not missing.all()]
        if partial and not _is_read(relation.target.name, relations):
            place = relations.index(relation)
            relations[place : place + 1] = _state(relation, patterns, found, arrays)
    if relations == list(program.model):
        return None
    return dataclasses.replace(program, model=tuple(relations)), arrays


class _Missing(tuple):
    """Which components are missing, as a key."""

    __slots__ = ()

    def any(self) -> bool:
        return any(self)

    def all(self) -> bool:
        return all(self)


def _patterns(relation: Relation, found: Elaborated, arrays: Arrays) -> dict[_Missing, list[Counters]]:
    """Return the rows of a relation by the components that are missing."""
    data = arrays.get(relation.target.name)
    rows: dict[_Missing, list[Counters]] = {}
    if data is None or not relation.loops or data.ndim != len(relation.target.subscripts or ()):
        return rows
    for counters in found.counts[relation]:
        value = data[target_place(relation.target, found.arrays, counters)]
        rows.setdefault(_Missing(np.isnan(np.ravel(value)).tolist()), []).append(counters)
    return rows


def _is_read(name: str, relations: list[Relation]) -> bool:
    return any(each.name == name for r in relations for term in r.terms() for each in names_in(term))


def _state(
    relation: Relation, patterns: dict[_Missing, list[Counters]], found: Elaborated, arrays: Arrays
) -> list[Relation]:
    data = arrays.pop(relation.target.name)
    whole = [row for missing, rows in patterns.items() if not missing.any() or missing.all() for row in rows]
    groups = [("known", _Missing([False] * data.shape[-1]), whole)] if whole else []
    groups += [
        (f"part{number}", missing, rows)
        for number, (missing, rows) in enumerate(patterns.items(), 1)
        if missing.any() and not missing.all()
    ]
    made: list[Relation] = []
    for word, missing, rows in groups:
        stated = _with_vector(split_rows(relation, rows, word, arrays)[0], data.shape[-1])
        seen = np.array([data[target_place(relation.target, found.arrays, row)] for row in rows])
        arrays[stated.target.name] = np.where(missing, 0.0, seen) if missing.any() else seen
        made += _shift(stated, missing, arrays)
    return made


def _with_vector(relation: Relation, length: int) -> Relation:
    """Return a relation whose left side, numbered by one loop, is a vector again."""
    span = relation.target.span
    one, last = (Literal(text=str(n), span=span) for n in (1, length))
    subscripts = (*(relation.target.subscripts or ()), Slice(lower=one, upper=last, span=span))
    return dataclasses.replace(
        relation, target=Name(name=relation.target.name, subscripts=subscripts, span=span)
    )


def _shift(relation: Relation, missing: _Missing, arrays: Arrays) -> list[Relation]:
    """Return the rows of one pattern about their mean less what is missing, and the missing components."""
    span = relation.target.span
    mean, spread = relation.arguments
    counter = (relation.target.subscripts or ())[:1]
    drawn: list[Relation] = []
    for place in np.flatnonzero(missing):
        unit = f"{relation.target.name}.unit{place + 1}"
        arrays[unit] = np.eye(len(missing))[place]
        z = Name(name=f"{relation.target.name}.missing{place + 1}", subscripts=counter, span=span)
        vector: Term = Name(name=unit, subscripts=(Slice(span=span),), span=span)
        moved = Operation(operator="*", left=z, right=vector, span=span)
        mean = Operation(operator="-", left=mean, right=moved, span=span)
        drawn.append(dataclasses.replace(relation, target=z, distribution="dflat", arguments=()))
    return [dataclasses.replace(relation, arguments=(mean, spread)), *drawn]
