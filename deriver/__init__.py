"""From a hierarchical model to its full conditionals, and to Python source that samples it.

The verbs of the command line can be called here, with the same names and meaning.  Nothing heavy is imported until
a verb is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deriver.errors import DataError, DeriverError, InternalError, ModelError, UsageError
    from deriver.language import parse_model, print_model
    from deriver.language.builder import ModelBuilder
    from deriver.pipeline import (
        assert_conditional,
        augment,
        check,
        check_update,
        derive,
        emit,
        emit_tests,
        graph,
        load_model,
        packaged_models,
        run,
        translate,
        verify,
        why,
    )
    from deriver.show import render

__version__ = "0.1.0"

_PLACES = {
    "parse_model": "deriver.language",
    "print_model": "deriver.language",
    "ModelBuilder": "deriver.language.builder",
    "load_model": "deriver.pipeline",
    "packaged_models": "deriver.pipeline",
    "graph": "deriver.pipeline",
    "derive": "deriver.pipeline",
    "emit": "deriver.pipeline",
    "run": "deriver.pipeline",
    "translate": "deriver.pipeline",
    "check": "deriver.pipeline",
    "assert_conditional": "deriver.pipeline",
    "verify": "deriver.pipeline",
    "emit_tests": "deriver.pipeline",
    "check_update": "deriver.pipeline",
    "why": "deriver.pipeline",
    "augment": "deriver.pipeline",
    "render": "deriver.show",
    "DeriverError": "deriver.errors",
    "ModelError": "deriver.errors",
    "DataError": "deriver.errors",
    "UsageError": "deriver.errors",
    "InternalError": "deriver.errors",
}

__all__ = [
    "DataError", "DeriverError", "InternalError", "ModelBuilder", "ModelError", "UsageError", "assert_conditional",
    "augment", "check", "check_update", "derive", "emit", "emit_tests", "graph", "load_model", "packaged_models", "parse_model",
    "print_model", "render", "run", "translate", "verify", "why",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(_PLACES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
