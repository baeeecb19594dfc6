"""From arrays that have the shape of the plates already to the layouts of a model.

Part of stage run.  Input: ``Arrays`` by symbol.  Output: a ``Supply``.  A dense plate is an axis.  A ragged plate
may come as flat rows in the order of (i, j) with the lengths J, as nested lists, or padded to (n, largest J)
with J given.  Group columns hold labels, or numbers from 1 as the model counts them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from deriver.language.mistakes import listing, suggest
from deriver.language.printer import print_expression
from deriver.model.expressions import Reference, references
from deriver.model.records import Model, Node
from deriver.running.columns import TRANSFORMS
from deriver.running.evaluate import Environment, EvaluationError, evaluate
from deriver.running.layout import Layout, parents_of
from deriver.running.levels import Levels, sort_labels
from deriver.running.problems import Problems
from deriver.running.reading import read_map_expression
from deriver.running.sizes import Sizes, UnknownSize
from deriver.running.symbols import Symbol, list_symbols
from deriver.running.table_binding import Supply
from deriver.running.tables import Arrays
from deriver.running.values import Value, scalar


class ArrayBinder:
    """Binds plate-shaped arrays to one model; the problems it meets are collected."""

    def __init__(
        self, model: Model, arrays: Arrays, mapping: Mapping[str, str], sizes: Sizes, problems: Problems
    ) -> None:
        self.model, self.entries, self.mapping = model, arrays.entries, mapping
        self.sizes, self.problems = sizes, problems
        self.supply = Supply()
        self._before = len(problems)

    def bind(self, skip: frozenset[str]) -> Supply:
        """Return the supply for every symbol not in ``skip`` (those whose values the options give)."""
        wanted = [
            symbol for symbol in list_symbols(self.model)
            if symbol.name not in skip and symbol.role in ("response", "covariate", "group")
        ]  # fmt: skip
        self._record_stated_sizes()
        raw = {symbol.name: self._read(symbol) for symbol in wanted}
        if len(self.problems) > self._before:
            return self.supply
        for symbol in wanted:
            self._infer_sizes(symbol, raw[symbol.name])
        for symbol in list_symbols(self.model):
            if symbol.role == "subset" and symbol.name in self.entries:
                self.supply.arrays[symbol.name] = to_float(self.entries[symbol.name])
        self._number_groups([symbol for symbol in wanted if symbol.role == "group"], raw)
        for symbol in wanted:
            if len(self.problems) == self._before:
                self._fit(symbol, raw[symbol.name])
        return self.supply

    def _record_stated_sizes(self) -> None:
        for given in self.model.givens:
            if given.origin != "given" and given.name in self.entries:
                self.sizes.record(given.name, np.asarray(self.entries[given.name], dtype=np.intp), "the data")

    def _read(self, symbol: Symbol) -> Any:
        """Return the entry of a symbol, or what --map makes of the entries."""
        text = self.mapping.get(symbol.written, symbol.written)
        if text in self.entries:
            return self.entries[text]
        if text == symbol.written:
            self._report_absent(symbol)
            return None
        expression = read_map_expression(symbol.written, text, self.problems)
        if expression is None:
            return None
        names = [reference.name for reference in references(expression)]
        absent = [name for name in names if name not in self.entries]
        if absent:
            self._report_absent(symbol, absent[0])
            return None
        axes = [f"axis {k}" for k in range(max((np.ndim(self.entries[name]) for name in names), default=0))]
        plain: dict[str, Value] = {}
        for name in names:
            array = to_float(self.entries[name])
            plain[name] = scalar(array, axes[: array.ndim])
        try:
            return evaluate(expression, Environment(plain=plain)).plain()
        except EvaluationError as error:
            self.problems.add("map-expression", f"--map {symbol.written}={text}: {error}", usage=True)
            return None

    def _report_absent(self, symbol: Symbol, name: str | None = None) -> None:
        name = name or symbol.written
        self.problems.add(
            "unmapped", f"the data have no `{name}`" + (f", for `{symbol.written}`" if name != symbol.written else ""),
            expected=f"an array `{name}`{_inside(symbol.indices)}; there are {listing(self.entries, 'and') or 'none'}",
            remedy=suggest(name, self.entries) if self.entries else "hand the data over, as a file or a dictionary",
        )  # fmt: skip

    # sizes

    def _infer_sizes(self, symbol: Symbol, value: Any) -> None:
        ragged = [index for index in symbol.indices if parents_of(index, self.model)]
        shape = nested_shape(value)
        rank = len(symbol.declared.shape)
        if len(ragged) == 1 and symbol.indices[-1] == ragged[0] and len(symbol.indices) == 2:
            self._infer_lengths(symbol, value, rank)
            return
        if ragged or shape is None or len(shape) != len(symbol.indices) + rank:
            return
        for index, length in zip(symbol.indices, shape, strict=False):
            if self._covers(symbol, index):
                self.sizes.record_plate(self.model.plate(index), length, f"the array `{symbol.written}`")
        self.sizes.record_shape(symbol, shape[len(symbol.indices) :], "array")

    def _covers(self, symbol: Symbol, index: str) -> bool:
        """Tell whether a quantity has an element for every value of a plate index, so that it tells the size."""
        plate = self.model.plate(index)
        for each in symbol.declared.ranges if isinstance(symbol.declared, Node) else ():
            if each.index == index:
                return (each.lower, each.upper) == (plate.lower, plate.upper)
        return True

    def _infer_lengths(self, symbol: Symbol, value: Any, rank: int) -> None:
        """Record J from nested lists; the component dimensions from the innermost length."""
        plate = self.model.plate(symbol.indices[-1])
        name = plate.upper.name if isinstance(plate.upper, Reference) else ""
        if name:
            self._record_row_lengths(symbol, name, value, rank)
        if name in self.sizes.known:
            outer = self.model.plate(symbol.indices[0])
            self.sizes.record_plate(outer, len(self.sizes.known[name]), f"the lengths `{name}`")
        if rank:
            self.sizes.record_shape(symbol, innermost_shape(value)[-rank:], "array")

    def _record_row_lengths(self, symbol: Symbol, name: str, value: Any, rank: int) -> None:
        """Record the lengths of nested lists; a rectangle may be padded when the lengths are among the data."""
        shape = nested_shape(value)
        if shape is not None and len(shape) != 2 + rank:
            return
        if shape is not None and (
            name in self.entries or isinstance(value, np.ndarray) and name in self.sizes.known
        ):
            return
        what = "array" if isinstance(value, np.ndarray) else "lists"
        lengths = np.array([len(row) for row in value], dtype=np.intp)
        self.sizes.record(name, lengths, f"the {what} of `{symbol.written}`")

    def _number_groups(self, groups: Sequence[Symbol], raw: dict[str, Any]) -> None:
        for plate in dict.fromkeys(symbol.plate for symbol in groups):
            members = [symbol for symbol in groups if symbol.plate == plate]
            columns = {symbol.name: np.asarray(raw[symbol.name]) for symbol in members}
            labels = sort_labels({label for column in columns.values() for label in column.ravel().tolist()})
            levels = self._choose_levels(plate or "", labels)
            if levels is None:
                continue
            self.supply.labels[plate or ""] = levels
            position = {label: k for k, label in enumerate(levels.labels)}
            for name, column in columns.items():
                flat = [position[label] for label in column.ravel().tolist()]
                raw[name] = np.array(flat, dtype=float).reshape(column.shape)

    def _choose_levels(self, index: str, labels: tuple[Any, ...]) -> Levels | None:
        """Return the labels of a plate: as they are if there are as many as the plate has, else 1..n."""
        plate = self.model.plate(index)
        try:
            count = int(self.sizes.evaluate(plate.upper, {})) - self.sizes.lower(index) + 1
        except UnknownSize:
            self.sizes.record_plate(plate, len(labels), "labels of the group columns")
            return Levels(labels=labels)
        if count == len(labels):
            return Levels(labels=labels)
        numbers = tuple(range(self.sizes.lower(index), self.sizes.lower(index) + count))
        if set(labels) <= set(numbers):
            return Levels(labels=numbers)
        self.problems.add(
            "labels", f"the group columns of the plate `{index}` hold {len(labels)} labels, such as {labels[0]}",
            expected=f"{count} labels, or numbers in {numbers[0]}..{numbers[-1]}",
            remedy="count groups from 1, as the model does",
        )  # fmt: skip
        return None

    # arrays

    def _fit(self, symbol: Symbol, value: Any) -> None:
        try:
            layout = self.sizes.layout(symbol.declared)
        except UnknownSize as unknown:
            axes = (*symbol.indices, *self._sides(symbol))
            shape = nested_shape(value)
            if shape is not None and len(shape) != len(axes):
                self.problems.add(
                    "wrong-shape", f"`{symbol.written}` is an array of {'x'.join(map(str, shape)) or 'one number'}",
                    expected=f"an axis for each of {listing(axes, 'and')}",
                )  # fmt: skip
                return
            self.problems.add(
                "unknown-size", f"the size `{unknown.name}` is not known, so `{symbol.written}` cannot be read",
                expected=f"`{unknown.name}` among the data", remedy=f"add `{unknown.name}`, or --set {unknown.name}=...",
            )  # fmt: skip
            return
        array = self._to_layout(symbol, value, layout)
        if array is None:
            return
        if (move := TRANSFORMS.get(symbol.transform or "")) is not None:
            with np.errstate(all="ignore"):
                array = move(array)
        self._check_numbers(symbol, array)
        self.supply.arrays[symbol.name] = array

    def _to_layout(self, symbol: Symbol, value: Any, layout: Layout) -> np.ndarray | None:
        shape = nested_shape(value)
        array = None
        if shape is None:
            array = to_float(flatten(value, len(layout.shape)))
        else:
            array = to_float(value)
            padded = self._unpad(array, layout)
            array = array if padded is None else padded
        if array is not None and array.shape == layout.extents:
            return array
        found = "x".join(map(str, array.shape if array is not None else shape or ()))
        self.problems.add(
            "wrong-shape", f"`{symbol.written}` is an array of {found or 'one number'}",
            expected=f"{' x '.join(map(str, layout.extents))} ({', '.join((*layout.axes, *self._sides(symbol)))})",
        )  # fmt: skip
        return None

    def _sides(self, symbol: Symbol) -> tuple[str, ...]:
        return tuple(print_expression(dim) for dim in symbol.declared.shape)

    def _unpad(self, array: np.ndarray, layout: Layout) -> np.ndarray | None:
        """Return the rows of a padded (n, largest J) array, or None if it is not one."""
        if len(layout.blocks) != 1 or len(layout.indices) < 2:
            return None
        if array.ndim != len(layout.indices) + len(layout.shape):
            return None
        rows = layout.blocks[0].rows
        lower = {level.index: level.lower.min(initial=1) for level in layout.blocks[0].levels}
        where = tuple(rows[index] - lower[index] for index in layout.indices)
        fits = all(w.max(initial=-1) < side for w, side in zip(where, array.shape, strict=False))
        return array[where] if fits else None

    def _check_numbers(self, symbol: Symbol, array: np.ndarray) -> None:
        bad = np.isinf(array) if symbol.role == "response" else ~np.isfinite(array)
        if bad.any():
            where = ",".join(str(k + 1) for k in np.argwhere(bad)[0])
            self.problems.add(
                "not-finite", f"element {where} of `{symbol.written}` is {'missing' if np.isnan(array[bad][0]) else 'infinite'}",
                expected="finite numbers; only responses may be missing",
            )  # fmt: skip


def _inside(indices: tuple[str, ...]) -> str:
    return f" over {', '.join(indices)}" if indices else ""


def nested_shape(value: Any) -> tuple[int, ...] | None:
    """Return the shape of an array or of nested lists, or None if they are ragged."""
    if isinstance(value, np.ndarray):
        return value.shape
    if not isinstance(value, Sequence) or isinstance(value, str):
        return tuple(np.shape(value))
    inner = [nested_shape(each) for each in value]
    if not inner:
        return (0,)
    return None if None in inner or len(set(inner)) > 1 else (len(inner), *(inner[0] or ()))


def innermost_shape(value: Any) -> tuple[int, ...]:
    """Return the shape of the first elements, going down: (outer, first row, ...)."""
    shape: list[int] = []
    while isinstance(value, Sequence | np.ndarray) and len(value):
        shape.append(len(value))
        value = next((each for each in value if np.ndim(each) == 0 or len(each)), value[0])
    return tuple(shape)


def flatten(value: Any, rank: int) -> list[Any]:
    """Return the innermost rows of ragged nested lists, each of rank ``rank``, in order."""
    if isinstance(value, Sequence | np.ndarray) and _depth(value) > rank + 1:
        return [row for each in value for row in flatten(each, rank)]
    return list(value)


def _depth(value: Any) -> int:
    if isinstance(value, Sequence | np.ndarray):
        return 1 + max((_depth(each) for each in value), default=0)
    return 0


def to_float(value: Any) -> np.ndarray:
    """Return an array of floats; None and masked entries are NaN."""
    if isinstance(value, np.ma.MaskedArray):
        return np.ma.filled(value.astype(float), np.nan)
    return np.asarray(value, dtype=float)
