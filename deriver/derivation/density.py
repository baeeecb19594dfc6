"""The symbolic log density of a factor."""

from __future__ import annotations

from sympy import Expr, S

from deriver.algebra.heads import LogIndicator, LogMass
from deriver.derivation.binary import split_binary
from deriver.derivation.records import Factor
from deriver.families import family as family_record


def factor_log_density(factor: Factor) -> Expr:
    """Return log [value | arguments], normalising constants included, that of a truncation too."""
    log_density = family_record(factor.family).log_density(factor.value, *factor.arguments)
    if factor.binary:
        log_density = split_binary(log_density, factor.binary)
    if factor.truncation is not None:
        log_density -= LogMass(factor.family, *_ends(factor.truncation), *factor.arguments)
    if factor.moving_bounds is not None:
        lower, upper = _ends(factor.moving_bounds)
        log_density += LogIndicator(lower, factor.value, upper)
    return log_density


def _ends(bounds: tuple[Expr | None, Expr | None]) -> tuple[Expr, Expr]:
    lower, upper = bounds
    return (S.NegativeInfinity if lower is None else lower, S.Infinity if upper is None else upper)
