"""Whole-number arithmetic on bounds and subscripts: sums of sizes and indices with known coefficients.

``t - 1`` against ``0..T`` is settled here, for every T at once.  A part that is not affine (``J[i]``, ``T * K``)
counts as one unknown, named by its text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from deriver.language.printer import print_expression
from deriver.model.expressions import Binary, Expression, Negate, Number


@dataclass(frozen=True, slots=True)
class Affine:
    """``constant + sum of coefficient * unknown``."""

    constant: Fraction = Fraction(0)
    terms: Mapping[str, Fraction] = field(default_factory=dict)

    def plus(self, other: Affine, factor: Fraction = Fraction(1)) -> Affine:
        """Return ``self + factor * other``."""
        terms = dict(self.terms)
        for name, coefficient in other.terms.items():
            terms[name] = terms.get(name, Fraction(0)) + factor * coefficient
        kept = {name: value for name, value in terms.items() if value}
        return Affine(self.constant + factor * other.constant, kept)

    def minus(self, other: Affine) -> Affine:
        """Return ``self - other``."""
        return self.plus(other, Fraction(-1))

    def replace(self, name: str, value: Affine) -> Affine:
        """Return the sum with an unknown replaced."""
        if name not in self.terms:
            return self
        rest = Affine(self.constant, {key: each for key, each in self.terms.items() if key != name})
        return rest.plus(value, self.terms[name])

    def extent(self, least: Mapping[str, int]) -> tuple[Fraction | None, Fraction | None]:
        """Return the smallest and largest value, None if unbounded; ``least`` bounds unknowns from below."""
        known = all(name in least for name in self.terms)
        base = (
            self.constant + sum(value * least[name] for name, value in self.terms.items()) if known else None
        )
        rising = all(value > 0 for value in self.terms.values())
        falling = all(value < 0 for value in self.terms.values())
        return (base if rising else None), (base if falling else None)


def read_affine(expression: Expression) -> Affine:
    """Return the affine form of an expression."""
    match expression:
        case Number(value=value):
            return Affine(value)
        case Negate(operand=operand):
            return Affine().plus(read_affine(operand), Fraction(-1))
        case Binary(operator="+", left=left, right=right):
            return read_affine(left).plus(read_affine(right))
        case Binary(operator="-", left=left, right=right):
            return read_affine(left).minus(read_affine(right))
        case Binary(operator="*", left=left, right=right):
            product = _scale(read_affine(left), read_affine(right))
            if product is not None:
                return product
    return Affine(Fraction(0), {print_expression(expression, True): Fraction(1)})


def _scale(left: Affine, right: Affine) -> Affine | None:
    if not left.terms:
        return Affine().plus(right, left.constant)
    if not right.terms:
        return Affine().plus(left, right.constant)
    return None
