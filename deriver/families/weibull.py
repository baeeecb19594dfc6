"""The Weibull distribution."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from deriver.families.deferred import sp
from deriver.families.numeric import NEVER, UNDEFINED
from deriver.families.record import Family, Parametrisation, SupportRule
from deriver.families.symbolic import keep, log_of

if TYPE_CHECKING:
    from sympy import Expr


def log_density(value: Expr, shape: Expr, scale: Expr) -> Expr:
    """log Weibull(value; shape, scale), survival exp(-(x/scale)^shape)."""
    hazard = log_of(shape) - shape * log_of(scale) + (shape - 1) * log_of(value)
    return sp.expand_mul(hazard, deep=False) - value**shape * scale ** (-shape)


def logpdf(value: float, shape: float, scale: float) -> float:
    """log Weibull(value; shape, scale), survival exp(-(x/scale)^shape)."""
    if not (shape > 0 and scale > 0):
        return UNDEFINED
    if not value > 0:
        return NEVER
    log_ratio = math.log(value / scale)
    return math.log(shape / value) + shape * log_ratio - math.exp(shape * log_ratio)


def cdf(value: float, shape: float, scale: float) -> float:
    """P(X <= value) under Weibull(shape, scale)."""
    return -math.expm1(-((max(value, 0.0) / scale) ** shape))


def sf(value: float, shape: float, scale: float) -> float:
    """P(X > value) under Weibull(shape, scale)."""
    return math.exp(-((max(value, 0.0) / scale) ** shape))


WEIBULL = Family(
    key="weibull",
    surface="Weibull",
    shape="scalar",
    support=SupportRule(kind="real", lower="0"),
    parameters=("shape", "scale"),
    parametrisations=(
        Parametrisation(keywords=("shape", "scale"), roles=("positive", "positive"), to_canonical=keep),
        # The survival function is exp(-rate x^shape), as in BUGS: conjugate to a gamma in the rate.
        Parametrisation(
            keywords=("shape", "rate"),
            roles=("positive", "positive"),
            to_canonical=lambda shape, rate: (shape, rate ** (-1 / shape)),
        ),
    ),
    log_density=log_density,
    logpdf=logpdf,
    cdf=cdf,
    sf=sf,
    source="Gelman et al. (2013), Bayesian Data Analysis, 3rd ed., table A.1",
)
