"""Intervals: in which part of the line the value of an expression must lie.

Every rule encloses: the true values lie inside the interval found, which may be wider.  A bound is a float;
``open`` tells that it is not attained, so ``exp(x)`` is above 0 and ``x^2`` at least 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from deriver.model.expressions import (
    Binary,
    Call,
    Expression,
    Infinity,
    MatrixRows,
    Negate,
    Number,
    Reference,
    SumOver,
)

_INF = math.inf


@dataclass(frozen=True, slots=True)
class Interval:
    """From ``lower`` to ``upper``; an open end is not attained."""

    lower: float = -_INF
    upper: float = _INF
    lower_open: bool = True
    upper_open: bool = True

    @property
    def positive(self) -> bool:
        """Tell whether every value is above 0."""
        return self.lower > 0 or (self.lower == 0 and self.lower_open)

    @property
    def nonnegative(self) -> bool:
        """Tell whether every value is at least 0."""
        return self.lower >= 0

    def within(self, other: Interval) -> bool:
        """Tell whether every value lies in the other interval."""
        low = self.lower > other.lower or (
            self.lower == other.lower and (self.lower_open or not other.lower_open or math.isinf(other.lower))
        )
        high = self.upper < other.upper or (
            self.upper == other.upper and (self.upper_open or not other.upper_open or math.isinf(other.upper))
        )
        return low and high


REAL = Interval()
POSITIVE = Interval(0.0)
NONNEGATIVE = Interval(0.0, lower_open=False)
UNIT = Interval(0.0, 1.0)

Lookup = Callable[[Reference], Interval]
Judge = Callable[[Expression], bool]


def point(value: float) -> Interval:
    """Return the interval of one value."""
    return Interval(value, value, False, False)


def enclose(expression: Expression, lookup: Lookup, is_spd: Judge, is_scalar: Judge) -> Interval:
    """Return an interval that holds every value of a number, or of each entry of a vector."""
    try:
        return _enclose(expression, lookup, is_spd, is_scalar)
    except (OverflowError, ZeroDivisionError, ValueError):
        return REAL


def _enclose(expression: Expression, lookup: Lookup, is_spd: Judge, is_scalar: Judge) -> Interval:
    def inner(part: Expression) -> Interval:
        return enclose(part, lookup, is_spd, is_scalar)

    match expression:
        case Number(value=value):
            return point(float(value))
        case Infinity():
            return point(_INF)
        case Reference():
            return lookup(expression)
        case Negate(operand=operand):
            return _negate(inner(operand))
        case SumOver(body=body):
            return NONNEGATIVE if inner(body).nonnegative else REAL
        case Binary(operator=operator, left=left, right=right):
            if operator == "*" and not (is_scalar(left) or is_scalar(right)):
                return REAL
            if operator == "*" and left == right:
                return _power(inner(left), 2)
            return _binary(operator, inner(left), inner(right), right)
        case Call(function="det" | "tr", arguments=(matrix,)):
            return POSITIVE if is_spd(matrix) else REAL
        case Call(function="ones"):
            return point(1.0)
        case Call(function=function, arguments=arguments) if all(is_scalar(each) for each in arguments[1:]):
            return _call(function, [inner(each) for each in arguments])
        case MatrixRows(rows=rows):
            return _hull([inner(entry) for row in rows for entry in row])
    return REAL


def _negate(value: Interval) -> Interval:
    return Interval(-value.upper, -value.lower, value.upper_open, value.lower_open)


def _hull(values: list[Interval]) -> Interval:
    low = min(values, key=lambda each: (each.lower, each.lower_open))
    high = max(values, key=lambda each: (each.upper, not each.upper_open))
    return Interval(low.lower, high.upper, low.lower_open, high.upper_open)


def _binary(operator: str, left: Interval, right: Interval, written: Expression) -> Interval:
    match operator:
        case "+":
            return _add(left, right)
        case "-":
            return _add(left, _negate(right))
        case "*":
            return _multiply(left, right)
        case "/":
            return _multiply(left, _reciprocal(right))
    exponent = right.lower if right.lower == right.upper else None
    if exponent is not None and exponent == int(exponent) and abs(exponent) <= 64:
        return _power(left, int(exponent))
    if left.positive:
        return POSITIVE
    return NONNEGATIVE if left.nonnegative else REAL


def _add(left: Interval, right: Interval) -> Interval:
    return Interval(
        left.lower + right.lower,
        left.upper + right.upper,
        left.lower_open or right.lower_open,
        left.upper_open or right.upper_open,
    )


def _multiply(left: Interval, right: Interval) -> Interval:
    ends = [
        (_times(a, b), open_a or open_b)
        for a, open_a in ((left.lower, left.lower_open), (left.upper, left.upper_open))
        for b, open_b in ((right.lower, right.lower_open), (right.upper, right.upper_open))
    ]
    low, high = min(value for value, _ in ends), max(value for value, _ in ends)
    low_open = all(is_open for value, is_open in ends if value == low)
    high_open = all(is_open for value, is_open in ends if value == high)
    if low == 0 and not (left.positive and right.positive) and not (_negative(left) and _negative(right)):
        low_open = False
    if high == 0 and not (_negative(left) and right.positive) and not (left.positive and _negative(right)):
        high_open = False
    if low == 0 and (left.positive and right.positive or _negative(left) and _negative(right)):
        low_open = True
    return Interval(low, high, low_open, high_open)


def _negative(value: Interval) -> bool:
    return _negate(value).positive


def _times(a: float, b: float) -> float:
    return 0.0 if a == 0 or b == 0 else a * b


def _reciprocal(value: Interval) -> Interval:
    if value.positive:
        low = 1 / value.upper if value.upper < _INF else 0.0
        high = 1 / value.lower if value.lower > 0 else _INF
        return Interval(low, high, value.upper_open or low == 0, value.lower_open or math.isinf(high))
    if _negative(value):
        return _negate(_reciprocal(_negate(value)))
    return REAL


def _power(base: Interval, exponent: int) -> Interval:
    if exponent < 0:
        return _reciprocal(_power(base, -exponent))
    if exponent == 0:
        return point(1.0)
    if base.nonnegative or exponent % 2:
        return Interval(base.lower**exponent, base.upper**exponent, base.lower_open, base.upper_open)
    if base.upper <= 0:
        return _power(_negate(base), exponent)
    top = max(-base.lower, base.upper)
    open_top = base.lower_open if -base.lower > base.upper else base.upper_open
    if -base.lower == base.upper:
        open_top = base.lower_open and base.upper_open
    return Interval(0.0, top**exponent, False, open_top)


def _call(function: str, values: list[Interval]) -> Interval:
    value = values[0]
    match function:
        case "exp":
            return _monotone(math.exp, value, 0.0, _INF)
        case "expit":
            return _monotone(_expit, value, 0.0, 1.0)
        case "normal_cdf":
            return _monotone(_phi, value, 0.0, 1.0)
        case "is_positive":
            return Interval(float(value.positive), float(not _nonpositive(value)), False, False)
        case "floor":
            return NONNEGATIVE if value.nonnegative else REAL
        case "sqrt" if value.nonnegative:
            return _monotone(math.sqrt, value, 0.0, _INF)
        case "log" if value.positive:
            return _monotone(lambda x: math.log(x) if x > 0 else -_INF, value, -_INF, _INF)
        case "abs":
            return POSITIVE if value.positive or _negative(value) else NONNEGATIVE
        case "inv":
            return _reciprocal(value)
        case "max":
            return _largest(values)
        case "min":
            return _negate(_largest([_negate(each) for each in values]))
    return REAL


def _monotone(function: Callable[[float], float], value: Interval, bottom: float, top: float) -> Interval:
    def at(end: float, fallback: float) -> float:
        try:
            return fallback if math.isinf(end) else function(end)
        except OverflowError:
            return fallback

    low, high = at(value.lower, bottom), at(value.upper, top)
    open_low = value.lower_open or math.isinf(value.lower)
    open_high = value.upper_open or math.isinf(value.upper)
    return Interval(low, high, open_low, open_high)


def _expit(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def _phi(x: float) -> float:
    return math.erfc(-x / math.sqrt(2.0)) / 2


def _nonpositive(value: Interval) -> bool:
    return value.upper <= 0


def _largest(values: list[Interval]) -> Interval:
    low = max(values, key=lambda each: (each.lower, each.lower_open))
    high = max(values, key=lambda each: (each.upper, not each.upper_open))
    return Interval(low.lower, high.upper, low.lower_open, high.upper_open)
