"""Which names a model may use.

A name reaches templates and generated source, so it is a plain ASCII word, no keyword of Python and no word
or function of the language.
"""

from __future__ import annotations

import keyword
import re

from deriver.language.functions import ALIASES, FUNCTIONS, WORDS

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z", re.ASCII)
_LONGEST = 60
_OF_THE_SOURCE = frozenset({"chains", "state", "sweep"})


def refuse_name(name: str, *, quantity: bool = True) -> tuple[str, str] | None:
    """Return why a name cannot be used, by a quantity or by a model, and what to do instead, or None if it can."""
    if not _PLAIN.match(name):
        return (f"`{name}` is not a name", "start with a letter and use letters, digits and `_` only")
    if len(name) > _LONGEST:
        return (f"this name has {len(name)} characters", f"use at most {_LONGEST}")
    if "__" in name:
        return (f"`{name}` has two underscores in a row", f"write `{re.sub('_+', '_', name).strip('_')}`")
    if keyword.iskeyword(name):
        instead = {"lambda": "lam"}.get(name, name + "_")
        return (f"`{name}` is a keyword of Python, and would break the source", f"call it `{instead}`")
    if quantity and name in _OF_THE_SOURCE:
        return (f"`{name}` is a name that the generated source uses itself", f"call it `{name}_`")
    if name in WORDS:
        return (f"`{name}` is a word of the model language", f"call it `{name}_`")
    if name in FUNCTIONS or name in ALIASES:
        return (f"`{name}` is a function of the model language", f"call it `{name}_`")
    return None
