"""Group columns in what a run reports besides the draws: definitions, derived quantities, log likelihood, predictions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import deriver
from deriver.language import parse_model

NESTED = """model nested
plates
  i = 1..n
  j = 1..3
  q = 1..2
given
  g : i -> j
  h : j -> q
data
  y[i] ~ N(a[g[i]], 2)
process
  a[j] = b[h[j]]
  b[q] ~ N(0, 1)
"""


@pytest.mark.parametrize("labels", [(1, 2, 3), ("u", "v", "w")])
def test_elements_are_those_of_their_group(labels: tuple) -> None:
    y, g, h = np.array([1.0, 2, 3, np.nan]), np.array([0, 1, 2, 2]), np.array([0, 0, 1])
    data = {"y": y, "g": [labels[k] for k in g], "h": [labels[k] for k in h]}
    result = deriver.run(
        parse_model(NESTED), data, draws=500, warmup=10, chains=2, seed=1, progress=False,
        derived=("z[j] = a[j]", "w[i] = a[g[i]]"), log_likelihood=True,
    )  # fmt: skip
    found = result.idata
    b = found.posterior.b.to_numpy()
    np.testing.assert_array_equal(found.posterior.z, b[:, :, h])
    np.testing.assert_array_equal(found.posterior.w, b[:, :, h[g]])
    expected = stats.norm(b[:, :, h[g[:3]]], np.sqrt(2)).logpdf(y[:3])
    np.testing.assert_allclose(found.log_likelihood.y[:, :, :3], expected)
    missing = found.posterior.y_missing.to_numpy()[..., 0]
    assert np.corrcoef(missing.ravel(), b[..., 1].ravel())[0, 1] > 0.2
    assert float(missing.mean()) == pytest.approx(b[..., 1].mean(), abs=0.2)
