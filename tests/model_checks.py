"""An emitted sampler against the derivation at random states: log joint, every parameter, every move."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import sympy as sp

from deriver.algebra.evaluate import evaluate
from deriver.derivation.conditionals import derive
from deriver.derivation.lower import Lowering
from deriver.derivation.numeric import elements, log_joint, parameters_at
from deriver.derivation.records import Conditional, Derivation
from deriver.derivation.states import random_state
from deriver.emission import emit
from deriver.language import parse_model
from deriver.plan import Plan, make_plan
from deriver.plan.layout import Quantity
from tests.emitted import ORDER, check_walk, drawn_from, load_source

MOST_STATES = 40
State = Mapping[str, Mapping[tuple[int, ...], Any]]


class Bench:
    """A model with its derivation, its plan, its sampler as a module, and two states that share the data."""

    def __init__(self, text: str, folder: Path, seed: int = 1) -> None:
        self.derivation: Derivation = derive(parse_model(text))
        self.plan: Plan = make_plan(self.derivation)
        name = f"{self.derivation.model.name}_{seed}"
        self.module: ModuleType = load_source(emit(self.derivation, self.plan), folder, name)
        self.lowering = Lowering(self.derivation.model)
        self.states = self._draw_states(seed)
        self.data = self.module.prepare(self.inputs())
        fields = {name: [self.array(state, name) for state in self.states] for name in self.nodes}
        self.arrays = self.module.State(**{name: np.stack(values) for name, values in fields.items()})

    def _draw_states(self, seed: int) -> list[State]:
        """Return two states that share the data, at which the joint density is positive where one is found."""
        rng, derived = np.random.default_rng(seed), self.derivation
        for _ in range(MOST_STATES):
            first, second = (
                random_state(derived.model, rng, dimension=1 + seed % 3, size=4) for _ in range(2)
            )
            states = [first, {**first, **{name: _redrawn(self, name, first, second) for name in self.nodes}}]
            joints = [log_joint(derived.factors, derived.definitions, state) for state in states]
            if np.isfinite(joints).all():
                break
        return states

    @property
    def nodes(self) -> list[str]:
        """Return the nodes of the state."""
        return list(self.module.State.__dataclass_fields__)

    def quantity(self, name: str) -> Quantity:
        """Return an array of the plan."""
        return next(quantity for quantity in self.plan.quantities if quantity.name == name)

    def array(self, state: State, name: str) -> np.ndarray:
        """Return the values of a quantity as an array: an axis per fixed plate, one for the rows of a nest."""
        values, quantity = state[name], self.quantity(name)
        keys = sorted(values)
        if keys == [()]:
            return np.asarray(values[()], dtype=float)
        stacked = np.array([values[key] for key in keys], dtype=float)
        if not keys:
            return np.zeros((0, *self.side_lengths(quantity, state)))
        lengths = [len({tuple(key[k] for k in group) for key in keys}) for group in self.groups(quantity)]
        result = np.full((*lengths, *stacked.shape[1:]), np.nan)
        for key, value in values.items():
            result[place_of(keys, self.groups(quantity), key)] = value
        return result

    def side_lengths(self, quantity: Quantity, state: State) -> list[int]:
        """Return the lengths of the component sides."""
        return [int(evaluate(side, state)) for side in quantity.sides]

    def groups(self, quantity: Quantity) -> list[list[int]]:
        """Return the positions of the indices that share an axis."""
        bounds = [sp.Tuple(s, *b) for s, b in zip(quantity.indices, quantity.ranges, strict=True)]
        axes = self.plan.space.extend(bounds).axes(quantity.indices, as_given=True)
        return [[quantity.indices.index(symbol) for symbol in axis.indices] for axis in axes]

    def place(self, name: str, index: tuple[int, ...]) -> tuple[int, ...]:
        """Return where an element lies in the array."""
        return place_of(list(self.states[0][name]), self.groups(self.quantity(name)), index)

    def inputs(self) -> dict[str, np.ndarray]:
        """Return what ``prepare`` takes; group columns and subsets count their plate from 0."""
        state, model = self.states[0], self.derivation.model
        inputs = {}
        for given in model.givens:
            first = 0
            if given.support.kind in ("index", "subset"):
                first = int(evaluate(self.lowering.plate_bound(given.support.plate)[1], state))
            if given.support.kind == "subset":
                inputs[given.name] = np.array(sorted(state[given.name][()]), dtype=int) - first
            else:
                inputs[given.name] = self.array(state, given.name) - first
        observed = [n.name for n in model.nodes if n.layer == "data" and n.kind == "stochastic"]
        return inputs | {name: self.array(state, name) for name in observed}


def place_of(keys: list[tuple[int, ...]], groups: list[list[int]], index: tuple[int, ...]) -> tuple[int, ...]:
    """Return where an index tuple lies in an array with an axis per group of indices."""
    own = []
    for group in groups:
        there = sorted({tuple(key[k] for k in group) for key in keys})
        own.append(there.index(tuple(index[k] for k in group)))
    return tuple(own)


def _redrawn(bench: Bench, name: str, first: State, second: State) -> dict:
    """Return values of a node for the second state, on the elements of the first."""
    spare = list(second[name].values())
    return {key: second[name].get(key, spare[0] if spare else value) for key, value in first[name].items()}


def check_model(text: str, folder: Path, seed: int = 1) -> Bench:
    """Assert that the sampler of a model agrees with its derivation; return what was compared."""
    bench = Bench(text, folder, seed)
    check_bench(bench, seed)
    return bench


def check_bench(bench: Bench, seed: int) -> None:
    """Assert that the sampler agrees with the derivation: joint, parameters, moves, likelihoods and predictions."""
    check_joint(bench)
    for conditional in bench.derivation.conditionals:
        if conditional.method == "gibbs":
            check_parameters(bench, conditional)
        elif hasattr(bench.module, f"update_{conditional.node}") and not hasattr(
            bench.module, f"derivatives_{conditional.node}"
        ):
            rng = np.random.default_rng(seed)
            check_walk(bench.module, conditional.node, bench.arrays, bench.data, rng)
    likelihoods = bench.module.log_likelihood(bench.arrays, bench.data)
    drawn = bench.module.predict(np.random.default_rng(0), bench.arrays, bench.data)
    for name, values in likelihoods.items():
        assert np.isfinite(values).all()
        assert drawn[name].shape == (2, *getattr(bench.data, name).shape)


def check_joint(bench: Bench) -> None:
    """Compare log joints."""
    got = bench.module.log_joint(bench.arrays, bench.data)
    derived = bench.derivation
    expected = [log_joint(derived.factors, derived.definitions, state) for state in bench.states]
    np.testing.assert_allclose(got, expected, rtol=1e-8, err_msg="log joint")


def check_parameters(bench: Bench, conditional: Conditional) -> None:
    """Compare what ``draw_<node>`` hands to the generator with the derived parameters."""
    here = getattr(bench.arrays, conditional.node)
    seen = drawn_from(bench.module, conditional, bench.arrays, bench.data)
    plates = seen[-1][: len(seen[-1]) - len(conditional.shape)]
    assert plates == here.shape[: here.ndim - len(conditional.shape)]
    for chain, state in enumerate(bench.states):
        for index in elements(conditional.ranges, state):
            expected = parameters_at(conditional, state, index)
            if conditional.family == "mvnormal":  # a sum over an empty group is a plain 0
                expected["linear"] = np.broadcast_to(expected["linear"], expected["precision"].shape[:1])
            for place, name in enumerate(ORDER[conditional.family]):
                full = np.broadcast_to(seen[place], (*plates, *np.shape(expected[name])))
                got = full[(chain, *bench.place(conditional.node, index))]
                np.testing.assert_allclose(
                    got,
                    expected[name],
                    rtol=1e-8,
                    atol=1e-9,
                    err_msg=f"{name} of {conditional.node}{list(index)} in chain {chain}",
                )
