"""Extents that a program declares, ``var beta[N,2];``, where its left sides leave them out: ``beta[i,] ~ dmnorm(...)``.

Input: a program.  Output: the program with ``1:2`` in the place of the empty subscript, and ``p[1:4]`` where a vector or
matrix stands without subscripts beside ``~``.
"""

from __future__ import annotations

import dataclasses

from deriver.bugs.plates import VECTOR_FAMILIES
from deriver.bugs.syntax import Literal, Name, Program, Relation, Slice, Term


def fill_declared(program: Program) -> Program:
    """Return the program with the declared extents on its left sides."""
    if not program.declared:
        return program
    data, model = (tuple(_fill(each, program) for each in block) for block in (program.data, program.model))
    return dataclasses.replace(program, data=data, model=model)


def _fill(relation: Relation, program: Program) -> Relation:
    target = relation.target
    extents = program.declared.get(target.name, ())
    subscripts = target.subscripts
    if subscripts is None and relation.distribution in VECTOR_FAMILIES:
        subscripts = tuple(Slice(span=target.span) for _ in extents)
    if not subscripts or len(subscripts) != len(extents):
        return relation
    filled = tuple(_bound(each, extent) for each, extent in zip(subscripts, extents, strict=True))
    return dataclasses.replace(relation, target=Name(name=target.name, subscripts=filled, span=target.span))


def _bound(subscript: Term, extent: Term) -> Term:
    if isinstance(subscript, Slice) and subscript.lower is None and subscript.upper is None:
        return Slice(lower=Literal(text="1", span=subscript.span), upper=extent, span=subscript.span)
    return subscript
