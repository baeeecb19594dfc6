"""Emitted samplers, right and broken on purpose by a textual replacement that must apply."""

from __future__ import annotations

from functools import cache

from deriver.derivation.records import Derivation
from deriver.emission import emit
from deriver.pipeline import Blocks, derive, load_model, plan
from deriver.verification.records import Verification
from deriver.verification.replicates import Effort
from deriver.verification.sources import emit_for_verification
from deriver.verification.verify import verify

SMALL = Effort(
    states=1,
    draws_at=5,
    prior=36,
    block=10,
    chain=60,
    steps=10,
    copies=4,
    tuning=60,
    ranks=24,
    draws=15,
    warmup=60,
)


@cache
def sampler(name: str) -> tuple[Derivation, str]:
    """Return the derivation of a packaged model and its sampler's source."""
    derivation = derive(load_model(name))
    return derivation, emit(derivation, plan(derivation))


@cache
def compiled_sampler(name: str, blocks: Blocks = "off") -> str:
    """Return the source of the compiled sampler of a packaged model."""
    derivation = sampler(name)[0]
    return emit_for_verification(derivation, plan(derivation, blocks=blocks), "numba", {})


def edited(name: str, old: str, new: str, *, compiled: bool = False) -> str:
    """Return a sampler's source with a text, which must be there once, replaced."""
    source = compiled_sampler(name) if compiled else sampler(name)[1]
    assert source.count(old) == 1, f"{old!r} stands {source.count(old)} times in the sampler of {name}"
    return source.replace(old, new)


def verify_small(name: str, source: str | None = None, effort: Effort = SMALL, seed: int = 1) -> Verification:
    """Return the verification of a sampler at a small effort, on one core."""
    derivation, right = sampler(name)
    return verify(derivation, right if source is None else source, effort=effort, seed=seed, jobs=1)
