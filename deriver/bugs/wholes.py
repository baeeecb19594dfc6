"""Whole arrays without subscripts, ``Sigma <- inverse(Omega)`` or ``p ~ ddirch(alpha)``, with the extents that they have.

Input: a program and the arrays of its data.  Output: the program with ``Sigma[1:2,1:2] <- inverse(Omega)``, the extents those
of what stands on the right.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from deriver.bugs.plates import VECTOR_FAMILIES
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
    parts,
)
from deriver.bugs.vectors import BY_ELEMENT
from deriver.model.expressions import Span

Shape = tuple[Term, ...]
Shapes = dict[str, Shape]
_LIKE_THEIR_ARGUMENT = ("inverse", "rank", "sort", "order", "cut")


def fill_wholes(program: Program, data: Mapping[str, np.ndarray]) -> Program:
    """Return the program with the extents of whole arrays on its left sides."""
    shapes: Shapes = {name: tuple(_number(n) for n in array.shape) for name, array in data.items()}
    relations = [*program.data, *program.model]
    for relation in relations:
        _note(relation, shapes)
    moved = True
    while moved:
        moved = False
        for place, relation in enumerate(relations):
            shape = shape_of_target(relation, shapes)
            if shape:
                target = dataclasses.replace(relation.target, subscripts=tuple(map(_whole, shape)))
                relations[place] = dataclasses.replace(relation, target=target)
                shapes[target.name], moved = shape, True
    count = len(program.data)
    return dataclasses.replace(program, data=tuple(relations[:count]), model=tuple(relations[count:]))


def shape_of_target(relation: Relation, shapes: Mapping[str, Shape]) -> Shape:
    """Return the extents of a left side without subscripts, () where it is a number or they are not known."""
    if relation.target.subscripts is not None:
        return ()
    if relation.expression is not None:
        return shape_of(relation.expression, shapes) or ()
    if relation.distribution not in VECTOR_FAMILIES or not relation.arguments:
        return ()
    return shape_of(relation.arguments[0], shapes) or ()


def shape_of(term: Term, shapes: Mapping[str, Shape]) -> Shape | None:
    """Return the extents of an expression, () for a number; None where they are not known."""
    match term:
        case Literal():
            return ()
        case Name(name=name, subscripts=None):
            return shapes.get(name, ())
        case Name(name=name, subscripts=subscripts):
            return _sliced(subscripts or (), shapes.get(name))
        case Apply(function="t", arguments=(one,)):
            inner = shape_of(one, shapes)
            return inner and inner[::-1]
        case Apply(function=function, arguments=(one, *rest)) if function in _LIKE_THEIR_ARGUMENT:
            return () if rest else shape_of(one, shapes)
        case Operation(operator="%*%", left=left, right=right):
            pair = shape_of(left, shapes), shape_of(right, shapes)
            return None if None in pair else (*(pair[0] or ())[:-1], *(pair[1] or ())[1:])
        case Apply(function=function) if function not in BY_ELEMENT:
            return ()
    found = [shape_of(each, shapes) for each in parts(term)]
    return None if None in found else max((each for each in found if each is not None), key=len, default=())


def _sliced(subscripts: tuple[Term, ...], shape: Shape | None) -> Shape | None:
    """Return the extents of a part of an array."""
    found: list[Term] = []
    for place, each in enumerate(subscripts):
        if isinstance(each, Slice):
            if each.upper is not None and each.lower is not None:
                found.append(extent(each.lower, each.upper))
            elif shape is not None and len(shape) == len(subscripts):
                found.append(shape[place])
            else:
                return None
    return tuple(found)


def extent(lower: Term, upper: Term) -> Term:
    """Return the length of a range."""
    if lower == Literal(text="1", span=lower.span):
        return upper
    gap = Operation(operator="-", left=upper, right=lower, span=upper.span)
    return Operation(operator="+", left=gap, right=_number(1), span=upper.span)


def _note(relation: Relation, shapes: Shapes) -> None:
    """Note the extents of an array that one relation states over loops and ranges from 1 that rest on no other loop."""
    target = relation.target
    if not target.subscripts or target.name in shapes:
        return
    loops = {loop.variable: loop for loop in relation.loops}
    ends = [_end(each, loops) for each in target.subscripts]
    if all(each is not None for each in ends):
        shapes[target.name] = tuple(each for each in ends if each is not None)


def _end(subscript: Term, loops: Mapping[str, Loop]) -> Term | None:
    match subscript:
        case Slice(upper=upper) if upper is not None:
            end: Term | None = upper
        case Name(name=name, subscripts=None) if name in loops:
            end = loops[name].upper
        case _:
            end = None
    return None if end is None or any(each.name in loops for each in names_in(end)) else end


def _whole(end: Term) -> Slice:
    return Slice(lower=Literal(text="1", span=end.span), upper=end, span=end.span)


def _number(value: int) -> Literal:
    return Literal(text=str(value), span=Span(1, 0, 0))
