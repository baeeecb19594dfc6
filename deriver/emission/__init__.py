"""Stage emit: Derivation and Plan -> the source of a stand-alone sampler."""

from __future__ import annotations

from deriver.emission.module import emit

__all__ = ["emit"]
