"""States that hang on earlier states by probabilities that are defined apart: each agrees with a sum over all states.

Draws are compared at over four Monte Carlo standard errors; seeds are fixed.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import betaln, gammaln
from scipy.stats import multivariate_normal

from deriver.bugs import translate
from deriver.errors import ModelError
from tests.bugs.test_constructs import draws_of

NA = float("nan")
MEANS = """
model {
  for (i in 1:n) {
    z[i, %(first)s] <- 1
    for (t in (%(first)s + 1):T) {
      z[i, t] ~ dbern(mu1[i, t]); mu1[i, t] <- phi * z[i, t - 1]
      y[i, t] ~ dbern(mu2[i, t]); mu2[i, t] <- p * z[i, t]
    }
  }
  phi ~ dunif(0, 1); p ~ dunif(0, 1)
}
"""
SEEN = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 0.0]])


def survival_means(first: list[int]) -> list[float]:
    """Return the means of phi, p and phi p, by the sum over all states, phi and p integrated by hand."""
    weights, moments = [], []
    places = [(i, t) for i, start in enumerate(first) for t in range(start, 4)]
    for values in itertools.product((0, 1), repeat=len(places)):
        z = np.zeros(SEEN.shape)
        for i, start in enumerate(first):
            z[i, start - 1] = 1
        for place, value in zip(places, values, strict=True):
            z[place] = value
        before = {place: z[place[0], place[1] - 1] for place in places}
        if any(z[place] > before[place] or SEEN[place] > z[place] for place in places):
            continue
        alive = sum(z[place] for place in places)
        died = sum(before[place] for place in places) - alive
        seen = sum(SEEN[place] for place in places)
        weights.append(np.exp(betaln(1 + alive, 1 + died) + betaln(1 + seen, 1 + alive - seen)))
        phi, p = (1 + alive) / (2 + alive + died), (1 + seen) / (2 + alive)
        moments.append([phi, p, phi * p])
    return list(np.average(moments, axis=0, weights=weights))


KNOWN = np.array([[NA, 1, NA, NA], [NA, 1, 1, NA], [NA, NA, NA, NA]])


@pytest.mark.parametrize("first,known", [([1, 1, 1], None), ([1, 1, 1], KNOWN), ([1, 1, 2], None), ([1, 1, 2], KNOWN)])  # fmt: skip
def test_means_of_states_defined_apart(first: list[int], known: np.ndarray | None, tmp_path: Path) -> None:
    """Survival from a first capture, the same for all or not; states that are known may be among the data."""
    program = MEANS % {"first": "f[i]" if first[2] > 1 else "1"}
    data: dict[str, Any] = {
        "n": 3,
        "T": 4,
        "y": np.where(np.arange(1, 5) < np.array(first)[:, None], 0, SEEN),
    }
    data |= {"f": first} if first[2] > 1 else {}
    data |= {} if known is None else {"z": known}
    drawn = draws_of(program, data, tmp_path)
    found = [drawn["phi"].mean(), drawn["p"].mean(), (drawn["phi"] * drawn["p"]).mean()]
    assert found == pytest.approx(survival_means(first), abs=0.012)


CHAIN = """
model {
  z[1] ~ dcat(p0[])
  for (t in 2:T) {
    for (s in 1:3) { q[t, s] <- %s }
    z[t] ~ dcat(q[t, ])
  }
  for (t in 1:T) { x[t] ~ dnorm(m[z[t]], 1) }
  for (s in 1:3) { m[s] ~ dnorm(s, 1); P[s, 1:3] ~ ddirch(a[]) }
}
"""


def test_a_row_of_transitions_defined_apart(tmp_path: Path) -> None:
    """Probabilities copied from the row of the state before: against the sum over all states."""
    x, p0 = np.array([1, 2, 3, 2.0]), np.array([0.2, 0.3, 0.5])
    data = {"T": 4, "x": x, "p0": p0, "a": [1, 1, 1]}
    drawn = draws_of(CHAIN % "P[z[t - 1], s]", data, tmp_path)
    weights, moments = [], []
    for z in itertools.product(range(3), repeat=4):
        counts = np.zeros((3, 3))
        np.add.at(counts, (z[:-1], z[1:]), 1)
        log = np.log(p0[z[0]]) + np.sum(gammaln(1 + counts)) - np.sum(gammaln(3 + counts.sum(1)))
        for s in set(z):
            own = [k for k in range(4) if z[k] == s]
            log += multivariate_normal.logpdf(x[own], np.full(len(own), s + 1.0), np.eye(len(own)) + 1)
        weights.append(np.exp(log))
        rows = (1 + counts) / (3 + counts.sum(1, keepdims=True))
        moments.append([*(np.array(z) + 1), *rows[list(z[:-1])].ravel()])
    expected = np.average(moments, axis=0, weights=weights)
    np.testing.assert_allclose(drawn["z"].mean((0, 1)), expected[:4], atol=0.04)
    np.testing.assert_allclose(drawn["q"].mean((0, 1)).ravel(), expected[4:], atol=0.015)


def test_a_row_that_is_no_copy_is_written_out() -> None:
    """Each column of a row is the definition at its own subscript."""
    data = {"T": 4, "x": [1, 2, 3, 2.0], "p0": [0.2, 0.3, 0.5], "a": [1, 1, 1]}
    found = translate(
        CHAIN % "0.5 * P[z[t - 1], s] + 0.5 / 3", {k: np.asarray(v, float) for k, v in data.items()}
    )
    assert "Categorical([0.5 * P[z[t-1],1] + 0.166" in found.text.replace("0.5 / 3", "0.166")


def test_a_number_where_a_state_is_defined_is_refused() -> None:
    """Data for a definition are refused where they are other numbers."""
    data = {"n": 3, "T": 4, "y": SEEN, "z": np.where(np.isnan(KNOWN), 0.0, KNOWN)}
    with pytest.raises(ModelError, match="`z` is defined here, and is among the data"):
        translate(MEANS % {"first": "1"}, {k: np.asarray(v, float) for k, v in data.items()})
