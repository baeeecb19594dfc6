"""Derivation → nodes that are moved together along the slope of the joint density, found from the structure of the model.

Nodes on the real line that meet in a density, one of them at least without a full conditional of a family: coefficients
with thresholds, effects with what multiplies them and with their scales.  Along a path of Hamiltonian dynamics all of them
change together, however many they are (Duane, Kennedy, Pendleton and Roweth 1987, Phys. Lett. B 195, 216-222; Neal 2011,
in Handbook of Markov Chain Monte Carlo, chapter 5).  The slope of the log joint density in an element is that of the
element's log full conditional, which is derived already; ``check_slopes`` holds it against the joint density.
"""

from __future__ import annotations

from collections.abc import Collection

from sympy import Expr

from deriver.derivation.records import Derivation
from deriver.derivation.slopes_check import check_slopes
from deriver.plan.calculus import slope_in
from deriver.plan.records import Collapse, Hamiltonian, Step
from deriver.plan.statistics import Hoisting
from deriver.plan.together import can_follow_slope


def find_hamiltonian(
    derivation: Derivation, steps: tuple[Step, ...], chosen: Collection[str], collapse: Collapse, hoisting: Hoisting
) -> Hamiltonian | None:  # fmt: skip
    """Return the nodes that may be moved along the slope of their joint density, None where there is one number alone.

    None, too, where no random state can test the slopes.  ``chosen`` nodes are drawn as the user says, and by nothing else.
    """
    possible = can_follow_slope(derivation, [step for step in steps if step.node not in chosen])
    slopes = {step.node: slope_in(step.conditional.log_kernel, step.conditional.target) for step in possible}
    names = _largest_set(derivation, [step for step in possible if slopes[step.node] is not None])
    members = tuple(
        sorted((s for s in possible if s.node in names), key=lambda s: bool(s.conditional.indices))
    )
    if not members or (
        len(members) == 1 and not (members[0].conditional.indices or members[0].conditional.shape)
    ):
        return None
    found: list[Expr] = [slope for step in members if (slope := slopes[step.node]) is not None]
    if not check_slopes(derivation, [(s.conditional, each) for s, each in zip(members, found, strict=True)]):
        return None
    factors = tuple(f for f in derivation.factors if f.fixed is None and names & {f.value.name, *f.parents})
    return Hamiltonian(
        members=members,
        slopes=tuple(found),
        rewritten=tuple(hoisting.rewrite(each, s.space) for s, each in zip(members, found, strict=True)),
        factors=factors,
        always=collapse == "on",
    )


def _largest_set(derivation: Derivation, possible: Collection[Step]) -> set[str]:
    """Return those that share densities, directly or through one another, with most nodes that walk; none without any."""
    sets: list[set[str]] = []
    for factor in derivation.factors:
        meet = {step.node for step in possible} & {factor.value.name, *factor.parents}
        if meet:
            near = [each for each in sets if each & meet]
            sets = [each for each in sets if each not in near] + [meet.union(*near)]
    walking = {step.node for step in possible if step.method != "gibbs"}
    best = max(sets, key=lambda each: len(each & walking), default=set())
    return best if best & walking else set()
