"""The Bernoulli distribution of a 0 or 1."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from deriver.families.deferred import heads, sp
from deriver.families.numeric import NEVER, UNDEFINED, complement_of
from deriver.families.record import Family, Parametrisation, SupportRule
from deriver.families.symbolic import expit, keep, log_complement, log_of

if TYPE_CHECKING:
    from sympy import Expr


def log_density(value: Expr, prob: Expr) -> Expr:
    """log Bernoulli(value; prob), ``prob`` that of a one; for ``step(x)`` or 1 less it a set of x."""
    if isinstance(prob, heads.Step):
        return heads.LogIndicator(sp.S.Zero, (2 * value - 1) * prob.args[0], sp.S.Infinity)
    if isinstance(1 - prob, heads.Step):
        return heads.LogIndicator(sp.S.Zero, (1 - 2 * value) * (1 - prob).args[0], sp.S.Infinity)
    return value * log_of(prob) + (1 - value) * log_complement(prob)


def logpdf(value: float, prob: float) -> float:
    """log Bernoulli(value; prob), ``prob`` that of a one."""
    if not 0 <= prob <= 1:
        return UNDEFINED
    if value not in (0, 1):
        return NEVER
    chance = prob if value == 1 else complement_of(prob)
    return math.log(chance) if chance > 0 else NEVER


BERNOULLI = Family(
    key="bernoulli",
    surface="Bernoulli",
    positional=True,
    shape="scalar",
    support=SupportRule(kind="integer", lower="0", upper="1"),
    parameters=("prob",),
    parametrisations=(
        Parametrisation(keywords=("prob",), roles=("probability",), to_canonical=keep),
        Parametrisation(keywords=("logit",), roles=("real",), to_canonical=lambda logit: (expit(logit),)),
    ),
    log_density=log_density,
    logpdf=logpdf,
    source="Gelman et al. (2013), Bayesian Data Analysis, 3rd ed., table A.2 (binomial of size 1)",
)
