"""Looking for a value at which a variance is not positive or a covariance not positive definite.

A witness is a state inside the supports: found, it proves the mistake and shows it; not found proves nothing.
Every element of a node takes the same value, and unknown dimensions are tried as 1, 2 and 3.  Only number and
small matrix expressions are tried.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from deriver.language.intervals import Interval
from deriver.model.expressions import (
    Binary,
    Call,
    Expression,
    MatrixRows,
    Negate,
    Number,
    Reference,
    Transpose,
    children,
)

Value = float | np.ndarray
_MOST_LEAVES = 4


class NoValue(Exception):
    """The expression has a part that is not tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaves:
    """The names that take values: nodes (any value of their interval), knowns (held), dimensions.

    ``interval`` gives the interval of a node for known values; ``definitions`` the expressions of
    deterministic nodes.
    """

    nodes: Mapping[str, Callable[[Mapping[str, Value]], Interval]]
    knowns: Mapping[str, Interval]
    dimensions: tuple[str, ...]
    definitions: Mapping[str, Expression]


def find_witness(
    expression: Expression, leaves: Leaves, fails: Callable[[Value], bool]
) -> dict[str, float] | None:
    """Return values of the names at which ``fails`` is true whatever the knowns are; None if none is found."""
    names = _leaf_names(expression, leaves)
    if names is None or not any(name in leaves.nodes for name in names):
        return None
    nodes = [name for name in names if name in leaves.nodes]
    knowns = [name for name in names if name in leaves.knowns]
    sizes = [name for name in names if name in leaves.dimensions]
    if len(nodes) > _MOST_LEAVES:
        return None
    with np.errstate(all="ignore"):
        for chosen in itertools.product((2, 3, 1), repeat=min(len(sizes), 2)):
            fixed: dict[str, Value] = dict(zip(sizes, map(float, chosen), strict=False))
            found = _try_knowns(expression, leaves, fails, fixed, nodes, knowns)
            if found is not None:
                shown = {name: found[name] for name in [*sizes, *nodes] if name in found}
                return {name: float(value) for name, value in shown.items()}
    return None


def _leaf_names(expression: Expression, leaves: Leaves) -> list[str] | None:
    """Return the names below an expression, definitions followed; None if one has no values to try."""
    found: dict[str, None] = {}
    waiting, seen = [expression], set()
    while waiting:
        for each in _free_references(waiting.pop()):
            name = each.name
            if name in leaves.definitions and name not in seen:
                seen.add(name)
                waiting.append(leaves.definitions[name])
            elif name in leaves.nodes or name in leaves.knowns or name in leaves.dimensions:
                found.setdefault(name)
            elif name not in seen:
                return None
    return list(found)


def _free_references(expression: Expression) -> list[Reference]:
    """Return the references of a tree, those inside subscripts left out."""
    if isinstance(expression, Reference):
        return [expression]
    return [found for child in children(expression) for found in _free_references(child)]


def _try_knowns(
    expression: Expression,
    leaves: Leaves,
    fails: Callable[[Value], bool],
    fixed: dict[str, Value],
    nodes: list[str],
    knowns: list[str],
) -> dict[str, Value] | None:
    """Return a failing state for the last setting of the knowns, if there is one for every setting."""
    found = None
    for setting in range(3 if knowns else 1):
        held = {name: _points(leaves.knowns[name])[setting] for name in knowns}
        found = _try_nodes(expression, leaves, fails, {**fixed, **held}, nodes)
        if found is None:
            return None
    return found


def _try_nodes(
    expression: Expression,
    leaves: Leaves,
    fails: Callable[[Value], bool],
    held: dict[str, Value],
    nodes: list[str],
) -> dict[str, Value] | None:
    try:
        grids = [_points(leaves.nodes[name](held)) for name in nodes]
        for chosen in itertools.product(*grids):
            state = {**held, **dict(zip(nodes, chosen, strict=True))}
            if fails(evaluate(expression, state, leaves.definitions)):
                return state
    except (NoValue, ArithmeticError, ValueError, np.linalg.LinAlgError):
        return None
    return None


def _points(interval: Interval) -> list[float]:
    """Return values inside an interval, near its ends among them."""
    low, high = interval.lower, interval.upper
    if math.isinf(low) and math.isinf(high):
        return [0.7, -0.5, 3.0, -4.0]
    if math.isinf(high):
        return [low + 1.0, low + 0.05, low + 7.0]
    if math.isinf(low):
        return [high - 1.0, high - 0.05, high - 7.0]
    width = high - low
    return [low + 0.5 * width, low + 0.02 * width, low + 0.98 * width]


def evaluate(
    expression: Expression, state: Mapping[str, Value], definitions: Mapping[str, Expression]
) -> Value:
    """Return the value of a number or small matrix expression; ``NoValue`` for what is not tried."""

    def inner(part: Expression) -> Value:
        return evaluate(part, state, definitions)

    match expression:
        case Number(value=number):
            return float(number)
        case Reference(name=name) if name in state:
            return state[name]
        case Reference(name=name) if name in definitions:
            return inner(definitions[name])
        case Negate(operand=operand):
            return -inner(operand)
        case Transpose(operand=operand):
            value = inner(operand)
            return value.T if isinstance(value, np.ndarray) else value
        case Binary(operator=operator, left=left, right=right):
            return _combine(operator, inner(left), inner(right))
        case Call(function=function, arguments=arguments):
            return _apply(function, [inner(each) for each in arguments])
        case MatrixRows(rows=rows):
            return np.array([[_number(inner(entry)) for entry in row] for row in rows])
    raise NoValue


def _number(value: Value) -> float:
    if isinstance(value, np.ndarray):
        raise NoValue
    return value


def _combine(operator: str, left: Value, right: Value) -> Value:
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            if isinstance(left, np.ndarray) and isinstance(right, np.ndarray):
                return left @ right
            return left * right
        case "/":
            return left / right
    base, exponent = _number(left), _number(right)
    if base < 0 and exponent != int(exponent):
        raise NoValue
    return base**exponent


def _apply(function: str, values: list[Value]) -> Value:
    first = values[0]
    simple: dict[str, Callable[[Value], Value]] = {
        "exp": np.exp, "log": np.log, "sqrt": np.sqrt, "abs": np.abs,
        "expit": lambda x: 1 / (1 + np.exp(-x)), "logit": lambda x: np.log(x / (1 - x)),
        "normal_cdf": lambda x: math.erfc(-_number(x) / math.sqrt(2.0)) / 2, "is_positive": lambda x: float(_number(x) > 0),
        "floor": np.floor,
    }  # fmt: skip
    if function in simple:
        return simple[function](first)
    match function, first:
        case "max", _:
            return max(_number(each) for each in values)
        case "min", _:
            return min(_number(each) for each in values)
        case "inv", np.ndarray():
            return np.linalg.inv(first)
        case "inv", _:
            return 1 / first
        case "eye", float():
            return np.eye(int(first))
        case "exchangeable", float():
            size = int(_number(values[1]))
            return (1 - first) * np.eye(size) + first
    raise NoValue
