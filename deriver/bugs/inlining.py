"""Probabilities of states that are defined apart and rest on earlier states: each definition stands in their place.

``z[i,t] ~ dbern(mu[i,t])`` with ``mu[i,t] <- phi * z[i,t-1]`` beside ``z[i,1] <- 1`` is read as ``z[i,t] ~ dbern(phi * z[i,t-1])``,
``z[t] ~ dcat(q[t,])`` with ``q[t,s] <- P[z[t-1],s]`` as ``z[t] ~ dcat(P[z[t-1],])``.  The definitions stay, for results.
"""

from __future__ import annotations

import dataclasses
from functools import partial

import numpy as np

from deriver.bugs.censoring import Arrays, substitute
from deriver.bugs.elaborate import Elaborated
from deriver.bugs.evaluate import Unknown, whole
from deriver.bugs.functions import match_loops
from deriver.bugs.syntax import (
    Apply,
    Literal,
    Name,
    Program,
    Relation,
    Slice,
    Term,
    names_in,
    with_parts,
    with_terms,
)
from deriver.language.mistakes import LineMistake

MOST_DEPTH = 10
MOST_COLUMNS = 30
LINKS = {"logit": "ilogit", "log": "exp", "probit": "phi", "cloglog": "icloglog"}


def inline_definitions(program: Program, found: Elaborated) -> tuple[Program, Arrays] | None:
    """Return the program with such definitions in place, and its data; None where there are none."""
    worker = _Inlining(found)
    model = tuple(map(worker.rewrite, program.model))
    if not worker.changed:
        return None
    arrays = {name: array for name, array in found.arrays.items() if name in found.given}
    return dataclasses.replace(program, model=model), arrays


class _Inlining:
    """Puts definitions in the place of the names that they define; ``changed`` tells whether it did so anywhere."""

    def __init__(self, found: Elaborated) -> None:
        self.found = found
        self.changed = False

    def rewrite(self, relation: Relation) -> Relation:
        """Return a statement of a state with the definitions that rest on its other elements in place."""
        if relation not in self.found.relations or not self._is_state(relation):
            return relation
        return with_terms(relation, partial(self._write, state=relation.target.name, depth=0))

    def _is_state(self, relation: Relation) -> bool:
        """Tell whether a node is drawn as categories, or has elements that are fixed or known."""
        name = relation.target.name
        if not relation.stochastic or not self._rests_on(relation, name, set()):
            return False
        fixed = any(not each.stochastic for each in self.found.relations_of(name))
        data = self.found.arrays.get(name)
        known_in_part = data is not None and bool(np.isnan(data).any())
        return fixed or known_in_part or relation.distribution == "dcat"

    def _rests_on(self, relation: Relation, name: str, seen: set[str]) -> bool:
        """Tell whether a relation rests on a node, directly or by definitions."""
        for used in {each.name for term in relation.terms() for each in names_in(term)} - seen:
            seen.add(used)
            if used == name:
                return True
            own = self.found.relations_of(used)
            if any(not each.stochastic and self._rests_on(each, name, seen) for each in own):
                return True
        return False

    def _write(self, term: Term, *, state: str, depth: int) -> Term:
        term = with_parts(term, partial(self._write, state=state, depth=depth))
        if not isinstance(term, Name) or term.name == state or depth == MOST_DEPTH:
            return term
        own = self.found.relations_of(term.name)
        if len(own) != 1 or own[0].stochastic or not self._rests_on(own[0], state, set()):
            return term
        value = self._value(term, own[0])
        if value is None:
            return term
        self.changed = True
        return self._write(value, state=state, depth=depth + 1)

    def _value(self, term: Name, definition: Relation) -> Term | None:
        """Return what defines an element or a row; None where it is not told."""
        slices = [k for k, each in enumerate(term.subscripts or ()) if isinstance(each, Slice)]
        if not slices:
            return _element(term, definition)
        if len(slices) > 1:
            return None
        return self._row(term, definition, slices[0])

    def _row(self, term: Name, definition: Relation, place: int) -> Term | None:
        subscripts = term.subscripts or ()
        extent = self.found.extents[term.name][place]
        columns = self._columns(subscripts[place], extent)
        loops = {loop.variable for loop in definition.loops}
        own = (definition.target.subscripts or ())[place]
        if columns is None or not isinstance(own, Name) or own.name not in loops:
            return None
        if isinstance(definition.expression, Name) and definition.link is None and len(columns) == extent:
            row = self._whole_row(term, definition, place, own.name)
            if row is not None:
                return row
        elements = []
        for column in columns:
            at = (*subscripts[:place], Literal(text=str(column), span=term.span), *subscripts[place + 1 :])
            element = _element(dataclasses.replace(term, subscripts=at), definition)
            if element is None:
                return None
            elements.append(element)
        return Apply(function="c", arguments=tuple(elements), span=term.span)

    def _whole_row(self, term: Name, definition: Relation, place: int, variable: str) -> Term | None:
        """Return the row of another array that a definition copies."""
        expression = definition.expression
        assert isinstance(expression, Name)
        along = [each for each in expression.subscripts or () if _mentions(each, variable)]
        if len(along) != 1 or along[0] != Name(name=variable, span=along[0].span):
            return None
        marked = dataclasses.replace(
            term, subscripts=tuple(own if k == place else each for k, (own, each) in enumerate(
                zip(definition.target.subscripts or (), term.subscripts or (), strict=True)))
        )  # fmt: skip
        row = _element(marked, definition)
        if not isinstance(row, Name):
            return None
        return with_parts(row, lambda each: Slice(span=term.span) if each == along[0] else each)

    def _columns(self, part: Term, extent: int) -> range | None:
        assert isinstance(part, Slice)
        try:
            low = 1 if part.lower is None else whole(part.lower, self.found.arrays, {})
            high = extent if part.upper is None else whole(part.upper, self.found.arrays, {})
        except (Unknown, LineMistake):
            return None
        return range(low, high + 1) if high - low < MOST_COLUMNS else None


def _element(term: Name, definition: Relation) -> Term | None:
    """Return what defines an element, in terms of its subscripts."""
    rules = match_loops(definition, term)
    if rules is None or definition.expression is None:
        return None
    value = substitute(definition.expression, rules)
    if definition.link is None:
        return value
    return Apply(function=LINKS[definition.link], arguments=(value,), span=term.span)


def _mentions(term: Term, variable: str) -> bool:
    return any(each.name == variable for each in names_in(term))
