"""A person's own update function held against the derived conditional.

Stage verification.  Input: a ``Derivation``, a node and a function ``(rng, state, data) -> value``.  Output: an
``UpdateReport``.  Three questions: do its draws have the conditional's distribution at many states; does it react to
everything that the conditional depends on; does it react rightly.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from deriver.derivation.numeric import parameters_at, to_canonical
from deriver.derivation.records import Conditional, Derivation
from deriver.errors import Mistake, UsageError
from deriver.families import family as family_record
from deriver.language.mistakes import listing, suggest
from deriver.verification.arrays import ArrayMaker
from deriver.verification.draws import draw_value
from deriver.verification.pools import Pools, PoolTest, add_pivots, compare_pools
from deriver.verification.quantities import Quantities, apply_functions, list_functions, measure_scales
from deriver.verification.reference import Reference, make_reference
from deriver.verification.responses import Finding, UpdateFunction, Updater, WrongValue, find_responses
from deriver.verification.setting import choose_givens
from deriver.verification.simulate import Simulator, State
from deriver.verification.statistics import holm, paired_p
from deriver.verification.update_report import UpdateReport

LEVEL = 1e-3
STATES, DRAWS = 20, 200
INVARIANCE_FACTOR = 30


def check_update(
    derivation: Derivation, node: str, function: UpdateFunction, *, exact: bool = True,
    values: Mapping[str, Any] | None = None, sizes: Mapping[str, int] | None = None, states: int = STATES,
    draws: int = DRAWS, seed: int | None = None,
) -> UpdateReport:  # fmt: skip
    """Return whether ``function(rng, state, data)`` updates a node as its full conditional asks.

    The function gets a NumPy generator, a dictionary of all drawn nodes (no chain axis; plates first, ragged ones as
    rows in order, components last) and one of the givens and data (group columns count from 0), and returns the new
    value of the node.  ``exact=False`` is for a Metropolis step: started from draws of the conditional, it must give
    draws of it.  Tests of distribution together raise a false alarm with probability 1e-3.
    """
    conditional = _find(derivation, node)
    seed = secrets.randbits(31) if seed is None else seed
    rng = np.random.default_rng(seed)
    givens = choose_givens(derivation.model, rng, sizes=sizes or {}, values=values or {})
    simulator = Simulator(derivation.model, givens)
    maker = ArrayMaker(derivation.model, givens)
    updater = Updater(
        node=node, function=function, maker=maker, names=tuple(c.node for c in derivation.conditionals),
        moves=not exact or conditional.family is None or bool(conditional.coupled),
    )  # fmt: skip
    bench = _Bench(derivation=derivation, conditional=conditional, simulator=simulator, updater=updater)
    problem, how = "", "pivots"
    tests: list[PoolTest] = []
    findings: tuple[Finding, ...] = ()
    try:
        tests, how = bench.compare(rng, states, draws, exact)
        findings = find_responses(conditional, updater, simulator, rng, failed=_any_fails(tests))
    except WrongValue as error:
        problem = str(error)
    adjusted = tuple(holm(np.array([test.p for test in tests])).tolist()) if tests else ()
    return UpdateReport(
        model=derivation.model.name, node=node, seed=seed, level=LEVEL, states=states, draws=draws, how=how,
        tests=tuple(tests), adjusted=adjusted, findings=findings, problem=problem,
        remarks=tuple(updater.remarks), exact=exact,
    )  # fmt: skip


def _find(derivation: Derivation, node: str) -> Conditional:
    names = [conditional.node for conditional in derivation.conditionals]
    if node not in names:
        found = f"the model {derivation.model.name} draws no node `{node}`"
        expected = f"one of {listing(names)}"
        raise UsageError([Mistake(code="node", found=found, expected=expected, remedy=suggest(node, names))])
    return derivation.node(node)


def _any_fails(tests: list[PoolTest]) -> bool:
    return bool(tests) and float(holm(np.array([test.p for test in tests])).min()) <= LEVEL


class _Bench:
    """One node's conditional beside the user's function."""

    def __init__(
        self, *, derivation: Derivation, conditional: Conditional, simulator: Simulator, updater: Updater
    ) -> None:
        self.derivation, self.conditional = derivation, conditional
        self.simulator, self.updater = simulator, updater

    def compare(
        self, rng: np.random.Generator, states: int, draws: int, exact: bool
    ) -> tuple[list[PoolTest], str]:
        """Return the tests of distribution, and how they were made."""
        first = self.simulator.draw(rng)
        key = self.updater.keys(first)[0] if self.updater.keys(first) else None
        plain = key is not None and make_reference(self.conditional, first, key, rng) is not None
        if self.conditional.coupled or not plain:
            return self._invariance(rng, INVARIANCE_FACTOR * states), "invariance"
        pools: Pools = {}
        for _ in range(states):
            self._add_state(self.simulator.draw(rng), rng, draws, exact, pools)
        return compare_pools(self.conditional.node, pools), "pivots"

    def _add_state(
        self, state: State, rng: np.random.Generator, draws: int, exact: bool, pools: Pools
    ) -> None:
        node, keys = self.conditional.node, self.updater.keys(state)
        references = {key: make_reference(self.conditional, state, key, rng) for key in keys}
        values = []
        moved = not exact or self.conditional.family is None
        starts = {key: self._exact(state, key, references[key], rng, draws) for key in keys} if moved else {}
        inputs = self.updater.inputs(state)
        for number in range(draws):
            if moved:
                current = {**state[node], **{key: starts[key][number] for key in keys}}
                state = {**state, node: current}
            values.append(self.updater.call(rng, state, inputs))
        stacked = np.array(values)
        for key, reference in references.items():
            assert reference is not None
            with np.errstate(all="ignore"):
                pivots = reference.pivots(self.updater.element(stacked, key))
            add_pivots(pools, key, reference.names, pivots)

    def _exact(
        self,
        state: State,
        key: tuple[int, ...],
        reference: Reference | None,
        rng: np.random.Generator,
        draws: int,
    ) -> list[Any]:
        """Return exact draws of the conditional of one element."""
        conditional = self.conditional
        assert reference is not None
        if reference.draw is not None:
            return [float(value) for value in reference.draw(rng, draws)]
        assert conditional.family is not None
        values = parameters_at(conditional, state, key)
        ends = (values.pop("lower", -np.inf), values.pop("upper", np.inf))
        record = family_record(conditional.family)
        canonical = to_canonical(conditional.family, values)
        arguments = [canonical[name] for name in record.parameters]
        return [draw_value(rng, record, arguments, ends) for _ in range(draws)]

    def _invariance(self, rng: np.random.Generator, states: int) -> list[PoolTest]:
        """Test that one update leaves the joint distribution in place, from exact joint draws."""
        updater, simulator = self.updater, self.simulator
        first = simulator.draw(rng)
        quantities = Quantities(self.derivation.model, updater.maker, first, updater.names)
        measure = _measure(quantities, simulator, updater)
        scales = measure_scales(np.concatenate([measure(simulator.draw(rng)) for _ in range(200)]))
        functions = list_functions(quantities.all)
        own = np.array([k for k, f in enumerate(functions) if f.nodes & {updater.node, ""}])
        changes = []
        for _ in range(states):
            state = simulator.draw(rng)
            after = updater.with_value(state, updater.call(rng, state, updater.inputs(state)))
            pair = [apply_functions(functions, scales.squeeze(measure(s)))[0, own] for s in (state, after)]
            changes.append(pair[1] - pair[0])
        array = np.array(changes)
        sd = array.std(axis=0, ddof=1)
        return [
            PoolTest(
                aspect="location", subject=functions[k].name, p=float(p), draws=states,
                effect=float(array[:, place].mean() / sd[place]) if sd[place] > 0 else 0.0,
            )
            for place, (k, p) in enumerate(zip(own, paired_p(array), strict=True))
        ]  # fmt: skip


def _measure(quantities: Quantities, simulator: Simulator, updater: Updater) -> Callable[[State], np.ndarray]:
    def measure(state: State) -> np.ndarray:
        nodes = {name: array[None] for name, array in updater.maker.nodes(state, updater.names).items()}
        return quantities.evaluate(nodes, updater.maker.data(state), np.array([simulator.log_joint(state)]))

    return measure
