"""Numbers for the expressions of a claim: an evaluator of the language's tree that shares nothing with the package's.

Input: an expression, an ``Environment``.  Output: a float, or an array with two axes (a vector is a column).
A shape that does not fit raises ``BadClaim``: such a text is no claim.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from deriver.language import parse_expression
from deriver.model.expressions import (
    Binary,
    Call,
    Colon,
    Condition,
    Expression,
    MatrixRows,
    Negate,
    Number,
    Reference,
    SumOver,
    Transpose,
)
from tests.hand.common import State

Value = float | np.ndarray


class BadClaim(ValueError):
    """The text cannot be read as a claim: a name, a shape or an index that does not fit."""


@lru_cache(maxsize=20000)
def parsed(text: str) -> Expression:
    """Return the tree of an expression."""
    return parse_expression(text)


@dataclass(frozen=True)
class Environment:
    """A state, the quantities that the claim names, and the values of its indices."""

    state: State
    names: Mapping[str, tuple[tuple[str, ...], Expression]]
    bound: Mapping[str, int]

    def value(self, expression: Expression) -> Value:
        """Return the value of an expression."""
        match expression:
            case Number(value=value):
                return float(value)
            case Reference():
                return self._reference(expression)
            case Negate(operand=operand):
                return -self.value(operand)
            case Transpose(operand=operand):
                return _transposed(self.value(operand))
            case Binary(operator=operator, left=left, right=right):
                return _OPERATORS[operator](self.value(left), self.value(right))
            case Call(function=function, arguments=arguments):
                return _call(function, [self.value(each) for each in arguments])
            case MatrixRows(rows=rows):
                return np.array([[_number(self.value(each)) for each in row] for row in rows])
            case SumOver(index=index, body=body, conditions=conditions):
                return self._sum(index, body, conditions)
        raise BadClaim(f"no value for {type(expression).__name__}")

    def _sum(self, index: str, body: Expression, conditions: tuple[Condition, ...]) -> Value:
        if index in self.bound:
            raise BadClaim(f"{index} is bound already")
        inside = [Environment(self.state, self.names, {**self.bound, index: k}) for k in self._range(index)]
        found = [each.value(body) for each in inside if all(each.holds(c) for c in conditions)]
        if found:
            return sum(found[1:], found[0])
        own = Environment(self.state, self.names, {**self.bound, index: 1})
        return _zero_like(own, body)

    def holds(self, condition: Condition) -> bool:
        """Tell whether the labels of a group are equal."""
        if condition.relation != "=":
            raise BadClaim("a group is given by `=`")
        return _number(self.value(condition.left)) == _number(self.value(condition.right))

    def _range(self, index: str) -> range:
        """The values of a plate's index; a size of one for all is keyed by ()."""
        sizes = {"i": "n", "j": "J", "t": "T", "k": "K", "c": "C", "l": "L"}
        if index not in sizes or sizes[index] not in self.state:
            raise BadClaim(f"{index} is not a plate's index")
        lengths = self.state[sizes[index]]
        if () in lengths:
            return range(1, int(lengths[()]) + 1)
        if "i" not in self.bound:
            raise BadClaim(f"{index} needs an i")
        return range(1, int(lengths[(self.bound["i"],)]) + 1)

    def _reference(self, found: Reference) -> Value:
        name = found.name
        if name in self.names:
            return self._named(found)
        if not found.subscripts and name in self.bound:
            return float(self.bound[name])
        if name not in self.state and name.lower() in self.state:
            name = name.lower()
        if name not in self.state:
            raise BadClaim(f"{name} is unknown")
        return self._element(name, found)

    def _element(self, name: str, found: Reference) -> Value:
        values = self.state[name]
        width = len(next(iter(values)))
        marks = [
            None if isinstance(each, Colon) else int(_number(self.value(each))) for each in found.subscripts
        ]
        if len(marks) == width - 1 and width == 2:
            marks.append(None)
        if len(marks) < width or len(marks) > width + 2:
            raise BadClaim(f"{name} has {width} subscripts")
        own, rest = marks[:width], marks[width:]
        if own[-1:] == [None]:
            return self._rows(name, own)
        if tuple(own) not in values:
            raise BadClaim(f"{name}{own} does not exist")
        return _component(_standard(values[tuple(own)]), rest)

    def _rows(self, name: str, own: list[int | None]) -> np.ndarray:
        """All repeats of one individual: a column of numbers, or a row for each vector."""
        start, values = tuple(own[:-1]), self.state[name]
        chosen = [values[key] for key in sorted(values) if key[:-1] == start]
        one = np.shape(next(iter(values.values())))
        return np.array(chosen, dtype=float).reshape(len(chosen), one[0] if one else 1)

    def _named(self, found: Reference) -> Value:
        indices, expression = self.names[found.name]
        marks = [int(_number(self.value(each))) for each in found.subscripts]
        if len(marks) < len(indices):
            raise BadClaim(f"{found.name} has too few subscripts")
        bound = {**self.bound, **dict(zip(indices, marks, strict=False))}
        rest = {name: value for name, value in self.names.items() if name != found.name}
        return _component(Environment(self.state, rest, bound).value(expression), marks[len(indices) :])


def _zero_like(environment: Environment, body: Expression) -> Value:
    """A sum over nothing: zero, of the shape that the body has where there is something."""
    filled = dict(environment.state)
    for name, values in environment.state.items():
        key = next(iter(values), None)
        if key is not None and len(key) == 2:
            own = (environment.bound.get("i", 1), 1)
            filled[name] = {**values, own: values[key]}
    return 0.0 * Environment(filled, environment.names, environment.bound).value(body)


def _standard(value: object) -> Value:
    array = np.asarray(value, dtype=float)
    return float(array) if array.ndim == 0 else array.reshape(-1, 1) if array.ndim == 1 else array


def _component(value: Value, marks: list) -> Value:
    if not marks:
        return value
    if isinstance(value, float) or None in marks:
        raise BadClaim("a component of a number")
    row, column = marks[0], marks[1] if len(marks) > 1 else 1
    if len(marks) == 1 and value.shape[1] != 1:
        raise BadClaim("a component of a matrix has two subscripts")
    if not (1 <= row <= value.shape[0] and 1 <= column <= value.shape[1]):
        raise BadClaim("no such component")
    return float(value[row - 1, column - 1])


def _number(value: Value) -> float:
    if isinstance(value, np.ndarray):
        if value.size != 1:
            raise BadClaim("a number is wanted")
        return float(value.reshape(()))
    return float(value)


def _plain(value: Value) -> Value:
    return float(value[0, 0]) if isinstance(value, np.ndarray) and value.shape == (1, 1) else value


def _transposed(value: Value) -> Value:
    return value.T if isinstance(value, np.ndarray) else value


def _add(one: Value, two: Value) -> Value:
    if np.shape(one) != np.shape(two):
        one, two = _plain(one), _plain(two)
    if np.shape(one) != np.shape(two):
        raise BadClaim("a sum of different shapes")
    return one + two


def _multiply(one: Value, two: Value) -> Value:
    if isinstance(one, np.ndarray) and isinstance(two, np.ndarray):
        if one.shape[1] == two.shape[0]:
            return one @ two
        if one.shape == (1, 1) or two.shape == (1, 1):
            return _plain(one) * _plain(two)
        raise BadClaim("a product of different shapes")
    return one * two


def _divide(one: Value, two: Value) -> Value:
    below = _plain(two)
    if isinstance(below, np.ndarray):
        raise BadClaim("a division by an array")
    with np.errstate(all="ignore"):
        return one * (np.inf if below == 0 else 1 / below)


def _power(one: Value, two: Value) -> Value:
    base, exponent = _plain(one), _plain(two)
    if isinstance(base, np.ndarray) or isinstance(exponent, np.ndarray):
        raise BadClaim("a power of an array")
    with np.errstate(all="ignore"):
        return float(np.power(np.float64(base), exponent))


_OPERATORS = {
    "+": _add,
    "-": lambda one, two: _add(one, -two),
    "*": _multiply,
    "/": _divide,
    "^": _power,
}


def _call(function: str, values: list[Value]) -> Value:
    (value,) = values
    match function:
        case "inv" | "det" | "tr":
            if isinstance(value, float) or value.shape[0] != value.shape[1]:
                raise BadClaim("a square matrix is wanted")
            return {
                "inv": np.linalg.inv,
                "det": lambda m: float(np.linalg.det(m)),
                "tr": lambda m: float(np.trace(m)),
            }[function](value)
        case "exp" | "log" | "sqrt":
            with np.errstate(all="ignore"):
                return float(getattr(np, function)(_number(_plain(value))))
    raise BadClaim(f"{function} is not used here")
