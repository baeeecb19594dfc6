"""One pass over the rows: each piece to a ``Partial``, partial results merged two by two.

Input: a ``Task``, which can be sent to another process, and pieces of the data.  Output: one ``Partial``.  On one machine
the pieces are read one after another into the same partial result; on a Dask cluster each worker makes one of its piece,
and a tree of merges brings them together.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from deriver.errors import Mistake
from deriver.reduction.labels import Labels, MissingLabel
from deriver.reduction.moments import Moments, Shape
from deriver.reduction.pieces import Piece, read_ahead, read_batches, release_memory
from deriver.reduction.records import (
    ONE,
    FitOfRows,
    Grouping,
    Item,
    MomentsOfResponse,
    Recipe,
    SumOfProducts,
    Term,
)
from deriver.reduction.rows import Batch, BatchReader, make_batch, term_values
from deriver.running.cluster import connect
from deriver.running.evaluate import Environment
from deriver.running.problems import Problems
from deriver.running.supports import check_support
from deriver.running.symbols import Symbol

PATIENCE = "10s"
Feature = tuple[Term, int]  # a factor of a row and the component of its vector
Key = tuple[Grouping | None, Term]  # a grouping and a weight


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is done with every row.

    ``symbols`` are read in every row, ``of_groups`` are the same in all rows of a group of a plate.  ``labels`` maps a
    grouping to the column of its labels; ``numeric`` and ``others`` are the columns read as numbers, and not read at all.
    """

    recipe: Recipe
    symbols: tuple[Symbol, ...]
    of_groups: tuple[tuple[Symbol, Grouping], ...]
    labels: Mapping[Grouping, str]
    mapping: Mapping[str, str]
    numeric: frozenset[str]
    read: tuple[str, ...]
    others: tuple[str, ...]
    texts: tuple[str, ...]
    environment: Environment

    @property
    def plates(self) -> tuple[str, ...]:
        """Return the plates whose labels are numbered."""
        return tuple(dict.fromkeys(grouping.plate for grouping in self.labels))

    def home(self, item: Item) -> Key:
        """Return the moments that an item is taken from: its own grouping's, or any where it is over all rows."""
        weight = item.weight if isinstance(item, FitOfRows) else ONE
        own = None if isinstance(item, MomentsOfResponse) else item.grouping
        return (own or next(iter(self.labels), None), weight)


@dataclass(slots=True, kw_only=True)
class Partial:
    """What some of the rows come to: labels by plate, moments by grouping and weight, values of groups by symbol."""

    rows: int = 0
    labels: dict[str, Labels] = field(default_factory=dict)
    moments: dict[Key, Moments] = field(default_factory=dict)
    features: dict[Key, tuple[Feature, ...]] = field(default_factory=dict)
    values: dict[str, np.ndarray] = field(default_factory=dict)
    components: dict[str, tuple[str, ...]] = field(default_factory=dict)
    sides: dict[str, int] = field(default_factory=dict)
    met: dict[str, bool] = field(default_factory=dict)
    mistakes: tuple[Mistake, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """A batch as numbers: the group of each row by grouping, the features by moments, the cells of values of groups."""

    batch: Batch
    groups: Mapping[Grouping, np.ndarray]
    columns: Mapping[Key, Sequence[np.ndarray]]
    weights: Mapping[Key, np.ndarray]
    cells: Mapping[str, np.ndarray]


def reduce_pieces(task: Task, pieces: Iterable[Piece]) -> Partial:
    """Return what pieces come to, read on this machine; stops at the first batch with a mistake in it.

    One thread reads the batches and turns them into numbers, another adds these up.
    """
    partial = Partial()
    batches = (
        make_batch(piece.path, before, batch, task.numeric, task.others)
        for piece in pieces
        for before, batch in read_batches(piece, task.read, task.texts)
    )
    reading = read_ahead(number_batches(task, partial, batches))
    try:
        for numbers in reading:
            add_numbers(task, partial, numbers)
            if partial.mistakes:
                break
    finally:
        reading.close()
        release_memory()
    return partial


def number_batches(task: Task, partial: Partial, batches: Iterable[Batch]) -> Iterator[Numbers]:
    """Yield batches as numbers, until one has mistakes in it; they are kept in ``partial.mistakes``."""
    for batch in batches:
        problems = Problems()
        cells = _read_cells(task, partial, batch, problems)
        groups = _number_groups(task, partial, batch, problems)
        if problems:
            partial.mistakes = problems.mistakes
            return
        if not partial.moments:
            _prepare(task, partial)
        features, rows = partial.features, batch.length
        columns = {key: [term_values(*each, cells, rows) for each in features[key]] for key in features}
        weights = {key: term_values(key[1], 0, cells, rows) for key in features if key[1] != ONE}
        kept = {symbol.name: cells[symbol.name] for symbol, _ in task.of_groups if symbol.name in cells}
        yield Numbers(batch=batch, groups=groups, columns=columns, weights=weights, cells=kept)


def add_numbers(task: Task, partial: Partial, numbers: Numbers) -> None:
    """Add the rows of a batch; mistakes in them are kept in ``partial.mistakes``."""
    rows = numbers.batch.length
    for key, moments in partial.moments.items():
        group = numbers.groups[key[0]] if key[0] is not None else np.zeros(rows, dtype=np.int64)
        moments.add(group, numbers.columns[key], numbers.weights.get(key))
    problems = Problems()
    _keep_values(task, partial, numbers.batch, numbers.cells, numbers.groups, problems)
    if problems:
        partial.mistakes = problems.mistakes
    partial.rows += rows


def _read_cells(task: Task, partial: Partial, batch: Batch, problems: Problems) -> dict[str, np.ndarray]:
    reader = BatchReader(batch, task.mapping, problems, partial.met)
    found: dict[str, np.ndarray] = {}
    for symbol in (*task.symbols, *(symbol for symbol, _ in task.of_groups if symbol.role != "group")):
        cells, components = reader.read(symbol)
        if cells is None:
            continue
        if not reader.complete:
            if symbol.role == "covariate":
                reader.check_complete(symbol, cells)
            else:
                _refuse_missing(symbol, cells, batch, problems)
        check_support(
            symbol.declared, symbol.name, cells, task.environment, problems,
            lambda position: f"{batch.place(int(position[0]))}: ",
        )  # fmt: skip
        found[symbol.name] = cells
        if symbol.declared.shape:
            partial.components[symbol.name] = components
            partial.sides[symbol.name] = cells.shape[1]
    return found


def _refuse_missing(symbol: Symbol, cells: np.ndarray, batch: Batch, problems: Problems) -> None:
    rows = np.flatnonzero(np.isnan(cells).reshape(len(cells), -1).any(axis=1))
    if rows.size:
        more = f" (and {rows.size - 1} more among the {batch.length} rows around it)" if rows.size > 1 else ""
        problems.add(
            "missing-response", f"{batch.place(int(rows[0]))}: `{symbol.written}` is missing{more}; a missing "
            "response is drawn at every sweep, which takes the rows",
            expected="a value in every row, for data that are reduced to statistics",
            remedy="drop such rows from the file, or --reduce off keeps the rows in memory",
        )  # fmt: skip


def _number_groups(
    task: Task, partial: Partial, batch: Batch, problems: Problems
) -> dict[Grouping, np.ndarray]:
    """Return the number of the group of each row, by grouping; two groupings by one column are numbered once."""
    codes: dict[tuple[str, str], np.ndarray] = {}
    found: dict[Grouping, np.ndarray] = {}
    for grouping, name in task.labels.items():
        place = (grouping.plate, name)
        if place not in codes:
            try:
                codes[place] = partial.labels.setdefault(grouping.plate, Labels()).number(batch.arrow[name])
            except MissingLabel as missing:
                problems.add(
                    "missing-label", f"{batch.place(missing.row)}: column `{name}` is blank",
                    expected=f"a label of the plate `{grouping.plate}` in every row", remedy="fill it in or drop the row",
                )  # fmt: skip
                continue
        found[grouping] = codes[place]
    return found


# --- features -------------------------------------------------------------------------------------------------


def _prepare(task: Task, partial: Partial) -> None:
    """Lay out the moments, now that the lengths of the vectors are known."""
    features: dict[Key, dict[Feature, int]] = {}
    pairs: dict[Key, set[tuple[int, int]]] = {}
    for grouping in (*task.labels, *([None] if not task.labels else [])):
        features[grouping, ONE], pairs[grouping, ONE] = {}, set()
    for item in task.recipe.items:
        key = task.home(item)
        own, products = features.setdefault(key, {}), pairs.setdefault(key, set())
        for one, two in _products(item, partial.sides):
            left, right = (own.setdefault(each, len(own)) if each[0] != ONE else -1 for each in (one, two))
            if left >= 0 and right >= 0:
                products.add((min(left, right), max(left, right)))
    for key, own in features.items():
        partial.features[key] = tuple(own)
        shape = Shape(features=len(own), pairs=tuple(sorted(pairs[key])), weighted=key[1] != ONE)
        partial.moments[key] = Moments(shape)


def _products(item: Item, sides: Mapping[str, int]) -> list[tuple[Feature, Feature]]:
    """Return the products of features whose sums an item needs."""
    if isinstance(item, SumOfProducts):
        return [(a, b) for a in spread(item.left, sides) for b in spread(item.right, sides)]
    if isinstance(item, MomentsOfResponse):
        return [(a, a) for a in spread(item.response, sides)]
    every = [feature for term in (*item.columns, item.response) for feature in spread(term, sides)]
    return [(a, b) for k, a in enumerate(every) for b in every[k:]]


def spread(term: Term, sides: Mapping[str, int]) -> list[Feature]:
    """Return the features that a factor of a row comes to: one, or one for each component of its vector."""
    return [(term, place) for place in range(sides[term.vector] if term.vector else 1)]


# --- values that groups have ------------------------------------------------------------------------------------


def _keep_values(
    task: Task, partial: Partial, batch: Batch, cells: Mapping[str, np.ndarray], groups: Mapping[Grouping, np.ndarray],
    problems: Problems,
) -> None:  # fmt: skip
    """Keep what is the same in all rows of a group, and hold each row against it."""
    for symbol, grouping in task.of_groups:
        group = groups[grouping]
        own = cells.get(symbol.name)
        if symbol.role == "group":
            own = next(groups[other] for other in task.labels if other.column == symbol.name).astype(float)
        assert own is not None
        kept = _widened(partial.values.get(symbol.name), len(partial.labels[grouping.plate]), own.shape[1:])
        fresh = np.isnan(kept[group]).reshape(len(group), -1).any(axis=1)
        kept[group[fresh]] = own[fresh]
        partial.values[symbol.name] = kept
        differs = np.flatnonzero((kept[group] != own).reshape(len(group), -1).any(axis=1))
        if differs.size:
            _report_difference(symbol, batch.place(int(differs[0])), task.recipe.rows, problems)


def _report_difference(symbol: Symbol, place: str, rows: Sequence[str], problems: Problems) -> None:
    inside = ",".join(symbol.indices)
    problems.add(
        "not-constant", f"{place}: `{symbol.written}` differs from another row of the same `{inside}`",
        expected=f"one value for each `{inside}`, as the model declares `{symbol.written}[{inside}]`",
        remedy=f"declare `{symbol.written}[{','.join(rows)}]`, or mend the column",
    )  # fmt: skip


def _widened(kept: np.ndarray | None, groups: int, sides: tuple[int, ...]) -> np.ndarray:
    """Return the values of groups with room for all of them, NaN for those not met."""
    known = 0 if kept is None else len(kept)
    if kept is not None and known >= groups:
        return kept
    wider = np.full((max(groups, 2 * known), *sides), np.nan)
    if kept is not None:
        wider[:known] = kept
    return wider


# --- merging ----------------------------------------------------------------------------------------------------


def merge(task: Task, one: Partial, two: Partial) -> Partial:
    """Return what the rows of both come to."""
    if one.mistakes or two.mistakes:
        return Partial(mistakes=(*one.mistakes, *two.mistakes))
    if not two.rows:
        return one
    if not one.rows:
        return two
    one = copy.deepcopy(one)  # a cluster may merge the same result again, should a worker be lost
    places = {plate: one.labels[plate].merge(two.labels[plate]) for plate in task.plates}
    for key, moments in one.moments.items():
        place = places[key[0].plate] if key[0] is not None else np.zeros(1, dtype=np.int64)
        other = two.moments[key]
        moments.merge(other, place[: other.groups])
    problems = Problems()
    for symbol, grouping in task.of_groups:
        _merge_values(one, two, symbol, grouping, places, task.recipe.rows, problems)
    one.mistakes = problems.mistakes
    one.rows += two.rows
    one.met = {name: one.met.get(name, False) or two.met.get(name, False) for name in {**one.met, **two.met}}
    return one


def _merge_values(
    one: Partial, two: Partial, symbol: Symbol, grouping: Grouping, places: Mapping[str, np.ndarray],
    rows: Sequence[str], problems: Problems,
) -> None:  # fmt: skip
    place = places[grouping.plate]
    other = two.values[symbol.name][: len(place)]
    if symbol.role == "group":
        known = ~np.isnan(other)
        other = np.where(known, places[symbol.plate or ""][np.where(known, other, 0).astype(np.intp)], np.nan)
    kept = _widened(one.values[symbol.name], len(one.labels[grouping.plate]), other.shape[1:])
    both = ~np.isnan(kept[place]) & ~np.isnan(other)
    if (both & (kept[place] != other)).any():
        _report_difference(symbol, "two pieces of the data", rows, problems)
    kept[place] = np.where(np.isnan(kept[place]), other, kept[place])
    one.values[symbol.name] = kept


def reduce_on_dask(task: Task, pieces: Sequence[Piece], address: str) -> Partial:
    """Return what pieces come to, each read by a worker of a Dask cluster, merged two by two."""
    with connect(address, PATIENCE) as client:
        shared = client.scatter(task, broadcast=True)
        level: list[Any] = [client.submit(reduce_pieces, shared, [piece], pure=False) for piece in pieces]
        while len(level) > 1:
            pairs = [level[k : k + 2] for k in range(0, len(level), 2)]
            level = [
                client.submit(merge, shared, *pair, pure=False) if pair[1:] else pair[0] for pair in pairs
            ]
        return level[0].result()
