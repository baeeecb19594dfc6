"""The numeric value of the language's expressions at a state.

A tree is turned into nested functions once, piece by piece, and each piece is kept: an edit of a claim costs the
evaluation of what it changes.  Vectors are one-column arrays, rows one-row arrays; a product that closes to one
number is a float.  A kernel is evaluated as its logarithm, so that no exp underflows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from deriver.model import expressions as tree
from deriver.model.expressions import Expression
from deriver.model.records import Plate

Value = Any
Indices = dict[str, int]


class View(dict):
    """A state for the evaluator: name -> {index tuple: number or array}, vectors as columns.

    ``rows`` and ``sums`` keep what has been worked out at it; a state never changes.  ``shared`` are the sums that
    are the same at all points of a group, as the target is in none of them.
    """

    __slots__ = ("rows", "shared", "sums")

    def __init__(self, values: Mapping[str, Mapping[tuple[int, ...], Value]]) -> None:
        super().__init__(values)
        self.rows: dict[tuple, Value] = {}
        self.sums: dict[tuple, tuple[Expression, Value]] = {}
        self.shared: dict[tuple, tuple[Expression, Value]] = {}


@dataclass(slots=True)
class Context:
    """A state while one claim is evaluated at it: the view, the raw state, and the values of definitions."""

    view: View
    raw: Any
    definitions: Mapping[str, tuple[tuple[str, ...], Expression]]
    own: Indices
    kept: dict[tuple[str, tuple[int, ...]], Value] = field(default_factory=dict)


Evaluated = Callable[[Context, Indices], Value]

_RELATIONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b, "!=": lambda a, b: a != b, "<": lambda a, b: a < b, "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
}  # fmt: skip

_SCALAR: dict[str, Callable[..., float]] = {
    "exp": math.exp, "log": math.log, "sqrt": math.sqrt, "abs": abs, "max": max, "min": min, "lgamma": math.lgamma,
    "logit": lambda x: math.log(x / (1.0 - x)), "expit": lambda x: 1.0 / (1.0 + math.exp(-x)),
    "normal_cdf": lambda x: math.erfc(-x / math.sqrt(2.0)) / 2.0, "is_positive": lambda x: float(x > 0), "floor": lambda x: float(math.floor(x)),
}  # fmt: skip


class Evaluator:
    """Compiles the expressions of one model; ``plates`` give the bounds of sums, ``moving`` what moves in a group."""

    def __init__(self, plates: tuple[Plate, ...], counts: Mapping[str, int], moving: frozenset[str]) -> None:
        self._moving = moving
        self._plates = {plate.index: plate for plate in plates}
        self._counts = counts
        self._made: dict[int, tuple[Expression, Evaluated]] = {}
        self._made_logs: dict[int, tuple[Expression, Evaluated]] = {}

    def compile(self, expression: Expression) -> Evaluated:
        """Return a function (context, indices) -> float or array."""
        found = self._made.get(id(expression))
        if found is None:
            found = self._made[id(expression)] = (expression, self._compile(expression))
        return found[1]

    def compile_log(self, expression: Expression) -> Evaluated:
        """Return a function (context, indices) -> the logarithm of a positive expression."""
        found = self._made_logs.get(id(expression))
        if found is None:
            found = self._made_logs[id(expression)] = (expression, self._compile_log(expression))
        return found[1]

    def forget(self) -> None:
        """Drop what was compiled."""
        self._made.clear()
        self._made_logs.clear()

    def _compile(self, expression: Expression) -> Evaluated:
        match expression:
            case tree.Number(value=exact):
                number = float(exact) if exact.denominator != 1 else int(exact)
                return lambda c, k: number
            case tree.Infinity():
                return lambda c, k: math.inf
            case tree.Reference():
                return self._compile_reference(expression)
            case tree.Negate(operand=operand):
                inner = self.compile(operand)
                return lambda c, k: -inner(c, k)
            case tree.Transpose(operand=operand):
                inner = self.compile(operand)
                return lambda c, k: _transpose(inner(c, k))
            case tree.Binary():
                return self._compile_binary(expression)
            case tree.Call(function=function, arguments=arguments):
                return _compile_call(function, [self.compile(each) for each in arguments])
            case tree.MatrixRows(rows=rows):
                made = [[self.compile(entry) for entry in row] for row in rows]
                return lambda c, k: np.array([[entry(c, k) for entry in row] for row in made], dtype=float)
            case tree.SumOver():
                return self._compile_sum(expression)
        raise TypeError(f"no value for {type(expression).__name__}")

    # references

    def _compile_reference(self, found: tree.Reference) -> Evaluated:
        name = found.name
        if name in self._plates and not found.subscripts:
            return lambda c, k: k[name]
        if any(isinstance(each, tree.Colon) for each in found.subscripts):
            return self._compile_row(found)
        subscripts = [self.compile(each) for each in found.subscripts]
        count = self._counts.get(name, 0)

        def value(c: Context, k: Indices) -> Value:
            positions = tuple(int(each(c, k)) for each in subscripts)
            defined = c.definitions.get(name)
            if defined is not None:
                return self._defined(c, name, defined, positions)
            element = c.view[name][positions[:count]]
            return element if len(positions) == count else _entry(element, positions[count:])

        return value

    def _defined(
        self, c: Context, name: str, defined: tuple[tuple[str, ...], Expression], positions: tuple[int, ...]
    ) -> Value:
        indices, expression = defined
        count = len(indices)
        key = (name, positions[:count])
        if key not in c.kept:
            own = {**c.own, **dict(zip(indices, positions, strict=False))}
            c.kept[key] = self.compile(expression)(c, own)
        value = c.kept[key]
        return value if len(positions) == count else _entry(value, positions[count:])

    def _compile_row(self, found: tree.Reference) -> Evaluated:
        name = found.name
        fixed = [None if isinstance(e, tree.Colon) else self.compile(e) for e in found.subscripts]

        def value(c: Context, k: Indices) -> Value:
            wanted = tuple(None if each is None else int(each(c, k)) for each in fixed)
            if (name, wanted) in c.view.rows:
                return c.view.rows[name, wanted]
            keys = [
                key
                for key in sorted(c.view[name])
                if all(w is None or w == part for w, part in zip(wanted, key, strict=True))
            ]
            rows = [np.reshape(c.view[name][key], (1, -1)) for key in keys]
            width = max((np.size(element) for element in c.view[name].values()), default=1)
            found = np.concatenate(rows) if rows else np.zeros((0, width))
            c.view.rows[name, wanted] = found
            return found

        return value

    # operators

    def _compile_binary(self, expression: tree.Binary) -> Evaluated:
        left, right = self.compile(expression.left), self.compile(expression.right)
        match expression.operator:
            case "+":
                return lambda c, k: _add(left(c, k), right(c, k))
            case "-":
                return lambda c, k: _add(left(c, k), -right(c, k))
            case "*":
                return lambda c, k: _multiply(left(c, k), right(c, k))
            case "/":
                return lambda c, k: left(c, k) / as_number(right(c, k))
        return lambda c, k: _power(left(c, k), right(c, k))

    def _compile_sum(self, expression: tree.SumOver) -> Evaluated:
        index, body = expression.index, self.compile(expression.body)
        values = self.compile_range(index)
        conditions = [
            (self.compile(each.left), _RELATIONS[each.relation], self.compile(each.right))
            for each in expression.conditions
        ]

        names = frozenset(found.name for found in tree.references(expression))

        still = names.isdisjoint(self._moving)

        def value(c: Context, k: Indices) -> Value:
            key = (id(expression), *k.items())
            sums = c.view.shared if still else c.view.sums
            kept = sums.get(key)
            if kept is not None and kept[0] is expression:
                return kept[1]
            total = add_up(c, k)
            if names.isdisjoint(c.definitions):
                sums[key] = (expression, total)
            return total

        def add_up(c: Context, k: Indices) -> Value:
            total: Value = 0.0
            for number in values(c, k):
                inside = {**k, index: number}
                if all(relation(left(c, inside), right(c, inside)) for left, relation, right in conditions):
                    total = total + body(c, inside)
            return total

        return value

    def compile_range(self, index: str) -> Callable[[Context, Indices], range]:
        """Return a function to the values of a plate's index."""
        plate = self._plates[index]
        lower, upper = self.compile(plate.lower), self.compile(plate.upper)
        return lambda c, k: range(int(lower(c, k)), int(upper(c, k)) + 1)

    # logarithms

    def _compile_log(self, expression: Expression) -> Evaluated:
        match expression:
            case tree.Binary(operator="*" | "/" | "^"):
                return self._compile_log_binary(expression)
            case tree.Call(function="exp", arguments=(argument,)):
                inner = self.compile(argument)
                return lambda c, k: as_number(inner(c, k))
            case tree.Call(function="det", arguments=(argument,)):
                inner = self.compile(argument)
                return lambda c, k: _log_determinant(inner(c, k))
            case tree.Call(function="sqrt", arguments=(argument,)):
                inner = self.compile_log(argument)
                return lambda c, k: 0.5 * inner(c, k)
            case tree.Negate():
                return lambda c, k: math.nan
        inner = self.compile(expression)
        return lambda c, k: math.log(as_number(inner(c, k)))

    def _compile_log_binary(self, expression: tree.Binary) -> Evaluated:
        left = self.compile_log(expression.left)
        if expression.operator == "^":
            exponent = self.compile(expression.right)
            return lambda c, k: as_number(exponent(c, k)) * left(c, k)
        right = self.compile_log(expression.right)
        if expression.operator == "*":
            return lambda c, k: left(c, k) + right(c, k)
        return lambda c, k: left(c, k) - right(c, k)


def _transpose(value: Value) -> Value:
    return value.T if isinstance(value, np.ndarray) else value


def _entry(element: Value, positions: tuple[int, ...]) -> float:
    if min(positions) < 1:
        raise KeyError(positions)
    array = np.atleast_2d(element)
    row, column = (*positions, 1)[:2]
    return float(array[row - 1, column - 1])


def _add(left: Value, right: Value) -> Value:
    both = isinstance(left, np.ndarray), isinstance(right, np.ndarray)
    if all(both) and left.shape != right.shape:
        raise ValueError("shapes differ")
    if any(both) and not all(both):
        number, array = (right, left) if both[0] else (left, right)
        if array.size > 1 and number != 0:  # an empty sum of matrices is 0
            raise ValueError("a number is added to an array")
    return left + right


def _multiply(left: Value, right: Value) -> Value:
    if isinstance(left, np.ndarray) and isinstance(right, np.ndarray):
        product = left @ right
        return float(product[0, 0]) if product.shape == (1, 1) else product
    return left * right


def as_number(value: Value) -> float:
    """Return a value of one entry as a number; raise ``ValueError`` for more."""
    if isinstance(value, np.ndarray):
        if value.size != 1:
            raise ValueError("an array where a number is needed")
        return float(value.reshape(-1)[0])
    return value


def _power(base: Value, exponent: Value) -> float:
    found = float(as_number(base)) ** float(as_number(exponent))
    if isinstance(found, complex):
        raise ValueError("a root of a negative number")  # noqa: TRY004  a wrong value, not a wrong type
    return found


def _inverse(value: Value) -> Value:
    return np.linalg.inv(value) if isinstance(value, np.ndarray) else 1.0 / value


def _log_determinant(value: Value) -> float:
    if not isinstance(value, np.ndarray):
        return math.log(value)
    sign, found = np.linalg.slogdet(value)
    if sign <= 0:
        raise ValueError("the log of a determinant that is not positive")
    return float(found)


def _determinant(value: Value) -> float:
    return float(np.linalg.det(value)) if isinstance(value, np.ndarray) else value


def _trace(value: Value) -> float:
    return float(np.trace(value)) if isinstance(value, np.ndarray) else value


def _ones(rows: Value, columns: Value = 1) -> Value:
    return np.ones((int(rows), int(columns)))


def _exchangeable(rho: Value, dimension: Value) -> Value:
    p = int(dimension)
    return (1.0 - rho) * np.eye(p) + rho * np.ones((p, p))


_MATRIX: dict[str, Callable[..., Value]] = {
    "inv": _inverse, "det": _determinant, "tr": _trace, "ones": _ones, "exchangeable": _exchangeable,
    "diag": lambda x: np.diag(np.reshape(x, -1)), "eye": lambda p: np.eye(int(p)),
}  # fmt: skip


def _compile_call(function: str, arguments: list[Evaluated]) -> Evaluated:
    if function in _MATRIX:
        matrix = _MATRIX[function]
        return lambda c, k: matrix(*(each(c, k) for each in arguments))
    scalar = _SCALAR[function]
    entrywise = np.vectorize(scalar, otypes=[float])

    def value(c: Context, k: Indices) -> Value:
        values = [each(c, k) for each in arguments]
        return entrywise(*values) if isinstance(values[0], np.ndarray) else scalar(*values)

    return value
