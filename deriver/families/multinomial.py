"""The multinomial distribution of a vector of counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from deriver.families.deferred import heads, sp, special
from deriver.families.numeric import NEVER, UNDEFINED, is_count
from deriver.families.record import Family, Parametrisation, SupportRule
from deriver.families.symbolic import keep, sum_components

if TYPE_CHECKING:
    from sympy import Expr


def log_density(value: Expr, size: Expr, prob: Expr) -> Expr:
    """log Multinomial(value; size, prob), ``value`` and ``prob`` K-vectors."""
    factorials = sum_components(heads.Map("lgamma", value + heads.Ones(heads.shape_of(value)[0])))
    return heads.LogGamma(size + 1) - factorials + _log_power(value, prob)


def _log_power(value: Expr, prob: Expr) -> Expr:
    """Return the sum of counts times log probabilities, in which 0 log 0 is 0 where a probability can be 0."""
    if isinstance(prob, heads.Literal) and any(map(_can_be_zero, entries := prob.args[2:])):
        parts = [
            heads.XLogY(heads.component(value, sp.Integer(place)), entry)
            for place, entry in enumerate(entries, 1)
        ]
        return sp.Add(*parts)
    return heads.inner(heads.transpose(value) * heads.Map("log", prob))


def _can_be_zero(entry: Expr) -> bool:
    """Tell whether a probability is a node that is not known to be positive, or a sum of terms that can all be 0."""
    if isinstance(entry, heads.Ref):
        return not entry.is_positive
    return all(
        any(factor.is_nonnegative and not factor.is_positive for factor in sp.Mul.make_args(term))
        for term in sp.Add.make_args(entry)
    )


def logpdf(value: np.ndarray, size: float, prob: np.ndarray) -> float:
    """log Multinomial(value; size, prob), ``value`` and ``prob`` (K,)."""
    counts, chances = np.asarray(value, dtype=float), np.asarray(prob, dtype=float)
    if not is_count(size) or np.any(chances < 0) or abs(chances.sum() - 1.0) > 1e-9:
        return UNDEFINED
    if not all(map(is_count, counts)) or counts.sum() != size:
        return NEVER
    totals = np.cumsum(counts)
    log_ways = -np.log1p(totals) - special.betaln(totals - counts + 1.0, counts + 1.0)
    return float(np.sum(log_ways) + np.sum(special.xlogy(counts, chances)))


MULTINOMIAL = Family(
    key="multinomial",
    surface="Multinomial",
    positional=True,
    shape="vector",
    support=SupportRule(kind="integer", lower="0", upper="size"),
    parameters=("size", "prob"),
    parametrisations=(
        Parametrisation(keywords=("size", "prob"), roles=("count", "simplex"), to_canonical=keep),
    ),
    log_density=log_density,
    logpdf=logpdf,
    source="Gelman et al. (2013), Bayesian Data Analysis, 3rd ed., table A.2",
)
