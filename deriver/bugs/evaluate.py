"""Numbers of a BUGS expression: what depends on the data alone is computed before the model is translated.

Arrays are NumPy arrays of doubles, NaN where an element is missing or not yet known; subscripts count from 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy import special

from deriver.bugs.syntax import Apply, Literal, Minus, Name, Operation, Slice, Term
from deriver.language.mistakes import LineMistake

Value = np.ndarray


class Unknown(Exception):
    """An expression that rests on something which is not known from the data."""


def _step(x: Value) -> Value:
    return np.where(x >= 0, 1.0, 0.0)


def _rank(x: Value) -> Value:
    order = np.argsort(x, kind="stable")
    ranks = np.empty(len(x))
    ranks[order] = np.arange(1, len(x) + 1)
    return ranks


def _eigenvalues(weights: Value, adjacent: Value, number: Value, variances: Value) -> Value:
    """Return those of M^(-1/2) C M^(1/2) of a map, between whose reciprocals a proper autoregression is."""
    matrix = np.zeros((len(number), len(number)))
    rows = np.repeat(np.arange(len(number)), number.astype(int))
    np.add.at(matrix, (rows, adjacent.astype(int) - 1), weights)
    scale = np.sqrt(variances)
    symmetric = matrix / scale[:, None] * scale
    return np.linalg.eigvalsh((symmetric + symmetric.T) / 2)


# Functions of arrays of any shape, element by element or as a whole.
NUMERIC: dict[str, Callable[..., Any]] = {
    "abs": np.abs, "exp": np.exp, "log": np.log, "sqrt": np.sqrt, "sin": np.sin, "cos": np.cos, "tan": np.tan,
    "arcsin": np.arcsin, "asin": np.arcsin, "arccos": np.arccos, "acos": np.arccos, "arctan": np.arctan,
    "atan": np.arctan, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh,
    "logit": special.logit, "ilogit": special.expit, "phi": special.ndtr, "probit": special.ndtri,
    "cloglog": lambda p: np.log(-np.log1p(-p)), "icloglog": lambda x: -np.expm1(-np.exp(x)),
    "loggam": special.gammaln, "lgamma": special.gammaln, "logfact": lambda n: special.gammaln(n + 1),
    "pow": lambda x, y: np.power(x, y), "max": lambda *x: np.max(np.concatenate([np.ravel(e) for e in x])),
    "min": lambda *x: np.min(np.concatenate([np.ravel(e) for e in x])),
    "equals": lambda x, y: np.where(x == y, 1.0, 0.0), "step": _step, "round": np.round, "trunc": np.trunc,
    "sum": lambda *x: np.sum([np.sum(e) for e in x]), "prod": np.prod, "mean": np.mean,
    "sd": lambda x: np.std(x, ddof=1), "inprod": lambda x, y: np.sum(x * y),
    "inprod2": lambda x, y: np.sum(x * y), "t": np.transpose, "inverse": np.linalg.inv,
    "logdet": lambda m: np.array(np.linalg.slogdet(m)[1]), "length": lambda x: np.array(float(np.size(x))),
    "dim": lambda x: np.array(np.shape(x), dtype=float), "sort": np.sort, "order": lambda x: np.argsort(x, kind="stable") + 1.0,
    "rank": lambda x, k=None: _rank(x) if k is None else np.sum(x <= x[int(k) - 1]),
    "ranked": lambda x, k: np.sort(x)[int(k) - 1], "cut": lambda x: x,
    "ifelse": lambda c, a, b: a if c else b, "rep": lambda x, n: np.tile(x, int(n)),
    "c": lambda *x: np.concatenate([np.ravel(e) for e in x]), "nrow": lambda x: np.array(float(len(x))),
    "interp.lin": lambda e, x, y: np.interp(e, x, y), "%*%": np.matmul,
    "min.bound": lambda *map_: 1 / np.min(_eigenvalues(*map_)),
    "max.bound": lambda *map_: 1 / np.max(_eigenvalues(*map_)),
    "arcsinh": np.arcsinh, "arccosh": np.arccosh, "arctanh": np.arctanh,
}  # fmt: skip

_OPERATORS: dict[str, Callable[[Value, Value], Value]] = {
    "+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide, "^": np.power, "%*%": np.matmul,
    "==": lambda a, b: np.where(a == b, 1.0, 0.0), "!=": lambda a, b: np.where(a != b, 1.0, 0.0),
    "<": lambda a, b: np.where(a < b, 1.0, 0.0), "<=": lambda a, b: np.where(a <= b, 1.0, 0.0),
    ">": lambda a, b: np.where(a > b, 1.0, 0.0), ">=": lambda a, b: np.where(a >= b, 1.0, 0.0),
    "&&": lambda a, b: np.where((a != 0) & (b != 0), 1.0, 0.0),
    "||": lambda a, b: np.where((a != 0) | (b != 0), 1.0, 0.0),
}  # fmt: skip


def evaluate(term: Term, arrays: Mapping[str, Value], counters: Mapping[str, int]) -> Value:
    """Return the value of an expression; raise ``Unknown`` where it rests on what is not known.

    ``counters`` are the variables of the loops around it.
    """
    with np.errstate(all="ignore"):
        return np.asarray(_evaluate(term, arrays, counters), dtype=float)


def _evaluate(term: Term, arrays: Mapping[str, Value], counters: Mapping[str, int]) -> Value:
    match term:
        case Literal(text=text):
            return np.array(float(text))
        case Minus(operand=operand):
            return -_evaluate(operand, arrays, counters)
        case Operation(operator=operator, left=left, right=right):
            return _OPERATORS[operator](_evaluate(left, arrays, counters), _evaluate(right, arrays, counters))
        case Apply():
            return _apply(term, arrays, counters)
        case Name():
            return _look_up(term, arrays, counters)
        case Slice(lower=lower, upper=upper) if lower is not None and upper is not None:
            return np.arange(whole(lower, arrays, counters), whole(upper, arrays, counters) + 1)
    raise Unknown(type(term).__name__)


def _apply(term: Apply, arrays: Mapping[str, Value], counters: Mapping[str, int]) -> Value:
    function = NUMERIC.get(term.function)
    if function is None:
        raise Unknown(term.function)
    values = [_evaluate(each, arrays, counters) for each in term.arguments]
    try:
        return np.asarray(function(*values))
    except (TypeError, ValueError, IndexError, np.linalg.LinAlgError) as error:
        raise LineMistake(
            f"`{term.function}` cannot be computed: {error}", span=term.span, code="value"
        ) from None


def _look_up(term: Name, arrays: Mapping[str, Value], counters: Mapping[str, int]) -> Value:
    if term.subscripts is None and term.name in counters:
        return np.array(float(counters[term.name]))
    if term.name not in arrays:
        raise Unknown(term.name)
    array = arrays[term.name]
    if term.subscripts is not None:
        array = array[positions(term, array.shape, arrays, counters)]
    if np.isnan(array).any():
        raise Unknown(term.name)
    return array


def positions(
    term: Name, shape: tuple[int, ...], arrays: Mapping[str, Value], counters: Mapping[str, int]
) -> tuple[int | slice, ...]:
    """Return the places of an array that a subscripted name means, counted from 0."""
    subscripts = term.subscripts or ()
    if not shape and all(_is_one(each, arrays, counters) for each in subscripts):
        return ()
    if len(subscripts) != len(shape):
        raise LineMistake(
            f"`{term.name}` has {len(subscripts)} subscript{'' if len(subscripts) == 1 else 's'}, and its array "
            f"{len(shape)} dimension{'' if len(shape) == 1 else 's'}",
            span=term.span,
            code="subscript",
        )
    found: list[int | slice] = []
    for each, size in zip(subscripts, shape, strict=True):
        first, last = _limits(each, size, arrays, counters)
        if not 1 <= first <= last + 1 or last > size:
            raise LineMistake(
                f"the subscript {first if first == last else f'{first}:{last}'} of `{term.name}` is outside 1..{size}",
                span=each.span,
                code="subscript",
            )
        found.append(slice(first - 1, last) if isinstance(each, Slice) else first - 1)
    return tuple(found)


def _is_one(term: Term, arrays: Mapping[str, Value], counters: Mapping[str, int]) -> bool:
    return isinstance(term, Slice) or whole(term, arrays, counters) == 1


def _limits(
    term: Term, size: int, arrays: Mapping[str, Value], counters: Mapping[str, int]
) -> tuple[int, int]:
    if not isinstance(term, Slice):
        value = whole(term, arrays, counters)
        return value, value
    lower = 1 if term.lower is None else whole(term.lower, arrays, counters)
    upper = size if term.upper is None else whole(term.upper, arrays, counters)
    return lower, upper


def whole(term: Term, arrays: Mapping[str, Value], counters: Mapping[str, int]) -> int:
    """Return the value of a subscript or bound."""
    value = evaluate(term, arrays, counters)
    number = float(value.reshape(-1)[0]) if value.size == 1 else math.nan
    if not math.isfinite(number) or number != round(number):
        raise LineMistake("this is not a whole number", span=term.span, code="value")
    return int(number)
