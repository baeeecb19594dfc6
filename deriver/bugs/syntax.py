"""The syntax tree of a BUGS program: relations inside loops, with where each piece stood in the text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from deriver.model.expressions import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """Base of all expressions; the span is for messages only."""

    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Literal(Term):
    """A number, as written."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice(Term):
    """A range ``lower:upper`` as a subscript; both None for an empty subscript, the whole extent."""

    lower: Term | None = None
    upper: Term | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Name(Term):
    """A name with its subscripts; ``subscripts`` is None for a name without brackets."""

    name: str
    subscripts: tuple[Term, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Apply(Term):
    """``function(arguments)``."""

    function: str
    arguments: tuple[Term, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(Term):
    """``left operator right``: arithmetic, ``%*%``, a comparison, ``&&`` or ``||``."""

    operator: str
    left: Term
    right: Term


@dataclass(frozen=True, slots=True, kw_only=True)
class Minus(Term):
    """``-operand``."""

    operand: Term


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """``for (variable in lower:upper)``."""

    variable: str
    lower: Term
    upper: Term
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """``T(lower, upper)`` or ``I(lower, upper)`` after a distribution."""

    word: str
    lower: Term | None
    upper: Term | None
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Relation:
    """``link(target) <- expression`` or ``target ~ distribution(arguments)``, within its loops."""

    target: Name
    loops: tuple[Loop, ...]
    span: Span
    link: str | None = None
    expression: Term | None = None
    distribution: str | None = None
    arguments: tuple[Term, ...] = ()
    bounds: Bounds | None = None
    distribution_span: Span | None = None

    @property
    def stochastic(self) -> bool:
        """Tell whether the relation is ``~``."""
        return self.distribution is not None

    def terms(self) -> tuple[Term, ...]:
        """Return the expressions on the right side."""
        found = list(self.arguments) if self.expression is None else [self.expression]
        if self.bounds:
            found += [each for each in (self.bounds.lower, self.bounds.upper) if each is not None]
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """The relations of the ``data`` and ``model`` blocks, in the order written; ``declared`` extents by name.

    ``elements`` are the names of parts of an array that was taken apart: the array, and each place or None.
    """

    data: tuple[Relation, ...] = ()
    model: tuple[Relation, ...] = ()
    lines: tuple[str, ...] = ()
    declared: Mapping[str, tuple[Term, ...]] = field(default_factory=dict)
    elements: Mapping[str, tuple[str, tuple[int | None, ...]]] = field(default_factory=dict)


def parts(term: Term) -> tuple[Term, ...]:
    """Return the direct parts of an expression, left to right."""
    match term:
        case Name(subscripts=subscripts):
            return subscripts or ()
        case Slice(lower=lower, upper=upper):
            return tuple(each for each in (lower, upper) if each is not None)
        case Apply(arguments=arguments):
            return arguments
        case Operation(left=left, right=right):
            return (left, right)
        case Minus(operand=operand):
            return (operand,)
    return ()


def names_in(term: Term) -> Iterator[Name]:
    """Yield every name in an expression, those inside subscripts included."""
    if isinstance(term, Name):
        yield term
    for each in parts(term):
        yield from names_in(each)


def with_parts(term: Term, change: Callable[[Term], Term]) -> Term:
    """Return an expression with each of its direct parts changed."""
    match term:
        case Name(subscripts=subscripts) if subscripts is not None:
            return replace(term, subscripts=tuple(map(change, subscripts)))
        case Slice(lower=lower, upper=upper):
            return Slice(lower=lower and change(lower), upper=upper and change(upper), span=term.span)
        case Apply(arguments=arguments):
            return replace(term, arguments=tuple(map(change, arguments)))
        case Operation(left=left, right=right):
            return replace(term, left=change(left), right=change(right))
        case Minus(operand=operand):
            return Minus(operand=change(operand), span=term.span)
    return term


def with_terms(relation: Relation, change: Callable[[Term], Term]) -> Relation:
    """Return a relation with each expression on its right side changed."""
    bounds = relation.bounds
    if bounds is not None:
        lower, upper = (None if each is None else change(each) for each in (bounds.lower, bounds.upper))
        bounds = replace(bounds, lower=lower, upper=upper)
    expression = None if relation.expression is None else change(relation.expression)
    arguments = tuple(map(change, relation.arguments))
    return replace(relation, expression=expression, arguments=arguments, bounds=bounds)
