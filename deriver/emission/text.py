"""Pieces of Python source: an expression's text with its precedence, and the breaking of long lines.

Lines are broken exactly as ``ruff format`` would break them at 88 columns, so that emitted files need no
formatter.  What cannot be broken that way returns None, and the caller names a part of it first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

WIDTH = 88
INDENT = 4

SUM, PRODUCT, NEGATIVE, POWER, ATOM = range(5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """The text of an expression; ``level`` its loosest operator.

    ``parts`` are (operator, operand text) of a sum or product, the first operator empty; ``call`` is
    (function, arguments) when the whole text is one call.
    """

    text: str
    level: int = ATOM
    parts: tuple[tuple[str, str], ...] = ()
    call: tuple[str, tuple[str, ...]] | None = None

    def wrapped(self, level: int) -> str:
        """Return the text, in parentheses when it binds looser than ``level``."""
        return self.text if self.level >= level else f"({self.text})"


def atom(text: str) -> Text:
    """Return a name, attribute, subscript or number."""
    return Text(text=text)


def call(function: str, *arguments: str) -> Text:
    """Return a call."""
    return Text(text=f"{function}({', '.join(arguments)})", call=(function, arguments))


def join_sum(terms: Sequence[tuple[bool, Text]]) -> Text:
    """Return a sum of (is negative, term)."""
    parts: list[tuple[str, str]] = []
    for negative, term in terms:
        sign = "-" if negative else "+"
        text = term.wrapped(PRODUCT if negative else SUM)
        if not parts:
            whole = _negated(term) if negative else text
            parts += term.parts if term.level == SUM and not negative and term.parts else [("", whole)]
        elif term.level == SUM and not negative and term.parts:
            parts += [(operator or "+", inside) for operator, inside in term.parts]
        else:
            parts.append((sign, text))
    if len(parts) == 1:
        return Text(text=parts[0][1], level=NEGATIVE) if terms[0][0] else terms[0][1]
    return Text(text=_joined(parts), level=SUM, parts=tuple(parts))


def _negated(term: Text) -> str:
    """Return ``-term``; ruff puts a power that stands after a minus sign in parentheses."""
    first, *rest = term.parts if term.parts and term.level == PRODUCT else (("", term.wrapped(PRODUCT)),)
    head = f"({first[1]})" if _is_power(first[1]) else first[1]
    return "-" + _joined([("", head), *rest])


def _is_power(text: str) -> bool:
    depth = 0
    for place, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if depth == 0 and text[place : place + 2] == "**":
            return True
    return False


def join_product(above: Sequence[Text], below: Sequence[Text]) -> Text:
    """Return a quotient of products; an empty numerator is 1."""
    if len(above) == 1 and not below:
        return above[0]
    if len(below) > 1:
        below = [join_product(below, [])]
    operands = [("*", term) for term in above] or [("*", atom("1"))]
    operands += [("/", term) for term in below]
    parts = []
    for position, (operator, term) in enumerate(operands):
        bind = PRODUCT if position == 0 else NEGATIVE
        parts.append((operator if position else "", term.wrapped(bind)))
    return Text(text=_joined(parts), level=PRODUCT, parts=tuple(parts))


def power(base: Text, exponent: str) -> Text:
    """Return ``base**exponent``; ruff hugs the operator only between simple operands."""
    text = base.wrapped(ATOM)
    simple = all(character.isalnum() or character in "._" for character in text)
    return Text(text=f"{text}**{exponent}" if simple else f"{text} ** {exponent}", level=POWER)


def _joined(parts: Sequence[tuple[str, str]]) -> str:
    return " ".join(f"{operator} {text}" if operator else text for operator, text in parts)


def break_statement(head: str, value: Text, depth: int, *, short: bool = False) -> list[str] | None:
    """Return the lines of ``head value`` (head ends in ``= `` or ``return ``), or None if it cannot be broken.

    A sum or product of two is broken only if ``short``: none of its operands has brackets to break at.
    """
    pad = " " * (INDENT * depth)
    whole = f"{pad}{head}{value.text}"
    if len(whole) <= WIDTH:
        return [whole]
    if value.call is not None:
        function, arguments = value.call
        return break_brackets(f"{pad}{head}{function}(", arguments, ")", depth)
    if len(value.parts) < 2 or (len(value.parts) == 2 and not short):
        return None
    inside = " " * (INDENT * (depth + 1))
    if len(inside + value.text) <= WIDTH:
        body = [inside + value.text]
    else:
        body = [inside + (f"{operator} {text}" if operator else text) for operator, text in value.parts]
    if any(len(line) > WIDTH for line in body):
        return None
    return [f"{pad}{head}(", *body, f"{pad})"]


def force_statement(head: str, value: Text, depth: int, *, short: bool = False) -> list[str]:
    """Return the lines of ``head value``, one long line where it cannot be broken."""
    lines = break_statement(head, value, depth, short=short)
    return lines if lines is not None else [" " * (INDENT * depth) + head + value.text]


def break_brackets(opening: str, items: Iterable[str], closing: str, depth: int) -> list[str] | None:
    """Return ``opening items closing`` over several lines: all items on one, or one each with a comma."""
    pad, inside = " " * (INDENT * depth), " " * (INDENT * (depth + 1))
    items = list(items)
    together = inside + ", ".join(items)
    if len(opening) > WIDTH:
        return None
    if len(together) <= WIDTH:
        return [opening, together, pad + closing]
    apart = [f"{inside}{item}," for item in items]
    if any(len(line) > WIDTH for line in apart):
        return None
    return [opening, *apart, pad + closing]


def break_call(opening: str, items: Iterable[str], closing: str, depth: int) -> list[str]:
    """Return a signature or call on one line if it fits, else broken; items must be short."""
    items = list(items)
    pad = " " * (INDENT * depth)
    whole = f"{pad}{opening}{', '.join(items)}{closing}"
    if len(whole) <= WIDTH:
        return [whole]
    broken = break_brackets(pad + opening, items, closing, depth)
    return broken if broken is not None else [whole]


def split_arguments(text: str) -> list[str]:
    """Split the text of arguments at the commas outside all brackets."""
    parts, depth, current = [], 0, ""
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        if character == "," and depth == 0:
            parts.append(current.strip())
            current = ""
        else:
            current += character
    return [*parts, current.strip()]


def outside_brackets(text: str) -> list[str]:
    """Return the stretches of a text that stand outside all brackets."""
    parts, depth = [""], 0
    for character in text:
        closed = character in ")]}"
        depth += (character in "([{") - closed
        if depth == 0 and not closed:
            parts[-1] += character
        elif parts[-1]:
            parts.append("")
    return parts
