"""First and second moments of the rows of each group, from which sums and least-squares fits follow.

Let f_1, ..., f_F be the numbers of a row and w its weight.  A group keeps the number of its rows, its first row a, and
Σ w, Σ w (f_k − a_k) and Σ w (f_k − a_k)(f_l − a_l) for the wanted pairs, each in two parts (``doubled``).  The shift keeps
what matters of numbers far from zero, and the second part what matters of a small residual around a steep slope: a
residual sum of squares taken from moments in one double would lose (slope × spread / sd)² in relative error.  Moments of
two pieces add up once both have the same shift, as Chan, Golub and LeVeque (1983, American Statistician 37) merge
variances.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

import numba
import numpy as np

from deriver.reduction.doubled import add, multiply, prefetch, two_sum
from deriver.reduction.lanes import add_row, begin_record, write_layout

compiled = numba.njit(cache=True, nogil=True, error_model="numpy")
Pairs = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a group keeps: ``features`` numbers of a row, and the products of which ``pairs`` (k <= l) are summed."""

    features: int
    pairs: Pairs
    weighted: bool = False

    @property
    def parts(self) -> int:
        """Return the number of the moments: Σ w, that of each feature, that of each pair."""
        return 1 + self.features + len(self.pairs)

    @property
    def width(self) -> int:
        """Return the length of a group's record: count, first row, high parts of the moments, their low parts."""
        return 1 + self.features + 2 * self.parts

    def pair_array(self) -> np.ndarray:
        """Return the pairs as an array, (pairs, 2)."""
        return np.array(self.pairs, dtype=np.int64).reshape(-1, 2)


class Moments:
    """The records of the groups seen so far, by the number of the group; grows as groups are met."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.records = np.zeros((0, shape.width))
        self.groups = 0

    def add(self, group: np.ndarray, columns: Iterable[np.ndarray], weight: np.ndarray | None = None) -> None:
        """Add rows: ``group`` (rows,) from 0, each of ``columns`` (rows,), ``weight`` (rows,)."""
        self._grow(int(group.max(initial=-1)) + 1)
        kept = [np.ascontiguousarray(column, dtype=float) for column in columns]
        addresses = np.array([column.ctypes.data for column in kept], dtype=np.int64)
        weight = np.empty(0) if weight is None else np.array(weight, dtype=float)
        make_kernel(self.shape)(self.records.reshape(-1), group, addresses, weight)

    def merge(self, other: Moments, place: np.ndarray) -> None:
        """Add the moments of another piece of the data; ``place`` is the number of each of its groups here."""
        self._grow(int(place.max(initial=-1)) + 1)
        merge_records(self.records, other.records[: other.groups], place, self.shape.pair_array())

    def pooled(self) -> Moments:
        """Return the moments of all rows together, as one group."""
        total = Moments(self.shape)
        total._grow(1)
        total.merge(self, np.zeros(self.groups, dtype=np.int64))
        return total

    def reordered(self, order: np.ndarray) -> Moments:
        """Return the records in another order; -1 stands for a group without rows."""
        found = Moments(self.shape)
        found.groups = len(order)
        found.records = self.records[order]
        found.records[order < 0] = 0.0
        return found

    @property
    def counts(self) -> np.ndarray:
        """Return the number of rows of each group."""
        return self.records[: self.groups, 0].astype(np.intp)

    def _grow(self, groups: int) -> None:
        if groups > len(self.records):
            room = max(groups, len(self.records) * 3 // 2, 64)
            larger = np.zeros((room, self.shape.width))
            larger[: self.groups] = self.records[: self.groups]
            self.records = larger
        self.groups = max(self.groups, groups)


@lru_cache(maxsize=64)
def make_kernel(shape: Shape) -> Callable[..., None]:
    """Return the compiled loop that adds rows to records of a shape, a row's products in vectors of doubles.

    The record of a row a little further on is fetched beforehand: groups come in any order, and waiting for memory
    would take several times as long as the sums.  ``columns`` are the addresses of the columns, which need not be copied.
    """
    width, weighted = shape.width, shape.weighted
    layout = write_layout(shape.features, shape.pairs, weighted)

    @compiled
    def add_rows(records: np.ndarray, group: np.ndarray, columns: np.ndarray, weight: np.ndarray) -> None:
        rows, w = len(group), 1.0
        for row in range(rows):
            ahead = group[min(row + 32, rows - 1)] * width
            for step in range(0, width, 8):
                prefetch(records, ahead + step)
            prefetch(records, ahead + width - 1)
            record = group[row] * width
            if records[record] == 0.0:
                begin_record(records, columns, record, row, layout)
            records[record] += 1.0
            if weighted:
                w = weight[row]
            add_row(records, columns, record, row, w, layout)

    return add_rows


@compiled
def merge_records(records: np.ndarray, others: np.ndarray, place: np.ndarray, pairs: np.ndarray) -> None:
    """Add the records of other rows of the groups, shifted to where these begin."""
    features = (others.shape[1] - 3 - 2 * len(pairs)) // 3
    for group in range(len(others)):
        other, record = others[group], records[place[group]]
        if other[0] == 0.0:
            continue
        if record[0] == 0.0:
            record[:] = other
            continue
        record[0] += other[0]
        _merge_one(record, other, features, pairs)


@compiled
def _merge_one(record: np.ndarray, other: np.ndarray, features: int, pairs: np.ndarray) -> None:
    total = 1 + features
    parts = total + len(pairs)
    away = np.empty((features, 2))
    for k in range(features):
        away[k] = two_sum(other[1 + k], -record[1 + k])
    w, w_low = other[total], other[total + parts]
    for n in range(len(pairs)):
        k, l = pairs[n, 0], pairs[n, 1]
        at = total + 1 + features + n
        high, low = add(record[at], record[at + parts], other[at], other[at + parts])
        for one, two in ((k, l), (l, k)):
            of = total + 1 + two
            high, low = add(high, low, *multiply(away[one, 0], away[one, 1], other[of], other[of + parts]))
        both = multiply(away[k, 0], away[k, 1], away[l, 0], away[l, 1])
        record[at], record[at + parts] = add(high, low, *multiply(*both, w, w_low))
    for k in range(features):
        at = total + 1 + k
        high, low = add(record[at], record[at + parts], other[at], other[at + parts])
        record[at], record[at + parts] = add(high, low, *multiply(away[k, 0], away[k, 1], w, w_low))
    record[total], record[total + parts] = add(record[total], record[total + parts], w, w_low)
