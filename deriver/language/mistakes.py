"""Collecting mistakes: every stage of the language adds here, and all are raised together.

Input: what a stage found wrong, with the span of the piece of text.  Output: one ``ModelError``.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable

from deriver.errors import Mistake, ModelError
from deriver.model.expressions import Span


class LineMistake(Exception):
    """Ends the reading of one statement; carries the mistake that the reader records."""

    def __init__(self, found: str, *, span: Span, code: str, expected: str = "", remedy: str = "") -> None:
        super().__init__(found)
        self.found, self.span, self.code, self.expected, self.remedy = found, span, code, expected, remedy


class Mistakes:
    """The mistakes of one model text, in the order of their lines."""

    def __init__(self, lines: Iterable[str] = (), origin: str = "model") -> None:
        self._lines = tuple(lines)
        self._origin = origin
        self._found: dict[Mistake, None] = {}

    def add(
        self, code: str, found: str, *, span: Span | None = None, expected: str = "", remedy: str = ""
    ) -> None:
        """Record one mistake; the same one found twice is kept once."""
        text = self._lines[span.line - 1] if span and span.line <= len(self._lines) else ""
        start = min(span.start, len(text)) if span else 0
        end = min(max(span.end, start + 1), max(len(text), start + 1)) if span else 0
        line = span.line if span else None
        mistake = Mistake(
            code=code,
            found=found,
            expected=expected,
            remedy=remedy,
            line=line,
            start=start,
            end=end,
            text=text,
        )
        self._found.setdefault(mistake)

    def add_from(self, stop: LineMistake) -> None:
        """Record the mistake that ended the reading of a statement."""
        self.add(stop.code, stop.found, span=stop.span, expected=stop.expected, remedy=stop.remedy)

    def for_part(self) -> Mistakes:
        """Return an empty collection for a part of the same text."""
        return Mistakes(self._lines, self._origin)

    def add_all(self, other: Mistakes, reword: Callable[[Mistake], Mistake]) -> None:
        """Record the mistakes of a part, in other words."""
        self._found |= dict.fromkeys(map(reword, other._found))

    def __bool__(self) -> bool:
        return bool(self._found)

    def raise_any(self) -> None:
        """Raise ``ModelError`` with all mistakes, by line, if there are any."""
        if self._found:
            raise ModelError(sorted(self._found, key=lambda m: (m.line or 0, m.start)), self._origin)


def suggest(name: str, known: Iterable[str]) -> str:
    """Return ``did you mean `x`?`` for the closest of the known names, or an empty text."""
    candidates = sorted(set(known))
    close = difflib.get_close_matches(name, candidates, n=2, cutoff=0.6)
    folded = [candidate for candidate in candidates if candidate.lower() == name.lower()]
    best = list(dict.fromkeys(folded + close))[:2]
    return "did you mean " + " or ".join(f"`{item}`" for item in best) + "?" if best else ""


def listing(items: Iterable[str], last: str = "or") -> str:
    """Return ``a, b or c``."""
    parts = list(items)
    if len(parts) < 2:
        return "".join(parts)
    return ", ".join(parts[:-1]) + f" {last} " + parts[-1]
