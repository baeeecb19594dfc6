"""Rebuilding expressions: a change applied from the leaves to the root, spans kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from fractions import Fraction

from deriver.model.expressions import (
    Binary,
    Call,
    Condition,
    Expression,
    MatrixRows,
    Negate,
    Number,
    Reference,
    SumOver,
    Transpose,
)

Change = Callable[[Expression], Expression]


def rebuild(expression: Expression, change: Change) -> Expression:
    """Return the expression with ``change`` applied to every part, the leaves first."""
    return change(_rebuild_children(expression, change))


def _rebuild_condition(condition: Condition, change: Change) -> Condition:
    left, right = rebuild(condition.left, change), rebuild(condition.right, change)
    return dataclasses.replace(condition, left=left, right=right)


def _rebuild_children(expression: Expression, change: Change) -> Expression:
    match expression:
        case Reference(subscripts=subscripts) if subscripts:
            return dataclasses.replace(
                expression, subscripts=tuple(rebuild(each, change) for each in subscripts)
            )
        case Binary(left=left, right=right):
            return dataclasses.replace(expression, left=rebuild(left, change), right=rebuild(right, change))
        case Negate(operand=operand) | Transpose(operand=operand):
            return dataclasses.replace(expression, operand=rebuild(operand, change))
        case Call(arguments=arguments):
            return dataclasses.replace(
                expression, arguments=tuple(rebuild(each, change) for each in arguments)
            )
        case MatrixRows(rows=rows):
            built = tuple(tuple(rebuild(entry, change) for entry in row) for row in rows)
            return dataclasses.replace(expression, rows=built)
        case SumOver(conditions=conditions, body=body):
            built_conditions = tuple(_rebuild_condition(each, change) for each in conditions)
            return dataclasses.replace(expression, conditions=built_conditions, body=rebuild(body, change))
    return expression


def substitute(expression: Expression, values: Mapping[str, Expression]) -> Expression:
    """Return the expression with plain names (no subscripts) replaced."""

    def change(part: Expression) -> Expression:
        if isinstance(part, Reference) and not part.subscripts and part.name in values:
            return dataclasses.replace(values[part.name], span=part.span)
        return part

    return rebuild(expression, change) if values else expression


def whole_number(expression: Expression | None) -> int | None:
    """Return the value of a literal whole number, a minus sign included; None for anything else."""
    match expression:
        case Number(value=value) if value.denominator == 1:
            return int(value)
        case Negate(operand=Number(value=value)) if value.denominator == 1:
            return -int(value)
    return None


def make_number(value: int) -> Expression:
    """Return the literal of a whole number."""
    literal = Number(value=Fraction(abs(value)), text=str(abs(value)))
    return literal if value >= 0 else Negate(operand=literal)
