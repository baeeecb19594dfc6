"""The noncentral hypergeometric distribution of a response, ``x ~ dhyper(n1, n2, m1, psi)``, by its log density.

p(x) ∝ C(n1, x) C(n2, m1 - x) psi^x over max(0, m1 - n2)..min(n1, m1) (JAGS user manual, Plummer 2017, chapter 9), so that
log p(x) = -log Σ_u w_u psi^(u - x), with w_u the ratio of the binomial coefficients at u to those at x: numbers, where the
sizes are data.
"""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

from deriver.bugs.censoring import Arrays
from deriver.bugs.elaborate import Counters, Elaborated, target_place
from deriver.bugs.evaluate import Unknown, whole
from deriver.bugs.syntax import Apply, Literal, Minus, Name, Operation, Relation, Term
from deriver.language.mistakes import LineMistake

MOST_VALUES = 60
SIZES = ("n1", "n2", "m1")


def hypergeometric_log_density(relation: Relation, found: Elaborated, arrays: Arrays) -> Term:
    """Return the log density of an observed response; its weights are added to the arrays."""
    data = found.observed(relation.target.name)
    if len(relation.arguments) != len(SIZES) + 1 or data is None or np.isnan(data).any():
        raise _refuse(relation, "`dhyper` of what is not data, or of other arguments")
    name, span = relation.target.name, relation.span
    weights = np.zeros((*data.shape, 1))
    for counters in found.counts[relation]:
        place = target_place(relation.target, found.arrays, counters)
        own = _weights(relation, counters, found, float(data[place]))
        if len(own) > weights.shape[-1]:
            more = [(0, 0)] * data.ndim + [(0, len(own) - weights.shape[-1])]
            weights = np.pad(weights, more)
        weights[place][: len(own)] = own
    total: Term | None = None
    psi = Apply(function="log", arguments=(relation.arguments[-1],), span=span)
    for value in range(weights.shape[-1]):
        arrays[f"{name}.ways{value}"] = weights[..., value]
        ways = Name(name=f"{name}.ways{value}", subscripts=relation.target.subscripts, span=span)
        gap = _op("-", Literal(text=str(value), span=span), relation.target)
        term = _op("*", ways, Apply(function="exp", arguments=(_op("*", gap, psi),), span=span))
        total = term if total is None else _op("+", total, term)
    assert total is not None
    return Minus(operand=Apply(function="log", arguments=(total,), span=span), span=span)


def _weights(relation: Relation, counters: Counters, found: Elaborated, seen: float) -> np.ndarray:
    """Return the weights of 0, 1, ... for one response."""
    try:
        first, second, drawn = (whole(each, found.arrays, counters) for each in relation.arguments[:-1])
    except (Unknown, LineMistake):
        raise _refuse(relation, "the sizes of `dhyper` are not known from the data") from None
    values = np.arange(min(first, drawn) + 1)
    possible = values >= drawn - second
    if seen not in values[possible] or len(values) > MOST_VALUES:
        raise _refuse(relation, f"the response {seen:g} of `dhyper({first}, {second}, {drawn}, psi)`")
    logs = np.where(possible, _log_ways(values, first, second, drawn), -np.inf)
    return np.exp(logs - _log_ways(np.array(seen), first, second, drawn))


def _log_ways(values: np.ndarray, first: int, second: int, drawn: int) -> np.ndarray:
    """Return log C(n1, u) C(n2, m1 - u), but for a constant."""
    rest = np.maximum(second - drawn + values, 0)
    return -sum(gammaln(each + 1.0) for each in (values, first - values, drawn - values, rest))


def _op(operator: str, left: Term, right: Term) -> Operation:
    return Operation(operator=operator, left=left, right=right, span=left.span)


def _refuse(relation: Relation, found: str) -> LineMistake:
    return LineMistake(
        found, span=relation.distribution_span or relation.span, code="family",
        expected=f"a response of which every element was seen, x ~ dhyper(n1, n2, m1, psi) with n1, n2 and m1 known, "
        f"between max(0, m1 - n2) and min(n1, m1), which is below {MOST_VALUES}",
    )  # fmt: skip
