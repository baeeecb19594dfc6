"""Arithmetic in twice the working precision: a number is the unevaluated sum of two doubles, high + low.

Error-free sum: Knuth (1997), The Art of Computer Programming 2, 4.2.2, theorem B.  Error-free product by a fused
multiply-add, and the algorithms built on both: Ogita, Rump and Oishi (2005), Accurate sum and dot product, SIAM J. Sci.
Comput. 26(6).  The functions are for use inside compiled loops; none may be compiled with ``fastmath``.
"""

from __future__ import annotations

from typing import Any

import numba
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

inlined = numba.njit(error_model="numpy")


def _fused(typing_context: Any, a: Any, b: Any, c: Any) -> Any:
    """Return a * b + c, rounded once."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return types.float64(types.float64, types.float64, types.float64), generate


fused: Any = intrinsic(_fused)


def _prefetch(typing_context: Any, array: Any, position: Any) -> Any:
    """Fetch the line of memory around an element of a flat array into the cache."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        place = builder.bitcast(builder.gep(data, [arguments[1]]), byte)
        builder.call(function, [place, number(1), number(3), number(1)])  # to be written, kept, data
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


prefetch: Any = intrinsic(_prefetch)


@inlined
def two_sum(a: float, b: float) -> tuple[float, float]:
    """Return a + b rounded, and what rounding left out."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


@inlined
def two_product(a: float, b: float) -> tuple[float, float]:
    """Return a * b rounded, and what rounding left out."""
    product = a * b
    return product, fused(a, b, -product)


@inlined
def add(a: float, a_low: float, b: float, b_low: float) -> tuple[float, float]:
    """Return a sum in two parts."""
    high, low = two_sum(a, b)
    return two_sum(high, low + (a_low + b_low))


@inlined
def multiply(a: float, a_low: float, b: float, b_low: float) -> tuple[float, float]:
    """Return a product in two parts."""
    high, low = two_product(a, b)
    return two_sum(high, low + (a * b_low + a_low * b))


@inlined
def divide(a: float, a_low: float, b: float, b_low: float) -> tuple[float, float]:
    """Return a quotient in two parts."""
    first = a / b
    high, low = multiply(first, 0.0, b, b_low)
    high, low = add(a, a_low, -high, -low)
    return two_sum(first, high / b)
