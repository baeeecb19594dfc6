"""The normal distribution of a scalar."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from deriver.families.collect import collect_by_form, scale_terms
from deriver.families.deferred import sp, special
from deriver.families.numeric import UNDEFINED
from deriver.families.record import Family, Kernel, Parametrisation, SupportRule
from deriver.families.symbolic import keep, log_of, natural_coefficient

if TYPE_CHECKING:
    from sympy import Expr


def log_density(value: Expr, mean: Expr, var: Expr) -> Expr:
    """log N(value; mean, var), ``var`` a variance."""
    return -sp.S.Half * sp.log(2 * sp.pi) - sp.S.Half * log_of(var) - (value - mean) ** 2 / (2 * var)


def logpdf(value: float, mean: float, var: float) -> float:
    """log N(value; mean, var), ``var`` a variance."""
    if not var > 0:
        return UNDEFINED
    sd = math.sqrt(var)
    deviate = (value - mean) / sd
    return -0.5 * deviate * deviate - math.log(sd * math.sqrt(2.0 * math.pi))


def cdf(value: float, mean: float, var: float) -> float:
    """P(X <= value) under N(mean, var)."""
    return float(special.ndtr((value - mean) / math.sqrt(var)))


def sf(value: float, mean: float, var: float) -> float:
    """P(X > value) under N(mean, var)."""
    return float(special.ndtr((mean - value) / math.sqrt(var)))


def statistic_forms(target: Expr) -> Mapping[str, Expr]:
    """θ and θ²."""
    return {"linear": target, "quadratic": target**2}


def to_standard(natural: Mapping[str, Expr], target: Expr) -> Mapping[str, Expr]:
    """exp(c₁θ + c₂θ²) has precision A = -2c₂ and linear term b = c₁: mean b/A, variance 1/A."""
    precision = scale_terms(sp.Integer(-2), natural_coefficient(natural, "quadratic"))
    return {"precision": precision, "linear": natural_coefficient(natural, "linear")}


def proper(natural: Mapping[str, Expr], target: Expr) -> tuple[tuple[Expr, str], ...]:
    """The precision is positive."""
    return ((to_standard(natural, target)["precision"], "positive"),)


NORMAL = Family(
    key="normal",
    surface="Normal",
    short="N",
    leading=1,
    shape="scalar",
    support=SupportRule(kind="real"),
    parameters=("mean", "var"),
    parametrisations=(
        Parametrisation(keywords=("mean", "var"), roles=("real", "positive"), to_canonical=keep),
        Parametrisation(
            keywords=("mean", "sd"), roles=("real", "positive"), to_canonical=lambda mean, sd: (mean, sd**2)
        ),
        Parametrisation(
            keywords=("mean", "prec"),
            roles=("real", "positive"),
            to_canonical=lambda mean, prec: (mean, 1 / prec),
        ),
    ),
    log_density=log_density,
    logpdf=logpdf,
    cdf=cdf,
    sf=sf,
    kernel=Kernel(
        statistics=("linear", "quadratic"),
        collect=collect_by_form(statistic_forms),
        to_standard=to_standard,
        proper=proper,
        statistic_forms=statistic_forms,
    ),
    source="Gelman et al. (2013), Bayesian Data Analysis, 3rd ed., table A.1 and section 2.5",
)
