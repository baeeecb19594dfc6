"""Pieces of symbolic log densities that several families share.

Log densities are stored as logs throughout; the log of a product is split wherever the factors are known to
be positive, so that a coefficient on log θ can be read off.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from deriver.families.deferred import heads, sp

if TYPE_CHECKING:
    from sympy import Expr


def log_of(expr: Expr) -> Expr:
    """Return log(expr), the logs of positive factors and of powers split off; nothing is forced."""
    return sp.expand_log(sp.log(expr), deep=False)


def expit(logit: Expr) -> Expr:
    """Return the probability with that logit."""
    return 1 / (1 + sp.exp(-logit))


def log_complement(prob: Expr) -> Expr:
    """Return log(1 - prob); for 1/(1 + e^a) it is a - log(1 + e^a), for Φ(a) log Φ(-a), which keep their digits."""
    if isinstance(prob, heads.NormalCdf):
        return sp.log(heads.NormalCdf(-prob.args[0]))
    if isinstance(prob, sp.Pow) and prob.exp == -1 and isinstance(prob.base - 1, sp.exp):
        return sp.log(prob.base - 1) - sp.log(prob.base)
    return log_of(1 - prob)


def complement(prob: Expr) -> Expr:
    """Return 1 - prob in a form that keeps its digits where prob is nearly 1."""
    if isinstance(prob, heads.NormalCdf):
        return heads.NormalCdf(-prob.args[0])
    if isinstance(prob, sp.Pow) and prob.exp == -1 and isinstance(prob.base - 1, sp.exp):
        return 1 / (1 + 1 / (prob.base - 1))
    return 1 - prob


def quadratic_form(deviation: Expr, matrix: Expr) -> Expr:
    """Return d'Md for a vector expression d and a matrix expression M."""
    return heads.inner(heads.transpose(deviation) * matrix * deviation)


def log_choose(size: Expr, chosen: Expr) -> Expr:
    """Return the log of the binomial coefficient."""
    return heads.LogGamma(size + 1) - heads.LogGamma(chosen + 1) - heads.LogGamma(size - chosen + 1)


def natural_coefficient(natural: Mapping[str, Expr], statistic: str) -> Expr:
    """Return a natural parameter, zero when the statistic does not occur."""
    return natural.get(statistic, sp.S.Zero)


def join_vectors(vector: Expr) -> Expr:
    """Return a sum of vectors with the coefficients of each added up: (a - 1) v + v is a v."""
    coefficients: dict[Expr, Expr] = {}
    for term in sp.Add.make_args(vector):
        scalars, factors = term.args_cnc()
        own = sp.Mul(*factors)
        coefficients[own] = coefficients.get(own, sp.S.Zero) + sp.Mul(*scalars)
    return sp.Add(*(coefficient * own for own, coefficient in coefficients.items()))


def keep(*arguments: Expr) -> tuple[Expr, ...]:
    """Return the arguments as they are: the canonical parametrisation."""
    return arguments


def sum_components(vector: Expr) -> Expr:
    """Return the sum of the components of a vector expression."""
    return heads.inner(heads.transpose(heads.Ones(heads.shape_of(vector)[0])) * vector)
