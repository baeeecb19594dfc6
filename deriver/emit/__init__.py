"""Stage emit: Derivation and Plan -> the source of a stand-alone sampler."""

from __future__ import annotations

from deriver.emit.module import emit

__all__ = ["emit"]
