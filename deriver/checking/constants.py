"""The normalising constant of a kernel that is claimed with ``=``: held against the derived family's density."""

from __future__ import annotations

import numpy as np

from deriver.algebra.evaluate import evaluate
from deriver.checking.densities import Statement, log_densities
from deriver.checking.oracle import FAILURES, TOLERANCE, Group, Oracle
from deriver.derivation.numeric import Completed, canonical_at
from deriver.families import family as family_record


def constant_is_right(oracle: Oracle, statement: Statement, groups: list[Group]) -> bool | None:
    """Tell whether a right kernel is the density itself; None where the density has no closed form to compare with."""
    conditional = oracle.subject.conditional
    if conditional.family is None or conditional.truncation is not None:
        return None
    return all(_agrees(oracle, statement, group) for group in groups if not group.empty)


def _agrees(oracle: Oracle, statement: Statement, group: Group) -> bool:
    theirs = log_densities(oracle, statement, group)
    try:
        right = np.array([_log_density(oracle, group, place) for place in range(len(group.points))])
    except FAILURES:
        return False
    return theirs is not None and bool(np.allclose(theirs, right, rtol=1e3 * TOLERANCE, atol=1e3 * TOLERANCE))


def _log_density(oracle: Oracle, group: Group, place: int) -> float:
    """Return the normalised log density of the claimed coordinate at a point."""
    subject, point = oracle.subject, group.points[place]
    family, values = canonical_at(subject.conditional, point.raw, group.index)
    record = family_record(family)
    node = point.raw[subject.conditional.node][group.index]
    own = dict(zip(subject.conditional.indices, group.index, strict=True))
    jacobian = evaluate(subject.log_jacobian, Completed(point.raw, oracle.bench.derivation.definitions), own)
    return float(record.logpdf(node, *(values[name] for name in record.parameters)) + jacobian)
