"""The model record: what the language parses to and every later stage reads.

Shapes and plates are fields of the records, never inferred after ``resolve``.  A shape is a tuple of
dimensions: ``()`` a scalar, ``(p,)`` a column vector, ``(p, p)`` a matrix; a dimension is an ``Expression``
(a ``Reference`` to a dimension name such as ``p``, or a ``Number``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from deriver.model.expressions import Expression, Span

Layer = Literal["data", "process", "parameters"]
Transform = Literal["log", "inv", "logit", "sqrt"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plate:
    """``index = lower..upper``; ``upper`` may mention the indices of enclosing plates (``J[i]``: ragged)."""

    index: str
    lower: Expression
    upper: Expression
    comment: str = field(default="", compare=False)
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """The set in which a value lies.

    ``kind``: ``real`` (an interval of the line, open at ``lower`` and ``upper``), ``integer`` (from ``lower``
    to ``upper``, both included), ``simplex``, ``spd`` (symmetric positive definite), ``correlation``
    (positive definite with unit diagonal), ``cholesky`` (lower triangular with a positive diagonal), ``index``
    (a value of the plate index named by ``plate``), ``subset`` (a set of values of the plate index ``plate``).
    A bound of ``None`` is infinite.  For vectors of kind ``real`` the bounds hold for each component.
    """

    kind: Literal["real", "integer", "simplex", "spd", "correlation", "cholesky", "index", "subset"] = "real"
    lower: Expression | None = None
    upper: Expression | None = None
    plate: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Values of one index over which a statement holds: ``t in 1..T``, or ``i in S`` for a declared subset."""

    index: str
    lower: Expression | None = None
    upper: Expression | None = None
    subset: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A covariate, hyperparameter, group column, subset, size or dimension.

    ``origin`` says where it was declared: in the ``given`` block, as the size of a plate (``n``, ``J[i]``),
    or as a dimension of a shape (``p``).
    """

    name: str
    indices: tuple[str, ...] = ()
    shape: tuple[Expression, ...] = ()
    support: Support = Support()
    default: Expression | None = None
    origin: Literal["given", "size", "dimension"] = "given"
    comment: str = field(default="", compare=False)
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """One argument of a family, with the keyword of the parametrisation it belongs to (``var``, ``sd``, …)."""

    keyword: str
    value: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Stochastic:
    """``transform(name[subscripts]) ~ family(arguments) T(lower, upper) for ranges``.

    ``name`` is the node itself: for ``log(sigma[i]) ~ N(m, v)`` the resolver has made the node ``log_sigma``
    and a deterministic statement ``sigma[i] = exp(log_sigma[i])``; ``transform`` then holds ``"log"`` and
    ``written`` the name that stood in the text, so that the printer gives back what was written.
    ``subscripts`` are index names, or constants such as ``0``.
    ``ranges`` gives, for each subscript that is an index, the values it runs over (always filled in).
    ``partly`` marks data of which some elements are observed and the others drawn (``partly observed``).  ``fixed`` is the
    value of a fixed element (``a[1] = 0``); its distribution is then any.
    """

    name: str
    subscripts: tuple[Expression, ...]
    family: str
    arguments: tuple[Argument, ...]
    truncation: tuple[Expression | None, Expression | None] | None = None
    ranges: tuple[Range, ...] = ()
    layer: Layer
    transform: Transform | None = None
    written: str = ""
    short: bool = True
    explicit_ranges: bool = False
    partly: bool = False
    fixed: Expression | None = None
    comment: str = field(default="", compare=False)
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deterministic:
    """``transform(name[subscripts]) = expression for ranges``; ``expression`` gives ``name`` itself.

    For ``log(z[i,j]) = x[i,j]' * beta[i]`` the resolver stores ``name = z``, ``transform = "log"`` and
    ``expression = exp(x[i,j]' * beta[i])``.  ``implied`` marks a statement made by the resolver from a
    transform on the left of ``~``; the printer leaves it out.
    """

    name: str
    subscripts: tuple[Expression, ...]
    expression: Expression
    ranges: tuple[Range, ...] = ()
    layer: Layer
    transform: Transform | None = None
    implied: bool = False
    explicit_ranges: bool = False
    comment: str = field(default="", compare=False)
    span: Span | None = field(default=None, compare=False, repr=False)


Statement = Stochastic | Deterministic


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A resolved node: its name, index names, the values each index runs over, shape and support.

    ``indices`` are the plate indices that stand for its subscripts (``("t",)`` for ``z`` with statements for
    ``z[0]`` and ``z[t]``); ``ranges`` the union of its statements (``0..T``).
    ``support`` is the family's, narrowed by its truncation; for a deterministic node what is known of it.
    ``partly`` tells that some elements are observed, and the others drawn as those of a process node are.
    """

    name: str
    kind: Literal["stochastic", "deterministic"]
    indices: tuple[str, ...]
    ranges: tuple[Range, ...]
    shape: tuple[Expression, ...]
    support: Support
    layer: Layer
    partly: bool = False

    @property
    def is_response(self) -> bool:
        """Tell whether every element is data."""
        return self.kind == "stochastic" and self.layer == "data" and not self.partly

    @property
    def is_drawn(self) -> bool:
        """Tell whether elements are drawn: all of them, or those that are missing."""
        return self.kind == "stochastic" and not self.is_response


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A whole model, names resolved and shapes inferred; the one intermediate representation.

    ``statements`` stand in the order written (data, process, parameters).  ``nodes`` are in the same order,
    one per name.  ``source`` is the text it was parsed from, for messages only.
    """

    name: str
    plates: tuple[Plate, ...]
    givens: tuple[Given, ...]
    statements: tuple[Statement, ...]
    nodes: tuple[Node, ...]
    comment: str = field(default="", compare=False)
    source: str = field(default="", compare=False, repr=False)

    def node(self, name: str) -> Node:
        """Return the node of that name; raise ``KeyError`` if there is none."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    def plate(self, index: str) -> Plate:
        """Return the plate of that index; raise ``KeyError`` if there is none."""
        for plate in self.plates:
            if plate.index == index:
                return plate
        raise KeyError(index)

    def given(self, name: str) -> Given:
        """Return the declaration of that given, size or dimension; raise ``KeyError`` if there is none."""
        for given in self.givens:
            if given.name == name:
                return given
        raise KeyError(name)

    def statements_of(self, name: str) -> tuple[Statement, ...]:
        """Return the statements whose left side is that node."""
        return tuple(statement for statement in self.statements if statement.name == name)
