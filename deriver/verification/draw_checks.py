"""Every update of the emitted sampler held against the derived conditional, many draws at each of several states.

Stage verification.  A conjugate node's draws must have uniform pivots.  An update by Metropolis-Hastings of a scalar is
started from exact draws of the conditional, and must leave their pivots uniform.
"""

from __future__ import annotations

import numpy as np

from deriver.derivation.records import Conditional, Derivation
from deriver.verification.moves import check_moves, takes_moves
from deriver.verification.pools import Pools, PoolTest, add_pivots, compare_pools
from deriver.verification.records import Outcome
from deriver.verification.reference import Reference, make_reference
from deriver.verification.replicates import Bench
from deriver.verification.simulate import State

DRAWS = 400
MOST_ELEMENTS = 6
_DRAWS = 31  # a child of the seed


def check_draws(bench: Bench, derivation: Derivation, states: int) -> list[Outcome]:
    """Return a test of location, spread and shape for each node and pivot; p values not yet adjusted.

    An update that raises is an outcome without a p value.
    """
    outcomes = []
    for place, conditional in enumerate(derivation.conditionals):
        if conditional.node in bench.updates and not conditional.coupled:
            try:
                outcomes += _check_node(bench, conditional, place, states)
            except (
                ArithmeticError,
                ValueError,
                IndexError,
                KeyError,
                TypeError,
                np.linalg.LinAlgError,
            ) as error:
                detail = f"the update of {conditional.node} raised {type(error).__name__}: {error}"
                outcomes.append(
                    Outcome(kind="run", node=conditional.node, name="update", passed=False, detail=detail)
                )
    return outcomes


def _check_node(bench: Bench, conditional: Conditional, place: int, states: int) -> list[Outcome]:
    if takes_moves(conditional):
        return check_moves(bench, conditional, place, states)
    rng = bench.rng(_DRAWS, place)
    pools: Pools = {}
    for _ in range(states):
        _add_state(bench, conditional, bench.simulator.draw(rng), rng, pools)
    return _judge(conditional.node, pools)


def _add_state(
    bench: Bench, conditional: Conditional, state: State, rng: np.random.Generator,
    pools: Pools,
) -> None:  # fmt: skip
    """Add the pivots of many draws at one state to the pools, by element and pivot."""
    node = conditional.node
    drawn = bench.simulator.drawn_keys(node)
    keys = [key for key in bench.maker.keys[node] if key in drawn]
    chosen = (
        keys if len(keys) <= MOST_ELEMENTS else [*keys[: MOST_ELEMENTS // 2], *keys[-MOST_ELEMENTS // 2 :]]
    )
    references = {key: make_reference(conditional, state, key, rng) for key in chosen}
    if any(reference is None for reference in references.values()):
        return
    data = bench.module.prepare(bench.maker.inputs(state))
    after = _update_many(bench, conditional, state, data, references, rng)
    flat = after.reshape(len(after), len(bench.maker.keys[node]), *bench.maker.layouts[node].shape)
    for key, reference in references.items():
        assert reference is not None
        with np.errstate(all="ignore"):
            values = reference.pivots(flat[:, bench.maker.keys[node].index(key)])
        add_pivots(pools, key, reference.names, values)


def _update_many(
    bench: Bench, conditional: Conditional, state: State, data: object,
    references: dict[tuple[int, ...], Reference | None], rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """Return draws of the node as chains, shape (draws, ...); exact draws first where there is no family."""
    from dataclasses import replace

    node = conditional.node
    arrays = bench.to_state(state, DRAWS)
    if conditional.family is None:
        current = getattr(arrays, node).reshape(DRAWS, len(bench.maker.keys[node])).copy()
        for key, reference in references.items():
            assert reference is not None and reference.draw is not None
            current[:, bench.maker.keys[node].index(key)] = reference.draw(rng, DRAWS)
        arrays = replace(arrays, **{node: current.reshape(getattr(arrays, node).shape)})
    return np.asarray(getattr(bench.update(node, rng, arrays, data, DRAWS), node))


def _judge(node: str, pools: Pools) -> list[Outcome]:
    tests = compare_pools(node, pools)
    return [
        Outcome(
            kind="draws", node=node, name=f"{test.aspect} of {test.subject}", passed=True, p=test.p,
            effect=test.effect, error=_error(test),
        )
        for test in tests
    ]  # fmt: skip


def _error(test: PoolTest) -> float | None:
    """Return the standard error of a mean, a correlation, or a relative standard deviation."""
    match test.aspect:
        case "shape":
            return None
        case "spread":
            return float(1 / np.sqrt(2 * test.draws))
    return float(1 / np.sqrt(test.draws))
