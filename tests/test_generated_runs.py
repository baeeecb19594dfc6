"""The emitted samplers at random states: parameters against the derivation, log joint against the hand one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deriver.derivation.numeric import parameters_at
from tests.emitted import ORDER, build, check_walk, drawn_from, element, to_inputs, to_state
from tests.hand.catalogue import MODELS, load

CASES = [(name, k) for name in MODELS for k in range(len(load(name).SIZES))]


def at_states(name: str, sizes: int, tmp_path: Path) -> tuple[Any, Any, Any, list]:
    """Return (derivation, module, model module, two states that share the data)."""
    hand = load(name)
    derivation, module = build(hand.MODEL, tmp_path)
    first = hand.random_state(np.random.default_rng(sizes), hand.SIZES[sizes])
    second = hand.random_state(np.random.default_rng(sizes + 50), hand.SIZES[sizes])
    drawn = {c.node for c in derivation.conditionals} | {
        n.name for n in derivation.model.nodes if n.kind == "deterministic"
    }
    second = {key: second[key] if key in drawn else value for key, value in first.items()}
    return derivation, module, hand, [first, second]


@pytest.mark.parametrize(("name", "sizes"), CASES)
def test_parameters_are_the_derived_ones(name, sizes, tmp_path):
    derivation, module, _, states = at_states(name, sizes, tmp_path)
    model = derivation.model
    data = module.prepare(to_inputs(model, states[0]))
    arrays = to_state(module, model, states)
    for conditional in derivation.conditionals:
        if conditional.method != "gibbs":
            continue
        seen = drawn_from(module, conditional, arrays, data)
        size = seen[-1]
        names = ORDER[conditional.family]
        for chain, state in enumerate(states):
            for index in state[conditional.node]:
                expected = parameters_at(conditional, state, index)
                for place, parameter in enumerate(names):
                    sides = np.ndim(expected[parameter])
                    full = np.broadcast_to(
                        seen[place],
                        (*size[: len(size) - _sides(conditional)], *np.shape(expected[parameter])),
                    )
                    got = element(model, state, conditional.node, full[chain], index)
                    assert sides == np.ndim(got)
                    np.testing.assert_allclose(got, expected[parameter], rtol=1e-8, atol=1e-10)


def _sides(conditional) -> int:
    return len(conditional.shape)


@pytest.mark.parametrize(("name", "sizes"), CASES)
def test_log_joint_is_the_hand_one(name, sizes, tmp_path):
    derivation, module, hand, states = at_states(name, sizes, tmp_path)
    data = module.prepare(to_inputs(derivation.model, states[0]))
    got = module.log_joint(to_state(module, derivation.model, states), data)
    expected = [hand.log_joint(state) for state in states]
    if "LKJ" in hand.MODEL:  # the hand density leaves its constant out
        got, expected = np.diff(got), np.diff(expected)
    np.testing.assert_allclose(got, expected, rtol=1e-8)


@pytest.mark.parametrize(("name", "sizes"), CASES)
def test_moves_leave_the_joint_in_place(name, sizes, tmp_path):
    """The log target of every walk differs from the log joint by a constant, Jacobian counted."""
    derivation, module, _, states = at_states(name, sizes, tmp_path)
    data = module.prepare(to_inputs(derivation.model, states[0]))
    arrays = to_state(module, derivation.model, states)
    rng = np.random.default_rng(4)
    for conditional in derivation.conditionals:
        if conditional.method in ("gibbs", "prior"):
            continue
        check_move(module, conditional.node, arrays, data, rng)


def check_enumeration(module, node, arrays, data):
    """Let one element take every value: its log target differs from the log joint by a constant."""
    here, seen = getattr(arrays, node), {}

    def stand_in(rng, log_target, lower, upper, size, current=None, moves=None):
        seen.update(target=log_target, values=range(lower, int(upper) + 1))
        return here

    original, module.enumerate_values = module.enumerate_values, stand_in
    getattr(module, f"update_{node}")(None, arrays, data)
    module.enumerate_values = original
    for place in np.ndindex(here.shape[1:]):
        own = (slice(None), *place)
        targets, joints = [], []
        for value in seen["values"]:
            there = here.copy()
            there[own] = value
            joints.append(module.log_joint(replace(arrays, **{node: there}), data))
            targets.append(seen["target"](there)[own])
        targets, joints = (np.exp(each - np.max(each, axis=0)) for each in (targets, joints))
        np.testing.assert_allclose(targets, joints, rtol=1e-8, atol=1e-12)


def check_sequences(module, node, arrays, data, rng):
    """Let all elements take other values: the two parts of the weights differ as the log joint does."""
    here, seen = getattr(arrays, node), {}

    def stand_in(rng, log_own, log_link, lower, upper, *rest, **options):
        seen.update(parts=(log_own, log_link), values=np.arange(lower, upper + 1))
        return here

    original, module.random_path = module.random_path, stand_in
    getattr(module, f"update_{node}")(None, arrays, data)
    module.random_path = original
    there = rng.choice(seen["values"], size=here.shape).astype(float)
    weights = [
        sum(np.broadcast_to(part(z), z.shape).reshape(len(z), -1).sum(axis=1) for part in seen["parts"])
        for z in (there, here)
    ]
    joints = [module.log_joint(replace(arrays, **{node: z}), data) for z in (there, here)]
    np.testing.assert_allclose(weights[0] - weights[1], joints[0] - joints[1], rtol=1e-8, atol=1e-10)


def check_move(module, node, arrays, data, rng):
    """Compare log target differences with log joint differences."""
    if "random_path" in getattr(module, f"update_{node}").__code__.co_names:
        check_sequences(module, node, arrays, data, rng)
        return
    if "enumerate_values" in getattr(module, f"update_{node}").__code__.co_names:
        check_enumeration(module, node, arrays, data)
        return
    name = f"derivatives_{node}"
    here = getattr(arrays, node)
    if not hasattr(module, name):
        check_walk(module, node, arrays, data, rng)
        return
    there = here + 0.1 * rng.standard_normal(here.shape)
    moved = replace(arrays, **{node: there})
    kernels = [getattr(module, name)(value, arrays, data)[0] for value in (there, here)]
    difference = (kernels[0] - kernels[1]).reshape(len(here), -1).sum(axis=1)
    joint = module.log_joint(moved, data) - module.log_joint(arrays, data)
    np.testing.assert_allclose(difference, joint, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("name", MODELS)
def test_samples_are_finite_and_reproducible(name, tmp_path):
    derivation, module, _, states = at_states(name, 0, tmp_path)
    data = module.prepare(to_inputs(derivation.model, states[0]))
    first = module.sample(data, draws=8, warmup=8, chains=2, seed=3)
    again = module.sample(data, draws=8, warmup=8, chains=2, seed=3)
    for key, values in first.items():
        if key not in ("acceptance", "lost"):
            assert values.shape[:2] == (2, 8)
            assert np.isfinite(values).all()
            np.testing.assert_array_equal(values, again[key])
