"""The Laplace, or double exponential, distribution."""

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
    """log Laplace(value; location, scale), variance 2 scale²."""
    return -sp.log(2) - log_of(scale) - sp.Abs(value - location) / scale


def logpdf(value: float, location: float, scale: float) -> float:
    """log Laplace(value; location, scale), variance 2 scale²."""
    if not scale > 0:
        return UNDEFINED
    rate = 1.0 / scale
    return math.log(0.5 * rate) - rate * max(value - location, location - value)


def cdf(value: float, location: float, scale: float) -> float:
    """P(X <= value) under Laplace(location, scale)."""
    tail = 0.5 * math.exp(-abs(value - location) / scale)
    return tail if value < location else 1.0 - tail


def sf(value: float, location: float, scale: float) -> float:
    """P(X > value) under Laplace(location, scale)."""
    tail = 0.5 * math.exp(-abs(value - location) / scale)
    return tail if value > location else 1.0 - tail


LAPLACE = Family(
    key="laplace",
    surface="Laplace",
    shape="scalar",
    support=SupportRule(kind="real"),
    parameters=("location", "scale"),
    parametrisations=(
        Parametrisation(keywords=("location", "scale"), roles=("real", "positive"), to_canonical=keep),
        Parametrisation(
            keywords=("location", "rate"),
            roles=("real", "positive"),
            to_canonical=lambda location, rate: (location, 1 / rate),
        ),
    ),
    log_density=log_density,
    logpdf=logpdf,
    cdf=cdf,
    sf=sf,
    source="Gelman et al. (2013), Bayesian Data Analysis, 3rd ed., table A.1",
)
