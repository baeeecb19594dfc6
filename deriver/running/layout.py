"""How the elements of a quantity lie in an array: one axis per plate, a ragged plate merged with its parents.

Part of stage run.  Input: the ranges of a quantity's indices and the sizes known.  Output: a ``Layout`` of
``Block`` records.  Dense plates have an axis each; a ragged plate (``j = 1..J[i]``) shares one axis with
everything from the plate it hangs on, its rows in the order of (i, j).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from deriver.model.expressions import Expression, references
from deriver.model.records import Given, Model, Node, Range


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One index inside a block: lower bounds and lengths, one per row of the indices before it."""

    index: str
    lower: np.ndarray
    length: np.ndarray
    offset: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One array axis: its indices, and for each of its rows the value of each index (counted as in the model)."""

    levels: tuple[Level, ...]
    rows: Mapping[str, np.ndarray]

    @property
    def indices(self) -> tuple[str, ...]:
        """Return the plate indices that share this axis."""
        return tuple(level.index for level in self.levels)

    @property
    def axis(self) -> str:
        """Return the name of the axis: its indices joined by an underscore."""
        return "_".join(self.indices)

    @property
    def size(self) -> int:
        """Return the number of rows."""
        return len(self.rows[self.levels[0].index])

    def locate(self, values: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Return the row of each combination of index values, and whether there is one; else row 0."""
        position: np.ndarray = np.zeros((), dtype=np.intp)
        inside: np.ndarray = np.ones((), dtype=bool)
        for level in self.levels:
            step = np.asarray(values[level.index]) - level.lower[position]
            within = (step >= 0) & (step < level.length[position])
            inside = inside & within
            position = np.where(inside, level.offset[position] + np.where(within, step, 0), 0).astype(np.intp)
        return position, inside


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The axes of a quantity and its component shape, all as numbers."""

    name: str
    indices: tuple[str, ...]
    blocks: tuple[Block, ...]
    shape: tuple[int, ...] = ()

    @property
    def axes(self) -> tuple[str, ...]:
        """Return the names of the plate axes."""
        return tuple(block.axis for block in self.blocks)

    @property
    def extents(self) -> tuple[int, ...]:
        """Return the lengths of the plate axes, then of the component axes."""
        return tuple(block.size for block in self.blocks) + self.shape

    def locate(self, values: Mapping[str, np.ndarray]) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        """Return the array position of each combination of index values, and whether it exists."""
        found = [block.locate(values) for block in self.blocks]
        inside = np.ones((), dtype=bool)
        for _, within in found:
            inside = inside & within
        return tuple(position for position, _ in found), inside


# Given a bound and the index values of the rows so far, return the bound for each row.
BoundEvaluator = Callable[[Expression, Mapping[str, np.ndarray]], np.ndarray]


def make_layout(
    name: str, ranges: Sequence[Range], shape: tuple[int, ...], model: Model, evaluate: BoundEvaluator
) -> Layout:
    """Return the layout of a quantity whose indices run over ``ranges``, in order."""
    blocks = tuple(_make_block(group, model, evaluate) for group in _group_ranges(ranges, model))
    return Layout(name=name, indices=tuple(r.index for r in ranges), blocks=blocks, shape=shape)


def ranges_of(declared: Given | Node, model: Model) -> tuple[Range, ...]:
    """Return the ranges of a node's indices, or the whole plates of a given's; bounds always filled in."""
    own = declared.ranges if isinstance(declared, Node) else ()
    by_index = {each.index: each for each in own}
    filled = []
    for index in declared.indices:
        plate, place = model.plate(index), by_index.get(index, Range(index=index))
        lower = plate.lower if place.lower is None else place.lower
        upper = plate.upper if place.upper is None else place.upper
        filled.append(Range(index=index, lower=lower, upper=upper))
    return tuple(filled)


def parents_of(index: str, model: Model) -> tuple[str, ...]:
    """Return the plate indices that the size of a plate mentions: (i,) for ``j = 1..J[i]``."""
    plate = model.plate(index)
    known = {each.index for each in model.plates}
    names = (ref.name for bound in (plate.lower, plate.upper) for ref in references(bound))
    return tuple(dict.fromkeys(name for name in names if name in known))


def _group_ranges(ranges: Sequence[Range], model: Model) -> list[list[Range]]:
    """Return the ranges that share an axis: a ragged plate stands with its parents, at the first one's place."""
    groups: list[list[Range]] = []
    for place in ranges:
        parents = set(parents_of(place.index, model))
        tied = [group for group in groups if parents & {each.index for each in group}]
        merged = [each for group in tied for each in group] + [place]
        where = groups.index(tied[0]) if tied else len(groups)
        groups = [group for group in groups if group not in tied]
        groups.insert(where, merged)
    return groups


def _make_block(group: Sequence[Range], model: Model, evaluate: BoundEvaluator) -> Block:
    rows: dict[str, np.ndarray] = {}
    levels: list[Level] = []
    count = 1
    for place in group:
        assert place.lower is not None and place.upper is not None
        lower = np.broadcast_to(evaluate(place.lower, rows), (count,)).astype(np.intp)
        upper = np.broadcast_to(evaluate(place.upper, rows), (count,)).astype(np.intp)
        length = np.maximum(upper - lower + 1, 0)
        offset = np.concatenate([[0], np.cumsum(length)[:-1]]).astype(np.intp)
        rows = {index: np.repeat(values, length) for index, values in rows.items()}
        count = int(length.sum())
        within = np.arange(count) - np.repeat(offset, length)
        rows[place.index] = within + np.repeat(lower, length)
        levels.append(Level(index=place.index, lower=lower, length=length, offset=offset))
    return Block(levels=tuple(levels), rows=rows)
