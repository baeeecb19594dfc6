"""Whole numbers next to random ones: ``round`` and ``trunc`` of BUGS, ``floor`` of the model language."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

import deriver
from deriver.bugs import to_jags, translate
from deriver.derivation.density_ratio import check_derivation
from deriver.errors import ModelError
from tests.bugs.test_constructs import draws_of

PROGRAM = """
model {
  for (i in 1:n) { y[i] ~ dnorm(mu[i], 1); mu[i] <- round(a / 2) + trunc(b) }
  a ~ dnorm(3, 0.25); b ~ dnorm(0, 0.25)
  near <- round(a); towards.0 <- trunc(b)
}
"""
FLOOR = """model steps
plates
  i = 1..n
data
  y[i] ~ N(floor(a / 2) + b, s2)
parameters
  a ~ N(3, 4)
  b ~ N(0, 10)
  s2 ~ InverseGamma(shape=2, scale=1)
"""


def test_round_and_trunc_of_random_numbers(tmp_path: Path) -> None:
    """Draws against sums over the steps, whose prior probabilities are differences of normal distribution functions."""
    y = np.array([2.0, 3.0])
    drawn = draws_of(PROGRAM, {"n": 2, "y": y}, tmp_path, draws=600)
    np.testing.assert_array_equal(drawn["towards.0"], np.trunc(drawn["b"]))
    np.testing.assert_array_equal(drawn["near"], np.floor(drawn["a"] + 0.5))
    steps = np.arange(-8, 12)
    halves = np.diff(norm.cdf(np.append(steps - 0.5, steps[-1] + 0.5), 1.5, 1.0))
    low = np.where(steps > 0, steps, steps - 1)
    high = np.where(steps < 0, steps, steps + 1)
    parts = norm.cdf(high, 0, 2) - norm.cdf(low, 0, 2)
    gaps = y[:, None, None] - steps[:, None] - steps
    weights = halves[:, None] * parts * np.exp(norm.logpdf(gaps).sum(0))
    expected = (weights.sum(0) * steps).sum() / weights.sum()
    assert np.trunc(drawn["b"]).mean() == pytest.approx(expected, abs=0.06)


def test_floor_in_a_mean_keeps_the_other_conditionals() -> None:
    """The identity holds, compiled and interpreted runs agree, and a vector is refused."""
    model = deriver.parse_model(FLOOR)
    derivation = deriver.derive(model)
    check_derivation(derivation)
    assert derivation.node("b").family == "normal"
    assert derivation.node("a").family is None
    assert "np.floor" in deriver.emit(model)
    with pytest.raises(ModelError, match="`floor` of a vector"):
        deriver.parse_model(
            FLOOR.replace("floor(a / 2)", "ones(3)' * floor(c)") + "  c ~ N(0*ones(3), eye(3))\n"
        )


def test_written_for_jags() -> None:
    """JAGS has no `floor`; what stands for it is read back."""
    text = to_jags(deriver.parse_model(FLOOR))
    assert "(trunc(a / 2) - ((a / 2) < trunc(a / 2)))" in text
    found = translate(PROGRAM, {"n": np.array(2.0), "y": np.array([2.0, 3.0])})
    assert "near = floor(a + 1 / 2)" in found.text
