"""The joint density read from the model's own expression trees, by SciPy's densities.

It shares nothing with the derivation: no SymPy, no factors, none of the families' densities.  States are as in
``deriver.derivation.states``: {name: {1-based index tuple: value}}.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
from scipy import special

from deriver.model import expressions as tree
from deriver.model.records import Deterministic, Model, Range, Stochastic
from tests.random_models.densities import DENSITIES

State = Mapping[str, Mapping[tuple[int, ...], Any]]
Own = Mapping[str, int]

RELATIONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "abs": np.abs,
    "max": max,
    "min": min,
    "expit": special.expit,
    "logit": special.logit,
    "lgamma": special.gammaln,
    "inv": np.linalg.inv,
    "det": np.linalg.det,
    "tr": np.trace,
    "diag": np.diag,
    "eye": lambda size: np.eye(int(size)),
    "ones": lambda size: np.ones(int(size)),
}


class Reference:
    """The joint density of one model at states."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._plates = {plate.index: (plate.lower, plate.upper) for plate in model.plates}
        self._indices = {each.name: each.indices for each in (*model.givens, *model.nodes)}
        self._defined = {s.name: s for s in model.statements if isinstance(s, Deterministic)}

    def log_joint(self, state: State) -> float:
        """Return the log joint density of a state."""
        return sum(
            self._log_term(statement, state, own)
            for statement in self.model.statements
            if isinstance(statement, Stochastic)
            for own in self.instances(statement.ranges, state)
        )

    def instances(self, ranges: tuple[Range, ...], state: State, own: Own | None = None) -> Iterator[Own]:
        """Yield the values of the indices of a statement; an index may bound a later one."""
        own = own or {}
        if not ranges:
            yield own
            return
        first, *rest = sorted(ranges, key=lambda place: list(self._plates).index(place.index))
        lower, upper = self._plates[first.index]
        low, high = (
            self.value(given or end, state, own)
            for given, end in ((first.lower, lower), (first.upper, upper))
        )
        for number in range(int(low), int(high) + 1):
            if first.subset is None or number in state[first.subset][()]:
                yield from self.instances(tuple(rest), state, {**own, first.index: number})

    def _log_term(self, statement: Stochastic, state: State, own: Own) -> float:
        key = tuple(int(self.value(subscript, state, own)) for subscript in statement.subscripts)
        value = state[statement.name][key]
        arguments = {a.keyword: self.value(a.value, state, own) for a in statement.arguments}
        density = DENSITIES[statement.family](arguments, np.shape(value))
        total = density.log(value)
        if statement.truncation is not None:
            ends = [
                self._end(end, state, own, sign)
                for end, sign in zip(statement.truncation, (-1, 1), strict=True)
            ]
            inside = ends[0] <= value <= ends[1]
            total = total - math.log(density.cdf(ends[1]) - density.cdf(ends[0])) if inside else -math.inf
        return total

    def _end(self, end: tree.Expression | None, state: State, own: Own, sign: int) -> float:
        return sign * math.inf if end is None else self.value(end, state, own)

    def value(self, expression: tree.Expression, state: State, own: Own) -> Any:
        """Return the number, vector or matrix that an expression is."""
        match expression:
            case tree.Number(value=value):
                return float(value)
            case tree.Infinity():
                return math.inf
            case tree.Negate(operand=operand):
                return -self.value(operand, state, own)
            case tree.Transpose(operand=operand):
                return _row(self.value(operand, state, own))
            case tree.Binary(operator=operator, left=left, right=right):
                return _combine(operator, self.value(left, state, own), self.value(right, state, own))
            case tree.Call(function=function, arguments=arguments):
                return FUNCTIONS[function](*(self.value(argument, state, own) for argument in arguments))
            case tree.SumOver():
                return self._sum(expression, state, own)
            case tree.MatrixRows(rows=rows):
                entries = np.array([[self.value(entry, state, own) for entry in row] for row in rows])
                return entries.ravel() if 1 in entries.shape else entries
            case tree.Reference():
                return self._look_up(expression, state, own)
        raise TypeError(f"no value for {expression}")

    def _sum(self, expression: tree.SumOver, state: State, own: Own) -> Any:
        total: Any = 0.0
        for inner in self.instances((Range(index=expression.index),), state, own):
            sides = (
                RELATIONS[c.relation](self.value(c.left, state, inner), self.value(c.right, state, inner))
                for c in expression.conditions
            )
            if all(sides):
                total = total + self.value(expression.body, state, inner)
        return total

    def _look_up(self, reference: tree.Reference, state: State, own: Own) -> Any:
        if reference.name in own and not reference.subscripts:
            return own[reference.name]
        if any(isinstance(subscript, tree.Colon) for subscript in reference.subscripts):
            return self._slice(reference, state, own)
        count = len(self._indices[reference.name])
        numbers = tuple(int(self.value(subscript, state, own)) for subscript in reference.subscripts)
        key, component = numbers[:count], numbers[count:]
        statement = self._defined.get(reference.name)
        if statement is None:
            value = state[reference.name][key]
        else:
            names = [subscript.name for subscript in statement.subscripts]  # type: ignore[attr-defined]
            value = self.value(statement.expression, state, dict(zip(names, key, strict=True)))
        return value[tuple(number - 1 for number in component)] if component else value

    def _slice(self, reference: tree.Reference, state: State, own: Own) -> np.ndarray:
        """Return the vector of the elements along the index that a colon stands for."""
        place = next(
            k for k, subscript in enumerate(reference.subscripts) if isinstance(subscript, tree.Colon)
        )
        index = self._indices[reference.name][place]
        values = []
        for inner in self.instances((Range(index=index),), state):
            here = tree.Number(value=Fraction(inner[index]), text="")
            subscripts = (*reference.subscripts[:place], here, *reference.subscripts[place + 1 :])
            values.append(
                self._look_up(tree.Reference(name=reference.name, subscripts=subscripts), state, own)
            )
        return np.array(values)


class _Row:
    """The transpose of a vector."""

    def __init__(self, vector: np.ndarray) -> None:
        self.vector = vector


def _row(value: Any) -> Any:
    return value.T if np.ndim(value) == 2 else _Row(value)


def _combine(operator: str, left: Any, right: Any) -> Any:
    if isinstance(left, _Row):
        return float(left.vector @ right)
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "/":
            return left / right
        case "^":
            return left**right
    matrix = np.ndim(left) == 2 and np.ndim(right) > 0
    return left @ right if matrix else left * right
