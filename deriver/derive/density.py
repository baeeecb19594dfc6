"""The symbolic log density of a factor."""

from __future__ import annotations

from sympy import Expr, S

from deriver.algebra.heads import LogMass
from deriver.derive.records import Factor
from deriver.families import family as family_record


def factor_log_density(factor: Factor) -> Expr:
    """Return log [value | arguments], normalising constants included, that of a truncation too."""
    log_density = family_record(factor.family).log_density(factor.value, *factor.arguments)
    if factor.truncation is None:
        return log_density
    lower, upper = factor.truncation
    ends = (S.NegativeInfinity if lower is None else lower, S.Infinity if upper is None else upper)
    return log_density - LogMass(factor.family, *ends, *factor.arguments)
