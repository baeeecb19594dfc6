"""Edits of a claim: every small change that could undo a slip.

Input: a statement (its trees and definitions) and what is known of the model's names.  Output: edited statements,
each with the slip's name, how unlikely it is (``cost``), and what was changed into what.  An edit knows nothing of
any model: it is a rule on trees, and the search tries them all.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

from deriver.checking.densities import Statement
from deriver.checking.edits_of_density import edits_of_density
from deriver.checking.places import Edit, Place, Proposal, Surroundings
from deriver.checking.rules import RULES
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


def propose_edits(statement: Statement, around: Surroundings) -> Iterator[Edit]:
    """Yield every edit of a statement: of each piece of its text, of all like pieces at once, and of the whole."""
    yield from edits_of_density(statement, around)
    yield from _edits_of_pieces(statement, around)
    yield from _edits_everywhere(statement, around)


def _edits_everywhere(statement: Statement, around: Surroundings) -> Iterator[Edit]:
    """Yield the edits of a slip made throughout: A' for A⁻¹, or one matrix for its inverse wherever it stands."""
    whole = [*statement.trees, *(named.expression for named in statement.definitions)]
    pieces = [part for tree in whole for part in walk(tree)]
    turned = [p for p in pieces if isinstance(p, Transpose) and around.kind(p.operand) == "matrix"]
    patterns: list[dict[Expression, Expression]] = []
    if turned:
        patterns.append({piece: _inverse(piece.operand) for piece in turned})
    inverses = [p for p in pieces if isinstance(p, Call) and p.function == "inv"]
    patterns += [{piece: piece.arguments[0]} for piece in dict.fromkeys(inverses)]
    plain = [p for p in pieces if isinstance(p, Reference) and around.kind(p) == "matrix"]
    patterns += [{piece: _inverse(piece)} for piece in dict.fromkeys(plain)]
    for pattern in patterns:
        changes = tuple(pattern.items())
        yield Edit(
            name="inverse", cost=1.15, old=changes[0][0], new=changes[0][1], others=changes[1:],
            statement=_replace_everywhere(statement, pattern), aliases=("transpose",), throughout=True,
        )  # fmt: skip


def _inverse(tree: Expression) -> Expression:
    return Call(function="inv", arguments=(tree,))


def _replace_everywhere(statement: Statement, pattern: dict[Expression, Expression]) -> Statement:
    definitions = tuple(
        dataclasses.replace(named, expression=_change_all(named.expression, pattern))
        for named in statement.definitions
    )
    trees = tuple(_change_all(tree, pattern) for tree in statement.trees)
    return dataclasses.replace(statement, trees=trees, definitions=definitions)


def _change_all(tree: Expression, pattern: dict[Expression, Expression]) -> Expression:
    """Return a tree with every piece of the pattern replaced, outermost first."""
    if tree in pattern:
        return pattern[tree]
    place = Place(tree=tree, put=lambda new: new)
    for position in range(len(list(_children(tree, place)))):
        child, put, _ = list(_children(tree, place))[position]
        changed = _change_all(child, pattern)
        if changed is not child:
            tree = put(changed)
            place = dataclasses.replace(place, tree=tree)
    return tree


def walk(tree: Expression) -> Iterator[Expression]:
    """Yield every piece of a tree but what stands in subscripts."""
    yield tree
    for child, _, _ in _children(tree, Place(tree=tree, put=lambda new: new)):
        yield from walk(child)


def _edits_of_pieces(statement: Statement, around: Surroundings) -> Iterator[Edit]:
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
            yield tree.left, left, {**factors, "exponent": _is_log(tree.right)}
            yield tree.right, right, {**factors, "exponent": _is_log(tree.left)}
        case "/":
            yield tree.left, left, {"kernel": place.kernel and not place.log}
            yield tree.right, right, {"denominator": True}
        case _:
            yield tree.left, left, {}
            yield tree.right, right, {"additive": True, "exponent": True}


def _is_log(tree: Expression) -> bool:
    """Tell whether a factor is a logarithm: the other is then the exponent of what is under it."""
    return isinstance(tree, Call) and tree.function == "log"


def _replacing(tree: Expression, field: str) -> Put:
    return lambda new: dataclasses.replace(tree, **{field: new})  # type: ignore[arg-type]


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
