"""The flat, improper prior on the line: density 1 everywhere.

A posterior under it need not be proper: what the conditional of such a node needs is assumed, and stated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deriver.families.deferred import sp
from deriver.families.record import Family, Parametrisation, SupportRule
from deriver.families.symbolic import keep

if TYPE_CHECKING:
    from sympy import Expr


def log_density(value: Expr) -> Expr:
    """Zero: the density is 1 and integrates to no finite number."""
    return sp.S.Zero


def logpdf(value: float) -> float:
    """Zero: the density is 1 and integrates to no finite number."""
    return 0.0


FLAT = Family(
    key="flat",
    surface="Flat",
    positional=True,
    shape="scalar",
    support=SupportRule(kind="real"),
    parameters=(),
    parametrisations=(Parametrisation(keywords=(), roles=(), to_canonical=keep),),
    log_density=log_density,
    logpdf=logpdf,
    improper=True,
    source="Gelman et al. (2013), Bayesian Data Analysis, 3rd ed., section 2.8",
)
