"""The LKJ distribution of a correlation matrix."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from deriver.families.deferred import heads, sp, special
from deriver.families.numeric import NEVER, UNDEFINED, cholesky_factor, log_determinant
from deriver.families.record import Family, Parametrisation, SupportRule
from deriver.families.symbolic import keep

if TYPE_CHECKING:
    from sympy import Expr


def log_density(value: Expr, dim: Expr, eta: Expr) -> Expr:
    """log LKJ(value; dim, eta) of a (dim, dim) matrix, the density ∝ |R|^(eta - 1)."""
    gammas = (dim - 1) * heads.LogGamma(eta + (dim - 1) / 2) - heads.LogMultivariateGamma(
        eta + dim / 2 - 1, dim - 1
    )
    return (eta - 1) * heads.logdet(value) + gammas - sp.S.Half * (dim - 1) * sp.log(sp.pi)


def logpdf(value: np.ndarray, dim: int, eta: float) -> float:
    """log LKJ(value; dim, eta), ``value`` (dim, dim): the product of beta constants of the vine's levels."""
    if not eta > 0:
        return UNDEFINED
    factor, p = cholesky_factor(value), int(dim)
    if factor is None or len(factor) != p or not np.allclose(np.diag(value), 1.0, atol=1e-10):
        return NEVER
    constant = 0.0
    for level in range(1, p):
        half = eta + 0.5 * (p - level - 1)
        constant += (p - level) * ((2.0 * half - 1.0) * math.log(2.0) + special.betaln(half, half))
    return float((eta - 1.0) * log_determinant(factor) - constant)


LKJ = Family(
    key="lkj",
    surface="LKJ",
    positional=True,
    shape="matrix",
    support=SupportRule(kind="correlation"),
    parameters=("dim", "eta"),
    parametrisations=(
        Parametrisation(keywords=("dim", "eta"), roles=("dimension", "positive"), to_canonical=keep),
    ),
    log_density=log_density,
    logpdf=logpdf,
    source="Lewandowski, Kurowicka & Joe (2009), J. Multivariate Analysis 100, equation 16 and p. 1993",
)
