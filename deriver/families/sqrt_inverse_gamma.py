"""The square-root inverted-gamma distribution: that of the standard deviation when the precision is gamma."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from deriver.families.collect import collect_by_form, scale_terms
from deriver.families.deferred import heads, sp
from deriver.families.inverse_gamma import cdf as cdf_of_square
from deriver.families.inverse_gamma import logpdf as logpdf_of_square
from deriver.families.inverse_gamma import sf as sf_of_square
from deriver.families.numeric import NEVER, UNDEFINED
from deriver.families.record import Family, Kernel, Parametrisation, SupportRule
from deriver.families.symbolic import keep, log_of, natural_coefficient

if TYPE_CHECKING:
    from sympy import Expr


def log_density(value: Expr, shape: Expr, scale: Expr) -> Expr:
    """log of the density ∝ x^-(2 shape + 1) exp(-scale/x²): x² is IG(shape, scale)."""
    constant = sp.log(2) + shape * log_of(scale) - heads.LogGamma(shape)
    return constant - (2 * shape + 1) * log_of(value) - scale / value**2


def logpdf(value: float, shape: float, scale: float) -> float:
    """log density of x where x² is IG(shape, scale): the Jacobian of the square is 2x."""
    if not (shape > 0 and scale > 0):
        return UNDEFINED
    if not 0 < value < math.inf:
        return NEVER
    return logpdf_of_square(value**2, shape, scale) + math.log(2.0 * value)


def cdf(value: float, shape: float, scale: float) -> float:
    """P(X <= value), X² being IG(shape, scale)."""
    return cdf_of_square(max(value, 0.0) ** 2, shape, scale)


def sf(value: float, shape: float, scale: float) -> float:
    """P(X > value), X² being IG(shape, scale)."""
    return sf_of_square(max(value, 0.0) ** 2, shape, scale)


def statistic_forms(target: Expr) -> Mapping[str, Expr]:
    """log θ and 1/θ²."""
    return {"log": sp.log(target), "inverse_square": target**-2}


def to_standard(natural: Mapping[str, Expr], target: Expr) -> Mapping[str, Expr]:
    """exp(c₁ log θ + c₂/θ²) has shape -(c₁ + 1)/2 and scale -c₂."""
    shape = scale_terms(sp.Rational(-1, 2), natural_coefficient(natural, "log")) - sp.Rational(1, 2)
    scale = scale_terms(sp.Integer(-1), natural_coefficient(natural, "inverse_square"))
    return {"shape": shape, "scale": scale}


def proper(natural: Mapping[str, Expr], target: Expr) -> tuple[tuple[Expr, str], ...]:
    """Shape and scale are positive."""
    return tuple((parameter, "positive") for parameter in to_standard(natural, target).values())


SQRT_INVERSE_GAMMA = Family(
    key="sqrt_inverse_gamma",
    surface="SqrtInverseGamma",
    shape="scalar",
    support=SupportRule(kind="real", lower="0"),
    parameters=("shape", "scale"),
    parametrisations=(
        Parametrisation(keywords=("shape", "scale"), roles=("positive", "positive"), to_canonical=keep),
    ),
    log_density=log_density,
    logpdf=logpdf,
    cdf=cdf,
    sf=sf,
    kernel=Kernel(
        statistics=("log", "inverse_square"),
        collect=collect_by_form(statistic_forms),
        to_standard=to_standard,
        proper=proper,
        statistic_forms=statistic_forms,
    ),
    source="Bernardo & Smith (1994), Bayesian Theory, section 3.2.2 (square-root inverted-gamma)",
)
