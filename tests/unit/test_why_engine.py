"""What the augmentations ask of the engine: factors that cancel, signs that a response tells, Pólya-gamma draws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import cumulative_trapezoid
from scipy.stats import kstest

from deriver.algebra.polya_gamma import log_polya_gamma
from deriver.derivation.conditionals import derive
from deriver.derivation.density_ratio import check_derivation
from deriver.emission import emit
from deriver.families.polya_gamma import logpdf
from deriver.language import parse_model
from tests.emitted import load_source

LOGIT = """
model logit_pg

plates
  i = 1..n
  k = 1..K

given
  x[k]
  g : k -> i
  h : k -> i
  m[k] : integer >= 1
  other[k] : integer >= 1
  S : subset(k)

data
  y[k] ~ Binomial(m[k], expit(a[g[k]] + x[k] * b))

process
  w[k] ~ PolyaGamma(m[k], a[g[k]] + x[k] * b)
  a[i] ~ N(0, 1)

parameters
  b ~ N(0, 1)
"""


def methods(text: str) -> dict[str, str]:
    derivation = derive(parse_model(text))
    check_derivation(derivation)
    return {c.node: c.method for c in derivation.conditionals}


def test_the_softplus_terms_of_response_and_auxiliary_cancel() -> None:
    assert methods(LOGIT) == {"w": "prior", "a": "gibbs", "b": "gibbs"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("PolyaGamma(m[k],", "PolyaGamma(other[k],"),  # another number of trials
        ("w[k] ~ PolyaGamma(m[k], a[g[k]] + x[k] * b)", "w[k] ~ PolyaGamma(m[k], a[g[k]] + 2 * x[k] * b)"),
        ("w[k] ~ PolyaGamma(m[k], a[g[k]] + x[k] * b)", "w[k] ~ PolyaGamma(m[k], a[h[k]] + x[k] * b)"),
        ("expit(a[g[k]] + x[k] * b))", "expit(a[g[k]] + x[k] * b)) for k in S"),  # responses of some rows
    ],
)
def test_what_does_not_cancel_is_not_called_conjugate(old: str, new: str) -> None:
    assert old in LOGIT
    text = LOGIT.replace(old, new)
    assert methods(text)["b"] == "mh"


SIGNS = """
model signs

plates
  i = 1..n
  j = 1..J[i]

data
  y[i,j] ~ Bernoulli(is_positive(z[i]))

process
  z[i] ~ N(mu, 1)

parameters
  mu ~ N(0, 1)
"""


def test_a_sign_told_by_any_number_of_responses_is_not_cut() -> None:
    """With J[i] = 0 nothing is told, and two responses may both tell: the cut is not read from a sum."""
    found = {c.node: c.method for c in derive(parse_model(SIGNS)).conditionals}
    assert found == {"z": "mh", "mu": "gibbs"}


@pytest.mark.parametrize("inside", ["z[k]^2 - 1", "z[k] + z[k]^3"])
def test_only_the_sign_of_the_node_itself_is_a_cut_at_zero(inside: str) -> None:
    text = f"model m\n\nplates\n  k = 1..K\n\ndata\n  y[k] ~ Bernoulli(is_positive({inside}))\n\n"
    text += "process\n  z[k] ~ N(mu, 1)\n\nparameters\n  mu ~ N(0, 1)\n"
    assert derive(parse_model(text)).node("z").method == "mh"


def test_a_sign_turned_round_cuts_the_other_side() -> None:
    text = "model m\n\nplates\n  k = 1..K\n\ndata\n  y[k] ~ Bernoulli(is_positive(-z[k]))\n\n"
    text += "process\n  z[k] ~ N(mu, 1)\n\nparameters\n  mu ~ N(0, 1)\n"
    derivation = derive(parse_model(text))
    check_derivation(derivation)
    state = {"K": {(): 2}, "y": {(1,): 1, (2,): 0}, "z": {(1,): -1.0, (2,): 1.0}, "mu": {(): 0.3}}
    _, one = derivation.node("z").at(state, (1,))
    _, zero = derivation.node("z").at(state, (2,))
    assert (one["lower"], one["upper"]) == (-np.inf, 0)
    assert (zero["lower"], zero["upper"]) == (0, np.inf)


# --- Pólya-gamma variables ----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 7, 40])
def test_series_and_inversion_agree_in_both_tails(size: int) -> None:
    for share in (0.02, 0.1, 0.5, 1.0, 2.0, 8.0):
        value = share * size / 4
        assert float(log_polya_gamma(value, size)) == pytest.approx(
            logpdf(value, size, 0.0), rel=1e-10, abs=1e-10
        )


@pytest.fixture(scope="module")
def sampler(tmp_path_factory):
    return load_source(emit(derive(parse_model(LOGIT))), tmp_path_factory.mktemp("pg"), "logit_pg")


@pytest.mark.parametrize(("size", "tilt"), [(1, 0.0), (1, 1.0), (1, -3.0), (1, 9.0), (1, 60.0), (5, 2.0)])
def test_draws_have_the_moments_and_the_distribution_of_the_series(sampler, size: int, tilt: float) -> None:
    count = 40_000
    drawn = sampler.predict_polya_gamma(np.random.default_rng(8), size, tilt, (count,))
    z = abs(tilt)
    mean = size / 4 if z == 0 else size / (2 * z) * np.tanh(z / 2)
    var = size / 24 if z == 0 else size / (4 * z**3) * (np.sinh(z) - z) / np.cosh(z / 2) ** 2
    assert abs(drawn.mean() - mean) < 4.5 * np.sqrt(var / count)
    spread = (drawn - mean) ** 2
    assert abs(spread.mean() - var) < 4.5 * spread.std() / np.sqrt(count)
    grid = np.linspace(1e-4 * mean, mean + 30 * np.sqrt(var), 6001)
    density = np.exp(sampler.log_polya_gamma(grid, np.array(size), np.array(tilt)))
    cdf = cumulative_trapezoid(density, grid, initial=0.0)
    assert cdf[-1] == pytest.approx(1.0, abs=1e-5)
    assert kstest(drawn, lambda value: np.interp(value, grid, cdf)).pvalue > 1e-4
    other = sampler.predict_polya_gamma(np.random.default_rng(8), size, tilt + 1.0, (count,))
    if z < 2:
        assert kstest(other, lambda value: np.interp(value, grid, cdf)).pvalue < 1e-4


def test_pieces_and_tilts_vary_by_element(sampler) -> None:
    sizes, tilts = np.array([0, 1, 3]), np.array([[0.5], [4.0]])
    drawn = sampler.predict_polya_gamma(np.random.default_rng(3), sizes, tilts, (2, 3))
    assert drawn.shape == (2, 3) and np.all(drawn[:, 0] == 0) and np.all(drawn[:, 1:] > 0)
