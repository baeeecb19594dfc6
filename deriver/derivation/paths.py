"""Discrete nodes whose elements each depend on the one before and the one after: their joint density in two parts.

Given all other nodes, the elements z_t of such a node have the joint log density

    Σ_t own(z_t) + Σ_t link(z_{t−1}, z_t) + constant,

the first sum over what mentions one element alone, the second over what mentions it and the one before.  With both, a
whole sequence can be drawn at once: forwards the probabilities of the values so far are summed, backwards values are
drawn (Scott 2002, Bayesian methods for hidden Markov models, section 2).
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp
from sympy import Expr, Symbol

from deriver.algebra import heads
from deriver.algebra.heads import Ref
from deriver.algebra.normal_form import sum_over
from deriver.derivation.chains import find_chain_index
from deriver.derivation.match import collect_pieces, log_kernel
from deriver.derivation.records import Conditional, Contribution


@dataclass(frozen=True, slots=True, kw_only=True)
class PathKernel:
    """The log weight of an element's value by itself (``own``), and beside that of the element before (``link``).

    Both in the target's own indices; ``along`` is the index that runs.
    """

    along: Symbol
    own: Expr
    link: Expr


def find_path(conditional: Conditional) -> PathKernel | None:
    """Return the two parts for a discrete node that is a chain; None for any other.

    It is none where a factor mentions three elements in a row, or elements further apart.
    """
    kind, lower, upper = conditional.support
    if kind != "integer" or lower is None or upper is None or conditional.shape:
        return None
    along = find_chain_index(conditional)
    if along is None:
        return None
    target = conditional.target
    earlier, later = (target.xreplace({along: along + shift}) for shift in (-1, 1))
    alone: list[Contribution] = []
    links: list[Contribution] = []
    for contribution in conditional.contributions:
        others = {ref for ref in contribution.log_density.atoms(Ref) if ref.name == target.name} - {target}
        if others == {earlier}:
            links.append(contribution)
        elif not others:
            alone.append(contribution)
        elif others != {later}:
            return None
    own = log_kernel(collect_pieces(tuple(alone), target))
    return PathKernel(along=along, own=own, link=sp.Add(*map(_whole_density, links)))


def _whole_density(contribution: Contribution) -> Expr:
    """Return the log density of a contribution's instances, with what is free of the target: it hangs on the other."""
    summed = sum_over(contribution.log_density, contribution.bounds, contribution.conditions)
    return heads.Gated(summed, contribution.gates) if contribution.gates else summed


def path_density(conditional: Conditional, path: PathKernel) -> Expr:
    """Return the log density of the whole node, up to a constant, for the check of its identity."""
    return sum_over(path.own + path.link, conditional.ranges)
