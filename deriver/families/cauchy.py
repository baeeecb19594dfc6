"""The Cauchy distribution."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from deriver.families.deferred import sp
from deriver.families.numeric import UNDEFINED
from deriver.families.record import Family, Parametrisation, SupportRule
from deriver.families.symbolic import keep, log_of

if TYPE_CHECKING:
    from sympy import Expr


def log_density(value: Expr, location: Expr, scale: Expr) -> Expr:
    """log Cauchy(value; location, scale)."""
    return -sp.log(sp.pi) - log_of(scale) - sp.log(1 + (value - location) ** 2 / scale**2)


def logpdf(value: float, location: float, scale: float) -> float:
    """log Cauchy(value; location, scale)."""
    if not scale > 0:
        return UNDEFINED
    return math.log(scale / math.pi) - 2.0 * math.log(math.hypot(scale, value - location))


def cdf(value: float, location: float, scale: float) -> float:
    """P(X <= value) under Cauchy(location, scale)."""
    return math.atan2(scale, location - value) / math.pi


def sf(value: float, location: float, scale: float) -> float:
    """P(X > value) under Cauchy(location, scale)."""
    return math.atan2(scale, value - location) / math.pi


CAUCHY = Family(
    key="cauchy",
    surface="Cauchy",
    shape="scalar",
    support=SupportRule(kind="real"),
    parameters=("location", "scale"),
    parametrisations=(
        Parametrisation(keywords=("location", "scale"), roles=("real", "positive"), to_canonical=keep),
    ),
    log_density=log_density,
    logpdf=logpdf,
    cdf=cdf,
    sf=sf,
    source="Johnson, Kotz & Balakrishnan (1994), Continuous Univariate Distributions, vol. 1, chapter 16",
)
