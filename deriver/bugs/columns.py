"""Rows of probabilities that several definitions make up: each column becomes a name of its own.

``p[i,1] <- ...; p[i,2] <- ...; y[i] ~ dcat(p[i,])`` is read as ``y[i] ~ dcat(c(p.1[i], p.2[i]))``, and so are arrays that
these definitions read column by column.  Without it the row would be a sum of pieces, each by a mask.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping

import numpy as np

from deriver.bugs.censoring import substitute
from deriver.bugs.elaborate import Elaborated
from deriver.bugs.evaluate import Unknown, whole
from deriver.bugs.syntax import (
    Apply,
    Literal,
    Minus,
    Name,
    Operation,
    Program,
    Relation,
    Slice,
    Term,
    names_in,
)
from deriver.language.mistakes import LineMistake

MOST_COLUMNS = 30
Arrays = dict[str, np.ndarray]


def split_columns(program: Program, found: Elaborated) -> tuple[Program, Arrays] | None:
    """Return the program with such rows as columns, and its data; None if it has none."""
    rows = {name for name in _names_of_rows(found) if _is_defined(name, found.relations)}
    if not rows:
        return None
    relations = [each for relation in program.model for each in _unroll(relation, rows, found)]
    read = {
        name.name
        for each in relations
        if each.target.name in rows
        for term in each.terms()
        for name in names_in(term)
    }
    split = {name for name in rows | read if name in found.extents and _is_split(name, relations, found)}
    if not rows & split:
        return None
    names = {name: _column_names(name, found) for name in split}
    model = tuple(_rename_relation(each, names, found) for each in relations)
    arrays = {name: array for name, array in found.arrays.items() if name in found.given}
    return dataclasses.replace(program, model=model), arrays


def _names_of_rows(found: Elaborated) -> Iterator[str]:
    """Yield the nodes of which a row stands as the probabilities of a categorical or multinomial node."""
    for relation in found.relations:
        if relation.distribution in ("dcat", "dmulti", "dmultinom"):
            row = relation.arguments[0] if relation.arguments else None
            if isinstance(row, Name) and row.subscripts and isinstance(row.subscripts[-1], Slice):
                yield row.name


def _is_defined(name: str, relations: list[Relation]) -> bool:
    own = [each for each in relations if each.target.name == name]
    return len(own) > 1 and not any(each.stochastic for each in own)


def _unroll(relation: Relation, rows: set[str], found: Elaborated) -> list[Relation]:
    """Return a definition of a row for each value of the loops that move along the row."""
    last = (relation.target.subscripts or ())[-1:]
    moving = {name.name for each in last for name in names_in(each)}
    loops = [loop for loop in relation.loops if loop.variable in moving]
    if relation.target.name not in rows or not loops:
        return [relation]
    try:
        ranges = [
            range(whole(loop.lower, found.arrays, {}), whole(loop.upper, found.arrays, {}) + 1)
            for loop in loops
        ]
    except (Unknown, LineMistake):
        return [relation]
    if sum(map(len, ranges)) > MOST_COLUMNS:
        return [relation]
    kept = tuple(loop for loop in relation.loops if loop not in loops)
    made = []
    for values in itertools.product(*ranges):
        rules: dict[str, Term] = {
            loop.variable: Literal(text=str(value), span=loop.span)
            for loop, value in zip(loops, values, strict=True)
        }
        target, expression = substitute(relation.target, rules), relation.expression
        assert isinstance(target, Name) and expression is not None
        made.append(
            dataclasses.replace(relation, target=target, loops=kept, expression=substitute(expression, rules))
        )
    return made


def _is_split(name: str, relations: list[Relation], found: Elaborated) -> bool:
    """Tell whether a node is defined, and read, column by column or by whole rows."""
    if not _is_defined(name, relations) or not 1 < found.extents[name][-1] <= MOST_COLUMNS:
        return False
    standing = [n for each in relations for term in (each.target, *each.terms()) for n in names_in(term)]
    return all(_columns(each, found) is not None for each in standing if each.name == name)


def _columns(name: Name, found: Elaborated) -> range | None:
    """Return the columns that a name with subscripts means, None where they are not known."""
    if name.subscripts is None or len(name.subscripts) != len(found.extents[name.name]):
        return None
    last, extent = name.subscripts[-1], found.extents[name.name][-1]
    try:
        if not isinstance(last, Slice):
            value = whole(last, found.arrays, {})
            return range(value, value + 1)
        low = 1 if last.lower is None else whole(last.lower, found.arrays, {})
        high = extent if last.upper is None else whole(last.upper, found.arrays, {})
    except (Unknown, LineMistake):
        return None
    return range(low, high + 1) if 1 <= low <= high <= extent else None


def _column_names(name: str, found: Elaborated) -> list[str]:
    taken = {*found.extents, *found.arrays}
    mark = "."
    while any(f"{name}{mark}{k + 1}" in taken for k in range(found.extents[name][-1])):
        mark += "."
    return [f"{name}{mark}{k + 1}" for k in range(found.extents[name][-1])]


def _rename_relation(relation: Relation, names: Mapping[str, list[str]], found: Elaborated) -> Relation:
    def rename(term: Term) -> Term:
        return _rename(term, names, found)

    target = rename(relation.target)
    assert isinstance(target, Name)
    bounds = relation.bounds
    if bounds is not None:
        lower, upper = (None if each is None else rename(each) for each in (bounds.lower, bounds.upper))
        bounds = dataclasses.replace(bounds, lower=lower, upper=upper)
    expression = None if relation.expression is None else rename(relation.expression)
    arguments = tuple(map(rename, relation.arguments))
    return dataclasses.replace(
        relation, target=target, expression=expression, arguments=arguments, bounds=bounds
    )


def _rename(term: Term, names: Mapping[str, list[str]], found: Elaborated) -> Term:
    match term:
        case Name(name=name, subscripts=subscripts) if subscripts is not None:
            inner = tuple(_rename(each, names, found) for each in subscripts)
            whole_name = Name(name=name, subscripts=inner, span=term.span)
            columns = _columns(whole_name, found) if name in names else None
            if columns is None:
                return whole_name
            made = [
                Name(name=names[name][k - 1], subscripts=inner[:-1] or None, span=term.span) for k in columns
            ]
            if not isinstance(inner[-1], Slice):
                return made[0]
            return Apply(function="c", arguments=tuple(made), span=term.span)
        case Apply(function=function, arguments=arguments):
            inside = tuple(_rename(each, names, found) for each in arguments)
            return Apply(function=function, arguments=inside, span=term.span)
        case Operation(operator=operator, left=left, right=right):
            one, two = _rename(left, names, found), _rename(right, names, found)
            return Operation(operator=operator, left=one, right=two, span=term.span)
        case Minus(operand=operand):
            return Minus(operand=_rename(operand, names, found), span=term.span)
    return term
