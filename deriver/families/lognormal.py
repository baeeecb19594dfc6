"""The lognormal distribution.

It has no kernel of its own: met as log θ, with its Jacobian, the kernel is the normal's.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from deriver.families.deferred import sp, special
from deriver.families.numeric import NEVER, UNDEFINED
from deriver.families.record import Family, Parametrisation, SupportRule
from deriver.families.symbolic import keep, log_of

if TYPE_CHECKING:
    from sympy import Expr


def log_density(value: Expr, meanlog: Expr, varlog: Expr) -> Expr:
    """log LogNormal(value; meanlog, varlog), mean and variance those of the log."""
    log_value = log_of(value)
    constant = sp.S.Half * sp.log(2 * sp.pi) + sp.S.Half * log_of(varlog)
    return -constant - log_value - (log_value - meanlog) ** 2 / (2 * varlog)


def logpdf(value: float, meanlog: float, varlog: float) -> float:
    """log LogNormal(value; meanlog, varlog), mean and variance those of the log."""
    if not varlog > 0:
        return UNDEFINED
    if not value > 0:
        return NEVER
    sdlog = math.sqrt(varlog)
    deviate = (math.log(value) - meanlog) / sdlog
    return -0.5 * deviate * deviate - math.log(value * sdlog * math.sqrt(2.0 * math.pi))


def cdf(value: float, meanlog: float, varlog: float) -> float:
    """P(X <= value) under LogNormal(meanlog, varlog)."""
    return float(special.ndtr((math.log(value) - meanlog) / math.sqrt(varlog))) if value > 0 else 0.0


def sf(value: float, meanlog: float, varlog: float) -> float:
    """P(X > value) under LogNormal(meanlog, varlog)."""
    return float(special.ndtr((meanlog - math.log(value)) / math.sqrt(varlog))) if value > 0 else 1.0


LOGNORMAL = Family(
    key="lognormal",
    surface="LogNormal",
    shape="scalar",
    support=SupportRule(kind="real", lower="0"),
    parameters=("meanlog", "varlog"),
    parametrisations=(
        Parametrisation(
            keywords=("meanlog", "sdlog"),
            roles=("real", "positive"),
            to_canonical=lambda meanlog, sdlog: (meanlog, sdlog**2),
        ),
        Parametrisation(keywords=("meanlog", "varlog"), roles=("real", "positive"), to_canonical=keep),
        Parametrisation(
            keywords=("meanlog", "preclog"),
            roles=("real", "positive"),
            to_canonical=lambda meanlog, preclog: (meanlog, 1 / preclog),
        ),
    ),
    log_density=log_density,
    logpdf=logpdf,
    cdf=cdf,
    sf=sf,
    source="Gelman et al. (2013), Bayesian Data Analysis, 3rd ed., table A.1",
)
