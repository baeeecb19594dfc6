"""The Pareto distribution (of the first kind)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from deriver.families.numeric import NEVER, UNDEFINED
from deriver.families.record import Family, Parametrisation, SupportRule
from deriver.families.symbolic import keep, log_of

if TYPE_CHECKING:
    from sympy import Expr


def log_density(value: Expr, shape: Expr, minimum: Expr) -> Expr:
    """log Pareto(value; shape, minimum) above ``minimum``, survival (minimum/x)^shape."""
    return log_of(shape) + shape * log_of(minimum) - (shape + 1) * log_of(value)


def logpdf(value: float, shape: float, minimum: float) -> float:
    """log Pareto(value; shape, minimum) above ``minimum``, survival (minimum/x)^shape."""
    if not (shape > 0 and minimum > 0):
        return UNDEFINED
    return math.log(shape / value) - shape * math.log(value / minimum) if value >= minimum else NEVER


def cdf(value: float, shape: float, minimum: float) -> float:
    """P(X <= value) under Pareto(shape, minimum)."""
    return -math.expm1(-shape * math.log(max(value / minimum, 1.0)))


def sf(value: float, shape: float, minimum: float) -> float:
    """P(X > value) under Pareto(shape, minimum)."""
    return max(value / minimum, 1.0) ** -shape


PARETO = Family(
    key="pareto",
    surface="Pareto",
    shape="scalar",
    support=SupportRule(kind="real", lower="minimum"),
    parameters=("shape", "minimum"),
    parametrisations=(
        Parametrisation(keywords=("shape", "minimum"), roles=("positive", "positive"), to_canonical=keep),
    ),
    log_density=log_density,
    logpdf=logpdf,
    cdf=cdf,
    sf=sf,
    source="Johnson, Kotz & Balakrishnan (1994), Continuous Univariate Distributions, vol. 1, chapter 20",
)
