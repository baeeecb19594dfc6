"""The half-normal distribution: that of |X| when X is normal around zero.

It has no kernel of its own: it is a normal on part of the line, and so are its conditionals.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from deriver.families.deferred import sp
from deriver.families.numeric import NEVER, UNDEFINED
from deriver.families.record import Family, Parametrisation, SupportRule
from deriver.families.symbolic import keep, log_of

if TYPE_CHECKING:
    from sympy import Expr


def log_density(value: Expr, var: Expr) -> Expr:
    """log HalfNormal(value; var), ``var`` the variance of the normal that is folded."""
    return sp.S.Half * (sp.log(2) - sp.log(sp.pi) - log_of(var)) - value**2 / (2 * var)


def logpdf(value: float, var: float) -> float:
    """log HalfNormal(value; var), ``var`` the variance of the normal that is folded."""
    if not var > 0:
        return UNDEFINED
    if value < 0:
        return NEVER
    deviate = value / math.sqrt(var)
    return math.log(2.0) - 0.5 * math.log(2.0 * math.pi * var) - 0.5 * deviate * deviate


def cdf(value: float, var: float) -> float:
    """P(X <= value) under HalfNormal(var)."""
    return math.erf(max(value, 0.0) / math.sqrt(2.0 * var))


def sf(value: float, var: float) -> float:
    """P(X > value) under HalfNormal(var)."""
    return math.erfc(max(value, 0.0) / math.sqrt(2.0 * var))


HALF_NORMAL = Family(
    key="half_normal",
    surface="HalfNormal",
    shape="scalar",
    support=SupportRule(kind="real", lower="0"),
    parameters=("var",),
    parametrisations=(
        Parametrisation(keywords=("sd",), roles=("positive",), to_canonical=lambda sd: (sd**2,)),
        Parametrisation(keywords=("var",), roles=("positive",), to_canonical=keep),
    ),
    log_density=log_density,
    logpdf=logpdf,
    cdf=cdf,
    sf=sf,
    source="Gelman (2006), Prior distributions for variance parameters in hierarchical models, section 3.2",
)
