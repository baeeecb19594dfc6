"""Text to logical lines of tokens: the first step of reading a model.

Input: the text.  Output: one ``LogicalLine`` for each statement (a line ends where no bracket is open), with
its comments.  Characters that the language does not know become mistakes that say what to write instead.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

from deriver.language.functions import BLOCKS
from deriver.language.mistakes import Mistakes
from deriver.model.expressions import Span

_TOKEN = re.compile(
    r"(?P<number>(?:[0-9]+(?:\.(?!\.)[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<symbol>\.\.|->|!=|<=|>=|[~=<>+\-*/^'()\[\],;:])"
)

_INSTEAD = {
    "\u2032": "'", "\u2019": "'", "\u2018": "'", "`": "'", "\u2212": "-", "\u2013": "-", "\u2014": "-",
    "\u00b7": "*", "\u00d7": "*", "\u22c5": "*", "\u223c": "~", "\uff5e": "~", "\u2264": "<=", "\u2265": ">=",
    "\u2260": "!=", "\u2192": "->", "\u2208": "in", "\u221e": "inf", "\u2026": "..", "\u00b2": "^2",
}  # fmt: skip

_FOREIGN = {
    "{": "leave braces out: blocks are `plates`, `given`, `data`, `process` and `parameters`",
    "}": "leave braces out: blocks are `plates`, `given`, `data`, `process` and `parameters`",
    "@": "write `*` for a matrix product",
    "%": "write `*` for a matrix product",
    "!": "write `!=` for `not equal`",
    "|": "write det(S) for a determinant, abs(x) for an absolute value",
    "$": "leave it out: names are plain words such as sigma2",
    "\\": "leave it out: names are plain words such as sigma2",
    '"': "leave it out: the language has no quoted text",
    ".": "write names with `_` in place of a dot, and ranges with two dots: 1..n",
}


@dataclass(frozen=True, slots=True)
class Token:
    """One token: kind ``number``, ``name``, ``symbol`` or ``end``."""

    kind: str
    text: str
    span: Span


@dataclass(slots=True)
class LogicalLine:
    """The tokens of one statement, without the end; ``comments`` stand above it or behind it."""

    tokens: list[Token]
    comments: list[str] = field(default_factory=list)
    depth: int = 0
    broken: bool = False


def split_lines(text: str) -> list[str]:
    """Return the physical lines; tabs become one blank each, so that columns and carets agree."""
    return [line.rstrip("\r").replace("\t", " ") for line in text.removeprefix("\ufeff").split("\n")]


def read_tokens(line: str, number: int, mistakes: Mistakes) -> tuple[list[Token], str | None, bool]:
    """Return the tokens of a physical line, its comment or None, and whether a character was refused."""
    tokens: list[Token] = []
    position, refused = 0, set[str]()
    while position < len(line):
        character = line[position]
        if character == "#":
            return tokens, line[position + 1 :].strip(), bool(refused)
        if character == " ":
            position += 1
            continue
        match = _TOKEN.match(line, position)
        if match is None:
            if character not in refused:
                _refuse_character(character, Span(number, position, position + 1), mistakes)
            refused.add(character)
            position += 1
            continue
        tokens.append(Token(match.lastgroup or "symbol", match.group(), Span(number, position, match.end())))
        position = match.end()
    return tokens, None, bool(refused)


def _refuse_character(character: str, span: Span, mistakes: Mistakes) -> None:
    mistakes.add(
        "character",
        f"the character {character!r} is not part of the language",
        span=span,
        remedy=_mend_character(character),
    )


def _mend_character(character: str) -> str:
    if character in _INSTEAD:
        return f"write {_INSTEAD[character]}"
    if character in _FOREIGN:
        return _FOREIGN[character]
    name = unicodedata.name(character, "")
    if name.startswith("GREEK"):
        word = name.split("LETTER ")[-1].split()[0].lower()
        return f"write its name in plain letters: {word.capitalize() if 'CAPITAL' in name else word}"
    return "leave it out"


def read_logical_lines(lines: list[str], mistakes: Mistakes) -> tuple[list[LogicalLine], list[str]]:
    """Return the logical lines of a text, and the comments that follow the last of them."""
    found: list[LogicalLine] = []
    waiting: list[str] = []
    current: LogicalLine | None = None
    for number, line in enumerate(lines, start=1):
        tokens, comment, refused = read_tokens(line, number, mistakes)
        if current is not None and _starts_afresh(tokens):
            _refuse_open(current, mistakes)
            current = None
        if current is None and not tokens and not refused:
            waiting += [comment] if comment is not None else []
            continue
        if current is None:
            current = LogicalLine([], waiting)
            found.append(current)
            waiting = []
        current.tokens += tokens
        current.comments += [comment] if comment else []
        current.broken |= refused
        current.depth = max(0, current.depth + _opened(tokens))
        current = current if current.depth else None
    if current is not None:
        _refuse_open(current, mistakes)
    return found, waiting


def _opened(tokens: list[Token]) -> int:
    return sum((token.text in ("(", "[")) - (token.text in (")", "]")) for token in tokens)


def _starts_afresh(tokens: list[Token]) -> bool:
    """Tell whether a line that stands inside an open bracket must be a statement or block of its own."""
    header = len(tokens) == 1 and tokens[0].text in BLOCKS
    return header or any(token.text == "~" for token in tokens)


def _refuse_open(line: LogicalLine, mistakes: Mistakes) -> None:
    line.broken = True
    stack: list[Token] = []
    for token in line.tokens:
        if token.text in ("(", "["):
            stack.append(token)
        elif token.text in (")", "]") and stack:
            stack.pop()
    if stack:
        close = ")" if stack[-1].text == "(" else "]"
        mistakes.add(
            "bracket",
            f"this `{stack[-1].text}` is never closed",
            span=stack[-1].span,
            remedy=f"put a `{close}` where it ends",
        )
