"""The plan: methods, colours, hoisting, gradients."""

from __future__ import annotations

import numpy as np
import pytest

import deriver
from deriver.algebra.evaluate import evaluate
from deriver.derivation.conditionals import derive
from deriver.errors import UsageError
from deriver.language import parse_model
from deriver.plan import make_plan
from deriver.plan.calculus import differentiate_twice
from tests.hand.catalogue import load


def derivation_of(name):
    return derive(parse_model(load(name).MODEL))


def test_methods_follow_the_derivation():
    plan = make_plan(derivation_of("all_random"))
    assert {step.node: step.method for step in plan.steps} == {
        "beta": "gibbs",
        "mu": "gibbs",
        "sigma2_beta": "gibbs",
        "rho": "random_walk",
        "sigma2": "gibbs",
    }


def test_the_user_may_override_a_method():
    plan = make_plan(derivation_of("all_random"), {"rho": "slice", "sigma2": "mh"})
    assert plan.step("rho").method == "slice"
    assert plan.step("sigma2").method == "random_walk"


@pytest.mark.parametrize("methods", [{"nu": "mh"}, {"rho": "hmc"}, {"rho": "gibbs"}, {"beta": "slice"}])
def test_an_impossible_choice_names_the_possible_ones(methods):
    with pytest.raises(UsageError, match="one of"):
        make_plan(derivation_of("all_random"), methods)


@pytest.mark.parametrize(
    ("name", "colours"), [("state_space", 2), ("second_order_walk", 3), ("multi_membership", 0)]
)
def test_coupled_elements_are_interleaved(name, colours):
    steps = make_plan(derivation_of(name)).steps
    assert max((step.colours for step in steps), key=lambda c: (c != 1, c)) == colours


def test_statistics_hold_data_alone():
    plan = make_plan(derivation_of("random_intercepts"))
    names = {statistic.name for statistic in plan.statistics}
    assert {"sum_y_by_i", "sum_x_by_i", "sum_xy", "sum_xx"} <= names


def test_a_residual_with_an_effect_for_every_row_stays_as_it_is():
    derivation = derivation_of("state_space")
    scale = dict(make_plan(derivation).step("sigma2_y").parameters)["scale"]
    assert scale == derivation.node("sigma2_y").parameter("scale")


def test_gradient_and_hessian_are_those_of_finite_differences():
    derivation = derivation_of("poisson_wishart")
    conditional = derivation.node("beta")
    hand = load("poisson_wishart")
    state = hand.random_state(np.random.default_rng(1), hand.SIZES[0])
    pair = differentiate_twice(conditional.log_kernel, conditional.target)
    assert pair is not None
    own = {conditional.indices[0]: 1}

    def value(expr, shift):
        moved = {**state, "beta": {**state["beta"], (1,): state["beta"][(1,)] + shift}}
        return evaluate(expr, moved, own)

    h = 1e-5
    steps = h * np.eye(2)
    kernel = conditional.log_kernel
    slope = [(value(kernel, s) - value(kernel, -s)) / (2 * h) for s in steps]
    np.testing.assert_allclose(value(pair[0], 0 * steps[0]), slope, rtol=1e-5)
    curve = [(value(pair[0], s) - value(pair[0], -s)) / (2 * h) for s in steps]
    np.testing.assert_allclose(value(pair[1], 0 * steps[0]), curve, rtol=1e-5)


BY_COMPONENTS = """model m
plates
  k = 1..N
given
  x[k], z[k]
data
  y[k] ~ {}=b[1] + b[2] * x[k] - b[4] * z[k])
parameters
  b ~ Flat(dim=4)
"""


@pytest.mark.parametrize("response", ["Bernoulli(logit", "Poisson(log_rate", "Binomial(size=9, logit"])
def test_derivatives_in_the_components_of_a_predictor_agree_with_finite_differences(response: str) -> None:
    conditional = derive(parse_model(BY_COMPONENTS.format(response))).node("b")
    pair = differentiate_twice(conditional.log_kernel, conditional.target)
    assert pair is not None
    rng = np.random.default_rng(2)
    rows = {name: {(k,): float(v) for k, v in enumerate(rng.normal(size=5), 1)} for name in "xz"}
    state = {**rows, "y": {(k,): float(k % 2) for k in range(1, 6)}, "N": {(): 5}}
    point = rng.normal(size=4)

    def value(expr, shift):
        return evaluate(expr, {**state, "b": {(): point + shift}}, {})

    steps = 1e-5 * np.eye(4)
    slope = [(value(conditional.log_kernel, s) - value(conditional.log_kernel, -s)) / 2e-5 for s in steps]
    np.testing.assert_allclose(value(pair[0], 0 * point), slope, rtol=1e-5, atol=1e-8)
    curve = [(value(pair[0], s) - value(pair[0], -s)) / 2e-5 for s in steps]
    np.testing.assert_allclose(value(pair[1], 0 * point), curve, rtol=1e-5, atol=1e-8)


def test_the_second_derivative_in_a_predictor_is_one_product_of_a_column_with_itself() -> None:
    source = deriver.emit(parse_model(BY_COMPONENTS.format("Bernoulli(logit")))
    assert source.count("= np.swapaxes(weighted, -1, -2) @ ") == 1
