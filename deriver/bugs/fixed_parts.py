"""Probability vectors of which some components are fixed: each becomes a vector of its free components, and definitions.

``error[2,1:2] ~ ddirch(a[1:2])`` beside ``error[2,3] <- 0`` is ``error.free1[1:2] ~ ddirch(a[1:2])`` beside
``error[2,1] <- error.free1[1]`` and so on.  A component whose parameter is 0, as JAGS allows, is 0, and the others have the
Dirichlet distribution of their own parameters (JAGS user manual, Plummer 2017, section 9.2.4).
"""

from __future__ import annotations

import dataclasses

import numpy as np

from deriver.bugs.censoring import Arrays, substitute
from deriver.bugs.elaborate import Counters, Elaborated, target_place
from deriver.bugs.evaluate import Unknown, evaluate
from deriver.bugs.syntax import Literal, Name, Program, Relation, Slice, Term, with_terms
from deriver.language.mistakes import LineMistake

DIRICHLET = ("ddirch", "ddirich")
MOST_ROWS = 60


def rewrite_fixed_parts(program: Program, found: Elaborated) -> tuple[Program, Arrays] | None:
    """Return the program and its data with such vectors stated by their free components; None if there are none."""
    arrays = {name: array for name, array in found.arrays.items() if name in found.given}
    relations = list(program.model)
    names = [
        each.target.name
        for each in found.relations
        if each.distribution in DIRICHLET and len(found.counts[each]) <= MOST_ROWS
    ]
    for name in dict.fromkeys(names):
        if _has_fixed_parts(name, found):
            _state_free(name, relations, found, arrays)
    if relations == list(program.model):
        return None
    return dataclasses.replace(program, model=tuple(relations)), arrays


def _has_fixed_parts(name: str, found: Elaborated) -> bool:
    """Tell whether some component of a node's vectors is fixed, and none that is drawn was seen."""
    own = found.relations_of(name)
    drawn = [each for each in own if each.stochastic]
    if any(each.distribution not in DIRICHLET or each.bounds for each in drawn):
        return False
    places = [
        target_place(each.target, found.arrays, counters) for each in drawn for counters in found.counts[each]
    ]
    data = found.arrays.get(name)
    if any(sum(isinstance(part, slice) for part in place) != 1 for place in places):
        return False
    if data is not None and any(not np.isnan(data[place]).all() for place in places):
        return False
    lengths = {_length(place) for place in places}
    zeros = any(
        (_parameter(each, counters, found) == 0).any() for each in drawn for counters in found.counts[each]
    )
    return len(own) > len(drawn) or len(lengths) > 1 or zeros or data is not None


def _length(place: tuple[int | slice, ...]) -> int:
    (part,) = (each for each in place if isinstance(each, slice))
    return int(part.stop - part.start)


def _parameter(relation: Relation, counters: Counters, found: Elaborated) -> np.ndarray:
    """Return the parameter of a row, ones where it is not known from the data."""
    try:
        return evaluate(relation.arguments[0], found.arrays, counters)
    except (Unknown, LineMistake, IndexError):
        return np.ones(1)


def _state_free(name: str, relations: list[Relation], found: Elaborated, arrays: Arrays) -> None:
    """Put statements of the free components, and definitions of all, in the place of a node's statements."""
    data = arrays.pop(name, None)
    stated = np.zeros(found.extents[name], dtype=bool)
    number = 0
    for relation in found.relations_of(name):
        if not relation.stochastic:
            continue
        made: list[Relation] = []
        for counters in found.counts[relation]:
            number += 1
            place = target_place(relation.target, found.arrays, counters)
            stated[place] = True
            made += _row(relation, counters, place, f"{name}.free{number}", found, arrays)
        at = relations.index(relation)
        relations[at : at + 1] = made
    if data is not None:
        (first, *_) = (each for each in found.relations_of(name) if each.stochastic)
        relations += [
            _define(first, tuple(int(k) for k in key), _number(data[tuple(key)], first))
            for key in np.argwhere(~stated & ~np.isnan(data))
        ]


def _row(
    relation: Relation, counters: Counters, place: tuple[int | slice, ...], free: str, found: Elaborated,
    arrays: Arrays,
) -> list[Relation]:  # fmt: skip
    """Return the statement of the free components of one row, and the definitions of its components."""
    span, length = relation.span, _length(place)
    parameter = _parameter(relation, counters, found)
    zero = parameter == 0 if parameter.shape == (length,) else np.zeros(length, dtype=bool)
    left = np.flatnonzero(~zero)
    rules: dict[str, Term] = {name: _number(value, relation) for name, value in counters.items()}
    plain = with_terms(relation, lambda term: substitute(term, rules))
    if zero.any():
        arrays[f"{free}.parameter"] = parameter[left]
        whole = Name(name=f"{free}.parameter", subscripts=(Slice(span=span),), span=span)
        plain = dataclasses.replace(plain, arguments=(whole,))
    extent = Slice(lower=_number(1, relation), upper=_number(len(left), relation), span=span)
    target = Name(name=free, subscripts=(extent,), span=relation.target.span)
    made = [dataclasses.replace(plain, target=target, loops=())] if len(left) > 1 else []
    for component in range(length):
        key = tuple(each.start + component if isinstance(each, slice) else int(each) for each in place)
        if zero[component]:
            value: Term = _number(0, relation)
        elif len(left) == 1:
            value = _number(1, relation)
        else:
            position = _number(int(np.searchsorted(left, component)) + 1, relation)
            value = Name(name=free, subscripts=(position,), span=span)
        made.append(_define(relation, key, value))
    return made


def _number(value: float, at: Relation) -> Literal:
    whole = float(value) == int(value)
    return Literal(text=str(int(value)) if whole else repr(float(value)), span=at.span)


def _define(relation: Relation, key: tuple[int, ...], value: Term) -> Relation:
    """Return the definition of an element; ``key`` counts from 0."""
    subscripts = tuple(_number(each + 1, relation) for each in key)
    target = dataclasses.replace(relation.target, subscripts=subscripts)
    return Relation(target=target, loops=(), span=relation.span, expression=value)
