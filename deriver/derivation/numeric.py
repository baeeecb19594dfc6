"""The numeric side of a derivation: a conditional's parameters, its log kernel and the log joint at a state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from sympy import Expr, Tuple

from deriver.algebra.evaluate import compile_expression, evaluate, holds, index_values
from deriver.algebra.heads import Ref
from deriver.derivation.factors import Definitions
from deriver.derivation.records import Conditional, Definition, Factor
from deriver.families import family as family_record
from deriver.families.numeric import Chance
from deriver.families.symbolic import complement
from deriver.families.truncation import log_mass

Parameters = dict[str, Any]


class Completed(dict):
    """A state in which deterministic nodes have the value of their definition, worked out when asked for."""

    def __init__(self, state: Mapping, definitions: tuple[Definition, ...]) -> None:
        super().__init__(state)
        for definition in definitions:
            self[definition.element.name] = _Defined(self, definition)


class _Defined:
    """The values of one deterministic node, by index tuple."""

    def __init__(self, state: Completed, definition: Definition) -> None:
        self._state, self._definition = state, definition

    def __getitem__(self, key: tuple[int, ...]) -> Any:
        own = dict(zip(self._definition.element.indices, key, strict=True))
        return evaluate(self._definition.expression, self._state, own)


def parameters_at(conditional: Conditional, state: Mapping, index: tuple[int, ...] = ()) -> Parameters:
    """Return the derived standard parameters (precision and linear for normals, …) as numbers.

    ``state`` maps names to {index tuple: value}, indices 1-based; vectors and matrices are arrays.
    """
    state = Completed(state, conditional.definitions)
    own = dict(zip(conditional.indices, index, strict=True))
    values = {name: evaluate(expr, state, own) for name, expr in conditional.parameters}
    if conditional.truncation is not None:
        _, lower, upper = conditional.support
        values["lower"] = -np.inf if lower is None else evaluate(lower, state, own)
        values["upper"] = np.inf if upper is None else evaluate(upper, state, own)
    return values


def canonical_at(
    conditional: Conditional, state: Mapping, index: tuple[int, ...] = ()
) -> tuple[str, Parameters]:
    """Return (family key, canonical parameters): normal mean and var, mvnormal mean and cov, wishart df and scale.

    Raises ``ValueError`` for a node that is not conjugate.
    """
    if conditional.family is None:
        raise ValueError(f"{conditional.node} has no family: it is drawn by {conditional.method}")
    return conditional.family, to_canonical(conditional.family, parameters_at(conditional, state, index))


def to_canonical(family: str, values: Parameters) -> Parameters:
    """Turn derived parameters (A and b, inverse scale) into the family's canonical ones."""
    values = dict(values)
    if family == "normal" and "precision" in values:
        precision = values.pop("precision")
        return {"mean": values.pop("linear") / precision, "var": 1.0 / precision, **values}
    if family == "mvnormal" and "precision" in values:
        precision = values.pop("precision")
        linear = np.broadcast_to(values.pop("linear"), precision.shape[:1])
        mean = np.linalg.solve(precision, linear)
        return {"mean": mean, "cov": np.linalg.inv(precision), **values}
    if family == "wishart" and "inverse_scale" in values:
        return {"df": values["df"], "scale": np.linalg.inv(values["inverse_scale"])}
    return values


def log_kernel_at(conditional: Conditional, state: Mapping, index: tuple[int, ...], value: Any) -> float:
    """Return the derived log density, up to a constant, with the element at ``index`` set to ``value``."""
    changed = with_element(state, conditional.node, index, value)
    own = dict(zip(conditional.indices, index, strict=True))
    return evaluate(conditional.log_kernel, Completed(changed, conditional.definitions), own)


def log_conditional_at(conditional: Conditional, state: Mapping, index: tuple[int, ...], value: Any) -> float:
    """Return the log density of the recognised family at ``value``, or the log kernel where there is none."""
    if conditional.family is None:
        return log_kernel_at(conditional, state, index, value)
    family, values = canonical_at(conditional, state, index)
    record = family_record(family)
    return record.logpdf(value, *(values[name] for name in record.parameters))


def with_element(state: Mapping, name: str, index: tuple[int, ...], value: Any) -> dict:
    """Return the state with one element replaced."""
    return {**state, name: {**state[name], index: value}}


def elements(ranges: tuple[Tuple, ...], state: Mapping) -> Iterator[tuple[int, ...]]:
    """Yield the index tuples over which a node or factor ranges."""
    for indices in index_values(Tuple(*ranges), state, {}):
        yield tuple(indices[bound[0]] for bound in ranges)


def stated_elements(
    conditional: Conditional, factors: tuple[Factor, ...], state: Mapping
) -> list[tuple[int, ...]]:
    """Return the index tuples of a node's elements, without those outside of the subsets over which it is stated."""
    own = [factor for factor in factors if factor.value.name == conditional.node]
    if not any(factor.conditions for factor in own):
        return list(elements(conditional.ranges, state))
    found = {
        tuple(int(evaluate(place, state, indices)) for place in factor.value.indices)
        for factor in own
        for indices in index_values(Tuple(*factor.bounds), state, {})
        if holds(Tuple(*factor.conditions), state, indices)
    }
    return sorted(found)


def log_joint(factors: tuple[Factor, ...], definitions: tuple[Definition, ...], state: Mapping) -> float:
    """Return the log joint density, each term by its family's numeric log density."""
    completed = Completed(state, definitions)
    return sum(_log_factor(factor, definitions, completed) for factor in factors)


def _log_factor(factor: Factor, definitions: tuple[Definition, ...], state: Mapping) -> float:
    record = family_record(factor.family)
    conditions = Tuple(*factor.conditions)
    rests = [
        _rest(name, argument, definitions)
        for name, argument in zip(record.parameters, factor.arguments, strict=True)
    ]
    total = 0.0
    for indices in index_values(Tuple(*factor.bounds), state, {}):
        if not holds(conditions, state, indices):
            continue
        value = _number(factor.value, state, indices)
        arguments = [_number(argument, state, indices) for argument in factor.arguments]
        for place, rest in enumerate(rests):
            if rest is not None:
                arguments[place] = Chance(arguments[place], _number(rest, state, indices))
        total += record.logpdf(value, *arguments)
        if factor.truncation is not None:
            total += _log_truncation(factor, value, arguments, state, indices)
    return total


@lru_cache(maxsize=256)
def _rest(name: str, argument: Expr, definitions: tuple[Definition, ...]) -> Expr | None:
    """Return 1 - a probability that is computed, the definitions written out; None of any other argument."""
    if name != "prob" or not argument.is_commutative:
        return None
    prob = Definitions(definitions).expand(argument)
    return None if isinstance(prob, Ref) or prob.is_number else complement(prob)


def _number(expr: Expr, state: Mapping, indices: dict) -> Any:
    value = compile_expression(expr)(state, indices)
    if isinstance(value, np.ndarray):
        return evaluate(expr, state, indices)
    return value


def _log_truncation(factor: Factor, value: float, arguments: list, state: Mapping, indices: dict) -> float:
    """Return −log of the probability of the truncation interval, −inf outside it."""
    assert factor.truncation is not None
    ends = [None if end is None else _number(end, state, indices) for end in factor.truncation]
    lower = -np.inf if ends[0] is None else ends[0]
    upper = np.inf if ends[1] is None else ends[1]
    if not lower <= value <= upper:
        return -np.inf
    return -log_mass(family_record(factor.family), lower, upper, *arguments)
