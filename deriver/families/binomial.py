"""The binomial distribution."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from deriver.families.deferred import special
from deriver.families.numeric import NEVER, UNDEFINED, Chance, is_count
from deriver.families.record import Family, Parametrisation, SupportRule
from deriver.families.symbolic import expit, keep, log_choose, log_complement, log_of

if TYPE_CHECKING:
    from sympy import Expr


def log_density(value: Expr, size: Expr, prob: Expr) -> Expr:
    """log Binomial(value; size, prob)."""
    return log_choose(size, value) + value * log_of(prob) + (size - value) * log_complement(prob)


def logpdf(value: float, size: float, prob: float) -> float:
    """log Binomial(value; size, prob)."""
    if not (is_count(size) and 0 <= prob <= 1):
        return UNDEFINED
    if not (is_count(value) and value <= size):
        return NEVER
    log_ways = -math.log1p(size) - special.betaln(size - value + 1.0, value + 1.0)
    never = (
        special.xlogy(size - value, prob.rest)
        if isinstance(prob, Chance)
        else special.xlog1py(size - value, -prob)
    )
    return float(log_ways + special.xlogy(value, prob) + never)


def cdf(value: float, size: float, prob: float) -> float:
    """P(X <= value) under Binomial(size, prob)."""
    if not 0 <= value < size:
        return float(value >= size)
    below = math.floor(value)
    return float(special.betainc(size - below, below + 1.0, 1.0 - prob))


def sf(value: float, size: float, prob: float) -> float:
    """P(X > value) under Binomial(size, prob)."""
    if not 0 <= value < size:
        return float(value < 0)
    below = math.floor(value)
    return float(special.betainc(below + 1.0, size - below, prob))


BINOMIAL = Family(
    key="binomial",
    surface="Binomial",
    positional=True,
    shape="scalar",
    support=SupportRule(kind="integer", lower="0", upper="size"),
    parameters=("size", "prob"),
    parametrisations=(
        Parametrisation(keywords=("size", "prob"), roles=("count", "probability"), to_canonical=keep),
        Parametrisation(
            keywords=("size", "logit"),
            roles=("count", "real"),
            to_canonical=lambda size, logit: (size, expit(logit)),
        ),
    ),
    log_density=log_density,
    logpdf=logpdf,
    cdf=cdf,
    sf=sf,
    source="Gelman et al. (2013), Bayesian Data Analysis, 3rd ed., table A.2",
)
