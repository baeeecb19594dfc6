"""Rules of the slip finder for order, indices, symbols and terms."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from deriver.checking.places import ONE, Place, Proposal, Surroundings, binary, is_size
from deriver.language.rewrite import make_number, rebuild
from deriver.model.expressions import Binary, Condition, Expression, Number, Reference, SumOver, Transpose

# --- order and indices ---------------------------------------------------------------------------------------


def transpose_piece(place: Place, around: Surroundings) -> Iterator[Proposal]:
    """x'x for xx', A' for A."""
    tree = place.tree
    match tree:
        case Transpose(operand=operand):
            yield Proposal(name="transpose", cost=1.0, new=operand)
            return
        case Binary(operator="*", left=Transpose(operand=inner), right=right):
            yield Proposal(name="transpose", cost=0.9, new=binary("*", inner, Transpose(operand=right)))
        case Binary(operator="*", left=left, right=Transpose(operand=inner)):
            yield Proposal(name="transpose", cost=0.9, new=binary("*", Transpose(operand=left), inner))
    if isinstance(tree, Binary) and tree.operator == "*":
        kinds = (around.kind(tree.left), around.kind(tree.right))
        if kinds == ("matrix", "matrix"):
            yield Proposal(name="transpose", cost=1.4, new=binary("*", tree.right, tree.left))
    if around.kind(tree) in ("matrix", "vector", "row"):
        yield Proposal(name="transpose", cost=1.1, new=Transpose(operand=tree))


def change_index(place: Place, around: Surroundings) -> Iterator[Proposal]:
    """A subscript that should be another: t for t-1, i for j, g[k] for h[k], two in the wrong order."""
    tree = place.tree
    if not isinstance(tree, Reference) or not tree.subscripts:
        return
    for position, subscript in enumerate(tree.subscripts):
        for other in _other_values(subscript, place, around):
            subscripts = (*tree.subscripts[:position], other, *tree.subscripts[position + 1 :])
            new = dataclasses.replace(tree, subscripts=subscripts)
            yield Proposal(name="wrong index", cost=1.1, new=new, aliases=("wrong symbol",))
    if len(tree.subscripts) == 2:
        new = dataclasses.replace(tree, subscripts=tree.subscripts[::-1])
        yield Proposal(name="wrong index", cost=1.1, new=new)


def _other_values(subscript: Expression, place: Place, around: Surroundings) -> Iterator[Expression]:
    match subscript:
        case Reference(name=name, subscripts=()) if name in place.bound:
            yield binary("-", subscript, ONE)
            yield binary("+", subscript, ONE)
            for index in dict.fromkeys(place.bound):
                if index != name:
                    yield Reference(name=index)
            yield from _groups(place, around)
        case Binary(operator="+" | "-", left=left, right=Number()):
            yield left
            yield dataclasses.replace(subscript, operator="-" if subscript.operator == "+" else "+")
        case Reference(name=name, subscripts=inner) if inner:
            yield from inner
            for other in _groups(place, around):
                if other != subscript:
                    yield other
        case Number(value=value):
            for index in dict.fromkeys(place.bound):
                yield Reference(name=index)
            yield make_number(int(value) + 1)
            if value > 0:
                yield make_number(int(value) - 1)


def _groups(place: Place, around: Surroundings) -> Iterator[Expression]:
    """Yield the group columns whose own indices have values here."""
    for symbol in around.symbols.values():
        if symbol.group is not None and set(symbol.indices) <= set(place.bound):
            subscripts = tuple(Reference(name=index) for index in symbol.indices)
            yield Reference(name=symbol.name, subscripts=subscripts)


def change_sum(place: Place, around: Surroundings) -> Iterator[Proposal]:
    """A sum over the wrong index, over too many terms, or one that is not there."""
    tree = place.tree
    if isinstance(tree, SumOver):
        yield from _change_existing_sum(tree, place, around)
    elif place.additive and not isinstance(tree, Number):
        for index, enclosing in around.plates:
            if index not in place.bound and set(enclosing) <= set(place.bound):
                new = SumOver(index=index, conditions=(), body=tree)
                yield Proposal(name="wrong index", cost=1.7, new=new, aliases=("J for nJ",))


def _change_existing_sum(tree: SumOver, place: Place, around: Surroundings) -> Iterator[Proposal]:
    for index, enclosing in around.plates:
        if index != tree.index and set(enclosing) <= set(place.bound):
            yield Proposal(name="wrong index", cost=1.2, new=dataclasses.replace(tree, index=index))
            renamed = _rename(tree.body, tree.index, index)
            new = dataclasses.replace(tree, index=index, body=renamed)
            yield Proposal(name="wrong index", cost=1.3, new=new)
    if tree.conditions:
        yield Proposal(name="wrong index", cost=1.2, new=dataclasses.replace(tree, conditions=()))
    inside = dataclasses.replace(place, bound=(*place.bound, tree.index))
    for column in _groups(inside, around):
        for own in around.indices:
            condition = Condition(relation="=", left=column, right=Reference(name=own))
            new = dataclasses.replace(tree, conditions=(condition,))
            if condition not in tree.conditions:
                yield Proposal(name="wrong index", cost=1.2, new=new)
    yield Proposal(name="wrong index", cost=1.5, new=tree.body, aliases=("J for nJ",))


def _rename(tree: Expression, old: str, new: str) -> Expression:
    def change(part: Expression) -> Expression:
        plain = isinstance(part, Reference) and part.name == old and not part.subscripts
        return Reference(name=new) if plain else part

    return rebuild(tree, change)


# --- symbols and terms ---------------------------------------------------------------------------------------


def change_symbol(place: Place, around: Surroundings) -> Iterator[Proposal]:
    """One symbol for another of the same shape."""
    tree = place.tree
    if not isinstance(tree, Reference) or tree.name not in around.symbols:
        return
    own = around.symbols[tree.name]
    sides = own.sides if len(tree.subscripts) == len(own.indices) else 0
    for symbol in around.symbols.values():
        if symbol.name == tree.name or symbol.sides != sides or symbol.group or symbol.size != own.size:
            continue
        if symbol.indices == own.indices and len(tree.subscripts) == len(own.indices):
            new = dataclasses.replace(tree, name=symbol.name)
            yield Proposal(name="wrong symbol", cost=1.3, new=new)
        elif set(symbol.indices) <= set(place.bound):
            new = Reference(
                name=symbol.name, subscripts=tuple(Reference(name=index) for index in symbol.indices)
            )
            yield Proposal(name="wrong symbol", cost=1.5, new=new)


def add_term(place: Place, around: Surroundings) -> Iterator[Proposal]:
    """A term of the right answer that is not there, or stands garbled."""
    tree = place.tree
    a_sum = isinstance(tree, Binary) and tree.operator in "+-"
    if place.kernel and not place.log or not (place.additive or place.denominator or place.root or a_sum):
        return
    if place.exponent and not place.root:
        for term in around.exponent_terms:
            yield Proposal(name=term.name, cost=1.7, new=term.tree)
            new = binary("+", tree, term.tree)
            yield Proposal(name=term.name, cost=1.6, new=new, shown=term.tree, added=True)
    kind = around.kind(tree)
    for term in around.parameter_terms:
        if around.kind(term.tree) != kind:
            continue
        if not place.term:
            new = binary("+", tree, term.tree)
            cost = 1.0 if place.root and not place.kernel else 1.15
            yield Proposal(
                name=term.name, cost=cost, new=new, shown=term.tree, added=True, aliases=term.aliases
            )
        if place.term or place.root:
            yield Proposal(name=term.name, cost=2.4, new=term.tree, aliases=term.aliases)


def drop_term(place: Place, around: Surroundings) -> Iterator[Proposal]:
    """A term or factor that should not be there."""
    match place.tree:
        case Binary(operator="+" | "-", left=left, right=right):
            yield Proposal(name=_lost_name(right), cost=1.8, new=left, old=right, shown=make_number(0))
            if place.tree.operator == "+":
                yield Proposal(name=_lost_name(left), cost=1.9, new=right, old=left, shown=make_number(0))
        case Binary(operator="*", left=left, right=right):
            for kept, lost in ((left, right), (right, left)):
                if not isinstance(lost, Number) and not is_size(lost, around):
                    yield Proposal(name="wrong symbol", cost=1.9, new=kept, old=lost, shown=make_number(1))
        case Binary(operator="/", left=left, right=right) if not isinstance(right, Number):
            yield Proposal(name="wrong symbol", cost=1.9, new=left, old=right, shown=make_number(1))


def _lost_name(lost: Expression) -> str:
    return "exponent off by one" if isinstance(lost, Number) else "wrong symbol"


def add_factor_symbol(place: Place, around: Surroundings) -> Iterator[Proposal]:
    """A symbol that should multiply or divide a term."""
    if not place.additive or place.exponent or isinstance(place.tree, Number):
        return
    for symbol in around.symbols.values():
        if symbol.sides or symbol.group or symbol.size or not set(symbol.indices) <= set(place.bound):
            continue
        factor = Reference(
            name=symbol.name, subscripts=tuple(Reference(name=index) for index in symbol.indices)
        )
        for operator in "/*":
            yield Proposal(name="wrong symbol", cost=2.0, new=binary(operator, place.tree, factor))
