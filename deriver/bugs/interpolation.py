"""``interp.lin(x, X[], Y[])`` of a random x, as a sum over the intervals between the knots X.

The line through the knots is Y_m + Σ_j s_j (max(x, X_j) - max(x, X_{j+1})), s_j the slope of the j-th interval; beyond the first
and last knot it is level, as in JAGS (user manual, Plummer 2017, section 5.2.1).
"""

from __future__ import annotations

import dataclasses
from functools import partial

import numpy as np

from deriver.bugs.censoring import Arrays
from deriver.bugs.elaborate import Elaborated
from deriver.bugs.evaluate import Unknown, evaluate
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
    with_parts,
    with_terms,
)
from deriver.language.mistakes import LineMistake, Mistakes


def rewrite_interpolation(
    program: Program, found: Elaborated, mistakes: Mistakes
) -> tuple[Program, Arrays] | None:
    """Return the program and its data with such lines as sums; None if there are none."""
    worker = _Lines(found)
    model = []
    for relation in program.model:
        try:
            model.append(with_terms(relation, partial(worker.write, relation=relation)))
        except LineMistake as stop:
            mistakes.add_from(stop)
    if not worker.added:
        return None
    return dataclasses.replace(program, model=(*model, *worker.added)), worker.arrays


class _Lines:
    """Rewrites expressions; ``added`` are the pieces, ``arrays`` the data with the knots."""

    def __init__(self, found: Elaborated) -> None:
        self.found = found
        self.added: list[Relation] = []
        self.arrays = {name: array for name, array in found.arrays.items() if name in found.given}

    def write(self, term: Term, relation: Relation) -> Term:
        """Return an expression of a relation with sums in the place of such lines."""
        term = with_parts(term, lambda each: self.write(each, relation))
        if not isinstance(term, Apply) or term.function != "interp.lin" or len(term.arguments) != 3:
            return term
        if not any(self._is_random(name) for name in names_in(term.arguments[0])):
            return term
        return self._sum(term, relation)

    def _is_random(self, name: Name) -> bool:
        data = self.found.arrays.get(name.name)
        return self.found.is_node(name.name) and (data is None or bool(np.isnan(data).any()))

    def _sum(self, term: Apply, relation: Relation) -> Term:
        value, *knots = term.arguments
        try:
            places, heights = (evaluate(each, self.found.arrays, {}).reshape(-1) for each in knots)
        except Unknown as missing:
            raise _refuse(term, f"the knots rest on `{missing}`") from None
        if len(places) != len(heights) or len(places) < 2 or (np.diff(places) <= 0).any():
            raise _refuse(term, "the knots are not in increasing order, or not as many as their heights")
        name, span = f"{relation.target.name}.line{len(self.added) + 1}", term.span
        counter = Name(name=f"{name}.interval", span=span)
        columns = {"slope": np.diff(heights) / np.diff(places), "from": places[:-1], "to": places[1:]}
        self.arrays |= {f"{name}.{word}": array for word, array in columns.items()}
        slope, low, high = (Name(name=f"{name}.{word}", subscripts=(counter,), span=span) for word in columns)
        outer = tuple(Name(name=loop.variable, span=span) for loop in relation.loops)
        rise = _op("-", _largest(value, low), _largest(value, high))
        self.added.append(
            Relation(
                target=Name(name=name, subscripts=(*outer, counter), span=span), span=relation.span,
                loops=(*relation.loops, _count(counter, len(places) - 1)), expression=_op("*", slope, rise),
            )
        )  # fmt: skip
        pieces = Name(name=name, subscripts=(*outer, Slice(span=span)), span=span)
        total = Apply(function="sum", arguments=(pieces,), span=span)
        return (
            _op("+", Literal(text=repr(float(heights[-1])), span=span), total)
            if heights[-1] >= 0
            else (_op("-", total, Literal(text=repr(-float(heights[-1])), span=span)))
        )


def _refuse(term: Apply, found: str) -> LineMistake:
    return LineMistake(
        found, span=term.span, code="function", expected="interp.lin(x, X[], Y[]), X and Y from the data"
    )


def _largest(one: Term, two: Term) -> Apply:
    return Apply(function="max", arguments=(one, two), span=one.span)


def _op(operator: str, left: Term, right: Term) -> Operation:
    return Operation(operator=operator, left=left, right=right, span=left.span)


def _count(counter: Name, size: int) -> Loop:
    one, last = (Literal(text=str(n), span=counter.span) for n in (1, size))
    return Loop(variable=counter.name, lower=one, upper=last, span=counter.span)
