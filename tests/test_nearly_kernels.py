"""Models nearly, but not quite, of a kernel; groups of one and none; what random models once found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.emitted import build
from tests.model_checks import Bench, check_bench
from tests.regressions import TWO_LEVELS, column, held

EDGES = [
    pytest.param("HalfNormal(sd = 1)", "N(th, 1)", "normal", id="half-normal prior: the normal cut at 0"),
    pytest.param("HalfNormal(sd = 1)", "Pois(th)", None, id="half-normal prior on a rate"),
    pytest.param("Exponential(rate = 1)", "Pois(th)", "gamma", id="an exponential prior is a gamma"),
    pytest.param(
        "Exponential(rate = 1)", "N(th, 1)", "normal", id="exponential prior on a mean: the normal cut at 0"
    ),
    pytest.param("Unif(0, 1)", "Bernoulli(th)", "beta", id="a uniform prior is a beta"),
    pytest.param("Unif(0, 2)", "Bernoulli(th / 2)", None, id="a uniform prior on another interval"),
    pytest.param("Beta(2, 2)", "Bernoulli(th * (1 - th))", None, id="variance of a Bernoulli"),
    pytest.param("Beta(2, 2)", "Bernoulli(1 - th)", "beta", id="the probability of the other outcome"),
    pytest.param("Gamma(shape = 2, rate = 1)", "Weibull(shape = 2, rate = th)", "gamma", id="Weibull rate"),
    pytest.param("Gamma(shape = 2, rate = 1)", "Weibull(shape = 2, scale = th)", None, id="Weibull scale"),
    pytest.param(
        "Gamma(shape = 2, rate = 1)", "LogNormal(meanlog = 0, preclog = th)", "gamma", id="log precision"
    ),
    pytest.param("Gamma(shape = 2, rate = 1)", "LogNormal(meanlog = th, sdlog = 1)", None, id="log mean"),
    pytest.param(
        "Gamma(shape = 2, rate = 1)",
        "LogNormal(meanlog = log(th), sdlog = 1)",
        None,
        id="log of the log mean",
    ),
    pytest.param(
        "LogNormal(meanlog = 0, sdlog = 1)", "LogNormal(meanlog = log(th), sdlog = 1)", None, id="log log"
    ),
    pytest.param("IG(2, 1)", "Laplace(location = 0, scale = th)", "inverse_gamma", id="Laplace scale"),
    pytest.param("IG(2, 1)", "Laplace(location = th, scale = 1)", None, id="Laplace location"),
    pytest.param("IG(2, 1)", "Logistic(location = 0, scale = th)", None, id="logistic scale"),
    pytest.param("IG(2, 1)", "Cauchy(location = 0, scale = th)", None, id="Cauchy scale"),
    pytest.param(
        "IG(2, 1)", "HalfNormal(sd = sqrt(th))", "inverse_gamma", id="half-normal variance by its root"
    ),
    pytest.param("IG(2, 1)", "HalfNormal(sd = th)", None, id="half-normal standard deviation"),
    pytest.param(
        "Gamma(shape = 2, rate = 1)", "Pareto(shape = th, minimum = 0.1)", "gamma", id="Pareto shape"
    ),
    pytest.param("Gamma(shape = 2, rate = 1)", "Beta(th, th)", None, id="two equal shapes"),
    pytest.param(
        "Gamma(shape = 2, rate = 1)", "Gamma(shape = 1, rate = th)", "gamma", id="a gamma of shape 1"
    ),
    pytest.param(
        "Gamma(shape = 2, rate = 1)", "Gamma(shape = th, rate = th)", None, id="shape and rate equal"
    ),
    pytest.param("N(0, 1)", "N(th, 1) T(0, inf)", None, id="truncated data"),
    pytest.param("N(0, 1) T(0, inf)", "N(th, 1)", "normal", id="truncated prior"),
    pytest.param("N(0, 1)", "N((th + 1)^2 - th^2, 1)", "normal", id="a square that cancels"),
    pytest.param("N(0, 1)", "N(sqrt(th^2), 1)", None, id="the root of a square is no identity"),
    pytest.param("N(0, 1)", "N(log(exp(th)), 1)", "normal", id="the log of an exponential is one"),
    pytest.param("N(0, 1)", "N(1 / (1 / th), 1)", "normal", id="a reciprocal of a reciprocal"),
    pytest.param("N(0, 1)", "N(th, exp(th - th))", "normal", id="a variance that cancels to 1"),
    pytest.param("N(0, 1)", "Pois(exp(th))", None, id="a log link"),
]


@pytest.mark.parametrize(("prior", "written", "family"), EDGES)
def test_kernels_nearly_matched(prior: str, written: str, family: str | None) -> None:
    text = f"\nplates\n  k = 1..K\ndata\n  y[k] ~ {written}\nparameters\n  th ~ {prior}\n"
    held(text, {"th": family} if family else {}, () if family else ("th",))


@pytest.mark.parametrize(("sizes", "rows"), [((1,), 1), ((0,), 0), ((0, 0, 0), 0), ((0, 1, 0, 2), 3)])
def test_groups_of_one_and_empty_groups(sizes: tuple[int, ...], rows: int) -> None:
    """A group without rows has its prior as the conditional; counts are those of the rows there are."""
    derivation = held(TWO_LEVELS, {"mu": "normal", "tau": "gamma"})
    keys = [(i, j) for i, size in enumerate(sizes, 1) for j in range(1, size + 1)]
    state = {
        "n": {(): len(sizes)},
        "J": column(*sizes),
        "y": dict.fromkeys(keys, 1.0),
        "mu": column(*[0.0] * len(sizes)),
        "m": {(): 0.5},
        "tau": {(): 3.0},
    }
    _, tau = derivation.node("tau").at(state)
    assert tau == pytest.approx({"shape": 1 + rows / 2, "rate": 1 + rows / 2})
    for i, size in enumerate(sizes, 1):
        _, found = derivation.node("mu").at(state, (i,))
        assert found["var"] == pytest.approx(1 / (3 * size + 0.5))
        assert found["mean"] == pytest.approx((3 * size + 0.25) / (3 * size + 0.5))


def test_an_improper_prior_needs_data_that_no_size_promises() -> None:
    """A flat prior on a mean with a plate that may be empty: proper only with rows, so not claimed."""
    text = "\nplates\n  i = 1..n\n  j = 1..J[i]\ndata\n  y[i,j] ~ N(a[i], 1)\nprocess\n  a[i] ~ Flat()\n"
    held(text, never=("a",))


def test_a_category_through_a_definition_can_be_checked() -> None:
    """The probabilities of a category stood under a name of their own, and no state could be made."""
    text = "\nplates\n  k = 1..K\ndata\n  y[k] ~ Categorical(q)\nprocess\n  q = 0.5 * pi + ones(3) / 6\n  pi ~ Dirichlet(ones(3))\n"
    held(text, never=("pi",))


@pytest.mark.parametrize(
    "concentration", ["h * ones(3)", "ones(3) + h * ones(3)", "h * alpha", "2 * alpha", "alpha"]
)
def test_a_dirichlet_with_a_random_concentration_is_still_one(concentration: str) -> None:
    """(h - 1) 1 + 1 + the counts was not seen to be positive, as its like terms stood apart."""
    text = f"""
plates
  k = 1..K
given
  alpha : vector(3) > 0
data
  y[k] ~ Categorical(pi)
process
  pi ~ Dirichlet({concentration})
parameters
  h ~ Gamma(shape = 2, rate = 1)
"""
    held(text, {"pi": "dirichlet"}, ("h",) if "h" in concentration.replace("alpha", "") else ())


@pytest.mark.parametrize("minimum", ["0.1", "m", "m[k]", "2 * m[k]"])
def test_a_pareto_shape_has_a_gamma_conditional(minimum: str) -> None:
    """The rate adds sum(log y - log minimum), which is positive because y lies above its minimum."""
    given = "m > 0" if minimum == "m" else "m[k] > 0"
    text = f"""
plates
  k = 1..K
given
  {given}
data
  y[k] ~ Pareto(shape = th, minimum = {minimum})
parameters
  th ~ Gamma(shape = 2, rate = 1)
"""
    held(text, {"th": "gamma"})


def test_a_chain_that_starts_outside_the_support_enters_it(tmp_path: Path) -> None:
    """The end of a uniform began below its largest observation, and no step between two zeros was ever taken."""
    text = """model ends
plates
  i = 1..n
  k = 1..K
given
  g : k -> i
data
  y[k] ~ Unif(0, top[g[k]])
process
  top[i] ~ Pareto(shape = 2, minimum = 1)
"""
    _, module = build(text, tmp_path)
    data = module.prepare({"g": np.array([0, 0, 1]), "y": np.array([30.0, 70.0, 0.5])})
    found = module.sample(data, draws=20, warmup=300, chains=4, seed=1)
    assert (found["top"][..., 0] > 70).all() and (found["top"][..., 1] > 1).all()
    assert np.ptp(found["top"][..., 0], axis=1).min() > 0


def test_a_vector_of_log_gammas_is_printed(tmp_path: Path) -> None:
    """The kernel of a concentration holds lgamma of a vector, for which the emitter had no name."""
    text = """model counts
plates
  k = 1..K
given
  m[k] : integer >= 0
data
  y[k] ~ Multinomial(m[k], pi)
process
  pi ~ Dirichlet(h * ones(3))
parameters
  h ~ Gamma(shape = 2, rate = 1)
"""
    bench = Bench(text, tmp_path, 2)
    check_bench(bench, 2)
    assert bench.derivation.node("h").method == "mh"
