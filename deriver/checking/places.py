"""The rules of the slip finder, what they read and what they make.

A rule takes a place in a claim and yields proposals: the slip's name, its cost (how unlikely it is), and the new
tree.  Proposals that make no sense (an inverse of a vector) do no harm: they have no value and are dropped by the
search.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from deriver.checking.densities import Statement
from deriver.checking.pieces import Lack
from deriver.checking.terms import Term
from deriver.language.rewrite import make_number
from deriver.model.expressions import Binary, Expression, Reference, SumOver


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
class Edit:
    """One change of a statement; ``others`` are the changes of the same kind that were made with it."""

    name: str
    cost: float
    old: Expression | None
    new: Expression | None
    statement: Statement
    aliases: tuple[str, ...] = ()
    others: tuple[tuple[Expression, Expression], ...] = ()
    throughout: bool = False

    @property
    def key(self) -> tuple:
        """What tells the edit from others, whatever statement it was applied to."""
        return (self.name, self.old, self.new, self.others)


@dataclass(frozen=True, slots=True, kw_only=True)
class Titled(Expression):
    """What an edit tells of in words, where it has no text in the language."""

    title: str


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
    lacks: tuple[Lack, ...]
    exponent_terms: tuple[Term, ...]
    target: str
    literal_dimension: int | None
    own: bool
    kind: Callable[[Expression], str] = field(compare=False)


Rule = Callable[[Place, Surroundings], Iterator[Proposal]]

ONE, TWO = make_number(1), make_number(2)


def binary(operator: str, left: Expression, right: Expression) -> Binary:
    """Return ``left operator right``."""
    return Binary(operator=operator, left=left, right=right)


def is_dimension(size: Expression, around: Surroundings) -> bool:
    """Tell whether a size is a dimension, such as p."""
    return isinstance(size, Reference) and around.symbols[size.name].dimension


def is_size(tree: Expression, around: Surroundings) -> bool:
    """Tell whether a tree is the size of a plate, a dimension, or a total of sizes."""
    match tree:
        case Reference(name=name):
            return name in around.symbols and around.symbols[name].size
        case SumOver(body=body):
            return is_size(body, around)
    return False


def size_name(one: Expression, other: Expression, around: Surroundings) -> str:
    """Return the name of the slip that takes one size for another."""
    dimension = is_dimension(one, around) or is_dimension(other, around)
    return "n for np" if dimension else "J for nJ"
