"""Factors → the part of the log joint density that mentions some nodes, collected in those without indices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import sympy as sp
from sympy import Expr, S, Tuple

from deriver.algebra.evaluate import evaluate
from deriver.algebra.heads import Condition, Ref
from deriver.algebra.normal_form import Terms, expand_in, merge, sum_over
from deriver.derivation.density import factor_log_density
from deriver.derivation.factors import Definitions
from deriver.derivation.numeric import Completed, elements, log_joint, with_element
from deriver.derivation.records import Derivation, Factor
from deriver.derivation.slice import slice_factor
from deriver.derivation.states import State, redraw, settled_at_random
from deriver.errors import InternalError

_TOLERANCE = 1e-8


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


# --- the identity ---------------------------------------------------------------------------------------------


def check_joint_kernel(
    derivation: Derivation, kernel: Expr, names: Sequence[str], *, states: int = 2, seed: int = 20260104
) -> bool:
    """Check at random states that the kernel of several nodes and the joint density have the same ratios.

    With all elements of the nodes redrawn: log k(new) - log k(old) = log joint(new, rest) - log joint(old, rest), the
    joint density by the families' own numeric densities.  Returns False where no random state has a density to compare
    at.  Raises ``InternalError`` when the identity fails: a fault of deriver, never a sampler.
    """
    rng = np.random.default_rng(seed)

    def compare(state: State) -> bool:
        pair = (_redrawn(derivation, names, state, rng), state)
        exact = [log_joint(derivation.factors, derivation.definitions, each) for each in pair]
        derived = [float(evaluate(kernel, Completed(each, derivation.definitions), {})) for each in pair]
        if not np.all(np.isfinite([*exact, *derived])):
            return False
        scale = 1.0 + max(map(abs, (*exact, *derived)))
        if not abs(derived[0] - derived[1] - (exact[0] - exact[1])) <= _TOLERANCE * scale:
            raise InternalError(_disagreement(derivation, names, derived, exact))
        return True

    return settled_at_random(derivation.model, rng, states, compare)


def _redrawn(derivation: Derivation, names: Sequence[str], state: State, rng: np.random.Generator) -> State:
    """Return the state with every element of some nodes replaced."""
    moved: State = dict(state)
    for name in names:
        for index in elements(derivation.node(name).ranges, state):
            value = redraw(derivation.model, name, index, moved, rng)
            moved = with_element(moved, name, index, value)
    return moved


def _disagreement(
    derivation: Derivation, names: Sequence[str], derived: Sequence[float], exact: Sequence[float]
) -> str:
    return (
        f"the density in which {', '.join(names)} of model {derivation.model.name} are moved together disagrees with the "
        f"joint density: log ratio {derived[0] - derived[1]:.12g} against {exact[0] - exact[1]:.12g}.  "
        f"This is a fault of deriver; please report it with the model."
    )
