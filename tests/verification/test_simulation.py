"""Forward simulation: the draws of every family, order, settings."""

from __future__ import annotations

import numpy as np
import pytest

import deriver
from deriver.errors import UsageError
from deriver.families import FAMILIES
from deriver.verification.draws import DRAWS, Undrawable, draw_value
from deriver.verification.reference import make_reference
from deriver.verification.setting import choose_givens, read_sizes
from deriver.verification.simulate import Simulator

SCALARS = {
    "normal": (0.3, 2.0), "gamma": (2.5, 3.0), "inverse_gamma": (4.0, 2.0), "exponential": (1.5,),
    "sqrt_inverse_gamma": (4.0, 2.0), "uniform": (-1.0, 2.0), "beta": (2.0, 3.0), "poisson": (3.5,), "binomial": (7, 0.3),
    "negative_binomial": (2.5, 0.4), "student_t": (5.0, 0.5, 1.5), "cauchy": (0.2, 1.5), "half_cauchy": (1.5,),
    "half_normal": (2.0,), "laplace": (0.5, 1.5), "logistic": (0.5, 1.5), "lognormal": (0.2, 0.5),
    "weibull": (1.7, 2.0), "pareto": (3.0, 1.5),
}  # fmt: skip


def test_every_proper_family_has_a_draw() -> None:
    assert {record.key for record in FAMILIES if not record.improper} == set(DRAWS)


@pytest.mark.parametrize("key", SCALARS)
def test_draws_follow_the_distribution_function(key: str) -> None:
    record = next(record for record in FAMILIES if record.key == key)
    assert record.cdf is not None
    rng, parameters = np.random.default_rng(1), list(SCALARS[key])
    draws = np.array([draw_value(rng, record, parameters) for _ in range(4000)])
    for point in np.quantile(draws, [0.1, 0.5, 0.9]):
        expected = record.cdf(float(point), *parameters)
        assert (
            abs(np.mean(draws <= point) - expected) < 4.5 * np.sqrt(expected * (1 - expected) / 4000) + 1e-9
        )


def test_matrices_and_vectors_have_their_means() -> None:
    rng, scale = np.random.default_rng(2), np.array([[1.0, 0.3], [0.3, 0.5]])
    wishart = np.mean([DRAWS["wishart"](rng, 6.5, scale) for _ in range(4000)], axis=0)
    np.testing.assert_allclose(wishart, 6.5 * scale, atol=0.25)
    inverse = np.mean([DRAWS["inverse_wishart"](rng, 8.0, scale) for _ in range(4000)], axis=0)
    np.testing.assert_allclose(inverse, scale / 5.0, atol=0.02)
    correlations = np.array([DRAWS["lkj"](rng, 3, 2.0) for _ in range(4000)])
    beta = 2.0 + (3 - 2) / 2  # each correlation is beta(beta, beta) on (-1, 1): variance 1 / (2 beta + 1)
    np.testing.assert_allclose(correlations[:, 0, 2].var(), 1 / (2 * beta + 1), rtol=0.1)
    np.testing.assert_allclose(correlations[:, 1, 2].var(), 1 / (2 * beta + 1), rtol=0.1)
    assert abs(np.mean([DRAWS["bernoulli"](rng, 0.3) for _ in range(4000)]) - 0.3) < 0.035
    simplex = np.mean([DRAWS["dirichlet"](rng, np.array([1.0, 2.0, 3.0])) for _ in range(4000)], axis=0)
    np.testing.assert_allclose(simplex, [1 / 6, 1 / 3, 1 / 2], atol=0.02)


def test_truncation_and_what_cannot_be_drawn() -> None:
    rng = np.random.default_rng(3)
    normal = next(record for record in FAMILIES if record.key == "normal")
    draws = [draw_value(rng, normal, [0.0, 1.0], (0.5, 1.0)) for _ in range(200)]
    assert min(draws) >= 0.5 and max(draws) <= 1.0
    flat = next(record for record in FAMILIES if record.improper)
    with pytest.raises(Undrawable, match="improper"):
        draw_value(rng, flat, [])


@pytest.mark.parametrize("name", deriver.packaged_models())
def test_exact_draws_of_conditionals_have_uniform_pivots(name: str) -> None:
    """A forward draw of a node is a draw of its conditional: its pivots are uniform over forward draws."""
    model = deriver.load_model(name)
    derivation = deriver.derive(model)
    rng = np.random.default_rng(4)
    simulator = Simulator(model, choose_givens(model, rng, sizes={}, values={}))
    for conditional in derivation.conditionals:
        if conditional.family is None:
            continue
        values = []
        for _ in range(80):
            state = simulator.draw(rng)
            key = next(iter(state[conditional.node]))
            reference = make_reference(conditional, state, key, rng)
            assert reference is not None
            values.append(reference.pivots(np.asarray(state[conditional.node][key])[None])[0])
        means = np.mean(values, axis=0)
        assert np.all(np.abs(means - 0.5) < 4.5 * np.sqrt(1 / 12 / 80))


def test_improper_priors_are_a_mistake_with_a_remedy() -> None:
    model = deriver.parse_model(
        "model m\nplates\n  i = 1..n\ndata\n  y[i] ~ N(mu, 1)\nparameters\n  mu ~ Flat()\n"
    )
    with pytest.raises(UsageError, match="mu has an improper prior"):
        deriver.verify(model, effort="quick", seed=1)


@pytest.mark.parametrize(
    ("sizes", "values", "words"),
    [
        ({"m": 3}, {}, "no size `m`"),
        ({}, {"qq": "1"}, "nothing called `qq`"),
        ({}, {"q1": "-1"}, "must lie between 0"),
        ({}, {"q1": "[1, 2]"}, "it has 2 numbers; 1 are wanted"),
        ({}, {"q1": "1 +"}, "--set q1"),
        ({}, {"q1": "zz"}, "`zz` is not given"),
        ({"n": 2}, {"n": "3"}, "by --sizes and by --set"),
    ],
)
def test_wrong_settings_are_mistakes(sizes, values, words) -> None:
    model = deriver.load_model("random_intercepts")
    with pytest.raises(UsageError, match=words.replace("[", r"\[").replace("+", r"\+")):
        choose_givens(model, np.random.default_rng(1), sizes=sizes, values=values)


def test_sizes_are_read() -> None:
    assert read_sizes("n=4, J=3") == {"n": 4, "J": 3}
    with pytest.raises(UsageError, match="whole numbers"):
        read_sizes("n=four")
