"""Ranks and order statistics of random quantities, written with ``step`` and ``equals``.

``rank(v[], i)`` is the number of elements not above the i-th, ``ranked(v[], k)`` the k-th smallest; JAGS's ``rank(v[])`` and
``sort(v[])`` are the vectors of them (WinBUGS and JAGS user manuals).
"""

from __future__ import annotations

import dataclasses

from deriver.bugs.censoring import Arrays
from deriver.bugs.elaborate import Elaborated
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
)


def rewrite_ranks(program: Program, found: Elaborated) -> tuple[Program, Arrays] | None:
    """Return the program and its data with ranks of random vectors as sums; None if there are none."""
    worker = _Ranks(found)
    model = [worker.rewrite_relation(each) for each in program.model]
    if not worker.changed:
        return None
    arrays = {name: array for name, array in found.arrays.items() if name in found.given}
    return dataclasses.replace(program, model=(*model, *worker.added.values())), arrays


class _Ranks:
    """Rewrites expressions; ``added`` are the statements of the ranks of whole vectors."""

    def __init__(self, found: Elaborated) -> None:
        self.found = found
        self.added: dict[str, Relation] = {}
        self.changed = False

    def rewrite_relation(self, relation: Relation) -> Relation:
        """Return a relation without functions of ranks."""
        whole = relation.expression
        if (
            isinstance(whole, Apply)
            and self._vector(whole)
            and len(whole.arguments) == 1
            and not relation.loops
        ):
            counter = Name(name=f"{relation.target.name}.place", span=relation.span)
            function = {"rank": "rank", "sort": "ranked"}.get(whole.function)
            if function is not None:
                element = dataclasses.replace(whole, function=function, arguments=(*whole.arguments, counter))
                size = self._size(whole)
                return dataclasses.replace(
                    relation, target=Name(name=relation.target.name, subscripts=(counter,), span=relation.span),
                    loops=(_count(counter.name, size, relation),), expression=self._write(element),
                )  # fmt: skip
        expression = None if whole is None else self._write(whole)
        return dataclasses.replace(
            relation, expression=expression, arguments=tuple(self._write(each) for each in relation.arguments)
        )

    def _vector(self, term: Apply) -> Name | None:
        """Return the whole random vector of which a function takes ranks."""
        if term.function not in ("rank", "ranked", "sort") or not term.arguments:
            return None
        vector = term.arguments[0]
        if not isinstance(vector, Name) or not self.found.is_node(vector.name):
            return None
        open_ended = all(
            isinstance(each, Slice) and each.lower is None and each.upper is None
            for each in vector.subscripts or ()
        )
        return vector if open_ended and len(self.found.extents[vector.name]) == 1 else None

    def _size(self, term: Apply) -> int:
        vector = self._vector(term)
        assert vector is not None
        return self.found.extents[vector.name][0]

    def _write(self, term: Term) -> Term:
        match term:
            case Apply(function=function, arguments=arguments):
                vector = self._vector(term)
                if vector is not None and function != "sort" and len(arguments) == 2:
                    self.changed = True
                    return (
                        self._rank(vector, arguments[1])
                        if function == "rank"
                        else self._ranked(vector, arguments[1])
                    )
                return dataclasses.replace(term, arguments=tuple(map(self._write, arguments)))
            case Operation(left=left, right=right):
                return dataclasses.replace(term, left=self._write(left), right=self._write(right))
            case Minus(operand=operand):
                return Minus(operand=self._write(operand), span=term.span)
        return term

    def _rank(self, vector: Name, place: Term) -> Term:
        span = vector.span
        own = Name(name=vector.name, subscripts=(place,), span=span)
        everyone = Name(name=vector.name, subscripts=(Slice(span=span),), span=span)
        gap = Operation(operator="-", left=own, right=everyone, span=span)
        return _call("sum", _call("step", gap))

    def _ranked(self, vector: Name, place: Term) -> Term:
        """Return the element whose rank is the one wanted; the ranks are a node of their own."""
        span, name = vector.span, f"{vector.name}.rank"
        counter = Name(name=f"{vector.name}.place", span=span)
        size = self.found.extents[vector.name][0]
        if name not in self.added:
            target = Name(name=name, subscripts=(counter,), span=span)
            relation = Relation(target=target, loops=(), span=span, expression=self._rank(vector, counter))
            self.added[name] = dataclasses.replace(relation, loops=(_count(counter.name, size, relation),))
        values = Name(name=vector.name, subscripts=(Slice(span=span),), span=span)
        ranks = Name(name=name, subscripts=(Slice(span=span),), span=span)
        return _call(
            "sum", Operation(operator="*", left=values, right=_call("equals", ranks, place), span=span)
        )


def _call(function: str, *arguments: Term) -> Apply:
    return Apply(function=function, arguments=arguments, span=arguments[0].span)


def _count(variable: str, size: int, relation: Relation) -> Loop:
    one, last = (Literal(text=str(n), span=relation.span) for n in (1, size))
    return Loop(variable=variable, lower=one, upper=last, span=relation.span)
