"""The numeric value of an expression at a state.

A state is ``dict[name, dict[index tuple, float or array]]`` with the language's own 1-based indices; scalars
stand under ``()``.  Sizes and dimensions are part of it.  An expression is turned into nested closures once
and may then be evaluated at many states; vectors are held as one-column arrays while inside.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp
from scipy.special import log_ndtr, ndtr, xlogy

from deriver.algebra import heads
from deriver.algebra.heads import Condition
from deriver.algebra.log_masses import LOG_MASSES
from deriver.algebra.polya_gamma import log_polya_gamma

Value = Any
State = Mapping[str, Mapping[tuple[int, ...], Value]]
Indices = dict[sp.Symbol, int]
Compiled = Callable[[State, Indices], Value]

_SCALAR: dict[type, Callable[..., float]] = {
    sp.log: lambda x: math.log(x) if x > 0 else (-math.inf if x == 0 else math.nan),
    sp.exp: math.exp,
    heads.LogGamma: math.lgamma,
    sp.factorial: lambda n: math.gamma(n + 1),
    sp.Abs: abs,
    sp.Max: max,
    sp.Min: min,
    sp.erf: math.erf,
}

_BY_NAME: dict[str, Callable[[float], float]] = {
    "log": _SCALAR[sp.log],
    "exp": math.exp,
    "sqrt": math.sqrt,
    "abs": abs,
    "lgamma": math.lgamma,
}

_RELATIONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def evaluate(expr: sp.Expr, state: State, indices: Indices | None = None) -> Value:
    """Return the value: a float for a scalar, a 1-d array for a vector, a 2-d array for a matrix.

    Raises ``KeyError`` when the state lacks a quantity and ``TypeError`` for an unknown head.
    """
    value = compile_expression(expr)(state, dict(indices or {}))
    if isinstance(value, np.ndarray):
        return value[:, 0] if value.shape[1] == 1 and heads.shape_of(expr)[1] is None else value
    return float(value)


def holds(conditions: sp.Tuple, state: State, indices: Indices) -> bool:
    """Tell whether all conditions hold."""
    return all(_compile_condition(condition)(state, indices) for condition in conditions)


def index_values(bounds: sp.Tuple, state: State, indices: Indices) -> Iterator[Indices]:
    """Yield every assignment of the bound indices; later bounds may depend on earlier indices."""
    if not bounds:
        yield dict(indices)
        return
    symbol, lower, upper = bounds[0]
    first = int(compile_expression(lower)(state, indices))
    last = int(compile_expression(upper)(state, indices))
    for number in range(first, last + 1):
        yield from index_values(bounds[1:], state, {**indices, symbol: number})


@lru_cache(maxsize=100_000)
def _compile_condition(condition: Condition) -> Callable[[State, Indices], bool]:
    left = compile_expression(condition.left)
    if condition.relation == "in":
        name = condition.right.name
        return lambda s, k: int(left(s, k)) in s[name][()]
    right, relation = compile_expression(condition.right), _RELATIONS[condition.relation]
    return lambda s, k: relation(left(s, k), right(s, k))


@lru_cache(maxsize=100_000)
def compile_expression(expr: sp.Expr) -> Compiled:
    """Return a function (state, indices) -> value for an expression."""
    match expr:
        case heads.Ref():
            return _compile_reference(expr)
        case sp.Symbol():
            return lambda s, k: k[expr]
        case sp.Number() | sp.NumberSymbol():
            number = int(expr) if expr.is_Integer else float(expr)
            return lambda s, k: number
        case sp.Add():
            return _compile_sum([compile_expression(term) for term in expr.args])
        case sp.Mul():
            return _compile_product(expr)
        case sp.Pow():
            return _compile_power(expr)
        case heads.PlateSum():
            return _compile_plate_sum(expr)
        case heads.Gated():
            body, conditions = compile_expression(expr.args[0]), expr.args[1]
            return lambda s, k: body(s, k) if holds(conditions, s, k) else 0.0
        case heads.LogIndicator():
            return _compile_indicator(expr)
        case heads.LogMass():
            return _compile_mass(expr)
        case heads.MatrixHead() | heads.ScalarHead() | heads.Branch():
            return _compile_matrix_head(expr)
        case sp.log() if isinstance(expr.args[0], heads.NormalCdf):
            inside = compile_expression(expr.args[0].args[0])
            return lambda s, k: float(log_ndtr(inside(s, k)))
        case sp.Piecewise():
            raise TypeError("Piecewise has no place here")
    if type(expr) in _SCALAR:
        function, arguments = _SCALAR[type(expr)], [compile_expression(a) for a in expr.args]
        return lambda s, k: function(*(a(s, k) for a in arguments))
    raise TypeError(f"no value for {type(expr).__name__}")


def _compile_reference(ref: heads.Ref) -> Compiled:
    name, subscripts = ref.name, [compile_expression(index) for index in ref.indices]
    dims = len(ref.variable.shape)

    def value(s: State, k: Indices) -> Value:
        found = s[name][tuple(int(index(s, k)) for index in subscripts)]
        if dims == 0:
            return found
        array = np.asarray(found, dtype=float)
        return array.reshape(-1, 1) if dims == 1 else array

    return value


def _compile_sum(terms: list[Compiled]) -> Compiled:
    return lambda s, k: sum((term(s, k) for term in terms), start=0)


def _compile_product(expr: sp.Mul) -> Compiled:
    scalars, matrices = expr.args_cnc()
    numbers = [compile_expression(factor) for factor in scalars]
    arrays = [compile_expression(factor) for factor in matrices]

    def value(s: State, k: Indices) -> Value:
        result: Value = 1
        for number in numbers:
            result = result * number(s, k)
        if not arrays:
            return result
        product = arrays[0](s, k)
        for array in arrays[1:]:
            product = _matmul(product, array(s, k))
        return result * product

    return value


def _matmul(left: Value, right: Value) -> Value:
    both = isinstance(left, np.ndarray) and isinstance(right, np.ndarray)
    return left @ right if both else left * right


def _compile_power(expr: sp.Pow) -> Compiled:
    base, exponent = compile_expression(expr.base), compile_expression(expr.exp)
    if expr.base.is_commutative:
        return lambda s, k: base(s, k) ** exponent(s, k)

    def value(s: State, k: Indices) -> Value:
        matrix, power = base(s, k), int(exponent(s, k))
        return np.linalg.matrix_power(matrix, power)

    return value


def _compile_plate_sum(expr: heads.PlateSum) -> Compiled:
    body = compile_expression(expr.body)
    bounds, conditions = expr.bounds, expr.conditions

    def value(s: State, k: Indices) -> Value:
        return sum(
            (body(s, inside) for inside in index_values(bounds, s, k) if holds(conditions, s, inside)),
            start=0,
        )

    return value


def _compile_recursion(expr: heads.Recursion, position: sp.Expr | None) -> Compiled:
    """The values of a recursion, or the one at a position, for which nothing after it is looked at."""
    firsts = [[compile_expression(first) for first in own] for own in expr.firsts]
    steps = [compile_expression(step) for step in expr.steps]
    symbol, lower, _ = expr.bound
    start, side = compile_expression(lower), compile_expression(heads.shape_of(expr)[0])
    wanted = None if position is None else compile_expression(position)

    def value(s: State, k: Indices) -> Value:
        last = int(side(s, k) if wanted is None else wanted(s, k))
        paths: list[list[Value]] = [[] for _ in steps]
        for place in range(last):
            inside: dict = {**k, symbol: int(start(s, k)) + place - expr.lead}
            inside |= {
                name: paths[int(row)][-int(lag)] for name, row, lag in expr.earlier if place >= expr.lead
            }
            rows = range(len(steps)) if place < last - 1 or wanted is None else [expr.row]
            new = {row: (firsts[row][place] if place < expr.lead else steps[row])(s, inside) for row in rows}
            for row, number in new.items():
                paths[row].append(number)
        own = paths[expr.row]
        return own[-1] if wanted is not None else np.array(own, dtype=float).reshape(-1, 1)

    return value


def _compile_matrix_head(expr: sp.Expr) -> Compiled:
    if isinstance(expr, heads.Recursion):
        return _compile_recursion(expr, None)
    if isinstance(expr, heads.Component) and isinstance(expr.args[0], heads.Recursion):
        return _compile_recursion(*expr.args)
    parts = [compile_expression(arg) for arg in expr.args if isinstance(arg, sp.Expr)]
    match expr:
        case heads.Inner():
            return lambda s, k: float(parts[0](s, k)[0, 0])
        case heads.Trace():
            return lambda s, k: float(np.trace(parts[0](s, k)))
        case heads.LogDet():
            return lambda s, k: _log_determinant(parts[0](s, k))
        case heads.Component():
            return lambda s, k: float(parts[0](s, k)[int(parts[1](s, k)) - 1, 0])
        case heads.Entry():
            return lambda s, k: float(parts[0](s, k)[int(parts[1](s, k)) - 1, int(parts[2](s, k)) - 1])
        case heads.LogMultivariateGamma():
            return lambda s, k: _log_multivariate_gamma(parts[0](s, k), int(parts[1](s, k)))
        case heads.NormalCdf():
            return lambda s, k: float(ndtr(parts[0](s, k)))
        case heads.XLogY():
            return lambda s, k: float(xlogy(parts[0](s, k), parts[1](s, k)))
        case heads.Step():
            return lambda s, k: float(parts[0](s, k) > 0)
        case heads.Floor():
            return lambda s, k: float(np.floor(parts[0](s, k)))
        case heads.Branch():
            return lambda s, k: parts[1](s, k) if parts[0](s, k) > 0 else parts[2](s, k)
        case heads.LogPolyaGamma():
            return lambda s, k: float(log_polya_gamma(parts[0](s, k), parts[1](s, k)))
        case heads.Transposed():
            return lambda s, k: parts[0](s, k).T
        case heads.Eye():
            return lambda s, k: np.eye(int(parts[0](s, k)))
        case heads.Ones():
            return lambda s, k: np.ones((int(parts[0](s, k)), 1))
        case heads.Unit():
            return lambda s, k: np.eye(int(parts[1](s, k)))[:, [int(parts[0](s, k)) - 1]]
        case heads.Exchangeable():
            return lambda s, k: _exchangeable(parts[0](s, k), int(parts[1](s, k)))
        case heads.Literal():
            rows, columns = int(expr.args[0]), int(expr.args[1])
            entries = parts[2:]
            return lambda s, k: np.array([e(s, k) for e in entries], dtype=float).reshape(rows, columns)
        case heads.Diagonal():
            return lambda s, k: np.diag(parts[0](s, k)[:, 0])
        case heads.Map():
            function = np.vectorize(_BY_NAME[expr.function], otypes=[float])
            return lambda s, k: function(parts[0](s, k))
        case heads.Stack():
            return _compile_stack(expr)
        case heads.Grid():
            return _compile_grid(expr)
    raise TypeError(f"no value for {type(expr).__name__}")


def _compile_indicator(expr: heads.LogIndicator) -> Compiled:
    lower, value, upper = (compile_expression(arg) for arg in expr.args)
    return lambda s, k: 0.0 if lower(s, k) < value(s, k) < upper(s, k) else -math.inf


def _compile_mass(expr: heads.LogMass) -> Compiled:
    lower, upper, *arguments = [compile_expression(arg) for arg in expr.args[1:]]

    def value(s: State, k: Indices) -> float:
        numbers = [argument(s, k) for argument in arguments]
        return LOG_MASSES[expr.family](lower(s, k), upper(s, k), *numbers)

    return value


def _compile_stack(expr: heads.Stack) -> Compiled:
    body, bound = compile_expression(expr.args[0]), expr.args[1]

    def value(s: State, k: Indices) -> Value:
        entries = [body(s, inside) for inside in index_values(sp.Tuple(bound), s, k)]
        return np.array(entries, dtype=float).reshape(-1, 1)

    return value


def _compile_grid(expr: heads.Grid) -> Compiled:
    body, rows, columns = compile_expression(expr.args[0]), expr.args[1], expr.args[2]

    def value(s: State, k: Indices) -> Value:
        entries = [
            [body(s, inside) for inside in index_values(sp.Tuple(columns), s, row)]
            for row in index_values(sp.Tuple(rows), s, k)
        ]
        return np.array(entries, dtype=float)

    return value


def _log_determinant(matrix: np.ndarray) -> float:
    sign, value = np.linalg.slogdet(matrix)
    return float(value) if sign > 0 else math.nan


def _exchangeable(rho: float, dimension: int) -> np.ndarray:
    return (1.0 - rho) * np.eye(dimension) + rho * np.ones((dimension, dimension))


def _log_multivariate_gamma(a: float, p: int) -> float:
    return p * (p - 1) / 4 * math.log(math.pi) + sum(math.lgamma(a - j / 2) for j in range(p))
