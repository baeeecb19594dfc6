"""Samplers that integrate effects out, against reference posteriors and against those that do not."""

from __future__ import annotations

import pytest

from tests.posterior_checks import discrepancies
from tests.test_posteriors import SETTINGS, sample

KEYS = (
    "test:sleepstudy/random_intercepts",
    "test:sleepstudy/random_slopes",
    "test:rats/free_covariance",
    "test:rats/random_slopes_as_printed",
    "test:rats/varying_variance",
    "demo:sleepstudy/wishart",
    "demo:rats/all_random",
)


@pytest.mark.parametrize("key", KEYS)
def test_posterior_is_the_reference(key: str) -> None:
    options = {"blocks": "on", "backend": "numpy", "draws": 3_000}
    result = sample(key, seed=21, **options)
    assert "def log_marginal(" in result.source
    assert discrepancies(result.idata.posterior, SETTINGS[key]["parameters"]) == {}
