"""Formulas of the model language for what BUGS has functions, comparisons and links for."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from deriver.language.rewrite import make_number
from deriver.model.expressions import Binary, Call, Expression, Negate, Number, Transpose


def number(value: float) -> Expression:
    """Return a number of the model language."""
    if value < 0:
        return Negate(operand=number(-value))
    if value == int(value) and abs(value) < 1e15:
        return make_number(int(value))
    text = repr(float(value))
    return Number(value=Fraction(text), text=text)


def binary(operator: str, left: Expression, right: Expression) -> Binary:
    """Return an operation."""
    return Binary(operator=operator, left=left, right=right)


def call(function: str, *arguments: Expression) -> Call:
    """Return a function of expressions."""
    return Call(function=function, arguments=arguments)


def step(value: Expression) -> Expression:
    """Return 1 where a number is not negative, else 0."""
    return binary("-", make_number(1), call("is_positive", Negate(operand=value)))


def equals(one: Expression, two: Expression) -> Expression:
    """Return 1 where two numbers are equal, else 0."""
    return binary("*", step(binary("-", one, two)), step(binary("-", two, one)))


def complement(value: Expression) -> Expression:
    """Return one less a number."""
    return binary("-", make_number(1), value)


def truncate(value: Expression) -> Expression:
    """Return the whole number next to a number towards 0."""
    above = call("is_positive", value)
    below = binary("*", complement(above), call("floor", Negate(operand=value)))
    return binary("-", binary("*", above, call("floor", value)), below)


COMPARED: dict[str, Callable[[Expression, Expression], Expression]] = {
    "==": equals,
    "!=": lambda a, b: complement(equals(a, b)),
    ">=": lambda a, b: step(binary("-", a, b)),
    "<=": lambda a, b: step(binary("-", b, a)),
    ">": lambda a, b: call("is_positive", binary("-", a, b)),
    "<": lambda a, b: call("is_positive", binary("-", b, a)),
    "&&": lambda a, b: binary("*", a, b),
    "||": lambda a, b: complement(binary("*", complement(a), complement(b))),
}
MADE: dict[str, Callable[..., Expression]] = {
    "pow": lambda a, b: binary("^", a, b),
    "step": step,
    "equals": equals,
    "logdet": lambda m: call("log", call("det", m)),
    "t": lambda m: Transpose(operand=m),
    "logfact": lambda n: call("lgamma", binary("+", n, make_number(1))),
    "cloglog": lambda p: call("log", Negate(operand=call("log", complement(p)))),
    "icloglog": lambda x: complement(call("exp", Negate(operand=call("exp", x)))),
    "round": lambda x: call("floor", binary("+", x, binary("/", make_number(1), make_number(2)))),
    "trunc": truncate,
    "ifelse": lambda c, a, b: binary("+", binary("*", c, a), binary("*", complement(c), b)),
}


def apply_link(link: str | None, value: Expression) -> Expression:
    """Return the node, given what stands on the right of ``link(node) <-``."""
    match link:
        case "log":
            return call("exp", value)
        case "logit":
            return call("expit", value)
        case "probit":
            return call("normal_cdf", value)
        case "cloglog":
            inner = call("exp", call("exp", value))
            return binary("-", make_number(1), binary("/", make_number(1), inner))
    return value
