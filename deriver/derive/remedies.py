"""What would make a refused node conjugate: found by leaving one factor out and matching again."""

from __future__ import annotations

from deriver.derive.match import Match, Piece, match_family
from deriver.derive.proofs import Prover
from deriver.derive.records import Conditional


def suggest_remedy(conditional: Conditional, pieces: tuple[Piece, ...], prover: Prover) -> str:
    """Return a change that would mend the refusal, or an empty string when none of these is known to.

    Leaves out each factor in turn: if the rest is a family's kernel, that factor is what breaks it.
    """
    if conditional.coupled and len(conditional.contributions) > 2:
        return ""
    for contribution in conditional.contributions:
        rest = tuple(piece for piece in pieces if piece.contribution is not contribution)
        if not rest or len(rest) == len(pieces):
            continue
        family = _kernel_of(rest, conditional, prover)
        if family is None:
            continue
        if contribution.factor.value.name == conditional.node:
            return f"a prior of the {family} family would make it conjugate"
        return f"without the factor of {contribution.factor.value.name} it would be {family}"
    return ""


def _kernel_of(pieces: tuple[Piece, ...], conditional: Conditional, prover: Prover) -> str | None:
    outcome = match_family(pieces, conditional.target, conditional.support, conditional.ranges, prover)
    return outcome.family.key.replace("_", " ") if isinstance(outcome, Match) else None
