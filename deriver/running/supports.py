"""Holding values against supports: counts, positive numbers, positive definite matrices, arguments of families.

Part of stage run.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from deriver.families import FAMILIES
from deriver.language.printer import print_expression
from deriver.model.expressions import Expression, references
from deriver.model.records import Given, Model, Node, Stochastic, Support
from deriver.running.evaluate import Environment, EvaluationError, evaluate
from deriver.running.problems import Problems
from deriver.running.values import Value, scalar

# Given the flat position of a bad element, return where it stands, for a message.
Place = Callable[[np.ndarray], str]

CHOLESKY = "a lower triangular matrix with a positive diagonal, L of the covariance L * L'"


def check_support(
    declared: Given | Node,
    written: str,
    array: np.ndarray,
    env: Environment,
    problems: Problems,
    place: Place,
) -> bool:
    """Record the elements outside the support and tell if there are any; NaN is a missing response."""
    bad = outside(declared, array, env)
    if bad is None or not bad.any():
        return False
    first = np.argwhere(bad)[0]
    value = array[tuple(first)]
    more = f" (and {int(bad.sum()) - 1} more)" if bad.sum() > 1 else ""
    problems.add(
        "outside-support", f"{place(first)}`{written}` is {_shown(value, declared.support)}{more}",
        expected=describe_support(declared.support, len(declared.shape)),
    )  # fmt: skip
    return True


def _shown(value: np.ndarray, support: Support) -> str:
    if np.ndim(value) == 0:
        return f"{value:g}"
    text = _rows(np.atleast_2d(value))
    if support.kind == "cholesky":
        return f"{text}, {_triangular_fault(value)}"
    if support.kind in ("spd", "correlation"):
        text += ", not symmetric" if not np.allclose(value, value.T, atol=0) else ", not positive definite"
    return text


def outside(declared: Given | Node, array: np.ndarray, env: Environment) -> np.ndarray | None:
    """Return which elements lie outside the support; None if it cannot be told."""
    support, rank = declared.support, len(declared.shape)
    with np.errstate(invalid="ignore"):
        match support.kind:
            case "spd" | "correlation":
                return _not_definite(array, support.kind == "correlation")
            case "cholesky":
                return ~is_triangular(array)
            case "simplex":
                return (array < 0).any(axis=-1) | (np.abs(array.sum(axis=-1) - 1) > 1e-8)
            case "real" | "integer":
                closed = support.kind == "integer"
                bad = (
                    (array != np.round(array)) & ~np.isnan(array)
                    if closed
                    else np.zeros(array.shape, dtype=bool)
                )
                for bound, below in ((support.lower, True), (support.upper, False)):
                    limit = _bound(bound, env, declared.indices)
                    if limit is not None:
                        limit = limit.reshape(limit.shape + (1,) * rank) if limit.ndim else limit
                        bad = bad | _beyond(array, limit, below, closed)
                return bad
    return None


def _beyond(array: np.ndarray, limit: np.ndarray, below: bool, closed: bool) -> np.ndarray:
    if below:
        return array < limit if closed else array <= limit
    return array > limit if closed else array >= limit


def _bound(bound: Expression | None, env: Environment, indices: tuple[str, ...]) -> np.ndarray | None:
    if bound is None:
        return None
    try:
        subscripted = any(reference.subscripts for reference in references(bound))
        if subscripted:
            named = {reference.name for reference in references(bound) if reference.subscripts}
            same = all(env.stored[name].layout.indices == indices for name in named)
            if not same:
                return None
            running = {name: env.stored[name].layout for name in named}
            layout = next(iter(running.values()))
            rows: dict[str, Value] = {}
            for block in layout.blocks:
                rows |= {index: scalar(block.rows[index], (block.axis,)) for index in block.indices}
            env = Environment(stored=env.stored, plain=env.plain, indices=rows, plates=env.plates)
        return evaluate(bound, env).array
    except (EvaluationError, KeyError):
        return None


def _not_definite(array: np.ndarray, correlation: bool) -> np.ndarray:
    bad = ~is_definite(array)
    if correlation:
        bad = bad | (np.abs(np.diagonal(array, axis1=-2, axis2=-1) - 1) > 1e-8).any(axis=-1)
    return np.asarray(bad)


def is_definite(array: np.ndarray) -> np.ndarray:
    """Tell which matrices of an array (..., p, p) are symmetric and positive definite."""
    scale = np.abs(array).max(axis=(-2, -1))
    symmetric = np.abs(array - np.swapaxes(array, -1, -2)).max(axis=(-2, -1)) <= 1e-10 * scale
    finite = np.isfinite(array).all(axis=(-2, -1))
    safe = np.where(finite[..., None, None], array, 0.0)
    lowest = np.linalg.eigvalsh((safe + np.swapaxes(safe, -1, -2)) / 2)[..., 0]
    return finite & symmetric & (lowest > 1e-14 * scale)


def is_triangular(array: np.ndarray) -> np.ndarray:
    """Tell which matrices of an array (..., p, p) are lower triangular with a positive diagonal."""
    above = np.triu(array, 1).any(axis=(-2, -1))
    positive = (np.diagonal(array, axis1=-2, axis2=-1) > 0).all(axis=-1)
    return positive & ~above & np.isfinite(array).all(axis=(-2, -1))


def _triangular_fault(matrix: np.ndarray) -> str:
    return "not lower triangular" if np.triu(matrix, 1).any() else "its diagonal not positive"


def describe_support(support: Support, rank: int = 0) -> str:
    """Return a support in words."""
    match support.kind:
        case "spd":
            return "a symmetric positive definite matrix"
        case "correlation":
            return "a symmetric positive definite matrix with ones on its diagonal"
        case "cholesky":
            return CHOLESKY
        case "simplex":
            return "nonnegative numbers that sum to 1"
        case "integer":
            return "whole numbers" + _interval(support, " at least ", " at most ")
        case _:
            return ("numbers" if rank else "a number") + _interval(support, " above ", " below ")


def _interval(support: Support, low: str, high: str) -> str:
    parts = []
    if support.lower is not None:
        parts.append(f"{low}{print_expression(support.lower)}")
    if support.upper is not None:
        parts.append(f"{high}{print_expression(support.upper)}")
    return " and".join(parts)


def _rows(matrix: np.ndarray) -> str:
    return "[" + "; ".join(", ".join(f"{x:g}" for x in row) for row in matrix) + "]"


# --- arguments of families --------------------------------------------------------------------------------


def check_arguments(model: Model, env: Environment, problems: Problems, reported: set[str]) -> None:
    """Check each argument of a family which is made of givens alone: positive, a probability, definite.

    ``reported`` are givens whose own support is hurt already.
    """
    for statement in model.statements:
        if isinstance(statement, Stochastic):
            _check_statement(statement, env, problems, reported)


def _check_statement(statement: Stochastic, env: Environment, problems: Problems, reported: set[str]) -> None:
    roles = _roles(statement)
    values: dict[str, Value] = {}
    for argument in statement.arguments:
        value = _value_of_givens(argument.value, env)
        if value is None or reported & {reference.name for reference in references(argument.value)}:
            continue
        values[argument.keyword] = value
        complaint = _complain(roles.get(argument.keyword, "real"), value)
        if complaint:
            problems.add(
                "outside-support",
                f"`{print_expression(argument.value)}`, the argument `{argument.keyword}` of the distribution of "
                f"`{statement.name}`, is {complaint[0]}",
                expected=complaint[1],
            )  # fmt: skip
    _check_degrees(statement, values, problems)


def _roles(statement: Stochastic) -> dict[str, str]:
    keywords = tuple(argument.keyword for argument in statement.arguments)
    for each in FAMILIES:
        if each.key == statement.family or statement.family in (each.surface, each.short):
            for form in each.parametrisations:
                if set(form.keywords) == set(keywords):
                    return dict(zip(form.keywords, form.roles, strict=True))
    return {}


def _value_of_givens(expression: Expression, env: Environment) -> Value | None:
    """Return the value of an expression of givens without subscripts, or None if it is not one."""
    found = references(expression)
    if any(ref.subscripts or ref.name not in env.plain for ref in found):
        return None
    try:
        return evaluate(expression, env)
    except EvaluationError:
        return None


def _complain(role: str, value: Value) -> tuple[str, str] | None:
    """Return what is wrong with an argument and what was expected, or None."""
    array = np.asarray(value.plain(), dtype=float)
    shown = f"{array:g}" if not array.ndim else _rows(np.atleast_2d(array))
    if role in ("positive", "positive_vector") and not (array > 0).all():
        return shown, "a positive number" if role == "positive" else "positive numbers"
    if role == "probability" and not ((array > 0) & (array < 1)).all():
        return shown, "a number between 0 and 1"
    if role == "spd" and array.ndim == 2 and not is_definite(array):
        symmetric = np.allclose(array, array.T, atol=0)
        fault = "not positive definite" if symmetric else "not symmetric"
        return f"{shown}, {fault}", "a symmetric positive definite matrix"
    if role == "cholesky" and array.ndim == 2 and not is_triangular(array):
        return f"{shown}, {_triangular_fault(array)}", CHOLESKY
    if role != "bound" and not np.isfinite(array).all():
        return shown, "finite numbers"
    return None


def _check_degrees(statement: Stochastic, values: dict[str, Value], problems: Problems) -> None:
    """A Wishart needs more degrees of freedom than p - 1, a uniform an upper bound above its lower."""
    if statement.family in ("wishart", "inverse_wishart") and {"df", "scale"} <= set(values):
        df, side = float(values["df"].array), values["scale"].side
        if side and df <= side[0] - 1:
            problems.add(
                "outside-support", f"the degrees of freedom of `{statement.name}` are {df:g}",
                expected=f"more than {side[0] - 1}, its dimension less 1",
            )  # fmt: skip
    if statement.family == "uniform" and {"lower", "upper"} <= set(values):
        lower, upper = values["lower"].array, values["upper"].array
        if not lower < upper:
            problems.add("outside-support", f"the bounds of `{statement.name}` leave nothing between them")
