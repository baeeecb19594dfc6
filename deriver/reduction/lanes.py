"""One row added to the record of its group, as instructions on several doubles at once.

The loop over a row's products is short and its arithmetic, though the same for every product, is not vectorised by the
compiler.  Here it is written in vectors of up to ``LANES`` doubles; the results are those of ``doubled``, bit by bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

LANES = 8
DOUBLE, PLACE, INT = ir.DoubleType(), ir.IntType(64), ir.IntType(32)
Parts = tuple[Any, Any]  # vectors of the high and of the low parts


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes instructions on vectors of doubles."""

    builder: Any

    def element(self, array: Any, place: Any, offset: int = 0) -> Any:
        """Return the address of an element of a flat array."""
        return self.builder.gep(array, [self.builder.add(place, PLACE(offset))])

    def load(self, address: Any, lanes: int) -> Any:
        """Return the doubles from an address on."""
        vector = self.builder.load(self.builder.bitcast(address, ir.VectorType(DOUBLE, lanes).as_pointer()))
        vector.align = 8
        return vector

    def store(self, vector: Any, address: Any) -> None:
        """Store a vector at an address."""
        made = self.builder.store(vector, self.builder.bitcast(address, vector.type.as_pointer()))
        made.align = 8

    def gather(self, values: Sequence[Any]) -> Any:
        """Return a vector of doubles."""
        vector = ir.Constant(ir.VectorType(DOUBLE, len(values)), ir.Undefined)
        for lane, value in enumerate(values):
            vector = self.builder.insert_element(vector, value, INT(lane))
        return vector

    def lanes(self, vector: Any) -> list[Any]:
        """Return the doubles of a vector."""
        return [self.builder.extract_element(vector, INT(lane)) for lane in range(vector.type.count)]

    def two_sum(self, a: Any, b: Any) -> Parts:
        """As ``doubled.two_sum``."""
        build = self.builder
        total = build.fadd(a, b)
        part = build.fsub(total, a)
        return total, build.fadd(build.fsub(a, build.fsub(total, part)), build.fsub(b, part))

    def two_product(self, a: Any, b: Any) -> Parts:
        """As ``doubled.two_product``."""
        kind = ir.FunctionType(a.type, [a.type] * 3)
        fused = cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.fma.v{a.type.count}f64")
        product = self.builder.fmul(a, b)
        return product, self.builder.call(fused, [a, b, self.builder.fneg(product)])

    def multiply(self, a: Parts, b: Any) -> Parts:
        """As ``doubled.multiply`` by a number in one part."""
        high, low = self.two_product(a[0], b)
        return self.two_sum(high, self.builder.fadd(low, self.builder.fmul(a[1], b)))


def _add_row(typing: Any, records: Any, columns: Any, record: Any, row: Any, weight: Any, layout: Any) -> Any:
    """Add a row to its record.

    ``records`` is a flat array of doubles, ``columns`` the addresses of the columns, ``record`` the place of the record,
    ``layout`` the text of ``write_layout``: a constant, since compiled code that is kept is found again by the constants
    in it.
    """
    shape = read_layout(layout.literal_value)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        write = Writer(builder)
        sums, cells = _read_row(write, context, signature, arguments, shape[0])
        _write_row(write, shape, sums, cells, arguments[2], arguments[4])
        return context.get_dummy_value()

    return types.void(records, columns, types.intp, types.intp, types.float64, layout), generate


def _begin_record(typing: Any, records: Any, columns: Any, record: Any, row: Any, layout: Any) -> Any:
    """Keep a row as the first of its group; arguments as for ``add_row``."""
    shape = read_layout(layout.literal_value)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        write = Writer(builder)
        sums, cells = _read_row(write, context, signature, arguments, shape[0])
        for k, cell in enumerate(cells):
            builder.store(cell, write.element(sums, arguments[2], 1 + k))
        return context.get_dummy_value()

    return types.void(records, columns, types.intp, types.intp, layout), generate


add_row: Any = intrinsic(prefer_literal=True)(_add_row)
begin_record: Any = intrinsic(prefer_literal=True)(_begin_record)


def _read_row(
    write: Writer, context: Any, signature: Any, arguments: Any, features: int
) -> tuple[Any, list[Any]]:
    """Return the address of the records, and the cells of a row."""
    build, row = write.builder, arguments[3]
    records, columns = (
        context.make_array(kind)(context, build, array).data
        for kind, array in zip(signature.args[:2], arguments[:2], strict=True)
    )
    found = []
    for k in range(features):
        column = build.inttoptr(build.load(build.gep(columns, [PLACE(k)])), DOUBLE.as_pointer())
        found.append(build.load(build.gep(column, [row])))
    return records, found


def write_layout(features: int, pairs: Iterable[tuple[int, int]], weighted: bool) -> str:
    """Return the number of features, whether they are weighted, and the pairs, as text."""
    return f"{features} {int(weighted)} " + " ".join(f"{k},{m}" for k, m in pairs)


def read_layout(text: str) -> tuple[int, bool, list[tuple[int, int]]]:
    """Return what ``write_layout`` wrote."""
    features, weighted, *pairs = text.split()
    found = [(int(k), int(m)) for k, _, m in (pair.partition(",") for pair in pairs)]
    return int(features), weighted == "1", found


def _write_row(
    write: Writer, shape: tuple[int, bool, list[tuple[int, int]]], records: Any, cells: list[Any], record: Any,
    weight: Any,
) -> None:  # fmt: skip
    features, weighted, pairs = shape
    build = write.builder
    away = _shift(write, records, record, cells)
    products = [(None, None), *((k, None) for k in range(features)), *pairs]
    for first in range(0, len(products), LANES):
        chunk = products[first : first + LANES]
        parts = _multiply_out(write, away, chunk)
        if weighted:
            parts = write.multiply(parts, write.gather([weight] * len(chunk)))
        high = write.element(records, record, 1 + features + first)
        _add(write, high, build.gep(high, [PLACE(len(products))]), parts)


def _shift(write: Writer, records: Any, record: Any, cells: list[Any]) -> list[Parts]:
    """Return the cells of a row less those of the group's first row."""
    away: list[Parts] = []
    for first in range(0, len(cells), LANES):
        chunk = cells[first : first + LANES]
        start = write.load(write.element(records, record, 1 + first), len(chunk))
        high, low = write.two_sum(write.gather(chunk), write.builder.fneg(start))
        away += zip(write.lanes(high), write.lanes(low), strict=True)
    return away


def _multiply_out(write: Writer, away: list[Parts], pairs: Sequence[tuple[int | None, int | None]]) -> Parts:
    """Return products of two cells; None is the number 1."""
    build, one = write.builder, (DOUBLE(1.0), DOUBLE(0.0))
    left = [one if k is None else away[k] for k, _ in pairs]
    right = [one if k is None else away[k] for _, k in pairs]
    a, b = (write.gather([high for high, _ in side]) for side in (left, right))
    a_low, b_low = (write.gather([low for _, low in side]) for side in (left, right))
    high, low = write.two_product(a, b)
    return high, build.fadd(low, build.fadd(build.fmul(a, b_low), build.fmul(a_low, b)))


def _add(write: Writer, high: Any, low: Any, parts: Parts) -> None:
    """Add to sums in two parts, the high parts at one address and the low ones at another."""
    lanes = parts[0].type.count
    total, left = write.two_sum(write.load(high, lanes), parts[0])
    write.store(total, high)
    below = write.builder.fadd(write.load(low, lanes), write.builder.fadd(left, parts[1]))
    write.store(below, low)
