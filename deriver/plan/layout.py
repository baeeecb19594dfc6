"""How quantities lie in arrays, decided from the model's index structure and never from values.

Input: index symbols with their bounds.  Output: the axes that a set of indices stands for.  A plate of fixed
length is one axis.  A ragged plate (j = 1..J[i]) and the plates that its length mentions share one axis of
rows, in the order of their indices.  State arrays have a leading chain axis; component axes come last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import sympy as sp
from sympy import Expr, Symbol

from deriver.algebra.heads import Ref
from deriver.errors import Mistake, UsageError

Bound = tuple[Expr, Expr]


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One array axis: the indices that it runs over, outermost first; several for rows of a ragged plate."""

    indices: tuple[Symbol, ...]

    @property
    def last(self) -> Symbol:
        """Return the innermost index."""
        return self.indices[-1]

    @property
    def is_rows(self) -> bool:
        """Tell whether the axis is that of the rows of a ragged plate."""
        return len(self.indices) > 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """An array: ``prefix + name`` in the source, the indices and ranges it covers, its component sides.

    ``chain`` tells whether it has the leading chain axis; ``kind`` is its support's.  ``confined`` are the
    indices of which it holds the members of a subset only (a local made where the index is confined).
    ``plate`` is the plate whose values a group column holds, counted from 0, or of which a subset has members.
    """

    name: str
    prefix: str = ""
    indices: tuple[Symbol, ...] = ()
    ranges: tuple[Bound, ...] = ()
    sides: tuple[Expr, ...] = ()
    chain: bool = False
    kind: str = "real"
    confined: tuple[Symbol, ...] = ()
    plate: str = ""

    @property
    def text(self) -> str:
        """Return how the source names it."""
        return self.prefix + self.name


def plate_of(symbol: Symbol) -> str:
    """Return the plate that an index symbol runs over; a renamed index carries primes."""
    return symbol.name.rstrip("′″‴")


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """The indices in scope with the values each runs over, and the order of the plates.

    ``subsets`` maps an index to the name of a declared subset to which it is confined.  ``labels`` are the nodes of
    whole numbers: as subscripts they are no group columns, since their values are drawn, or may be.
    """

    order: Mapping[str, int]
    bounds: Mapping[Symbol, Bound] = field(default_factory=dict)
    subsets: Mapping[Symbol, str] = field(default_factory=dict)
    labels: frozenset[str] = frozenset()

    def extend(self, bounds: Iterable[sp.Tuple]) -> Space:
        """Return the space with more indices, given as (index, lower, upper)."""
        added = {symbol: (lower, upper) for symbol, lower, upper in bounds}
        return replace(self, bounds={**self.bounds, **added})

    def confine(self, symbol: Symbol, subset: str) -> Space:
        """Return the space with an index confined to a declared subset."""
        return replace(self, subsets={**self.subsets, symbol: subset})

    def without(self, symbol: Symbol) -> Space:
        """Return the space without an index (it has been given a value)."""
        kept = {other: bound for other, bound in self.bounds.items() if other != symbol}
        return replace(self, bounds=kept)

    def parents(self, symbol: Symbol) -> frozenset[Symbol]:
        """Return the indices that the range of an index depends on."""
        ends = self.bounds.get(symbol, ())
        return frozenset().union(*(end.free_symbols for end in ends)) & frozenset(self.bounds)

    def has_label(self, expr: sp.Basic) -> bool:
        """Tell whether an expression names a label."""
        return any(ref.name in self.labels for ref in expr.atoms(Ref))

    def sort(self, indices: Iterable[Symbol]) -> tuple[Symbol, ...]:
        """Return index symbols in the order of the plates, primed ones after plain ones."""
        return tuple(sorted(indices, key=lambda s: (self.order[plate_of(s)], s.name)))

    def axes(self, indices: Iterable[Symbol], *, as_given: bool = False) -> tuple[Axis, ...]:
        """Return the axes of a set of indices, in plate order, or ``as_given``."""
        remaining = list(indices) if as_given else list(self.sort(indices))
        axes: list[Axis] = []
        placed: list[Symbol] = []
        for symbol in remaining:
            if symbol not in placed:
                group = self._tied(symbol, remaining)
                placed += group
                axes.append(Axis(indices=self.sort(group)))
        return tuple(axes)

    def axes_of(self, element: Ref) -> tuple[Axis, ...]:
        """Return the axes of an element with free indices, in the order in which it has them."""
        given = [s for index in element.indices for s in sp.ordered(free_indices(index, self))]
        return self.axes(dict.fromkeys(given), as_given=True)

    def _tied(self, symbol: Symbol, among: list[Symbol]) -> list[Symbol]:
        group = [symbol]
        for known in group:
            for other in among:
                if other not in group and (other in self.parents(known) or known in self.parents(other)):
                    group.append(other)
        return group

    def check_nest(self, axis: Axis) -> None:
        """Refuse a rows axis whose plates are no nest (each ragged on the one before it)."""
        for outer, inner in zip(axis.indices, axis.indices[1:], strict=False):
            if outer not in self.parents(inner):
                names = ", ".join(s.name for s in axis.indices)
                raise unsupported(
                    f"the plates {names} are ragged in a way that is no nest",
                    "give the rows a plate of their own, with group columns for the others",
                )


def unsupported(found: str, remedy: str) -> UsageError:
    """Return the error for a structure which the emitted source cannot hold."""
    mistake = Mistake(
        code="not_emitted", found=found, expected="a form that the emitter knows", remedy=remedy
    )
    return UsageError([mistake], origin="emit")


def offset(left: Expr, right: Expr) -> int | None:
    """Return left - right when it is a plain integer, else None."""
    difference = sp.expand(left - right)
    return int(difference) if difference.is_Integer else None


def free_indices(expr: sp.Basic, space: Space) -> frozenset[Symbol]:
    """Return the index symbols in scope on which the value of an expression depends."""
    if isinstance(expr, Symbol):
        return frozenset([expr]) & frozenset(space.bounds)
    found: frozenset[Symbol] = frozenset()
    for arg in expr.args[1:] if isinstance(expr, Ref) else expr.args:
        if isinstance(arg, sp.Basic):
            found |= free_indices(arg, space)
    bound = getattr(expr, "bound_symbols", None)
    return found - frozenset(bound) if bound else found
