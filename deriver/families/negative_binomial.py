"""The negative binomial distribution: failures before a given number of successes, or an overdispersed count."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from deriver.families.deferred import heads, special
from deriver.families.numeric import NEVER, UNDEFINED, is_count
from deriver.families.record import Family, Parametrisation, SupportRule
from deriver.families.symbolic import keep, log_complement, log_of

if TYPE_CHECKING:
    from sympy import Expr


def log_density(value: Expr, size: Expr, prob: Expr) -> Expr:
    """log NegativeBinomial(value; size, prob), mean size (1 - prob) / prob, ``prob`` that of a success."""
    ways = heads.LogGamma(value + size) - heads.LogGamma(size) - heads.LogGamma(value + 1)
    return ways + size * log_of(prob) + value * log_complement(prob)


def logpdf(value: float, size: float, prob: float) -> float:
    """log NegativeBinomial(value; size, prob), mean size (1 - prob) / prob, ``prob`` that of a success."""
    if not (size > 0 and 0 < prob <= 1):
        return UNDEFINED
    if not is_count(value):
        return NEVER
    log_ways = -math.log(size + value) - special.betaln(size, value + 1.0)
    return float(log_ways + size * math.log(prob) + special.xlog1py(value, -prob))


def cdf(value: float, size: float, prob: float) -> float:
    """P(X <= value) under NegativeBinomial(size, prob)."""
    if not 0 <= value < math.inf:
        return float(value > 0)
    return float(special.betainc(size, math.floor(value) + 1.0, prob))


def sf(value: float, size: float, prob: float) -> float:
    """P(X > value) under NegativeBinomial(size, prob)."""
    if not 0 <= value < math.inf:
        return float(value < 0)
    return float(special.betainc(math.floor(value) + 1.0, size, 1.0 - prob))


NEGATIVE_BINOMIAL = Family(
    key="negative_binomial",
    surface="NegativeBinomial",
    shape="scalar",
    support=SupportRule(kind="integer", lower="0"),
    parameters=("size", "prob"),
    parametrisations=(
        Parametrisation(keywords=("size", "prob"), roles=("positive", "probability"), to_canonical=keep),
        Parametrisation(
            keywords=("mean", "size"),
            roles=("positive", "positive"),
            to_canonical=lambda mean, size: (size, size / (size + mean)),
        ),
    ),
    log_density=log_density,
    logpdf=logpdf,
    cdf=cdf,
    sf=sf,
    source="Johnson, Kemp & Kotz (2005), Univariate Discrete Distributions, 3rd ed., section 5.1",
)
