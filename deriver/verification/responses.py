"""What an update function reacts to, element by element, against what the conditional depends on.

Stage verification.  The function is called twice with the same random numbers, once at a state and once with one
element of one quantity changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from deriver.derivation.lower import Lowering
from deriver.derivation.numeric import log_conditional_at
from deriver.derivation.records import Conditional
from deriver.derivation.states import redraw
from deriver.model.records import Given, Model
from deriver.verification.arrays import ArrayMaker, Arrays
from deriver.verification.reference import make_reference
from deriver.verification.simulate import Simulator, State

# (rng, state: nodes as arrays, data: givens and data as arrays) -> new value of the node
UpdateFunction = Callable[[np.random.Generator, dict[str, np.ndarray], dict[str, np.ndarray]], Any]
MOST_ELEMENTS = 12
SEEDS = 4
SEEDS_OF_A_MOVE = 40
RESPONSE_DRAWS = 40


class WrongValue(Exception):
    """The function raised, or returned something that is no value of the node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is off with the response to one quantity.

    ``kind``: ``unread`` (never, though the conditional depends on it), ``partly`` (not to the named elements),
    ``needless`` (though the conditional does not depend on it), ``response`` (it reacts, by a wrong amount).
    """

    kind: Literal["unread", "partly", "needless", "response"]
    name: str
    elements: tuple[str, ...] = ()
    amount: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Updater:
    """The user's function, called safely: it gets copies, and what it returns is checked.

    ``moves`` marks a Metropolis step, which gives no draw of the conditional but a move of the current value.
    """

    node: str
    function: UpdateFunction
    maker: ArrayMaker
    names: tuple[str, ...]
    moves: bool
    remarks: list[str] = field(default_factory=list)

    def keys(self, state: State) -> list[tuple[int, ...]]:
        """Return the index tuples of the node's elements."""
        return [key for key in self.maker.keys[self.node] if key in state[self.node]]

    def element(self, stacked: np.ndarray, key: tuple[int, ...]) -> np.ndarray:
        """Return one element of values of the node, stacked along a first axis."""
        where: tuple[Any, ...] = (slice(None), *self.place(key))
        return stacked[where]

    def place(self, key: tuple[int, ...]) -> tuple[int, ...]:
        """Return where an element stands in the node's array."""
        layout = self.maker.layouts[self.node]
        plates = layout.extents[: len(layout.extents) - len(layout.shape)]
        number = self.maker.keys[self.node].index(key)
        return tuple(int(k) for k in np.unravel_index(number, plates)) if plates else ()

    def inputs(self, state: State) -> Arrays:
        """Return the givens and data as arrays."""
        return self.maker.inputs(state)

    def call(self, rng: np.random.Generator, state: State, inputs: Arrays) -> np.ndarray:
        """Return the node's new value as an array; raise ``WrongValue`` if it is none."""
        own = self.maker.nodes(state, self.names)
        given = {name: np.array(array) for name, array in own.items()}
        data = {name: np.array(array) for name, array in inputs.items()}
        try:
            value = np.asarray(self.function(rng, given, data), dtype=float)
        except Exception as error:  # whatever the user's function raises is reported as its own
            raise WrongValue(f"the function raised {type(error).__name__}: {error}") from error
        self._note_changes(own, given, "state")
        self._note_changes(inputs, data, "data")
        extents = self.maker.layouts[self.node].extents
        if value.shape != extents:
            raise WrongValue(
                f"the function returned an array of shape {value.shape}; {self.node} has {extents}"
            )
        if not np.all(np.isfinite(value)):
            raise WrongValue("the function returned values that are not finite")
        return value

    def _note_changes(
        self, before: Mapping[str, np.ndarray], after: Mapping[str, np.ndarray], what: str
    ) -> None:
        for name, array in before.items():
            changed = after[name].shape != array.shape or not np.array_equal(after[name], array)
            text = f"the function changes {name} of its argument `{what}` in place"
            if changed and text not in self.remarks:
                self.remarks.append(text)

    def with_value(self, state: State, value: np.ndarray) -> State:
        """Return the state with the node's new value."""
        keys = self.keys(state)
        new = {key: _plain(value[self.place(key)]) for key in keys}
        return {**state, self.node: {**state[self.node], **new}}


def _plain(value: Any) -> Any:
    return float(value) if np.ndim(value) == 0 else value


def find_responses(
    conditional: Conditional,
    updater: Updater,
    simulator: Simulator,
    rng: np.random.Generator,
    *,
    failed: bool,
) -> tuple[Finding, ...]:
    """Return what is off with the response to every other quantity.

    Amounts, and needless reactions, are looked for only when the distribution is wrong (``failed``); so is what a
    Metropolis step does not read, since a step that is not taken hides it.
    """
    state = simulator.draw(rng)
    model, findings = simulator.model, []
    for name in _quantities(model, conditional.node):
        finding = _respond(conditional, updater, model, state, name, rng, failed)
        if finding is not None:
            findings.append(finding)
    wrong = [f for f in findings if f.kind == "response"]
    largest = max((abs(f.amount) for f in wrong), default=0.0)
    return tuple(f for f in findings if f.kind != "response" or abs(f.amount) > largest / 4)


def _quantities(model: Model, node: str) -> list[str]:
    """Return the names that a conditional may depend on: other nodes, data, covariates and hyperparameters."""
    nodes = [n.name for n in model.nodes if n.kind == "stochastic" and n.name != node]
    givens = [
        g.name for g in model.givens if g.origin == "given" and g.support.kind in ("real", "spd", "cholesky")
    ]
    return nodes + givens


def _respond(
    conditional: Conditional, updater: Updater, model: Model, state: State, name: str, rng: np.random.Generator,
    failed: bool,
) -> Finding | None:  # fmt: skip
    unread: list[str] = []
    read: list[str] = []
    needless: list[str] = []
    amounts: list[float] = []
    keys = list(state[name])
    for key in (
        keys if len(keys) <= MOST_ELEMENTS else keys[: MOST_ELEMENTS // 2] + keys[-MOST_ELEMENTS // 2 :]
    ):
        changed = _perturb(model, state, name, key, rng)
        element = f"{name}[{','.join(map(str, key))}]" if key else name
        expected, observed = (
            _depends(conditional, updater, state, changed, rng),
            _reacts(updater, state, changed),
        )
        if expected:
            (read if observed else unread).append(element)
            if observed and failed and not conditional.coupled:
                amounts.append(_score_shift(conditional, updater, state, changed))
        elif observed:
            needless.append(element)
    if unread and (failed or not updater.moves):
        return Finding(kind="partly" if read else "unread", name=name, elements=tuple(unread))
    if failed and needless and not read:
        return Finding(kind="needless", name=name, elements=tuple(needless))
    largest = max(amounts, key=abs, default=0.0)
    return Finding(kind="response", name=name, amount=largest) if abs(largest) > 0.1 else None


def _perturb(model: Model, state: State, name: str, key: tuple[int, ...], rng: np.random.Generator) -> State:
    """Return the state with one element of a quantity changed within its support."""
    declared = next((given for given in model.givens if given.name == name), None)
    old = state[name][key]
    if declared is None:
        new = redraw(model, name, key, state, rng)
        new = new if np.any(np.asarray(new) != np.asarray(old)) else redraw(model, name, key, state, rng)
    else:
        new = _moved(declared, model, old)
    return {**state, name: {**state[name], key: new}}


def _moved(given: Given, model: Model, old: Any) -> Any:
    kind, lower, upper = Lowering(model).support(given.support)
    if kind in ("spd", "cholesky") or (lower is not None and upper is None):
        return old * 1.3
    if lower is not None:
        return old * 0.9
    return old * 1.3 + 0.4 if upper is None else old - 0.3


def _depends(
    conditional: Conditional, updater: Updater, before: State, after: State, rng: np.random.Generator
) -> bool:
    """Tell whether the conditional of some element differs between two states, by its ratio at two values."""
    for key in updater.keys(before):
        other = redraw(updater.maker.model, conditional.node, key, before, rng)
        here = before[conditional.node][key]
        ratios = [
            log_conditional_at(conditional, state, key, here)
            - log_conditional_at(conditional, state, key, other)
            for state in (before, after)
        ]
        if not abs(ratios[0] - ratios[1]) <= 1e-7 * (1 + abs(ratios[0])):
            return True
    return False


def _reacts(updater: Updater, before: State, after: State) -> bool:
    """Tell whether the function gives another value at one of several seeds."""
    inputs = updater.inputs(before), updater.inputs(after)
    for seed in range(SEEDS_OF_A_MOVE if updater.moves else SEEDS):
        values = [
            updater.call(np.random.default_rng(seed), state, data)
            for state, data in zip((before, after), inputs, strict=True)
        ]
        if not np.allclose(values[0], values[1], rtol=1e-12, atol=0):
            return True
    return False


def _score_shift(conditional: Conditional, updater: Updater, before: State, after: State) -> float:
    """Return how much the mean pivot moves between two states; 0 in distribution if the reaction is right."""
    means = []
    for state in (before, after):
        inputs, keys = updater.inputs(state), updater.keys(state)
        draws = np.array([
            updater.call(np.random.default_rng(seed), state, inputs) for seed in range(RESPONSE_DRAWS)
        ])  # fmt: skip
        pivots = []
        for key in keys:
            reference = make_reference(conditional, state, key, np.random.default_rng(0))
            if reference is None:
                return 0.0
            with np.errstate(all="ignore"):
                pivots.append(np.nan_to_num(reference.pivots(updater.element(draws, key))))
        means.append(np.mean(pivots, axis=1))
    shift = np.ravel(means[1] - means[0])
    return float(shift[np.argmax(np.abs(shift))])
