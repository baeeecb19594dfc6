"""Distributions of responses: every family's log density against its record, and draws against their moments."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from deriver.errors import UsageError
from deriver.families import FAMILIES, family
from deriver.running.distributions import OWN, make_distribution
from deriver.running.likelihood import _log_density, _predict

MEAN, COVARIANCE = np.array([0.3, -0.2]), np.array([[2.0, 0.6], [0.6, 0.5]])

# family, arguments by keyword, its canonical parameters, a value
CASES = [
    ("normal", {"mean": 0.3, "var": 2.0}, (0.3, 2.0), 1.1),
    ("normal", {"mean": 0.3, "sd": 2.0}, (0.3, 4.0), 1.1),
    ("normal", {"mean": 0.3, "prec": 2.0}, (0.3, 0.5), 1.1),
    ("half_normal", {"sd": 2.0}, (4.0,), 1.1),
    ("half_normal", {"var": 2.0}, (2.0,), 1.1),
    ("lognormal", {"meanlog": 0.3, "sdlog": 2.0}, (0.3, 4.0), 1.1),
    ("lognormal", {"meanlog": 0.3, "varlog": 2.0}, (0.3, 2.0), 1.1),
    ("lognormal", {"meanlog": 0.3, "preclog": 2.0}, (0.3, 0.5), 1.1),
    ("poisson", {"rate": 2.5}, (2.5,), 3),
    ("poisson", {"log_rate": 0.4}, (np.exp(0.4),), 3),
    ("binomial", {"size": 7, "prob": 0.3}, (7, 0.3), 2),
    ("binomial", {"size": 7, "logit": 0.4}, (7, 1 / (1 + np.exp(-0.4))), 2),
    ("bernoulli", {"prob": 0.3}, (0.3,), 1),
    ("bernoulli", {"logit": 0.4}, (1 / (1 + np.exp(-0.4)),), 1),
    ("negative_binomial", {"size": 2.5, "prob": 0.3}, (2.5, 0.3), 4),
    ("negative_binomial", {"mean": 3.0, "size": 2.0}, (2.0, 0.4), 4),
    ("gamma", {"shape": 2.5, "rate": 0.7}, (2.5, 0.7), 1.1),
    ("gamma", {"shape": 2.5, "scale": 2.0}, (2.5, 0.5), 1.1),
    ("inverse_gamma", {"q": 2.5, "r": 2.0}, (2.5, 0.5), 1.1),
    ("inverse_gamma", {"shape": 2.5, "scale": 2.0}, (2.5, 2.0), 1.1),
    ("exponential", {"rate": 0.7}, (0.7,), 1.1),
    ("exponential", {"mean": 2.0}, (0.5,), 1.1),
    ("beta", {"a": 2.5, "b": 1.5}, (2.5, 1.5), 0.4),
    ("student_t", {"df": 4.0, "mean": 0.3, "scale": 2.0}, (4.0, 0.3, 2.0), 1.1),
    ("cauchy", {"location": 0.3, "scale": 2.0}, (0.3, 2.0), 1.1),
    ("half_cauchy", {"scale": 2.0}, (2.0,), 1.1),
    ("logistic", {"location": 0.3, "scale": 2.0}, (0.3, 2.0), 1.1),
    ("laplace", {"location": 0.3, "scale": 2.0}, (0.3, 2.0), 1.1),
    ("laplace", {"location": 0.3, "rate": 2.0}, (0.3, 0.5), 1.1),
    ("weibull", {"shape": 1.7, "scale": 2.0}, (1.7, 2.0), 1.1),
    ("weibull", {"shape": 1.7, "rate": 2.0}, (1.7, 2.0 ** (-1 / 1.7)), 1.1),
    ("pareto", {"shape": 1.7, "minimum": 0.5}, (1.7, 0.5), 1.1),
    ("uniform", {"lower": 0.5, "upper": 2.0}, (0.5, 2.0), 1.1),
    ("categorical", {"prob": np.array([0.2, 0.5, 0.3])}, (np.array([0.2, 0.5, 0.3]),), 3),
    ("mvnormal", {"mean": MEAN, "cov": COVARIANCE}, (MEAN, COVARIANCE), [0.4, 1.1]),
    ("mvnormal", {"mean": MEAN, "prec": np.linalg.inv(COVARIANCE)}, (MEAN, COVARIANCE), [0.4, 1.1]),
    ("mvnormal", {"mean": MEAN, "chol": np.linalg.cholesky(COVARIANCE)}, (MEAN, COVARIANCE), [0.4, 1.1]),
    ("multinomial", {"size": 6, "prob": np.array([0.2, 0.5, 0.3])}, (6, np.array([0.2, 0.5, 0.3])), [1, 3, 2]),
]  # fmt: skip


@pytest.mark.parametrize(("key", "arguments", "canonical", "value"), CASES)
def test_log_density(key: str, arguments: dict, canonical: tuple, value: object) -> None:
    """It is the family's own, at arguments of the shape (chains, draws, elements)."""
    many = {name: np.broadcast_to(each, (2, 3, 4, *np.shape(each))) for name, each in arguments.items()}
    point = np.asarray(value, dtype=float)
    distribution = make_distribution(key, many)
    discrete = not isinstance(distribution, OWN) and hasattr(distribution.dist, "logpmf")
    density = distribution.logpmf if discrete else distribution.logpdf
    found = density(np.broadcast_to(point, (4, *point.shape)))
    np.testing.assert_allclose(found, np.full((2, 3, 4), family(key).logpdf(point, *canonical)), rtol=1e-10)


def test_every_keyword_of_a_family_is_known() -> None:
    """No way to write a family that has predictions is left out of the cases above."""
    covered = {(key, frozenset(arguments)) for key, arguments, _, _ in CASES}
    predicted = {key for key, _ in covered}
    ways = {
        (f.key, frozenset(p.keywords)) for f in FAMILIES for p in f.parametrisations if f.key in predicted
    }
    assert ways == covered


def test_labels_and_counts_are_drawn_with_their_probabilities() -> None:
    rng = np.random.default_rng(1)
    prob = np.array([[0.2, 0.5, 0.3], [0.0, 0.1, 0.9]])
    labels = make_distribution("categorical", {"prob": prob}).draw(rng, (4000, 2))
    shares = np.stack([(labels == k).mean(axis=0) for k in (1, 2, 3)], axis=-1)
    assert np.all(np.abs(shares - prob) <= 4 * np.sqrt(prob * (1 - prob) / 4000))
    counts = make_distribution("multinomial", {"size": np.array([6, 3]), "prob": prob}).draw(rng, (2000, 2))
    assert np.array_equal(counts.sum(axis=-1), np.tile([6, 3], (2000, 1)))
    errors = np.sqrt(np.array([[6], [3]]) * prob * (1 - prob) / 2000)
    assert np.all(np.abs(counts.mean(axis=0) - np.array([[6], [3]]) * prob) <= 4 * errors)


def test_a_missing_label_has_no_density() -> None:
    distribution = make_distribution("categorical", {"prob": np.array([0.2, 0.8])})
    assert np.isnan(distribution.logpdf(np.array([np.nan, 1.0]))).tolist() == [True, False]


def test_a_family_without_predictions_is_refused() -> None:
    with pytest.raises(UsageError, match="the family wishart has neither"):
        make_distribution("wishart", {})


@pytest.mark.parametrize("lower", [-2.0, 1.0, 12.0])
def test_a_truncated_response_keeps_its_digits_in_either_tail(lower: float) -> None:
    """Density and draws of N(0, 1) above a bound, also where its cdf is 1 to the last digit."""
    distribution = make_distribution("normal", {"mean": np.zeros((1, 1, 1)), "sd": np.ones((1, 1, 1))})
    bounds, exact = {"lower bound": np.full((1, 1, 1), lower)}, stats.truncnorm(lower, np.inf)
    found = _log_density(distribution, np.array([lower + 0.1]), bounds, (1, 1, 1))
    np.testing.assert_allclose(found[0, 0], exact.logpdf(lower + 0.1), rtol=1e-8)
    drawn = _predict(np.random.default_rng(1), distribution, np.zeros(1), bounds, (4, 500, 1)).ravel()
    assert stats.kstest(drawn, exact.cdf).pvalue > 0.001


def test_a_truncated_count_is_predicted_inside() -> None:
    distribution = make_distribution("poisson", {"rate": np.full((1, 1, 1), 1.2)})
    bounds = {"lower bound": np.array([[[1.0]]])}
    found = np.exp(_log_density(distribution, np.arange(1.0, 30.0), bounds, (1, 1, 29)))
    assert found.sum() == pytest.approx(1.0)
    drawn = _predict(np.random.default_rng(1), distribution, np.zeros(1), bounds, (4, 1000, 1))
    assert drawn.min() == 1
    assert abs(np.mean(drawn == 1) - found[0, 0, 0]) < 4 * np.sqrt(0.25 / 4000)
