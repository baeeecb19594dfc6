"""Forms of statements whose posterior is known exactly: effects that sum to zero, half-t and truncated priors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import deriver
from deriver.families import family
from deriver.families.truncation import log_mass
from tests.emitted import load_source
from tests.test_partly_observed import check, posterior_of

ZERO_SUM = """model zero_sum
plates
  k = 1..n
  j = 1..J
given
  g : k -> j
data
  y[k] ~ N(m + a[g[k]], 0.5)
process
  a[j] = c[j] - sum(j: c[j]) / J
  c[j] ~ N(0, 2)
parameters
  m ~ N(0, 10)
"""
SCALE = """model scale
plates
  k = 1..n
data
  y[k] ~ Normal(0, sd=s)
parameters
  s ~ {prior} T(0, inf)
"""
PRIORS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "StudentT(df=4, mean=0, scale=0.5)": lambda s: stats.t.logpdf(s, 4, scale=0.5),
    "Cauchy(location=0.3, scale=0.4)": lambda s: stats.cauchy.logpdf(s, 0.3, 0.4),
}
WRITTEN = {
    "cauchy": ("Cauchy(location=0.3, scale=1.4)", (0.3, 1.4)),
    "half_cauchy": ("HalfCauchy(scale=1.3)", (1.3,)),
    "half_normal": ("HalfNormal(var=0.8)", (0.8,)),
    "laplace": ("Laplace(location=0.2, scale=0.7)", (0.2, 0.7)),
    "logistic": ("Logistic(location=-0.4, scale=0.6)", (-0.4, 0.6)),
    "lognormal": ("LogNormal(meanlog=0.2, varlog=0.5)", (0.2, 0.5)),
    "weibull": ("Weibull(shape=1.6, scale=2)", (1.6, 2.0)),
}
BOUNDS = {"a": (0.5, 3.0), "b": (2.0, np.inf), "c": (0.1, 0.4)}


def test_effects_that_sum_to_zero() -> None:
    """The normal effects given that their sum is 0 have covariance v (I - 11'/J), singular."""
    rng, g = np.random.default_rng(2), np.array([1, 1, 2, 3, 3, 3, 4, 4])
    y = rng.normal(g - 2.0, 0.7)
    design = np.column_stack([np.ones(8), *((g == j) * 1.0 for j in (1, 2, 3, 4))])
    prior = np.zeros((5, 5))
    prior[0, 0], prior[1:, 1:] = 10, 2 * (np.eye(4) - 0.25)
    gain = prior @ design.T @ np.linalg.inv(design @ prior @ design.T + 0.5 * np.eye(8))
    mean, cov = gain @ y, prior - gain @ design @ prior
    named = tuple(f"a{j} = a[{j}]" for j in (1, 2, 3, 4))
    posterior = posterior_of(ZERO_SUM, {"y": y, "g": g, "J": 4}, derived=named)
    draws = np.stack([posterior[name] for name in ("m", "a1", "a2", "a3", "a4")], axis=-1)
    check(draws, mean, np.sqrt(np.diag(cov)))
    np.testing.assert_allclose(draws[..., 1:].sum(axis=-1), 0, atol=1e-12)


@pytest.mark.parametrize("prior", PRIORS)
def test_a_truncated_prior_on_a_standard_deviation(prior: str) -> None:
    y = np.array([0.4, -1.1, 0.7, 0.2, -0.6])
    nodes, weights = np.polynomial.legendre.leggauss(400)
    u = 6 * nodes  # the log of s
    log = PRIORS[prior](np.exp(u)) + u + stats.norm.logpdf(y[:, None], 0, np.exp(u)).sum(axis=0)
    weight = weights * np.exp(log - log.max())
    weight /= weight.sum()
    mean = weight @ np.exp(u)
    sd = np.sqrt(weight @ np.exp(2 * u) - mean**2)
    check(posterior_of(SCALE.format(prior=prior), {"y": y})["s"], np.array(mean), np.array(sd))


@pytest.mark.parametrize("key", WRITTEN)
def test_the_source_divides_by_the_mass_that_a_truncation_keeps(key: str, tmp_path: Path) -> None:
    """Held against the families' own distribution functions, which the helpers of the source do not use."""
    prior, parameters = WRITTEN[key]
    lines = [f"  {name} ~ {prior} T({low}, {high!s})" for name, (low, high) in BOUNDS.items()]
    text = f"model {key}\ndata\n  y ~ Normal(a + b + c, sd=1)\nparameters\n" + "\n".join(lines) + "\n"
    module = load_source(deriver.emit(deriver.parse_model(text)), tmp_path, key)
    values = {"a": 1.1, "b": 2.5, "c": 0.2}
    state = module.State(**{name: np.array([value]) for name, value in values.items()})
    expected = stats.norm.logpdf(0.7, sum(values.values()))
    for name, (low, high) in BOUNDS.items():
        expected += family(key).logpdf(values[name], *parameters) - log_mass(
            family(key), low, high, *parameters
        )
    assert module.log_joint(state, module.prepare({"y": np.array(0.7)}))[0] == pytest.approx(
        expected, rel=1e-10
    )


COUNTED = {
    "poisson": ("Poisson(m)", (1.3,)),
    "binomial": ("Binomial(9, p)", (9, 0.35)),
    "negative_binomial": ("NegativeBinomial(size=m, prob=p)", (1.3, 0.35)),
}
COUNTS = {"a": (1, np.inf), "b": (-np.inf, 3), "c": (2, 5), "d": (4.5, np.inf), "e": (6, 7)}


@pytest.mark.parametrize("key", COUNTED)
def test_truncated_counts(key: str, tmp_path: Path) -> None:
    """Both ends belong to what is kept: the densities, and new draws, which lie inside and have the right mean."""
    written, parameters = COUNTED[key]
    lines = [f"  {name} ~ {written} T({low}, {high!s})" for name, (low, high) in COUNTS.items()]
    text = f"model {key}\ndata\n" + "\n".join(lines) + "\nparameters\n"
    text += "".join(f"  {name} ~ {prior}\n" for name, prior in (("m", "Exponential(rate=1)"), ("p", "Unif(0, 1)"))
                    if name in written.partition("(")[2])  # fmt: skip
    module = load_source(deriver.emit(deriver.parse_model(text)), tmp_path, key)
    held = {
        name: np.full(4000, value)
        for name, value in (("m", 1.3), ("p", 0.35))
        if name in module.State.__annotations__
    }
    state, seen = module.State(**held), {"a": 1, "b": 3, "c": 4, "d": 5, "e": 7}
    data = module.prepare({name: np.array(float(value)) for name, value in seen.items()})
    found = module.log_likelihood(state, data)
    new = module.predict(np.random.default_rng(3), state, data)
    for name, (low, high) in COUNTS.items():
        record = family(key)
        mass = log_mass(record, low, high, *parameters)
        assert found[name][0] == pytest.approx(record.logpdf(seen[name], *parameters) - mass, rel=1e-9), name
        inside = np.arange(max(np.ceil(low), 0), min(high, 60) + 1)
        weights = np.exp([record.logpdf(value, *parameters) - mass for value in inside])
        mean = weights @ inside
        sd = np.sqrt(weights @ (inside - mean) ** 2)
        assert set(new[name]) <= set(inside)
        assert abs(new[name].mean() - mean) <= 4.5 * sd / np.sqrt(4000) + 1e-9


def test_definitions_of_the_data_are_computed_in_order(tmp_path: Path) -> None:
    """A centred covariate is stated above the mean that it uses."""
    text = (
        "model centred\nplates\n  k = 1..n\ngiven\n  x[k]\ndata\n  y[k] ~ Normal(a * u[k], sd=1)\nprocess\n"
        "  u[k] = (x[k] - m) / s\nparameters\n  s = sqrt(sum(k: (x[k] - m)^2) / n)\n  m = sum(k: x[k]) / n\n"
        "  a ~ HalfCauchy(scale=1)\n"
    )
    module = load_source(deriver.emit(deriver.parse_model(text)), tmp_path, "centred")
    x, y = np.array([1.0, 2.0, 4.0]), np.array([0.3, -0.2, 0.9])
    state, data = module.State(a=np.array([0.7])), module.prepare({"x": x, "y": y, "n": 3})
    expected = stats.norm.logpdf(y, 0.7 * (x - x.mean()) / x.std()).sum() + stats.halfcauchy.logpdf(0.7)
    assert module.log_joint(state, data)[0] == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("key", WRITTEN)
def test_the_source_predicts_a_truncated_response_between_its_bounds(key: str, tmp_path: Path) -> None:
    """Held against the families' own distribution functions, in either tail."""
    prior, parameters = WRITTEN[key]
    lines = [f"  {name}[i] ~ {prior} T({low}, {high!s})" for name, (low, high) in BOUNDS.items()]
    lines += [f"  d[i] ~ {prior} T(, 0.9)", "  e[i] ~ Normal(m, sd=1)"]
    text = (
        f"model {key}\nplates\n  i = 1..n\ndata\n"
        + "\n".join(lines)
        + "\nparameters\n  m ~ Normal(0, sd=1)\n"
    )
    module = load_source(deriver.emit(deriver.parse_model(text)), tmp_path, f"{key}_predicted")
    data = module.prepare({name: np.full(2000, 0.3) for name in "abcde"})
    drawn = module.predict(np.random.default_rng(1), module.State(m=np.zeros(1)), data)
    lowest = -np.inf if key in ("cauchy", "laplace", "logistic") else 0.0
    for name, (low, high) in {**BOUNDS, "d": (lowest, 0.9)}.items():
        whole = np.exp(log_mass(family(key), low, high, *parameters))
        below = [np.exp(log_mass(family(key), low, x, *parameters)) / whole for x in drawn[name][0]]
        assert stats.kstest(below, "uniform").pvalue > 0.001
