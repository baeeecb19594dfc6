"""Reading the small expressions of options with the language's own parser.

Part of stage run.
"""

from __future__ import annotations

from deriver.errors import DeriverError
from deriver.language import parse_expression
from deriver.model.expressions import Expression
from deriver.running.problems import Problems


def read_expression(option: str, text: str, problems: Problems, expected: str) -> Expression | None:
    """Return the expression that ``text`` writes; record a mistake under the option's name if it is none."""
    try:
        return parse_expression(text)
    except DeriverError as error:
        found = "; ".join(mistake.found for mistake in error.mistakes)
        problems.add("expression", f"{option}: {found}", expected=expected, usage=True)
        return None


def read_map_expression(name: str, text: str, problems: Problems) -> Expression | None:
    """Return the expression of ``--map name=text``."""
    expected = "a column, or numbers, columns, + - * / ^ and functions such as log()"
    return read_expression(f"--map {name}={text}", text, problems, expected)
