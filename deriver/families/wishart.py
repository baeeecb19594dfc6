"""The Wishart distribution of a symmetric positive definite matrix."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from deriver.families.collect import collect_wishart, scale_terms
from deriver.families.deferred import heads, sp, special
from deriver.families.numeric import (
    NEVER,
    UNDEFINED,
    cholesky_factor,
    log_determinant,
    solve_lower,
)
from deriver.families.record import Family, Kernel, Parametrisation, SupportRule
from deriver.families.symbolic import natural_coefficient

if TYPE_CHECKING:
    from sympy import Expr


def log_density(value: Expr, df: Expr, scale: Expr) -> Expr:
    """log Wishart(value; df, scale) of a (p, p) matrix, mean df * scale."""
    p = heads.shape_of(value)[0]
    constant = sp.S.Half * df * (p * sp.log(2) + heads.logdet(scale)) + heads.LogMultivariateGamma(df / 2, p)
    return (
        sp.S.Half * (df - p - 1) * heads.logdet(value)
        - sp.S.Half * heads.trace(heads.invert(scale) * value)
        - constant
    )


def logpdf(value: np.ndarray, df: float, scale: np.ndarray) -> float:
    """log Wishart(value; df, scale); ``value`` and ``scale`` (p, p), mean df * scale."""
    scale_factor, value_factor = cholesky_factor(scale), cholesky_factor(value)
    if scale_factor is None or not df > len(scale_factor) - 1:
        return UNDEFINED
    if value_factor is None:
        return NEVER
    p = len(scale_factor)
    whitened = solve_lower(scale_factor, value_factor)
    log_ratio = log_determinant(value_factor) - log_determinant(scale_factor)
    kernel = 0.5 * df * log_ratio - 0.5 * (p + 1) * log_determinant(value_factor) - 0.5 * np.sum(whitened**2)
    return float(kernel - 0.5 * df * p * math.log(2.0) - special.multigammaln(0.5 * df, p))


def statistic_forms(target: Expr) -> Mapping[str, Expr]:
    """log|Θ| and Θ."""
    return {"logdet": heads.logdet(target), "trace": target}


def to_standard(natural: Mapping[str, Expr], target: Expr) -> Mapping[str, Expr]:
    """exp(c log|Θ| + tr(CΘ)), C symmetric, has df = 2c + p + 1 and inverse scale -2C."""
    p = heads.shape_of(target)[0]
    df = scale_terms(sp.Integer(2), natural_coefficient(natural, "logdet")) + p + 1
    return {"df": df, "inverse_scale": scale_terms(sp.Integer(-2), natural_coefficient(natural, "trace"))}


def proper(natural: Mapping[str, Expr], target: Expr) -> tuple[tuple[Expr, str], ...]:
    """The degrees of freedom exceed p - 1 and the inverse scale is positive definite."""
    standard = to_standard(natural, target)
    excess = standard["df"] - (heads.shape_of(target)[0] - 1)
    return ((excess, "positive"), (standard["inverse_scale"], "positive_definite"))


WISHART = Family(
    key="wishart",
    surface="Wishart",
    short="Wish",
    shape="matrix",
    support=SupportRule(kind="spd"),
    parameters=("df", "scale"),
    parametrisations=(
        Parametrisation(
            keywords=("scale", "df"),
            roles=("spd", "positive"),
            to_canonical=lambda scale, df: (df, scale),
        ),
        Parametrisation(
            keywords=("rate", "df"),
            roles=("spd", "positive"),
            to_canonical=lambda rate, df: (df, heads.invert(rate)),
        ),
    ),
    log_density=log_density,
    logpdf=logpdf,
    kernel=Kernel(
        statistics=("logdet", "trace"),
        collect=collect_wishart,
        to_standard=to_standard,
        proper=proper,
        statistic_forms=statistic_forms,
    ),
    source="Gelman et al. (2013), Bayesian Data Analysis, 3rd ed., table A.1 and section 3.6",
)
