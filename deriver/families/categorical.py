"""The categorical distribution of a label 1..K."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from deriver.families.deferred import heads
from deriver.families.numeric import NEVER, UNDEFINED
from deriver.families.record import Family, Parametrisation, SupportRule
from deriver.families.symbolic import keep, log_of

if TYPE_CHECKING:
    from sympy import Expr


def log_density(value: Expr, prob: Expr) -> Expr:
    """log Categorical(value; prob): the log of the ``value``-th component, counted from 1."""
    return log_of(heads.component(prob, value))


def logpdf(value: float, prob: np.ndarray) -> float:
    """log Categorical(value; prob), ``prob`` (K,), labels counted from 1."""
    chances = np.asarray(prob, dtype=float)
    if np.any(chances < 0) or abs(chances.sum() - 1.0) > 1e-9:
        return UNDEFINED
    chance = float(chances[np.arange(1, len(chances) + 1) == value].sum())
    return math.log(chance) if chance > 0 else NEVER


CATEGORICAL = Family(
    key="categorical",
    surface="Categorical",
    positional=True,
    shape="scalar",
    support=SupportRule(kind="integer", lower="1"),
    parameters=("prob",),
    parametrisations=(Parametrisation(keywords=("prob",), roles=("simplex",), to_canonical=keep),),
    log_density=log_density,
    logpdf=logpdf,
    source="Murphy (2012), Machine Learning: A Probabilistic Perspective, section 2.3.2",
)
