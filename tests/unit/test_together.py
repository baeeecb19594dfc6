"""Nodes that are moved together: which they are, and that the moves leave the posterior as it is."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import sympy as sp

from deriver.emission.module import emit
from deriver.emission.together import move_key
from deriver.language import parse_model
from deriver.pipeline import derive, plan
from deriver.show import render
from tests.emitted import load_source

MODEL = """model counts
plates
  i = 1..N
given
  x[i]
data
  y[i] ~ Poisson(log_rate=alpha + beta * x[i] + b[i])
process
  b[i] ~ Normal(0, sd=sigma)
parameters
  alpha ~ Normal(0, var=1)
  beta ~ Normal(0, var=1)
  sigma ~ Uniform(0, 2)
"""
X, Y = np.array([-1.0, -0.5, 0.5, 1.5]), np.array([0.0, 2.0, 1.0, 4.0])
KEYS = ("alpha_beta", "alpha_beta_with_b", "sigma_with_b")
CHAINS = 40_000
BROKEN = {
    "no_jacobian_of_a_bound": ("sigma_with_b", "log_jacobian_sigma = np.log(sigma) + np.log(2 - sigma)",
                               "log_jacobian_sigma = 0 * sigma"),
    "no_jacobian_of_the_effects": ("sigma_with_b", "log_jacobian = log_jacobian + np.sum(log_ratio, axis=1)",
                                   "pass"),
    "a_density_left_out": ("alpha_beta_with_b", "total += log_normal(state.beta, 0, 1)", "pass"),
}  # fmt: skip


@cache
def source() -> str:
    return emit(derive(parse_model(MODEL)))


@cache
def posterior() -> tuple[dict[str, np.ndarray], float]:
    """Return draws from the posterior by weighting draws from the prior, and how many they are worth."""
    rng, size = np.random.default_rng(1), 1_000_000
    alpha, beta = rng.standard_normal((2, size))
    sigma = rng.uniform(0, 2, size)
    b = sigma[:, None] * rng.standard_normal((size, len(X)))
    eta = alpha[:, None] + beta[:, None] * X + b
    weight = (Y * eta - np.exp(eta)).sum(axis=1)
    weight = np.exp(weight - weight.max())
    weight /= weight.sum()
    chosen = rng.choice(size, CHAINS, p=weight)
    draws = {"alpha": alpha[chosen], "beta": beta[chosen], "sigma": sigma[chosen], "b": b[chosen]}
    return draws, 1 / float(np.sum(weight**2))


def farthest(module, key: str) -> float:
    """Return by how many standard errors the worst quantile of what is moved is off after twelve moves."""
    draws, worth = posterior()
    rng = np.random.default_rng(2)
    data = module.prepare({"x": X, "y": Y})
    state = module.State(**draws)
    steps = module.first_steps(state)[key]
    moved = 0.0
    for number in range(12):
        steps.walks = float(number < 8)  # random walks, then independent proposals
        steps.root, steps.inverse = 0.7 * np.eye(len(steps.centre)), np.eye(len(steps.centre)) / 0.7
        state, accepted = getattr(module, f"update_{key}")(rng, state, data, steps)
        moved += accepted.mean()
    assert moved > 1
    errors = [0.0]
    for name, exact in draws.items():
        for share in (0.05, 0.25, 0.5, 0.75, 0.95):
            below = (getattr(state, name) <= np.quantile(exact, share, axis=0)).mean(axis=0)
            error = np.sqrt(share * (1 - share) * (2 / CHAINS + 2 / worth))
            errors.append(float(np.max(np.abs(below - share))) / error)
    return max(errors)


@pytest.mark.parametrize("key", KEYS)
def test_a_joint_move_keeps_the_posterior(key: str, tmp_path) -> None:
    assert farthest(load_source(source(), tmp_path, "counts"), key) < 4.5


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_move_is_seen(fault: str, tmp_path) -> None:
    key, old, new = BROKEN[fault]
    before, own, after = source().partition(f"def to_coordinates_{key}(")
    assert own and old in after
    assert farthest(load_source(before + own + after.replace(old, new, 1), tmp_path, "counts"), key) > 6


def moves_of(text: str, **options) -> dict[str, tuple[str, ...]]:
    made = plan(derive(parse_model(text)), **options)
    return {move_key(made, move): tuple(c.node for c in move.carried) for move in made.together}


def test_what_is_moved_together_follows_from_the_model() -> None:
    assert moves_of(MODEL) == {"alpha_beta": (), "alpha_beta_with_b": ("b",), "sigma_with_b": ("b",)}


def test_a_node_whose_method_is_chosen_is_not_moved_with_others() -> None:
    assert moves_of(MODEL, methods={"beta": "slice"}) == {"alpha_with_b": ("b",), "sigma_with_b": ("b",)}
    assert moves_of(MODEL, methods={"b": "mh"}) == {"alpha_beta": ()}


def test_conjugate_models_have_no_such_moves() -> None:
    assert moves_of(MODEL.replace("Poisson(log_rate=", "Normal(").replace("+ b[i])", "+ b[i], var=1)")
                    .replace("sd=sigma", "var=sigma").replace("Uniform(0, 2)", "IG(2, 1)")) == {}  # fmt: skip


def test_effects_shift_by_the_mean_of_what_varies_within_them() -> None:
    text = (
        MODEL.replace("i = 1..N", "i = 1..N\n  j = 1..T").replace("x[i]", "x[i,j]").replace("y[i]", "y[i,j]")
    )
    made = plan(derive(parse_model(text)))
    move = next(move for move in made.together if len(move.members) == 2 and move.carried)
    assert "x[i,j]" in str(move.carried[0].centre) and move.carried[0].centre.has(sp.Symbol) is True


def test_the_bound_of_another_node_is_not_moved_with_others() -> None:
    text = MODEL.replace("beta ~ Normal(0, var=1)", "beta ~ Normal(0, var=1) T(alpha, inf)")
    assert not any("alpha" in key or "beta" in key for key in moves_of(text))


def test_the_derivation_says_what_is_moved_together() -> None:
    text = " ".join(render(derive(parse_model(MODEL))).split())
    assert "alpha, beta, b going along, by a Metropolis-Hastings step" in text
    assert "b stays what it is in units of its scale" in text
