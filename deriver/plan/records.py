"""The records of the plan: statistics of the data alone, one step per node, and blocks drawn together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sympy import Expr, S, Symbol, Tuple

from deriver.algebra.heads import Condition, Ref
from deriver.derivation.links import Link
from deriver.derivation.marginal import Structure
from deriver.derivation.predictors import Predicted
from deriver.derivation.records import Conditional, Factor
from deriver.plan.layout import Quantity, Space

Collapse = Literal["off", "auto", "on"]
Method = Literal["gibbs", "random_walk", "newton", "slice", "enumerate", "correlation_walk", "integer_walk"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeastSquares:
    """A fit of the rows of every cell: it minimises Σ weight × (response − Σ columns × coefficients)².

    The sum is over ``bounds`` where ``conditions`` hold; the free indices are those of the cells.  A column is a
    number with a number for its coefficient, or an upright vector with a vector.  It makes the statistics
    ``rss``, and for each column one of ``fits`` and of ``rests``: the coefficient is their sum, in two parts so
    that a small difference from it keeps its digits (take ``b - fit - rest`` from left to right).  ``roots`` are
    the blocks on and above the diagonal, row by row, of R in the QR decomposition of the columns times √weight;
    the block of a number and a vector stands upright.  There are none for one column of numbers.  Where the
    columns depend on each other, or the cell is empty, any minimum will do.
    """

    response: Expr
    columns: tuple[Expr, ...]
    weight: Expr
    bounds: tuple[Tuple, ...]
    conditions: tuple[Condition, ...]
    rss: str
    fits: tuple[str, ...]
    rests: tuple[str, ...]
    roots: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the statistics that it makes."""
        return (self.rss, *self.fits, *self.rests, *self.roots)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """The distinct combinations of group columns that the rows have, as a plate ``cell`` = 1..``count``.

    It makes the statistics ``count``, ``of_row`` (the cell of each row) and ``parts`` (for each of the
    ``columns``, its group in each cell).
    """

    cell: str
    columns: tuple[str, ...]
    count: str
    of_row: str
    parts: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the statistics that it makes."""
        return (self.count, self.of_row, *self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistic:
    """What is computed once from the data: its name, its value, the scope of its free indices.

    ``procedure`` is how it is computed where that is no expression; ``expression`` is then its own ``ref``.
    """

    name: str
    expression: Expr
    indices: tuple[Symbol, ...]
    quantity: Quantity
    space: Space
    ref: Ref
    procedure: LeastSquares | Crossing | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduction:
    """A sum of squares (``total``, as derived) and what it equals in terms of statistics of the data.

    ``value`` leaves out the second parts of the fits: it is for reading.
    """

    total: Expr
    value: Expr
    procedure: LeastSquares


@dataclass(frozen=True, slots=True, kw_only=True)
class Newton:
    """Gradient and Hessian of a log-concave kernel, statistics of the data replaced by their names."""

    gradient: Expr
    hessian: Expr


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """The two parts of the density of a discrete chain (``derivation.paths``), statistics of the data replaced.

    Neighbours lie next to each other along ``axis``, counted from the end of the array.
    """

    own: Expr
    link: Expr
    axis: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """The joint draw of normal elements that all depend on each other, along ``index``.

    ``linear`` is the linear term without the other elements, ``coupling`` the coefficient of the one at ``other`` in it.
    """

    linear: Expr
    coupling: Expr
    index: Symbol
    other: Symbol


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """How one node is drawn.

    ``parameters`` (Gibbs) and ``kernel`` (the rest) stand for the conditional's own, with statistics of the
    data replaced by their names.  ``colours`` is how many interleaved sets a coupled node is drawn in (1:
    all at once; 0: one element after another).  ``reason`` says why it is not drawn from its conditional.
    ``reductions`` are the sums of squares that were replaced by statistics of the data.  A ``chained`` node is
    drawn whole: ``parameters`` then hold the ``coupling`` to the element before.  Of a ``partly`` observed node some
    elements stay as they are.  The ``collapsed`` are Gaussian nodes that are integrated out of the weights of a discrete
    node, and drawn with it.  A discrete node with a ``path`` is drawn in whole sequences.  One with a ``whole`` can be
    drawn whole by a backend that solves dense systems, though its elements depend on each other.
    """

    node: str
    method: Method
    conditional: Conditional
    space: Space
    parameters: tuple[tuple[str, Expr], ...] = ()
    kernel: Expr | None = None
    colours: int = 1
    colour_index: Symbol | None = None
    newton: Newton | None = None
    reason: str = ""
    inner_steps: int = 1
    reductions: tuple[Reduction, ...] = ()
    chained: bool = False
    partly: bool = False
    collapsed: tuple[Step, ...] = ()
    path: Path | None = None
    whole: Whole | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockMember:
    """A Gaussian node that a block integrates out; its expressions as ``derivation.marginal.Member`` has them.

    Statistics of the data are replaced by their names.  The ``linear`` term of a chain is without the neighbours.
    """

    node: str
    conditional: Conditional
    space: Space
    precision: Expr
    linear: Expr
    slopes: tuple[tuple[str, Expr], ...]
    coupling: Expr = S.Zero
    links: tuple[Link, ...] = ()

    def slope(self, name: str) -> Expr | None:
        """Return the slope of the linear term in another member, None where there is none."""
        return dict(self.slopes).get(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Nodes that can be updated together: the variances with the Gaussian nodes integrated out, then those.

    In this order, and no other: ``variances`` by one Metropolis-Hastings step on their density with ``effects`` and
    ``shared`` integrated out (``log_kernel`` is the part of the log joint density that
    mentions a variance or a chain, ``kernel`` the same with statistics of the data replaced by their names), ``shared``
    with the effects integrated out, then each of the ``effects`` from its full conditional.  ``rest`` are the
    other nodes on which the density of the variances depends.  ``structure`` tells how the elements of the effects depend
    on each other, given all else; where they are "linked", all of them are drawn with the shared nodes in one draw, and
    there may be no variances.
    """

    variances: tuple[Step, ...]
    effects: tuple[BlockMember, ...]
    shared: tuple[BlockMember, ...]
    kernel: Expr
    log_kernel: Expr
    rest: tuple[str, ...]
    structure: Structure

    @property
    def nodes(self) -> tuple[str, ...]:
        """Return every node of the block in the order of its update."""
        members = (*self.shared, *self.effects)
        return (*(step.node for step in self.variances), *(member.node for member in members))


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """An effect that a joint move takes along: (effect - ``centre``) / ``spread`` stays, both in its own indices.

    Of a vector, inv(L) (effect - ``centre``) stays, with LL' its ``covariance`` where there is one.
    """

    node: str
    centre: Expr
    spread: Expr = S.One
    covariance: Expr | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """Nodes that one Metropolis-Hastings step moves: with effects that go along, or with others integrated out.

    It comes after every node has been drawn by its own step.  ``factors`` are those whose densities it changes;
    ``reason`` tells why the nodes are moved together.  ``integrated`` is a node that is drawn from its full conditional,
    its elements independent of each other: the move weighs the density without it, and then it is drawn.
    ``log_kernel`` is the part of the log joint density that mentions what moves, ``kernel`` the same with statistics of
    the data replaced by their names; None where the move weighs the densities of ``factors`` themselves.
    """

    members: tuple[Step, ...]
    carried: tuple[Carried, ...]
    factors: tuple[Factor, ...]
    reason: str
    integrated: Step | None = None
    log_kernel: Expr | None = None
    kernel: Expr | None = None

    @property
    def moved(self) -> tuple[str, ...]:
        """Return the nodes that change: the members, and what goes along."""
        return (*(step.node for step in self.members), *(carried.node for carried in self.carried))


@dataclass(frozen=True, slots=True, kw_only=True)
class Approximation:
    """Linked nodes that one Metropolis-Hastings step proposes from a normal approximation of their full conditional.

    ``members`` are these nodes, ``densities`` what is expanded to second order in them; ``numbers`` are moved first, those
    that the priors of the members depend on, and ``factors`` are the densities that change with any of all these.
    ``always`` tells that the step is made from the first sweep on; else where it is found to pay.
    """

    members: tuple[Step, ...]
    numbers: tuple[Step, ...]
    densities: tuple[Predicted, ...]
    factors: tuple[Factor, ...]
    always: bool = False

    @property
    def names(self) -> str:
        """Return the names of the members, for a sentence."""
        return ", ".join(step.node for step in self.members)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hamiltonian:
    """Nodes that one Metropolis-Hastings step moves along a path of Hamiltonian dynamics.

    ``members`` are these nodes, those without indices first; ``slopes`` the derivatives of their log full conditionals,
    ``rewritten`` the same with statistics of the data replaced by their names; ``factors`` are the densities that change.
    ``always`` tells that the step is made from the first sweep on; else where it is found to pay.
    """

    members: tuple[Step, ...]
    slopes: tuple[Expr, ...]
    rewritten: tuple[Expr, ...]
    factors: tuple[Factor, ...]
    always: bool = False

    @property
    def names(self) -> str:
        """Return the names of the members, for a sentence."""
        return ", ".join(step.node for step in self.members)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Steps in the order of a sweep, statistics in the order of their computation, and the arrays there are.

    ``block`` holds nodes that the sampler may update together in place of their steps: always (``collapse`` "on"), or
    when the data say so ("auto"); ``no_block`` tells why there is none.  ``together`` are moves of several nodes at the end of a sweep,
    ``approximation`` is one more, of linked nodes whose full conditional is not normal, ``hamiltonian`` another, of nodes
    that follow the slope of their joint density.
    """

    steps: tuple[Step, ...]
    statistics: tuple[Statistic, ...]
    quantities: tuple[Quantity, ...]
    space: Space
    block: Block | None = None
    collapse: Collapse = "off"
    no_block: str = ""
    together: tuple[Together, ...] = ()
    approximation: Approximation | None = None
    hamiltonian: Hamiltonian | None = None

    def step(self, node: str) -> Step:
        """Return the step of a node; raise ``KeyError`` if there is none."""
        for step in self.steps:
            if step.node == node:
                return step
        raise KeyError(node)

    def cell_bounds(self) -> dict[str, tuple[Expr, Expr]]:
        """Return the ends of the plates of distinct combinations of groups, by name."""
        made = {s.procedure.cell: s for s in self.statistics if isinstance(s.procedure, Crossing)}
        refs = {statistic.name: statistic.ref for statistic in self.statistics}
        return {cell: (S.One, refs[s.procedure.count]) for cell, s in made.items()}  # type: ignore[union-attr]
