"""Data and inits of a BUGS program: JSON, ``list(...)`` as OpenBUGS writes it, and R's dump as JAGS reads it.

Output: arrays of doubles by name, NaN where missing.  ``structure(.Data = c(...), .Dim = c(2, 3))`` inside a
``list(...)`` fills its rows first, as BUGS does; ``structure(c(...), .Dim = c(2L, 3L))`` in assignments fills its
columns first, as R does.
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
    return {name: _to_array(name, value, origin) for name, value in found.items() if name[:1] != "_"}


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
    """Return the arrays of ``list(...)`` or of assignments ``name <- value``."""
    return _Reader(text, origin).read()


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
            found[name] = self._read_value(by_row=False)
        return found

    def _read_list(self) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}
        while not self._at(")"):
            name = self._read_name()
            self._expect("=")
            found[name] = self._read_value(by_row=True)
            if not self._at(")"):
                self._expect(",")
        self._advance()
        return found

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
            return np.arange(value, last + 1)
        return np.array(value)

    def _read_sequence(self, by_row: bool) -> np.ndarray:
        items = []
        while not self._at(")"):
            items.append(np.atleast_1d(self._read_value(by_row)))
            if not self._at(")"):
                self._expect(",")
        self._advance()
        return np.concatenate(items) if items else np.empty(0)

    def _read_structure(self, by_row: bool) -> np.ndarray:
        values, dims = np.empty(0), None
        while not self._at(")"):
            kind = self._tokens[self._position][0]
            named = self._tokens[self._position + 1][1] == "=" and kind in ("name", "quoted")
            key = self._read_name() if named else ".Data"
            if named:
                self._expect("=")
            if key in (".Dim", "dim"):
                dims = [int(each) for each in np.atleast_1d(self._read_value(by_row))]
            elif key == ".Dimnames":
                raise _mistake(self._origin, "found `.Dimnames`", "arrays without names of their dimensions")
            else:
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
        return values.reshape(dims, order="C" if by_row else "F")
