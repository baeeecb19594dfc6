"""The logistic distribution."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from deriver.families.deferred import sp, special
from deriver.families.numeric import UNDEFINED
from deriver.families.record import Family, Parametrisation, SupportRule
from deriver.families.symbolic import keep, log_of

if TYPE_CHECKING:
    from sympy import Expr


def log_density(value: Expr, location: Expr, scale: Expr) -> Expr:
    """log Logistic(value; location, scale), variance π² scale² / 3."""
    deviate = (value - location) / scale
    return -deviate - log_of(scale) - 2 * sp.log(1 + sp.exp(-deviate))


def logpdf(value: float, location: float, scale: float) -> float:
    """log Logistic(value; location, scale), variance π² scale² / 3."""
    if not scale > 0:
        return UNDEFINED
    deviate = (value - location) / scale
    return float(special.log_expit(deviate) + special.log_expit(-deviate) - math.log(scale))


def cdf(value: float, location: float, scale: float) -> float:
    """P(X <= value) under Logistic(location, scale)."""
    return float(special.expit((value - location) / scale))


def sf(value: float, location: float, scale: float) -> float:
    """P(X > value) under Logistic(location, scale)."""
    return float(special.expit((location - value) / scale))


LOGISTIC = Family(
    key="logistic",
    surface="Logistic",
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
    source="Johnson, Kotz & Balakrishnan (1995), Continuous Univariate Distributions, vol. 2, chapter 23",
)
