"""What would make a refused node conjugate, found by matching again with one thing changed.

Two changes are tried: another prior (the target's own factor left out), and a node in place of the argument
through which the target enters a factor (the variance itself instead of a function of the target).
"""

from __future__ import annotations

import sympy as sp

from deriver.algebra.heads import Ref, Variable, mentions, shape_of
from deriver.algebra.normal_form import expand_in
from deriver.derivation.match import Match, Piece, candidates, match_family
from deriver.derivation.proofs import Prover
from deriver.derivation.records import Conditional, Contribution
from deriver.families import family as family_record

_ROLE_SUPPORT = {"positive": "positive", "nonnegative": "positive", "spd": "spd", "probability": "unit"}


def suggest_remedy(conditional: Conditional, pieces: tuple[Piece, ...], prover: Prover) -> str:
    """Return a change of the model that would be conjugate, or an empty string when none is found."""
    prior = _other_prior(conditional, pieces, prover)
    if prior is not None:
        title = family_record(prior).title
        return f"{_article(title)} {title} prior on {conditional.node} would make it conjugate"
    for contribution in conditional.contributions:
        if contribution.factor.value.name == conditional.node:
            continue
        found = _node_in_place(contribution, conditional)
        if found is not None:
            parameter, family = found
            title = family_record(family).title
            return (
                f"if the {_WORDS.get(parameter, parameter)} of {contribution.factor.value.name} were itself "
                f"a node, {_article(title)} {title} prior on it would be conjugate"
            )
    return ""


_WORDS = {"var": "variance", "cov": "covariance", "prob": "probability"}


def _article(noun: str) -> str:
    return "an" if noun[0] in "aeiou" else "a"


def _other_prior(conditional: Conditional, pieces: tuple[Piece, ...], prover: Prover) -> str | None:
    """Return the family of the kernel that the factors other than the target's own make."""
    rest = tuple(p for p in pieces if p.contribution.value.name != conditional.node)
    if not rest or len(rest) == len(pieces):
        return None
    support, ranges = conditional.support, conditional.ranges
    outcome = match_family(rest, conditional.target, support, ranges, prover, check_proper=False)
    return outcome.family.key if isinstance(outcome, Match) else None


def _node_in_place(contribution: Contribution, conditional: Conditional) -> tuple[str, str] | None:
    """Return (parameter, family) when a node in place of the argument that holds the target would match."""
    record = family_record(contribution.factor.family)
    form = next((f for f in record.parametrisations if f.keywords == record.parameters), None)
    if form is None:
        return None
    arguments = contribution.arguments
    for place, (keyword, role) in enumerate(zip(form.keywords, form.roles, strict=True)):
        if role not in _ROLE_SUPPORT or not mentions(arguments[place], conditional.node):
            continue
        stand_in = _stand_in(arguments[place], role)
        changed = [*arguments[:place], stand_in, *arguments[place + 1 :]]
        monomials = expand_in(record.log_density(contribution.value, *changed), stand_in)
        family = _collecting_family([m for m in monomials if m != 1], stand_in, role)
        if family is not None:
            return keyword, family
    return None


def _stand_in(argument, role: str) -> Ref:
    shape = tuple(side for side in shape_of(argument) if side is not None)
    assumptions = {"positive": True} if not shape else {}
    return Ref(Variable("ψ", shape, symmetric=role == "spd", **assumptions))


def _collecting_family(monomials: list, stand_in: Ref, role: str) -> str | None:
    support = {
        "positive": ("real", sp.S.Zero, None),
        "unit": ("real", sp.S.Zero, sp.S.One),
        "spd": ("spd", None, None),
    }[_ROLE_SUPPORT[role]]
    for family in candidates(stand_in, support):
        kernel = family.kernel
        if monomials and kernel and all(kernel.collect(m, stand_in) is not None for m in monomials):
            return family.key
    return None
