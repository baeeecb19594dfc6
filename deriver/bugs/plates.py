"""Which loops run over the same thing: the dimensions of the nodes and the loop variables, in classes.

A loop variable that stands as a subscript in some place of a node belongs with that place; each class becomes a plate
with as many indices as some node needs side by side.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from deriver.bugs.elaborate import Elaborated
from deriver.bugs.evaluate import Unknown, whole
from deriver.bugs.syntax import Apply, Literal, Minus, Name, Operation, Relation, Slice, Term, names_in, parts
from deriver.language.mistakes import LineMistake

Key = tuple[str, object, object]
VECTOR_FAMILIES = {
    "dmnorm": 1,
    "ddirch": 1,
    "ddirich": 1,
    "dmulti": 1,
    "dwish": 2,
    "dmt": 1,
    "dmnorm.vcov": 1,
}
REDUCTIONS = ("sum", "inprod", "inprod2", "mean", "prod", "sd")


@dataclass(slots=True)
class Plate:
    """A class of dimensions: 1..``extent``; ``size`` is the data's name for it; ragged if ``lengths`` is given."""

    extent: int
    size: str | None = None
    lengths: str | None = None
    parent: Key | None = None
    wanted: list[str] = field(default_factory=list)
    indices: list[str] = field(default_factory=list)


def affine(term: Term, loops: set[str], arrays: dict[str, np.ndarray]) -> tuple[str, int] | None:
    """Return (loop variable, offset) of a subscript such as ``i``, ``t-1`` or ``i+M``; None if it is another thing."""
    match term:
        case Name(name=name, subscripts=None) if name in loops:
            return name, 0
        case Operation(operator="+" | "-" as operator, left=left, right=right):
            first = affine(left, loops, arrays)
            second = affine(right, loops, arrays)
            try:
                if first and not _moves(right, loops):
                    step = whole(right, arrays, {})
                    return first[0], first[1] + (step if operator == "+" else -step)
                if second and operator == "+" and not _moves(left, loops):
                    return second[0], second[1] + whole(left, arrays, {})
            except (Unknown, LineMistake):
                return None
    return None


def _moves(term: Term, loops: set[str]) -> bool:
    return any(each.name in loops for each in names_in(term))


def component_places(found: Elaborated) -> dict[str, frozenset[int]]:
    """Return for each node the places in which its value is a vector or matrix."""
    places: dict[str, frozenset[int]] = {}
    for relation in found.relations:
        subscripts = relation.target.subscripts or ()
        slices = frozenset(k for k, each in enumerate(subscripts) if isinstance(each, Slice))
        if relation.distribution in VECTOR_FAMILIES and not slices:
            rank = VECTOR_FAMILIES[relation.distribution or ""]
            slices = frozenset(range(len(subscripts) - rank, len(subscripts)))
        places[relation.target.name] = places.get(relation.target.name, frozenset()) | slices
    return places


class Plates:
    """The classes of a program; ``components`` as in ``component_places``."""

    def __init__(self, found: Elaborated) -> None:
        self.found = found
        self.components = component_places(found)
        self._parents: dict[Key, Key] = {}
        self.plates: dict[Key, Plate] = {}
        for relation in found.relations:
            self._join_relation(relation)
        self._join_sizes()
        self._measure()

    def root(self, key: Key) -> Key:
        """Return what stands for the class of a key."""
        while self._parents.setdefault(key, key) != key:
            key = self._parents[key]
        return key

    def _join(self, one: Key, two: Key) -> None:
        first, second = self.root(one), self.root(two)
        if first != second:
            self._parents[second] = first

    def _join_relation(self, relation: Relation) -> None:
        loops = {loop.variable for loop in relation.loops}
        for loop in relation.loops:
            self.root(loop_key(relation, loop.variable))
        for term in (relation.target, *relation.terms()):
            for name in names_in(term):
                if self.found.is_node(name.name):
                    self._join_name(relation, name, loops)
            self._join_slices(term)

    def _join_sizes(self) -> None:
        """Loops up to the same size of the data are one plate, whatever stands in them."""
        first: dict[str, Key] = {}
        for relation in self.found.relations:
            for loop in relation.loops:
                upper = loop.upper
                if isinstance(upper, Name) and upper.subscripts is None and isinstance(loop.lower, Literal):
                    key = loop_key(relation, loop.variable)
                    self._join(first.setdefault(upper.name, key), key)

    def _join_name(self, relation: Relation, name: Name, loops: set[str]) -> None:
        for place, each in enumerate(name.subscripts or ()):
            if place in self.components[name.name]:
                continue
            key = ("place", name.name, place)
            self.root(key)
            found = None if isinstance(each, Slice) else affine(each, loops, self.found.arrays)
            if found is not None:
                self._join(key, loop_key(relation, found[0]))

    def _join_slices(self, term: Term) -> None:
        for each in reductions_in(term):
            keys = [key for argument in each.arguments for key in self._slice_keys(argument)]
            for one, two in itertools.pairwise(keys):
                if self._extent(one) == self._extent(two):
                    self._join(one, two)

    def _slice_keys(self, term: Term) -> list[Key]:
        keys: list[Key] = []
        for name in names_in(term):
            if self.found.is_node(name.name):
                subscripts = whole_subscripts(name, self.found) or ()
                keys += [
                    ("place", name.name, place) for place, each in enumerate(subscripts)
                    if isinstance(each, Slice) and place not in self.components[name.name]
                ]  # fmt: skip
        return keys

    def _extent(self, key: Key) -> int:
        return self.found.extents[str(key[1])][int(str(key[2]))]

    # sizes

    def _measure(self) -> None:
        for name, extents in self.found.extents.items():
            for place, extent in enumerate(extents):
                if place not in self.components[name]:
                    plate = self._plate(("place", name, place))
                    plate.extent = max(plate.extent, extent)
        words: dict[Key, Counter[str]] = {}
        for relation in self.found.relations:
            for loop in relation.loops:
                root = self.root(loop_key(relation, loop.variable))
                self._plate(root)
                words.setdefault(root, Counter())[loop.variable] += 1
        for root, plate in self.plates.items():
            plate.wanted = [word for word, _ in words.get(root, Counter()).most_common()]
            self._name_size(root, plate)

    def _plate(self, key: Key) -> Plate:
        return self.plates.setdefault(self.root(key), Plate(extent=0))

    def _loops(self, root: Key) -> Iterator[tuple[Relation, int]]:
        for relation in self.found.relations:
            for position, loop in enumerate(relation.loops):
                if self.root(loop_key(relation, loop.variable)) == root:
                    yield relation, position

    def _name_size(self, root: Key, plate: Plate) -> None:
        """Find the name of the size, and the lengths of a ragged plate."""
        loops = list(self._loops(root))
        for relation, position in loops:
            upper = relation.loops[position].upper
            if (
                isinstance(upper, Name)
                and upper.subscripts is None
                and self._is_size(upper.name, plate.extent)
            ):
                plate.size = plate.size or upper.name
        ragged = {self._lengths(relation, position) for relation, position in loops}
        if len(ragged) == 1 and None not in ragged:
            (pair,) = ragged
            assert pair is not None
            plate.lengths, plate.parent = pair

    def _is_size(self, name: str, extent: int) -> bool:
        value = self.found.arrays.get(name)
        return (
            value is not None and value.ndim == 0 and float(value) == extent and not self.found.is_node(name)
        )

    def _lengths(self, relation: Relation, position: int) -> tuple[str, Key] | None:
        """Return (lengths, parent) of a loop ``1:n[i]`` within the loop over i, if the lengths differ."""
        match relation.loops[position].upper:
            case Name(name=name, subscripts=(Name(name=outer, subscripts=None),)):
                variables = [loop.variable for loop in relation.loops[:position]]
                lengths = self.found.arrays.get(name)
                if outer in variables and lengths is not None and len(np.unique(lengths)) > 1:
                    parent = self.root(loop_key(relation, outer))
                    full = self.plates.get(parent)
                    if full is not None and full.extent == len(lengths):
                        return name, parent
        return None


def loop_key(relation: Relation, variable: str) -> Key:
    """Return the key of a loop variable, the same for every relation within one loop of the program."""
    span = next(loop.span for loop in relation.loops if loop.variable == variable)
    return ("loop", variable, (span.line, span.start, span.end))


def reductions_in(term: Term) -> Iterator[Apply]:
    """Yield the sums and products over slices in an expression."""
    if isinstance(term, Apply) and term.function in REDUCTIONS:
        yield term
    for each in parts(term):
        yield from reductions_in(each)


def replace_slices(
    term: Term, found: Elaborated, variables: tuple[str, ...], anchors: tuple[Term | None, ...]
) -> Term:
    """Return a summand: the slices of each name give way to ``variables``, in order.

    A variable counts as the slice does whose lower end is its anchor (None: from 1).
    """
    match term:
        case Name(subscripts=subscripts):
            subscripts = whole_subscripts(term, found)
            if subscripts is None:
                return term
            free = iter(zip(variables, anchors, strict=True))
            inner = tuple(
                _element(each, *next(free)) if isinstance(each, Slice) else each for each in subscripts
            )
            return Name(name=term.name, subscripts=inner, span=term.span)
        case Apply(function=function, arguments=arguments) if function not in (*REDUCTIONS, "length", "dim"):
            parts_ = tuple(replace_slices(each, found, variables, anchors) for each in arguments)
            return Apply(function=function, arguments=parts_, span=term.span)
        case Operation(operator=operator, left=left, right=right) if operator != "%*%":
            one = replace_slices(left, found, variables, anchors)
            two = replace_slices(right, found, variables, anchors)
            return Operation(operator=operator, left=one, right=two, span=term.span)
        case Minus(operand=operand):
            return Minus(operand=replace_slices(operand, found, variables, anchors), span=term.span)
    return term


def whole_subscripts(term: Name, found: Elaborated) -> tuple[Term, ...] | None:
    """Return the subscripts of a name; slices for an array named without any, None for a number."""
    if term.subscripts is not None:
        return term.subscripts
    extents = found.extents.get(term.name) or (
        found.arrays[term.name].shape if term.name in found.arrays else ()
    )
    return tuple(Slice(span=term.span) for _ in extents) or None


def _element(subscript: Slice, variable: str, anchor: Term | None) -> Term:
    span = subscript.span
    counter = Name(name=variable, span=span)
    if subscript.lower == anchor:
        return counter
    one = Literal(text="1", span=span)
    shift = Operation(operator="-", left=subscript.lower or one, right=anchor or one, span=span)
    return Operation(operator="+", left=counter, right=shift, span=span)
