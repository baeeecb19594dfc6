"""The package's conditionals against the hand-derived ones: family, method, parameters, and log kernels.

A node that is conjugate by hand must be drawn by Gibbs steps from the same family with the same parameters; any other
node by Metropolis-Hastings with the same kernel. Kernels are compared by differences, for they have no constant.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from deriver.derivation.conditionals import derive
from deriver.language import parse_model

from .catalogue import CASES, Case, elements, load, state_of
from .common import Hand, Index, State
from .kernels import log_conditional

SEEDS = (21, 22)


@cache
def derivation(module: str):
    return derive(parse_model(load(module).MODEL))


def each_element(case: Case):
    """The case's elements over the seeds: state, index, hand-derived conditional, another value of the element."""
    conditional = load(case.module).CONDITIONALS[case.node]
    for seed in SEEDS:
        state, other = state_of(case, seed), state_of(case, seed + 100)
        for at in elements(state, case.node):
            yield state, at, conditional(state, at), other[case.node][at]


def assert_same_parameters(hand: Hand, state: State, node, at: Index) -> None:
    family, parameters = node.at(state, at)
    assert family == hand.family
    assert set(parameters) == set(hand.parameters)
    for name, expected in hand.parameters.items():
        np.testing.assert_allclose(
            parameters[name], expected, rtol=1e-8, atol=1e-10, err_msg=f"{name} at {at}"
        )


@pytest.mark.parametrize("case", CASES, ids=str)
def test_family_and_method(case: Case) -> None:
    node = derivation(case.module).node(case.node)
    _, _, hand, _ = next(each_element(case))
    if isinstance(hand, Hand):
        assert (node.method, node.family) == ("gibbs", hand.family)
    else:
        assert node.method == "mh"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_parameters(case: Case) -> None:
    node = derivation(case.module).node(case.node)
    for state, at, hand, _ in each_element(case):
        if isinstance(hand, Hand):
            assert_same_parameters(hand, state, node, at)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_kernel(case: Case) -> None:
    node = derivation(case.module).node(case.node)
    for state, at, hand, other in each_element(case):
        here = state[case.node][at]
        by_hand = log_conditional(hand, other) - log_conditional(hand, here)
        by_engine = node.log_kernel_at(state, at, other) - node.log_kernel_at(state, at, here)
        assert by_engine == pytest.approx(by_hand, rel=1e-8, abs=1e-8), f"element {at}"
