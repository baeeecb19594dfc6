"""A small evaluator of the language's expression trees on arrays: nothing is ever run as code.

Part of stage run.  Input: an ``Expression`` and an ``Environment`` of known quantities.  Output: a ``Value``.
It serves the columns of a table, the defaults of hyperparameters, plate sizes, bounds of supports, quantities
derived from the draws, and pointwise densities of the data.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from deriver.families.deferred import special
from deriver.model import expressions as tree
from deriver.running import values as v
from deriver.running.layout import Layout
from deriver.running.values import EvaluationError, Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A known quantity: ``array`` has the axes ``lead``, then those of ``layout``, then its components."""

    array: np.ndarray
    layout: Layout
    lead: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What the names of an expression mean.

    ``stored`` are quantities with a layout, ``plain`` values without, ``indices`` loop variables.
    ``upper`` gives the bounds of the plates that a ``sum`` runs over.
    """

    stored: Mapping[str, Stored] = field(default_factory=dict)
    plain: Mapping[str, Value] = field(default_factory=dict)
    indices: Mapping[str, Value] = field(default_factory=dict)
    plates: Mapping[str, tuple[tree.Expression, tree.Expression]] = field(default_factory=dict)


def evaluate(expression: tree.Expression, env: Environment) -> Value:
    """Return the value of an expression; raise ``EvaluationError`` with a sentence if it has none."""
    with np.errstate(all="ignore"):
        return _evaluate(expression, env)


def _evaluate(expression: tree.Expression, env: Environment) -> Value:
    match expression:
        case tree.Number(value=value):
            return v.scalar(float(value))
        case tree.Infinity():
            return v.scalar(math.inf)
        case tree.Negate(operand=operand):
            return v.negate(_evaluate(operand, env))
        case tree.Transpose(operand=operand):
            return v.transpose(_evaluate(operand, env))
        case tree.Binary(operator=operator, left=left, right=right):
            return _BINARY[operator](_evaluate(left, env), _evaluate(right, env))
        case tree.Call(function=function, arguments=arguments):
            return _call(function, [_evaluate(argument, env) for argument in arguments])
        case tree.MatrixRows(rows=rows):
            return v.stack_rows([[_evaluate(entry, env) for entry in row] for row in rows])
        case tree.Reference():
            return _reference(expression, env)
        case tree.SumOver():
            return _sum_over(expression, env)
        case tree.Condition(relation=relation, left=left, right=right):
            axes, (a, b) = v.align(_evaluate(left, env), _evaluate(right, env))
            return Value(array=_RELATIONS[relation](a, b), axes=axes)
    raise EvaluationError("a bare `:` has no value here")


_BINARY: dict[str, Callable[[Value, Value], Value]] = {
    "+": v.add, "-": v.subtract, "*": v.multiply, "/": v.divide, "^": v.power,
}  # fmt: skip

_RELATIONS: dict[str, Callable] = {
    "=": np.equal, "!=": np.not_equal, "<": np.less, "<=": np.less_equal, ">": np.greater,
    ">=": np.greater_equal,
}  # fmt: skip

_ELEMENTWISE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "exp": np.exp, "log": np.log, "sqrt": np.sqrt, "abs": np.abs,
    "logit": lambda x: special.logit(x), "expit": lambda x: special.expit(x),
    "lgamma": lambda x: special.gammaln(x), "normal_cdf": lambda x: special.ndtr(x),
    "is_positive": lambda x: (x > 0).astype(float), "floor": np.floor,
}  # fmt: skip

_MATRIX: dict[str, Callable[[Value], Value]] = {
    "inv": v.inverse, "det": v.determinant, "tr": v.trace, "diag": v.diagonal_matrix,
}  # fmt: skip


def _call(function: str, arguments: list[Value]) -> Value:
    if function in _ELEMENTWISE and len(arguments) == 1:
        value = arguments[0]
        array = _ELEMENTWISE[function](np.asarray(value.array, dtype=float))
        return Value(array=array, axes=value.axes, kind=value.kind)
    if function in _MATRIX and len(arguments) == 1:
        return _MATRIX[function](arguments[0])
    if function in ("min", "max") and all(value.kind == "scalar" for value in arguments):
        axes, arrays = v.align(*arguments)
        reduce = np.minimum.reduce if function == "min" else np.maximum.reduce
        return Value(array=reduce(np.broadcast_arrays(*arrays)), axes=axes)
    if function in ("eye", "ones", "exchangeable"):
        return _construct(function, arguments)
    raise EvaluationError(f"{function}() cannot be evaluated here with {len(arguments)} argument(s)")


def _construct(function: str, arguments: list[Value]) -> Value:
    if function == "exchangeable":
        rho, side = arguments[0], _whole(arguments[1])
        off = rho.array[..., None, None] * (1 - np.eye(side))
        return Value(array=off + np.eye(side), axes=rho.axes, kind="matrix")
    sides = [_whole(argument) for argument in arguments]
    if function == "eye":
        return Value(array=np.eye(sides[0]), kind="matrix")
    if len(sides) == 1:
        return Value(array=np.ones((sides[0], 1)), kind="column")
    return Value(array=np.ones(sides), kind="matrix")


def _whole(value: Value) -> int:
    number = value.array
    if value.kind != "scalar" or number.ndim or number != int(number) or number < 1:
        raise EvaluationError("a dimension must be a positive whole number")
    return int(number)


def _reference(reference: tree.Reference, env: Environment) -> Value:
    name, subscripts = reference.name, reference.subscripts
    if not subscripts and name in env.indices:
        return env.indices[name]
    if name in env.plain:
        value = env.plain[name]
        return v.pick(value, [_constant(each, env) for each in subscripts]) if subscripts else value
    if name not in env.stored:
        raise EvaluationError(f"`{name}` has no value here")
    return _element(env.stored[name], subscripts, env)


def _element(stored: Stored, subscripts: tuple[tree.Expression, ...], env: Environment) -> Value:
    layout = stored.layout
    count, rank = len(layout.indices), len(layout.shape)
    whole = v.shaped(stored.array, (*stored.lead, *layout.axes), rank)
    if not subscripts:
        return whole
    if count and len(subscripts) not in (count, count + rank):
        raise EvaluationError(f"`{layout.name}` takes {count} subscript(s), found {len(subscripts)}")
    plates, components = subscripts[:count], subscripts[count:]
    value = _gather(stored, plates, env) if count else whole
    return v.pick(value, [_constant(each, env) for each in components]) if components else value


def _gather(stored: Stored, subscripts: tuple[tree.Expression, ...], env: Environment) -> Value:
    """Return the elements at the subscripts; an element outside the plate is NaN."""
    layout, lead = stored.layout, len(stored.lead)
    open_axes = [k for k, each in enumerate(subscripts) if isinstance(each, tree.Colon)]
    if open_axes:
        return _gather_row(stored, subscripts, open_axes, env)
    found = [_index_value(each, env) for each in subscripts]
    axes, arrays = v.align(*found)
    positions, inside = layout.locate(dict(zip(layout.indices, arrays, strict=True)))
    if inside.ndim == 0 and not inside:
        where = ",".join(str(int(array)) for array in arrays)
        raise EvaluationError(
            f"`{layout.name}[{where}]` does not exist; positions count from the plate's start"
        )
    drawn = [
        axis for axis in stored.lead if axis in axes
    ]  # the subscripts are drawn too: each draw has its own
    if drawn and len(drawn) < lead:
        raise EvaluationError(f"`{layout.name}` has other draws than its subscripts")
    whole = (slice(None),) * lead
    along = tuple(_run_along(axes, axis, stored.array.shape[k]) for k, axis in enumerate(drawn)) or whole
    picked = stored.array[along + positions]
    if not np.all(inside):
        mask = inside.reshape(inside.shape + (1,) * len(layout.shape))
        picked = np.where(mask, picked, np.nan)
    return v.shaped(picked, axes if drawn else (*stored.lead, *axes), len(layout.shape))


def _run_along(axes: tuple[str, ...], axis: str, size: int) -> np.ndarray:
    """Return the positions along an axis, as an array that has all axes."""
    return np.arange(size).reshape([-1 if each == axis else 1 for each in axes])


def _gather_row(
    stored: Stored, subscripts: tuple[tree.Expression, ...], open_axes: list[int], env: Environment
) -> Value:
    """Return ``y[i,:]`` as a column, ``K[:,:]`` or a row of vectors as a matrix; each plate must have one length."""
    filled, indices = list(subscripts), dict(env.indices)
    for place in open_axes:
        index = stored.layout.indices[place]
        block = next(block for block in stored.layout.blocks if index in block.indices)
        axis = f":{index}"
        indices[axis] = Value(array=np.unique(block.rows[index]), axes=(axis,))
        filled[place] = tree.Reference(name=axis)
    value = _gather(stored, tuple(filled), replace(env, indices=indices))
    whole = value.plain()
    opened = [f":{stored.layout.indices[place]}" for place in open_axes]
    sides = len(open_axes) + (whole.ndim - len(value.axes))
    if sides > 2:
        raise EvaluationError("a row of matrices has no value here")
    last = len(value.axes)
    array = np.moveaxis(whole, [value.axes.index(a) for a in opened], range(last - len(opened), last))
    return v.shaped(array, [axis for axis in value.axes if axis not in opened], sides)


def _index_value(expression: tree.Expression, env: Environment) -> Value:
    value = _evaluate(expression, env)
    whole = np.asarray(value.array)
    if value.kind != "scalar":
        raise EvaluationError("a subscript must be a number")
    rounded = np.nan_to_num(np.asarray(whole, dtype=float), nan=-(10**9))
    if not np.all(rounded == np.round(rounded)):
        raise EvaluationError("a subscript must be a whole number")
    return Value(array=rounded.astype(np.intp), axes=value.axes)


def _constant(expression: tree.Expression, env: Environment) -> int:
    value = _index_value(expression, env)
    if value.array.ndim:
        raise EvaluationError("the subscript of a component must be one number")
    return int(value.array)


def _sum_over(expression: tree.SumOver, env: Environment) -> Value:
    """Return a sum over a plate; members that a ragged plate or a condition leaves out count as nothing."""
    index = expression.index
    if index not in env.plates:
        raise EvaluationError(f"`{index}` is not a plate index")
    lower, upper = (_index_value(bound, env) for bound in env.plates[index])
    start, stop = int(np.min(lower.array, initial=1)), int(np.max(upper.array, initial=0))
    axis = f"sum {index}"
    running = Value(array=np.arange(start, stop + 1), axes=(axis,))
    inner = replace(env, indices={**env.indices, index: running})
    body = _evaluate(expression.body, inner)
    tests = [_evaluate(condition, inner) for condition in expression.conditions]
    axes, (r, lo, hi) = v.align(running, lower, upper)
    mask = Value(array=(r >= lo) & (r <= hi), axes=axes)
    for test in tests:
        axes, (a, b) = v.align(mask, test)
        mask = Value(array=a & b, axes=axes)
    return _masked_sum(body, mask, axis)


def _masked_sum(body: Value, mask: Value, axis: str) -> Value:
    axes, (array, keep) = v.align(body, mask)
    keep = keep.reshape(keep.shape + (1,) * len(body.side))
    total = np.where(keep, array, 0.0).sum(axis=axes.index(axis))
    return Value(array=total, axes=tuple(each for each in axes if each != axis), kind=body.kind)
