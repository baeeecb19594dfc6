"""Student's t distribution, shifted and scaled."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from deriver.families.deferred import heads, sp, special
from deriver.families.numeric import UNDEFINED
from deriver.families.record import Family, Parametrisation, SupportRule
from deriver.families.symbolic import keep, log_of

if TYPE_CHECKING:
    from sympy import Expr


def log_density(value: Expr, df: Expr, mean: Expr, scale: Expr) -> Expr:
    """log t(value; df, mean, scale), centred at ``mean``; ``scale`` is no standard deviation."""
    ratio = heads.LogGamma((df + 1) / 2) - heads.LogGamma(df / 2)
    constant = sp.S.Half * log_of(df * sp.pi) + log_of(scale)
    return ratio - constant - (df + 1) / 2 * sp.log(1 + (value - mean) ** 2 / (df * scale**2))


def logpdf(value: float, df: float, mean: float, scale: float) -> float:
    """log t(value; df, mean, scale), centred at ``mean``; ``scale`` is no standard deviation."""
    if not (df > 0 and scale > 0):
        return UNDEFINED
    deviate = (value - mean) / scale
    constant = 0.5 * math.log(df) + special.betaln(0.5, 0.5 * df) + math.log(scale)
    return float(-0.5 * (df + 1.0) * np.log1p(deviate * deviate / df) - constant)


def cdf(value: float, df: float, mean: float, scale: float) -> float:
    """P(X <= value) under t(df, mean, scale)."""
    return float(special.stdtr(df, (value - mean) / scale))


def sf(value: float, df: float, mean: float, scale: float) -> float:
    """P(X > value) under t(df, mean, scale)."""
    return float(special.stdtr(df, (mean - value) / scale))


STUDENT_T = Family(
    key="student_t",
    surface="StudentT",
    shape="scalar",
    support=SupportRule(kind="real"),
    parameters=("df", "mean", "scale"),
    parametrisations=(
        Parametrisation(
            keywords=("df", "mean", "scale"), roles=("positive", "real", "positive"), to_canonical=keep
        ),
    ),
    log_density=log_density,
    logpdf=logpdf,
    cdf=cdf,
    sf=sf,
    source="Gelman et al. (2013), Bayesian Data Analysis, 3rd ed., table A.1",
)
