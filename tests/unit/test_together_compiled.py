"""Compiled joint moves, run as they stand without compilation: they leave the posterior as it is."""

from __future__ import annotations

from functools import cache

import numba
import numpy as np
import pytest

from deriver.emission.module import emit
from deriver.language import parse_model
from deriver.pipeline import derive, plan
from tests.emitted import load_source
from tests.unit.test_together import DATA, KEYS, MODEL, VECTORS, gap, posterior

DRAWS, MOVES = 1500, 6
MOVED = {"mu_with_b": VECTORS, "Q_with_b": VECTORS, "alpha_beta_with_b": MODEL, "sigma_with_b": MODEL}
BROKEN = {
    "no_volume_of_the_effects": ("Q_with_b", "then += back_Q_with_b(", "back_Q_with_b("),
    "no_jacobian_of_a_matrix": ("Q_with_b", "log_jacobian += 3 * u[0]", "pass"),
    "a_density_left_out": ("mu_with_b", "total_b(anchor, data, steps.kept)", "total_b(state, data, kept)"),
    "no_jacobian_of_a_scale": ("sigma_with_b", "volume += log_unit", "volume += 0.0"),
}


# Words of the random numbers wrap around, of which NumPy warns where they are not compiled.
pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered")


@cache
def source(model: str) -> str:
    derivation = derive(parse_model(model))
    return emit(derivation, plan(derivation, blocks="auto"), backend="numba")


def farthest(text: str, key: str, folder, monkeypatch) -> float:
    """Return by how many standard errors the worst quantile of what is moved is off after some moves."""
    monkeypatch.setattr(numba.config, "DISABLE_JIT", True)
    module = load_source(text, folder, "moves")
    draws, worth = posterior(KEYS[key])
    draws = {name: values[:DRAWS] for name, values in draws.items()}
    data = module.prepare(DATA[KEYS[key]])
    (chain,) = module.starting_chains(data, 1, 3)
    steps = getattr(chain.moves, key)
    size = len(steps.left)
    steps.spread[0], steps.u[module.CENTRE], steps.numbers[module.SCALE] = 0.7 * np.eye(size), 0.0, 0.7
    kept = [chain.kept.b] if key in ("mu_with_b", "Q_with_b") else []
    rate = np.zeros(1)
    found = {name: np.empty_like(values) for name, values in draws.items()}
    views = {
        name: module.components_last(getattr(chain.state, name), module.SIDES.get(name, 0)) for name in draws
    }
    for number in range(len(draws["b"])):
        for name, view in views.items():
            view[...] = draws[name][number]
        for turn in range(MOVES):
            steps.numbers[module.WALKS] = float(turn < MOVES - 2)  # random walks, then independent proposals
            getattr(module, f"move_{key}")(chain.rng, chain.state, data, *kept, steps, rate, False)
        for name, view in views.items():
            found[name][number] = view if found[name].ndim > 1 else view[0]
    assert rate[0] > 0.5 * DRAWS
    return gap(found, draws, worth)


@pytest.mark.parametrize("key", MOVED)
def test_a_joint_move_keeps_the_posterior(key: str, tmp_path, monkeypatch) -> None:
    assert farthest(source(MOVED[key]), key, tmp_path, monkeypatch) < 4.5


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_move_is_seen(fault: str, tmp_path, monkeypatch) -> None:
    key, old, new = BROKEN[fault]
    before, own, after = source(MOVED[key]).partition(f"def to_coordinates_{key}(")
    assert own and old in after
    assert farthest(before + own + after.replace(old, new, 1), key, tmp_path, monkeypatch) > 6


@pytest.mark.parametrize(("stride", "dropped"), [(0.5, True), (2.0, False)])
def test_a_move_that_does_not_pay_is_dropped(stride: float, dropped: bool, tmp_path, monkeypatch) -> None:
    """Other updates jump by one standard deviation, the move by ``stride`` of them; a value at its bound is passed over."""
    monkeypatch.setattr(numba.config, "DISABLE_JIT", True)
    module = load_source(source(MODEL), tmp_path, "moves")
    running = module.starting_chains(module.prepare(DATA[MODEL]), 2, 3)
    rng = np.random.default_rng(4)
    for steps in (chain.moves.alpha_beta for chain in running):
        steps.numbers[module.SWEEPS] = 0.0
        left = np.zeros(2)
        for sweep in range(400):
            begun = 0.5 * left + rng.standard_normal(2)
            module.add_jump(steps, left, begun, 0)
            left = steps.u[module.PLACE] = begun + stride * rng.standard_normal(2)
            module.add_jump(steps, begun, left, 1)
            if sweep in (3, 300):
                steps.u[module.PLACE, 0] = -np.inf
                module.add_jump(steps, begun, steps.u[module.PLACE], 1)
            module.learn_block(steps, 1.0)
    module.fit_moves(running, 400)
    assert all(np.isfinite(chain.moves.alpha_beta.spread[0]).all() for chain in running)
    assert ("alpha_beta" not in module.moves_in_use(running)) is dropped
