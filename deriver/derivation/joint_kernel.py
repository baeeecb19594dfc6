"""Factors → the part of the log joint density that mentions nodes without indices, collected in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import sympy as sp
from sympy import Expr, S, Tuple

from deriver.algebra.heads import Condition, Ref
from deriver.algebra.normal_form import Terms, expand_in, merge, sum_over
from deriver.derivation.density import factor_log_density
from deriver.derivation.factors import Definitions
from deriver.derivation.records import Factor
from deriver.derivation.slice import slice_factor


def joint_kernel(
    factors: tuple[Factor, ...], collected: list[Ref], whole: list[Ref], definitions: Definitions
) -> Expr:
    """Return the log joint density up to terms free of every target.

    Densities are collected in monomials of the ``collected`` targets, nodes without indices.  In the others, which
    stand for all their elements, they stay ``whole``: where a target stands in a residual, the square keeps digits that
    sums of products would not.
    """
    targets = (*collected, *whole)
    parts: list[Terms] = []
    for factor in factors:
        there = [t for t in targets if t.name == factor.value.name or t.name in factor.parents]
        if not there:
            continue
        for density, bounds, conditions in _densities(factor, there[0], definitions):
            for target in targets:
                density = definitions.expand(density, target.name)
            names = {target.name for target in whole}
            parts.append(_kernel_terms(density, bounds, conditions, collected, names))
    return sp.Add(*(monomial * coefficient for monomial, coefficient in merge(parts).items()))


def _densities(
    factor: Factor, target: Ref, definitions: Definitions
) -> Iterator[tuple[Expr, Sequence[Tuple], Sequence[Condition]]]:
    """Yield the log density of all instances of a factor: what is summed, over what, and where."""
    if target.indices:
        yield factor_log_density(factor), factor.bounds, factor.conditions
        return
    for contribution in slice_factor(factor, target, (), definitions):
        yield contribution.log_density, contribution.bounds, contribution.conditions


def _kernel_terms(
    density: Expr,
    bounds: Sequence[Tuple],
    conditions: Sequence[Condition],
    collected: list[Ref],
    whole: set[str],
) -> Terms:
    """Return the summed terms of one factor, {monomial: coefficient}, collected in one target after another."""
    symbols = {bound[0] for bound in bounds}
    found: list[Terms] = []
    for target in collected:
        terms = expand_in(density, target)
        density = terms.pop(S.One, S.Zero)
        for monomial, coefficient in terms.items():
            if monomial.free_symbols & symbols:
                found.append({sum_over(coefficient * monomial, bounds, conditions): S.One})
            else:
                found.append({monomial: sum_over(coefficient, bounds, conditions)})
    left = [term for term in sp.Add.make_args(density) if whole & {ref.name for ref in term.atoms(Ref)}]
    found += [{S.One: sum_over(sp.Add(*left), bounds, conditions)}] if left else []
    return merge(found)
