"""Quantities that nobody saw, with bounds by ``I(,)`` beside parameters or bounds that are random.

In BUGS ``theta ~ dnorm(mu, tau) I(a, b)`` leaves the density of theta as it is between its bounds: it is not divided by the
probability of the interval, so that mu and tau know nothing of it (OpenBUGS user manual, "Censoring and truncation").  That is
the density of theta and of two events that were seen: theta is above a, and below b.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from deriver.bugs.elaborate import Counters, Elaborated, target_place
from deriver.bugs.evaluate import Unknown, evaluate
from deriver.bugs.syntax import Operation, Relation, Term, names_in
from deriver.language.mistakes import LineMistake

Arrays = dict[str, np.ndarray]
WIDE = 5.0
_ROUNDS = 100
_POSITIVE = ("dgamma", "dexp", "dweib", "dweibull", "dlnorm", "dchisqr", "dchisq", "dpar", "dbeta")


def is_confined(relation: Relation, found: Elaborated) -> bool:
    """Tell whether a quantity that nobody saw has bounds by ``I(,)`` beside parameters that are random."""
    bounds = relation.bounds
    if bounds is None or bounds.word != "I" or found.observed(relation.target.name) is not None:
        return False
    return any(
        found.is_node(each.name) and found.observed(each.name) is None
        for term in relation.terms()
        for each in names_in(term)
    )


def confine(relation: Relation, found: Elaborated, arrays: Arrays) -> list[Relation]:
    """Return the events that a quantity lies within its bounds."""
    bounds, target = relation.bounds, relation.target
    assert bounds is not None
    made = []
    for word, sign, limit in (("above", ">", bounds.lower), ("below", "<", bounds.upper)):
        if limit is not None:
            name = f"{target.name}.{word}"
            arrays[name] = np.ones(found.extents[target.name])
            seen = dataclasses.replace(target, name=name)
            event = Operation(operator=sign, left=target, right=limit, span=target.span)
            made.append(
                dataclasses.replace(
                    relation, target=seen, distribution="dbern", arguments=(event,), bounds=None
                )
            )
    return made


def find_starts(found: Elaborated) -> dict[str, np.ndarray]:
    """Return where such quantities begin: within their bounds, one after another; others of the same node at 0.

    A node whose bounds are wide begins as ever, and one whose bounds rest on anything else than such nodes and the data.
    """
    confined = [each for each in found.relations if each.stochastic and is_confined(each, found)]
    names = {each.target.name for each in confined if not _is_wide(each, found)}
    confined = [each for each in confined if each.target.name in names]
    values = {name: np.zeros(found.extents[name]) for name in names}
    known = {**{name: array for name, array in found.arrays.items() if name not in names}, **values}
    lost: set[str] = set()
    for _ in range(_ROUNDS):
        moved = False
        for relation in confined:
            for counters in found.counts[relation]:
                try:
                    moved |= _move_within(relation, counters, values[relation.target.name], known)
                except (Unknown, LineMistake):
                    lost.add(relation.target.name)
        if not moved:
            return {name: value for name, value in values.items() if name not in lost}
    return {}


def _move_within(
    relation: Relation, counters: Counters, values: np.ndarray, known: Mapping[str, np.ndarray]
) -> bool:
    """Move an element between its bounds if it is not; tell whether it was moved."""
    bounds = relation.bounds
    assert bounds is not None
    low, high = (_limit(each, known, counters) for each in (bounds.lower, bounds.upper))
    if relation.distribution in _POSITIVE:
        low = max(low or 0.0, 0.0)
    place = target_place(relation.target, known, counters)
    value = float(values[place])
    if (low is None or value > low) and (high is None or value < high):
        return False
    if low is not None and high is not None:
        values[place] = (low + high) / 2
    else:
        values[place] = low + 1 if low is not None else (high or 0.0) - 1
    return True


def _limit(bound: Term | None, known: Mapping[str, np.ndarray], counters: Counters) -> float | None:
    return None if bound is None else float(evaluate(bound, known, counters))


def _is_wide(relation: Relation, found: Elaborated) -> bool:
    """Tell whether chains begin within the bounds by themselves: they begin at standard normal values."""
    bounds = relation.bounds
    assert bounds is not None
    try:
        low, high = (_limit(each, found.arrays, {}) for each in (bounds.lower, bounds.upper))
    except (Unknown, LineMistake, TypeError):
        return False
    return (low is None or low <= -WIDE) and (high is None or high >= WIDE)
