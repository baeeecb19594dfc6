"""Arrays taken apart into names of their own, along some of their places: ``pi[k,t,3]`` as ``pi.3[k,t]``.

Input: relations and, for each array, the places along which it is taken apart.  Output: relations in which loops along
these places are written out, and sums and products over slices with them.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce

from deriver.bugs.censoring import substitute
from deriver.bugs.elaborate import Counters, Elaborated
from deriver.bugs.evaluate import Unknown, evaluate, whole
from deriver.bugs.plates import REDUCTIONS
from deriver.bugs.syntax import (
    Apply,
    Literal,
    Loop,
    Name,
    Operation,
    Relation,
    Slice,
    Term,
    names_in,
    parts,
    with_parts,
    with_terms,
)
from deriver.language.mistakes import LineMistake

MOST_ELEMENTS = 30
MOST_RELATIONS = 600
Places = Mapping[str, tuple[int, ...]]
Key = tuple[int, ...]


class CannotSplit(Exception):
    """An array stands somewhere in a way that leaves open which of its elements are meant."""


class Elements:
    """Takes arrays apart; ``places`` are those along which they are."""

    def __init__(self, found: Elaborated, places: Places) -> None:
        self.found, self.places = found, places
        taken = {*found.extents, *found.arrays}
        self.mark = "."
        while any(_is_element(each, name, self.mark) for name in places for each in taken):
            self.mark += "."
        self.known: dict[tuple[str, Key], float] = {}
        self.stated: set[tuple[str, Key]] = set()

    def rewrite(self, relations: Sequence[Relation]) -> list[Relation]:
        """Return the relations without the arrays; raise ``CannotSplit`` where one stands in another way."""
        written = [each for relation in relations for each in self._write_out(relation)]
        if len(written) > MOST_RELATIONS:
            raise CannotSplit
        self._find_known(written)
        return [self._rename_relation(each) for each in written]

    @property
    def names(self) -> dict[str, tuple[str, tuple[int | None, ...]]]:
        """Return the parts that stand in the relations: the array of each, and its places, None for those left."""
        found = {}
        for array, key in self.stated:
            at = dict(zip(self.places[array], key, strict=True))
            places = tuple(at.get(k) for k in range(len(self.found.extents[array])))
            found[self._name(array, key)] = (array, places)
        return found

    # loops

    def _write_out(self, relation: Relation) -> Iterator[Relation]:
        """Yield a relation for each value of the loop variables that move along the places of an array."""
        variables = self._moving(relation)
        if not variables:
            yield relation
            return
        groups: dict[Key, list[Counters]] = {}
        for counters in self.found.counts.get(relation, []):
            groups.setdefault(tuple(counters[each] for each in variables), []).append(counters)
        for values, counts in groups.items():
            yield from self._with_values(relation, dict(zip(variables, values, strict=True)), counts)

    def _moving(self, relation: Relation) -> tuple[str, ...]:
        loops = {loop.variable for loop in relation.loops}
        standing = [n for term in (relation.target, *relation.terms()) for n in names_in(term)]
        found = {
            each.name
            for name in standing
            if name.name in self.places and name.subscripts
            for place in self.places[name.name]
            for each in names_in(name.subscripts[place])
            if each.name in loops
        }
        return tuple(loop.variable for loop in relation.loops if loop.variable in found)

    def _with_values(
        self, relation: Relation, values: Mapping[str, int], counts: list[Counters]
    ) -> Iterator[Relation]:
        """Yield a relation with values of some loop variables, over the others: loops where these fill a box."""
        left = [loop for loop in relation.loops if loop.variable not in values]
        ranges = {loop.variable: sorted({each[loop.variable] for each in counts}) for loop in left}
        size = 1
        for each in ranges.values():
            size *= len(each)
        box = size == len(counts) and all(each[-1] - each[0] + 1 == len(each) for each in ranges.values())
        if not box and left:
            for counters in counts:
                yield from self._with_values(relation, counters, [counters])
            return
        loops = tuple(self._loop(loop, ranges[loop.variable]) for loop in left)
        rules: dict[str, Term] = {
            name: Literal(text=str(value), span=relation.span) for name, value in values.items()
        }
        target = substitute(relation.target, rules)
        assert isinstance(target, Name)
        made = with_terms(relation, lambda term: substitute(term, rules))
        yield dataclasses.replace(made, target=target, loops=loops)

    def _loop(self, loop: Loop, values: list[int]) -> Loop:
        """Return a loop over these values, as it is written where it runs over them anyway."""
        try:
            ends = tuple(whole(bound, self.found.arrays, {}) for bound in (loop.lower, loop.upper))
        except (Unknown, LineMistake):
            ends = ()
        if ends == (values[0], values[-1]):
            return loop
        lower, upper = (Literal(text=str(each), span=loop.span) for each in (values[0], values[-1]))
        return dataclasses.replace(loop, lower=lower, upper=upper)

    # elements

    def _find_known(self, relations: list[Relation]) -> None:
        """Remember the elements that are the same number everywhere."""
        values: dict[tuple[str, Key], set[float | None]] = {}
        for relation in relations:
            if relation.target.name in self.places:
                key = self._key(relation.target)
                number = isinstance(relation.expression, Literal) and relation.link is None
                value = float(relation.expression.text) if number else None  # type: ignore[union-attr]
                values.setdefault((relation.target.name, key), set()).add(value)
        for at, found in values.items():
            (only,) = found if len(found) == 1 else (None,)
            if only is not None:
                self.known[at] = only
        self.stated = set(values)

    def _key(self, name: Name) -> Key:
        """Return the element that a name with numbers in its places means."""
        ranges = [self._range(name, place) for place in self.places[name.name]]
        if any(len(each) != 1 for each in ranges):
            raise CannotSplit
        return tuple(each[0] for each in ranges)

    def _range(self, name: Name, place: int) -> range:
        """Return the values that a subscript has; raise ``CannotSplit`` where they are not known."""
        extents = self.found.extents[name.name]
        if name.subscripts is None or len(name.subscripts) != len(extents):
            raise CannotSplit
        subscript = name.subscripts[place]
        try:
            if not isinstance(subscript, Slice):
                value = whole(subscript, self.found.arrays, {})
                return range(value, value + 1)
            low = 1 if subscript.lower is None else whole(subscript.lower, self.found.arrays, {})
            high = (
                extents[place] if subscript.upper is None else whole(subscript.upper, self.found.arrays, {})
            )
        except (Unknown, LineMistake):
            raise CannotSplit from None
        if not 1 <= low <= high + 1 or high > extents[place]:
            raise CannotSplit
        return range(low, high + 1)

    def _element(self, name: Name, key: Key) -> Term:
        """Return the term that an element is."""
        if (name.name, key) in self.known:
            return Literal(text=repr(self.known[name.name, key]), span=name.span)
        if (name.name, key) not in self.stated:
            raise CannotSplit
        places = self.places[name.name]
        rest = tuple(each for k, each in enumerate(name.subscripts or ()) if k not in places)
        return Name(name=self._name(name.name, key), subscripts=rest or None, span=name.span)

    def _name(self, name: str, key: Key) -> str:
        return self.mark.join([name, *map(str, key)])

    def _rename_relation(self, relation: Relation) -> Relation:
        target = relation.target
        standing = [name for term in (target, *relation.terms()) for name in names_in(term)]
        plain = not any(self._is_product(term) for term in relation.terms())
        if plain and not any(name.name in self.places for name in standing):
            return relation
        if target.name in self.places:
            key, places = self._key(target), self.places[target.name]
            rest = tuple(each for k, each in enumerate(target.subscripts or ()) if k not in places)
            target = Name(name=self._name(target.name, key), subscripts=rest or None, span=target.span)
        return dataclasses.replace(with_terms(relation, self._rename), target=target)

    def _rename(self, term: Term) -> Term:
        if isinstance(term, Apply) and term.function in REDUCTIONS and self._is_spelled_out(term):
            return self._rename(self._spell_out(term))
        term = with_parts(term, self._rename)
        if isinstance(term, Operation):
            return shorten(term)
        if not isinstance(term, Name) or term.name not in self.places:
            return term
        sliced = [k for k in self.places[term.name] if isinstance((term.subscripts or ())[k], Slice)]
        if not sliced:
            return self._pick(term)
        if len(sliced) > 1:
            raise CannotSplit
        rows = [self._pick(_with_subscript(term, sliced[0], value)) for value in self._range(term, sliced[0])]
        return Apply(function="c", arguments=tuple(rows), span=term.span)

    def _pick(self, name: Name) -> Term:
        """Return an element; where a subscript is drawn, the sum of all that it may be, each by its indicator."""
        for place in self.places[name.name]:
            subscript = (name.subscripts or ())[place]
            if any(self.found.is_node(each.name) for each in names_in(subscript)):
                span = name.span
                terms = []
                for value in range(1, self.found.extents[name.name][place] + 1):
                    counted = Literal(text=str(value), span=span)
                    indicator = Apply(function="equals", arguments=(subscript, counted), span=span)
                    element = self._pick(_with_subscript(name, place, value))
                    terms.append(shorten(Operation(operator="*", left=indicator, right=element, span=span)))
                return _fold("+", terms)
        return self._element(name, self._key(name))

    # sums and products over slices

    def _is_spelled_out(self, term: Apply) -> bool:
        return self._has_split_slice(term) or (term.function == "prod" and self._is_product(term))

    def _is_product(self, term: Term) -> bool:
        """Tell whether a term has a product over a slice of what is not known, which the language cannot state."""
        if isinstance(term, Apply) and term.function == "prod":
            return any(
                self.found.is_node(name.name)
                and any(isinstance(each, Slice) for each in name.subscripts or ())
                for inner in term.arguments
                for name in names_in(inner)
            )
        return any(map(self._is_product, parts(term)))

    def _has_split_slice(self, term: Apply) -> bool:
        return any(
            isinstance(each, Slice) and place in self.places.get(name.name, ())
            for name in names_in(term)
            for place, each in enumerate(name.subscripts or ())
        )

    def _spell_out(self, term: Apply) -> Term:
        """Return a sum or product over slices term by term."""
        shapes = {tuple(map(len, self._slices(name))) for name in self._sliced_names(term)}
        if len(shapes) != 1 or term.function == "sd":
            raise CannotSplit
        (shape,) = shapes
        positions = list(itertools.product(*map(range, shape)))
        if not 0 < len(positions) <= MOST_ELEMENTS:
            raise CannotSplit
        bodies = [_fold("*", [self._at(each, position) for each in term.arguments]) for position in positions]
        if term.function == "prod":
            return _fold("*", bodies)
        total = _fold("+", bodies)
        if term.function == "mean":
            count = Literal(text=str(len(bodies)), span=term.span)
            return Operation(operator="/", left=total, right=count, span=term.span)
        return total

    def _sliced_names(self, term: Term) -> Iterator[Name]:
        if isinstance(term, Name):
            if any(isinstance(each, Slice) for each in term.subscripts or ()):
                yield term
            elif term.subscripts is None and self._extents(term):
                raise CannotSplit
            return
        if isinstance(term, Apply) and term.function in REDUCTIONS:
            inner = term.arguments
        else:
            inner = _direct(term)
        for each in inner:
            yield from self._sliced_names(each)

    def _extents(self, name: Name) -> tuple[int, ...]:
        known = self.found.arrays.get(name.name)
        return self.found.extents.get(name.name) or (() if known is None else known.shape)

    def _slices(self, name: Name) -> list[range]:
        """Return the values of each slice of a name."""
        found = []
        for place, each in enumerate(name.subscripts or ()):
            if isinstance(each, Slice):
                try:
                    low = 1 if each.lower is None else whole(each.lower, self.found.arrays, {})
                    high = (
                        self._extents(name)[place]
                        if each.upper is None
                        else whole(each.upper, self.found.arrays, {})
                    )
                except (Unknown, LineMistake, IndexError):
                    raise CannotSplit from None
                found.append(range(low, high + 1))
        return found

    def _at(self, term: Term, position: Key) -> Term:
        """Return an expression with the slices of its names at one position."""
        if isinstance(term, Name):
            values = iter(zip(self._slices(term), position, strict=False))
            return with_parts(
                term,
                lambda each: _literal(_take(values), each) if isinstance(each, Slice) else each,
            )
        return with_parts(term, lambda each: self._at(each, position))


def _is_element(name: str, array: str, mark: str) -> bool:
    """Tell whether a name is written as an element of an array is."""
    return name.startswith(f"{array}{mark}") and name[len(array) + len(mark) :][:1].isdigit()


def _take(values: Iterator[tuple[range, int]]) -> int:
    among, place = next(values)
    return among[place]


def _literal(value: int, at: Term) -> Literal:
    return Literal(text=str(value), span=at.span)


def _direct(term: Term) -> tuple[Term, ...]:
    match term:
        case Apply(arguments=arguments):
            return arguments
        case Operation(left=left, right=right):
            return (left, right)
    return tuple(each for each in (getattr(term, "operand", None),) if each is not None)


def _with_subscript(name: Name, place: int, value: int) -> Name:
    subscripts = list(name.subscripts or ())
    subscripts[place] = _literal(value, name)
    return dataclasses.replace(name, subscripts=tuple(subscripts))


def _fold(operator: str, terms: Sequence[Term]) -> Term:
    def join(one: Term, two: Term) -> Term:
        return shorten(Operation(operator=operator, left=one, right=two, span=one.span))

    return reduce(join, terms)


def shorten(term: Operation) -> Term:
    """Return a sum or product without terms that are 0 and factors that are 1."""
    left, right = number_of(term.left), number_of(term.right)
    if term.operator == "*" and 0 in (left, right):
        return Literal(text="0", span=term.span)
    if (term.operator == "*" and left == 1) or (term.operator == "+" and left == 0):
        return term.right
    if (term.operator in "*/" and right == 1) or (term.operator in "+-" and right == 0):
        return term.left
    return term


def number_of(term: Term) -> float | None:
    """Return the value of a number."""
    return float(evaluate(term, {}, {})) if isinstance(term, Literal) else None
