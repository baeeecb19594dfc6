"""Constructs of published BUGS programs: each runs, and agrees with a posterior that is computed otherwise.

The references are sums over every configuration of the discrete nodes, with continuous ones integrated by hand, or
quadrature on a grid.  Draws are compared at over four Monte Carlo standard errors; seeds are fixed.
"""

from __future__ import annotations

import itertools
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import betaln, comb, expit, gammaln

import deriver
from deriver.bugs.evaluate import evaluate
from deriver.bugs.syntax import Apply, Name
from deriver.model.expressions import Span
from tests.bugs.programs import data_of, program_of
from tests.bugs.test_others import OTHERS

NOWHERE = Span(line=1, start=0, end=1)


def draws_of(
    program: str, data: Mapping[str, Any], folder: Path, draws: int = 300
) -> Mapping[str, np.ndarray]:
    """Run a program with NumPy, many short chains side by side; every warning of the sampler's arithmetic is an error."""
    file = folder / "program.bug"
    file.write_text(program, encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        found = deriver.run(
            file, data, chains=60, warmup=100, draws=draws, seed=1, backend="numpy", progress=False
        )
    return {name: values.values for name, values in found.idata.posterior.data_vars.items()}


def shares(values: np.ndarray, labels: range) -> np.ndarray:
    """Return how often each label was drawn."""
    return np.array([(values == label).mean() for label in labels])


PHENOTYPES = """
model {
  for (i in 1:N) {
    x[i] ~ dbern(q)
    d[i] ~ dbern(r)
    w[i] ~ dbern(phi[x1[i], d1[i]])
    x1[i] <- x[i] + 1; d1[i] <- d[i] + 1
  }
  q ~ dunif(0, 1); r ~ dunif(0, 1)
  for (j in 1:2) { for (k in 1:2) { phi[j, k] ~ dbeta(a[j, k], b[j, k]) } }
}
"""


def test_two_subscripts_that_are_drawn(tmp_path: Path) -> None:
    """An element named by two random subscripts: against the sum over all their values."""
    a, b = np.array([[1.0, 4.0], [2.0, 6.0]]), np.array([[5.0, 2.0], [2.0, 1.0]])
    w = np.array([0, 1, 1, 0])
    drawn = draws_of(PHENOTYPES, {"N": 4, "w": w, "a": a, "b": b}, tmp_path)
    weights, moments = [], []
    for x in itertools.product((0, 1), repeat=4):
        for d in itertools.product((0, 1), repeat=4):
            ones, zeros = np.zeros((2, 2)), np.zeros((2, 2))
            np.add.at(ones, (x, d), w)
            np.add.at(zeros, (x, d), 1 - w)
            labels = sum(betaln(1 + sum(z), 1 + 4 - sum(z)) for z in (x, d))
            weights.append(np.exp(labels + np.sum(betaln(a + ones, b + zeros) - betaln(a, b))))
            moments.append([x[0], d[1], *((a + ones) / (a + b + ones + zeros)).ravel()])
    expected = np.average(moments, axis=0, weights=weights)
    found = [drawn["x"][..., 0].mean(), drawn["d"][..., 1].mean(), *drawn["phi"].mean((0, 1)).ravel()]
    np.testing.assert_allclose(found, expected, atol=0.03)


def test_a_table_by_two_genotypes(tmp_path: Path) -> None:
    """The genotypes of the pigs, tables by the genotypes of both parents: against the sum over all genotypes."""
    program, text = OTHERS["pigs"]
    data = json.loads(text)
    mendel, recessive = np.array(data["p.mendelian"]), np.array(data["p.recessive"])
    names = ("Ann", "Brian", "Clare", "Diane", "Fred", "Henry", "Jane")
    chances = np.zeros((len(names), 3))
    mean = 0.0
    for ann, brian, clare, diane, fred, henry, jane in itertools.product(range(3), repeat=7):
        own = ann + brian + fred
        weight = comb(2, ann) * comb(2, brian) * comb(2, fred) * np.exp(betaln(1 + own, 7 - own))
        weight *= mendel[ann, brian, clare] * mendel[ann, brian, diane] * mendel[fred, diane, henry]
        weight *= mendel[henry, clare, jane] * recessive[jane, 1]
        chances[range(7), (ann, brian, clare, diane, fred, henry, jane)] += weight
        mean += weight * (1 + own) / 8
    chances, mean = chances / chances[0].sum(), mean / chances[0].sum()
    drawn = draws_of(program, data, tmp_path)
    assert drawn["q"].mean() == pytest.approx(mean, abs=0.03)
    for name, expected in zip(names, chances, strict=True):
        np.testing.assert_allclose(shares(drawn[name], range(1, 4)), expected, atol=0.04)


CHANGE = """
model {
  for (t in 1:n) { D[t] ~ dpois(lam[k[t]]); k[t] <- 1 + step(t - cp - 0.5) }
  cp ~ dcat(pr[])
  for (t in 1:n) { pr[t] <- 1 / n }
  for (j in 1:2) { lam[j] ~ dgamma(2, 1) }
}
"""


def test_a_change_point_that_is_a_subscript(tmp_path: Path) -> None:
    """A rate before and one after a drawn time: against the sum over all times."""
    counts = np.array([4, 5, 4, 3, 1, 0, 1, 1])
    drawn = draws_of(CHANGE, {"n": 8, "D": counts}, tmp_path)
    logs = []
    for last in range(1, 9):
        parts = (counts[:last], counts[last:])
        logs.append(sum(gammaln(2 + p.sum()) - (2 + p.sum()) * np.log(1 + len(p)) for p in parts))
    weights = np.exp(np.array(logs) - max(logs))
    np.testing.assert_allclose(shares(drawn["cp"], range(1, 9)), weights / weights.sum(), atol=0.02)


ABUNDANCE = """
model {
  lambda ~ dgamma(2, 0.5); p ~ dbeta(2, 2)
  for (i in 1:2) { N[i] ~ dpois(lambda); for (j in 1:2) { y[i, j] ~ dbin(p, N[i]) } }
}
"""


def test_an_unknown_number_of_trials(tmp_path: Path) -> None:
    """Counts of an unknown population, whose first value must not be below what was seen."""
    y = np.array([[2, 1], [3, 5]])
    drawn = draws_of(ABUNDANCE, {"y": y}, tmp_path, draws=400)
    grid = np.arange(0, 80)
    with np.errstate(divide="ignore"):
        each = [np.log(comb(grid, a)) + np.log(comb(grid, b)) - gammaln(grid + 1) for a, b in y]
    total = grid[:, None] + grid
    logs = each[0][:, None] + each[1] + gammaln(2 + total) - (2 + total) * np.log(0.5 + 2)
    missed = np.maximum(2 * total - y.sum(), 0)
    logs = logs + betaln(2 + y.sum(), 2 + missed)
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    expected = [(weights * grid[:, None]).sum(), (weights * grid).sum()]
    found = drawn["N"].mean((0, 1))
    np.testing.assert_allclose(found, expected, rtol=0.06)
    prob = (2 + y.sum()) / (4 + y.sum() + missed)
    assert drawn["p"].mean() == pytest.approx((weights * prob).sum(), abs=0.015)


def weighted_means(log_likelihood: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return posterior means from prior draws (draws, parameters), weighed by their likelihood."""
    weights = np.exp(log_likelihood - log_likelihood.max())
    assert weights.sum() ** 2 / np.sum(weights**2) > 5000
    return np.average(values, axis=0, weights=weights)


LOGITS = """
model {
  for (i in 1:n) {
    y[i] ~ dcat(p[i, 1:J])
    for (j in 1:J) { q[i, j] <- exp(b[1, j] + b[2, j] * x[i]); p[i, j] <- q[i, j] / sum(q[i, 1:J]) }
  }
  for (k in 1:2) { b[k, 1] <- 0; for (j in 2:J) { b[k, j] ~ dnorm(0, 1) } }
}
"""


def test_a_multinomial_logit_with_a_corner(tmp_path: Path) -> None:
    """Softmax probabilities whose first category has the coefficients 0: against weighted prior draws."""
    y, x = np.array([1, 2, 3, 2, 1, 3, 3, 2]), np.array([0.1, 0.5, 1.2, 0.3, -0.4, 1.0, 0.8, -1.5])
    drawn = draws_of(LOGITS, {"n": 8, "J": 3, "y": y, "x": x}, tmp_path, draws=250)
    prior = np.random.default_rng(2).standard_normal((400_000, 2, 2))
    eta = np.concatenate(
        [np.zeros((len(prior), 8, 1)), prior[:, 0, None] + prior[:, 1, None] * x[:, None]], axis=2
    )
    logs = eta - np.log(np.exp(eta).sum(axis=2, keepdims=True))
    expected = weighted_means(logs[:, range(8), y - 1].sum(axis=1), prior.reshape(-1, 4))
    np.testing.assert_allclose(drawn["b"][..., 1:].mean((0, 1)).ravel(), expected, atol=0.07)


FOODS = """
model {
  for (i in 1:I) {
    X[i, 1:K] ~ dmulti(p[i, 1:K], n[i]); n[i] <- sum(X[i, ])
    for (k in 1:K) { p[i, k] <- phi[i, k] / sum(phi[i, ]); phi[i, k] <- exp(alpha[k] + beta[i, k]) }
  }
  alpha[1] <- 0
  for (k in 2:K) { alpha[k] ~ dnorm(0, 1) }
  for (k in 1:K) { beta[1, k] <- 0 }
  for (i in 2:I) { beta[i, 1] <- 0; for (k in 2:K) { beta[i, k] ~ dnorm(0, 1) } }
}
"""


def test_multinomial_counts_with_softmax_probabilities(tmp_path: Path) -> None:
    """Counts of several kinds with corners: against weighted prior draws."""
    counts = np.array([[5, 3, 2], [1, 4, 6]])
    drawn = draws_of(FOODS, {"I": 2, "K": 3, "X": counts}, tmp_path, draws=250)
    prior = np.random.default_rng(3).standard_normal((400_000, 2, 2))
    eta = np.zeros((len(prior), 2, 3))
    eta[:, :, 1:] += prior[:, :1]
    eta[:, 1, 1:] += prior[:, 1]
    logs = eta - np.log(np.exp(eta).sum(axis=2, keepdims=True))
    expected = weighted_means((counts * logs).sum(axis=(1, 2)), prior.reshape(-1, 4))
    found = [*drawn["alpha"][..., 1:].mean((0, 1)), *drawn["beta"][..., 1, 1:].mean((0, 1))]
    np.testing.assert_allclose(found, expected, atol=0.07)


def test_a_rate_that_is_zero_where_nobody_is_at_risk(tmp_path: Path) -> None:
    """Cox regression by its counting process: against quadrature, the hazard's increments integrated by hand."""
    data = json.loads(data_of("leuk").read_text(encoding="utf-8"))
    drawn = draws_of(program_of("leuk").read_text(encoding="utf-8"), data, tmp_path)
    times, seen = np.array(data["t"]), np.array(data["obs.t"])
    at_risk = seen[:, None] >= times[:-1]
    failed = at_risk & (seen[:, None] < times[1:]) & (np.array(data["fail"])[:, None] == 1)
    shape = 0.1 * 0.001 * np.diff(times) + failed.sum(axis=0)
    grid = np.linspace(-1, 4, 2001)
    hazards = np.exp(grid[:, None] * data["Z"]) @ at_risk
    logs = grid * (failed.sum(axis=1) @ data["Z"]) - (shape * np.log(0.001 + hazards)).sum(axis=1)
    weights = np.exp(logs - logs.max())
    mean = np.average(grid, weights=weights)
    assert drawn["beta"].mean() == pytest.approx(mean, abs=0.02)
    assert drawn["beta"].std() == pytest.approx(
        np.average((grid - mean) ** 2, weights=weights) ** 0.5, rel=0.04
    )


NETWORK = """
model {
  for (i in 1:ns) {
    mu[i] ~ dnorm(0, 1)
    for (k in 1:na[i]) { r[i, k] ~ dbin(p[i, k], n[i, k]); logit(p[i, k]) <- mu[i] + d[t[i, k]] - d[t[i, 1]] }
  }
  d[1] <- 0
  for (k in 2:nt) { d[k] ~ dnorm(0, 1) }
}
"""


def test_effects_by_treatments_in_ragged_arms(tmp_path: Path) -> None:
    """A network of trials, each arm against its first: against weighted prior draws, trial by trial."""
    nan = np.nan
    r, n = (
        np.array([[1, 2, nan], [3, 4, nan], [2, 2, 5]]),
        np.array([[10, 10, nan], [12, 12, nan], [20, 20, 20]]),
    )
    t = np.array([[1, 2, nan], [2, 3, nan], [1, 2, 3]])
    drawn = draws_of(
        NETWORK, {"ns": 3, "nt": 3, "na": [2, 2, 3], "r": r, "n": n, "t": t}, tmp_path, draws=400
    )
    rng = np.random.default_rng(4)
    effects = np.c_[np.zeros(20_000), rng.standard_normal((20_000, 2))]
    nodes, heights = np.polynomial.hermite_e.hermegauss(40)
    logs = np.zeros(len(effects))
    for arms, sizes, kinds in zip(r, n, t, strict=True):
        seen = ~np.isnan(arms)
        which = kinds[seen].astype(int) - 1
        eta = nodes[:, None] + (effects[:, which] - effects[:, which[:1]])[:, None]
        terms = arms[seen] * eta - sizes[seen] * np.logaddexp(0, eta)
        logs += np.log(np.exp(terms.sum(axis=2)) @ heights)
    expected = weighted_means(logs, effects[:, 1:])
    np.testing.assert_allclose(drawn["d"][..., 1:].mean((0, 1)), expected, atol=0.06)


ORDERED = """
model {
  for (i in 1:n) {
    for (j in 1:2) { logit(Q[i, j]) <- -(a[j] - b * x[i]) }
    p[i, 1] <- 1 - Q[i, 1]
    for (j in 2:2) { p[i, j] <- Q[i, j-1] - Q[i, j] }
    p[i, 3] <- Q[i, 2]
    y[i] ~ dcat(p[i, ])
  }
  for (j in 1:2) { a0[j] ~ dnorm(0.5, 0.25) }
  a[1:2] <- sort(a0)
  b ~ dnorm(0, 1)
}
"""


def test_a_cumulative_logit_with_sorted_cuts(tmp_path: Path) -> None:
    """Ordered categories, the cut points sorted draws: against weighted prior draws."""
    y, x = np.array([1, 2, 3, 2, 1, 3, 3, 1]), np.array([0.1, 0.5, 1.2, 0.3, -0.4, 1.0, 0.8, -1.5])
    drawn = draws_of(ORDERED, {"n": 8, "y": y, "x": x}, tmp_path, draws=400)
    rng = np.random.default_rng(5)
    cuts, slope = (
        np.sort(0.5 + 2 * rng.standard_normal((400_000, 2)), axis=1),
        rng.standard_normal((400_000, 1)),
    )
    below = expit(cuts[:, None] - (slope * x)[:, :, None])
    chances = np.diff(
        np.pad(below, ((0, 0), (0, 0), (1, 1)), constant_values=((0, 0), (0, 0), (0, 1))), axis=2
    )
    logs = np.log(chances[:, range(8), y - 1]).sum(axis=1)
    expected = weighted_means(logs, np.c_[cuts, slope])
    found = [*drawn["a"].mean((0, 1)), drawn["b"].mean()]
    np.testing.assert_allclose(found, expected, atol=0.08)


def test_a_matrix_times_a_vector_is_a_loop_of_inner_products(tmp_path: Path) -> None:
    """A definition of a whole vector is what its elements, written out, are; elements that meet are drawn whole there."""
    rest = "for (i in 1:n) { y[i] ~ dnorm(mu[i], tau) }; for (k in 1:2) { b[k] ~ dnorm(0, 0.1) }; tau ~ dgamma(2, 2) }"
    X = np.array([[1, 0.2], [1, -0.1], [1, 0.4], [1, 0]])
    data = {"n": 4, "y": [1, 2, 3, 2.5], "X": X.tolist(), "w": [0.5, 0, 0, 1]}
    whole = draws_of("model { mu <- w - 2 * X %*% b; " + rest, data, tmp_path)
    written = "model { for (i in 1:n) { mu[i] <- w[i] - 2 * (X[i, 1] * b[1] + X[i, 2] * b[2]) }; "
    elements = draws_of(written + rest, data, tmp_path)
    for found in (whole, elements):
        np.testing.assert_allclose(found["mu"], data["w"] - 2 * found["b"] @ X.T, atol=1e-10)
    for power in (1, 2):
        moments = [(found["b"] ** power).mean(axis=(1,)) for found in (whole, elements)]
        error = np.sqrt(sum(each.var(axis=0) / len(each) for each in moments))
        assert np.all(np.abs(moments[0].mean(axis=0) - moments[1].mean(axis=0)) < 4.5 * error)


def test_order_is_the_permutation_that_sorts() -> None:
    values = np.array([2.0, 3.0, 1.0])
    term = Apply(function="order", arguments=(Name(name="v", span=NOWHERE),), span=NOWHERE)
    places = evaluate(term, {"v": values}, {}).astype(int) - 1
    np.testing.assert_array_equal(values[places], np.sort(values))
