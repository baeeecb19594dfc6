"""One replicate of each test, from its own seed: what the cores work on, one after another or side by side.

Stage verification.  Input: a ``Task``.  Output: a ``Replicate``, plain numbers that a line of JSON can hold.  Replicate
``number`` of a kind is seeded by a child of the task's seed of its own, so that any of them can be done anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from types import ModuleType
from typing import Any, Literal

import numpy as np

from deriver.model.records import Model
from deriver.running.sampling import load_sampler
from deriver.verification.arrays import ArrayMaker, Arrays
from deriver.verification.drivers import list_updates, make_driver
from deriver.verification.quantities import (
    Function,
    Quantities,
    Scales,
    apply_functions,
    list_functions,
    measure_scales,
)
from deriver.verification.simulate import Simulator, State

Kind = Literal["prior", "chain", "ranks"]
KINDS: tuple[Kind, ...] = ("prior", "chain", "ranks")
_TUNING, _PILOT = 11, 12  # further children of the seed
PILOT_DRAWS = 300
SWEEP = "a whole sweep"  # stands beside the nodes, whose names have no spaces


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is done.

    ``prior`` replicates draw ``block`` states each from the model statement alone, and try every single update on
    ``copies`` of each; ``chain`` replicates run ``steps`` sweeps, the data redrawn after each; ``ranks`` replicates
    rank the truth among ``draws`` chains run for ``warmup`` sweeps.  ``states`` random states serve the density
    ratio, ``draws_at`` the draws of every update against its conditional.
    """

    states: int = 8
    draws_at: int = 20
    prior: int = 200
    block: int = 20
    copies: int = 4
    chain: int = 320
    steps: int = 40
    tuning: int = 150
    ranks: int = 240
    draws: int = 31
    warmup: int = 120

    def count(self, kind: Kind) -> int:
        """Return the number of replicates of a kind."""
        return int(getattr(self, kind))


EFFORTS = {
    "quick": Effort(states=3, draws_at=8, prior=50, chain=80, steps=20, ranks=50, warmup=80),
    "default": Effort(),
    "long": Effort(states=20, draws_at=100, prior=1000, chain=2400, ranks=2000, warmup=300),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """All that a replicate needs; ``key`` tells tasks apart."""

    key: str
    model: Model
    source: str
    givens: State
    effort: Effort
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicate:
    """The numbers of one replicate by name; ``error`` tells why there are none."""

    kind: Kind
    number: int
    values: Mapping[str, tuple[float, ...]]
    error: str = ""


class Bench:
    """A sampler set up beside the simulator of its model."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.simulator = Simulator(task.model, task.givens)
        self.maker = ArrayMaker(task.model, task.givens)
        self.driver = make_driver(load_sampler(task.source, task.model.name))
        self.module: ModuleType = self.driver.module
        self.names = self.driver.names
        state = self.simulator.draw(self.rng(_PILOT))
        self.quantities = Quantities(task.model, self.maker, state, self.names)
        self.functions: tuple[Function, ...] = list_functions(self.quantities.all)
        self._steps: dict[int, Any] = {}

    def rng(self, *place: int) -> np.random.Generator:
        """Return the generator of one place: a child of the seed."""
        return np.random.default_rng(np.random.SeedSequence(self.task.seed, spawn_key=place))

    @cached_property
    def scales(self) -> Scales:
        """Return the scales of the quantities under the prior."""
        rng = self.rng(_PILOT, 1)
        return measure_scales(np.concatenate([self.draw_quantities(rng) for _ in range(PILOT_DRAWS)]))

    @cached_property
    def updates(self) -> tuple[str, ...]:
        """Return the nodes that have an update function of their own."""
        return tuple(list_updates(self.driver))

    def steps(self, chains: int) -> Any:
        """Return the proposals, tuned on other data and then left alone, for that many chains; None without any."""
        if chains not in self._steps:
            rng = self.rng(_TUNING, chains)
            data = self.module.prepare(self.maker.inputs(self.simulator.draw(rng)))
            self._steps[chains] = self.driver.tune(rng, data, chains, self.task.effort.tuning)
        return self._steps[chains]

    def sweep(self, rng: np.random.Generator, state: Any, data: Any, chains: int = 1) -> Any:
        """Return the sampler's state, of that many chains, after one sweep."""
        return self.driver.sweep(rng, state, data, self.steps(chains))

    def update(self, node: str, rng: np.random.Generator, state: Any, data: Any, chains: int) -> Any:
        """Return the sampler's state, of that many chains, after the update of one node."""
        return self.driver.update(node, rng, state, data, self.steps(chains))

    def to_state(self, state: State, chains: int = 1) -> Any:
        """Return the sampler's state, the same in every chain."""
        arrays = self.maker.nodes(state, self.names)
        return self.driver.State(**{name: np.repeat(a[None], chains, axis=0) for name, a in arrays.items()})

    def to_values(self, state: State, arrays: Any) -> State:
        """Return a simulator's state with the nodes of the sampler's first chain in it."""
        found = dict(state)
        for name in self.names:
            array = np.asarray(getattr(arrays, name))[0]
            layout, keys = self.maker.layouts[name], self.maker.keys[name]
            flat = array.reshape(len(keys), *layout.shape)
            found[name] = {
                key: _plain(value) for key, value in zip(keys, flat, strict=True) if key in state[name]
            }
        return found

    def measure(self, state: Any, data: Any, arrays: Arrays) -> np.ndarray:
        """Return the quantities of the sampler's state, shape (chains, quantities)."""
        nodes = {name: np.asarray(getattr(state, name)) for name in self.names}
        with np.errstate(all="ignore"):
            return self.quantities.evaluate(nodes, arrays, np.asarray(self.module.log_joint(state, data)))

    def draw_quantities(self, rng: np.random.Generator) -> np.ndarray:
        """Return the quantities of one forward draw, shape (1, quantities)."""
        drawn = self.simulator.draw(rng)
        data = self.module.prepare(self.maker.inputs(drawn))
        return self.measure(self.to_state(drawn), data, self.maker.data(drawn))

    def bounded(self, quantities: np.ndarray) -> np.ndarray:
        """Return the bounded functions of quantities, shape (chains, functions)."""
        return apply_functions(self.functions, self.scales.squeeze(quantities))

    def functions_of(self, node: str) -> np.ndarray:
        """Return the places of the functions that an update of the node, or a whole sweep, can change."""
        every = node == SWEEP
        return np.array(
            [k for k, f in enumerate(self.functions) if every or node in f.nodes or "" in f.nodes]
        )


def _plain(value: np.ndarray) -> Any:
    return float(value) if np.ndim(value) == 0 else value


# --- the replicates ---------------------------------------------------------------------------------------


def run_prior(bench: Bench, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return the means of the functions over forward draws, and what single updates do to them.

    ``mean`` and ``square`` are of the functions and their squares (the marginal-conditional simulator).
    ``update NODE`` is the change of the functions by one update; its mean is 0 if the update is right.
    """
    found, block = [], bench.task.effort.block
    for _ in range(block):
        drawn = bench.simulator.draw(rng)
        data, arrays = bench.module.prepare(bench.maker.inputs(drawn)), bench.maker.data(drawn)
        before = bench.bounded(bench.measure(bench.to_state(drawn), data, arrays))[0]
        changes = _try_updates(bench, rng, drawn, data, arrays, before)
        found.append({"mean": before, "square": before**2} | changes)
    return {name: np.mean([each[name] for each in found], axis=0) for name in found[0]}


def _try_updates(
    bench: Bench, rng: np.random.Generator, drawn: State, data: Any, arrays: Arrays, before: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the change of the functions by each node's update, and by a sweep, averaged over copies of a state."""
    copies, found = bench.task.effort.copies, {}
    state = bench.to_state(drawn, copies)
    for node in (*bench.updates, SWEEP):
        if node == SWEEP:
            moved = bench.sweep(rng, state, data, copies)
        else:
            moved = bench.update(node, rng, state, data, copies)
        after = bench.bounded(bench.measure(moved, data, arrays))
        found[f"update {node}"] = (after.mean(axis=0) - before)[bench.functions_of(node)]
    return found


def run_chain(bench: Bench, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return the mean of the functions over sweeps and new data (the successive-conditional simulator)."""
    effort, drawn = bench.task.effort, bench.simulator.draw(rng)
    data = bench.module.prepare(bench.maker.inputs(drawn))
    state, total = bench.to_state(drawn), np.zeros(len(bench.functions))
    for _ in range(effort.steps):
        state, arrays = bench.sweep(rng, state, data), bench.maker.data(drawn)
        total += bench.bounded(bench.measure(state, data, arrays))[0]
        drawn = bench.simulator.redraw_data(bench.to_values(drawn, state), rng)
        data = bench.module.prepare(bench.maker.inputs(drawn))
    return {"chain": total / effort.steps}


def run_ranks(bench: Bench, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return the rank of each true quantity among those of independent chains, each run from its own start."""
    effort = bench.task.effort
    drawn = bench.simulator.draw(rng)
    data, arrays = bench.module.prepare(bench.maker.inputs(drawn)), bench.maker.data(drawn)
    sampled = bench.module.sample(
        data, draws=1, warmup=effort.warmup, chains=effort.draws, seed=int(rng.integers(2**31))
    )
    last = {name: np.asarray(sampled[name]) for name in bench.names}
    if any(array.shape[1] == 0 for array in last.values()):
        raise KeyboardInterrupt
    state = bench.driver.State(**{name: array[:, -1] for name, array in last.items()})
    draws = bench.measure(state, data, arrays)
    truth = bench.measure(bench.to_state(drawn), data, arrays)
    ties = (draws == truth).sum(axis=0)
    return {"rank": (draws < truth).sum(axis=0) + rng.integers(0, ties + 1)}


RUNNERS: dict[Kind, Callable[[Bench, np.random.Generator], dict[str, np.ndarray]]] = {
    "prior": run_prior,
    "chain": run_chain,
    "ranks": run_ranks,
}

_benches: dict[str, Bench] = {}
_setting_up = Lock()  # a worker of a cluster may have several threads


def bench_of(task: Task) -> Bench:
    """Return the bench of a task, set up once in each process."""
    with _setting_up:
        if task.key not in _benches:
            _benches.clear()
            _benches[task.key] = Bench(task)
        return _benches[task.key]


def run_replicate(task: Task, kind: Kind, number: int) -> Replicate:
    """Return one replicate; a sampler that raises or returns no finite numbers is reported, not raised."""
    bench = bench_of(task)
    rng = bench.rng(KINDS.index(kind), number)
    try:
        with np.errstate(all="ignore"):
            values = RUNNERS[kind](bench, rng)
    except (ArithmeticError, ValueError, IndexError, KeyError, TypeError, np.linalg.LinAlgError) as error:
        return Replicate(kind=kind, number=number, values={}, error=f"{type(error).__name__}: {error}")
    bad = [name for name, array in values.items() if not np.all(np.isfinite(array))]
    if bad:
        error_text = f"{bad[0]}: a value that is not finite"
        return Replicate(kind=kind, number=number, values={}, error=error_text)
    rounded = {name: tuple(float(f"{v:.9g}") for v in array.tolist()) for name, array in values.items()}
    return Replicate(kind=kind, number=number, values=rounded)


def run_batch(task: Task, batch: Sequence[tuple[Kind, int]]) -> list[Replicate]:
    """Return a batch of replicates; this is what a core or a Dask worker is given."""
    return [run_replicate(task, kind, number) for kind, number in batch]
