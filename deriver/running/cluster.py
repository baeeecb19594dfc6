"""Connecting to a Dask cluster, for what is spread over its workers."""

from __future__ import annotations

from typing import Any

from deriver.errors import Mistake, UsageError


def connect(address: str, patience: str) -> Any:
    """Return a client of the scheduler at an address, which has ``patience`` ("20s") to answer.

    Raises ``UsageError`` without Dask, or when none answers.
    """
    try:
        import distributed
    except ImportError:
        found = "--dask needs the package `distributed`, which is not installed"
        remedy = "pip install 'deriver[cluster]'"
        raise UsageError([Mistake(code="no-dask", found=found, remedy=remedy)]) from None
    try:
        return distributed.Client(address, timeout=patience)
    except (OSError, ValueError) as error:
        found = f"--dask {address}: the scheduler cannot be reached ({error})"
        expected = "its address, such as tcp://127.0.0.1:8786"
        raise UsageError([Mistake(code="dask", found=found, expected=expected)]) from None
