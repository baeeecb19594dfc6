"""Derivation → linked nodes that are proposed together from a normal approximation, found from the structure of the model.

The numbers on which the priors of these nodes depend, a variance above all, are moved with them: a new value of the
numbers first, then the nodes from their approximation at it, both accepted or neither (Knorr-Held and Rue 2002, Scand. J.
Stat. 29, 597-614; the approximation as in Gamerman 1997, Stat. and Computing 7, 57-68).  A variance so need not wait
for its effects.
"""

from __future__ import annotations

from collections.abc import Collection

from deriver.algebra.heads import Ref
from deriver.derivation.factors import Definitions
from deriver.derivation.predictors import GAUSSIAN, Predictors, find_predictors
from deriver.derivation.predictors_check import check_predictors
from deriver.derivation.records import Derivation
from deriver.plan.records import Approximation, Collapse, Step
from deriver.plan.together import MOST_MEMBERS, find_numbers


def find_approximation(
    derivation: Derivation, steps: tuple[Step, ...], chosen: Collection[str], collapse: Collapse
) -> Approximation | None:
    """Return the linked nodes that may be proposed together, None where there are none, or one number alone.

    None, too, where no random state can test their expansion.

    ``chosen`` nodes are drawn as the user says, and by nothing else.
    """
    if any(len([d for d in derivation.definitions if d.element.name == e.element.name]) > 1
           for e in derivation.definitions):  # fmt: skip
        return None
    found = find_predictors(derivation, chosen)
    if found is None:
        return None
    members = tuple(step for step in steps if step.node in {c.node for c in found.members})
    if len(members) == 1 and not (members[0].conditional.indices or members[0].conditional.shape):
        return None
    if not check_predictors(derivation, found):
        return None
    names = _numbers_above(derivation, found) - set(chosen)
    numbers = find_numbers(derivation, steps, names)[:MOST_MEMBERS]
    moved = {step.node for step in (*members, *numbers)}
    factors = tuple(f for f in derivation.factors if f.fixed is None and moved & {f.value.name, *f.parents})
    return Approximation(
        members=members,
        numbers=numbers,
        densities=found.densities,
        factors=factors,
        always=collapse == "on",
    )


def _numbers_above(derivation: Derivation, found: Predictors) -> set[str]:
    """Return the nodes that the normal priors of the members depend on, and that are none of them."""
    definitions = Definitions(derivation.definitions)
    members = {conditional.node for conditional in found.members}
    names: set[str] = set()
    for density in found.densities:
        factor = density.factor
        if factor.family in GAUSSIAN and factor.value.name in members:
            arguments = (definitions.expand(argument) for argument in factor.arguments)
            names |= {ref.name for argument in arguments for ref in argument.atoms(Ref)}
    return names - members
