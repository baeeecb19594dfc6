"""What moves a sampler: its updates and sweeps, for all chains at once, whichever backend wrote it.

Stage verification.  A sampler of the numpy backend takes and returns the states of all chains.  Functions of the numba
backend update one chain in place: there, each chain's values are put through one chain in turn.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import make_dataclass, replace
from functools import cached_property
from types import ModuleType
from typing import Any, Protocol

import numpy as np


class Driver(Protocol):
    """Moves the states of all chains; a state has an array (chains, ...) for each node."""

    module: ModuleType
    State: Any

    @property
    def names(self) -> tuple[str, ...]:
        """The nodes of the state."""
        ...

    def tune(self, rng: np.random.Generator, data: Any, chains: int, sweeps: int) -> Any:
        """Return proposals that have been tuned on these data, None where there are none."""
        ...

    def sweep(self, rng: np.random.Generator, state: Any, data: Any, steps: Any) -> Any:
        """Return the state after a sweep."""
        ...

    def update(self, node: str, rng: np.random.Generator, state: Any, data: Any, steps: Any) -> Any:
        """Return the state after the update of one node."""
        ...


def make_driver(module: ModuleType) -> Driver:
    """Return the driver of an imported sampler."""
    return CompiledDriver(module) if hasattr(module, "numba") else ArrayDriver(module)


def list_updates(driver: Driver) -> dict[str, str]:
    """Return the name of the update function of each node that has one of its own."""
    names = {name: (f"draw_{name}", f"update_{name}") for name in driver.names}
    found = {n: next((f for f in options if hasattr(driver.module, f)), "") for n, options in names.items()}
    return {node: function for node, function in found.items() if function}


class ArrayDriver:
    """Of the numpy backend."""

    def __init__(self, module: ModuleType) -> None:
        self.module, self.State = module, module.State

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The nodes of the state."""
        return tuple(self.State.__dataclass_fields__)

    @cached_property
    def _updates(self) -> dict[str, str]:
        return list_updates(self)

    def tune(self, rng: np.random.Generator, data: Any, chains: int, sweeps: int) -> Any:
        """Return proposals for that many chains.

        Where nodes can be updated together, sweeps do so; the function ``sample`` chooses for itself.
        """
        if not hasattr(self.module, "first_steps"):
            return None
        state = self.module.starting_values(rng, data, chains)
        choices = inspect.signature(self.module.first_steps).parameters
        steps = self.module.first_steps(state, **({"collapse": "on"} if "collapse" in choices else {}))
        for number in range(sweeps):
            state, accepted = self.module.sweep(rng, state, data, steps)
            self.module.adapt_steps(steps, state, accepted, number)
        return steps

    def sweep(self, rng: np.random.Generator, state: Any, data: Any, steps: Any) -> Any:
        """Return the state after a sweep."""
        found = self.module.sweep(rng, state, data, *(() if steps is None else (steps,)))
        return found[0] if isinstance(found, tuple) else found

    def update(self, node: str, rng: np.random.Generator, state: Any, data: Any, steps: Any) -> Any:
        """Return the state after the update of one node."""
        tuned = steps is not None and node in steps
        function = getattr(self.module, self._updates[node])
        found = function(rng, state, data, *((steps[node],) if tuned else ()))
        if isinstance(found, self.State):  # the node was drawn together with others
            return found
        return replace(state, **{node: found[0] if isinstance(found, tuple) else found})


class CompiledDriver:
    """Of the numba backend: one chain, through which the values of all chains are put."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self.State = make_dataclass("State", [(name, np.ndarray) for name in self.names], frozen=True)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The nodes of the state."""
        return tuple(self.module.State._fields)

    @cached_property
    def _updates(self) -> dict[str, str]:
        return list_updates(self)

    def tune(self, rng: np.random.Generator, data: Any, chains: int, sweeps: int) -> Any:
        """Return the proposals of one chain, which serve all, by field of the chain.

        Where nodes can be updated together, sweeps do so; the function ``sample`` chooses for itself.
        """
        fields = [name for name in ("steps", "block", "moves") if name in self.module.Chain._fields]
        if not fields:
            return None
        running = self.module.starting_chains(data, 1, int(rng.integers(2**31)))
        if "block" in fields:
            self.module.update_together(running, True)
        self.module.advance(running[0], data, sweeps)
        if "moves" in fields:
            self.module.fit_moves(running, 100)
        return {name: getattr(running[0], name) for name in fields}

    def sweep(self, rng: np.random.Generator, state: Any, data: Any, steps: Any) -> Any:
        """Return the state after a sweep of each chain."""
        function = getattr(self.module, "sweep_together", self.module.sweep)
        return self._over_chains(function, None, rng, state, data, steps)

    def update(self, node: str, rng: np.random.Generator, state: Any, data: Any, steps: Any) -> Any:
        """Return the state after the update of one node in each chain."""
        function = getattr(self.module, self._updates[node])
        return self._over_chains(function, node, rng, state, data, steps)

    def _over_chains(
        self, function: Any, node: str | None, rng: np.random.Generator, state: Any, data: Any, steps: Any
    ) -> Any:
        """Return the state after a function has been called on every chain's values."""
        values = [np.asarray(getattr(state, name)) for name in self.names]
        seed = np.random.SeedSequence(rng.integers(2**63, size=2).tolist())
        chain = self.module.new_chain(seed, [value[0] for value in values], data)
        chain = chain if steps is None else chain._replace(**steps)
        arguments = [_argument(chain, name, node, data) for name in _parameters(function)]
        after = [np.empty_like(value) for value in values]
        views = self._views(chain)
        for k in range(len(values[0])):
            for view, value in zip(views, values, strict=True):
                view[...] = value[k]
            if hasattr(chain, "block"):  # the density was seen from another chain's values
                chain.block.numbers[self.module.KNOWN] = 0.0
            function(*arguments)
            for view, array in zip(views, after, strict=True):
                array[k] = view
        return self.State(**dict(zip(self.names, after, strict=True)))

    def _views(self, chain: Any) -> list[np.ndarray]:
        """Return the nodes of a chain in the order of axes of the data's shapes, a number without axes."""
        views = []
        for name in self.names:
            view = self.module.components_last(getattr(chain.state, name), self.module.SIDES.get(name, 0))
            views.append(view[0, ...] if name in self.module.NUMBERS else view)
        return views


def _parameters(function: Any) -> Sequence[str]:
    plain = getattr(function, "py_func", function)  # numba keeps the function that it compiled
    return list(inspect.signature(plain).parameters)


def _argument(chain: Any, name: str, node: str | None, data: Any) -> Any:
    """Return the argument of a function of one chain: a part of the chain, for an update that of its node."""
    match name:
        case "data":
            return data
        case "gain":
            return 0.0  # proposals are left alone
        case "warming":
            return False
        case "step" | "rate":
            return getattr(getattr(chain, f"{name}s"), node or "")
        case "kept" if node is not None:
            return getattr(chain.kept, node)
    return getattr(chain, name)
