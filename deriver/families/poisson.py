"""The Poisson distribution."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammainc, gammaincc, gammaln, xlogy

from deriver.families.deferred import heads, sp
from deriver.families.numeric import NEVER, UNDEFINED, is_count
from deriver.families.record import Family, Parametrisation, SupportRule
from deriver.families.symbolic import keep, log_of

if TYPE_CHECKING:
    from sympy import Expr


def log_density(value: Expr, rate: Expr) -> Expr:
    """log Poisson(value; rate), mean ``rate``."""
    return value * log_of(rate) - rate - heads.LogGamma(value + 1)


def logpdf(value: float, rate: float) -> float:
    """log Poisson(value; rate), mean ``rate``."""
    if not rate >= 0:
        return UNDEFINED
    return float(xlogy(value, rate) - gammaln(value + 1.0) - rate) if is_count(value) else NEVER


def cdf(value: float, rate: float) -> float:
    """P(X <= value) under Poisson(rate)."""
    return float(gammaincc(np.floor(value) + 1.0, rate)) if value >= 0 else 0.0


def sf(value: float, rate: float) -> float:
    """P(X > value) under Poisson(rate)."""
    return float(gammainc(np.floor(value) + 1.0, rate)) if value >= 0 else 1.0


POISSON = Family(
    key="poisson",
    surface="Poisson",
    short="Pois",
    positional=True,
    shape="scalar",
    support=SupportRule(kind="integer", lower="0"),
    parameters=("rate",),
    parametrisations=(
        Parametrisation(keywords=("rate",), roles=("nonnegative",), to_canonical=keep),
        Parametrisation(
            keywords=("log_rate",), roles=("real",), to_canonical=lambda log_rate: (sp.exp(log_rate),)
        ),
    ),
    log_density=log_density,
    logpdf=logpdf,
    cdf=cdf,
    sf=sf,
    source="Gelman et al. (2013), Bayesian Data Analysis, 3rd ed., table A.2",
)
