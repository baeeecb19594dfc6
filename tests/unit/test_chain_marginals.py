"""Chains of states integrated out of what governs them: which are, which are not, and the identity."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sympy as sp

from deriver import derive, load_model
from deriver.derivation.marginal import Marginal, NoMarginal, find_marginal
from deriver.derivation.marginal_check import check_marginal, gaussian_system
from deriver.derivation.records import Derivation
from deriver.derivation.states import random_state
from deriver.errors import InternalError
from deriver.language import parse_model
from deriver.plan import make_plan
from deriver.show.render import render
from tests.hand import mean_reverting, second_order_walk, state_space_by_group, vector_state_space

NEAR_MISSES = Path(__file__).parents[1] / "near_misses"
# The innovation variance is that of a second series too, of a prior, and the scale of another variance.
SHARED_VARIANCE = """
model shared_variance
plates
  t = 1..T
data
  y[t] ~ N(z[t], sigma2)
  w[t] ~ N(m, tau2)
process
  z[0] ~ N(0, 10)
  z[t] ~ N(z[t-1], tau2) for t in 1..T
parameters
  m ~ N(0, tau2)
  tau2 ~ IG(2, 1)
  sigma2 ~ IG(2, tau2)
"""
REGRESSION = """
model regression_on_a_level
plates
  t = 1..T
given
  x[t]
data
  y[t] ~ N(level[t] + b * x[t], sigma2)
process
  z[0] ~ N(0, 10)
  z[t] ~ N(z[t-1], tau2) for t in 1..T
  level[t] = 2 * z[t]
parameters
  b ~ N(0, 10)
  tau2 ~ IG(2, 1)
  sigma2 ~ IG(2, 1)
"""
TEXTS = {
    "by_group": state_space_by_group.MODEL,
    "mean_reverting": mean_reverting.MODEL,
    "shared_variance": SHARED_VARIANCE,
    "regression": REGRESSION,
    "second_order": second_order_walk.MODEL,
    "vectors": vector_state_space.MODEL,
}
# Model -> what moves, the chain, shared nodes, other nodes on which the density depends.
FOUND = {
    "state_space": ("phi sigma2_y sigma2_z", "z", "", ""),
    "stationary_start": ("phi s2", "z", "", ""),
    "autoregression_squared": ("phi", "z", "", ""),
    "mean_reverting": ("phi", "z", "mu", ""),
    "by_group": ("sigma2_y", "z", "", "phi sigma2_z"),
    "shared_variance": ("tau2 sigma2", "z", "", "m"),
    "regression": ("tau2 sigma2", "z", "b", ""),
}
NO_CHAIN = "the elements of z depend on each other, and are no chain of numbers"
NOT_GAUSSIAN = "no node with an element for each group is conditionally Gaussian"


def derivation_of(name: str) -> Derivation:
    path = NEAR_MISSES / f"{name}.model"
    if name in TEXTS:
        return derive(parse_model(TEXTS[name]))
    return derive(load_model(path) if path.exists() else load_model(name))


def marginal_of(derivation: Derivation) -> Marginal:
    found = find_marginal(derivation)
    assert isinstance(found, Marginal)
    return found


def names(nodes) -> str:
    return " ".join(node if isinstance(node, str) else node.node for node in nodes)


@pytest.mark.parametrize("model", FOUND)
def test_chain_is_found(model: str) -> None:
    marginal = marginal_of(derivation_of(model))
    found = (marginal.variances, marginal.effects, marginal.shared, marginal.rest)
    assert tuple(map(names, found)) == FOUND[model]
    assert marginal.structure == "chain"


@pytest.mark.parametrize(
    ("model", "why"),
    [
        ("nonlinear_transition", NOT_GAUSSIAN),
        ("stochastic_volatility", NOT_GAUSSIAN),
        ("product_of_neighbours", NO_CHAIN),
        ("second_order", NO_CHAIN),
        ("vectors", NO_CHAIN),
    ],
)
def test_reason_when_there_is_none(model: str, why: str) -> None:
    derivation = derivation_of(model)
    found = find_marginal(derivation)
    assert isinstance(found, NoMarginal)
    assert found.why == why
    assert make_plan(derivation, blocks="auto").block is None


@pytest.mark.parametrize("model", FOUND)
def test_identity_holds(model: str) -> None:
    derivation = derivation_of(model)
    check_marginal(derivation, marginal_of(derivation), states=2)


@pytest.mark.parametrize("what", ["kernel", "precision", "coupling", "no coupling", "linear"])
def test_identity_fails_for_a_wrong_marginal(what: str) -> None:
    derivation = derivation_of("state_space")
    marginal = marginal_of(derivation)
    (chain,) = marginal.effects
    wrong = {
        "kernel": replace(marginal, log_kernel=2 * marginal.log_kernel),
        "precision": replace(marginal, effects=(replace(chain, precision=2 * chain.precision),)),
        "coupling": replace(marginal, effects=(replace(chain, coupling=chain.coupling / 2),)),
        "no coupling": replace(marginal, effects=(replace(chain, coupling=sp.S.Zero),)),
        "linear": replace(marginal, effects=(replace(chain, linear=-chain.linear),)),
    }
    with pytest.raises(InternalError, match="fault of deriver"):
        check_marginal(derivation, wrong[what], states=1)


def test_precision_of_groups_is_tridiagonal_within_each() -> None:
    derivation = derivation_of("by_group")
    state = random_state(derivation.model, np.random.default_rng(4), size=4)
    precision, _ = gaussian_system(derivation, marginal_of(derivation), state)
    np.testing.assert_allclose(precision, precision.T, rtol=1e-12)
    assert np.linalg.eigvalsh(precision).min() > 0
    keys = sorted(state["z"])
    for row, left in enumerate(keys):
        for column, right in enumerate(keys):
            near = left[0] == right[0] and abs(left[1] - right[1]) <= 1
            assert (precision[row, column] != 0) == near


def test_chain_is_shown_with_its_coupling() -> None:
    text = " ".join(render(derivation_of("state_space"), unicode=False).split())
    assert "phi, sigma2_y, sigma2_z can be updated with z[t] integrated out" in text
    assert "A is tridiagonal" in text


def test_method_chosen_for_the_states_leaves_them_alone() -> None:
    plan = make_plan(derivation_of("state_space"), {"z": "random_walk"}, blocks="on")
    assert (plan.block, plan.no_block) == (None, "the method of z was chosen")
