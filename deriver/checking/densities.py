"""The log density that a line of a claim states, as a function of the point.

Input: a resolved line and its trees, perhaps edited.  Output: a function for each group of points.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from deriver.algebra.evaluate import compile_expression
from deriver.algebra.heads import Ref, Variable
from deriver.checking.oracle import FAILURES, Group, Oracle, Outcome, Point, compare
from deriver.checking.pieces import Piece
from deriver.checking.records import Line, Named
from deriver.checking.values import Context, as_number
from deriver.families.record import Family, Parametrisation
from deriver.model.expressions import Expression, references

Definitions = Mapping[str, tuple[tuple[str, ...], Expression]]
_SHAPES = {"vector": 1, "positive_vector": 1, "simplex": 1, "spd": 2, "cholesky": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A line ready to be evaluated; ``trees`` and ``definitions`` may have been edited, ``pieces`` been added."""

    line: Line
    trees: tuple[Expression, ...]
    definitions: tuple[Named, ...]
    log: bool
    pieces: tuple[Piece, ...] = ()

    def named(self) -> Definitions:
        """Return the definitions by name."""
        return {each.name: (each.indices, each.expression) for each in self.definitions}


def judge(oracle: Oracle, statement: Statement, group: Group) -> Outcome:
    """Return how a statement compares with the joint density in a group."""
    return compare(group, log_densities(oracle, statement, group))


def log_densities(oracle: Oracle, statement: Statement, group: Group) -> np.ndarray | None:
    """Return the log density that a statement gives at the points of a group, up to a constant; None if undefined."""
    try:
        with np.errstate(all="ignore"):
            values = _log_densities(oracle, statement, group)
            for piece in statement.pieces:
                values = values + piece.times * piece.value(group)
            return values
    except FAILURES:
        return None


def _log_densities(oracle: Oracle, statement: Statement, group: Group) -> np.ndarray:
    named, choice = statement.named(), statement.line.choice
    if choice is None:
        kernel = _kernel(oracle, statement, named, group)
        return np.array([kernel(point) for point in group.points], dtype=float)
    record = choice.signature
    if mentions_target(oracle, statement):
        return np.array(
            [record.logpdf(p.value, *canonical_at(oracle, statement, p, group)) for p in group.points],
            dtype=float,
        )
    parameters = canonical_at(oracle, statement, group.points[0], group)
    if record.key == "mvnormal":
        return _normal_kernels(group, *parameters)
    if record.key == "wishart":
        return _wishart_kernels(group, parameters[0], _inverse_of(parameters[1]), inverse=False)
    if record.key == "inverse_wishart":
        return _wishart_kernels(group, *parameters, inverse=True)
    return np.array([record.logpdf(point.value, *parameters) for point in group.points], dtype=float)


def _inverse_of(matrix: np.ndarray) -> np.ndarray:
    return np.linalg.inv(_definite(matrix))


def _definite(matrix: np.ndarray) -> np.ndarray:
    """Return a matrix that is symmetric and positive definite; raise ``ValueError`` or ``LinAlgError`` if it is not."""
    if np.max(np.abs(matrix - matrix.T)) > 1e-9 * np.max(np.abs(matrix)):
        raise ValueError("a matrix that is not symmetric")
    np.linalg.cholesky(matrix)
    return matrix


def _wishart_kernels(group: Group, df: float, rate: np.ndarray, *, inverse: bool) -> np.ndarray:
    """Return log Wishart kernels, |X|^((df-p-1)/2) exp(-tr(rate X)/2), or those of the inverse Wishart."""
    _definite(rate)
    values = np.array([point.value for point in group.points])
    side = values.shape[1]
    if not df > side - 1:
        raise ValueError("too few degrees of freedom")
    power = -(df + side + 1) / 2 if inverse else (df - side - 1) / 2
    turned = np.linalg.inv(values) if inverse else values
    return power * np.linalg.slogdet(values)[1] - 0.5 * np.einsum("ab,kba->k", rate, turned)


def _normal_kernels(group: Group, mean: np.ndarray, cov: np.ndarray) -> np.ndarray:
    """Return the exponents of a normal density of vectors, all points at once."""
    _definite(cov)
    deviates = np.array([point.value for point in group.points]) - mean
    return -0.5 * np.einsum("ki,ki->k", deviates, np.linalg.solve(cov, deviates.T).T)


def _kernel(
    oracle: Oracle, statement: Statement, named: Definitions, group: Group
) -> Callable[[Point], float]:
    (tree,) = statement.trees
    compiled = (oracle.evaluator.compile if statement.log else oracle.evaluator.compile_log)(tree)

    def value(point: Point) -> float:
        found = compiled(Context(point.view, point.raw, named, group.own), group.own)
        return float(as_number(found))

    return value


def arguments_at(oracle: Oracle, statement: Statement, point: Point, group: Group) -> tuple[Any, ...]:
    """Return the values of the arguments as written, vectors of shape (p,)."""
    assert statement.line.choice is not None
    context = Context(point.view, point.raw, statement.named(), group.own)
    values = [oracle.evaluator.compile(tree)(context, group.own) for tree in statement.trees]
    roles = statement.line.choice.form.roles
    return tuple(_shaped(value, role) for value, role in zip(values, roles, strict=True))


def _shaped(value: Any, role: str) -> Any:
    sides = _SHAPES.get(role, 0)
    if sides == 0:
        array = np.asarray(value, dtype=float)
        if array.size != 1:
            raise ValueError("an array where a number is needed")
        number = float(array.reshape(-1)[0])
        if role == "positive" and not number > 0:
            raise ValueError("a positive number is needed")
        return number
    array = np.atleast_2d(np.asarray(value, dtype=float))
    return array.reshape(-1) if sides == 1 else array


def canonical_at(oracle: Oracle, statement: Statement, point: Point, group: Group) -> tuple[Any, ...]:
    """Return the canonical parameters of the claimed family."""
    choice = statement.line.choice
    assert choice is not None
    found = canonical(choice.signature, choice.form, arguments_at(oracle, statement, point, group))
    value = np.asarray(point.value)
    for each in found:
        if np.ndim(each) and np.shape(each)[0] != value.shape[0]:
            raise ValueError("dimensions differ")
    return found


def canonical(record: Family, form: Parametrisation, values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return canonical parameters from the arguments of any parametrisation."""
    if form.keywords == record.parameters:
        return values
    state = {f"argument{k}": {(): value} for k, value in enumerate(values)}
    found = []
    for compiled in _canonical_map(record.key, form.keywords):
        value = compiled(state, {})
        column = isinstance(value, np.ndarray) and value.shape[1] == 1 and record.shape == "vector"
        found.append(value[:, 0] if column else value)
    return tuple(found)


@lru_cache(maxsize=256)
def _canonical_map(key: str, keywords: tuple[str, ...]) -> tuple[Callable, ...]:
    from deriver.families import family

    record = family(key)
    form = next(each for each in record.parametrisations if each.keywords == keywords)
    side = Ref(Variable("side", integer=True, positive=True))
    variables = []
    for position, role in enumerate(form.roles):
        dims = (side,) * _SHAPES.get(role, 0)
        own = {} if dims else {"positive": True}
        variables.append(Ref(Variable(f"argument{position}", dims, symmetric=len(dims) == 2, **own)))
    return tuple(compile_expression(e) for e in form.to_canonical(*variables))


def mentions_target(oracle: Oracle, statement: Statement) -> bool:
    """Tell whether the value of an argument changes with the target."""
    moving = oracle.moving
    named = statement.named()
    waiting = [r.name for tree in statement.trees for r in references(tree)]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in named:
            waiting += [r.name for r in references(named[name][1])]
        elif name in moving:
            return True
    return False
