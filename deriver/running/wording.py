"""The options of the command line as the keywords of Python, in messages to a caller from Python."""

from __future__ import annotations

import re
from dataclasses import replace

from deriver.errors import DeriverError, Mistake

# An option that takes NAME=VALUE -> the keyword that takes a dictionary.
TABLES = {
    "map": "columns",
    "index": "index",
    "set": "values",
    "fix": "fix",
    "start": "start",
    "method": "methods",
}
LISTS = {
    "derive": "derived",
    "keep-draws": "keep_draws",
    "keep": "keep",
    "moments": "moments",
    "stream": "stream",
}
_WHOLE = "|".join(TABLES)
QUOTED = re.compile(rf'--({_WHOLE}) "([^"=]+)=([^"]*)"')
PLAIN = re.compile(rf"--({_WHOLE}) ([\w.]+)=([^\s,;:]+)")
NAMED = re.compile(rf"--({_WHOLE}) (\w+)\b")
LISTED = re.compile(rf'--({"|".join(LISTS)}) ("[^"]*"|\w+)')
OTHER = re.compile(r"--([a-z][a-z-]*)")


def in_python(error: DeriverError) -> DeriverError:
    """Return the same error, its messages naming keywords in place of options."""
    return type(error)([_reword(mistake) for mistake in error.mistakes], origin=error.origin)


def _reword(mistake: Mistake) -> Mistake:
    return replace(
        mistake,
        found=reword(mistake.found),
        expected=reword(mistake.expected),
        remedy=reword(mistake.remedy),
    )


def reword(text: str) -> str:
    """Return a message with ``--map x=a`` as ``columns={"x": "a"}``, ``--keep mu`` as ``keep=["mu"]``."""
    text = QUOTED.sub(_pair, text)
    text = PLAIN.sub(_pair, text)
    text = NAMED.sub(lambda m: f'{TABLES[m[1]]}["{m[2]}"]', text)
    text = LISTED.sub(lambda m: f'{LISTS[m[1]]}=["{m[2].strip(chr(34))}"]', text)
    return OTHER.sub(lambda m: {**TABLES, **LISTS}.get(m[1], m[1]).replace("-", "_"), text)


def _pair(match: re.Match[str]) -> str:
    value = match[3]
    is_number = re.fullmatch(r"-?\d+(\.\d*)?(e-?\d+)?", value) is not None
    shown = value if is_number or value == "..." else f'"{value}"'
    return f'{TABLES[match[1]]}={{"{match[2]}": {shown}}}'
