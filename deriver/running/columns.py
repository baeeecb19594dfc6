"""Reading one symbol from the columns of a table: by name, or by the expression of ``--map``.

Part of stage run.  The expressions are those of the model language: ``days``, ``(day - 22)/7``, ``[1, days]``,
``log(base/4)``; ``treatment[progabide]`` is 1 in the rows where that column has that label, and 0 elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import numpy as np

from deriver.language import parse_expression, print_expression
from deriver.language.mistakes import listing, suggest
from deriver.language.rewrite import rebuild
from deriver.model.expressions import Expression, MatrixRows, Number, Reference, references
from deriver.running.evaluate import Environment, EvaluationError, evaluate
from deriver.running.problems import Problems
from deriver.running.reading import read_map_expression
from deriver.running.symbols import Symbol
from deriver.running.tables import MISSING, Table
from deriver.running.values import Value, scalar

TRANSFORMS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "log": np.log,
    "sqrt": np.sqrt,
    "logit": lambda y: np.log(y) - np.log1p(-y),
}


# Texts that are numbers to a person, such as 2,1 or 1,000 or $5 or 50%; and dates.
MARKED = re.compile(r"[-+]?[^\w\s]?\s?\d[\d.,' ]*\s?[^\w\s]?")
DATED = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}")


class ColumnReader:
    """Reads symbols from a table; the problems it meets are collected.

    ``complete`` tells whether every cell of the symbol read last was a finite number.
    """

    def __init__(self, table: Table, mapping: Mapping[str, str], problems: Problems) -> None:
        self.table, self.mapping, self.problems = table, mapping, problems
        self.complete = True

    def read(self, symbol: Symbol) -> tuple[np.ndarray | None, tuple[str, ...]]:
        """Return the cells, (rows,) or (rows, p), and the text of each component's column."""
        text = self.mapping.get(symbol.written, self.mapping.get(symbol.name))
        if text is None:
            column = self.table.columns.get(symbol.written)
            wide = column is not None and column.numbers is not None and column.numbers.ndim == 2
            if column is None or bool(symbol.declared.shape) != wide:
                self._report_unmapped(symbol)
                return None, ()
            text = symbol.written
        expression = self._parse(text, symbol)
        if expression is None:
            return None, ()
        return self._evaluate(expression, symbol, text), self._component_texts(expression)

    def check_columns(self, symbol: Symbol) -> None:
        """Record columns that a symbol needs and the table has not, without reading a cell."""
        text = self.mapping.get(symbol.written, self.mapping.get(symbol.name))
        if text is None:
            if symbol.written not in self.table.columns or symbol.declared.shape:
                self._report_unmapped(symbol)
            return
        expression = self._parse(text, symbol)
        used = references(expression) if expression is not None else ()
        labels = {label_text(own) for reference in used for own in reference.subscripts}
        for name in dict.fromkeys(reference.name for reference in used):
            if name not in self.table.columns and name not in labels:
                self.report_missing(name, f"--map {symbol.written}={text}")

    def _parse(self, text: str, symbol: Symbol) -> Expression | None:
        if text in self.table.columns:
            return Reference(name=text)
        return read_map_expression(symbol.written, text, self.problems)

    def _evaluate(self, expression: Expression, symbol: Symbol, text: str) -> np.ndarray | None:
        plain: dict[str, Value] = {}
        expression = rebuild(expression, lambda part: self._indicator(part, plain))
        for reference in references(expression):
            if reference.name not in plain:
                value = self._column(reference.name, symbol, text)
                if value is None:
                    return None
                plain[reference.name] = value
        try:
            value = evaluate(expression, Environment(plain=plain))
            cells = self._to_cells(value, symbol)
        except EvaluationError as error:
            self.problems.add(
                "map-expression", f"--map {symbol.written}={text}: {error}",
                expected="a vector, such as [1, days]" if symbol.declared.shape else "a number for each row",
                remedy=f'--map "{symbol.written}=[1, {text}]"' if symbol.declared.shape else "", usage=True,
            )  # fmt: skip
            return None
        cells = np.broadcast_to(cells, (self.table.length, *cells.shape[1:]))
        self._check_finite(symbol, cells, plain)
        return self._transform(symbol, cells)

    def _indicator(self, part: Expression, plain: dict[str, Value]) -> Expression:
        """Replace ``treatment[progabide]`` by a column of ones and zeros."""
        if (
            not isinstance(part, Reference)
            or len(part.subscripts) != 1
            or part.name not in self.table.columns
        ):
            return part
        label = label_text(part.subscripts[0])
        column = self.table.columns[part.name]
        name = f"{part.name}[{label}]"
        if label not in {str(each) for each in column.labels}:
            present = sorted({str(each) for each in column.labels if each is not None})[:8]
            self.problems.add(
                "unknown-label", f"--map: the column `{part.name}` has no label `{label}`",
                expected=f"one of {listing(present)}", remedy=suggest(label, present), usage=True,
            )  # fmt: skip
        cells = [np.nan if each is None else float(str(each) == label) for each in column.labels]
        plain[name] = scalar(np.array(cells), ("row",))
        return Reference(name=name)

    def _column(self, name: str, symbol: Symbol, text: str) -> Value | None:
        column = self.table.columns.get(name)
        if column is None:
            self.report_missing(name, f"--map {symbol.written}={text}")
            return None
        if column.numbers is None:
            self._report_text(name, symbol)
            return None
        if column.numbers.ndim == 2:
            return Value(array=column.numbers[..., None], axes=("row",), kind="column")
        return scalar(column.numbers, ("row",))

    def _report_text(self, name: str, symbol: Symbol) -> None:
        column = self.table.columns[name]
        rows = [k for k, label in enumerate(column.labels) if label is not None and not _is_number(label)]
        row = rows[0] if rows else 0
        labels = sorted({str(column.labels[k]) for k in rows})
        remedy = _response_remedy(name, symbol, labels) if symbol.role == "response" else ""
        remedy = remedy or f"write {name}[{labels[0]}] for 1 in the rows with that label, 0 elsewhere"
        if labels and MARKED.fullmatch(labels[0]):
            remedy = "write plain numbers with a decimal point: no commas, units, currencies or percent signs"
        elif labels and DATED.match(labels[0]):
            remedy = "turn dates into numbers, such as days since the first"
        elif len(rows) < len(column.labels) / 2 and labels[0] not in MISSING:
            remedy = "mend the cell, or leave it blank if the value is missing"
        more = f" (and {len(rows) - 1} more)" if len(rows) > 1 else ""
        self.problems.add(
            "not-a-number",
            f"{self.table.place(row)}: column `{name}` holds the text `{column.labels[row]}`{more}",
            expected="numbers", remedy=remedy,
        )  # fmt: skip

    def _to_cells(self, value: Value, symbol: Symbol) -> np.ndarray:
        rank = len(symbol.declared.shape)
        if (rank == 0) != (value.kind == "scalar") or (rank == 1 and value.kind == "matrix"):
            wanted = "a vector" if rank else "a number"
            raise EvaluationError(
                f"`{symbol.written}` is {wanted} in the model, and this is {_described(value)}"
            )
        plain = value.plain()
        return np.asarray(plain if value.axes else plain[None], dtype=float)

    def _check_finite(self, symbol: Symbol, cells: np.ndarray, plain: Mapping[str, Value]) -> None:
        self.complete = bool(np.isfinite(cells.sum()))  # one pass, and nearly always enough
        if self.complete:
            return
        infinite = np.isinf(cells)
        made = np.isnan(cells)
        for value in plain.values():
            inputs = np.isnan(value.array).reshape(len(value.array), -1).any(axis=1)
            made = made & ~inputs.reshape((-1,) + (1,) * (cells.ndim - 1))
        rows = np.flatnonzero((infinite | made).reshape(len(cells), -1).any(axis=1))
        if rows.size:
            what = (
                "infinite" if infinite[rows[0]].any() else "not a number (0/0, or log of a negative number?)"
            )
            more = f" (and {rows.size - 1} more)" if rows.size > 1 else ""
            self.problems.add(
                "not-finite", f"{self.table.place(rows[0])}: `{symbol.written}` is {what}{more}",
                expected="finite numbers", remedy="mend the cell, or leave it blank if the value is missing",
            )  # fmt: skip

    def _transform(self, symbol: Symbol, cells: np.ndarray) -> np.ndarray:
        move = TRANSFORMS.get(symbol.transform or "")
        if move is None:
            return cells
        with np.errstate(all="ignore"):
            moved = move(cells)
        bad = np.flatnonzero(np.isnan(moved) & ~np.isnan(cells) | np.isinf(moved))
        if bad.size:
            self.problems.add(
                "outside-support",
                f"{self.table.place(bad[0])}: `{symbol.written}` is {cells[bad[0]]:g}",
                expected=f"a value whose {symbol.transform} is finite, as the model has "
                f"{symbol.transform}({symbol.written}) on the left",
            )  # fmt: skip
        return moved

    def check_complete(self, symbol: Symbol, cells: np.ndarray) -> None:
        """Record a missing covariate, by row and column."""
        if np.isfinite(cells.sum()):
            return
        missing = np.isnan(cells).reshape(len(cells), -1).any(axis=1)
        rows = np.flatnonzero(missing)
        if not rows.size:
            return
        names = self._columns_of(symbol)
        column = next((n for n in names if self._is_blank(n, rows[0])), symbol.written)
        more = f" (and {rows.size - 1} more)" if rows.size > 1 else ""
        self.problems.add(
            "missing-covariate",
            f"{self.table.place(rows[0])}: column `{column}` is blank, and `{symbol.written}` needs it{more}",
            expected="a number: only responses may be missing",
            remedy="fill the cell in, drop the row, or give the covariate a distribution in the model",
        )  # fmt: skip

    def _is_blank(self, name: str, row: int) -> bool:
        return self.table.columns[name].labels[row] is None

    def _columns_of(self, symbol: Symbol) -> list[str]:
        text = self.mapping.get(symbol.written, self.mapping.get(symbol.name, symbol.written))
        if text in self.table.columns:
            return [text]
        return [ref.name for ref in references(parse_expression(text)) if ref.name in self.table.columns]

    def report_missing(self, name: str, option: str) -> None:
        """Record that a column is not there."""
        self.problems.add(
            "missing-column", f"{option}: there is no column `{name}`",
            expected=f"one of {listing(self.table.columns)}", remedy=suggest(name, self.table.columns),
        )  # fmt: skip

    def _report_unmapped(self, symbol: Symbol) -> None:
        near = suggest(symbol.written, self.table.columns)
        what = {"response": "the response", "covariate": "the covariate"}[symbol.role]
        if symbol.declared.shape:
            remedy = f'--map "{symbol.written}=[1, COLUMN]", where 1 is the intercept'
        else:
            remedy = f"{near} --map {symbol.written}=COLUMN".strip()
        self.problems.add(
            "unmapped", f"no column is mapped to {what} `{symbol.written}`",
            expected=f"one of {listing(self.table.columns)}", remedy=remedy,
        )  # fmt: skip

    def _component_texts(self, expression: Expression) -> tuple[str, ...]:
        if isinstance(expression, MatrixRows):
            return tuple(print_expression(entry) for row in expression.rows for entry in row)
        return ()


def label_text(expression: Expression) -> str:
    """Return the label that stands between brackets."""
    match expression:
        case Reference(name=name):
            return name
        case Number(text=text):
            return text
    return print_expression(expression)


def _is_number(label: object) -> bool:
    try:
        float(str(label))
    except ValueError:
        return False
    return True


def _described(value: Value) -> str:
    return "a number" if value.kind == "scalar" else "a vector or matrix"


def _response_remedy(name: str, symbol: Symbol, labels: list[str]) -> str:
    """Return what to do with a response that is written in words: two outcomes, or several categories."""
    if len(labels) <= 2:
        return f'--map "{symbol.written}={name}[{labels[-1]}]" makes it 1 in the rows with `{labels[-1]}`, 0 elsewhere'
    numbered = ", ".join(f"{place} for {label}" for place, label in enumerate(labels[:3], start=1))
    return f"number the outcomes from 1 in the column: {numbered}{', and so on' if len(labels) > 3 else ''}"
