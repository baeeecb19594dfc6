"""SymPy, our heads and SciPy's special functions, imported when something of them is first used.

The language and the binding of data read of a family only its names, its roles and its support; a run whose source is
in the cache derives nothing, and need not wait for them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sympy as sp
    from scipy import special

    from deriver.algebra import heads
else:

    class Deferred:
        """Stands for a module until an attribute of it is asked for."""

        def __init__(self, name: str) -> None:
            self._name = name

        def __getattr__(self, attribute: str) -> Any:
            found = getattr(importlib.import_module(self._name), attribute)
            setattr(self, attribute, found)
            return found

    sp, heads, special = (Deferred(name) for name in ("sympy", "deriver.algebra.heads", "scipy.special"))

__all__ = ["heads", "sp", "special"]
