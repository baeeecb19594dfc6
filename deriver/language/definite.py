"""Which matrices are positive definite, by rules that prove it from their form.

inv(S), a positive multiple, a sum, diag of positive entries, D * R * D with D diagonal, L * L' with L triangular, an
exchangeable correlation on its interval, and a 2 by 2 matrix whose off-diagonal entry is, in size, below the root of the
product of the others.  What no rule proves is not thereby indefinite.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from deriver.language.intervals import Interval
from deriver.language.printer import print_expression
from deriver.language.rewrite import whole_number
from deriver.model.expressions import (
    Binary,
    Call,
    Expression,
    MatrixRows,
    Negate,
    Number,
    Reference,
    Transpose,
)

Monomial = tuple[Fraction, dict[str, Fraction]]
_LARGEST_BITS = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of the parts of an expression: its intervals, definite and triangular names, bounds, shapes."""

    enclose: Callable[[Expression], Interval]
    known: Callable[[Reference], bool]
    known_triangular: Callable[[Reference], bool]
    lower_bound: Callable[[Reference], Expression | None]
    is_scalar: Callable[[Expression], bool]


def is_definite(expression: Expression, facts: Facts) -> bool:
    """Tell whether a rule proves the matrix positive definite."""

    def again(part: Expression) -> bool:
        return is_definite(part, facts)

    enclose = facts.enclose
    match expression:
        case Reference():
            return facts.known(expression)
        case Transpose(operand=operand) | Call(function="inv", arguments=(operand,)):
            return again(operand)
        case Call(function="eye"):
            return True
        case Call(function="diag", arguments=(entries,)):
            return enclose(entries).positive
        case Call(function="exchangeable", arguments=(rho, size)):
            return _is_exchangeable(rho, size, facts)
        case Binary(operator="+", left=left, right=right):
            return again(left) and again(right)
        case Binary(operator="/", left=left, right=right):
            return again(left) and enclose(right).positive
        case Binary(operator="*", left=left, right=right):
            if facts.is_scalar(left):
                return enclose(left).positive and again(right)
            if facts.is_scalar(right):
                return enclose(right).positive and again(left)
            return _is_gram(left, right, facts) or _is_congruence(left, right, again)
        case MatrixRows(rows=rows):
            return _is_small(rows, enclose)
    return False


def is_triangular(expression: Expression, facts: Facts) -> bool:
    """Tell whether a rule proves the matrix lower triangular with a positive diagonal."""

    def again(part: Expression) -> bool:
        return is_triangular(part, facts)

    match expression:
        case Reference():
            return facts.known_triangular(expression)
        case Call(function="eye"):
            return True
        case Call(function="diag", arguments=(entries,)):
            return facts.enclose(entries).positive
        case Call(function="inv", arguments=(operand,)):
            return again(operand)
        case Binary(operator="+", left=left, right=right):
            return again(left) and again(right)
        case Binary(operator="*" | "/", left=left, right=right):
            for one, other in ((left, right), (right, left)):
                if facts.is_scalar(other):
                    return facts.enclose(other).positive and again(one)
            return again(left) and again(right)
        case MatrixRows(rows=rows):
            square = len(rows) == len(rows[0])
            return square and all(
                facts.enclose(entry).positive if a == b else b < a or read_constant(((entry,),)) == [[0]]
                for a, row in enumerate(rows)
                for b, entry in enumerate(row)
            )
    return False


def _is_gram(left: Expression, right: Expression, facts: Facts) -> bool:
    """Tell whether ``left * right`` is L * L' for a triangular L."""
    mirrored = right == Transpose(operand=left) or left == Transpose(operand=right)
    return mirrored and is_triangular(right if isinstance(left, Transpose) else left, facts)


def _is_congruence(left: Expression, right: Expression, again: Callable[[Expression], bool]) -> bool:
    """Tell whether ``left * right`` is D * R * D for diagonal D and definite R, however bracketed."""
    chain = [*_factors(left), *_factors(right)]
    if len(chain) != 3 or chain[0] != chain[2]:
        return False
    return isinstance(chain[0], Call) and chain[0].function == "diag" and again(chain[0]) and again(chain[1])


def _factors(expression: Expression) -> list[Expression]:
    if isinstance(expression, Binary) and expression.operator == "*":
        return [*_factors(expression.left), *_factors(expression.right)]
    return [expression]


def _is_exchangeable(rho: Expression, size: Expression, facts: Facts) -> bool:
    """Tell whether rho lies in (-1/(p-1), 1); for an unknown p only the usual bound for it is recognised."""
    found = facts.enclose(rho)
    below_one = found.upper < 1 or (found.upper == 1 and found.upper_open)
    if not below_one:
        return False
    dimension = whole_number(size)
    if dimension is None:
        return found.lower >= 0 or _has_usual_bound(rho, size, facts)
    if dimension == 1:
        return True
    least = -1 / (dimension - 1)
    return found.lower > least or (found.lower == least and found.lower_open)


def _has_usual_bound(rho: Expression, size: Expression, facts: Facts) -> bool:
    """Tell whether rho is a node above ``-1/(p-1)``, written so or with ``max(p-1, 1)`` for p = 1."""
    if not isinstance(rho, Reference) or not isinstance(size, Reference):
        return False
    bound = facts.lower_bound(rho)
    usual = {f"-1/max({size.name} - 1, 1)", f"-1/max(1, {size.name} - 1)", f"-1/({size.name}-1)"}
    return bound is not None and print_expression(bound, True) in usual


def _is_small(rows: tuple[tuple[Expression, ...], ...], enclose: Callable[[Expression], Interval]) -> bool:
    if constant := read_constant(rows):
        return all(pivot > 0 for pivot in find_pivots(constant)) and _is_symmetric(constant)
    if len(rows) != 2 or len(rows[0]) != 2:
        return False
    (a, b), (c, d) = rows
    if not (enclose(a).positive and enclose(d).positive):
        return False
    upper, lower, product = read_monomial(b), read_monomial(c), _join(read_monomial(a), read_monomial(d), 1)
    if upper is None or upper != lower or product is None:
        return False
    ratio = _join((upper[0] ** 2, {name: 2 * each for name, each in upper[1].items()}), product, -1)
    return ratio is not None and _below_one(ratio, b, enclose)


def _below_one(ratio: Monomial, source: Expression, enclose: Callable[[Expression], Interval]) -> bool:
    """Tell whether ``c * rho^2`` stays below 1: what is left when the diagonal is divided out."""
    coefficient, powers = ratio
    if not powers:
        return 0 <= coefficient < 1
    if len(powers) != 1 or set(powers.values()) != {Fraction(2)}:
        return False
    name = next(iter(powers))
    part = next((each for each in _factors_deep(source) if print_expression(each, True) == name), None)
    if part is None or coefficient <= 0:
        return False
    found = enclose(part)
    limit = float(coefficient) ** -0.5
    inside_low = found.lower > -limit or (found.lower == -limit and found.lower_open)
    return inside_low and (found.upper < limit or (found.upper == limit and found.upper_open))


def _factors_deep(expression: Expression) -> list[Expression]:
    match expression:
        case Binary(operator="*" | "/", left=left, right=right):
            return [*_factors_deep(left), *_factors_deep(right)]
        case Negate(operand=operand):
            return _factors_deep(operand)
    return [expression]


def read_monomial(expression: Expression) -> Monomial | None:
    """Return coefficient and powers of a product of powers; None if it is a sum."""
    match expression:
        case Number(value=value):
            return value, {}
        case Negate(operand=operand):
            inner = read_monomial(operand)
            return (-inner[0], inner[1]) if inner else None
        case Binary(operator="*", left=left, right=right):
            return _join(read_monomial(left), read_monomial(right), 1)
        case Binary(operator="/", left=left, right=right):
            return _join(read_monomial(left), read_monomial(right), -1)
        case Binary(operator="^", left=left, right=Number(value=value)) if abs(value) <= 16:
            return _raise(read_monomial(left), value)
        case Call(function="sqrt", arguments=(inner,)):
            return _raise(read_monomial(inner), Fraction(1, 2))
        case Binary() | Transpose() | MatrixRows():
            return None
    return Fraction(1), {print_expression(expression, True): Fraction(1)}


def _join(left: Monomial | None, right: Monomial | None, sign: int) -> Monomial | None:
    if left is None or right is None or (sign < 0 and not right[0]):
        return None
    powers = dict(left[1])
    for name, power in right[1].items():
        powers[name] = powers.get(name, Fraction(0)) + sign * power
    return left[0] * right[0] ** sign, {name: power for name, power in powers.items() if power}


def _raise(base: Monomial | None, power: Fraction) -> Monomial | None:
    if base is None or (power.denominator != 1 and base[0] != 1) or (power < 0 and not base[0]):
        return None
    if base[0].numerator.bit_length() + base[0].denominator.bit_length() > _LARGEST_BITS:
        return None
    coefficient = base[0] ** int(power) if power.denominator == 1 else Fraction(1)
    return coefficient, {name: each * power for name, each in base[1].items()}


def read_constant(rows: tuple[tuple[Expression, ...], ...]) -> list[list[Fraction]] | None:
    """Return the numbers of a matrix whose entries are all literal; None otherwise."""
    found = []
    for row in rows:
        values = [read_monomial(entry) for entry in row]
        if any(value is None or value[1] for value in values):
            return None
        found.append([value[0] for value in values if value is not None])
    return found


def _is_symmetric(matrix: list[list[Fraction]]) -> bool:
    size = len(matrix)
    return all(matrix[i][j] == matrix[j][i] for i in range(size) for j in range(i))


def find_pivots(matrix: list[list[Fraction]]) -> list[Fraction]:
    """Return the pivots of elimination without exchange, up to the first that is not positive."""
    rows = [list(row) for row in matrix]
    pivots = []
    for k in range(len(rows)):
        pivot = rows[k][k]
        pivots.append(pivot)
        if pivot <= 0:
            break
        for i in range(k + 1, len(rows)):
            factor = rows[i][k] / pivot
            rows[i] = [a - factor * b for a, b in zip(rows[i], rows[k], strict=True)]
    return pivots
