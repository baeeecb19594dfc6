"""The beta distribution."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from deriver.families.collect import collect_by_form
from deriver.families.deferred import heads, sp, special
from deriver.families.numeric import NEVER, UNDEFINED
from deriver.families.record import Family, Kernel, Parametrisation, SupportRule
from deriver.families.symbolic import keep, log_of, natural_coefficient

if TYPE_CHECKING:
    from sympy import Expr


def log_density(value: Expr, a: Expr, b: Expr) -> Expr:
    """log Beta(value; a, b), the density ∝ x^(a - 1) (1 - x)^(b - 1)."""
    return (a - 1) * log_of(value) + (b - 1) * log_of(1 - value) - _log_beta(a, b)


def _log_beta(a: Expr, b: Expr) -> Expr:
    """log B(a, b); B(a, 1) = 1/a, so that such a shape has the terms of a gamma kernel."""
    if 1 in (a, b):
        return -log_of(b if a == 1 else a)
    return heads.LogGamma(a) + heads.LogGamma(b) - heads.LogGamma(a + b)


def logpdf(value: float, a: float, b: float) -> float:
    """log Beta(value; a, b), the density ∝ x^(a - 1) (1 - x)^(b - 1)."""
    if not (a > 0 and b > 0):
        return UNDEFINED
    if not 0 < value < 1:
        return NEVER
    return float(special.xlogy(a - 1.0, value) + special.xlog1py(b - 1.0, -value) - special.betaln(a, b))


def cdf(value: float, a: float, b: float) -> float:
    """P(X <= value) under Beta(a, b)."""
    return float(special.betainc(a, b, min(max(value, 0.0), 1.0)))


def sf(value: float, a: float, b: float) -> float:
    """P(X > value) under Beta(a, b)."""
    return float(special.betainc(b, a, min(max(1.0 - value, 0.0), 1.0)))


def statistic_forms(target: Expr) -> Mapping[str, Expr]:
    """log θ and log(1 - θ)."""
    return {"log": sp.log(target), "log_complement": sp.log(1 - target)}


def to_standard(natural: Mapping[str, Expr], target: Expr) -> Mapping[str, Expr]:
    """exp(c₁ log θ + c₂ log(1 - θ)) has a = c₁ + 1 and b = c₂ + 1."""
    a, b = (natural_coefficient(natural, name) + 1 for name in ("log", "log_complement"))
    return {"a": a, "b": b}


def proper(natural: Mapping[str, Expr], target: Expr) -> tuple[tuple[Expr, str], ...]:
    """Both parameters are positive."""
    return tuple((parameter, "positive") for parameter in to_standard(natural, target).values())


BETA = Family(
    key="beta",
    surface="Beta",
    positional=True,
    shape="scalar",
    support=SupportRule(kind="real", lower="0", upper="1"),
    parameters=("a", "b"),
    parametrisations=(
        Parametrisation(keywords=("a", "b"), roles=("positive", "positive"), to_canonical=keep),
    ),
    log_density=log_density,
    logpdf=logpdf,
    cdf=cdf,
    sf=sf,
    kernel=Kernel(
        statistics=("log", "log_complement"),
        collect=collect_by_form(statistic_forms),
        to_standard=to_standard,
        proper=proper,
        statistic_forms=statistic_forms,
    ),
    source="Gelman et al. (2013), Bayesian Data Analysis, 3rd ed., table A.1 and section 2.4",
)
