"""The inverse gamma distribution: that of 1/X when X is gamma."""

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


def log_density(value: Expr, shape: Expr, scale: Expr) -> Expr:
    """log IG(value; shape, scale), the density ∝ x^-(shape + 1) exp(-scale/x)."""
    return shape * log_of(scale) - heads.LogGamma(shape) - (shape + 1) * log_of(value) - scale / value


def logpdf(value: float, shape: float, scale: float) -> float:
    """log IG(value; shape, scale), the density ∝ x^-(shape + 1) exp(-scale/x)."""
    if not (shape > 0 and scale > 0):
        return UNDEFINED
    if not 0 < value < np.inf:
        return NEVER
    ratio = scale / value
    return float(special.xlogy(shape, ratio) - ratio - np.log(value) - special.gammaln(shape))


def cdf(value: float, shape: float, scale: float) -> float:
    """P(X <= value) under IG(shape, scale)."""
    return float(special.gammaincc(shape, scale / value)) if value > 0 else 0.0


def sf(value: float, shape: float, scale: float) -> float:
    """P(X > value) under IG(shape, scale)."""
    return float(special.gammainc(shape, scale / value)) if value > 0 else 1.0


def statistic_forms(target: Expr) -> Mapping[str, Expr]:
    """log θ and 1/θ."""
    return {"log": sp.log(target), "reciprocal": 1 / target}


def to_standard(natural: Mapping[str, Expr], target: Expr) -> Mapping[str, Expr]:
    """exp(c₁ log θ + c₂/θ) has shape -c₁ - 1 and scale -c₂."""
    shape = scale_terms(sp.Integer(-1), natural_coefficient(natural, "log")) - 1
    return {"shape": shape, "scale": scale_terms(sp.Integer(-1), natural_coefficient(natural, "reciprocal"))}


def proper(natural: Mapping[str, Expr], target: Expr) -> tuple[tuple[Expr, str], ...]:
    """Shape and scale are positive."""
    return tuple((parameter, "positive") for parameter in to_standard(natural, target).values())


INVERSE_GAMMA = Family(
    key="inverse_gamma",
    surface="InverseGamma",
    short="IG",
    shape="scalar",
    support=SupportRule(kind="real", lower="0"),
    parameters=("shape", "scale"),
    parametrisations=(
        Parametrisation(
            keywords=("q", "r"),
            roles=("positive", "positive"),
            to_canonical=lambda q, r: (q, 1 / r),
            long=False,
        ),
        Parametrisation(keywords=("shape", "scale"), roles=("positive", "positive"), to_canonical=keep),
    ),
    log_density=log_density,
    logpdf=logpdf,
    cdf=cdf,
    sf=sf,
    kernel=Kernel(
        statistics=("log", "reciprocal"),
        collect=collect_by_form(statistic_forms),
        to_standard=to_standard,
        proper=proper,
        statistic_forms=statistic_forms,
    ),
    source="Gelman et al. (2013), Bayesian Data Analysis, 3rd ed., table A.1 and section 2.6",
)
