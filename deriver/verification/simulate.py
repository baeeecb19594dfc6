"""Forward simulation from the model statement: every stochastic node drawn given its parents, in order.

Stage verification.  Input: a ``Model`` and the values of its givens.  Output: states, as ``derive.states`` has them:
``{name: {1-based index tuple: value}}``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sympy import Expr, Tuple

from deriver.algebra.evaluate import Indices, evaluate, holds, index_values
from deriver.derivation.factors import build_factors
from deriver.derivation.lower import Lowering
from deriver.derivation.numeric import Completed, log_joint
from deriver.derivation.records import Factor
from deriver.errors import Mistake, UsageError
from deriver.families import family as family_record
from deriver.model.records import Model
from deriver.verification.draws import Undrawable, draw_value

State = dict[str, dict[tuple[int, ...], Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """One element of a stochastic node, with the factor that it is drawn from."""

    name: str
    key: tuple[int, ...]
    factor: Factor
    indices: Indices
    observed: bool


class Simulator:
    """Draws whole states of a model, and the data alone, from the statements themselves."""

    def __init__(self, model: Model, givens: Mapping[str, Mapping]) -> None:
        self.model, self.givens = model, givens
        self.factors, definitions = build_factors(model, Lowering(model))
        self.definitions = definitions.all
        _check_proper(self.factors)
        self._order: list[Element] | None = None

    def draw(self, rng: np.random.Generator) -> State:
        """Return a state in which every stochastic node is drawn given its parents."""
        state: State = {name: dict(values) for name, values in self.givens.items()}
        state |= {node.name: {} for node in self.model.nodes if node.kind == "stochastic"}
        if self._order is None:
            self._order = self._draw_in_any_order(state, rng)
            return state
        self._fill(self._order, state, rng)
        return state

    def drawn_keys(self, name: str) -> set[tuple[int, ...]]:
        """Return the elements of a node that are not fixed by the model; a state must have been drawn."""
        assert self._order is not None
        return {each.key for each in self._order if each.name == name and each.factor.fixed is None}

    def redraw_data(self, state: State, rng: np.random.Generator) -> State:
        """Return the state with the data drawn anew given all else."""
        assert self._order is not None
        data = {element.name for element in self._order if element.observed}
        state = {name: dict(values) if name in data else values for name, values in state.items()}
        self._fill([element for element in self._order if element.observed], state, rng)
        return state

    def log_joint(self, state: State) -> float:
        """Return the log joint density, each term by its family's own numeric density."""
        factors = tuple(factor for factor in self.factors if factor.fixed is None)
        return log_joint(factors, self.definitions, state)

    def _fill(self, order: list[Element], state: State, rng: np.random.Generator) -> None:
        completed = Completed(state, self.definitions)
        for element in order:
            state[element.name][element.key] = _draw_element(element, completed, rng)

    def _draw_in_any_order(self, state: State, rng: np.random.Generator) -> list[Element]:
        """Draw whatever has its parents until all is drawn; return the order found."""
        completed = Completed(state, self.definitions)
        waiting, order = self._elements(state), []
        while waiting:
            later = []
            for element in waiting:
                try:
                    value = _draw_element(element, completed, rng)
                except KeyError:
                    later.append(element)
                    continue
                state[element.name][element.key] = value
                order.append(element)
            if len(later) == len(waiting):
                names = ", ".join(dict.fromkeys(element.name for element in later))
                found = f"{names} cannot be drawn forwards from the givens"
                raise UsageError([Mistake(code="not-forward", found=found, remedy="set other sizes")])
            waiting = later
        return order

    def _elements(self, state: State) -> list[Element]:
        found = []
        for factor in self.factors:
            observed = self.model.node(factor.value.name).is_response
            for indices in index_values(Tuple(*factor.bounds), state, {}):
                if holds(Tuple(*factor.conditions), state, indices):
                    key = tuple(int(evaluate(place, state, indices)) for place in factor.value.indices)
                    found.append(
                        Element(
                            name=factor.value.name, key=key, factor=factor, indices=indices, observed=observed
                        )
                    )
        return found


def _draw_element(element: Element, state: Mapping, rng: np.random.Generator) -> Any:
    factor = element.factor
    if factor.fixed is not None:
        return evaluate(factor.fixed, state, element.indices)
    parameters = [evaluate(argument, state, element.indices) for argument in factor.arguments]
    ends = _ends(factor.truncation, state, element.indices)
    try:
        return draw_value(rng, family_record(factor.family), parameters, ends)
    except Undrawable as error:
        found = f"{element.name}{list(element.key) if element.key else ''} cannot be drawn: {error}"
        remedy = "set moderate values with --set NAME=VALUE"
        raise UsageError([Mistake(code="undrawable", found=found, remedy=remedy)]) from None


def _ends(
    truncation: tuple[Expr | None, Expr | None] | None, state: Mapping, indices: Indices
) -> tuple[float, float]:
    if truncation is None:
        return (-math.inf, math.inf)
    lower, upper = truncation
    return (
        -math.inf if lower is None else evaluate(lower, state, indices),
        math.inf if upper is None else evaluate(upper, state, indices),
    )


def _check_proper(factors: tuple[Factor, ...]) -> None:
    """Raise ``UsageError`` naming every node whose prior is improper."""
    mistakes = [
        Mistake(
            code="improper",
            found=f"{factor.value.name} has an improper prior, from which nothing can be drawn",
            expected="a proper prior for every node: simulation starts from it",
            remedy=f"for the verification, write {factor.value.name} ~ N(0, 10) or another proper prior",
        )
        for factor in factors
        if family_record(factor.family).improper
    ]
    if mistakes:
        raise UsageError(mistakes)
