"""A program with its data: loops counted, what depends on the data alone computed, the rest left as a graph.

Input: a ``Program`` and arrays by BUGS name.  Output: ``Elaborated``: the relations that remain, for each the values
that its loop variables take, the arrays that are known, and the extents of every node.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from deriver.bugs.evaluate import Unknown, evaluate, whole
from deriver.bugs.syntax import Name, Program, Relation, Slice, names_in
from deriver.language.mistakes import LineMistake, Mistakes, suggest

Counters = dict[str, int]


@dataclass(slots=True)
class Elaborated:
    """``relations`` that remain; ``arrays`` known in full; ``partial`` those of nodes that are known in part."""

    relations: list[Relation]
    counts: dict[Relation, list[Counters]]
    arrays: dict[str, np.ndarray]
    partial: dict[str, np.ndarray] = field(default_factory=dict)
    extents: dict[str, tuple[int, ...]] = field(default_factory=dict)
    given: frozenset[str] = frozenset()

    def relations_of(self, name: str) -> list[Relation]:
        """Return the relations whose left side is that node."""
        return [each for each in self.relations if each.target.name == name]

    def is_node(self, name: str) -> bool:
        """Tell whether a name is stated by a relation that remains."""
        return name in self.extents

    def observed(self, name: str) -> np.ndarray | None:
        """Return the data of a stochastic node, NaN where missing; None if nothing of it is observed."""
        found = self.arrays.get(name)
        if found is None or name not in self.extents or np.isnan(found).all():
            return None
        return found


def elaborate(program: Program, data: Mapping[str, np.ndarray], mistakes: Mistakes) -> Elaborated:
    """Return the program with its data; mistakes are recorded."""
    worker = _Worker(dict(data), mistakes)
    for block in (program.data, program.model):
        worker.compute(block)
    stray = [each for each in program.data if each.stochastic]
    for relation in stray:
        mistakes.add(
            "data-block", "a random quantity in the data block", span=relation.span,
            expected="definitions `<-` from the data", remedy="simulate the data beforehand",
        )  # fmt: skip
    return worker.finish(program, frozenset(data))


class _Worker:
    """Computes definitions until nothing new is known."""

    def __init__(self, arrays: dict[str, np.ndarray], mistakes: Mistakes) -> None:
        self.arrays, self.mistakes = arrays, mistakes
        self.computed: dict[str, np.ndarray] = {}
        self.counts: dict[Relation, list[Counters]] = {}
        self.done: set[Relation] = set()

    def known(self) -> dict[str, np.ndarray]:
        return {**self.computed, **self.arrays}

    def compute(self, relations: tuple[Relation, ...]) -> None:
        """Compute every definition that rests on the data alone."""
        progress = True
        while progress:
            progress = False
            for relation in relations:
                if relation not in self.done:
                    progress |= self._try(relation)

    def _try(self, relation: Relation) -> bool:
        try:
            if relation not in self.counts:
                self.counts[relation] = list(self._count(relation))
            if relation.stochastic:
                self.done.add(relation)
                return True
            return self._define(relation)
        except Unknown:
            return False
        except LineMistake as stop:
            self.mistakes.add_from(stop)
            self.done.add(relation)
            return True

    def _count(self, relation: Relation) -> Iterator[Counters]:
        known = self.known()

        def run(depth: int, counters: Counters) -> Iterator[Counters]:
            if depth == len(relation.loops):
                yield dict(counters)
                return
            loop = relation.loops[depth]
            lower, upper = whole(loop.lower, known, counters), whole(loop.upper, known, counters)
            for value in range(lower, upper + 1):
                yield from run(depth + 1, {**counters, loop.variable: value})

        return run(0, {})

    def _define(self, relation: Relation) -> bool:
        """Compute the elements of a definition, as many as are known; tell whether anything is new."""
        if relation.target.name in self.arrays:
            return self._fill_data(relation)
        if relation.expression is None or not self._could_know(relation):
            return False
        new, complete = False, True
        for counters in self.counts[relation]:
            try:
                new |= self._store(relation, counters)
            except Unknown:
                complete = False
            except LineMistake as stop:
                if stop.code != "subscript" or not self._is_growing(relation):
                    raise
                complete = False
        if complete:
            self.done.add(relation)
        return new or complete

    def _fill_data(self, relation: Relation) -> bool:
        """Compute the elements of a definition that the data leave open, as ``z[i,first[i]] <- 1`` beside z with NA there."""
        name, expression = relation.target.name, relation.expression
        assert expression is not None
        known = self.known()
        filled = self.arrays[name].copy()
        for counters in self.counts[relation]:
            place = target_place(relation.target, known, counters)
            value = undo_link(relation.link, evaluate(expression, known, counters))
            if not _inside(place, filled.shape):
                filled = _grow(filled, place)
            if not np.all(np.isnan(filled[place]) | (filled[place] == value)):
                raise _given_twice(relation)
            filled[place] = value
        self.arrays[name] = filled
        self.done.add(relation)
        return True

    def _is_growing(self, relation: Relation) -> bool:
        """Tell whether a definition rests on arrays that are being computed, whose extents are not final."""
        return relation.expression is not None and any(
            name.name in self.computed for name in names_in(relation.expression)
        )

    def _could_know(self, relation: Relation) -> bool:
        known = self.known()
        loops = {loop.variable for loop in relation.loops}
        names = {each.name for each in names_in(relation.expression)} if relation.expression else set()
        return all(name in known or name in loops or name == relation.target.name for name in names)

    def _store(self, relation: Relation, counters: Counters) -> bool:
        assert relation.expression is not None
        known = self.known()
        place = target_place(relation.target, known, counters)
        old = self.computed.get(relation.target.name)
        if old is not None and _inside(place, old.shape) and not np.isnan(old[place]).any():
            return False
        value = undo_link(relation.link, evaluate(relation.expression, known, counters))
        if old is None or not _inside(place, old.shape):
            self.computed[relation.target.name] = old = _grow(old, place)
        old[place] = value
        return True

    def finish(self, program: Program, given: frozenset[str]) -> Elaborated:
        """Return what remains of the model."""
        for relation in program.model:
            if relation not in self.counts and relation not in self.done:
                self._report_bounds(relation)
            elif (
                not relation.stochastic and relation.target.name in self.arrays and relation not in self.done
            ):
                self.mistakes.add_from(_given_twice(relation))
        whole_names = self._whole_names(program)
        arrays = {**self.arrays, **{n: a for n, a in self.computed.items() if n in whole_names}}
        left = [
            each for each in program.model
            if each in self.counts and (each.stochastic or not self._is_known(each, whole_names))
            and self.counts[each]
        ]  # fmt: skip
        found = Elaborated(relations=left, counts=self.counts, arrays=arrays, given=given)
        found.partial = {name: array for name, array in self.computed.items() if name not in whole_names}
        found.extents = self._measure(found)
        return found

    def _is_known(self, relation: Relation, whole_names: set[str]) -> bool:
        """Tell whether nothing is left of a definition: its elements are in an array that is known, or in the data."""
        return relation.target.name in whole_names or relation.target.name in self.arrays

    def _whole_names(self, program: Program) -> set[str]:
        """Return the names whose every definition was computed, and that no relation draws without data."""
        relations = (*program.data, *program.model)
        undone = {each.target.name for each in relations if not each.stochastic and each not in self.done}
        drawn = {each.target.name for each in program.model if each.stochastic}
        partly = {n for n in drawn & self.computed.keys() if not self._covers(n, program)}
        return set(self.computed) - undone - partly

    def _covers(self, name: str, program: Program) -> bool:
        """Tell whether the computed values of a node are its data: every element that is drawn has one."""
        for relation in program.model:
            if relation.stochastic and relation.target.name == name:
                for counters in self.counts.get(relation, []):
                    place = target_place(relation.target, self.known(), counters)
                    array = self.computed[name]
                    if not _inside(place, array.shape) or np.isnan(array[place]).any():
                        return False
        return True

    def _report_bounds(self, relation: Relation) -> None:
        known = self.known()
        for loop in relation.loops:
            for bound in (loop.lower, loop.upper):
                for each in names_in(bound):
                    if each.name not in known and each.name not in {n.variable for n in relation.loops}:
                        self.mistakes.add(
                            "bounds", f"the bounds of this loop rest on `{each.name}`, which the data do not give",
                            span=each.span, expected="bounds known from the data",
                            remedy=suggest(each.name, known) or f"add `{each.name}` to the data",
                        )  # fmt: skip

    def _measure(self, found: Elaborated) -> dict[str, tuple[int, ...]]:
        extents: dict[str, tuple[int, ...]] = {}
        for relation in found.relations:
            name = relation.target.name
            for counters in self.counts[relation]:
                try:
                    place = target_place(relation.target, {**self.known(), **found.arrays}, counters)
                except Unknown:
                    self.mistakes.add(
                        "target", f"a subscript of `{name}` is not known from the data",
                        span=relation.target.span,
                        expected="loop variables and numbers", remedy="index it on the right sides instead",
                    )  # fmt: skip
                    break
                except LineMistake as stop:
                    self.mistakes.add_from(stop)
                    break
                size = _size(place)
                old = extents.get(name, (0,) * len(size))
                if len(old) != len(size):
                    self.mistakes.add(
                        "subscript", f"`{name}` has {len(size)} subscripts here, and {len(old)} before",
                        span=relation.target.span,
                    )  # fmt: skip
                    break
                extents[name] = tuple(max(one, two) for one, two in zip(old, size, strict=True))
            data = found.arrays.get(name)
            if data is not None and name in extents and data.ndim == len(extents[name]):
                extents[name] = tuple(max(a, b) for a, b in zip(extents[name], data.shape, strict=True))
        return extents


def _given_twice(relation: Relation) -> LineMistake:
    name = relation.target.name
    return LineMistake(
        f"`{name}` is defined here, and is among the data", span=relation.target.span, code="duplicate",
        remedy=f"take `{name}` out of the data, give it NA where it is defined, or give one of them another name",
    )  # fmt: skip


def target_place(
    target: Name, known: Mapping[str, np.ndarray], counters: Mapping[str, int]
) -> tuple[int | slice, ...]:
    """Return the place of a left side in its array, from 0; its extent may be that of data of the same name."""
    found: list[int | slice] = []
    for position, each in enumerate(target.subscripts or ()):
        if isinstance(each, Slice):
            if each.lower is None or each.upper is None:
                if target.name not in known or known[target.name].ndim <= position:
                    raise LineMistake(
                        f"the extent of `{target.name}` is not known here", span=each.span, code="subscript",
                        remedy="write it out, as in x[1:3]",
                    )  # fmt: skip
                found.append(slice(0, known[target.name].shape[position]))
            else:
                low = whole(each.lower, known, counters)
                found.append(slice(low - 1, whole(each.upper, known, counters)))
        else:
            value = whole(each, known, counters)
            if value < 1:
                raise LineMistake(
                    f"the subscript {value} of `{target.name}` is below 1", span=each.span, code="subscript"
                )
            found.append(value - 1)
    return tuple(found)


def _size(place: tuple[int | slice, ...]) -> tuple[int, ...]:
    return tuple(each.stop if isinstance(each, slice) else each + 1 for each in place)


def _inside(place: tuple[int | slice, ...], shape: tuple[int, ...]) -> bool:
    size = _size(place)
    return len(size) == len(shape) and all(a <= b for a, b in zip(size, shape, strict=True))


def _grow(old: np.ndarray | None, place: tuple[int | slice, ...]) -> np.ndarray:
    size = _size(place)
    if old is None or old.ndim != len(size):
        return np.full(size, np.nan)
    shape = tuple(max(a, b) for a, b in zip(size, old.shape, strict=True))
    new = np.full(shape, np.nan)
    new[tuple(slice(0, each) for each in old.shape)] = old
    return new


def undo_link(link: str | None, value: np.ndarray) -> np.ndarray:
    """Return the node itself, given what stood on the right of ``link(node) <-``."""
    from scipy import special

    inverse = {
        "log": np.exp, "logit": special.expit, "probit": special.ndtr, "cloglog": lambda x: -np.expm1(-np.exp(x)),
    }  # fmt: skip
    return inverse[link](value) if link else value
