"""The proper and the multivariate conditional autoregression of GeoBUGS, by independent coordinates.

``S[1:N] ~ car.proper(mu[], C[], adj[], num[], M[], tau, gamma)`` is normal with mean mu and precision tau M⁻¹(I - gamma C), C the
matrix of weights and M diagonal (GeoBUGS user manual, appendix 1).  With the eigenvectors V and eigenvalues l of the symmetric
M^(-1/2) C M^(1/2), ``S.free[k] ~ dnorm(0, tau * (1 - gamma * l[k]))`` and S = mu + M^(1/2) V S.free state it exactly.

``S[1:p,1:N] ~ mv.car(adj[], weights[], num[], omega[,])`` has p intrinsic maps, joined by the precision matrix omega: with the
coordinates of one (``spatial.py``), each is a normal p-vector of precision d[k] omega.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from deriver.bugs.censoring import Arrays
from deriver.bugs.elaborate import Elaborated
from deriver.bugs.evaluate import Unknown, evaluate
from deriver.bugs.spatial import combine, count, decompose, make_weights, state_by_coordinates
from deriver.bugs.syntax import Literal, Name, Operation, Program, Relation, Slice, Term, with_parts
from deriver.language.mistakes import LineMistake, Mistakes


def rewrite_autoregressions(
    program: Program, found: Elaborated, mistakes: Mistakes
) -> tuple[Program, Arrays] | None:
    """Return the program and its data with every ``car.proper`` and ``mv.car`` by coordinates; None without any."""
    states = {"car.proper": _state_proper, "mv.car": _state_several}
    return state_by_coordinates(program, found, mistakes, states)


def _state_proper(relation: Relation, found: Elaborated, arrays: Arrays) -> list[Relation]:
    name, span = relation.target.name, relation.target.span
    expected = "S[1:N] ~ car.proper(mu[], C[], adj[], num[], M[], tau, gamma)"
    if len(relation.arguments) != 7 or relation.loops or name in found.arrays:
        raise _refuse(relation, "`car.proper` is read here for one vector that is not data", expected)
    mean, *known, precision, strength = relation.arguments
    weights, adjacent, number, variances = (_read(each, relation, found, expected) for each in known)
    (areas,) = found.extents[name]
    if len(variances) != areas:
        raise _refuse(relation, "the lengths of M and of the vector do not agree", expected)
    scale = np.sqrt(variances)
    matrix = make_weights(relation, areas, adjacent, weights, number, expected)
    symmetric = matrix / scale[:, None] * scale
    if not np.allclose(symmetric, symmetric.T):
        raise _refuse(relation, "M⁻¹ C is not symmetric: C[i,j] M[j] is not C[j,i] M[i]", expected)
    values, vectors = np.linalg.eigh((symmetric + symmetric.T) / 2)
    arrays |= {f"{name}.basis": scale[:, None] * vectors, f"{name}.eigen": values}
    loop = count(f"{name}.k", areas, span)
    coordinate = Name(name=loop.variable, span=span)
    eigen = Name(name=f"{name}.eigen", subscripts=(coordinate,), span=span)
    one = Literal(text="1", span=span)
    rest = _op("-", one, _op("*", strength, eigen))
    drawn = dataclasses.replace(
        relation, target=Name(name=f"{name}.free", subscripts=(coordinate,), span=span), loops=(loop,),
        distribution="dnorm", arguments=(Literal(text="0", span=span), _op("*", precision, rest)),
    )  # fmt: skip
    area = Name(name=f"{name}.area", span=span)
    whole = Relation(
        target=Name(name=name, subscripts=(area,), span=span), span=relation.span,
        loops=(count(area.name, areas, span),),
        expression=_op("+", _at(mean, area, found), combine(f"{name}.basis", f"{name}.free", area)),
    )  # fmt: skip
    return [drawn, whole]


def _state_several(relation: Relation, found: Elaborated, arrays: Arrays) -> list[Relation]:
    name, span = relation.target.name, relation.target.span
    expected = "S[1:p,1:N] ~ mv.car(adj[], weights[], num[], omega[,])"
    if (
        len(relation.arguments) != 4
        or relation.loops
        or name in found.arrays
        or len(found.extents[name]) != 2
    ):
        raise _refuse(relation, "`mv.car` is read here for one table of maps that is not data", expected)
    *known, precision = relation.arguments
    adjacent, weights, number = (_read(each, relation, found, expected) for each in known)
    maps, areas = found.extents[name]
    matrix = make_weights(relation, areas, adjacent, weights, number, expected)
    values, basis, null = decompose(matrix)
    if null.shape[1]:
        raise _refuse(relation, "the map of `mv.car` is in parts", expected)
    arrays |= {f"{name}.basis": basis, f"{name}.penalty": values, f"{name}.zero": np.zeros(maps)}
    loop = count(f"{name}.k", len(values), span)
    coordinate, everything = Name(name=loop.variable, span=span), Slice(span=span)
    vector = Slice(lower=Literal(text="1", span=span), upper=Literal(text=str(maps), span=span), span=span)
    penalty = Name(name=f"{name}.penalty", subscripts=(coordinate,), span=span)
    drawn = dataclasses.replace(
        relation, target=Name(name=f"{name}.free", subscripts=(coordinate, vector), span=span), loops=(loop,),
        distribution="dmnorm", arguments=(
            Name(name=f"{name}.zero", subscripts=(everything,), span=span), _op("*", penalty, precision),
        ),
    )  # fmt: skip
    area = Name(name=f"{name}.area", span=span)
    made = [drawn]
    for row in range(1, maps + 1):
        own = Literal(text=str(row), span=span)
        made.append(
            Relation(
                target=Name(name=name, subscripts=(own, area), span=span), span=relation.span,
                loops=(count(area.name, areas, span),),
                expression=combine(f"{name}.basis", f"{name}.free", area, own),
            )
        )  # fmt: skip
    return made


def _read(term: Term, relation: Relation, found: Elaborated, expected: str) -> np.ndarray:
    try:
        return evaluate(term, found.arrays, {}).reshape(-1)
    except Unknown as missing:
        raise _refuse(
            relation, f"the map rests on `{missing}`, which the data do not give", expected
        ) from None


def _at(vector: Term, place: Name, found: Elaborated) -> Term:
    """Return an element of a vector that stands as a whole."""
    if isinstance(vector, Name):
        if vector.subscripts is None and (vector.name in found.arrays or found.is_node(vector.name)):
            return dataclasses.replace(vector, subscripts=(place,))
        return with_parts(vector, lambda each: place if isinstance(each, Slice) else each)
    return with_parts(vector, lambda each: _at(each, place, found))


def _op(operator: str, left: Term, right: Term) -> Operation:
    return Operation(operator=operator, left=left, right=right, span=left.span)


def _refuse(relation: Relation, found: str, expected: str) -> LineMistake:
    return LineMistake(found, span=relation.span, code="map", expected=expected)
