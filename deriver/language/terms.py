"""Terms: Python operators that write expressions of the model language.

``x[i, j].T @ beta[i]`` is a ``Term`` that holds the tree of ``x[i,j]' * beta[i]``; nothing is computed and no
text is evaluated.  A small text such as ``"J[i]"`` is read by the language's own parser.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from deriver.errors import Mistake, ModelError
from deriver.language.read import parse_expression
from deriver.model.expressions import (
    Binary,
    Call,
    Colon,
    Condition,
    Expression,
    Infinity,
    MatrixRows,
    Negate,
    Number,
    Reference,
    SumOver,
    Transpose,
)


def refuse(code: str, found: str, expected: str = "", remedy: str = "") -> ModelError:
    """Return the error for a call of the builder."""
    return ModelError([Mistake(code=code, found=found, expected=expected, remedy=remedy)])


@dataclass(frozen=True, slots=True)
class Term:
    """An expression under construction; ``*`` and ``@`` both write a product, ``**`` a power, ``.T`` a transpose."""

    expression: Expression

    __iter__ = None
    __array_ufunc__ = None  # numpy scalars leave the operators to this class

    @property
    def name(self) -> str:
        """The name of a plain reference."""
        if not isinstance(self.expression, Reference):
            raise refuse("builder", "an expression stands where a name is needed")
        return self.expression.name

    @property
    def T(self) -> Term:
        """The transpose."""
        return Term(Transpose(operand=self.expression))

    def __getitem__(self, subscripts: object) -> Term:
        if not isinstance(self.expression, Reference) or self.expression.subscripts:
            raise refuse("builder", "subscripts on something that is not a plain name")
        several = subscripts if isinstance(subscripts, tuple) else (subscripts,)
        return Term(Reference(name=self.name, subscripts=tuple(_subscript(each) for each in several)))

    def __neg__(self) -> Term:
        return Term(Negate(operand=self.expression))

    def __add__(self, other: object) -> Term:
        return _combine("+", self, other)

    def __radd__(self, other: object) -> Term:
        return _combine("+", other, self)

    def __sub__(self, other: object) -> Term:
        return _combine("-", self, other)

    def __rsub__(self, other: object) -> Term:
        return _combine("-", other, self)

    def __mul__(self, other: object) -> Term:
        return _combine("*", self, other)

    def __rmul__(self, other: object) -> Term:
        return _combine("*", other, self)

    def __matmul__(self, other: object) -> Term:
        return _combine("*", self, other)

    def __rmatmul__(self, other: object) -> Term:
        return _combine("*", other, self)

    def __truediv__(self, other: object) -> Term:
        return _combine("/", self, other)

    def __rtruediv__(self, other: object) -> Term:
        return _combine("/", other, self)

    def __pow__(self, other: object) -> Term:
        return _combine("^", self, other)

    def __rpow__(self, other: object) -> Term:
        return _combine("^", other, self)


def to_expression(value: object) -> Expression:
    """Return the tree of a term, a number or a small text; raise ``ModelError`` for anything else."""
    match value:
        case Term(expression=expression):
            return expression
        case Expression():
            return value
        case str():
            return parse_expression(value)
        case numbers.Real() if not isinstance(value, bool):
            return _number(value)
    raise refuse(
        "builder",
        f"a {type(value).__name__} stands in an expression",
        "a term, a number or a small text such as 'J[i]'",
        "data go into the run, not into the model: declare a given for them",
    )


def _number(value: numbers.Real) -> Expression:
    if math.isnan(value):
        raise refuse("number", "a number that is not one (nan) stands in an expression")
    text = str(int(value)) if isinstance(value, numbers.Integral) else repr(abs(float(value)))
    text = text.removeprefix("-")
    plain: Expression = Infinity() if math.isinf(value) else Number(value=Fraction(Decimal(text)), text=text)
    return Negate(operand=plain) if value < 0 else plain


def _subscript(value: object) -> Expression:
    if isinstance(value, slice):
        if value != slice(None):
            raise refuse("builder", "a part of a row as subscript", "`:` alone, for the whole row")
        return Colon()
    return to_expression(value)


def _combine(operator: str, left: object, right: object) -> Term:
    return Term(Binary(operator=operator, left=to_expression(left), right=to_expression(right)))


def _call(function: str, *arguments: object) -> Term:
    return Term(Call(function=function, arguments=tuple(to_expression(each) for each in arguments)))


def exp(x: object) -> Term:
    """The exponential."""
    return _call("exp", x)


def log(x: object) -> Term:
    """The natural logarithm."""
    return _call("log", x)


def sqrt(x: object) -> Term:
    """The square root."""
    return _call("sqrt", x)


def inv(x: object) -> Term:
    """The inverse of a matrix, or 1/x of a number."""
    return _call("inv", x)


def det(x: object) -> Term:
    """The determinant."""
    return _call("det", x)


def tr(x: object) -> Term:
    """The trace."""
    return _call("tr", x)


def diag(x: object) -> Term:
    """The diagonal matrix with the entries of a vector."""
    return _call("diag", x)


def eye(p: object) -> Term:
    """The identity matrix, p by p."""
    return _call("eye", p)


def ones(p: object, q: object | None = None) -> Term:
    """A vector of ones, or a p by q matrix of ones."""
    return _call("ones", p) if q is None else _call("ones", p, q)


def exchangeable(rho: object, p: object) -> Term:
    """The p by p matrix with 1 on the diagonal and rho off it."""
    return _call("exchangeable", rho, p)


def logit(x: object) -> Term:
    """log(x / (1 - x))."""
    return _call("logit", x)


def expit(x: object) -> Term:
    """1 / (1 + exp(-x))."""
    return _call("expit", x)


def normal_cdf(x: object) -> Term:
    """The standard normal distribution function."""
    return _call("normal_cdf", x)


def is_positive(x: object) -> Term:
    """1 where x > 0, else 0."""
    return _call("is_positive", x)


def floor(x: object) -> Term:
    """The largest whole number that is not above x."""
    return _call("floor", x)


def lgamma(x: object) -> Term:
    """The logarithm of the gamma function."""
    return _call("lgamma", x)


def absolute(x: object) -> Term:
    """The absolute value."""
    return _call("abs", x)


def largest(*values: object) -> Term:
    """The largest of several numbers: ``max(a, b)`` in the text."""
    return _call("max", *values)


def smallest(*values: object) -> Term:
    """The smallest of several numbers: ``min(a, b)`` in the text."""
    return _call("min", *values)


def matrix(rows: Sequence[Sequence[object]]) -> Term:
    """A matrix written out, row by row."""
    built = tuple(tuple(to_expression(entry) for entry in row) for row in rows)
    if not built or not built[0] or len({len(row) for row in built}) > 1:
        raise refuse("shape", "a matrix without entries, or with rows of different length")
    return Term(MatrixRows(rows=built))


def vector(entries: Iterable[object]) -> Term:
    """A column vector written out."""
    return matrix([[entry] for entry in entries])


def total(index: Term, body: object, where: Iterable[tuple[object, str, object]] = ()) -> Term:
    """The sum of ``body`` over an index; ``where`` holds triples such as ``(g[k], "=", i)``."""
    conditions = tuple(
        Condition(relation=relation, left=to_expression(left), right=to_expression(right))
        for left, relation, right in where
    )
    if any(condition.relation not in ("=", "!=", "<", "<=", ">", ">=") for condition in conditions):
        raise refuse("builder", "an unknown comparison", "one of = != < <= > >=")
    return Term(SumOver(index=index.name, conditions=conditions, body=to_expression(body)))
