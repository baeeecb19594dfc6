"""The rules by which a piece of a claim may be changed, one for each kind of slip.

A rule takes a place and yields proposals: the slip's name, its cost, and the new tree.  Proposals that make no
sense (an inverse of a vector) do no harm: they have no value and are dropped by the search.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from deriver.checking.terms import Term
from deriver.language.rewrite import make_number, rebuild
from deriver.model.expressions import (
    Binary,
    Call,
    Condition,
    Expression,
    Negate,
    Number,
    Reference,
    SumOver,
    Transpose,
    references,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A piece of a claim: the tree, how to put another there, and where it stands.

    ``role`` is the keyword of the family's argument at its root; ``additive`` tells that the piece stands as a term
    of its own, ``exponent`` that it is an exponent, a shape or degrees of freedom, ``kernel`` that it is a factor of
    a kernel, ``log`` that it is on the log scale, ``body`` that it is what a sum runs over.
    """

    tree: Expression
    put: Callable[[Expression], Expression]
    bound: tuple[str, ...] = ()
    role: str = ""
    root: bool = False
    additive: bool = False
    exponent: bool = False
    kernel: bool = False
    log: bool = False
    body: bool = False
    term: bool = False
    denominator: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A changed piece; ``added`` tells that ``shown`` was lacking, ``old`` and ``shown`` are what to tell."""

    name: str
    cost: float
    new: Expression
    old: Expression | None = None
    shown: Expression | None = None
    added: bool = False
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Symbol:
    """A name that a claim may use: its plate indices, its sides (0, 1 or 2) and what kind of number it is."""

    name: str
    indices: tuple[str, ...]
    sides: int
    size: bool = False
    dimension: bool = False
    group: str | None = None
    positive: bool = False
    variance: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the rules may use of the model: its names, sizes, plates, and the terms of the right answer."""

    symbols: dict[str, Symbol]
    sizes: tuple[Expression, ...]
    indices: tuple[str, ...]
    plates: tuple[tuple[str, tuple[str, ...]], ...]
    parameter_terms: tuple[Term, ...]
    kernel_terms: tuple[Term, ...]
    exponent_terms: tuple[Term, ...]
    jacobians: tuple[Expression, ...]
    literal_dimension: int | None
    own: bool
    kind: Callable[[Expression], str] = field(compare=False)


Rule = Callable[[Place, Surroundings], Iterator[Proposal]]

_ONE, _TWO, _HALF = make_number(1), make_number(2), Number(value=Fraction(1, 2), text="1/2")
_RATES = ("r", "rate", "scale")
_SPREADS = ("var", "cov", "prec", "sd")


def _binary(operator: str, left: Expression, right: Expression) -> Binary:
    return Binary(operator=operator, left=left, right=right)


def _is_two(tree: Expression) -> bool:
    return isinstance(tree, Number) and tree.value == 2


def reciprocal(tree: Expression) -> Expression:
    """Return 1/x, written as simply as can be."""
    match tree:
        case Binary(operator="/", left=Number(value=value), right=right) if value == 1:
            return right
        case Binary(operator="/", left=left, right=right):
            return _binary("/", right, left)
        case Call(function="inv", arguments=(argument,)):
            return argument
        case Binary(operator="^", left=left, right=Negate(operand=exponent)):
            return left if exponent == _ONE else _binary("^", left, exponent)
    return _binary("/", _ONE, tree)


# --- inverses and reciprocals --------------------------------------------------------------------------------


def invert_matrix(place: Place, around: Surroundings) -> Iterator[Proposal]:
    """R for R⁻¹, and back; Σ' for Σ⁻¹."""
    tree = place.tree
    spread = place.root and place.role in _SPREADS
    aliases = ("variance for precision", "rate for scale") if place.root else ("variance for precision",)
    match tree:
        case Call(function="inv", arguments=(argument,)):
            if around.kind(argument) == "matrix":
                yield Proposal(name="inverse", cost=1.0, new=argument, aliases=aliases)
        case Transpose(operand=operand) if around.kind(operand) == "matrix":
            new = Call(function="inv", arguments=(operand,))
            yield Proposal(name="inverse", cost=1.0, new=new, aliases=("transpose",))
        case _ if around.kind(tree) == "matrix":
            new = Call(function="inv", arguments=(tree,))
            cost = 0.9 if isinstance(tree, Reference) or spread else 1.3
            yield Proposal(name="inverse", cost=cost, new=new, aliases=aliases)


def turn_number(place: Place, around: Surroundings) -> Iterator[Proposal]:
    """x for 1/x: a rate for a scale, a variance for a precision."""
    tree = place.tree
    if around.kind(tree) != "scalar" or (place.kernel and not place.log):
        return
    if place.root and place.role in _RATES:
        yield Proposal(name="rate for scale", cost=0.8, new=reciprocal(tree), aliases=("inverse",))
    elif place.root and place.role in _SPREADS:
        aliases = ("rate for scale", "inverse")
        yield Proposal(name="variance for precision", cost=0.8, new=reciprocal(tree), aliases=aliases)
    elif not isinstance(tree, Number) and not place.exponent:
        name, other = _turning_name(tree, around)
        cost = 1.1 if isinstance(tree, Reference | Binary) else 1.4
        yield Proposal(name=name, cost=cost, new=reciprocal(tree), aliases=(other, "inverse"))
    match tree:
        case Binary(operator="/", left=left, right=right) if not isinstance(right, Number) and left != _ONE:
            name, other = _turning_name(right, around)
            yield Proposal(name=name, cost=1.0, new=_binary("*", left, right), aliases=(other, "inverse"))
        case Binary(operator="*", left=left, right=right) if not isinstance(right, Number):
            name, other = _turning_name(right, around)
            yield Proposal(name=name, cost=1.1, new=_binary("/", left, right), aliases=(other, "inverse"))


def turn_divisor(place: Place, around: Surroundings) -> Iterator[Proposal]:
    """A matrix or vector multiplied by a variance that should divide it, and back."""
    if around.kind(place.tree) == "scalar":
        return
    match place.tree:
        case Binary(operator="/", left=left, right=right) if not isinstance(right, Number):
            name, other = _turning_name(right, around)
            yield Proposal(name=name, cost=1.0, new=_binary("*", right, left), aliases=(other, "inverse"))
        case Binary(operator="*", left=left, right=right) if around.kind(left) == "scalar":
            name, other = _turning_name(left, around)
            if not isinstance(left, Number):
                yield Proposal(name=name, cost=1.0, new=_binary("/", right, left), aliases=(other, "inverse"))


def _turning_name(tree: Expression, around: Surroundings) -> tuple[str, str]:
    names = [found.name for found in references(tree)]
    variance = any(around.symbols[name].variance for name in names if name in around.symbols)
    pair = ("variance for precision", "rate for scale")
    return pair if variance else pair[::-1]


def square_or_root(place: Place, around: Surroundings) -> Iterator[Proposal]:
    """σ for σ², and back."""
    tree = place.tree
    match tree:
        case Binary(operator="^", left=left, right=right) if _is_two(right):
            plain = isinstance(left, Reference) or place.root
            name, other = ("variance for sd", "exponent off by one")[:: 1 if plain else -1]
            yield Proposal(name=name, cost=1.2, new=left, aliases=(other,))
            return
        case Call(function="sqrt", arguments=(argument,)):
            yield Proposal(name="variance for sd", cost=1.0, new=argument)
            return
    spread = place.root and place.role in _SPREADS
    named = isinstance(tree, Reference) and tree.name in around.symbols and around.symbols[tree.name].positive
    if around.kind(tree) != "scalar" or not (spread or named or isinstance(tree, Binary)):
        return
    if isinstance(tree, Binary) and not spread and tree.operator not in "+-":
        return
    cost = 1.2 if spread or named else 1.6
    yield Proposal(name="variance for sd", cost=cost, new=_binary("^", tree, _TWO))
    if spread or named:
        yield Proposal(name="variance for sd", cost=cost, new=Call(function="sqrt", arguments=(tree,)))


# --- numbers -------------------------------------------------------------------------------------------------


def double_or_halve(place: Place, around: Surroundings) -> Iterator[Proposal]:
    """A lost factor of 2, or one too many."""
    tree = place.tree
    if not place.additive and not place.kernel and not place.denominator:
        return
    if place.kernel and not place.log and not isinstance(tree, Call):
        return
    cost = 1.0
    match tree:
        case Number() if not place.exponent and not place.root:
            return
        case Binary(operator="/", left=left, right=right) if _is_two(right):
            yield Proposal(name="factor of 2", cost=cost, new=left)
        case Binary(operator="*", left=left, right=right) if _is_two(left):
            yield Proposal(name="factor of 2", cost=cost, new=right)
        case Binary(operator="*", left=left, right=right) if _is_two(right):
            yield Proposal(name="factor of 2", cost=cost, new=left)
        case _:
            yield Proposal(name="factor of 2", cost=cost, new=_binary("*", _TWO, tree))
    yield Proposal(name="factor of 2", cost=cost, new=_binary("/", tree, _TWO))


def change_sign(place: Place, around: Surroundings) -> Iterator[Proposal]:
    """A plus for a minus."""
    tree = place.tree
    match tree:
        case Negate(operand=operand):
            yield Proposal(name="sign", cost=0.9, new=operand)
            return
        case Binary(operator="+" | "-", left=left, right=right):
            other = "-" if tree.operator == "+" else "+"
            yield Proposal(name="sign", cost=0.9, new=_binary(other, left, right))
    if place.additive and not (isinstance(tree, Number) and place.root):
        yield Proposal(name="sign", cost=1.0, new=Negate(operand=tree))


def shift_exponent(place: Place, around: Surroundings) -> Iterator[Proposal]:
    """An exponent, shape or degrees of freedom off by one, or by a half."""
    tree = place.tree
    match tree:
        case Binary(operator="+" | "-", left=left, right=Number() as right) if right.value != 0:
            yield Proposal(
                name="exponent off by one", cost=1.0, new=left, old=right, aliases=("missing Jacobian",)
            )
    if place.kernel and not place.log and isinstance(tree, Reference):
        for power in (_TWO, Negate(operand=_ONE)):
            new = _binary("^", tree, power)
            yield Proposal(name="exponent off by one", cost=1.3, new=new, aliases=("missing Jacobian",))
    if not place.exponent:
        return
    steps: list[Expression] = [_ONE, _HALF, _TWO]
    steps += [size for size in around.sizes if _is_dimension(size, around)]
    for number, step in enumerate(steps):
        cost = 0.9 + 0.3 * number
        for sign in "+-":
            yield Proposal(
                name="exponent off by one", cost=cost, new=_binary(sign, tree, step),
                aliases=("missing Jacobian", "forgotten prior") if not around.own else ("missing Jacobian",),
            )  # fmt: skip


# --- sizes ---------------------------------------------------------------------------------------------------


def _is_dimension(size: Expression, around: Surroundings) -> bool:
    return isinstance(size, Reference) and around.symbols[size.name].dimension


def _is_size(tree: Expression, around: Surroundings) -> bool:
    match tree:
        case Reference(name=name):
            return name in around.symbols and around.symbols[name].size
        case SumOver(body=body):
            return _is_size(body, around)
    return False


def _size_name(one: Expression, other: Expression, around: Surroundings) -> str:
    dimension = _is_dimension(one, around) or _is_dimension(other, around)
    return "n for np" if dimension else "J for nJ"


def change_size(place: Place, around: Surroundings) -> Iterator[Proposal]:
    """n for n·p, J for n·J: one size for another, a size too few or too many."""
    tree = place.tree
    sizes = [size for size in around.sizes if _free(size, place)]
    if _is_size(tree, around):
        for size in sizes:
            if size != tree:
                name = _size_name(tree, size, around)
                yield Proposal(name=name, cost=1.0, new=size)
                yield Proposal(name=name, cost=1.0, new=_binary("*", tree, size))
        if around.literal_dimension is not None:
            number = make_number(around.literal_dimension)
            new = _binary("*", tree, number)
            yield Proposal(name="n for np", cost=1.2, new=new, aliases=("factor of 2",))
    elif place.additive and around.kind(tree) == "scalar":
        for size in sizes:
            name = _size_name(size, size, around)
            yield Proposal(name=name, cost=1.5, new=_binary("*", size, tree))
            yield Proposal(name=name, cost=1.6, new=_binary("/", tree, size))
    elif place.additive:
        for size in sizes:
            name = _size_name(size, size, around)
            yield Proposal(name=name, cost=1.5, new=_binary("*", size, tree))
    match tree:
        case Binary(operator="*", left=left, right=right):
            for kept, lost in ((left, right), (right, left)):
                if _is_size(lost, around):
                    yield Proposal(name=_size_name(lost, lost, around), cost=0.9, new=kept)


def _free(size: Expression, place: Place) -> bool:
    """Tell whether every index in a size has a value at the place."""
    match size:
        case Reference(subscripts=subscripts):
            return all(isinstance(each, Reference) and each.name in place.bound for each in subscripts)
    return True


# --- order and indices ---------------------------------------------------------------------------------------


def transpose_piece(place: Place, around: Surroundings) -> Iterator[Proposal]:
    """x'x for xx', A' for A."""
    tree = place.tree
    match tree:
        case Transpose(operand=operand):
            yield Proposal(name="transpose", cost=1.0, new=operand)
            return
        case Binary(operator="*", left=Transpose(operand=inner), right=right):
            yield Proposal(name="transpose", cost=0.9, new=_binary("*", inner, Transpose(operand=right)))
        case Binary(operator="*", left=left, right=Transpose(operand=inner)):
            yield Proposal(name="transpose", cost=0.9, new=_binary("*", Transpose(operand=left), inner))
    if isinstance(tree, Binary) and tree.operator == "*":
        left, right = around.kind(tree.left), around.kind(tree.right)
        if left == right == "matrix":
            yield Proposal(name="transpose", cost=1.4, new=_binary("*", tree.right, tree.left))
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
            yield _binary("-", subscript, _ONE)
            yield _binary("+", subscript, _ONE)
            for other in dict.fromkeys(place.bound):
                if other != name:
                    yield Reference(name=other)
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
    if place.kernel and (place.root or place.log):
        yield from _add_factor(place, around)
    if place.kernel and not place.log or not (place.additive or place.denominator or place.root):
        return
    if place.exponent and not place.root:
        for term in around.exponent_terms:
            yield Proposal(name=term.name, cost=1.7, new=term.tree)
            new = _binary("+", tree, term.tree)
            yield Proposal(name=term.name, cost=1.6, new=new, shown=term.tree, added=True)
    kind = around.kind(tree)
    for term in around.parameter_terms:
        if around.kind(term.tree) != kind:
            continue
        if not place.term:
            new = _binary("+", tree, term.tree)
            yield Proposal(name=term.name, cost=1.0, new=new, shown=term.tree, added=True)
        if place.term or place.root:
            yield Proposal(name=term.name, cost=2.4, new=term.tree)


def _add_factor(place: Place, around: Surroundings) -> Iterator[Proposal]:
    if not place.root:
        return
    for term in around.kernel_terms:
        new = _binary("+" if place.log else "*", place.tree, term.tree)
        yield Proposal(name=term.name, cost=1.0, new=new, shown=term.tree, added=True)
    cost = 1.5 if around.own else 0.9
    for jacobian in around.jacobians:
        for sign in ("+", "-") if place.log else ("*", "/"):
            new = _binary(sign, place.tree, jacobian)
            yield Proposal(
                name="missing Jacobian", cost=cost, new=new, shown=jacobian, added=True,
                aliases=("exponent off by one",),
            )  # fmt: skip


def drop_term(place: Place, around: Surroundings) -> Iterator[Proposal]:
    """A term or factor that should not be there."""
    match place.tree:
        case Binary(operator="+" | "-", left=left, right=right):
            yield Proposal(name=_lost_name(right), cost=1.8, new=left, old=right, shown=make_number(0))
            if place.tree.operator == "+":
                yield Proposal(name=_lost_name(left), cost=1.9, new=right, old=left, shown=make_number(0))
        case Binary(operator="*", left=left, right=right):
            for kept, lost in ((left, right), (right, left)):
                if not isinstance(lost, Number) and not _is_size(lost, around):
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
            yield Proposal(name="wrong symbol", cost=2.0, new=_binary(operator, place.tree, factor))


RULES: tuple[Rule, ...] = (
    invert_matrix, turn_number, turn_divisor, square_or_root, double_or_halve, change_sign, shift_exponent,
    change_size, transpose_piece, change_index, change_sum, change_symbol, add_term, drop_term, add_factor_symbol,
)  # fmt: skip
