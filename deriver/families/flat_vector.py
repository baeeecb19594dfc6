"""The flat, improper prior on vectors: density 1 everywhere.  What is said of ``flat`` holds of it, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from deriver.families.deferred import sp
from deriver.families.record import Family, Parametrisation, SupportRule
from deriver.families.symbolic import keep

if TYPE_CHECKING:
    from sympy import Expr


def log_density(value: Expr, dim: Expr) -> Expr:
    """Zero, for a vector of ``dim`` components."""
    return sp.S.Zero


def logpdf(value: np.ndarray, dim: float) -> float:
    """Zero, for a vector of ``dim`` components."""
    return 0.0


FLAT_VECTOR = Family(
    key="flat_vector",
    surface="Flat",
    positional=True,
    shape="vector",
    support=SupportRule(kind="real"),
    parameters=("dim",),
    parametrisations=(Parametrisation(keywords=("dim",), roles=("dimension",), to_canonical=keep),),
    log_density=log_density,
    logpdf=logpdf,
    improper=True,
    source="Gelman et al. (2013), Bayesian Data Analysis, 3rd ed., section 14.2",
)
