"""The expression tree of the model language.

Input of every later stage; made by the parser and by the Python builder alike.  A tree holds names and
numbers only: nothing in it is evaluated as code.  Spans (where in the text a piece stood) never take part
in comparison, so a model printed and parsed back equals the model it came from.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Span:
    """Where a piece of text stands: 1-based line, 0-based first and one-past-last column."""

    line: int
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """Base of all expressions; ``span`` is for messages only."""

    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Number(Expression):
    """An exact number; ``text`` is how the user wrote it (``1e4``)."""

    value: Fraction
    text: str = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Infinity(Expression):
    """``inf``, legal only in bounds and truncations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Colon(Expression):
    """A full slice, as in ``y[i,:]``; legal only as a subscript."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference(Expression):
    """A name with its subscripts: ``beta[g[k]]``, ``z[t-1]``, ``mu[1]``, ``sigma2``, an index ``t``, a size ``n``."""

    name: str
    subscripts: tuple[Expression, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary(Expression):
    """``left operator right`` with operator one of ``+ - * / ^``."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Negate(Expression):
    """``-operand``."""

    operand: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Transpose(Expression):
    """``operand'``."""

    operand: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Expression):
    """``function(arguments)``: one of the language's functions (see ``functions.py``)."""

    function: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixRows(Expression):
    """``[a, b; c, d]``; one row makes a row of numbers, one column a vector."""

    rows: tuple[tuple[Expression, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition(Expression):
    """``left relation right`` in a ``where``; relation one of ``= != < <= > >=``."""

    relation: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class SumOver(Expression):
    """``sum(j: body)`` or ``sum(k where g[k] = i: body)``."""

    index: str
    conditions: tuple[Condition, ...]
    body: Expression


def children(expression: Expression) -> tuple[Expression, ...]:
    """Return the direct sub-expressions, left to right."""
    match expression:
        case Reference(subscripts=subscripts):
            return subscripts
        case Binary(left=left, right=right) | Condition(left=left, right=right):
            return (left, right)
        case Negate(operand=operand) | Transpose(operand=operand):
            return (operand,)
        case Call(arguments=arguments):
            return arguments
        case MatrixRows(rows=rows):
            return tuple(entry for row in rows for entry in row)
        case SumOver(conditions=conditions, body=body):
            return (*conditions, body)
        case _:
            return ()


def references(expression: Expression) -> tuple[Reference, ...]:
    """Return every reference in the tree, in reading order, those inside subscripts included."""
    own = (expression,) if isinstance(expression, Reference) else ()
    return own + tuple(found for child in children(expression) for found in references(child))
