"""Trees of the language, taken apart and put together: what the mutants are made with."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

from deriver.language import parse_expression
from deriver.model.expressions import Binary, Call, Expression, Negate, Number, SumOver, Transpose


def sites(tree: Expression) -> Iterator[tuple[Expression, Callable[[Expression], Expression]]]:
    """Yield every part of a tree with the function that puts another in its place."""
    yield tree, lambda new: new
    for field, held in fields(tree):
        for part, put in sites(held):
            yield part, lambda new, field=field, put=put: replace_field(tree, field, put(new))


def fields(tree: Expression) -> list[tuple[tuple, Expression]]:
    match tree:
        case Binary(left=left, right=right):
            return [(("left",), left), (("right",), right)]
        case Negate(operand=operand) | Transpose(operand=operand):
            return [(("operand",), operand)]
        case Call(arguments=arguments):
            return [(("arguments", k), each) for k, each in enumerate(arguments)]
        case SumOver(body=body):
            return [(("body",), body)]
    return []


def replace_field(tree: Expression, field: tuple, new: Expression) -> Expression:
    if len(field) == 1:
        return dataclasses.replace(tree, **{field[0]: new})
    held = list(getattr(tree, field[0]))
    held[field[1]] = new
    return dataclasses.replace(tree, **{field[0]: tuple(held)})


def number(value: int) -> Number:
    """Return a whole number."""
    found = parse_expression(str(value))
    assert isinstance(found, Number)
    return found


def is_number(tree: Expression, value: int) -> bool:
    """Tell whether a tree is this number."""
    return isinstance(tree, Number) and tree.value == value


def over(left: Expression, operator: str, right: Expression) -> Expression:
    """Return ``left operator right``."""
    return Binary(operator=operator, left=left, right=right)


def terms(tree: Expression) -> list[tuple[bool, Expression]]:
    """Return the terms of a sum: (whether it is subtracted, term)."""
    match tree:
        case Binary(operator="+" | "-" as operator, left=left, right=right):
            return [*terms(left), (operator == "-", right)]
        case Negate(operand=operand):
            return [(True, operand)]
    return [(False, tree)]


def joined(found: list[tuple[bool, Expression]]) -> Expression:
    """Return the sum of terms."""
    (minus, first), *rest = found
    total = Negate(operand=first) if minus else first
    for minus, term in rest:
        total = over(total, "-" if minus else "+", term)
    return total
