"""The samplers of random models: log joint, parameters and moves agree with the derivation, or a clear refusal."""

from __future__ import annotations

import pytest

from deriver.errors import UsageError
from tests.model_checks import check_model
from tests.random_models import random_model

FIRST = 1000
MODELS = 48
PARTS = 6


@pytest.mark.parametrize("part", range(PARTS))
def test_random_models(part, tmp_path):
    refused = []
    for seed in range(FIRST + part, FIRST + MODELS, PARTS):
        text = random_model(seed)
        try:
            check_model(text, tmp_path, seed)
        except UsageError as error:
            assert error.mistakes[0].code == "not_emitted", text
            refused.append(seed)
        except Exception as error:
            raise AssertionError(f"seed {seed}\n{text}") from error
    assert len(refused) <= 2
