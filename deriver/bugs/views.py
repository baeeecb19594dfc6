"""Data as the translated model takes them: givens over its plates, made from the arrays of the BUGS program.

A view is an expression of the data evaluated for every value of the plates on which it stands, so that sub-arrays,
offsets and nested indexing of data need nothing of the model language.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from deriver.bugs.elaborate import Counters, Elaborated
from deriver.bugs.evaluate import Unknown, evaluate
from deriver.bugs.names import NameTable
from deriver.bugs.plates import Key, Plates
from deriver.bugs.syntax import Relation, Slice, Term, names_in
from deriver.language.mistakes import LineMistake
from deriver.language.rewrite import make_number
from deriver.language.syntax import GivenLine, TypeText
from deriver.model.expressions import Expression, Reference


@dataclass(frozen=True, slots=True)
class Frame:
    """Where an expression stands: ``moves`` maps a loop variable to our index and index = variable + step.

    ``sums`` are the variables of sums, ``table`` the values of loop variables that are not in ``moves``; ``masked``
    tells that the expression counts for a part of its plates only.
    """

    relation: Relation
    counts: list[Counters]
    moves: dict[str, tuple[str, int]]
    roots: dict[str, Key]
    indices: tuple[str, ...]
    sums: frozenset[str] = frozenset()
    table: dict[tuple[int, ...], Counters] = field(default_factory=dict)
    masked: bool = False

    def variables(self) -> set[str]:
        """Return the variables that have a value here."""
        return {loop.variable for loop in self.relation.loops} | self.sums


@dataclass(slots=True)
class Given:
    """A symbol under `given`, with its numbers."""

    name: str
    indices: tuple[str, ...]
    array: np.ndarray
    rank: int = 0
    kind: str = "real"
    plate: str = ""
    roles: set[str] = field(default_factory=set)


class Views:
    """The givens of one translation."""

    def __init__(self, found: Elaborated, plates: Plates, names: NameTable) -> None:
        self.found, self.plates, self.names = found, plates, names
        self.givens: dict[tuple[Any, ...], Given] = {}

    def add(
        self, wanted: str, indices: tuple[str, ...], array: np.ndarray, *, rank: int = 0, kind: str = "real",
        plate: str = "",
    ) -> Given:  # fmt: skip
        """Return the given with these numbers; one that is there already is used again."""
        key = (wanted, indices, rank, kind, plate, array.shape, array.tobytes())
        if key not in self.givens:
            free = wanted not in self.names.ours
            name = self.names.of(wanted) if free else self.names.fresh(wanted)
            self.givens[key] = Given(name, indices, array, rank, kind, plate)
        return self.givens[key]

    def evaluate(self, term: Term, frame: Frame) -> tuple[tuple[str, ...], np.ndarray, int]:
        """Return an expression of the data as (indices, numbers over their plates, rank of its value)."""
        indices = self._indices(term, frame)
        extents = [self.plates.plates[self.plates.root(frame.roots[index])].extent for index in indices]
        values: dict[tuple[int, ...], np.ndarray] = {}
        trouble: LineMistake | None = None
        for place in itertools.product(*(range(1, extent + 1) for extent in extents)):
            counters = self._counters(frame, indices, place)
            try:
                if counters is not None:
                    values[place] = evaluate(term, self.found.arrays, counters)
            except LineMistake as stop:
                trouble = stop
            except Unknown as missing:
                trouble = missing_value(term, str(missing))
        self._check_used(term, frame, indices, values, trouble)
        first = next(iter(values.values()))
        array = np.empty((*extents, *first.shape))
        for place in itertools.product(*(range(1, extent + 1) for extent in extents)):
            value = values.get(place, first)
            if value.shape != first.shape:
                raise LineMistake(
                    "the slices of this expression are not of one length", span=term.span, code="slice",
                    remedy="pad the array to one length",
                )  # fmt: skip
            array[tuple(each - 1 for each in place)] = value
        return indices, array, first.ndim

    def _check_used(
        self, term: Term, frame: Frame, indices: tuple[str, ...], values: dict[tuple[int, ...], np.ndarray],
        trouble: LineMistake | None,
    ) -> None:  # fmt: skip
        """Raise the trouble if it concerns an element that the program uses."""
        if trouble is None:
            return
        if not values:
            raise trouble
        if any(index not in frame.indices for index in indices):
            return
        steps = {index: (variable, step) for variable, (index, step) in frame.moves.items()}
        for counters in frame.counts:
            place = tuple(counters[steps[index][0]] + steps[index][1] for index in indices if index in steps)
            if len(place) == len(indices) and place not in values:
                raise trouble

    def _indices(self, term: Term, frame: Frame) -> tuple[str, ...]:
        used = [
            each.name for each in names_in(term) if each.subscripts is None and each.name in frame.variables()
        ]
        if any(name not in frame.moves for name in used):
            used += [name for name in frame.moves if name not in frame.sums]
        found = list(dict.fromkeys(frame.moves[name][0] for name in used if name in frame.moves))
        for index in tuple(found):
            plate = self.plates.plates[self.plates.root(frame.roots[index])]
            if plate.parent is not None:
                parent = next(
                    i
                    for i in frame.indices
                    if self.plates.root(frame.roots[i]) == self.plates.root(plate.parent)
                )
                found = [parent, *(each for each in found if each != parent)]
        return tuple(found)

    def _counters(self, frame: Frame, indices: tuple[str, ...], place: tuple[int, ...]) -> Counters | None:
        here = dict(zip(indices, place, strict=True))
        counters = {
            variable: here[index] - step for variable, (index, step) in frame.moves.items() if index in here
        }
        if not frame.table:
            return counters
        key = tuple(counters.get(variable, 0) for variable in frame.moves if variable not in frame.sums)
        more = frame.table.get(key)
        return {**more, **counters} if more is not None else counters

    # output

    def lines(self) -> tuple[GivenLine, ...]:
        """Return the declarations, group columns last."""
        ordered = sorted(self.givens.values(), key=lambda given: given.kind == "group")
        sizes = self._sizes()
        return tuple(_given_line(given, sizes) for given in ordered if given.kind != "size")

    def _sizes(self) -> set[str]:
        """Return the symbols that are sizes of plates, which stand in expressions too."""
        plates = self.plates.plates.values()
        bugs = {name for plate in plates for name in (plate.size, plate.lengths) if name is not None}
        return {self.names.of(name) for name in bugs if name in self.names.ours}

    def arrays(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the numbers of each symbol."""
        for given in self.givens.values():
            yield given.name, given.array


def missing_value(term: Term, name: str) -> LineMistake:
    """Return the mistake for data that are missing where a number is needed."""
    return LineMistake(
        f"`{name}` is missing in the data for some element of this", span=term.span, code="missing",
        expected="data without NA, or a distribution for what is missing",
        remedy=f"give `{name}` a distribution",
    )  # fmt: skip


def _given_line(given: Given, sizes: set[str]) -> GivenLine:
    indices: tuple[Expression, ...] = tuple(Reference(name=index) for index in given.indices)
    item = Reference(name=given.name, subscripts=() if given.kind == "group" else indices)
    array, dims = given.array, tuple(make_number(n) for n in given.array.shape[len(given.indices) :])
    bounds: tuple[tuple[str, Expression], ...] = ()
    written: TypeText | None = None
    if given.kind == "group":
        written = TypeText(word="group", arguments=(*indices, Reference(name=given.plate)))
    elif "simplex" in given.roles and given.rank == 1:
        written = TypeText(word="simplex", arguments=dims)
    elif given.rank:
        written = TypeText(word="vector" if given.rank == 1 else "matrix", arguments=dims)
        bounds = ((">", make_number(0)),) if given.rank == 1 and (array > 0).all() else ()
    elif given.name in sizes:
        written, bounds = TypeText(word="integer"), ((">", make_number(0)),)
    elif "count" in given.roles:
        written, bounds = TypeText(word="integer"), ((">=", make_number(0)),)
    elif "probability" in given.roles and ((array > 0) & (array < 1)).all():
        bounds = ((">", make_number(0)), ("<", make_number(1)))
    elif (array > 0).all():
        bounds = ((">", make_number(0)),)
    elif "weight" not in given.roles and (array >= 0).all() and (array == np.round(array)).all():
        top = (("<=", make_number(1)),) if array.max() == 1 else ()
        written, bounds = TypeText(word="integer"), ((">=", make_number(0)), *top)
    return GivenLine(items=(item,), type=written, bounds=bounds)


def has_slice(term: Term) -> bool:
    """Tell whether a slice stands among the subscripts of an expression's names."""
    return any(isinstance(each, Slice) for name in names_in(term) for each in name.subscripts or ())
