"""Arrays with named axes, and the arithmetic of the model language on them.

Part of stage run.  Input and output are ``Value`` records; nothing here knows of models or files.  The same
arithmetic serves columns of a table (axis ``row``), defaults of hyperparameters (no axis) and quantities
derived from the draws (axes ``chain`` and ``draw``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Kind = Literal["scalar", "column", "row", "matrix"]


class EvaluationError(ValueError):
    """An expression cannot be evaluated; the message is a sentence for the user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """``array`` has one axis per name in ``axes``, then none (scalar) or two (column, row, matrix)."""

    array: np.ndarray
    axes: tuple[str, ...] = ()
    kind: Kind = "scalar"

    @property
    def side(self) -> tuple[int, ...]:
        """Return the rows and columns of a vector or matrix, or () for a scalar."""
        return self.array.shape[len(self.axes) :]

    def plain(self) -> np.ndarray:
        """Return the array with a vector's unit side dropped: axes, then (), (p,) or (p, q)."""
        if self.kind == "column":
            return self.array[..., 0]
        return self.array[..., 0, :] if self.kind == "row" else self.array


def scalar(array: object, axes: Sequence[str] = ()) -> Value:
    """Return a scalar value with the named axes."""
    return Value(array=np.asarray(array), axes=tuple(axes))


def shaped(array: object, axes: Sequence[str], rank: int) -> Value:
    """Return a value whose array ends in ``rank`` (0, 1 or 2) component axes; a vector is a column."""
    array = np.asarray(array)
    if rank == 1:
        return Value(array=array[..., None], axes=tuple(axes), kind="column")
    return Value(array=array, axes=tuple(axes), kind="matrix" if rank == 2 else "scalar")


def align(*values: Value) -> tuple[tuple[str, ...], list[np.ndarray]]:
    """Return the union of the axes and the arrays with their axes in that order, length one where absent."""
    axes = tuple(dict.fromkeys(axis for value in values for axis in value.axes))
    return axes, [_spread(value, axes) for value in values]


def _spread(value: Value, axes: tuple[str, ...]) -> np.ndarray:
    own = [axis for axis in axes if axis in value.axes]
    side = len(value.side)
    order = [value.axes.index(axis) for axis in own]
    array = np.transpose(value.array, order + [len(order) + k for k in range(side)])
    lengths = dict(zip(own, array.shape, strict=False))
    return array.reshape(tuple(lengths.get(axis, 1) for axis in axes) + value.side)


def add(left: Value, right: Value) -> Value:
    """Return the sum; both must be numbers, or of the same shape."""
    return _elementwise(np.add, left, right, "add")


def subtract(left: Value, right: Value) -> Value:
    """Return the difference; both must be numbers, or of the same shape."""
    return _elementwise(np.subtract, left, right, "subtract")


def _elementwise(operation: Callable, left: Value, right: Value, verb: str) -> Value:
    if left.kind != right.kind or left.side != right.side:
        raise EvaluationError(f"cannot {verb} {describe_kind(left)} and {describe_kind(right)}")
    axes, (a, b) = align(left, right)
    return Value(array=operation(a, b), axes=axes, kind=left.kind)


def multiply(left: Value, right: Value) -> Value:
    """Return the product: by a number, or of vectors and matrices; what closes to 1 by 1 is a number."""
    axes, (a, b) = align(left, right)
    if left.kind == "scalar" or right.kind == "scalar":
        if left.kind == "scalar" and right.kind != "scalar":
            a = a[..., None, None]
        if right.kind == "scalar" and left.kind != "scalar":
            b = b[..., None, None]
        return Value(array=a * b, axes=axes, kind=right.kind if left.kind == "scalar" else left.kind)
    if left.side[1] != right.side[0]:
        raise EvaluationError(f"cannot multiply {describe_kind(left)} by {describe_kind(right)}")
    product = a @ b
    if left.kind == "row" and right.kind == "column":
        return Value(array=product[..., 0, 0], axes=axes)
    if right.kind == "column" and left.kind == "matrix":
        return Value(array=product, axes=axes, kind="column")
    return Value(array=product, axes=axes, kind="row" if left.kind == "row" else "matrix")


def divide(left: Value, right: Value) -> Value:
    """Return ``left / right``; ``right`` must be a number."""
    if right.kind != "scalar":
        raise EvaluationError(f"cannot divide by {describe_kind(right)}; write inv(...) instead")
    return multiply(left, Value(array=1.0 / np.asarray(right.array, dtype=float), axes=right.axes))


def power(left: Value, right: Value) -> Value:
    """Return ``left ^ right`` for numbers, and the inverse of a matrix for exponent -1."""
    if left.kind == "matrix" and right.kind == "scalar" and np.all(right.array == -1):
        return inverse(left)
    if left.kind != "scalar" or right.kind != "scalar":
        raise EvaluationError(f"cannot raise {describe_kind(left)} to {describe_kind(right)}")
    axes, (a, b) = align(left, right)
    return Value(array=np.power(np.asarray(a, dtype=float), b), axes=axes)


def negate(value: Value) -> Value:
    """Return ``-value``."""
    return Value(array=-value.array, axes=value.axes, kind=value.kind)


def transpose(value: Value) -> Value:
    """Return the transpose; a number is its own."""
    if value.kind == "scalar":
        return value
    turned: dict[str, Kind] = {"column": "row", "row": "column", "matrix": "matrix"}
    return Value(array=np.swapaxes(value.array, -1, -2), axes=value.axes, kind=turned[value.kind])


def inverse(value: Value) -> Value:
    """Return the inverse of a square matrix, or 1 over a number."""
    if value.kind == "scalar":
        return Value(array=1.0 / value.array, axes=value.axes)
    _require_square(value, "inv")
    try:
        return Value(array=np.linalg.inv(value.array), axes=value.axes, kind="matrix")
    except np.linalg.LinAlgError:
        raise EvaluationError("the matrix has no inverse: it is singular") from None


def determinant(value: Value) -> Value:
    """Return the determinant of a square matrix."""
    _require_square(value, "det")
    return Value(array=np.linalg.det(value.array), axes=value.axes)


def log_determinant(value: Value) -> Value:
    """Return the log of the determinant of a positive definite matrix."""
    _require_square(value, "logdet")
    return Value(array=np.linalg.slogdet(value.array)[1], axes=value.axes)


def trace(value: Value) -> Value:
    """Return the trace of a square matrix."""
    _require_square(value, "tr")
    return Value(array=np.trace(value.array, axis1=-2, axis2=-1), axes=value.axes)


def _require_square(value: Value, function: str) -> None:
    if value.kind != "matrix" or value.side[0] != value.side[1]:
        raise EvaluationError(f"{function}() needs a square matrix, not {describe_kind(value)}")


def diagonal_matrix(value: Value) -> Value:
    """Return the diagonal matrix of a vector."""
    if value.kind not in ("column", "row"):
        raise EvaluationError(f"diag() needs a vector, not {describe_kind(value)}")
    plain = value.plain()
    return Value(array=plain[..., None] * np.eye(plain.shape[-1]), axes=value.axes, kind="matrix")


def stack_rows(rows: Sequence[Sequence[Value]]) -> Value:
    """Return ``[a, b; c, d]``; one row of numbers is a row, one column a column."""
    width = len(rows[0])
    entries = [entry for row in rows for entry in row]
    if any(len(row) != width for row in rows):
        raise EvaluationError("the rows of a matrix must have the same length")
    if any(entry.kind != "scalar" for entry in entries):
        raise EvaluationError("the entries of a matrix must be numbers")
    axes, arrays = align(*entries)
    spread = np.broadcast_arrays(*arrays)
    array = np.stack(spread, axis=-1).reshape(spread[0].shape + (len(rows), width))
    kind: Kind = "matrix" if len(rows) > 1 and width > 1 else "row" if len(rows) == 1 else "column"
    return Value(array=array, axes=axes, kind=kind)


def pick(value: Value, positions: Sequence[int]) -> Value:
    """Return a component (1-based) of a vector, or an entry of a matrix."""
    plain = value.plain()
    sides = plain.shape[len(value.axes) :]
    if value.kind == "scalar" or len(positions) != len(sides):
        raise EvaluationError(f"{describe_kind(value)} does not take {len(positions)} subscript(s)")
    for position, side in zip(positions, sides, strict=True):
        if not 1 <= position <= side:
            raise EvaluationError(f"subscript {position} is outside 1..{side}")
    place: tuple[Any, ...] = (..., *(position - 1 for position in positions))
    return Value(array=plain[place], axes=value.axes)


def describe_kind(value: Value) -> str:
    """Return what a value is, in words."""
    match value.kind:
        case "scalar":
            return "a number"
        case "matrix":
            return f"a {value.side[0]} by {value.side[1]} matrix"
        case _:
            return f"a {value.kind} vector of length {max(value.side)}"


def to_shape(value: Value, shape: tuple[int, ...]) -> np.ndarray:
    """Return the plain array of a value that must have ``shape`` after its axes.

    A number fills a vector; a row is taken for a column.  Raises ``EvaluationError`` otherwise.
    """
    plain = value.plain()
    found = plain.shape[len(value.axes) :]
    if found == shape:
        return plain
    if len(shape) == 1 and value.kind == "scalar":
        return np.broadcast_to(plain[..., None], plain.shape + shape).copy()
    if shape == (1, 1) and value.kind == "scalar":
        return plain[..., None, None]
    if len(shape) == 1 and value.kind in ("row", "column") and found == shape:
        return plain
    raise EvaluationError(f"found {describe_kind(value)}, expected {describe_shape(shape)}")


def describe_shape(shape: tuple[int, ...]) -> str:
    """Return a shape in words."""
    match shape:
        case ():
            return "a number"
        case (length,):
            return f"a vector of length {length}"
        case (rows, columns):
            return f"a {rows} by {columns} matrix"
        case _:
            return "an array of shape " + " x ".join(map(str, shape))
