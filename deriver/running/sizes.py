"""Sizes of plates and dimensions of vectors: found in data, given as options, and held against each other.

Part of stage run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from deriver.model.expressions import Expression, Reference, references
from deriver.model.records import Given, Model, Node, Plate, Range
from deriver.running.evaluate import Environment, EvaluationError, Stored, evaluate
from deriver.running.layout import Layout, make_layout, ranges_of
from deriver.running.levels import Levels
from deriver.running.problems import Problems
from deriver.running.symbols import Symbol
from deriver.running.values import Value, scalar


class UnknownSize(Exception):
    """A size is not known yet; ``name`` is which."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class Sizes:
    """What is known of sizes and dimensions, with where each came from."""

    def __init__(self, model: Model, problems: Problems) -> None:
        self.model, self.problems = model, problems
        self.known: dict[str, np.ndarray] = {}
        self.sources: dict[str, str] = {}

    def record(self, name: str, value: Any, source: str) -> None:
        """Record a size; one that differs from what is known already is a mistake."""
        array = np.asarray(value)
        if name not in self.known:
            self.known[name], self.sources[name] = array, source
            return
        before = self.known[name]
        if before.shape != array.shape or not np.array_equal(before, array):
            self.problems.add(
                "size-conflict",
                f"`{name}` is {_show(before)} by {self.sources[name]}, and {_show(array)} by {source}",
                expected="the same size everywhere",
            )

    def record_expression(self, expression: Expression, value: int, source: str, what: str) -> None:
        """Record the size that an expression names, or hold a number against it."""
        if isinstance(expression, Reference) and not expression.subscripts:
            self.record(expression.name, value, source)
            return
        try:
            stated = int(self.evaluate(expression, {}))
        except (UnknownSize, EvaluationError):
            return
        if stated != value:
            self.problems.add(
                "size-conflict", f"{what} is {stated} in the model, and {value} by {source}",
                expected="the same size everywhere",
            )  # fmt: skip

    def record_plate(self, plate: Plate, count: int, source: str) -> None:
        """Record that a dense plate has ``count`` elements."""
        upper = count + self.lower(plate.index) - 1
        self.record_expression(plate.upper, upper, source, f"the upper end of the plate `{plate.index}`")

    def record_shape(self, symbol: Symbol, dims: tuple[int, ...], source: str) -> None:
        """Record the component dimensions of a quantity; ``dims`` has one number for each."""
        for expression, value in zip(symbol.declared.shape, dims, strict=True):
            source_text = f"the {source} `{symbol.written}`"
            self.record_expression(expression, value, source_text, f"the dimension of `{symbol.written}`")

    def widen_levels(self, plate: Plate, levels: Levels) -> Levels:
        """Return the levels 1..n where the size n is given and all labels are whole numbers in that range."""
        name = plate.upper.name if isinstance(plate.upper, Reference) else ""
        known = self.known.get(name)
        if known is None or known.ndim or len(levels.labels) >= int(known):
            return levels
        full = tuple(range(self.lower(plate.index), int(known) + 1))
        return Levels(labels=full, column=levels.column) if set(levels.labels) <= set(full) else levels

    def lower(self, index: str) -> int:
        """Return the first value of a plate index."""
        return int(self.evaluate(self.model.plate(index).lower, {}))

    def evaluate(self, expression: Expression, rows: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return a bound of a plate for each of the rows; raise ``UnknownSize`` if a size is missing."""
        indices = {index: scalar(values, ("row",)) for index, values in rows.items()}
        stored: dict[str, Stored] = {}
        for reference in references(expression):
            if reference.name in indices:
                continue
            if reference.name not in self.known:
                raise UnknownSize(reference.name)
            stored[reference.name] = self.stored(reference.name)
        return evaluate(expression, Environment(stored=stored, indices=indices)).array

    def stored(self, name: str) -> Stored:
        """Return a known size with its layout."""
        return Stored(array=self.known[name], layout=self.layout(self.model.given(name), ()))

    def dimensions(self, declared: Given | Node) -> tuple[int, ...]:
        """Return the component dimensions of a quantity as numbers; raise ``UnknownSize`` if one is missing."""
        return tuple(int(self.evaluate(each, {})) for each in declared.shape)

    def layout(self, declared: Given | Node, dims: tuple[int, ...] | None = None) -> Layout:
        """Return the layout of a quantity; raise ``UnknownSize`` if a size is missing."""
        shape = self.dimensions(declared) if dims is None else dims
        ranges = ranges_of(declared, self.model)
        return make_layout(declared.name, ranges, shape, self.model, self.evaluate)

    def layout_of(self, indices: tuple[str, ...]) -> Layout:
        """Return the layout of a quantity which carries those plates whole."""
        plates = [self.model.plate(index) for index in indices]
        ranges = [Range(index=plate.index, lower=plate.lower, upper=plate.upper) for plate in plates]
        return make_layout("", ranges, (), self.model, self.evaluate)

    def plain(self) -> dict[str, Value]:
        """Return the sizes that are one number, for expressions of options."""
        return {name: scalar(array) for name, array in self.known.items() if not array.ndim}


def _show(value: np.ndarray) -> str:
    if not value.ndim:
        return str(value)
    listed = ", ".join(map(str, value.ravel()[:6].tolist()))
    return f"[{listed}{', ...' if value.size > 6 else ''}]"
