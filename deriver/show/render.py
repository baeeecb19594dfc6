"""Show stage: a derivation as text, Markdown, LaTeX or JSON.

Input: a ``Derivation``.  Output: a string, the same for the same model on every run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args
from unicodedata import normalize

from deriver.derivation.records import Derivation
from deriver.errors import Mistake, UsageError
from deriver.show.latex import LatexSpelling
from deriver.show.names import names_of
from deriver.show.record import to_json
from deriver.show.steps import compose
from deriver.show.terminal import Terminal
from deriver.show.tex import PAGE, SCREEN, Latex, Markdown
from deriver.show.text import TextSpelling

Format = Literal["text", "markdown", "latex", "json"]


def render(
    derivation: Derivation,
    format: Format = "text",
    node: str | None = None,
    *,
    unicode: bool = True,
    width: int = 96,
    opening: Sequence[str] = (),
) -> str:
    """Return a derivation as a person reads it, or as JSON; ``node`` chooses one node, ``opening`` is told first.

    ``unicode=False`` gives the text format in ASCII, with names as in the model language; ``width`` is that of
    the text format, in columns.  Raises ``UsageError`` for a format or node that there is not.
    """
    _check(derivation, format, node)
    if format == "json":
        return to_json(derivation, node, opening)
    siblings = names_of(derivation.model)
    words = tuple(text if unicode or format != "text" else _in_ascii(text) for text in opening)
    document = compose(derivation, node, words)
    match format:
        case "text":
            return Terminal(TextSpelling(siblings, unicode), width).set_document(document)
        case "markdown":
            return Markdown(LatexSpelling(siblings), SCREEN).set_document(document)
        case "latex":
            return Latex(LatexSpelling(siblings), PAGE).set_document(document)


def _in_ascii(text: str) -> str:
    return normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")


def _check(derivation: Derivation, format: str, node: str | None) -> None:
    mistakes = []
    if format not in get_args(Format):
        expected = "one of " + ", ".join(get_args(Format))
        mistakes.append(Mistake(code="format", found=f"there is no format `{format}`", expected=expected))
    names = [conditional.node for conditional in derivation.conditionals]
    if node is not None and node not in names:
        expected = "one of " + ", ".join(names)
        mistakes.append(Mistake(code="node", found=f"no conditional of a node `{node}`", expected=expected))
    if mistakes:
        raise UsageError(mistakes)
