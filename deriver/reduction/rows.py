"""A batch of rows as numbers: the cells of each symbol, the group of each row, the factors that a recipe asks for.

The columns of a batch go through the same ``ColumnReader`` as those of a whole table, so ``--map`` means the same.  What
differs is what only all rows together could tell: whether a label occurs at all, and where a row stands in its file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deriver.language import parse_expression
from deriver.language.rewrite import rebuild
from deriver.model.expressions import Expression, Reference, references
from deriver.reduction.records import Term
from deriver.running.columns import ColumnReader, label_text
from deriver.running.evaluate import Environment, evaluate
from deriver.running.problems import Problems
from deriver.running.reading import read_map_expression
from deriver.running.symbols import Symbol
from deriver.running.tables import Column, Table
from deriver.running.values import Value, scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch(Table):
    """Rows of a file as a table; ``before`` rows of the file stand before them, ``arrow`` are its columns."""

    before: int
    file: str
    arrow: Mapping[str, Any]

    def place(self, row: int) -> str:
        """Return where a row stands: ``row 1200001 of part-3.parquet``."""
        return f"row {self.before + row + 1} of {self.file}"


def make_batch(path: str, before: int, batch: Any, numeric: frozenset[str], others: tuple[str, ...]) -> Batch:
    """Return a record batch as a table.  ``numeric`` are the columns read as numbers; ``others`` are only named."""
    columns = {name: Column(name=name, labels=(), numbers=None) for name in others}
    arrow = dict(zip(batch.schema.names, batch.columns, strict=True))
    for name, column in arrow.items():
        numbers = to_numbers(column) if name in numeric else None
        labels = column.to_pylist() if name in numeric and numbers is None else ()
        columns[name] = Column(name=name, labels=tuple(labels), numbers=numbers)
    file = Path(path).name
    return Batch(origin=file, columns=columns, length=batch.num_rows, before=before, file=file, arrow=arrow)


def to_numbers(column: Any) -> np.ndarray | None:
    """Return an Arrow column of numbers as doubles, NaN where missing; None for texts and dates."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return None
    if column.null_count:
        import pyarrow.compute as pc

        column = pc.fill_null(column.cast(pa.float64()), np.nan)
    return fixed_width(column).astype(float, copy=False)


def fixed_width(column: Any) -> np.ndarray:
    """Return an Arrow array of numbers, none of them missing, as a view; Arrow's own way there imports pandas."""
    kind = np.dtype(column.type.to_pandas_dtype())
    return np.frombuffer(column.buffers()[1], dtype=kind)[column.offset : column.offset + len(column)]


class BatchReader(ColumnReader):
    """Reads symbols from a batch; ``met`` tells of each ``column[label]`` whether a row has had it."""

    def __init__(
        self, batch: Batch, mapping: Mapping[str, str], problems: Problems, met: dict[str, bool]
    ) -> None:
        super().__init__(batch, mapping, problems)
        self.batch, self.met = batch, met

    def _indicator(self, part: Expression, plain: dict[str, Value]) -> Expression:
        """Replace ``treatment[progabide]`` by ones and zeros, NaN where the cell is missing."""
        if (
            not isinstance(part, Reference) or len(part.subscripts) != 1 or part.name not in self.batch.arrow
        ):  # fmt: skip
            return part
        label = label_text(part.subscripts[0])
        column = self.batch.arrow[part.name]
        encoded = column if hasattr(column, "indices") else column.dictionary_encode()
        values = [
            np.nan if each is None else float(str(each) == label) for each in encoded.dictionary.to_pylist()
        ]
        codes = fixed_width(encoded.indices.fill_null(len(values)))
        name = f"{part.name}[{label}]"
        self.met[name] = self.met.get(name, False) or 1.0 in values
        plain[name] = scalar(np.array([*values, np.nan])[codes], ("row",))
        return Reference(name=name)

    def _is_blank(self, name: str, row: int) -> bool:
        return not self.batch.arrow[name][row].is_valid


def columns_of(
    symbol: Symbol, mapping: Mapping[str, str], names: tuple[str, ...]
) -> tuple[frozenset[str], frozenset[str]]:
    """Return the columns that a symbol reads as numbers, and those of which it reads labels."""
    text = mapping.get(symbol.written, mapping.get(symbol.name, symbol.written))
    if text in names:
        return frozenset([text]), frozenset()
    expression = read_map_expression(symbol.written, text, Problems())
    if expression is None:
        return frozenset(), frozenset()
    labelled: set[str] = set()

    def take(part: Expression) -> Expression:
        if isinstance(part, Reference) and len(part.subscripts) == 1 and part.name in names:
            labelled.add(part.name)
            return Reference(name=f"{part.name}[]")
        return part

    plain = {reference.name for reference in references(rebuild(expression, take))}
    return frozenset(plain & set(names)), frozenset(labelled)


def term_values(term: Term, place: int, cells: Mapping[str, np.ndarray], rows: int) -> np.ndarray:
    """Return a factor of every row; ``place`` is the component of its vector."""
    values = factor_values(term.scalar, cells)
    if term.vector:
        component = cells[term.vector][:, place]
        values = component if term.scalar == "1" else values * component
    return np.broadcast_to(np.asarray(values, dtype=float), (rows,))


def factor_values(factor: str, cells: Mapping[str, np.ndarray]) -> Any:
    """Return the values of a factor that is a number in each row."""
    if factor in cells:
        return cells[factor]
    expression = parse_expression(factor)
    plain = {name: scalar(cells[name], ("row",)) for name in symbols_of(factor)}
    return evaluate(expression, Environment(plain=plain)).array


def symbols_of(factor: str) -> tuple[str, ...]:
    """Return the names of the symbols in a factor."""
    return tuple(dict.fromkeys(reference.name for reference in references(parse_expression(factor))))
