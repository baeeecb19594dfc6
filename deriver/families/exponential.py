"""The exponential distribution.

It has no kernel of its own: it is the gamma with shape 1, and its conditionals are gamma.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from deriver.families.numeric import NEVER, UNDEFINED
from deriver.families.record import Family, Parametrisation, SupportRule
from deriver.families.symbolic import keep, log_of

if TYPE_CHECKING:
    from sympy import Expr


def log_density(value: Expr, rate: Expr) -> Expr:
    """log Exp(value; rate), mean 1/rate."""
    return log_of(rate) - rate * value


def logpdf(value: float, rate: float) -> float:
    """log Exp(value; rate), mean 1/rate."""
    if not rate > 0:
        return UNDEFINED
    mean = 1.0 / rate
    return -(value / mean + math.log(mean)) if value >= 0 else NEVER


def cdf(value: float, rate: float) -> float:
    """P(X <= value) under Exp(rate)."""
    return -math.expm1(-rate * max(value, 0.0))


def sf(value: float, rate: float) -> float:
    """P(X > value) under Exp(rate)."""
    return math.exp(-rate * max(value, 0.0))


EXPONENTIAL = Family(
    key="exponential",
    surface="Exponential",
    shape="scalar",
    support=SupportRule(kind="real", lower="0"),
    parameters=("rate",),
    parametrisations=(
        Parametrisation(keywords=("rate",), roles=("positive",), to_canonical=keep),
        Parametrisation(keywords=("mean",), roles=("positive",), to_canonical=lambda mean: (1 / mean,)),
    ),
    log_density=log_density,
    logpdf=logpdf,
    cdf=cdf,
    sf=sf,
    source="Gelman et al. (2013), Bayesian Data Analysis, 3rd ed., table A.1",
)
