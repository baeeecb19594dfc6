"""The records that the derivation makes: factors, contributions and conditionals.

Expressions are SymPy, built from the heads of ``deriver.algebra.heads``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sympy import Expr, Symbol, Tuple

from deriver.algebra.heads import Condition, Ref
from deriver.model.records import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """One term [value | parents] of the joint density, for every value of its indices.

    ``bounds`` are (index, lower, upper) for each index that the statement ranges over; ``conditions`` what
    else holds of them (membership of a subset).  ``arguments`` are the family's canonical parameters, with
    deterministic nodes still under their names.  ``parents`` are the stochastic nodes it is given; ``binary`` the nodes whose values are 0 and 1.
    ``moving_bounds`` are the ends of the value's support where one of them depends on a node, or where the
    statement gives its value a part of the node's support only (``partial``).  ``fixed`` is the value of a fixed element,
    whose density is then no part of the joint one.
    """

    value: Ref
    family: str
    arguments: tuple[Expr, ...]
    bounds: tuple[Tuple, ...]
    conditions: tuple[Condition, ...] = ()
    truncation: tuple[Expr | None, Expr | None] | None = None
    moving_bounds: tuple[Expr | None, Expr | None] | None = None
    partial: bool = False
    parents: tuple[str, ...] = ()
    binary: frozenset[str] = frozenset()
    layer: str = ""
    fixed: Expr | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A deterministic node: ``element`` (in its own index symbols) equals ``expression``."""

    element: Ref
    expression: Expr
    bounds: tuple[Tuple, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """The instances of one factor which touch the target element, in the target's own indices.

    Summed over ``bounds`` where ``conditions`` hold; there at all only where the ``gates`` (conditions on
    the target's own indices: not the last t, t = 0) hold.  ``log_density`` is the factor's log density with
    the target element standing in it as ``Conditional.target`` and nothing else; deterministic nodes are
    expanded only when the target lies below them (``arguments``; those of ``factor`` keep all names).
    """

    factor: Factor
    value: Ref
    arguments: tuple[Expr, ...]
    parents: tuple[Ref, ...]
    bounds: tuple[Tuple, ...]
    conditions: tuple[Condition, ...]
    gates: tuple[Condition, ...]
    log_density: Expr


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistic:
    """A sufficient statistic of the target (``form``) and its collected natural parameter.

    ``coefficient`` is a sum over the contributions, of ``PlateSum`` and ``Gated`` pieces.
    """

    name: str
    form: Expr
    coefficient: Expr


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a node is not conjugate: the term that breaks it (``term``, in factor ``factor``), and a remedy."""

    factor: str
    term: Expr | None
    why: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditional:
    """The full conditional of one node.

    ``target`` is the element it is for, ``ranges`` the values of the target's indices.
    ``contributions`` are the Markov blanket.  ``log_kernel`` is the log density up to a constant, as a sum of
    target-free coefficients (``PlateSum``, ``Gated``) times monomials in the target, pieces free of the
    target dropped; it holds for every node, conjugate or not.
    For ``method == "gibbs"``: ``family`` is the family's key, ``statistics`` its natural parameters and
    ``parameters`` its standard ones by name: normal and mvnormal ``precision`` (A) and ``linear`` (b), mean
    A⁻¹b; inverse_gamma ``shape``, ``scale``; gamma ``shape``, ``rate``; wishart ``df``, ``inverse_scale``;
    inverse_wishart ``df``, ``scale``; beta ``a``, ``b``; dirichlet ``concentration``.
    ``truncation`` holds bounds narrower than the family's support.
    ``assumed`` holds what an improper prior leaves unproved: (expression, "positive" or "positive_definite"), without
    which there is no posterior.
    For ``method == "mh"`` (and ``"categorical"``: a finite discrete node, enumerated) ``reason`` tells why.
    ``coupled`` is empty when the elements of the node are independent given the rest, so that all can be
    drawn at once; else it holds (the target's indices, another element's) for each element that the
    conditional mentions.
    ``support`` is (kind, lower, upper) of the node, bounds as expressions or None.
    """

    node: str
    target: Ref
    indices: tuple[Symbol, ...]
    ranges: tuple[Tuple, ...]
    shape: tuple[Expr, ...]
    support: tuple[str, Expr | None, Expr | None]
    contributions: tuple[Contribution, ...]
    log_kernel: Expr
    method: Literal["gibbs", "mh", "prior"]
    family: str | None = None
    statistics: tuple[Statistic, ...] = ()
    parameters: tuple[tuple[str, Expr], ...] = ()
    truncation: tuple[Expr | None, Expr | None] | None = None
    assumed: tuple[tuple[Expr, str], ...] = ()
    reason: Refusal | None = None
    coupled: tuple[tuple[tuple[Expr, ...], tuple[Expr, ...]], ...] = ()
    definitions: tuple[Definition, ...] = field(default=(), compare=False, repr=False)

    def parameter(self, name: str) -> Expr:
        """Return a standard parameter by name."""
        return dict(self.parameters)[name]

    def at(self, state: Mapping, index: tuple[int, ...] = ()) -> tuple[str, dict[str, Any]]:
        """Return (family key, canonical numeric parameters) at a state; see ``numeric.canonical_at``."""
        from deriver.derivation.numeric import canonical_at

        return canonical_at(self, state, index)

    def log_kernel_at(self, state: Mapping, index: tuple[int, ...], value: Any) -> float:
        """Return the derived log density up to a constant, the element at ``index`` set to ``value``."""
        from deriver.derivation.numeric import log_kernel_at

        return log_kernel_at(self, state, index, value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Derivation:
    """Every full conditional of a model, in the order of its statements, and the factors they came from.

    ``definitions`` holds the deterministic nodes.
    """

    model: Model
    factors: tuple[Factor, ...]
    conditionals: tuple[Conditional, ...]
    definitions: tuple[Definition, ...] = ()

    def node(self, name: str) -> Conditional:
        """Return the conditional of a node; raise ``KeyError`` if it has none."""
        for conditional in self.conditionals:
            if conditional.node == name:
                return conditional
        raise KeyError(name)
