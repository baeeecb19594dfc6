"""The two entrances of the language: a model text, and a single expression.

Input: text.  Output: a ``Model`` or an ``Expression``; nothing but ``ModelError`` for any text.
"""

from __future__ import annotations

from deriver.errors import ModelError
from deriver.language.document import read_document
from deriver.language.mistakes import LineMistake, Mistakes
from deriver.language.parser import ExpressionReader
from deriver.language.resolve import resolve
from deriver.language.tokens import read_logical_lines, split_lines
from deriver.model.expressions import Expression, Span
from deriver.model.records import Model


def parse_model(text: str, origin: str = "model") -> Model:
    """Return the model of a text.

    Raises ``ModelError`` with every mistake of the text; ``origin`` names the text in the messages.
    """
    mistakes = Mistakes(split_lines(text), origin)
    document = read_document(text, mistakes)
    try:
        return resolve(document, mistakes)
    except RecursionError:
        mistakes.add(
            "depth",
            "the definitions rest on each other in too long a chain",
            remedy="join some of them",
        )
    mistakes.raise_any()
    raise ModelError((), origin)


def parse_expression(text: str, origin: str = "expression") -> Expression:
    """Return the expression of a text; its names are not looked up.  Raises ``ModelError``."""
    lines = split_lines(text)
    mistakes = Mistakes(lines, origin)
    found, _ = read_logical_lines(lines, mistakes)
    mistakes.raise_any()
    if len(found) != 1:
        what = "several expressions" if found else "no expression"
        mistakes.add("syntax", f"the text holds {what}", span=Span(1, 0, 1), expected="one expression")
        mistakes.raise_any()
    try:
        return ExpressionReader(found[0].tokens).read_whole()
    except LineMistake as stop:
        mistakes.add_from(stop)
        mistakes.raise_any()
        raise ModelError((), origin) from stop
