"""What writing a model of ours in another language needs: kinds of expressions, bounds, order and refusals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from deriver.language.mistakes import LineMistake, Mistakes
from deriver.model.expressions import (
    Binary,
    Call,
    Colon,
    Expression,
    MatrixRows,
    Negate,
    Number,
    Reference,
    Span,
    SumOver,
    Transpose,
    references,
)
from deriver.model.records import Deterministic, Given, Model, Node, Range, Statement, Stochastic

Kind = Literal["scalar", "vector", "row", "matrix"]
_KINDS: dict[int, Kind] = {0: "scalar", 1: "vector", 2: "matrix"}
_PRODUCTS: dict[tuple[Kind, Kind], Kind] = {
    ("matrix", "vector"): "vector", ("matrix", "matrix"): "matrix", ("row", "vector"): "scalar",
    ("row", "matrix"): "row", ("vector", "row"): "matrix",
}  # fmt: skip


class Kinds:
    """Finds the kind of an expression of a resolved model."""

    def __init__(self, model: Model) -> None:
        everything: tuple[Given | Node, ...] = (*model.givens, *model.nodes)
        self.declared = {each.name: each for each in everything}
        self.plates = {plate.index: plate for plate in model.plates}

    def of(self, expression: Expression) -> Kind:
        """Return scalar, vector, row or matrix."""
        match expression:
            case Reference(name=name, subscripts=subscripts) if name in self.declared:
                return self._element(self.declared[name], subscripts)
            case Negate(operand=operand):
                return self.of(operand)
            case Transpose(operand=operand):
                kind = self.of(operand)
                return {"vector": "row", "row": "vector"}.get(kind, kind)  # type: ignore[return-value]
            case Binary(operator=operator, left=left, right=right):
                one, two = self.of(left), self.of(right)
                if operator == "*" and "scalar" not in (one, two):
                    return _PRODUCTS[(one, two)]
                return two if one == "scalar" else one
            case Call(function=function, arguments=arguments):
                return self._call(function, arguments)
            case MatrixRows(rows=rows):
                return "vector" if len(rows[0]) == 1 else "row" if len(rows) == 1 else "matrix"
            case SumOver(body=body):
                return self.of(body)
        return "scalar"

    def _element(self, declared: Given | Node, subscripts: tuple[Expression, ...]) -> Kind:
        own = subscripts[: len(declared.indices)]
        if len(subscripts) > len(declared.indices):
            return "scalar"
        return _KINDS[len(declared.shape) + sum(isinstance(each, Colon) for each in own)]

    def _call(self, function: str, arguments: tuple[Expression, ...]) -> Kind:
        if function in ("eye", "exchangeable", "diag"):
            return "matrix"
        if function == "ones":
            return "vector" if len(arguments) == 1 else "matrix"
        if function in ("det", "tr", "max", "min"):
            return "scalar"
        return self.of(arguments[0])


def offset_of(declared: Given | Node, place: int, model: Model) -> int:
    """Return what to add to a subscript so that it counts from 1, where plates may begin elsewhere."""
    index = declared.indices[place]
    lower: Expression | None = model.plate(index).lower
    for each in declared.ranges if isinstance(declared, Node) else ():
        if each.index == index and each.lower is not None:
            lower = each.lower
    match lower:
        case Number(value=value):
            return 1 - int(value)
        case Negate(operand=Number(value=value)):
            return 1 + int(value)
    return 0


def bounds_of(each: Range, model: Model) -> tuple[Expression, Expression]:
    """Return the bounds of a range; those of its plate where it has none."""
    plate = model.plate(each.index)
    lower = plate.lower if each.lower is None else each.lower
    return lower, plate.upper if each.upper is None else each.upper


def parents_first(model: Model) -> Iterator[Deterministic]:
    """Yield the definitions of a model, each after those that it rests on."""
    waiting = [each for each in model.statements if isinstance(each, Deterministic)]
    names = {each.name for each in waiting}
    done: set[str] = set()
    while waiting:
        ready = [
            each for each in waiting
            if not {found.name for found in references(each.expression)} & (names - done) - {each.name}
        ]  # fmt: skip
        if not ready:
            yield from waiting
            return
        yield from ready
        done |= {
            each.name for each in ready if all(other.name != each.name or other in ready for other in waiting)
        }
        waiting = [each for each in waiting if each not in ready]


def stochastic(model: Model) -> list[Stochastic]:
    """Return the statements with ``~``, in the order written."""
    return [each for each in model.statements if isinstance(each, Stochastic)]


class Refusals:
    """The constructs of a model that another language has no words for, raised together."""

    def __init__(self, model: Model, language: str) -> None:
        self.language = language
        self._mistakes = Mistakes(model.source.split("\n"), model.name)

    def refuse(self, what: str, statement: Statement | None, remedy: str = "") -> None:
        """Record a construct, with the line of its statement."""
        span = statement.span if statement is not None else None
        self._mistakes.add(
            "no-counterpart", f"{what} cannot be written for {self.language}", span=span, remedy=remedy
        )

    def add(self, stop: LineMistake, statement: Statement | None) -> None:
        """Record a construct met inside an expression."""
        self.refuse(stop.found, statement, stop.remedy)

    def raise_any(self) -> None:
        """Raise ``ModelError`` if anything was refused."""
        self._mistakes.raise_any()


def refused(what: str, expression: Expression | None = None, remedy: str = "") -> LineMistake:
    """Return the refusal of a part of an expression."""
    span = expression.span if expression is not None else None
    return LineMistake(what, span=span or Span(1, 0, 1), code="no-counterpart", remedy=remedy)


def keyed(statement: Stochastic) -> dict[str, Expression]:
    """Return the arguments of a statement by their keywords."""
    return {argument.keyword: argument.value for argument in statement.arguments}
