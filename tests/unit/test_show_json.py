"""Derivations as JSON: every parameter is text of the model language, and means what the engine derived."""

from __future__ import annotations

import json

import numpy as np
import pytest

from deriver.algebra.evaluate import evaluate, holds
from deriver.derivation.lower import Lowering
from deriver.derivation.numeric import Completed, elements
from deriver.derivation.states import random_state
from deriver.language import parse_expression
from deriver.show import render
from deriver.show.cases import split_cases
from deriver.show.gather import gather_fractions
from deriver.show.order import Order
from deriver.show.stacks import for_reading
from deriver.show.tidy import tidy
from tests.unit.show_models import NAMES, derivation_of

KEYS = {"name", "indices", "method", "family", "parameters", "reason", "blanket"}


def nodes(name: str) -> list[dict]:
    return json.loads(render(derivation_of(name), "json"))["nodes"]


@pytest.mark.parametrize("name", NAMES)
def test_the_record_has_its_keys(name: str) -> None:
    derivation = derivation_of(name)
    record = json.loads(render(derivation, "json"))
    assert record["model"] == derivation.model.name
    assert [node["name"] for node in record["nodes"]] == [c.node for c in derivation.conditionals]
    for node in record["nodes"]:
        assert set(node) - {"where", "cases"} == KEYS
        assert (node["method"] == "mh") == (node["reason"] is not None)


@pytest.mark.parametrize("name", NAMES)
def test_the_parameters_mean_what_was_derived(name: str) -> None:
    """Each parameter is parsed back, lowered as a model's own expression is, and compared at a random state."""
    derivation = derivation_of(name)
    state = Completed(random_state(derivation.model, np.random.default_rng(7)), derivation.definitions)
    lowering = Lowering(derivation.model)
    compared = 0
    for conditional, record in zip(derivation.conditionals, nodes(name), strict=True):
        for where, parameters in cases_of(conditional, record):
            for key, text in parameters.items():
                written = lowering.expression(parse_expression(text))
                for index in elements(conditional.ranges, state):
                    indices = dict(zip([b[0] for b in conditional.ranges], index, strict=True))
                    if holds(where, state, indices):
                        ours = evaluate(written, state, indices)
                        theirs = evaluate(conditional.parameter(key), state, indices)
                        np.testing.assert_allclose(
                            ours, theirs, rtol=1e-9, err_msg=f"{conditional.node} {key}"
                        )
                        compared += 1
    assert compared


def cases_of(conditional, record: dict) -> list:
    split = split_cases(conditional)
    if split is None or "cases" not in record:
        return [((), record["parameters"])]
    return [
        (case.conditions, own["parameters"]) for case, own in zip(split.cases, record["cases"], strict=True)
    ]


def test_a_chain_has_its_cases_and_the_interior_in_front() -> None:
    (z,) = [node for node in nodes("state_space") if node["name"] == "z"]
    assert z["where"] == ["t >= 1", "t < T"]
    assert [case["where"] for case in z["cases"]] == [["t = 0"], ["t >= 1", "t < T"], ["t = T"]]
    assert z["parameters"] == z["cases"][1]["parameters"]
    assert z["blanket"][0] == "[y[t] | z[t], sigma2_y] for t >= 1"


def test_a_known_conditional_in_full() -> None:
    (beta,) = [node for node in nodes("all_random") if node["name"] == "beta"]
    assert beta == {
        "name": "beta",
        "indices": ["i"],
        "method": "gibbs",
        "family": "mvnormal",
        "parameters": {
            "precision": "sum(j: x[i,j] * x[i,j]') / sigma2 + inv(Sigma)",
            "linear": "sum(j: x[i,j] * y[i,j]) / sigma2 + inv(Sigma) * mu",
        },
        "reason": None,
        "blanket": [
            "[y[i,j] | beta[i], sigma2] for j in 1..J[i]",
            "[beta[i] | mu, sigma2_beta, rho]",
        ],
    }


def test_a_group_sum_is_written_with_where() -> None:
    (beta,) = [node for node in nodes("crossed") if node["name"] == "beta"]
    assert "sum(k where g[k] = s: x[k] * x[k]')" in beta["parameters"]["precision"]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_arranged_for_reading_keeps_its_value(name: str) -> None:
    """Tidied brackets, whole vectors, gathered fractions and matrices of rows change the form, not the value."""
    derivation = derivation_of(name)
    state = Completed(random_state(derivation.model, np.random.default_rng(8)), derivation.definitions)
    for conditional in derivation.conditionals:
        order = Order(derivation.model, conditional.target, conditional.contributions)
        expressions = [conditional.log_kernel, *(value for _, value in conditional.parameters)]
        index = next(iter(elements(conditional.ranges, state)))
        indices = dict(zip([b[0] for b in conditional.ranges], index, strict=True))
        for expr in expressions:
            read = tidy(for_reading(gather_fractions(expr)), order)
            values = (evaluate(each, state, indices) for each in (read, expr))
            np.testing.assert_allclose(*values, rtol=1e-9, err_msg=str(expr))
