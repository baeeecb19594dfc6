"""Normal full conditionals: what they mention, deterministic nodes above their targets written out."""

from __future__ import annotations

from collections.abc import Iterable

from sympy import Expr

from deriver.algebra.heads import Ref
from deriver.derivation.factors import Definitions
from deriver.derivation.records import Conditional


def is_gaussian(conditional: Conditional) -> bool:
    """Tell whether a node is drawn from a normal full conditional, not truncated."""
    family = conditional.family in ("normal", "mvnormal")
    return family and conditional.method == "gibbs" and conditional.truncation is None


def written_out(expr: Expr, nodes: Iterable[Conditional], definitions: Definitions) -> Expr:
    """Expand the deterministic nodes that have one of the nodes below them."""
    for conditional in nodes:
        expr = definitions.expand(expr, conditional.node)
    return expr


def mentions(expr: Expr, names: set[str]) -> bool:
    """Tell whether an expression mentions one of several names."""
    return not names.isdisjoint(names_in(expr))


def names_in(expr: Expr) -> set[str]:
    """Return the names of what an expression mentions."""
    return {ref.name for ref in expr.atoms(Ref)}
