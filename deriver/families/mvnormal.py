"""The normal distribution of a vector."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from deriver.families.collect import collect_vector_normal, scale_terms
from deriver.families.deferred import heads, sp
from deriver.families.numeric import (
    UNDEFINED,
    cholesky_factor,
    log_determinant,
    solve_lower,
)
from deriver.families.record import Family, Kernel, Parametrisation, SupportRule
from deriver.families.symbolic import keep, natural_coefficient, quadratic_form

if TYPE_CHECKING:
    from sympy import Expr


def log_density(value: Expr, mean: Expr, cov: Expr) -> Expr:
    """log N(value; mean, cov) of a p-vector, ``cov`` a covariance matrix (p, p)."""
    p = heads.shape_of(value)[0]
    return (
        -sp.S.Half * p * sp.log(2 * sp.pi)
        - sp.S.Half * heads.logdet(cov)
        - sp.S.Half * quadratic_form(value - mean, heads.invert(cov))
    )


def logpdf(value: np.ndarray, mean: np.ndarray, cov: np.ndarray) -> float:
    """log N(value; mean, cov); ``value`` and ``mean`` (p,), ``cov`` a covariance matrix (p, p)."""
    factor = cholesky_factor(cov)
    if factor is None:
        return UNDEFINED
    deviates = solve_lower(factor, np.asarray(value, dtype=float) - mean)
    return -0.5 * (
        float(deviates @ deviates) + len(factor) * math.log(2.0 * math.pi) + log_determinant(factor)
    )


def statistic_forms(target: Expr) -> Mapping[str, Expr]:
    """β and ββ'."""
    return {"linear": target, "quadratic": target * heads.transpose(target)}


def to_standard(natural: Mapping[str, Expr], target: Expr) -> Mapping[str, Expr]:
    """exp(c'β + β'Cβ), C symmetric, has precision A = -2C and linear term b = c: mean A⁻¹b, covariance A⁻¹."""
    precision = scale_terms(sp.Integer(-2), natural_coefficient(natural, "quadratic"))
    return {"precision": precision, "linear": natural_coefficient(natural, "linear")}


def proper(natural: Mapping[str, Expr], target: Expr) -> tuple[tuple[Expr, str], ...]:
    """The precision is positive definite."""
    return ((to_standard(natural, target)["precision"], "positive_definite"),)


MVNORMAL = Family(
    key="mvnormal",
    surface="Normal",
    short="N",
    leading=1,
    shape="vector",
    support=SupportRule(kind="real"),
    parameters=("mean", "cov"),
    parametrisations=(
        Parametrisation(keywords=("mean", "cov"), roles=("vector", "spd"), to_canonical=keep),
        Parametrisation(
            keywords=("mean", "prec"),
            roles=("vector", "spd"),
            to_canonical=lambda mean, prec: (mean, heads.invert(prec)),
        ),
        Parametrisation(
            keywords=("mean", "chol"),
            roles=("vector", "cholesky"),
            to_canonical=lambda mean, chol: (mean, heads.gram(chol)),
        ),
    ),
    log_density=log_density,
    logpdf=logpdf,
    kernel=Kernel(
        statistics=("linear", "quadratic"),
        collect=collect_vector_normal,
        to_standard=to_standard,
        proper=proper,
        statistic_forms=statistic_forms,
    ),
    source="Gelman et al. (2013), Bayesian Data Analysis, 3rd ed., table A.1 and section 3.5",
)
