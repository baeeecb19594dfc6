"""The Dirichlet distribution of a probability vector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from deriver.families.collect import collect_log_components
from deriver.families.deferred import heads, special
from deriver.families.numeric import NEVER, UNDEFINED
from deriver.families.record import Family, Kernel, Parametrisation, SupportRule
from deriver.families.symbolic import join_vectors, keep, natural_coefficient, sum_components

if TYPE_CHECKING:
    from sympy import Expr


def log_density(value: Expr, concentration: Expr) -> Expr:
    """log Dirichlet(value; concentration) of a K-vector, the density ∝ Π x_k^(concentration_k - 1)."""
    logs = heads.Map("log", value)
    constant = sum_components(heads.Map("lgamma", concentration)) - heads.LogGamma(
        sum_components(concentration)
    )
    return heads.inner(heads.transpose(concentration) * logs) - sum_components(logs) - constant


def logpdf(value: np.ndarray, concentration: np.ndarray) -> float:
    """log Dirichlet(value; concentration); both (K,), the density ∝ Π x_k^(concentration_k - 1)."""
    point, weights = np.asarray(value, dtype=float), np.asarray(concentration, dtype=float)
    if not np.all(weights > 0):
        return UNDEFINED
    if not (np.all(point > 0) and abs(point.sum() - 1.0) < 1e-9):
        return NEVER
    constant = np.sum(special.betaln(np.cumsum(weights)[:-1], weights[1:]))
    return float(np.sum(special.xlogy(weights - 1.0, point)) - constant)


def statistic_forms(target: Expr) -> Mapping[str, Expr]:
    """The vector of log π_k."""
    return {"log": heads.Map("log", target)}


def to_standard(natural: Mapping[str, Expr], target: Expr) -> Mapping[str, Expr]:
    """exp(c'log π) has concentration c + 1, a one added to every component."""
    concentration = natural_coefficient(natural, "log") + heads.Ones(heads.shape_of(target)[0])
    return {"concentration": join_vectors(concentration)}


def proper(natural: Mapping[str, Expr], target: Expr) -> tuple[tuple[Expr, str], ...]:
    """Every component of the concentration is positive."""
    return ((to_standard(natural, target)["concentration"], "positive"),)


DIRICHLET = Family(
    key="dirichlet",
    surface="Dirichlet",
    positional=True,
    shape="vector",
    support=SupportRule(kind="simplex"),
    parameters=("concentration",),
    parametrisations=(
        Parametrisation(keywords=("concentration",), roles=("positive_vector",), to_canonical=keep),
    ),
    log_density=log_density,
    logpdf=logpdf,
    kernel=Kernel(
        statistics=("log",),
        collect=collect_log_components,
        to_standard=to_standard,
        proper=proper,
        statistic_forms=statistic_forms,
    ),
    source="Gelman et al. (2013), Bayesian Data Analysis, 3rd ed., table A.1 and section 3.4",
)
