"""log P(lower <= X <= upper) by family key: put here by the families, read by the numeric values of expressions.

It stands apart so that the families can fill it before SymPy is imported.
"""

from __future__ import annotations

from collections.abc import Callable

LOG_MASSES: dict[str, Callable[..., float]] = {}
