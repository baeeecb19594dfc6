"""Gaussian nodes integrated out of the weights of a discrete node: what is found, the identity, the draws."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy import stats

from deriver.derivation.collapsed import collapsed_marginal, find_collapsed
from deriver.derivation.conditionals import derive
from deriver.derivation.marginal_check import check_marginal
from deriver.derivation.records import Conditional, Derivation
from deriver.emission import emit
from deriver.errors import InternalError, UsageError
from deriver.language import parse_model
from deriver.plan import make_plan
from tests.emitted import load_source

CHANGE = """
model change
plates
  i = 1..N
  j = 1..2
given
  weights : simplex(N)
  s2 > 0
data
  y[i] ~ Normal(mid + level[1] + is_positive(i - k - 0.5) * (level[2] - level[1]), var=s2)
process
  level[j] ~ Normal(0, var=10)
parameters
  mid ~ Normal(1, var=4)
  k ~ Categorical(weights)
"""
Y = np.array([1.9, 2.4, 1.2, 2.2, 0.4, 0.9, -0.6, 0.3])
N, S2, CHAINS = len(Y), 0.8, 40_000
WEIGHTS = np.arange(1, N + 1) / np.arange(1, N + 1).sum()


def label_of(derivation: Derivation) -> Conditional:
    return next(c for c in derivation.conditionals if c.node == "k")


def sampler(folder: Path, fault: tuple[str, str] = ("", "")) -> ModuleType:
    derivation = derive(parse_model(CHANGE))
    source = emit(derivation, make_plan(derivation, blocks="on"))
    assert fault[0] in source
    return load_source(source.replace(*fault, 1), folder, "change")


def draw(module: ModuleType) -> tuple[np.ndarray, np.ndarray]:
    """Return k and (mid, level[1], level[2]) after one update of many chains, all from one poor state."""
    rng = np.random.default_rng(7)
    data = module.prepare({"y": Y, "weights": WEIGHTS, "s2": S2})
    state = module.State(
        k=np.full(CHAINS, 2.0), mid=np.full(CHAINS, -3.0), level=np.tile([5.0, 1.0], (CHAINS, 1))
    )
    state = module.update_k(rng, state, data)
    return state.k, np.column_stack([state.mid, state.level])


def exact() -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    """Return the posterior of k, and the mean and covariance of the Gaussian nodes given each k."""
    prior, logs, means, covariances = np.diag([4.0, 10.0, 10.0]), [], [], []
    centre = np.array([1.0, 0.0, 0.0])
    for k in range(1, N + 1):
        after = (np.arange(1, N + 1) > k).astype(float)
        z = np.column_stack([np.ones(N), 1 - after, after])
        spread = z @ prior @ z.T + S2 * np.eye(N)
        logs.append(np.log(WEIGHTS[k - 1]) + stats.multivariate_normal.logpdf(Y, z @ centre, spread))
        gain = prior @ z.T @ np.linalg.inv(spread)
        means.append(centre + gain @ (Y - z @ centre))
        covariances.append(prior - gain @ z @ prior)
    weights = np.exp(np.array(logs) - max(logs))
    return weights / weights.sum(), means, covariances


def chi_square(k: np.ndarray) -> float:
    counts = np.array([(k == value).sum() for value in range(1, N + 1)])
    return float(stats.chisquare(counts, CHAINS * exact()[0]).pvalue)


def test_one_update_draws_from_the_joint_posterior(tmp_path: Path) -> None:
    k, z = draw(sampler(tmp_path))
    assert chi_square(k) > 1e-4
    _, means, covariances = exact()
    value = int(stats.mode(k).mode)
    there = z[k == value]
    error = np.sqrt(np.diag(covariances[value - 1]) / len(there))
    assert np.all(np.abs(there.mean(axis=0) - means[value - 1]) < 4 * error)
    np.testing.assert_allclose(np.cov(there.T), covariances[value - 1], rtol=0.1, atol=0.1)


@pytest.mark.parametrize(
    "fault",
    [
        (" + integrate_beside_k(state, data)[0]", ""),
        ("np.stack(columns", "0 * np.stack(columns"),  # nothing between the nodes
    ],
)
def test_a_broken_weight_is_caught(tmp_path: Path, fault: tuple[str, str]) -> None:
    k, _ = draw(sampler(tmp_path, fault))
    assert chi_square(k) < 1e-20


def test_the_identity_holds_and_can_fail() -> None:
    derivation = derive(parse_model(CHANGE))
    label = label_of(derivation)
    nodes = find_collapsed(derivation, label)
    assert {node.node for node in nodes} == {"level", "mid"}
    marginal = collapsed_marginal(derivation, label, nodes)
    check_marginal(derivation, marginal)
    effect = replace(marginal.effects[0], precision=2 * marginal.effects[0].precision)
    with pytest.raises(InternalError, match="disagrees"):
        check_marginal(derivation, replace(marginal, effects=(effect,)))


@pytest.mark.parametrize(
    "change",
    [
        ("var=s2)", "var=s2 * exp(mid))"),  # mid is in the variance: not normal
        ("level[j] ~ Normal(0, var=10)", "level[j] ~ Normal(0, var=10) T(0, inf)"),
        ("j = 1..2", "j = 1..J"),  # how many numbers is not known from the model
    ],
)
def test_what_is_not_a_few_normal_numbers_stays(change: tuple[str, str]) -> None:
    derivation = derive(parse_model(CHANGE.replace(*change)))
    assert {node.node for node in find_collapsed(derivation, label_of(derivation))} < {"level", "mid"}


def test_a_method_chosen_by_the_user_and_blocks_off_leave_it() -> None:
    derivation = derive(parse_model(CHANGE))
    assert all(step.collapsed == () for step in make_plan(derivation, blocks="off").steps)
    chosen = make_plan(derivation, methods={"mid": "mh"}, blocks="on")
    assert all(step.collapsed == () for step in chosen.steps)


def test_compiled_loops_refuse_it() -> None:
    derivation = derive(parse_model(CHANGE))
    with pytest.raises(UsageError, match="integrated out of the weights of k"):
        emit(derivation, make_plan(derivation, blocks="auto"), backend="numba")
