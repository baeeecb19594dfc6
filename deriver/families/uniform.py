"""The uniform distribution on an interval."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from deriver.families.numeric import NEVER, UNDEFINED
from deriver.families.record import Family, Parametrisation, SupportRule
from deriver.families.symbolic import keep, log_of

if TYPE_CHECKING:
    from sympy import Expr


def log_density(value: Expr, lower: Expr, upper: Expr) -> Expr:
    """log Unif(value; lower, upper) inside the interval."""
    return -log_of(upper - lower)


def logpdf(value: float, lower: float, upper: float) -> float:
    """log Unif(value; lower, upper)."""
    if not lower < upper:
        return UNDEFINED
    return math.log(1.0 / (upper - lower)) if lower < value < upper else NEVER


def cdf(value: float, lower: float, upper: float) -> float:
    """P(X <= value) under Unif(lower, upper)."""
    return min(max((value - lower) / (upper - lower), 0.0), 1.0)


def sf(value: float, lower: float, upper: float) -> float:
    """P(X > value) under Unif(lower, upper)."""
    return min(max((upper - value) / (upper - lower), 0.0), 1.0)


UNIFORM = Family(
    key="uniform",
    surface="Uniform",
    short="Unif",
    positional=True,
    shape="scalar",
    support=SupportRule(kind="real", lower="lower", upper="upper"),
    parameters=("lower", "upper"),
    parametrisations=(
        Parametrisation(keywords=("lower", "upper"), roles=("real", "real"), to_canonical=keep),
    ),
    log_density=log_density,
    logpdf=logpdf,
    cdf=cdf,
    sf=sf,
    source="Gelman et al. (2013), Bayesian Data Analysis, 3rd ed., table A.1",
)
