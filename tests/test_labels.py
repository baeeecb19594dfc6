"""Labels as subscripts: samplers against posteriors that are sums over all labels, and what they refuse.

The references add up the exact weight of every sequence of labels, means and probabilities integrated by hand.
Compared are quantities that do not change when labels are exchanged; seeds are fixed.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.special import gammaln
from scipy.stats import multivariate_normal

from deriver.errors import DataError, UsageError
from deriver.language import parse_model
from deriver.pipeline import emit, run

Y = np.array([-1.3, -0.8, 1.1, 0.4, 1.6])
SPREAD = 4.0
ALPHA = np.array([1.5, 1.5])
CHAIN = """
model chain
plates
  t = 1..T
  k = 1..K
given
  alpha : vector(K) > 0
data
  y[t] ~ N(mu[z[t]], 0.5)
process
  z[1] ~ Categorical(w)
  z[t] ~ Categorical(P[z[t-1]]) for t in 2..T
parameters
  w ~ Dirichlet(alpha)
  P[k] ~ Dirichlet(alpha)
  mu[k] ~ N(0, 4)
"""
MIXTURE = """
model mixture
plates
  t = 1..T
  k = 1..K
given
  alpha : vector(K) > 0
data
  y[t] ~ N(mu[z[t]], 0.5)
process
  z[t] ~ Categorical(w)
parameters
  w ~ Dirichlet(alpha)
  mu[k] ~ N(0, 4)
"""
OBSERVED = MIXTURE.replace("process\n", "")


def log_counts(counts: np.ndarray) -> float:
    """The log probability of labels with these counts, their Dirichlet probabilities integrated out."""
    total = gammaln(ALPHA.sum()) - gammaln(ALPHA.sum() + counts.sum())
    return float(total + np.sum(gammaln(ALPHA + counts) - gammaln(ALPHA)))


def log_labels(path: tuple[int, ...], chained: bool) -> float:
    """The log probability of a sequence of labels."""
    if not chained:
        return log_counts(np.bincount(path, minlength=2))
    steps = np.zeros((2, 2))
    np.add.at(steps, (path[:-1], path[1:]), 1)
    return log_counts(np.eye(2)[path[0]]) + sum(map(log_counts, steps))


def same_label(chained: bool) -> tuple[np.ndarray, float]:
    """P(z_t = z_t+1 | y) for every t, and the posterior mean of the sum of the squares of the means."""
    weights, same, squares = [], [], []
    for path in itertools.product((0, 1), repeat=len(Y)):
        picks = np.eye(2)[list(path)]
        cov = SPREAD * picks @ picks.T + 0.5 * np.eye(len(Y))
        weights.append(log_labels(path, chained) + multivariate_normal.logpdf(Y, np.zeros(len(Y)), cov))
        same.append(np.diff(path) == 0)
        precision = 1 / SPREAD + picks.sum(axis=0) / 0.5
        squares.append(np.sum(1 / precision + (picks.T @ Y / 0.5 / precision) ** 2))
    chances = np.exp(np.array(weights) - max(weights))
    chances /= chances.sum()
    return chances @ np.array(same), float(chances @ np.array(squares))


@pytest.mark.parametrize(("text", "chained"), [(MIXTURE, False), (CHAIN, True)], ids=["mixture", "chain"])
def test_posterior_is_the_sum_over_all_labels(text: str, chained: bool) -> None:
    model = parse_model(text)
    drawn = run(model, {"y": Y}, values={"alpha": ALPHA}, seed=5, draws=8000, progress=False).idata.posterior
    labels = drawn["z"].values
    same = (np.diff(labels, axis=-1) == 0).mean(axis=(0, 1))
    expected, squares = same_label(chained)
    np.testing.assert_allclose(same, expected, atol=0.02)  # over four standard errors
    assert np.sum(drawn["mu"].values ** 2, axis=-1).mean() == pytest.approx(squares, rel=0.03)
    other, _ = same_label(not chained)
    assert np.abs(same - other).max() > 0.04  # the comparison can tell the two models apart


def test_labels_that_are_observed_are_sums_of_data() -> None:
    model = parse_model(OBSERVED)
    labels = [1, 1, 2, 1, 2]
    data = {"y": Y, "z": labels}
    drawn = run(model, data, values={"alpha": ALPHA}, seed=5, draws=4000, progress=False).idata.posterior
    for k in (0, 1):
        own = Y[np.array(labels) == k + 1]
        precision = 1 / SPREAD + len(own) / 0.5
        assert drawn["mu"].values[..., k].mean() == pytest.approx(own.sum() / 0.5 / precision, abs=0.02)
        assert drawn["mu"].values[..., k].std() == pytest.approx(precision**-0.5, rel=0.03)


@pytest.mark.parametrize("label", [0, 3, 1.5])
def test_an_observed_label_outside_of_its_plate_is_refused(label: float) -> None:
    data = {"y": Y, "z": [1, 1, 2, 1, label]}
    with pytest.raises(DataError):
        run(parse_model(OBSERVED), data, values={"alpha": ALPHA}, seed=5, draws=10, progress=False)


def test_compiled_loops_refuse_labels() -> None:
    with pytest.raises(UsageError, match="use the numpy backend"):
        emit(parse_model(MIXTURE), backend="numba", sizes={"K": 2})
