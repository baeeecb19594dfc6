"""The half-Cauchy distribution: that of |X| when X is Cauchy around zero."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from deriver.families.deferred import sp
from deriver.families.numeric import NEVER, UNDEFINED
from deriver.families.record import Family, Parametrisation, SupportRule
from deriver.families.symbolic import keep, log_of

if TYPE_CHECKING:
    from sympy import Expr


def log_density(value: Expr, scale: Expr) -> Expr:
    """log HalfCauchy(value; scale), median ``scale``."""
    return sp.log(2) - sp.log(sp.pi) - log_of(scale) - sp.log(1 + value**2 / scale**2)


def logpdf(value: float, scale: float) -> float:
    """log HalfCauchy(value; scale), median ``scale``."""
    if not scale > 0:
        return UNDEFINED
    return math.log(2.0 * scale / math.pi) - 2.0 * math.log(math.hypot(scale, value)) if value >= 0 else NEVER


def cdf(value: float, scale: float) -> float:
    """P(X <= value) under HalfCauchy(scale)."""
    return 2.0 * math.atan2(max(value, 0.0), scale) / math.pi


def sf(value: float, scale: float) -> float:
    """P(X > value) under HalfCauchy(scale)."""
    return 2.0 * math.atan2(scale, max(value, 0.0)) / math.pi


HALF_CAUCHY = Family(
    key="half_cauchy",
    surface="HalfCauchy",
    shape="scalar",
    support=SupportRule(kind="real", lower="0"),
    parameters=("scale",),
    parametrisations=(Parametrisation(keywords=("scale",), roles=("positive",), to_canonical=keep),),
    log_density=log_density,
    logpdf=logpdf,
    cdf=cdf,
    sf=sf,
    source="Gelman (2006), Prior distributions for variance parameters in hierarchical models, section 3.2",
)
