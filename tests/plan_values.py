"""The statistics of a plan worked out from a state one element at a time, apart from any emitted source."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import sympy as sp

from deriver.algebra.evaluate import evaluate, holds, index_values
from deriver.algebra.heads import Ref
from deriver.derivation.numeric import elements
from deriver.derivation.records import Definition
from deriver.plan import Plan, Statistic
from deriver.plan.layout import Bound
from deriver.plan.records import Crossing, LeastSquares

State = dict[str, dict[tuple[int, ...], Any]]


def with_definitions(definitions: tuple[Definition, ...], state: State) -> State:
    """Return the state with the values of its deterministic nodes, those first that others need."""
    full, waiting = dict(state), list(definitions)
    for _ in range(len(definitions) ** 2 + 1):
        for definition in list(waiting):
            needs = {ref.name for ref in definition.expression.atoms(Ref)}
            if needs <= set(full):
                own = sp.Tuple(*definition.bounds)
                symbols = definition.element.indices
                full[definition.element.name] = {
                    tuple(at[symbol] for symbol in symbols): evaluate(definition.expression, full, at)
                    for at in index_values(own, full, {})
                }
                waiting.remove(definition)
    assert not waiting
    return full


def with_statistics(plan: Plan, state: Mapping[str, Any]) -> State:
    """Return the state with the values of every statistic that the plan names."""
    full = dict(state)
    for statistic in plan.statistics:
        if statistic.name in full:
            continue
        if isinstance(statistic.procedure, LeastSquares):
            full |= fitted(plan, statistic.procedure, full)
        elif isinstance(statistic.procedure, Crossing):
            full |= crossed(plan, statistic.procedure, full)
        else:
            sides = [int(evaluate(side, full)) for side in statistic.quantity.sides]
            full[statistic.name] = {
                index: evaluate(statistic.expression, full, at) + (np.zeros(sides) if sides else 0)
                for index, at in places(statistic, full)  # a sum over an empty group is a plain 0
            }
    return full


def places(statistic: Statistic, state: State) -> list[tuple[tuple[int, ...], dict[sp.Symbol, int]]]:
    """Return the elements of a statistic, as index tuples and as values of its symbols."""
    ends: tuple[Bound, ...] = statistic.quantity.ranges
    bounds = tuple(sp.Tuple(s, *end) for s, end in zip(statistic.indices, ends, strict=True))
    found = elements(bounds, state)
    return [(index, dict(zip(statistic.indices, index, strict=True))) for index in found]


def fitted(plan: Plan, fit: LeastSquares, state: State) -> State:
    """Return the results of a fit: by singular values for the fit, by QR for R."""
    own = next(s for s in plan.statistics if s.name == fit.rss)
    found: State = {name: {} for name in fit.names}
    for index, at in places(own, state):
        inside = [k for k in index_values(sp.Tuple(*fit.bounds), state, at)]
        inside = [k for k in inside if holds(sp.Tuple(*fit.conditions), state, k)]
        root = np.sqrt([float(evaluate(fit.weight, state, k)) for k in inside])
        design = [np.concatenate([np.atleast_1d(evaluate(c, state, k)) for c in fit.columns]) for k in inside]
        sizes = [_side(column, state) for column in fit.columns]
        x = np.reshape(design, (len(inside), sum(sizes))) * root[:, None]
        y = np.array([evaluate(fit.response, state, k) for k in inside], dtype=float) * root
        solution = np.linalg.lstsq(x, y, rcond=1e-10)[0]
        upper = _triangle(x)
        found[fit.rss][index] = float(np.sum((y - x @ solution) ** 2))
        ends = np.cumsum([0, *sizes])
        spans = [slice(a, b) for a, b in pairwise(ends)]
        for name, rest, span, column in zip(fit.fits, fit.rests, spans, fit.columns, strict=True):
            found[name][index] = _shaped(solution[span], column)
            found[rest][index] = _shaped(0 * solution[span], column)
        pairs = [(r, c) for r in range(len(spans)) for c in range(r, len(spans))]
        for name, (r, c) in zip(fit.roots, pairs, strict=False):
            block = upper[spans[r], spans[c]]
            both = not (fit.columns[r].is_commutative or fit.columns[c].is_commutative)
            alone = fit.columns[r].is_commutative and fit.columns[c].is_commutative
            found[name][index] = block if both else float(block[0, 0]) if alone else block.ravel()
    return found


def _side(column: sp.Expr, state: State) -> int:
    from deriver.algebra.heads import shape_of

    side = shape_of(column)[0]
    return 1 if side is None else int(evaluate(side, state))


def _shaped(values: np.ndarray, column: sp.Expr) -> Any:
    return float(values[0]) if column.is_commutative else values


def _triangle(x: np.ndarray) -> np.ndarray:
    """Return a square R with R'R = x'x."""
    p = x.shape[1]
    return np.linalg.qr(np.vstack([x, np.zeros((p, p))]), mode="r")


def crossed(plan: Plan, crossing: Crossing, state: State) -> State:
    """Return the distinct combinations of group columns, in the order in which they first stand."""
    own = next(s for s in plan.statistics if s.name == crossing.of_row)
    seen: dict[tuple[int, ...], int] = {}
    of_row = {}
    for index, _ in places(own, state):
        groups = tuple(state[name][index] for name in crossing.columns)
        of_row[index] = seen.setdefault(groups, len(seen) + 1)
    parts: State = {
        name: {(cell,): groups[k] for groups, cell in seen.items()} for k, name in enumerate(crossing.parts)
    }
    return {crossing.count: {(): len(seen)}, crossing.of_row: of_row, **parts}
