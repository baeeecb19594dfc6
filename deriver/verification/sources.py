"""Which samplers can be verified: those whose functions take and return the states of all chains."""

from __future__ import annotations

from deriver.errors import Mistake, UsageError


def require_arrays(source: str) -> None:
    """Raise ``UsageError`` for the source of the compiled backend, whose functions update one chain in place."""
    if "import numba" in source:
        raise UsageError(
            [
                Mistake(
                    code="compiled_sampler",
                    found="a sampler of the numba backend, whose functions update one chain in place",
                    expected="a sampler of the numpy backend",
                    remedy="emit it with --backend numpy; both are made from the same plan",
                )
            ]
        )
