"""Recognising a family's statistics in a monomial of the target.

Input: a product each of whose factors mentions the target, as the derivation's normal form makes it, and the
target.  Output: the statistic's name and the monomial's coefficient on it, or None.  Elements of the same
quantity at other indices count as constants.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from deriver.families.deferred import heads, sp

if TYPE_CHECKING:
    from sympy import Expr

    Collected = tuple[str, Expr] | None
    Forms = Callable[[Expr], Mapping[str, Expr]]


def collect_by_form(forms: Forms) -> Callable[[Expr, Expr], Collected]:
    """Return a collector for scalar targets: a monomial counts when it is one of ``forms(target)``."""

    def collect(monomial: Expr, target: Expr) -> Collected:
        return next(((name, sp.S.One) for name, form in forms(target).items() if form == monomial), None)

    return collect


def collect_vector_normal(monomial: Expr, target: Expr) -> Collected:
    """Collect a'β as ``("linear", a)`` and β'Mβ, or (a'β)(b'β), as ``("quadratic", M made symmetric)``."""
    match monomial:
        case sp.Pow() if monomial.exp == 2:
            pair = [monomial.base, monomial.base]
        case sp.Mul():
            pair = list(monomial.args)
        case _:
            return _collect_single(monomial, target)
    if len(pair) != 2:
        return None
    first, second = (_linear_coefficient(factor, target, target) for factor in pair)
    if first is None or second is None:
        return None
    return ("quadratic", symmetrise(first * heads.transpose(second)))


def collect_wishart(monomial: Expr, target: Expr) -> Collected:
    """Collect log|Θ| as ``("logdet", 1)`` and tr(MΘ), u'Θv, Θ_ab as ``("trace", M made symmetric)``."""
    return _collect_matrix(monomial, target, target)


def collect_inverse_wishart(monomial: Expr, target: Expr) -> Collected:
    """Collect log|Θ| as ``("logdet", 1)`` and tr(MΘ⁻¹), u'Θ⁻¹v as ``("trace", M made symmetric)``."""
    return _collect_matrix(monomial, target, target**-1)


def collect_log_components(monomial: Expr, target: Expr) -> Collected:
    """Collect c'log(π), log taken of each component, and log(π_k) as ``("log", coefficient vector)``."""
    if isinstance(monomial, sp.log) and isinstance(monomial.args[0], heads.Component):
        vector, position = monomial.args[0].args
        known = vector == target and not position.has(target)
        return ("log", heads.Unit(position, heads.shape_of(target)[0])) if known else None
    coefficient = _linear_coefficient(monomial, target, heads.Map("log", target))
    return None if coefficient is None else ("log", coefficient)


def symmetrise(matrix: Expr) -> Expr:
    """Return (M + M')/2, or M itself when it is known to be symmetric."""
    half = sp.Rational(1, 2)
    return (
        matrix
        if heads.is_symmetric(matrix)
        else scale_terms(half, matrix) + scale_terms(half, heads.transpose(matrix))
    )


def scale_terms(number: Expr, expr: Expr) -> Expr:
    """Return ``number * expr``, multiplied into the terms of a sum."""
    return sp.Add(*(number * term for term in sp.Add.make_args(expr)))


def _collect_single(factor: Expr, target: Expr) -> Collected:
    coefficient = _linear_coefficient(factor, target, target)
    if coefficient is not None:
        return ("linear", coefficient)
    scalar, factors = _closed_product(factor)
    if len(factors) < 2 or factors[0] != heads.Transposed(target) or factors[-1] != target:
        return None
    middle = factors[1:-1]
    if _mentions_any([scalar, *middle], target):
        return None
    matrix = sp.Mul(*middle) if middle else heads.Eye(heads.shape_of(target)[0])
    return ("quadratic", scalar * symmetrise(matrix))


def _linear_coefficient(factor: Expr, target: Expr, atom: Expr) -> Expr | None:
    """Return a such that ``factor`` is a'v; the vector v, ``atom``, stands at either end of the product."""
    scalar, factors = _closed_product(factor)
    if factors and factors[-1] == atom and not _mentions_any([scalar, *factors[:-1]], target):
        return scalar * heads.transpose(sp.Mul(*factors[:-1]))
    if factors and factors[0] == heads.Transposed(atom) and not _mentions_any([scalar, *factors[1:]], target):
        return scalar * sp.Mul(*factors[1:])
    return None


def _collect_matrix(monomial: Expr, target: Expr, atom: Expr) -> Collected:
    if monomial == heads.LogDet(target):
        return ("logdet", sp.S.One)
    scalar, factors = _closed_product(monomial)
    places = [place for place, factor in enumerate(factors) if factor.has(target)]
    if len(places) != 1 or factors[places[0]] != atom or scalar.has(target):
        return None
    around = [*factors[places[0] + 1 :], *factors[: places[0]]]
    matrix = sp.Mul(*around) if around else heads.Eye(heads.shape_of(target)[0])
    return ("trace", scalar * symmetrise(matrix))


def _closed_product(factor: Expr) -> tuple[Expr, list[Expr]]:
    """Return the scalar and the matrix factors of the product that a closed head holds; an entry's too."""
    left: list[Expr] = []
    right: list[Expr] = []
    match factor:
        case heads.Inner() | heads.Trace():
            body = factor.args[0]
        case heads.Component():
            body, position = factor.args
            left = [_unit_row(position, body)]
        case heads.Entry():
            body, row, column = factor.args
            left, right = [_unit_row(row, body)], [heads.Unit(column, heads.shape_of(body)[1])]
        case _:
            return sp.S.One, []
    scalars, factors = body.args_cnc()
    return sp.Mul(*scalars), [*left, *factors, *right]


def _unit_row(position: Expr, body: Expr) -> Expr:
    return heads.transpose(heads.Unit(position, heads.shape_of(body)[0]))


def _mentions_any(exprs: Iterable[Expr], target: Expr) -> bool:
    return any(expr.has(target) for expr in exprs)
