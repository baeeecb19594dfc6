"""What the parser and the builder make: lines as written, names not yet resolved."""

from __future__ import annotations

from dataclasses import dataclass

from deriver.model.expressions import Expression, Reference, Span
from deriver.model.records import Layer


@dataclass(frozen=True, slots=True, kw_only=True)
class PlateLine:
    """``index = lower..upper``."""

    index: Reference
    lower: Expression
    upper: Expression
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeText:
    """What stands after the colon of a given.

    ``word`` is ``vector``, ``matrix``, ``simplex``, ``integer``, ``subset`` or ``group``; ``arguments`` are
    dimensions, the plate of a subset, or, for ``group``, the indices followed by the target plate.
    """

    word: str
    arguments: tuple[Expression, ...] = ()
    span: Span | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenLine:
    """``items : type > lower = default``; a bound is (``>``, ``>=``, ``<`` or ``<=``, expression)."""

    items: tuple[Reference, ...]
    type: TypeText | None = None
    bounds: tuple[tuple[str, Expression], ...] = ()
    default: Expression | None = None
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeText:
    """``index in lower..upper`` or ``index in subset``."""

    index: Reference
    lower: Expression | None = None
    upper: Expression | None = None
    subset: Reference | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgumentText:
    """One argument of a family: its keyword, if one was written, and its value."""

    keyword: str | None
    value: Expression
    span: Span | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementLine:
    """``transform(target) ~ family(arguments) T(...) for ranges``, or ``transform(target) = expression``.

    ``partly`` is set by the words ``partly observed`` before the ranges; ``fixed`` holds the value of a fixed element, made
    from a definition beside distributions of the same node.
    """

    layer: Layer
    target: Reference
    transform: str | None = None
    family: str | None = None
    arguments: tuple[ArgumentText, ...] = ()
    truncation: tuple[Expression | None, Expression | None] | None = None
    expression: Expression | None = None
    ranges: tuple[RangeText, ...] = ()
    partly: bool = False
    fixed: Expression | None = None
    comment: str = ""
    span: Span | None = None
    family_span: Span | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A model as written; ``unread`` holds the names in lines that could not be read."""

    name: str
    plates: tuple[PlateLine, ...] = ()
    givens: tuple[GivenLine, ...] = ()
    statements: tuple[StatementLine, ...] = ()
    comment: str = ""
    source: str = ""
    unread: frozenset[str] = frozenset()
    blocks: tuple[str, ...] = ()
