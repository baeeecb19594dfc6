"""The density-ratio check: it passes what is right, and each kind of fault that it guards against is caught."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import sympy as sp
from scipy import special

from deriver.derivation.conditionals import derive
from deriver.derivation.density_ratio import RatioFailure, check_derivation, check_node
from deriver.derivation.numeric import log_joint, stated_elements
from deriver.derivation.records import Derivation
from deriver.derivation.states import random_state
from deriver.errors import InternalError, UsageError
from deriver.language import parse_model

MODEL = """
model random_effects

plates
  i = 1..n
  j = 1..J[i]

given
  q, r > 0
  v > 0

data
  y[i,j] ~ N(theta[i], sigma2)

process
  theta[i] ~ N(mu, tau2)

parameters
  mu ~ N(0, v)
  tau2 ~ IG(q, r)
  sigma2 ~ IG(q, r)
"""


@pytest.fixture(scope="module")
def derivation() -> Derivation:
    return derive(parse_model(MODEL))


def broken(derivation: Derivation, node: str, **changes: object) -> Derivation:
    """Return the derivation with one conditional changed."""
    conditionals = tuple(replace(c, **changes) if c.node == node else c for c in derivation.conditionals)
    return replace(derivation, conditionals=conditionals)


def with_parameter(derivation: Derivation, node: str, name: str, expr: sp.Expr) -> Derivation:
    parameters = {**dict(derivation.node(node).parameters), name: expr}
    return broken(derivation, node, parameters=tuple(parameters.items()))


def test_a_right_derivation_passes(derivation: Derivation) -> None:
    check_derivation(derivation)
    assert {c.method for c in derivation.conditionals} == {"gibbs"}


@pytest.mark.parametrize(
    ("node", "name", "slip"),
    [
        ("theta", "precision", lambda e: 2 * e),
        ("theta", "linear", lambda e: -e),
        ("mu", "linear", lambda e: e + 1),
        ("tau2", "shape", lambda e: e + 1),
        ("tau2", "scale", lambda e: 2 * e),
        ("sigma2", "shape", lambda e: e - sp.Rational(1, 2)),
        ("sigma2", "scale", lambda e: e * (1 + sp.Rational(1, 10**6))),
    ],
)
def test_a_wrong_parameter_is_caught(derivation: Derivation, node: str, name: str, slip) -> None:
    wrong = slip(derivation.node(node).parameter(name))
    with pytest.raises(InternalError, match=node):
        check_derivation(with_parameter(derivation, node, name, wrong))


STEEP = """
model steep

plates
  k = 1..K

given
  x[k]
  m : integer > 0

data
  y[k] ~ Binomial(m, p[k])

process
  logit(p[k]) = a + b * (40 + x[k])

parameters
  a ~ N(0, 100)
  b ~ N(0, 1)
"""


def test_states_that_have_lost_the_digits_tell_nothing() -> None:
    """Where p is 1 but for 1e-16, log(1 - p) of the joint density has no digit: no fault of the conditional."""
    right = derive(parse_model(STEEP))
    check_derivation(right)
    kernel = right.node("b").log_kernel
    with pytest.raises(InternalError, match="disagrees"):
        check_derivation(broken(right, "b", log_kernel=kernel + right.node("b").target / 10**4))


LINKS = ("1 - exp(-exp({}))", "expit({})", "normal_cdf({})")


@pytest.mark.parametrize("link", LINKS)
def test_the_joint_density_keeps_its_digits_where_a_probability_is_nearly_one(link: str) -> None:
    """P(y = 0) at 1 - p = 1e-13 and below, in a definition too, against the other tail of the same link."""
    text = f"""model tails
given
  n : integer >= 0
data
  y ~ Bernoulli(p)
  z ~ Binomial(n, {link.format("3.4 * a")})
process
  p = {link.format("3.4 * a")}
parameters
  a ~ N(0, 1)
"""
    derivation = derive(parse_model(text))
    at = {"1 - exp(-exp({}))": 1.0, "expit({})": 9.0, "normal_cdf({})": 2.2}[link]
    state = {"a": {(): at}, "y": {(): 0}, "z": {(): 1}, "n": {(): 3}}
    eta = 3.4 * at
    log_rest = {"1": -np.exp(eta), "e": -eta - np.log1p(np.exp(-eta)), "n": special.log_ndtr(-eta)}[link[0]]
    log_prob = {"1": np.log1p(-np.exp(log_rest)), "e": log_rest + eta, "n": special.log_ndtr(eta)}[link[0]]
    wanted = 3 * log_rest + log_prob + np.log(3) - at**2 / 2 - np.log(2 * np.pi) / 2
    assert log_joint(derivation.factors, derivation.definitions, state) == pytest.approx(wanted, rel=1e-12)


def test_a_wrong_log_kernel_is_caught(derivation: Derivation) -> None:
    kernel = derivation.node("tau2").log_kernel
    with pytest.raises(InternalError, match="tau2"):
        check_derivation(broken(derivation, "tau2", log_kernel=2 * kernel))


def test_a_missing_child_is_caught(derivation: Derivation) -> None:
    """The likelihood left out of a mean: the conditional is the prior."""
    prior = 1 / derivation.node("mu").contributions[-1].arguments[1]
    with pytest.raises(InternalError, match="mu"):
        check_derivation(with_parameter(derivation, "mu", "precision", prior))


def test_a_flat_vector_has_rows_enough_to_be_checked() -> None:
    """Three rows leave five coefficients with a flat prior without a density; the check takes more."""
    terms = " + ".join(f"b[{k}] * x{k}[j]" for k in range(1, 6))
    check_derivation(
        derive(
            parse_model(
                f"""
model flat_coefficients

plates
  j = 1..n

given
  x1[j], x2[j], x3[j], x4[j], x5[j]

data
  y[j] ~ Normal({terms}, sd=sigma)

parameters
  b ~ Flat(dim=5)
  sigma ~ Flat() T(0, inf)
"""
            )
        )
    )


def test_a_conditional_that_is_never_a_number_is_not_passed(derivation: Derivation) -> None:
    """One state of 0 log 0 tells nothing; where all are, the conditional has not been checked."""
    mu = derivation.node("mu")
    nowhere = sp.log(-1 - sp.exp(mu.target))
    with pytest.raises(InternalError, match="could not be checked"):
        check_derivation(broken(derivation, "mu", log_kernel=mu.log_kernel + nowhere))


SUBSET = """
model some

plates
  i = 1..n

given
  S : subset(i)

data
  y[i] ~ N(u[i], 1) for i in S

process
  u[i] ~ N(0, v) for i in S

parameters
  v ~ IG(2, 1)
"""


def test_elements_outside_of_the_subset_of_a_node_are_no_test() -> None:
    """They have no density, so that any conditional would agree with it; the one in S tells of the fault."""
    derivation = derive(parse_model(SUBSET))
    wrong = broken(derivation, "u", log_kernel=2 * derivation.node("u").log_kernel)
    state = random_state(derivation.model, np.random.default_rng(1), dimension=2, size=5)
    state["S"] = {(): frozenset([2])}
    assert stated_elements(derivation.node("u"), derivation.factors, state) == [(2,)]
    found = check_node(wrong, wrong.node("u"), state, np.random.default_rng(2))
    assert isinstance(found, RatioFailure)
    assert found.index == (2,)
    state["S"] = {(): frozenset()}
    assert check_node(wrong, wrong.node("u"), state, np.random.default_rng(2)) is False


def test_categories_that_a_drawn_value_settles_are_refused_with_a_way_out() -> None:
    derivation = derive(
        parse_model(
            """model interval
plates
  i = 1..4
data
  y[i] ~ Categorical([1 - is_positive(t[i] - 1); is_positive(t[i] - 1) - is_positive(t[i] - 2); is_positive(t[i] - 2)])
process
  t[i] ~ N(m, 1)
parameters
  m ~ N(0, 1)
"""
        )
    )
    with pytest.raises(UsageError, match="normal_cdf"):
        check_derivation(derivation)
