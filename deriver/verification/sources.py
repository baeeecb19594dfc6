"""The sampler to verify, of either backend; and which samplers tests can be written for.

Stage verification.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from deriver.derivation.records import Derivation
from deriver.emission import emit
from deriver.emission.compiled.functions import side_names
from deriver.errors import Mistake, UsageError
from deriver.plan.records import Plan
from deriver.verification.setting import DEFAULT_DIMENSION


def emit_for_verification(
    derivation: Derivation, plan: Plan, backend: str, sizes: Mapping[str, int], templates: str | Path | None = None
) -> str:  # fmt: skip
    """Return the source of a sampler for plates and dimensions of these sizes, the others as they are by default."""
    dimensions = dict.fromkeys(side_names(plan), DEFAULT_DIMENSION) | dict(sizes)
    return emit(derivation, plan, backend=backend, sizes=dimensions, templates=templates)


def require_arrays(source: str) -> None:
    """Raise ``UsageError`` for a compiled sampler: test modules are written for functions of all chains."""
    if "import numba" in source:
        raise UsageError(
            [
                Mistake(
                    code="compiled_sampler",
                    found="a sampler of the numba backend, whose functions update one chain in place",
                    expected="a sampler of the numpy backend",
                    remedy="emit it with --backend numpy; `deriver verify --backend numba` tests this one",
                )
            ]
        )
