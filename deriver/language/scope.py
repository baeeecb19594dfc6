"""What the names of a model stand for, while it is being resolved.

``Scope`` is filled by ``declare`` (plates, givens) and ``targets`` (nodes), and read by every later step.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from deriver.language.functions import WORDS
from deriver.language.mistakes import Mistakes
from deriver.language.rewrite import whole_number
from deriver.language.syntax import Document, StatementLine
from deriver.model.expressions import Expression, Span, references
from deriver.model.records import Given, Layer, Plate, Range


@dataclass(slots=True, kw_only=True)
class Draft:
    """One statement being resolved; ``expression`` is set for ``=``, ``line.family`` for ``~``."""

    name: str
    subscripts: tuple[Expression, ...]
    layer: Layer
    line: StatementLine
    expression: Expression | None = None
    arguments: tuple[Expression, ...] = ()
    ranges: tuple[Range, ...] = ()
    transform: str | None = None
    written: str = ""
    implied: bool = False

    @property
    def stochastic(self) -> bool:
        """Tell whether the statement has a ``~``."""
        return self.expression is None

    @property
    def span(self) -> Span | None:
        """Where the left side stands."""
        return self.line.target.span

    def expressions(self) -> tuple[Expression, ...]:
        """Return the expressions on the right: arguments, truncation, or the definition."""
        if self.expression is not None:
            return (self.expression,)
        bounds = tuple(bound for bound in self.line.truncation or () if bound is not None)
        return (*self.arguments, *bounds)

    def bound(self) -> dict[str, Range]:
        """Return the range of each index on the left."""
        return {each.index: each for each in self.ranges}


@dataclass(slots=True, kw_only=True)
class Entity:
    """A node while it is being resolved: its statements, the plate index and range of each subscript."""

    name: str
    drafts: list[Draft]
    indices: tuple[str, ...] = ()
    ranges: tuple[Range, ...] = ()
    sound: bool = True

    @property
    def layer(self) -> Layer:
        """The layer of its first statement."""
        return self.drafts[0].layer

    @property
    def stochastic(self) -> bool:
        """Tell whether the node is stated with ``~``."""
        return self.drafts[0].stochastic


@dataclass(slots=True, kw_only=True)
class Scope:
    """All the names of a model."""

    document: Document
    mistakes: Mistakes
    plates: dict[str, Plate] = field(default_factory=dict)
    givens: dict[str, Given] = field(default_factory=dict)
    nodes: dict[str, Entity] = field(default_factory=dict)
    drafts: list[Draft] = field(default_factory=list)
    written: dict[tuple[str, str], str] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)

    def known(self) -> tuple[str, ...]:
        """Return every name that an expression may use."""
        return (*self.plates, *self.givens, *self.nodes, *sorted(self.document.unread - WORDS))

    def unread(self, name: str) -> bool:
        """Tell whether the name stands in a line that was refused, so that nothing is known of it."""
        return name in self.document.unread or name in self.refused

    def first_place(self, name: str) -> str:
        """Return where a name is declared: ``an index``, ``a given`` or ``a node``, with its line."""
        if name in self.plates:
            return "an index" + _on_line(self.plates[name].span)
        if name in self.givens:
            origin = {"size": "the size of a plate", "dimension": "a dimension"}
            given = self.givens[name]
            return origin.get(given.origin, "a given") + _on_line(given.span)
        return "a node" + _on_line(self.nodes[name].drafts[0].span)

    def least(self) -> dict[str, int]:
        """Return the smallest value of each whole number given, as far as it is known."""
        least = {}
        for given in self.givens.values():
            lower = whole_number(given.support.lower) if given.support.kind == "integer" else None
            if lower is not None:
                key = f"{given.name}[{','.join(given.indices)}]" if given.indices else given.name
                least[key] = lower
        return least

    def enclosing(self, index: str) -> tuple[str, ...]:
        """Return the earlier indices on which the bounds of a plate depend, in the order of the plates."""
        plate = self.plates.get(index)
        if plate is None:
            return ()
        named = {found.name for bound in (plate.lower, plate.upper) for found in references(bound)}
        order = list(self.plates)
        return tuple(each for each in order[: order.index(index)] if each in named)


def _on_line(span: Span | None) -> str:
    return f" (line {span.line})" if span else ""
