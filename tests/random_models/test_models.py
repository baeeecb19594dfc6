"""Random models at fixed seeds: 150 here and 150 in the other file, so that two processes share them."""

from __future__ import annotations

import pytest

from tests.random_models.batches import run_batch

FIRST_SEED, BATCHES, MODELS = 100, 6, 16
MOST_REFUSED = 0.2  # the share of models to which the emitter has no sampler


@pytest.mark.parametrize("number", range(FIRST_SEED, FIRST_SEED + BATCHES))
def test_batch(number: int) -> None:
    check_batch(number)


def check_batch(number: int) -> None:
    batch = run_batch(number, MODELS)
    assert not batch.failures, "\n\n".join(failure.render() for failure in batch.failures)
    assert len(batch.found) >= MODELS
    assert sum(len(found.nodes) for found in batch.found) > MODELS
    assert sum(bool(found.refused) for found in batch.found) <= MOST_REFUSED * len(batch.found) + 2
