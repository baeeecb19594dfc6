"""Show stage, notation in the model language: the text parses back to the same expression."""

from __future__ import annotations

from fractions import Fraction
from functools import reduce

from deriver.errors import InternalError
from deriver.language.functions import FUNCTIONS
from deriver.language.printer import print_expression
from deriver.model import expressions as tree
from deriver.show import notation as n


def to_language(notation: n.Notation) -> str:
    """Return a notation as text of the model language."""
    return print_expression(to_tree(notation))


def to_tree(notation: n.Notation) -> tree.Expression:
    """Return the expression tree of a notation; raise ``InternalError`` where the language has no form for it."""
    match notation:
        case n.Numeral(value=value):
            return _number(value)
        case n.Decimal(text=text):
            return tree.Number(value=Fraction(text), text=text)
        case n.Constant(name="inf"):
            return tree.Infinity()
        case n.Name(name=name, subscripts=subscripts):
            return tree.Reference(name=name, subscripts=tuple(map(to_tree, subscripts)))
        case n.Slice():
            return tree.Colon()
        case n.Plus() | n.Minus() | n.Times() | n.Over() | n.Power() | n.Transpose():
            return _operation(notation)
        case n.Apply(function=function, arguments=arguments):
            return _call(function, arguments)
        case n.Element(base=base, positions=positions):
            return _entry(base, positions)
        case n.Matrix(rows=rows):
            return tree.MatrixRows(rows=tuple(tuple(map(to_tree, row)) for row in rows))
        case n.Total():
            return _total(notation)
        case n.Gathered():
            return _gathered(notation)
    raise InternalError(f"show: the model language has no form for {type(notation).__name__}")


def relation_to_language(relation: n.Relation) -> str:
    """Return a condition as text: ``t <= T - 1``, ``i in S``."""
    return f"{to_language(relation.left)} {relation.relation} {to_language(relation.right)}"


def _operation(notation: n.Notation) -> tree.Expression:
    match notation:
        case n.Plus(terms=terms):
            return _sum(terms)
        case n.Minus(operand=operand):
            return tree.Negate(operand=to_tree(operand))
        case n.Times(factors=factors):
            return reduce(lambda left, right: _binary("*", left, right), map(to_tree, factors))
        case n.Over(numerator=top, denominator=bottom):
            return _binary("/", to_tree(top), to_tree(bottom))
        case n.Power(base=base, exponent=n.Minus(operand=n.ONE), matrix=True):
            return tree.Call(function="inv", arguments=(to_tree(base),))
        case n.Power(base=base, exponent=exponent):
            return _binary("^", to_tree(base), to_tree(exponent))
        case n.Transpose(base=base):
            return tree.Transpose(operand=to_tree(base))
    raise InternalError(f"show: {type(notation).__name__} is no operation")


def _binary(operator: str, left: tree.Expression, right: tree.Expression) -> tree.Expression:
    return tree.Binary(operator=operator, left=left, right=right)


def _sum(terms: tuple[tuple[bool, n.Notation], ...]) -> tree.Expression:
    (negative, first), *rest = terms
    total = to_tree(first)
    total = tree.Negate(operand=total) if negative else total
    for negative, term in rest:
        total = _binary("-" if negative else "+", total, to_tree(term))
    return total


def _number(value: Fraction) -> tree.Expression:
    top = tree.Number(value=Fraction(value.numerator), text=str(value.numerator))
    if value.denominator == 1:
        return top
    return _binary("/", top, tree.Number(value=Fraction(value.denominator), text=str(value.denominator)))


def _call(function: str, arguments: tuple[n.Notation, ...]) -> tree.Expression:
    if function == "unit":
        return _unit(*arguments)
    if function not in FUNCTIONS:
        raise InternalError(f"show: the model language has no function {function}")
    return tree.Call(function=function, arguments=tuple(map(to_tree, arguments)))


def _unit(position: n.Notation, dimension: n.Notation) -> tree.Expression:
    """A unit vector of known length is written out: [0; 1]."""
    if not (isinstance(position, n.Numeral) and isinstance(dimension, n.Numeral)):
        raise InternalError("show: a unit vector of unknown length has no form in the model language")
    entries = [Fraction(int(place + 1 == position.value)) for place in range(int(dimension.value))]
    return tree.MatrixRows(rows=tuple((_number(entry),) for entry in entries))


def _entry(base: n.Notation, positions: tuple[n.Notation, ...]) -> tree.Expression:
    if not isinstance(base, n.Name):
        raise InternalError("show: the model language takes entries of names alone")
    return to_tree(n.Name(base.name, (*base.subscripts, *positions)))


def _total(notation: n.Total) -> tree.Expression:
    """A sum over several indices is nested; limits short of the whole plate become conditions."""
    notation = _plain_indices(notation)
    conditions = [_condition(condition) for condition in notation.conditions]
    body = to_tree(notation.body)
    for place, bound in enumerate(reversed(notation.bounds)):
        own = _limits(bound) + (conditions if place == 0 else [])
        body = tree.SumOver(index=bound.index, conditions=tuple(own), body=body)
    return body


def _plain_indices(notation: n.Total) -> n.Total:
    """Return a sum with the plates' own indices for those of the engine (i′), where they are free to take."""
    for bound in notation.bounds:
        plain = bound.index.rstrip("′″")
        if plain == bound.index:
            continue
        if n.Name(plain) in n.walk(notation):
            raise InternalError(f"show: the model language has no second index beside {plain}")
        notation = n.rename(notation, bound.index, plain)
    return notation


def _limits(bound: n.Bound) -> list[tree.Condition]:
    if bound.whole:
        return []
    index = n.Name(bound.index)
    return [
        _condition(n.Relation(">=", index, bound.lower)),
        _condition(n.Relation("<=", index, bound.upper)),
    ]


def _condition(relation: n.Relation) -> tree.Condition:
    return tree.Condition(
        relation=relation.relation, left=to_tree(relation.left), right=to_tree(relation.right)
    )


def _gathered(notation: n.Gathered) -> tree.Expression:
    raise InternalError("show: a vector of terms has no form in the model language")
