"""The probability that a truncation keeps: what a truncated density is divided by."""

from __future__ import annotations

import math

from deriver.families.numeric import NEVER
from deriver.families.record import Family


def log_mass(family: Family, lower: float, upper: float, *parameters: float) -> float:
    """Return log P(lower <= X <= upper), bounds perhaps infinite; taken from the tail that keeps its digits.

    An improper family has no mass to divide by: 0.  Raises ``ValueError`` when the family cannot be truncated.
    """
    if family.improper:
        return 0.0
    if family.cdf is None or family.sf is None:
        raise ValueError(f"{family.surface} cannot be truncated")
    if family.support.kind == "integer" and math.isfinite(lower):
        lower = math.ceil(lower) - 1
    if family.cdf(lower, *parameters) > 0.5:
        mass = family.sf(lower, *parameters) - family.sf(upper, *parameters)
    else:
        mass = family.cdf(upper, *parameters) - family.cdf(lower, *parameters)
    return math.log(mass) if mass > 0 else NEVER
