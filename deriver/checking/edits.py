"""Edits of a claim: every small change that could undo a slip.

Input: a statement (its trees and definitions) and what is known of the model's names.  Output: edited statements,
each with the slip's name, how unlikely it is (``cost``), and what was changed into what.  An edit knows nothing of
any model: it is a rule on trees, and the search tries them all.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from deriver.checking.densities import Statement
from deriver.checking.rules import RULES, Place, Proposal, Surroundings
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

_EXPONENT_ROLES = ("q", "shape", "df", "a", "b", "concentration")


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One change of a statement."""

    name: str
    cost: float
    old: Expression | None
    new: Expression | None
    statement: Statement
    aliases: tuple[str, ...] = ()


def propose_edits(statement: Statement, around: Surroundings) -> Iterator[Edit]:
    """Yield every edit of every piece of a statement, each applied alone."""
    for position, tree in enumerate(statement.trees):
        for place in _places(tree, _root(statement, position, around)):
            for found in _proposals(place, around):
                trees = (*statement.trees[:position], place.put(found.new), *statement.trees[position + 1 :])
                yield _edit(found, place, dataclasses.replace(statement, trees=trees))
    for position, named in enumerate(statement.definitions):
        root = Place(
            tree=named.expression, put=lambda new: new, bound=(*around.indices, *named.indices), additive=True,
            root=True,
        )  # fmt: skip
        for place in _places(named.expression, root):
            for found in _proposals(place, around):
                changed = dataclasses.replace(named, expression=place.put(found.new))
                definitions = (
                    *statement.definitions[:position], changed, *statement.definitions[position + 1 :]
                )  # fmt: skip
                yield _edit(found, place, dataclasses.replace(statement, definitions=definitions))


def _root(statement: Statement, position: int, around: Surroundings) -> Place:
    tree = statement.trees[position]
    choice = statement.line.choice
    keyword = choice.form.keywords[position] if choice else ""
    return Place(
        tree=tree, put=lambda new: new, bound=around.indices, role=keyword, root=True, additive=True,
        exponent=keyword in _EXPONENT_ROLES, kernel=choice is None, log=statement.log,
    )  # fmt: skip


def _edit(found: Proposal, place: Place, statement: Statement) -> Edit:
    old = place.tree if found.old is None else found.old
    shown = found.shown if found.shown is not None else found.new
    return Edit(
        name=found.name, cost=found.cost, old=None if found.added else old, new=shown, statement=statement,
        aliases=found.aliases,
    )  # fmt: skip


def _proposals(place: Place, around: Surroundings) -> Iterator[Proposal]:
    for rule in RULES:
        yield from rule(place, around)


Put = Callable[[Expression], Expression]


def _places(tree: Expression, place: Place) -> Iterator[Place]:
    """Yield every piece of a tree with how to put another in its place; subscripts belong to their reference."""
    yield place
    for child, put, changes in _children(tree, place):
        whole = _compose(place.put, put)
        inner = dataclasses.replace(
            place, tree=child, put=whole, root=False, role="", additive=False, exponent=False, kernel=False,
            log=False, body=False,
        )  # fmt: skip
        yield from _places(child, dataclasses.replace(inner, **changes))


def _compose(outer: Put, inner: Put) -> Put:
    return lambda new: outer(inner(new))


def _children(tree: Expression, place: Place) -> Iterator[tuple[Expression, Put, dict]]:
    match tree:
        case Binary():
            yield from _binary_children(tree, place)
        case Negate(operand=operand):
            put = _replacing(tree, "operand")
            yield operand, put, {"kernel": place.kernel and place.log, "log": place.log}
        case Transpose(operand=operand):
            yield operand, _replacing(tree, "operand"), {}
        case Call(arguments=arguments):
            for position, argument in enumerate(arguments):
                yield argument, _argument(tree, position), {"additive": True}
        case MatrixRows(rows=rows):
            for row, entries in enumerate(rows):
                for column, entry in enumerate(entries):
                    yield entry, _matrix_entry(tree, row, column), {"additive": True}
        case SumOver(index=index, body=body):
            bound = (*place.bound, index)
            yield body, _replacing(tree, "body"), {"bound": bound, "body": True}
        case Reference() | Number() | Condition():
            return


def _binary_children(tree: Binary, place: Place) -> Iterator[tuple[Expression, Put, dict]]:
    left, right = _replacing(tree, "left"), _replacing(tree, "right")
    match tree.operator:
        case "+" | "-":
            own = {"additive": True, "exponent": False, "term": True, "log": place.log}
            yield tree.left, left, own
            yield tree.right, right, own
        case "*":
            factors = {"kernel": place.kernel and not place.log}
            yield tree.left, left, factors
            yield tree.right, right, factors
        case "/":
            yield tree.left, left, {"kernel": place.kernel and not place.log}
            yield tree.right, right, {"denominator": True}
        case _:
            yield tree.left, left, {}
            yield tree.right, right, {"additive": True, "exponent": True}


def _replacing(tree: Expression, field: str) -> Put:
    return lambda new: dataclasses.replace(tree, **{field: new})


def _argument(tree: Call, position: int) -> Put:
    def put(new: Expression) -> Expression:
        arguments = (*tree.arguments[:position], new, *tree.arguments[position + 1 :])
        return dataclasses.replace(tree, arguments=arguments)

    return put


def _matrix_entry(tree: MatrixRows, row: int, column: int) -> Put:
    def put(new: Expression) -> Expression:
        rows = [list(entries) for entries in tree.rows]
        rows[row][column] = new
        return dataclasses.replace(tree, rows=tuple(tuple(entries) for entries in rows))

    return put
