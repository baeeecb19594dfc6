"""The gamma distribution."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from deriver.families.collect import collect_by_form, scale_terms
from deriver.families.deferred import heads, sp, special
from deriver.families.numeric import NEVER, UNDEFINED
from deriver.families.record import Family, Kernel, Parametrisation, SupportRule
from deriver.families.symbolic import keep, log_of, natural_coefficient

if TYPE_CHECKING:
    from sympy import Expr


def log_density(value: Expr, shape: Expr, rate: Expr) -> Expr:
    """log Gamma(value; shape, rate), mean shape/rate."""
    return shape * log_of(rate) - heads.LogGamma(shape) + (shape - 1) * log_of(value) - rate * value


def logpdf(value: float, shape: float, rate: float) -> float:
    """log Gamma(value; shape, rate), mean shape/rate."""
    if not (shape > 0 and rate > 0):
        return UNDEFINED
    if not 0 < value < np.inf:
        return NEVER
    scaled = rate * value
    return float(special.xlogy(shape, scaled) - scaled - np.log(value) - special.gammaln(shape))


def cdf(value: float, shape: float, rate: float) -> float:
    """P(X <= value) under Gamma(shape, rate)."""
    return float(special.gammainc(shape, rate * max(value, 0.0)))


def sf(value: float, shape: float, rate: float) -> float:
    """P(X > value) under Gamma(shape, rate)."""
    return float(special.gammaincc(shape, rate * max(value, 0.0)))


def statistic_forms(target: Expr) -> Mapping[str, Expr]:
    """log θ and θ."""
    return {"log": sp.log(target), "linear": target}


def to_standard(natural: Mapping[str, Expr], target: Expr) -> Mapping[str, Expr]:
    """exp(c₁ log θ + c₂θ) has shape c₁ + 1 and rate -c₂."""
    rate = scale_terms(sp.Integer(-1), natural_coefficient(natural, "linear"))
    return {"shape": natural_coefficient(natural, "log") + 1, "rate": rate}


def proper(natural: Mapping[str, Expr], target: Expr) -> tuple[tuple[Expr, str], ...]:
    """Shape and rate are positive."""
    return tuple((parameter, "positive") for parameter in to_standard(natural, target).values())


GAMMA = Family(
    key="gamma",
    surface="Gamma",
    shape="scalar",
    support=SupportRule(kind="real", lower="0"),
    parameters=("shape", "rate"),
    parametrisations=(
        Parametrisation(keywords=("shape", "rate"), roles=("positive", "positive"), to_canonical=keep),
        Parametrisation(
            keywords=("shape", "scale"),
            roles=("positive", "positive"),
            to_canonical=lambda shape, scale: (shape, 1 / scale),
        ),
    ),
    log_density=log_density,
    logpdf=logpdf,
    cdf=cdf,
    sf=sf,
    kernel=Kernel(
        statistics=("log", "linear"),
        collect=collect_by_form(statistic_forms),
        to_standard=to_standard,
        proper=proper,
        statistic_forms=statistic_forms,
    ),
    source="Gelman et al. (2013), Bayesian Data Analysis, 3rd ed., table A.1 and section 2.6",
)
