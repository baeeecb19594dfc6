"""Names of a BUGS program in the model language: plain words, each its own.

``alpha.c`` becomes ``alpha_c``; a word that the language or Python keeps for itself gets a letter more.
"""

from __future__ import annotations

import re

from deriver.language.names import refuse_name

# Names that the functions of a generated sampler use for themselves, beside those that the language refuses.
_OF_SAMPLERS = frozenset({"rng"})


class NameTable:
    """Our names, each given once; ``ours`` maps a BUGS name to the node or given that stands for it."""

    def __init__(self, reserved: frozenset[str] = frozenset()) -> None:
        self.ours: dict[str, str] = {}
        self._taken = set(reserved)

    def of(self, name: str) -> str:
        """Return our name of a BUGS name, always the same."""
        if name not in self.ours:
            self.ours[name] = self.fresh(name)
        return self.ours[name]

    def fresh(self, wanted: str) -> str:
        """Return a name not yet taken, as near to the one wanted as may be."""
        plain = plain_name(wanted)
        found, count = plain, 2
        while found in self._taken:
            found, count = f"{plain}_{count}" if plain[-1].isdigit() else f"{plain}{count}", count + 1
        self._taken.add(found)
        return found


def plain_name(name: str) -> str:
    """Return a name that the model language admits."""
    plain = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_") or "x"
    if not plain[0].isalpha():
        plain = f"x{plain}"
    plain = plain[:50]
    if plain == "lambda":
        return "lam"
    return f"{plain}_v" if plain in _OF_SAMPLERS or refuse_name(plain) is not None else plain
