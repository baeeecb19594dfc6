"""Show stage, the common form: an expression arranged for a reader, before any target's spelling.

Made by ``arrange`` from SymPy (signs, fractions and the order of terms and factors are settled there), read by
the three spellings: ``text`` (Unicode or ASCII), ``latex`` and ``surface`` (the model language).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from typing import Any, TypeVar


@dataclass(frozen=True, slots=True)
class Notation:
    """Base of all the pieces."""


@dataclass(frozen=True, slots=True)
class Numeral(Notation):
    """An exact number."""

    value: Fraction


@dataclass(frozen=True, slots=True)
class Decimal(Notation):
    """A number that is not exact, as text."""

    text: str


@dataclass(frozen=True, slots=True)
class Constant(Notation):
    """``pi``, ``e`` or ``inf``."""

    name: str


@dataclass(frozen=True, slots=True)
class Name(Notation):
    """A declared name or an index, with its subscripts."""

    name: str
    subscripts: tuple[Notation, ...] = ()


@dataclass(frozen=True, slots=True)
class Slice(Notation):
    """A whole axis as a subscript: the ``:`` of ``beta[i,:]``."""

    index: str


@dataclass(frozen=True, slots=True)
class Plus(Notation):
    """A sum of at least two signed terms (True: minus)."""

    terms: tuple[tuple[bool, Notation], ...]


@dataclass(frozen=True, slots=True)
class Minus(Notation):
    """One term with a minus sign."""

    operand: Notation


@dataclass(frozen=True, slots=True)
class Times(Notation):
    """A product of at least two factors, in reading order."""

    factors: tuple[Notation, ...]


@dataclass(frozen=True, slots=True)
class Over(Notation):
    """``numerator / denominator``; the numerator may be a vector or matrix, the denominator is a scalar."""

    numerator: Notation
    denominator: Notation


@dataclass(frozen=True, slots=True)
class Power(Notation):
    """``base`` to the power ``exponent``; a matrix inverse has exponent -1."""

    base: Notation
    exponent: Notation
    matrix: bool = False


@dataclass(frozen=True, slots=True)
class Transpose(Notation):
    """The transpose of a vector or matrix."""

    base: Notation


@dataclass(frozen=True, slots=True)
class Apply(Notation):
    """A function of the language applied to arguments."""

    function: str
    arguments: tuple[Notation, ...]


@dataclass(frozen=True, slots=True)
class Relation(Notation):
    """``left relation right``, relation as in the language, or ``in``."""

    relation: str
    left: Notation
    right: Notation


@dataclass(frozen=True, slots=True)
class Bound(Notation):
    """``index = lower..upper``; ``whole`` when these are all the values of the index's plate."""

    index: str
    lower: Notation
    upper: Notation
    whole: bool


@dataclass(frozen=True, slots=True)
class Total(Notation):
    """The sum of ``body`` over the bounds where the conditions hold."""

    bounds: tuple[Bound, ...]
    conditions: tuple[Relation, ...]
    body: Notation


@dataclass(frozen=True, slots=True)
class Gate(Notation):
    """``body`` where all the conditions hold, else zero."""

    conditions: tuple[Relation, ...]
    body: Notation


@dataclass(frozen=True, slots=True)
class Matrix(Notation):
    """An explicit matrix by rows."""

    rows: tuple[tuple[Notation, ...], ...]


@dataclass(frozen=True, slots=True)
class Gathered(Notation):
    """A vector made of ``body`` as the index runs over its bound."""

    body: Notation
    bound: Bound


@dataclass(frozen=True, slots=True)
class Element(Notation):
    """An entry (1-based) of a vector or matrix."""

    base: Notation
    positions: tuple[Notation, ...]


@dataclass(frozen=True, slots=True)
class Density(Notation):
    """``[value | parents]``; without parents ``[value]``; parents None stand for all the rest (a dot)."""

    value: Notation
    parents: tuple[Notation, ...] | None


@dataclass(frozen=True, slots=True)
class Many(Notation):
    """The product of ``body`` over the bounds where the conditions hold."""

    bounds: tuple[Bound, ...]
    conditions: tuple[Relation, ...]
    body: Notation


@dataclass(frozen=True, slots=True)
class Letter(Notation):
    """A letter that a derivation introduces (A, b, q̃, r̃): not a name of the model."""

    name: str
    tilde: bool = False


@dataclass(frozen=True, slots=True)
class Interval(Notation):
    """The open interval from ``lower`` to ``upper``."""

    lower: Notation
    upper: Notation


@dataclass(frozen=True, slots=True)
class Distribution(Notation):
    """``N(a, b)``: a family's short name with its arguments, perhaps restricted to an interval."""

    name: str
    arguments: tuple[Notation, ...]
    restriction: Interval | None = None


N = TypeVar("N", bound=Notation)

ONE = Numeral(Fraction(1))
TWO = Numeral(Fraction(2))


@dataclass(frozen=True, slots=True)
class Sequence(Notation):
    """Several things with commas between them."""

    items: tuple[Notation, ...]


@dataclass(frozen=True, slots=True)
class Juxtaposed(Notation):
    """A product of densities, which may break between any two."""

    factors: tuple[Notation, ...]


@dataclass(frozen=True, slots=True)
class Chance(Notation):
    """The probability that a quantity of a distribution lies in an interval."""

    law: Distribution
    interval: Interval


def walk(notation: Notation) -> Iterator[Notation]:
    """Yield a notation and all its parts."""
    yield notation
    for field in fields(notation):
        yield from _walk_value(getattr(notation, field.name))


def _walk_value(value: Any) -> Iterator[Notation]:
    if isinstance(value, Notation):
        yield from walk(value)
    elif isinstance(value, tuple):
        for item in value:
            yield from _walk_value(item)


def rename(notation: N, old: str, new: str) -> N:
    """Return the notation with another name for an index."""
    if isinstance(notation, Name) and notation.name == old:
        return replace(notation, name=new)
    changes = {
        field.name: _rename_value(getattr(notation, field.name), old, new) for field in fields(notation)
    }
    if isinstance(notation, Bound) and notation.index == old:
        changes["index"] = new
    return replace(notation, **changes)


def _rename_value(value: Any, old: str, new: str) -> Any:
    if isinstance(value, Notation):
        return rename(value, old, new)
    return tuple(_rename_value(item, old, new) for item in value) if isinstance(value, tuple) else value
