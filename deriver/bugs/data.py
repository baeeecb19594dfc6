"""Data and inits of a BUGS program: JSON, ``list(...)`` as OpenBUGS writes it, and R's dump as JAGS reads it.

Output: arrays of doubles by name, NaN where missing.  ``structure(.Data = c(...), .Dim = c(2, 3))`` inside a
``list(...)`` fills its rows first, as BUGS does; ``structure(c(...), .Dim = c(2L, 3L))``, as R's ``dput`` and ``dump``
write it, fills its columns first.  A table of OpenBUGS has a line ``x[] y[,1] y[,2]``, rows of numbers, and ``END``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from deriver.errors import DataError, Mistake

_TOKEN = re.compile(
    r"(?P<blank>[\s;]+|#[^\n]*)"
    r"|(?P<number>[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?L?)"
    r"|(?P<quoted>\"[^\"\n]*\"|'[^'\n]*'|`[^`\n]*`)"
    r"|(?P<name>\.?[A-Za-z][A-Za-z0-9._]*)"
    r"|(?P<symbol><-|[=(),:])"
)
GENERATOR = ".RNG."
_TABLE = re.compile(
    r"^[ \t]*(?P<header>(?:[A-Za-z][A-Za-z0-9._]*\[[0-9, \t]*\][ \t]*)+)\n(?P<rows>.*?)^[ \t]*END\b[ \t]*",
    re.MULTILINE | re.DOTALL,
)
_COLUMN = re.compile(r"(?P<name>[A-Za-z][A-Za-z0-9._]*)\[(?P<place>[0-9, \t]*)\]")
_WORDS = {"NA": np.nan, "TRUE": 1.0, "FALSE": 0.0, "T": 1.0, "F": 0.0, "Inf": np.inf, "NULL": np.nan}


def read_arrays(source: str | Path | Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return the arrays of a file or mapping, by BUGS name; raise ``DataError`` where it cannot be read.

    A JSON file is an object of numbers and nested lists, ``null`` where missing; names that begin with `_` are comments.
    """
    if isinstance(source, Mapping):
        return {str(name): _to_array(str(name), value, "data") for name, value in source.items()}
    path = Path(source)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise _mistake(path.name, f"{path} cannot be read: {error}") from None
    if path.suffix.lower() == ".json":
        return _read_json(path.name, text)
    return read_r(text, path.name)


def _read_json(origin: str, text: str) -> dict[str, np.ndarray]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise _mistake(origin, f"not JSON: {error}") from None
    if not isinstance(found, dict):
        raise _mistake(origin, "the file holds no object", "names with their values: {{...}}")
    return {
        name: _to_array(name, value, origin)
        for name, value in found.items()
        if not name.startswith(("_", GENERATOR))
    }


def _to_array(name: str, value: Any, origin: str) -> np.ndarray:
    try:
        return np.array(value, dtype=float)
    except (TypeError, ValueError):
        raise _mistake(
            origin, f"`{name}` is not an array of numbers", "numbers, or nested lists of equal lengths"
        ) from None


def _mistake(origin: str, found: str, expected: str = "", line: int | None = None) -> DataError:
    return DataError([Mistake(code="unreadable", found=found, expected=expected, line=line)], origin)


def read_r(text: str, origin: str = "data") -> dict[str, np.ndarray]:
    """Return the arrays of ``list(...)``, of assignments ``name <- value`` and of tables of OpenBUGS."""
    text = text.replace("\r\n", "\n")
    tables: dict[str, np.ndarray] = {}
    for table in _TABLE.finditer(text):
        tables |= _read_table(table, origin)
    blank = _TABLE.sub(lambda table: "\n" * table.group().count("\n"), text)
    return tables | _Reader(blank, origin).read()


def _read_table(table: re.Match[str], origin: str) -> dict[str, np.ndarray]:
    """Return the arrays of a table by name; ``y[,2]`` is the second column of ``y``."""
    columns = [
        (column["name"], tuple(int(k) - 1 for k in re.findall("[0-9]+", column["place"])))
        for column in _COLUMN.finditer(table["header"])
    ]
    first = table.string.count("\n", 0, table.start("rows")) + 1
    rows = []
    for line, text in enumerate(table["rows"].split("\n"), first):
        cells = text.partition("#")[0].split()
        try:
            numbers = [np.nan if cell == "NA" else float(cell) for cell in cells]
        except ValueError:
            raise _mistake(origin, f"the row `{text.strip()}`", "numbers or NA", line) from None
        if cells and len(cells) != len(columns):
            raise _mistake(
                origin, f"{len(cells)} numbers below {len(columns)} names", "one for each name", line
            )
        rows += [numbers] if cells else []
    found: dict[str, np.ndarray] = {}
    for name in dict.fromkeys(name for name, _ in columns):
        places = [place for own, place in columns if own == name]
        sides = [max(place[axis] for place in places) + 1 for axis in range(len(places[0]))]
        found[name] = np.full((*sides, len(rows)), np.nan)
    for k, (name, place) in enumerate(columns):
        found[name][place] = [row[k] for row in rows]
    return {name: np.moveaxis(array, -1, 0) for name, array in found.items()}


class _Reader:
    """A cursor over the tokens of an R or BUGS data file."""

    def __init__(self, text: str, origin: str) -> None:
        self._origin = origin
        self._tokens: list[tuple[str, str, int]] = []
        position = 0
        while position < len(text):
            match = _TOKEN.match(text, position)
            line = text.count("\n", 0, position) + 1
            if match is None:
                raise _mistake(origin, f"the character {text[position]!r} is not part of R data", line=line)
            if match.lastgroup != "blank":
                self._tokens.append((match.lastgroup or "", match.group(), line))
            position = match.end()
        self._tokens.append(("end", "", text.count("\n") + 1))
        self._position = 0

    def _at(self, text: str) -> bool:
        return self._tokens[self._position][1] == text

    def _advance(self) -> str:
        found = self._tokens[self._position][1]
        self._position = min(self._position + 1, len(self._tokens) - 1)
        return found

    def _expect(self, text: str) -> None:
        if not self._at(text):
            kind, found, line = self._tokens[self._position]
            what = f"found `{found}`" if kind != "end" else "the text ends too early"
            raise _mistake(self._origin, what, f"`{text}`", line)
        self._advance()

    def read(self) -> dict[str, np.ndarray]:
        """Return every array of the text."""
        found: dict[str, np.ndarray] = {}
        while self._tokens[self._position][0] != "end":
            if self._at("list"):
                self._advance()
                self._expect("(")
                found |= self._read_list()
                continue
            name = self._read_name()
            self._expect("<-" if self._at("<-") else "=")
            self._read_into(found, name, by_row=False)
        return found

    def _read_list(self) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}
        while not self._at(")"):
            name = self._read_name()
            self._expect("=")
            self._read_into(found, name, by_row=True)
            if not self._at(")"):
                self._expect(",")
        self._advance()
        return found

    def _read_into(self, found: dict[str, np.ndarray], name: str, by_row: bool) -> None:
        """Read a value; the generator of JAGS and its seed, ``.RNG.name <- "..."``, are passed over."""
        kind = self._tokens[self._position][0]
        if name.startswith(GENERATOR) and kind == "quoted":
            self._advance()
            return
        value = self._read_value(by_row)
        if not name.startswith(GENERATOR):
            found[name] = value

    def _read_name(self) -> str:
        kind, text, line = self._tokens[self._position]
        if kind not in ("name", "quoted"):
            raise _mistake(self._origin, f"found `{text}`", "a name", line)
        self._advance()
        return text.strip("\"'`")

    def _read_value(self, by_row: bool) -> np.ndarray:
        kind, text, line = self._tokens[self._position]
        if kind == "number" or text in _WORDS and kind == "name":
            return self._read_number()
        if text in ("c", "as.integer", "as.numeric", "as.double"):
            self._advance()
            self._expect("(")
            return self._read_sequence(by_row)
        if text == "rep":
            self._advance()
            self._expect("(")
            return self._read_repeated(by_row)
        if text == "structure":
            self._advance()
            self._expect("(")
            return self._read_structure(by_row)
        raise _mistake(self._origin, f"found `{text}`", "a number, NA, c(...) or structure(...)", line)

    def _read_number(self) -> np.ndarray:
        text = self._advance()
        value = _WORDS[text] if text in _WORDS else float(text.rstrip("L"))
        if self._at(":"):
            self._advance()
            last = float(self._advance().rstrip("L"))
            return np.arange(value, last + 1) if value <= last else np.arange(value, last - 1, -1)
        return np.array(value)

    def _read_repeated(self, by_row: bool) -> np.ndarray:
        """``rep(x, times)`` or ``rep(x, each = k)``."""
        values, count, each = np.atleast_1d(self._read_value(by_row)), 1, False
        while not self._at(")"):
            self._expect(",")
            if self._tokens[self._position][0] == "name":
                each = self._read_name() == "each"
                self._expect("=")
            count = int(self._read_number())
        self._advance()
        return np.repeat(values, count) if each else np.tile(values, count)

    def _skip_value(self) -> None:
        """Pass over what says nothing about the numbers, as the names of rows."""
        depth = 0
        while depth or not (self._at(",") or self._at(")")):
            depth += self._at("(") - self._at(")")
            if self._tokens[self._position][0] == "end":
                return
            self._advance()

    def _read_sequence(self, by_row: bool) -> np.ndarray:
        items = []
        while not self._at(")"):
            items.append(np.atleast_1d(self._read_value(by_row)))
            if not self._at(")"):
                self._expect(",")
        self._advance()
        return np.concatenate(items) if items else np.empty(0)

    def _read_structure(self, by_row: bool) -> np.ndarray:
        values, dims, rows_first = np.empty(0), None, False
        while not self._at(")"):
            kind = self._tokens[self._position][0]
            named = self._tokens[self._position + 1][1] == "=" and kind in ("name", "quoted")
            key = self._read_name() if named else ""
            if named:
                self._expect("=")
            if key in (".Dim", "dim"):
                dims = [int(each) for each in np.atleast_1d(self._read_value(by_row))]
            elif key in (".Dimnames", ".Names", "dimnames", "names", "class"):
                self._skip_value()
            else:
                rows_first = by_row and key == ".Data"
                values = np.atleast_1d(self._read_value(by_row))
            if not self._at(")"):
                self._expect(",")
        self._advance()
        if dims is None:
            return values
        if int(np.prod(dims)) != values.size:
            line = self._tokens[self._position - 1][2]
            raise _mistake(
                self._origin,
                f"{values.size} numbers in an array of dimensions {dims}",
                f"{int(np.prod(dims))} numbers",
                line,
            )
        return values.reshape(dims, order="C" if rows_first else "F")
