"""The second half of the random models at fixed seeds."""

from __future__ import annotations

import pytest

from tests.random_models.test_models import BATCHES, FIRST_SEED, check_batch


@pytest.mark.parametrize("number", range(FIRST_SEED + BATCHES, FIRST_SEED + 2 * BATCHES))
def test_batch_of_the_second_half(number: int) -> None:
    check_batch(number)
