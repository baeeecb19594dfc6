"""Rules of the slip finder for inverses, numbers and sizes."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from deriver.checking.places import (
    ONE,
    TWO,
    Place,
    Proposal,
    Surroundings,
    binary,
    is_dimension,
    is_size,
    size_name,
)
from deriver.language.rewrite import make_number
from deriver.model.expressions import (
    Binary,
    Call,
    Expression,
    Negate,
    Number,
    Reference,
    Transpose,
    references,
)

_HALF = Number(value=Fraction(1, 2), text="1/2")
_RATES = ("r", "rate", "scale")
_SPREADS = ("var", "cov", "prec", "sd")


def _is_two(tree: Expression) -> bool:
    return isinstance(tree, Number) and tree.value == 2


def reciprocal(tree: Expression) -> Expression:
    """Return 1/x, written as simply as can be."""
    match tree:
        case Binary(operator="/", left=Number(value=value), right=right) if value == 1:
            return right
        case Binary(operator="/", left=left, right=right):
            return binary("/", right, left)
        case Call(function="inv", arguments=(argument,)):
            return argument
        case Binary(operator="^", left=left, right=Negate(operand=exponent)):
            return left if exponent == ONE else binary("^", left, exponent)
    return binary("/", ONE, tree)


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
        case Binary(operator="/", left=left, right=right) if not isinstance(right, Number) and left != ONE:
            name, other = _turning_name(right, around)
            yield Proposal(name=name, cost=1.0, new=binary("*", left, right), aliases=(other, "inverse"))
        case Binary(operator="*", left=left, right=right) if not isinstance(right, Number):
            name, other = _turning_name(right, around)
            yield Proposal(name=name, cost=1.1, new=binary("/", left, right), aliases=(other, "inverse"))


def turn_divisor(place: Place, around: Surroundings) -> Iterator[Proposal]:
    """A matrix or vector multiplied by a variance that should divide it, and back."""
    if around.kind(place.tree) == "scalar":
        return
    match place.tree:
        case Binary(operator="/", left=left, right=right) if not isinstance(right, Number):
            name, other = _turning_name(right, around)
            yield Proposal(name=name, cost=1.0, new=binary("*", right, left), aliases=(other, "inverse"))
        case Binary(operator="*", left=left, right=right) if around.kind(left) == "scalar":
            name, other = _turning_name(left, around)
            if not isinstance(left, Number):
                yield Proposal(name=name, cost=1.0, new=binary("/", right, left), aliases=(other, "inverse"))


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
    spread = place.root and (place.role in _SPREADS or not place.role and not place.kernel)
    named = isinstance(tree, Reference) and tree.name in around.symbols and around.symbols[tree.name].positive
    sums = isinstance(tree, Binary) and tree.operator in "+-"
    if around.kind(tree) != "scalar" or not (spread or named or sums):
        return
    cost = 1.2 if spread or named else 1.6
    yield Proposal(name="variance for sd", cost=cost, new=binary("^", tree, TWO))
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
            yield Proposal(name="factor of 2", cost=cost, new=binary("*", TWO, tree))
    yield Proposal(name="factor of 2", cost=cost, new=binary("/", tree, TWO))


def change_sign(place: Place, around: Surroundings) -> Iterator[Proposal]:
    """A plus for a minus."""
    tree = place.tree
    # the sign of a power is x for 1/x
    aliases = ("inverse", "variance for precision", "rate for scale") if place.exponent else ()
    match tree:
        case Negate(operand=operand):
            yield Proposal(name="sign", cost=0.9, new=operand, aliases=aliases)
            return
        case Binary(operator="+" | "-", left=left, right=right):
            other = "-" if tree.operator == "+" else "+"
            yield Proposal(name="sign", cost=0.9, new=binary(other, left, right))
    if place.additive and not (isinstance(tree, Number) and place.root):
        yield Proposal(name="sign", cost=1.0, new=Negate(operand=tree), aliases=aliases)


def shift_exponent(place: Place, around: Surroundings) -> Iterator[Proposal]:
    """An exponent, shape or degrees of freedom off by one, or by a half."""
    tree = place.tree
    match tree:
        case Binary(operator="+" | "-", left=left, right=Number() as right) if right.value != 0:
            yield Proposal(
                name="exponent off by one", cost=1.0, new=left, old=right, aliases=("missing Jacobian",)
            )
    if isinstance(tree, Reference) and around.kind(tree) == "scalar" and not is_size(tree, around):
        new = binary("^", tree, TWO)
        yield Proposal(name="exponent off by one", cost=1.3, new=new, aliases=("variance for sd",))
        if place.kernel and not place.log:
            new = binary("^", tree, Negate(operand=ONE))
            yield Proposal(name="exponent off by one", cost=1.3, new=new, aliases=("missing Jacobian",))
    if not place.exponent:
        return
    if place.role == "df":
        yield from _other_matrix(tree, around)
    steps: list[Expression] = [ONE, _HALF, TWO]
    steps += [size for size in around.sizes if is_dimension(size, around)]
    for number, step in enumerate(steps):
        cost = 0.9 + 0.3 * number
        for sign in "+-":
            yield Proposal(
                name="exponent off by one", cost=cost, new=binary(sign, tree, step),
                aliases=("missing Jacobian",),
            )  # fmt: skip


def _other_matrix(tree: Expression, around: Surroundings) -> Iterator[Proposal]:
    """Degrees of freedom without the Jacobian of the inverse, det^(p + 1): 2 (p + 1) too many or too few."""
    for side in [size for size in around.sizes if is_dimension(size, around)]:
        step = binary("*", TWO, binary("+", side, ONE))
        for sign in "+-":
            yield Proposal(
                name="missing Jacobian",
                cost=1.2,
                new=binary(sign, tree, step),
                aliases=("exponent off by one",),
            )


# --- sizes ---------------------------------------------------------------------------------------------------


def change_size(place: Place, around: Surroundings) -> Iterator[Proposal]:
    """n for n·p, J for n·J: one size for another, a size too few or too many."""
    tree = place.tree
    sizes = [size for size in around.sizes if _free(size, place)]
    if is_size(tree, around):
        for size in sizes:
            if size != tree:
                name = size_name(tree, size, around)
                yield Proposal(name=name, cost=1.0, new=size)
                product = binary("*", tree, size)
                yield Proposal(name=name, cost=1.0, new=product)
                yield Proposal(name=name, cost=1.1, new=binary("/", product, TWO))
        if around.literal_dimension is not None:
            number = make_number(around.literal_dimension)
            new = binary("*", tree, number)
            yield Proposal(name="n for np", cost=1.2, new=new, aliases=("factor of 2",))
    elif place.additive and around.kind(tree) == "scalar":
        for size in sizes:
            name = size_name(size, size, around)
            yield Proposal(name=name, cost=1.5, new=binary("*", size, tree))
            yield Proposal(name=name, cost=1.6, new=binary("/", tree, size))
    elif place.additive:
        for size in sizes:
            name = size_name(size, size, around)
            yield Proposal(name=name, cost=1.5, new=binary("*", size, tree))
    match tree:
        case Binary(operator="*", left=left, right=right):
            for kept, lost in ((left, right), (right, left)):
                if is_size(lost, around):
                    yield Proposal(name=size_name(lost, lost, around), cost=0.9, new=kept)


def _free(size: Expression, place: Place) -> bool:
    """Tell whether every index in a size has a value at the place."""
    match size:
        case Reference(subscripts=subscripts):
            return all(isinstance(each, Reference) and each.name in place.bound for each in subscripts)
    return True
