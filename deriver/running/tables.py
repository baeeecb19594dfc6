"""Reading data: CSV, Parquet, JSON, NumPy archives, pandas, polars and Arrow frames, and dictionaries of arrays.

Part of stage run.  Input: a path or an object.  Output: a ``Table`` of equally long columns, or ``Arrays`` that
have the shape of the model's plates already.  A CSV file may open with ``#`` comments; blank cells, ``NA``,
``NaN`` and ``null`` are missing.
"""

from __future__ import annotations

import csv
import io
import json
import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from deriver.errors import DataError, Mistake

MISSING = frozenset({"", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "<NA>"})
FORMATS = "a .csv, .tsv, .parquet, .json or .npz file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: ``numbers`` (NaN where missing) if every cell is a number, and the cells as ``labels``.

    ``labels`` holds ints, floats, texts or dates, and None where missing.  ``categories`` are the declared
    levels of a categorical column, in their order.
    """

    name: str
    labels: tuple[Any, ...]
    numbers: np.ndarray | None
    categories: tuple[Any, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Equally long columns; ``lines`` are the line numbers in the file, for messages."""

    origin: str
    columns: Mapping[str, Column]
    length: int
    lines: tuple[int, ...] | None = None

    def place(self, row: int) -> str:
        """Return where a row stands: ``line 7`` of a file, or ``row 5``."""
        return f"line {self.lines[row]}" if self.lines else f"row {row + 1}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrays:
    """Quantities by name, each an array or nested list of any shape; ``shaped`` if they are no columns of a table."""

    origin: str
    entries: Mapping[str, Any]
    shaped: bool = False


def read_data(source: Any) -> Table | Arrays:
    """Return the data of a path, frame, dictionary or list of records; raise ``DataError`` if unreadable."""
    if isinstance(source, Table | Arrays):
        return source
    if isinstance(source, str | Path):
        return _read_path(Path(source))
    kind = type(source).__module__.split(".")[0]
    if kind == "pandas":
        return _table("data frame", {str(name): _pandas_column(source[name]) for name in source.columns})
    if kind == "polars":
        return _read_polars(source)
    if kind == "pyarrow":
        return _table("Arrow table", {name: (values, None) for name, values in source.to_pydict().items()})
    if isinstance(source, Mapping):
        return _read_mapping(source, "data")
    if isinstance(source, Sequence) and source and all(isinstance(each, Mapping) for each in source):
        return _read_records(source, "data")
    raise _unreadable("data", f"an object of type {type(source).__name__}")


SOURCES = f"{FORMATS}, a pandas, polars or Arrow table, or a dictionary of arrays"


def _unreadable(origin: str, found: str, remedy: str = "", expected: str = SOURCES) -> DataError:
    return DataError([Mistake(code="unreadable", found=found, expected=expected, remedy=remedy)], origin)


def _read_path(path: Path) -> Table | Arrays:
    if path.is_dir() and any(path.glob("*.parquet")):
        return _read_parquet(path)
    if not path.is_file():
        near = (
            sorted(each.name for each in path.parent.glob("*" + path.suffix))[:5]
            if path.parent.is_dir()
            else []
        )
        remedy = "files there: " + ", ".join(near) if near else "check the path"
        raise DataError([Mistake(code="no-file", found=f"there is no file {path}", remedy=remedy)], path.name)
    match path.suffix.lower():
        case ".csv" | ".tsv" | ".txt":
            return _read_csv(path)
        case ".parquet" | ".pq":
            return _read_parquet(path)
        case ".json":
            return _read_json(path)
        case ".npz":
            return _read_npz(path)
    raise _unreadable(path.name, f"a file that ends in `{path.suffix}`")


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path.name, f"a file that cannot be read: {error}", "save it as UTF-8") from None


def _read_csv(path: Path) -> Table:
    text = _read_text(path)
    kept = [(k, line) for k, line in enumerate(text.splitlines(), 1) if line.strip() and line[0] != "#"]
    if len(kept) < 2:
        raise _unreadable(path.name, "a file without rows", expected="a line of column names, then the rows")
    heading = kept[0][1]
    separator = max(",;\t", key=heading.count)
    lines_kept = [line for _, line in kept]
    if separator not in heading and _is_spaced(lines_kept):
        lines_kept, separator = [" ".join(line.split()) for line in lines_kept], " "
    reader = csv.reader(io.StringIO("\n".join(lines_kept)), delimiter=separator)
    header, *cells = [[cell.strip() for cell in row] for row in reader]
    lines = [number for number, _ in kept[1:]]
    if len(lines) != len(cells):  # a quoted cell spans lines
        lines = list(range(2, len(cells) + 2))
    _check_csv(path.name, header, cells, lines)
    columns = {name: _text_column(name, [row[k] for row in cells]) for k, name in enumerate(header)}
    return Table(origin=path.name, columns=columns, length=len(cells), lines=tuple(lines))


def _is_spaced(lines: Sequence[str]) -> bool:
    """Tell whether all lines have the same number of cells, two or more, with spaces between them."""
    counts = {len(line.split()) for line in lines}
    return len(counts) == 1 and min(counts) > 1


def _check_csv(origin: str, header: list[str], cells: list[list[str]], lines: list[int]) -> None:
    twice = sorted({name for name in header if header.count(name) > 1})
    mistakes = [
        Mistake(code="column-twice", found=f"two columns are called `{name}`", remedy="rename one of them")
        for name in twice
    ]
    for row, line in zip(cells, lines, strict=True):
        if len(row) != len(header):
            mistakes.append(
                Mistake(
                    code="row-length", found=f"line {line} has {len(row)} cells",
                    expected=f"{len(header)}, one for each column",
                )
            )  # fmt: skip
    if mistakes:
        raise DataError(mistakes[:10], origin)


def _text_column(name: str, cells: list[str]) -> Column:
    numbers = _as_numbers(cells)
    if numbers is None:
        return Column(name=name, labels=tuple(None if c in MISSING else c for c in cells), numbers=None)
    coded = any(len(cell) > 1 and cell[0] == "0" and cell.isdigit() for cell in cells)
    labels = tuple(None if c in MISSING else c for c in cells) if coded else _number_labels(cells, numbers)
    return Column(name=name, labels=labels, numbers=numbers)


def _as_numbers(cells: Sequence[Any]) -> np.ndarray | None:
    """Return the cells as floats, NaN where missing, or None if one of them is no number."""
    numbers = np.empty(len(cells))
    for k, cell in enumerate(cells):
        if isinstance(cell, str):
            if cell in MISSING:
                numbers[k] = np.nan
                continue
            if "_" in cell:
                return None
        try:
            numbers[k] = np.nan if cell is None else float(cell)
        except (TypeError, ValueError):
            return None
    return numbers


def _number_labels(cells: Sequence[Any], numbers: np.ndarray) -> tuple[Any, ...]:
    """Return numbers as labels; whole ones too large to be told apart as doubles are taken from their cells."""
    return tuple(
        number_label(x) if not EXACT <= abs(x) < math.inf else _whole_label(cell, x)
        for cell, x in zip(cells, numbers.tolist(), strict=True)
    )


def _whole_label(cell: Any, x: float) -> int:
    return int(Decimal(cell)) if isinstance(cell, int | str) else int(x)


EXACT = 2.0**53  # every whole number below is a double


def number_label(x: float) -> int | float | None:
    """Return a number as a label: a whole one as an integer, NaN as none."""
    return None if np.isnan(x) else int(x) if np.isfinite(x) and x == int(x) else float(x)


def _table(origin: str, raw: Mapping[str, tuple[Sequence[Any], tuple[Any, ...] | None]]) -> Table:
    columns = {name: _object_column(name, values, categories) for name, (values, categories) in raw.items()}
    lengths = {name: len(column.labels) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        found = "columns of different lengths: " + ", ".join(f"{k} {n}" for k, n in lengths.items())
        raise DataError([Mistake(code="column-lengths", found=found, expected="one length")], origin)
    if not columns or not next(iter(lengths.values())):
        raise _unreadable(origin, "a table without rows", expected="a row for each observation")
    return Table(origin=origin, columns=columns, length=next(iter(lengths.values())))


def _object_column(name: str, values: Sequence[Any], categories: tuple[Any, ...] | None) -> Column:
    plain = [None if _is_missing(value) else _plain(value) for value in values]
    texts = any(isinstance(value, str) for value in plain)
    numbers = None if texts or categories is not None and texts else _as_numbers(plain)
    if numbers is not None:
        labels = _number_labels(plain, numbers)
    else:
        mixed = texts and not all(value is None or isinstance(value, str) for value in plain)
        labels = tuple(None if value is None else str(value) if mixed else value for value in plain)
    return Column(name=name, labels=labels, numbers=numbers, categories=categories)


def _is_missing(value: Any) -> bool:
    if value is None:
        return True
    try:
        return bool(value != value)  # noqa: PLR0124  NaN and NaT differ from themselves
    except (TypeError, ValueError):  # pandas.NA has no truth value
        return True


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) and not isinstance(value, np.datetime64) else value


def _pandas_column(series: Any) -> tuple[Sequence[Any], tuple[Any, ...] | None]:
    categories = getattr(series.dtype, "categories", None)
    declared = None if categories is None else tuple(_plain(each) for each in categories)
    if np.issubdtype(getattr(series.dtype, "type", object), np.datetime64):
        return list(series.to_numpy().astype("datetime64[D]")), None
    return series.to_numpy(dtype=object, na_value=None).tolist() if series.size else [], declared


def _read_polars(frame: Any) -> Table:
    frame = frame.collect() if hasattr(frame, "collect") else frame
    raw = {}
    for name in frame.columns:
        series = frame[name]
        listed = type(series.dtype).__name__ == "Enum"
        raw[name] = (series.to_list(), tuple(series.dtype.categories.to_list()) if listed else None)
    return _table("data frame", raw)


def _read_parquet(path: Path) -> Table:
    try:
        from pyarrow import parquet
    except ImportError:
        raise _unreadable(
            path.name,
            "a Parquet file, and the package pyarrow is not installed",
            "python -m pip install pyarrow",
        ) from None
    try:
        import pyarrow

        raw = pyarrow.concat_tables([parquet.read_table(file) for file in parquet_files(path)]).to_pydict()
    except (OSError, ValueError) as error:
        raise _unreadable(path.name, f"a file that is not Parquet: {error}") from None
    return _table(path.name, {name: (values, None) for name, values in raw.items()})


def parquet_files(path: Path) -> list[Path]:
    """Return the files of a Parquet data set: the file, or those of a folder by their names."""
    return sorted(path.glob("*.parquet")) if path.is_dir() else [path]


def _read_json(path: Path) -> Table | Arrays:
    try:
        content = json.loads(_read_text(path))
    except json.JSONDecodeError as error:
        raise _unreadable(path.name, f"a file that is not JSON: {error}") from None
    if isinstance(content, list) and content and all(isinstance(each, dict) for each in content):
        return _read_records(content, path.name)
    if isinstance(content, dict):
        return _read_mapping(content, path.name)
    raise _unreadable(path.name, "JSON that is neither an object nor a list of records")


def _read_npz(path: Path) -> Arrays:
    try:
        with np.load(path, allow_pickle=False) as held:
            return Arrays(origin=path.name, entries={name: held[name] for name in held.files})
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise _unreadable(path.name, f"a file that is no archive of NumPy arrays: {error}") from None


def _read_records(records: Sequence[Mapping[str, Any]], origin: str) -> Table:
    names = tuple(dict.fromkeys(name for record in records for name in record))
    return _table(origin, {name: ([record.get(name) for record in records], None) for name in names})


def _read_mapping(source: Mapping[str, Any], origin: str) -> Table | Arrays:
    return Arrays(origin=origin, entries={str(name): value for name, value in source.items()})


def table_of(arrays: Arrays) -> Table | None:
    """Return a dictionary of equally long columns as a table, or None if it is not one.

    A two-dimensional array is a column of vectors.
    """
    lengths = {_column_length(value) for value in arrays.entries.values()}
    if len(lengths) != 1 or None in lengths:
        return None
    flat = {k: (_as_list(v), None) for k, v in arrays.entries.items() if np.ndim(v) == 1}
    if not flat:
        return None
    table = _table(arrays.origin, flat)
    wide = {
        name: Column(name=name, labels=(None,) * table.length, numbers=np.asarray(value, dtype=float))
        for name, value in arrays.entries.items() if np.ndim(value) == 2
    }  # fmt: skip
    return Table(origin=table.origin, columns={**table.columns, **wide}, length=table.length)


def _column_length(value: Any) -> int | None:
    """Return the length of a flat column or of a two-dimensional array, or None for anything else."""
    if isinstance(value, np.ndarray):
        return len(value) if value.ndim in (1, 2) else None
    if hasattr(value, "to_numpy"):
        return len(value)
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        return None
    return (
        None
        if any(isinstance(each, Sequence) and not isinstance(each, str) for each in value)
        else len(value)
    )


def _as_list(value: Any) -> list[Any]:
    return value.tolist() if isinstance(value, np.ndarray) else list(value)
