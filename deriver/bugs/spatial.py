"""The intrinsic conditional autoregression of GeoBUGS, by independent normal coordinates.

``b[1:N] ~ car.normal(adj[], weights[], num[], tau)`` has the density ∝ τ^(r/2) exp(-τ b'Qb/2) for Σ b = 0, with
Q = diag(Σ_j w_ij) - W of rank r (Besag, York and Mollié 1991).  With the eigenvectors V of Q and its eigenvalues d > 0,
``b.free[k] ~ dnorm(0, tau * d[k])`` and b = V b.free state it exactly: the sum is 0 by itself.  An area without
neighbours has b = 0, as in GeoBUGS; directions without a penalty, as the levels of separate parts of a map or the slope of
a second-order walk, are flat.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from deriver.bugs.censoring import Arrays
from deriver.bugs.elaborate import Elaborated
from deriver.bugs.evaluate import Unknown, evaluate
from deriver.bugs.syntax import Apply, Literal, Loop, Name, Operation, Program, Relation, Slice, Term
from deriver.language.mistakes import LineMistake, Mistakes
from deriver.model.expressions import Span

NULL = 1e-9
# What states a relation anew, given what is known of the program and the arrays of its data, to which it may add.
State = Callable[[Relation, Elaborated, Arrays], list[Relation]]
_EXPECTED = (
    "b[1:N] ~ car.normal(adj[], weights[], num[], tau), num[i] neighbours of area i in adj, each both ways"
)


def rewrite_spatial(program: Program, found: Elaborated, mistakes: Mistakes) -> tuple[Program, Arrays] | None:
    """Return the program and its data with every ``car.normal`` by coordinates; None if there is none."""
    return state_by_coordinates(program, found, mistakes, {"car.normal": _state})


def state_by_coordinates(
    program: Program, found: Elaborated, mistakes: Mistakes, states: Mapping[str, State]
) -> tuple[Program, Arrays] | None:
    """Return the program and its data with the relations of the distributions named restated; None without any."""
    arrays = {name: array for name, array in found.arrays.items() if name in found.given}
    relations = list(program.model)
    for relation in found.relations:
        state = states.get(relation.distribution or "")
        if state is not None:
            place = relations.index(relation)
            try:
                relations[place : place + 1] = state(relation, found, arrays)
            except LineMistake as stop:
                mistakes.add_from(stop)
    if relations == list(program.model):
        return None
    return dataclasses.replace(program, model=tuple(relations)), arrays


def _state(relation: Relation, found: Elaborated, arrays: Arrays) -> list[Relation]:
    name, span = relation.target.name, relation.target.span
    weights = _read_weights(relation, found)
    try:
        values, basis, null = decompose(weights)
    except ValueError:
        raise _refuse(relation, "no density belongs to these weights: they penalise nothing") from None
    arrays |= {f"{name}.basis": basis, f"{name}.penalty": values}
    loop = count(f"{name}.k", len(values), span)
    coordinate = Name(name=loop.variable, span=span)
    precision = Operation(
        operator="*", left=relation.arguments[3], span=span,
        right=Name(name=f"{name}.penalty", subscripts=(coordinate,), span=span),
    )  # fmt: skip
    drawn = dataclasses.replace(
        relation, target=Name(name=f"{name}.free", subscripts=(coordinate,), span=span), loops=(loop,),
        distribution="dnorm", arguments=(Literal(text="0", span=span), precision),
    )  # fmt: skip
    area = Name(name=f"{name}.area", span=span)
    expression = combine(f"{name}.basis", f"{name}.free", area)
    made = [drawn]
    if null.shape[1]:
        arrays[f"{name}.null"] = null
        level = Name(name=f"{name}.level", subscripts=(Name(name=f"{name}.l", span=span),), span=span)
        flat = dataclasses.replace(
            relation, target=level, loops=(count(f"{name}.l", null.shape[1], span),), distribution="dflat",
            arguments=(),
        )  # fmt: skip
        made.append(flat)
        levels = combine(f"{name}.null", f"{name}.level", area)
        expression = Operation(operator="+", left=expression, right=levels, span=span)
    whole = Relation(
        target=Name(name=name, subscripts=(area,), span=span), span=relation.span, expression=expression,
        loops=(count(area.name, len(weights), span),),
    )  # fmt: skip
    return [*made, whole]


def count(variable: str, upper: int, span: Span) -> Loop:
    """Return the loop over 1:upper."""
    one, last = (Literal(text=str(n), span=span) for n in (1, upper))
    return Loop(variable=variable, lower=one, upper=last, span=span)


def combine(matrix: str, vector: str, row: Name, column: Term | None = None) -> Term:
    """Return a row of a matrix of numbers times a vector, or times a column of an array."""
    everything = Slice(span=row.span)
    left = Name(name=matrix, subscripts=(row, everything), span=row.span)
    places = (everything,) if column is None else (everything, column)
    right = Name(name=vector, subscripts=places, span=row.span)
    return Apply(function="inprod", arguments=(left, right), span=row.span)


def _read_weights(relation: Relation, found: Elaborated) -> np.ndarray:
    """Return the symmetric matrix of weights that adj, weights and num give."""
    whole = len(relation.target.subscripts or ()) == 1 and not relation.loops
    if not whole or len(relation.arguments) != 4 or relation.target.name in found.arrays:
        raise _refuse(relation, "`car.normal` is read here for one vector that is not data")
    try:
        adj, weights, num = (
            evaluate(each, found.arrays, {}).reshape(-1) for each in relation.arguments[:3]
        )  # fmt: skip
    except Unknown as missing:
        raise _refuse(relation, f"the map rests on `{missing}`, which the data do not give") from None
    (areas,) = found.extents[relation.target.name]
    return make_weights(relation, areas, adj, weights, num, _EXPECTED)


def make_weights(
    relation: Relation, areas: int, adj: np.ndarray, weights: np.ndarray, num: np.ndarray, expected: str
) -> np.ndarray:
    """Return the matrix of weights of a map; raise ``LineMistake`` where its arrays do not agree."""
    symmetric = relation.distribution != "car.proper"
    if len(num) != areas or len(adj) != num.sum() or len(weights) < len(adj):
        raise _refuse(relation, "the lengths of adj, weights, num and the vector do not agree", expected)
    if len(adj) and not (adj.min() >= 1 and adj.max() <= areas):
        raise _refuse(relation, f"a neighbour in adj is outside 1..{areas}", expected)
    matrix = np.zeros((areas, areas))
    rows = np.repeat(np.arange(areas), num.astype(int))
    np.add.at(matrix, (rows, adj.astype(int) - 1), weights[: len(adj)])
    if symmetric and not np.allclose(matrix, matrix.T):
        found = "the weights are not symmetric: i is a neighbour of j, and j another of i"
        raise _refuse(relation, found, expected)
    return matrix


def _refuse(relation: Relation, found: str, expected: str = _EXPECTED) -> LineMistake:
    return LineMistake(found, span=relation.span, code="map", expected=expected)


def decompose(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the positive eigenvalues of Q, their eigenvectors as columns, and the flat directions that sum to 0."""
    joined: np.ndarray = np.abs(weights).sum(axis=1) > 0
    penalty = np.diag(weights.sum(axis=1)) - weights
    values, vectors = np.linalg.eigh(penalty[np.ix_(joined, joined)])
    least = NULL * max(float(np.abs(values).max(initial=0.0)), 1.0)
    if (values < -least).any():
        raise ValueError("weights without a density")
    basis, null = (_fill(vectors[:, part], joined) for part in (values > least, values <= least))
    centred = null - joined[:, None] * (null.sum(axis=0) / max(int(joined.sum()), 1))
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    return values[values > least], basis, left[:, sizes > 1e-6]


def _fill(vectors: np.ndarray, joined: np.ndarray) -> np.ndarray:
    """Return vectors over all areas, 0 for those without neighbours."""
    whole = np.zeros((len(joined), vectors.shape[1]))
    whole[joined] = vectors
    return whole
