"""Show stage, lines: where a long formula breaks, in a terminal and on a page."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from deriver.show.spelling import depth_of, is_break, join


def text_width(text: str) -> float:
    """Return the number of columns that a text takes in a terminal."""
    return sum(0 if unicodedata.combining(character) else 1 for character in text)


Line = tuple[int, str]  # how many steps it stands in, and what it says


def break_lines(
    text: str, width: float, measure: Callable[[str], float] = text_width, fill: bool = False
) -> list[Line]:
    """Return the text in lines of at most ``width``, broken outside brackets where that will do.

    A text that does not fit on one line is broken at every place outside brackets, so that each term has its
    own line (with ``fill``, only where a line is full); a term that is still too long is filled at the places
    inside it, and stands in by a step for each depth.
    """
    if measure(join(text)) <= width:
        return [(0, join(text))]
    pieces = _fill(_split(text, 0), width, measure) if fill else _split(text, 0)
    return [line for piece in pieces for line in _break_inside(piece, width, measure, 0)]


def _break_inside(text: str, width: float, measure: Callable[[str], float], step: int) -> list[Line]:
    depths = sorted({depth_of(character) for character in text if is_break(character)})
    if measure(join(text)) <= width or not depths:
        return [(step, join(text))]
    first, *rest = _fill(_split(text, depths[0]), width - 2 * _STEP, measure)
    lines = _break_inside(first, width, measure, step)
    for piece in rest:
        lines += _break_inside(piece, width - _STEP, measure, step + 1)
    return lines


_STEP = 2


def _fill(pieces: list[str], width: float, measure: Callable[[str], float]) -> list[str]:
    lines, current = [], pieces[0]
    for piece in pieces[1:]:
        longer = current + chr(_FIRST) + piece
        if measure(join(longer)) <= width:
            current = longer
        else:
            lines.append(current)
            current = piece
    return [*lines, current]


_FIRST = 0xE000


def _split(text: str, depth: int) -> list[str]:
    pieces, current = [], ""
    for character in text:
        if is_break(character) and depth_of(character) <= depth:
            pieces.append(current)
            current = ""
        else:
            current += character
    return [*pieces, current]


# --- how wide LaTeX is, in quads of about one digit -----------------------------------------------------------

_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|.", re.DOTALL)
_WIDE = {
    r"\sum": 2.6, r"\prod": 2.6, r"\mid": 1.6, r"\le": 2.0, r"\ge": 2.0, r"\in": 2.0, r"\log": 2.9, r"\exp": 3.1,
    r"\Bigl": 0.6, r"\Bigr": 0.6, r"\lvert": 0.6, r"\rvert": 0.6, r"\left": 0.0, r"\right": 0.0, r"\quad": 2.0,
    r"\operatorname": 0.3, r"\mathrm": 0.0, r"\text": 0.0, r"\mathbf": 0.2, r"\tilde": 0.0, r"\dots": 2.4,
    r"\begin": 0.5, r"\end": 0.5, r"\propto": 2.4,
}  # fmt: skip
_SIGNS = {
    "=": 2.6,
    "+": 2.5,
    "-": 2.5,
    " ": 0.0,
    ",": 0.9,
    "<": 2.4,
    ">": 2.4,
    "'": 0.5,
    "(": 0.8,
    ")": 0.8,
    "&": 1,
}


def latex_width(text: str) -> float:
    """Return an estimate of how wide a formula is set, in digits."""
    return _Ruler(_TOKEN.findall(text)).measure()


class _Ruler:
    """Measures tokens of LaTeX one after another."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._place = 0

    def measure(self) -> float:
        """Return the width up to the end of the group."""
        total, script = 0.0, 0.0
        while self._place < len(self._tokens) and self._tokens[self._place] != "}":
            raised = self._tokens[self._place] in ("^", "_")
            width = self._one()
            total += max(0.0, width - script) if raised else width
            script = max(script, width) if raised else 0.0
        return total

    def _one(self) -> float:
        token = self._tokens[self._place]
        self._place += 1
        if token == "{":
            return self._group_body()
        if token in ("^", "_"):
            return 0.75 * self._one()
        if token == r"\frac":
            return max(self._one(), self._one()) + 0.5
        if token == r"\sqrt":
            return self._one() + 1.2
        return _WIDE.get(token, _SIGNS.get(token, 1.15))

    def _group_body(self) -> float:
        width = self.measure()
        self._place += 1
        return width
