"""From what the rows come to, to a model with its data: sizes, labels, values of groups, sums and fits.

The groups are put in the order that their labels have in memory (``running.levels``), so a reduced run draws what the
same run on the rows draws, up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from deriver.errors import DataError
from deriver.model.expressions import Reference
from deriver.model.records import Model
from deriver.reduction.moments import Moments
from deriver.reduction.pieces import Source
from deriver.reduction.plan import make_task
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
from deriver.reduction.scan import Key, Partial, Task, spread
from deriver.reduction.solve import ONE as INTERCEPT
from deriver.reduction.solve import pooled_moment, solve_fit, sum_products, total_in_parts
from deriver.running.binding import Binding, check_mapping_names, finish_binding
from deriver.running.givens import read_settings, record_set_sizes
from deriver.running.job import Job
from deriver.running.layout import parents_of
from deriver.running.levels import Levels
from deriver.running.problems import Problems
from deriver.running.sizes import Sizes
from deriver.running.symbols import declarations
from deriver.running.table_binding import Supply
from deriver.running.tables import Arrays

Scan = Callable[[Task], Partial]


def bind_reduced(model: Model, source: Source, job: Job, recipe: Recipe, scan: Scan) -> Binding:
    """Return the model with the statistics of its data among the arrays; ``scan`` reads the rows.

    Raises ``DataError`` or ``UsageError``, as ``bind_data`` does; whatever can be told without the rows is told first.
    """
    problems = Problems(source.origin)
    settings = read_settings(model, job.values, problems)
    sizes = Sizes(model, problems)
    record_set_sizes(settings, sizes, problems)
    check_mapping_names(model, job.columns, problems)
    task = make_task(model, source, job, recipe, settings, problems)
    problems.raise_any()
    partial = scan(task)
    if partial.mistakes:
        raise DataError(partial.mistakes, source.origin)
    _check_indicators(task, partial, problems)
    supply = Supply(components=partial.components)
    orders = _order_groups(model, task, partial, sizes, supply)
    for key, moments in partial.moments.items():
        if key[0] is not None:
            partial.moments[key] = moments.reordered(orders[key[0].plate])
    _record_sizes(model, task, partial, orders, sizes, problems)
    _place_values(task, partial, orders, sizes, supply)
    statistics = _Statistics(task, partial).all()
    rowwise = frozenset(
        each.name for each in declarations(model) if recipe.rows and recipe.rows[-1] in each.indices
    )  # fmt: skip
    binding = finish_binding(
        model, Arrays(origin=source.origin, entries={}), supply, settings, sizes, problems, absent=rowwise
    )
    return _with_statistics(binding, statistics)


def _with_statistics(binding: Binding, statistics: Mapping[str, np.ndarray]) -> Binding:
    return replace(binding, arrays={**binding.arrays, **statistics})


def _check_indicators(task: Task, partial: Partial, problems: Problems) -> None:
    for name, met in partial.met.items():
        if not met:
            column, _, label = name.removesuffix("]").partition("[")
            problems.add(
                "unknown-label", f"--map: the column `{column}` has no label `{label}`",
                expected="a label of one of its rows", usage=True,
            )  # fmt: skip


# --- groups -----------------------------------------------------------------------------------------------------


def _order_groups(
    model: Model, task: Task, partial: Partial, sizes: Sizes, supply: Supply
) -> dict[str, np.ndarray]:
    """Return, by plate, the number that each group had while reading, in the order of the labels; -1 without rows."""
    orders = {}
    for plate in task.plates:
        labels = partial.labels[plate]
        column = next(name for grouping, name in task.labels.items() if grouping.plate == plate)
        found, order = labels.sorted()
        levels = sizes.widen_levels(model.plate(plate), Levels(labels=found, column=column))
        if len(levels.labels) > len(found):  # a size was given: some groups have no rows
            number = dict(zip(found, order.tolist(), strict=True))
            order = np.array([number.get(label, -1) for label in levels.labels], dtype=np.int64)
        orders[plate] = order
        supply.labels[plate] = levels
    return orders


def _record_sizes(
    model: Model, task: Task, partial: Partial, orders: Mapping[str, np.ndarray], sizes: Sizes, problems: Problems
) -> None:  # fmt: skip
    for plate, order in orders.items():
        column = next(name for grouping, name in task.labels.items() if grouping.plate == plate)
        sizes.record_plate(model.plate(plate), len(order), f"labels in `{column}`")
    if not task.recipe.rows:
        return
    *outer, row = task.recipe.rows
    if not outer:
        sizes.record_plate(model.plate(row), partial.rows, "rows")
        return
    counts = partial.moments[Grouping(plate=outer[0]), ONE].counts
    upper = model.plate(row).upper
    if parents_of(row, model):
        if isinstance(upper, Reference):
            sizes.record(upper.name, counts, "rows of each group")
        return
    if len(set(counts.tolist())) > 1:
        problems.add(
            "ragged", f"the groups have between {counts.min()} and {counts.max()} rows",
            expected=f"as many rows in each, as the model says of the plate `{row}`",
            remedy=f"make the plate ragged: `{row} = 1..J[{outer[0]}]`",
        )  # fmt: skip
    sizes.record_plate(model.plate(row), int(counts.max()), "rows")


def _place_values(
    task: Task, partial: Partial, orders: Mapping[str, np.ndarray], sizes: Sizes, supply: Supply
) -> None:
    for symbol, grouping in task.of_groups:
        values = partial.values[symbol.name]
        order = orders[grouping.plate]
        array = np.where((order >= 0).reshape(-1, *[1] * (values.ndim - 1)), values[order], np.nan)
        if symbol.role == "group":
            own = orders[symbol.plate or ""]
            place = np.empty(own.max(initial=0) + 1)
            place[own[own >= 0]] = np.flatnonzero(own >= 0)
            array = np.where(np.isnan(array), 0, place[np.nan_to_num(array).astype(np.intp)])
        dims = array.shape[1:]
        sizes.record_shape(symbol, dims, "columns of --map")
        supply.arrays[symbol.name] = array
    for symbol in task.symbols:
        if symbol.declared.shape:
            sizes.record_shape(symbol, (partial.sides[symbol.name],), "columns of --map")


# --- statistics -------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Statistics:
    """Takes the statistics of a recipe from moments, which are in the order of the labels."""

    task: Task
    partial: Partial

    def all(self) -> dict[str, np.ndarray]:
        """Return every statistic of the recipe by its name."""
        found: dict[str, np.ndarray] = {}
        for item in self.task.recipe.items:
            match item:
                case SumOfProducts():
                    found[item.name] = self._sum(item)
                case MomentsOfResponse():
                    found[item.name] = self._moment(item)
                case FitOfRows():
                    found |= self._fit(item)
        return found

    def _moments(self, item: Item) -> tuple[Key, Moments]:
        key = self.task.home(item)
        return key, self.partial.moments[key]

    def _place(self, key: Key, term: Term) -> list[int]:
        features = self.partial.features[key]
        return (
            [INTERCEPT]
            if term == ONE
            else [features.index(each) for each in spread(term, self.partial.sides)]
        )

    def _sum(self, item: SumOfProducts) -> np.ndarray:
        key, moments = self._moments(item)
        left, right = self._place(key, item.left), self._place(key, item.right)
        sums = [[self._total(sum_products(moments, a, b), item.grouping) for b in right] for a in left]
        array = item.number * np.moveaxis(np.array(sums), (0, 1), (-2, -1))
        kept = [slice(None) if term.vector else 0 for term in (item.left, item.right)]
        return array[..., kept[0], kept[1]]

    def _total(self, parts: np.ndarray, grouping: Grouping | None) -> np.ndarray:
        return np.asarray(total_in_parts(parts)) if grouping is None else parts[:, 0] + parts[:, 1]

    def _moment(self, item: MomentsOfResponse) -> np.ndarray:
        key, moments = self._moments(item)
        (place,) = self._place(key, item.response)
        variance, square = pooled_moment(moments, place)
        return np.asarray(square if item.square else variance)

    def _fit(self, item: FitOfRows) -> dict[str, np.ndarray]:
        key, moments = self._moments(item)
        moments = moments.pooled() if item.grouping is None else moments
        places = [self._place(key, column) for column in item.columns]
        (response,) = self._place(key, item.response)
        made = solve_fit(moments, [place for places_of in places for place in places_of], response)
        whole = (slice(None) if item.grouping is not None else 0,)
        found: dict[str, np.ndarray] = {item.rss: made.rss[whole]}
        spots = _spots(item, places)
        for spot, fit, rest in zip(spots, item.fits, item.rests, strict=True):
            found[fit], found[rest] = made.fit[(*whole, spot)], made.rest[(*whole, spot)]
        blocks = [(a, b) for k, a in enumerate(spots) for b in spots[k:]]
        for name, (a, b) in zip(item.roots, blocks, strict=bool(item.roots)):
            found[name] = made.root[(*whole, a, b)]
        return found


def _spots(item: FitOfRows, places: list[list[int]]) -> list[int | slice]:
    """Return where the coefficients of each column stand among all: a number's, or a vector's as a slice."""
    spots: list[int | slice] = []
    first = 0
    for column, own in zip(item.columns, places, strict=True):
        spots.append(slice(first, first + len(own)) if column.vector else first)
        first += len(own)
    return spots
