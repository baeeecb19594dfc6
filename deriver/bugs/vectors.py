"""Definitions of whole vectors, ``mu <- alpha + X %*% beta``, as a loop over their elements.

Input: a program and the arrays of its data.  Output: the program in which such a definition is
``for (i in 1:n) { mu[i] <- alpha + inprod(X[i,], beta[]) }``, and a product of two vectors is ``inprod``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np

from deriver.bugs.syntax import (
    Apply,
    Literal,
    Loop,
    Minus,
    Name,
    Operation,
    Program,
    Relation,
    Slice,
    Term,
    names_in,
    parts,
)

Ranks = Mapping[str, int]
BY_ELEMENT = (
    "exp", "log", "sqrt", "abs", "logit", "ilogit", "phi", "probit", "cloglog", "icloglog", "pow", "step", "equals", "sin",
    "cos", "loggam", "logfact", "trunc",
)  # fmt: skip


def write_out_vectors(program: Program, data: Mapping[str, np.ndarray]) -> Program:
    """Return the program with definitions of vectors by ``%*%`` written out."""
    ranks = {each.target.name: len(each.target.subscripts or ()) for each in program.model}
    ranks |= {name: array.ndim for name, array in data.items()}
    bent = {name for each in program.model for term in each.terms() for name in _bent(term, ranks)}
    model = (_write_elements(_write_out(each, ranks, data), ranks, bent) for each in program.model)
    return dataclasses.replace(program, model=tuple(model))


def _has_product(term: Term) -> bool:
    own = isinstance(term, Operation) and term.operator == "%*%"
    return own or any(_has_product(each) for each in parts(term))


def _write_out(relation: Relation, ranks: Ranks, data: Mapping[str, np.ndarray]) -> Relation:
    expression, target = relation.expression, relation.target
    if expression is None or not _has_product(expression):
        return relation
    whole = (
        target.subscripts is None or len(target.subscripts) == 1 and isinstance(target.subscripts[0], Slice)
    )
    if not whole or _rank(expression, ranks) != 1:
        return dataclasses.replace(relation, expression=_element(expression, None, ranks))
    length = _length(expression, data)
    if length is None:
        return relation
    counter = Name(name=f"{target.name}.row", span=target.span)
    one, last = (Literal(text=str(n), span=target.span) for n in (1, length))
    loop = Loop(variable=counter.name, lower=one, upper=last, span=target.span)
    return dataclasses.replace(
        relation, target=dataclasses.replace(target, subscripts=(counter,)), loops=(*relation.loops, loop),
        expression=_element(expression, counter, ranks),
    )  # fmt: skip


def _bent(term: Term, ranks: Ranks) -> Iterator[str]:
    """Yield the arrays of which the elements are meant, as that of ``sum(res^2)``."""
    if _is_by_element(term, ranks):
        yield from (each.name for each in names_in(term) if _rank(each, ranks))
    for each in parts(term):
        yield from _bent(each, ranks)


def _write_elements(relation: Relation, ranks: Ranks, bent: set[str]) -> Relation:
    """Return a definition of an array by operations on its elements, ``b[1:p] <- z[1:p] / s[1:p]``, as a loop over these."""
    expression, target = relation.expression, relation.target
    slices = [each for each in target.subscripts or () if isinstance(each, Slice)]
    if expression is None or not slices:
        return relation
    if not _is_by_element(expression, ranks) and (target.name not in bent or _is_made_whole(expression)):
        return relation
    if _rank(expression, ranks) != len(slices) or any(s.lower is None or s.upper is None for s in slices):
        return relation
    rows = [Name(name=f"{target.name}.row{k + 1}", span=target.span) for k in range(len(slices))]
    loops = [
        Loop(variable=row.name, lower=each.lower, upper=each.upper, span=target.span)
        for row, each in zip(rows, slices, strict=True)
        if each.lower is not None and each.upper is not None
    ]
    along = list(zip(rows, slices, strict=True))
    left = iter(rows)
    subscripts = tuple(next(left) if isinstance(each, Slice) else each for each in target.subscripts or ())
    return dataclasses.replace(
        relation, target=dataclasses.replace(target, subscripts=subscripts), loops=(*relation.loops, *loops),
        expression=_along(expression, along, ranks),
    )  # fmt: skip


def _is_made_whole(term: Term) -> bool:
    """Tell whether an array is made by a function that is not of its elements one by one."""
    if isinstance(term, Apply) and term.function not in BY_ELEMENT:
        return True
    return any(_is_made_whole(each) for each in parts(term))


def _is_by_element(term: Term, ranks: Ranks) -> bool:
    """Tell whether an expression is other than a sum of arrays, each times a number, and so means its elements."""
    match term:
        case Operation(operator="%*%"):
            return False
        case Operation(operator=operator, left=left, right=right):
            one, two = _rank(left, ranks), _rank(right, ranks)
            apart = (operator in "+-" and (one == 0) != (two == 0)) or (
                operator == "*" and one > 0 and two > 0
            )
            if apart or (operator not in "+-*" and two > 0) or (operator not in "+-*/" and one > 0):
                return True
            return _is_by_element(left, ranks) or _is_by_element(right, ranks)
        case Apply(function=function):
            return function in BY_ELEMENT and _rank(term, ranks) > 0
    return any(_is_by_element(each, ranks) for each in parts(term) if not isinstance(term, Name))


def _along(term: Term, along: list[tuple[Name, Slice]], ranks: Ranks) -> Term:
    """Return an expression with the arrays in it at the elements of the loops."""
    match term:
        case Name() if _rank(term, ranks) == len(along):
            left = iter(along)
            subscripts = term.subscripts or tuple(Slice(span=term.span) for _ in along)
            found = tuple(
                _shifted(*next(left), each) if isinstance(each, Slice) else each for each in subscripts
            )
            return dataclasses.replace(term, subscripts=found)
        case Operation(left=left_term, right=right_term):
            return dataclasses.replace(
                term, left=_along(left_term, along, ranks), right=_along(right_term, along, ranks)
            )
        case Minus(operand=operand):
            return Minus(operand=_along(operand, along, ranks), span=term.span)
        case Apply(function=function, arguments=arguments) if function in BY_ELEMENT:
            return dataclasses.replace(
                term, arguments=tuple(_along(each, along, ranks) for each in arguments)
            )
    return term


def _shifted(row: Name, target: Slice, own: Slice) -> Term:
    """Return the place in a range that the counter of another is at."""
    one = Literal(text="1", span=row.span)
    first, start = target.lower or one, own.lower or one
    if first == start:
        return row
    gap = Operation(operator="-", left=start, right=first, span=row.span)
    return Operation(operator="+", left=row, right=gap, span=row.span)


def _rank(term: Term, ranks: Ranks) -> int:
    """Return 0 for a number, 1 for a vector, 2 for a matrix."""
    match term:
        case Name(name=name, subscripts=None):
            return ranks.get(name, 0)
        case Name(subscripts=subscripts):
            return sum(isinstance(each, Slice) for each in subscripts or ())
        case Operation(operator="%*%", left=left, right=right):
            return max(_rank(left, ranks) + _rank(right, ranks) - 2, 0)
        case Apply(function=function) if function not in BY_ELEMENT:
            return 0
    return max((_rank(each, ranks) for each in parts(term)), default=0)


def _length(term: Term, data: Mapping[str, np.ndarray]) -> int | None:
    """Return the rows of the matrix of data that a product begins with."""
    match term:
        case Operation(operator="%*%", left=Name(name=name)) if name in data and data[name].ndim == 2:
            return int(data[name].shape[0])
    found = (_length(each, data) for each in parts(term))
    return next((each for each in found if each is not None), None)


def _element(term: Term, counter: Name | None, ranks: Ranks) -> Term:
    """Return an element of an expression; with no counter, the expression with products of vectors as ``inprod``."""
    match term:
        case Name() if counter is not None and _rank(term, ranks) == 1:
            return _at(term, counter)
        case Operation(operator="%*%", left=left, right=right):
            pair = (_rank(left, ranks), _rank(right, ranks))
            if pair == (1, 1):
                return Apply(function="inprod", arguments=(left, right), span=term.span)
            if counter is not None and pair == (2, 1) and isinstance(left, Name):
                return Apply(function="inprod", arguments=(_row(left, counter), right), span=term.span)
            return term
        case Operation(operator=operator, left=left, right=right):
            one, two = _element(left, counter, ranks), _element(right, counter, ranks)
            return Operation(operator=operator, left=one, right=two, span=term.span)
        case Minus(operand=operand):
            return Minus(operand=_element(operand, counter, ranks), span=term.span)
        case Apply(function=function, arguments=arguments):
            inside = tuple(_element(each, counter, ranks) for each in arguments)
            return Apply(function=function, arguments=inside, span=term.span)
    return term


def _row(matrix: Name, counter: Name) -> Name:
    """Return a row of a matrix."""
    if matrix.subscripts is not None:
        return _at(matrix, counter)
    return Name(name=matrix.name, subscripts=(counter, Slice(span=matrix.span)), span=matrix.span)


def _at(name: Name, counter: Name) -> Name:
    """Return the element that a counter names: the first slice gives way to it."""
    subscripts = name.subscripts
    if subscripts is None:
        return Name(name=name.name, subscripts=(counter,), span=name.span)
    place = next(k for k, each in enumerate(subscripts) if isinstance(each, Slice))
    return Name(
        name=name.name, subscripts=(*subscripts[:place], counter, *subscripts[place + 1 :]), span=name.span
    )
