"""The texts of the packaged models."""

from __future__ import annotations

from importlib.resources import files


def packaged_text(name: str, folder: str = "models") -> str:
    """Return the text of a packaged model."""
    return (files("deriver.examples") / folder / f"{name}.model").read_text(encoding="utf-8")
