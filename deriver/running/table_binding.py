"""From the rows of a table to the plates of a model.

Part of stage run.  Input: a ``Table``, a ``Model`` and the mapping of columns.  Output: a ``Supply``: sizes, labels
and arrays by symbol.  Every row is one element of the model's row plate: the indices of its largest response.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from deriver.language.mistakes import listing, suggest
from deriver.model.expressions import Reference
from deriver.model.records import Model
from deriver.running.columns import ColumnReader
from deriver.running.layout import Layout, parents_of
from deriver.running.levels import (
    Grid,
    GridError,
    Levels,
    count_within,
    make_grid,
    number_rows,
    order_levels,
    rank_within,
)  # fmt: skip
from deriver.running.problems import Problems
from deriver.running.sizes import Sizes
from deriver.running.symbols import Symbol, list_symbols, temporal_plates
from deriver.running.tables import Column, Table


@dataclass(slots=True, kw_only=True)
class Supply:
    """What the data say: arrays by symbol, labels of plates, columns of vectors, and notes for the user.

    ``labels`` has one label per index value of a dense plate; ``row_labels`` one per row of the axis on which
    a ragged plate lies.  ``rows_of`` tells which row of the table an element came from.
    """

    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    labels: dict[str, Levels] = field(default_factory=dict)
    row_labels: dict[str, Levels] = field(default_factory=dict)
    components: dict[str, tuple[str, ...]] = field(default_factory=dict)
    grids: dict[str, Grid] = field(default_factory=dict)
    rows_of: dict[str, np.ndarray] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class TableBinder:
    """Binds one table to one model; the problems it meets are collected."""

    def __init__(
        self, model: Model, table: Table, mapping: Mapping[str, str], index: Mapping[str, str],
        sizes: Sizes, problems: Problems,
    ) -> None:  # fmt: skip
        self.model, self.table, self.sizes, self.problems = model, table, sizes, problems
        self.mapping, self.index = mapping, index
        self.reader = ColumnReader(table, mapping, problems)
        self.symbols = list_symbols(model)
        self.temporal = temporal_plates(model)
        self.supply = Supply()
        self.codes: dict[str, np.ndarray] = {}
        self._before = len(problems)
        self.rows = self._row_plates()

    def bind(self, skip: frozenset[str]) -> Supply:
        """Return the supply for every symbol not in ``skip`` (those whose values the options give)."""
        wanted = [
            s for s in self.symbols if s.name not in skip and s.role in ("response", "covariate", "group")
        ]
        self.check_index_names()
        if not self._failed():
            self._number_fed_plates(wanted)
            self._number_row_plates()
        if not self._failed():
            self._record_sizes()
        if self._failed():  # what is wrong with the columns is worth telling as well
            for symbol in wanted:
                self._read_cells(symbol)
            return self.supply
        self._label_ragged_rows()
        for symbol in wanted:
            self._place(symbol)
        for symbol in self.symbols:
            if symbol.role == "subset" and symbol.name not in skip:
                self._place_subset(symbol)
        return self.supply

    def _failed(self) -> bool:
        return len(self.problems) > self._before

    # which plates the rows are for

    def _row_plates(self) -> tuple[str, ...]:
        responses = [s for s in self.symbols if s.role == "response"]
        candidates = responses or [s for s in self.symbols if s.role == "covariate"]
        return max((s.indices for s in candidates), key=len, default=())

    def check_index_names(self) -> None:
        """Record an index that the model has not, or whose column is not there."""
        plates = [plate.index for plate in self.model.plates]
        for index, name in self.index.items():
            if index not in plates:
                self.problems.add(
                    "unknown-index", f"--index {index}={name}: the model has no plate index `{index}`",
                    expected=f"one of {listing(plates)}", remedy=suggest(index, plates), usage=True,
                )  # fmt: skip
            elif name not in self.table.columns:
                self.reader.report_missing(name, f"--index {index}={name}")

    # the number of each row in each plate

    def _number_fed_plates(self, wanted: list[Symbol]) -> None:
        for plate in self.model.plates:
            if parents_of(plate.index, self.model):
                continue
            columns = self.feeds(plate.index, wanted)
            if not columns:
                continue
            self._check_labels(columns, plate.index)
            if plate.index in self.temporal:
                self._number_in_time(plate.index, columns[0])
            else:
                self._number_by_label(plate.index, columns)

    def feeds(self, index: str, wanted: list[Symbol]) -> list[Column]:
        """Return the columns that hold labels of a plate: named by --index, by group columns, or by its name."""
        names = [self.index[index]] if index in self.index else []
        for symbol in wanted:
            if symbol.role == "group" and symbol.plate == index:
                names += [name] if (name := self.group_column(symbol)) else []
        if not names and index in self.table.columns and index in self.rows:
            names = [index]
        return [self.table.columns[name] for name in dict.fromkeys(names) if name in self.table.columns]

    def group_column(self, symbol: Symbol) -> str | None:
        """Return the name of the column that holds a group column, None if no option or column names it."""
        if symbol.name in self.mapping or symbol.name in self.table.columns:
            return self.mapping.get(symbol.name, symbol.name)
        return self.index.get(symbol.plate or "")

    def _check_labels(self, columns: list[Column], index: str) -> None:
        for column in columns:
            blank = [row for row, label in enumerate(column.labels) if label is None]
            if blank:
                self.problems.add(
                    "missing-label",
                    f"{self.table.place(blank[0])}: column `{column.name}` is blank" + _others(blank),
                    expected=f"a label of the plate `{index}` in every row", remedy="fill it in or drop the row",
                )  # fmt: skip

    def _number_by_label(self, index: str, columns: list[Column]) -> None:
        levels = self.sizes.widen_levels(self.model.plate(index), order_levels(columns))
        self.supply.labels[index] = levels
        if len(columns) == 1 or index in self.index:
            self.codes[index] = number_rows(columns[0], levels)

    def _number_in_time(self, index: str, column: Column) -> None:
        try:
            grid = make_grid(column)
        except (GridError, TypeError) as error:
            self._report_grid(index, str(error))
            return
        ticks = int(grid.ticks.max()) + 1
        self.supply.grids[index] = grid
        self.supply.labels[index] = Levels(labels=tuple(map(grid.label, range(ticks))), column=column.name)
        self.codes[index] = grid.ticks
        absent = ticks - len(np.unique(grid.ticks))
        if absent:
            self.supply.notes.append(
                f"{absent} of the {ticks} steps of `{column.name}` have no row; their responses are missing values"
            )

    def _report_grid(self, index: str, found: str) -> None:
        self.problems.add(
            "uneven-time", found, expected=f"evenly spaced labels for `{index}`, along which the model has lags",
            remedy=f"leave out --index {index} to count the rows in file order",
        )  # fmt: skip

    def _number_row_plates(self) -> None:
        for place, index in enumerate(self.rows):
            if index in self.codes:
                continue
            parents = parents_of(index, self.model)
            before = self._group_ids(parents or self.rows[:place])
            if before is None:
                continue
            column = self.table.columns.get(self.index.get(index, ""))
            if column is not None:
                self._number_ragged(index, column, before)
            elif place == len(self.rows) - 1:
                self.codes[index] = count_within(before)
            else:
                self.problems.add(
                    "no-labels", f"no column says which `{index}` a row belongs to",
                    expected=f"a column with a label for each `{index}`; the columns are "
                    + listing(self.table.columns, "and"),
                    remedy=f"--index {index}=COLUMN",
                )  # fmt: skip

    def _number_ragged(self, index: str, column: Column, before: np.ndarray) -> None:
        self._check_labels([column], index)
        if index not in self.temporal:
            codes = number_rows(column, order_levels([column]))
            self.codes[index] = rank_within(before, np.maximum(codes, 0))
            return
        try:
            grid = make_grid(column)
        except (GridError, TypeError) as error:
            self._report_grid(index, str(error))
            return
        first = np.full(int(before.max()) + 1, np.iinfo(np.intp).max, dtype=np.intp)
        np.minimum.at(first, before, grid.ticks)
        self.codes[index] = grid.ticks - first[before]

    def _group_ids(self, indices: tuple[str, ...]) -> np.ndarray | None:
        """Return one number per combination of the given plates' codes, or None if one is not known."""
        ids = np.zeros(self.table.length, dtype=np.intp)
        for index in indices:
            if index not in self.codes:
                return None
            codes = self.codes[index]
            ids = np.unique(ids * (int(codes.max(initial=0)) + 1) + codes, return_inverse=True)[1]
        return ids

    # sizes

    def _record_sizes(self) -> None:
        for plate in self.model.plates:
            if parents_of(plate.index, self.model):
                if plate.index in self.codes:
                    self._record_lengths(plate.index)
            elif plate.index in self.supply.labels:
                count = len(self.supply.labels[plate.index].labels)
                self.sizes.record_plate(plate, count, f"labels in `{self.supply.labels[plate.index].column}`")
            elif plate.index in self.codes:
                self._record_counted(plate.index)

    def _record_counted(self, index: str) -> None:
        """Record the size of a dense plate that is counted in row order: every group must have as many rows."""
        place = self.rows.index(index)
        before = self._group_ids(self.rows[:place])
        assert before is not None
        counts = np.bincount(before)
        if len(set(counts.tolist())) > 1:
            plate = self.model.plate(index)
            size = plate.upper.name if isinstance(plate.upper, Reference) else "J"
            inside = ",".join(self.rows[:place])
            self.problems.add(
                "ragged", f"the groups have between {counts.min()} and {counts.max()} rows",
                expected=f"as many rows in each, as the model says {index} = 1..{size}",
                remedy=f"write `{index} = 1..{size}[{inside}]` in the model, or name a column with "
                f"--index {index}=COLUMN so that absent rows are missing responses",
            )  # fmt: skip
        self.sizes.record_plate(self.model.plate(index), int(counts.max()), "rows")

    def _record_lengths(self, index: str) -> None:
        plate = self.model.plate(index)
        parents = parents_of(index, self.model)
        if not isinstance(plate.upper, Reference):
            return
        layout = self.sizes.layout(self.model.given(plate.upper.name))
        positions = self._positions(layout, parents)
        lengths = np.zeros(layout.extents, dtype=np.intp)
        np.maximum.at(lengths, positions, self.codes[index] + 1)
        self.sizes.record(plate.upper.name, lengths, "rows of each group")

    def _label_ragged_rows(self) -> None:
        for index in self.rows:
            column = self.table.columns.get(self.index.get(index, ""))
            if column is None or not parents_of(index, self.model):
                continue
            upto = self.rows[: self.rows.index(index) + 1]
            layout = self.sizes.layout_of(upto)
            if len(layout.blocks) != 1:
                continue
            labels: list[Any] = [None] * layout.extents[0]
            for position, label in zip(self._positions(layout, upto)[0].tolist(), column.labels, strict=True):
                labels[position] = label
            self.supply.row_labels[index] = Levels(labels=tuple(labels), column=column.name)

    # arrays

    def _positions(self, layout: Layout, indices: tuple[str, ...]) -> tuple[np.ndarray, ...]:
        lower = {index: self.sizes.lower(index) for index in indices}
        positions, inside = layout.locate({index: self.codes[index] + lower[index] for index in indices})
        assert np.all(inside)
        return tuple(np.broadcast_to(each, (self.table.length,)) for each in positions)

    def _place(self, symbol: Symbol) -> None:
        unknown = [index for index in symbol.indices if index not in self.codes]
        if unknown:
            self.problems.add(
                "no-labels", f"`{symbol.written}` is declared for each `{unknown[0]}`, and no column tells which "
                f"`{unknown[0]}` a row belongs to",
                expected=f"a label column for `{unknown[0]}`", remedy=f"--index {unknown[0]}=COLUMN",
            )  # fmt: skip
            return
        cells = self._read_cells(symbol)
        if cells is None:
            return
        dims = () if symbol.role == "group" else cells.shape[1:]
        if len(dims) != len(symbol.declared.shape):
            return
        self.sizes.record_shape(symbol, dims, "columns of --map")
        layout = self.sizes.layout(symbol.declared, dims)
        positions = self._positions(layout, symbol.indices)
        if symbol.indices == self.rows:
            self._check_twice(layout, positions)
        array = np.full(layout.extents, np.nan)
        array[positions] = cells
        if positions:
            rows = np.zeros(tuple(block.size for block in layout.blocks), dtype=np.intp)
            rows[positions] = np.arange(self.table.length)
            self.supply.rows_of[symbol.name] = rows
        self._check_constant(symbol, array[positions], cells)
        self._check_absent(symbol, array, layout)
        self.supply.arrays[symbol.name] = array

    def _place_subset(self, symbol: Symbol) -> None:
        """Take a column that is not 0 for members; without one, the option --set must tell them."""
        name, index = self.mapping.get(symbol.name, symbol.name), symbol.plate or ""
        if symbol.name not in self.mapping and name not in self.table.columns:
            return
        cells, _ = self.reader.read(symbol)
        if cells is None or index not in self.codes:
            return
        self.reader.check_complete(symbol, cells)
        codes = self.codes[index]
        kept = np.zeros(int(codes.max()) + 1)
        kept[codes] = cells != 0
        self._check_constant(symbol, kept[codes], (cells != 0).astype(float))
        self.supply.arrays[symbol.name] = np.flatnonzero(kept) + float(self.sizes.lower(index))

    def _read_cells(self, symbol: Symbol) -> np.ndarray | None:
        if symbol.role == "group":
            return self._read_group(symbol)
        cells, components = self.reader.read(symbol)
        if cells is not None and symbol.declared.shape:
            self.supply.components[symbol.name] = components
        if cells is not None and symbol.role == "covariate":
            self.reader.check_complete(symbol, cells)
        return cells

    def _read_group(self, symbol: Symbol) -> np.ndarray | None:
        name = self.group_column(symbol)
        if name is None or name not in self.table.columns:
            self.reader.report_missing(
                symbol.name,
                f"the group column `{symbol.name} : {', '.join(symbol.indices)} -> {symbol.plate}`",
            )
            return None
        levels = self.supply.labels.get(symbol.plate or "")
        if levels is None:
            return None
        if symbol.plate in self.supply.grids:
            return self.codes[symbol.plate or ""].astype(float)
        return number_rows(self.table.columns[name], levels).astype(float)

    def _check_twice(self, layout: Layout, positions: tuple[np.ndarray, ...]) -> None:
        flat = np.ravel_multi_index(positions, tuple(block.size for block in layout.blocks))
        order = np.argsort(flat, kind="stable")
        same = np.flatnonzero(np.diff(flat[order]) == 0)
        if same.size:
            a, b = order[same[0]], order[same[0] + 1]
            self.problems.add(
                "row-twice", f"{self.table.place(a)} and {self.table.place(b)} have the same labels of "
                + listing([f"`{index}`" for index in self.rows], "and") + _others(same),
                expected="one row for each combination", remedy="drop or average the repeated rows",
            )  # fmt: skip

    def _check_constant(self, symbol: Symbol, kept: np.ndarray, cells: np.ndarray) -> None:
        differs = ~((kept == cells) | (np.isnan(kept) & np.isnan(cells)))
        rows = np.flatnonzero(differs.reshape(len(cells), -1).any(axis=1))
        if rows.size and symbol.indices != self.rows:
            inside = ",".join(symbol.indices) or symbol.plate
            self.problems.add(
                "not-constant", f"{self.table.place(rows[0])}: `{symbol.written}` differs from another row of "
                f"the same `{inside}`" + _others(rows),
                expected=f"one value for each `{inside}`, as the model declares `{symbol.written}[{inside}]`",
                remedy=f"declare `{symbol.written}[{','.join(self.rows)}]`, or mend the column",
            )  # fmt: skip

    def _check_absent(self, symbol: Symbol, array: np.ndarray, layout: Layout) -> None:
        """A cell without a row is a missing response; a covariate there has no value."""
        if symbol.role == "response" or not np.isnan(array).any() or self._failed():
            return
        first = np.argwhere(np.isnan(array))[0]
        where = [
            f"{index} = {self._label(index, block.rows[index][k])}"
            for block, k in zip(layout.blocks, first, strict=False) for index in block.indices
        ]  # fmt: skip
        self.problems.add(
            "absent-row", f"there is no row for {', '.join(where)}, so `{symbol.written}` has no value there",
            expected=f"a row with `{symbol.written}` for every element of its plates",
            remedy="add the rows (their responses may be blank), or write the model in long format: y[k] with "
            "group columns",
        )  # fmt: skip

    def _label(self, index: str, value: Any) -> Any:
        levels = self.supply.labels.get(index)
        position = int(value) - self.sizes.lower(index)
        return levels.labels[position] if levels and position < len(levels.labels) else value


def _others(rows: Any) -> str:
    return f" (and {len(rows) - 1} more)" if len(rows) > 1 else ""
