"""Numbers of groups, given in the order in which their labels are met; sorted once all rows have been read.

Whole numbers go through a hash table of our own, everything else (texts, dates, numbers with a fraction) through Arrow's
dictionary of each batch and a Python dictionary.  A label is what ``running.tables`` makes of a cell, so that the groups
come out as if the whole table had been read.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from deriver.reduction.doubled import prefetch
from deriver.reduction.rows import fixed_width
from deriver.running.levels import sort_labels
from deriver.running.tables import number_label

compiled = numba.njit(cache=True, nogil=True, error_model="numpy")
MULTIPLIER = np.uint64(
    0x9E3779B97F4A7C15
)  # 2^64 over the golden ratio: Knuth, The Art of Computer Programming 3, 6.4

NARROW, SPARSE = 2**17, 8  # a table of numbers has as many places, and as many for each label met


class MissingLabel(ValueError):
    """A row has no label; ``row`` counts from 0 in the batch."""

    def __init__(self, row: int) -> None:
        super().__init__(row)
        self.row = row


class Labels:
    """The labels met so far in one column, each with its number."""

    def __init__(self) -> None:
        self.numbers: dict[Any, int] = {}
        self.whole = WholeLabels()

    def __len__(self) -> int:
        return len(self.numbers) or self.whole.count

    def number(self, column: Any) -> np.ndarray:
        """Return the number of each row's label; ``column`` is an Arrow array.  Raises ``MissingLabel``."""
        import pyarrow as pa

        if column.null_count:
            raise MissingLabel(column.is_null().index(True).as_py())
        if pa.types.is_integer(column.type) and not pa.types.is_uint64(column.type) and not self.numbers:
            return self.whole.number(fixed_width(column).astype(np.int64, copy=False))
        if not pa.types.is_dictionary(column.type):
            column = column.dictionary_encode()
        codes = fixed_width(column.indices)
        labels = [plain_label(label) for label in column.dictionary.to_pylist()]
        place = np.array([self._place(label) for label in labels], dtype=np.int64)
        if (place < 0).any():
            raise MissingLabel(int(np.flatnonzero(place[codes] < 0)[0]))
        return place[codes]

    def merge(self, other: Labels) -> np.ndarray:
        """Take in the labels of another piece of the data, and return the number of each of them here."""
        if other.whole.count and not self.numbers:
            return self.whole.number(other.whole.labels[: other.whole.count])
        return np.array([self._place(label) for label in other.listed()], dtype=np.int64)

    def listed(self) -> list[Any]:
        """Return the labels by their numbers."""
        return list(self.numbers) or self.whole.labels[: self.whole.count].tolist()

    def sorted(self) -> tuple[tuple[Any, ...], np.ndarray]:
        """Return the labels in order, and the number of each."""
        if self.whole.count:
            order = np.argsort(self.whole.labels[: self.whole.count])
            return tuple(self.whole.labels[order].tolist()), order
        found = sort_labels(self.numbers)
        return found, np.array([self.numbers[label] for label in found], dtype=np.int64)

    def _place(self, label: Any) -> int:
        if label is None:
            return -1
        if self.whole.count:  # numbers of another kind after whole ones
            self.numbers = {each: k for k, each in enumerate(self.whole.labels[: self.whole.count].tolist())}
            self.whole = WholeLabels()
        return self.numbers.setdefault(label, len(self.numbers))


def plain_label(label: Any) -> Any:
    """Return a cell as the label that it is: 3.0 is 3, and NaN is none; texts and dates are themselves."""
    if label is None or isinstance(label, str) or type(label) is int:
        return label
    try:
        return number_label(float(label))
    except TypeError:
        return label


class WholeLabels:
    """Whole numbers to 0, 1, 2, ... in the order in which they are met.

    Labels that lie close together have a table with a place for every number between the least and the greatest; the
    others a hash table by linear probing, whose places are met at random, and which takes several times as long.
    """

    def __init__(self) -> None:
        self.count = 0
        self.labels = np.empty(64, dtype=np.int64)
        self.least = 0
        self.places: np.ndarray | None = np.empty(0, dtype=np.int32)
        self.slots = np.full((128, 2), -1, dtype=np.int64)

    def number(self, labels: np.ndarray) -> np.ndarray:
        """Return the number of each label."""
        codes = np.empty(len(labels), dtype=np.int64)
        if len(labels) and self._widen(int(labels.min()), int(labels.max())):
            assert self.places is not None
            self._make_room(min(self.count + len(labels), len(self.places)))
            self.count = look_up(labels, codes, self.count, self.labels, self.places, self.least)
            return codes
        done = 0
        while True:
            done, self.count = find_or_add(labels, codes, done, self.count, self.labels, self.slots)
            if done == len(labels):
                return codes
            self._double()

    def _widen(self, least: int, greatest: int) -> bool:
        """Give the table places from ``least`` to ``greatest``, and tell whether it may have them."""
        if self.places is None:
            return False
        known = len(self.places)
        low, high = least, greatest + 1
        if known:
            low, high = min(low, self.least), max(high, self.least + known)
        if high - low == known:
            return True
        if high - low > NARROW + SPARSE * self.count:
            self.places = None
            self._double()
            return False
        spare = (high - low) // 4  # so that labels which come in order do not widen it at every batch
        before = spare if known and low < self.least else 0
        low, high = max(low - before, -(2**63)), min(high + spare, 2**63)
        wider = np.full(high - low, -1, dtype=np.int32)
        if known:
            wider[self.least - low : self.least - low + known] = self.places
        self.least, self.places = low, wider
        return True

    def _make_room(self, count: int) -> None:
        if count > len(self.labels):
            known = self.labels[: self.count]
            self.labels = np.empty(max(count, 2 * len(known)), dtype=np.int64)
            self.labels[: self.count] = known

    def _double(self) -> None:
        """Make a hash table of the labels met so far, with room for as many again."""
        known = self.labels[: self.count].copy()
        room = 1 << max(6, int(2 * len(known)).bit_length())
        self.labels = np.empty(room, dtype=np.int64)
        self.labels[: self.count] = known
        self.slots = np.full((2 * room, 2), -1, dtype=np.int64)
        find_or_add(known, np.empty(len(known), dtype=np.int64), 0, 0, self.labels, self.slots)


@compiled
def look_up(
    labels: np.ndarray, codes: np.ndarray, count: int, known: np.ndarray, places: np.ndarray, least: int
) -> int:
    """Number labels by a table from the label less the least; return how many are known."""
    for row in range(len(labels)):
        place = labels[row] - least
        code = places[place]
        if code < 0:
            code = count
            known[count] = labels[row]
            places[place] = count
            count += 1
        codes[row] = code
    return count


@compiled
def find_or_add(
    labels: np.ndarray, codes: np.ndarray, first: int, count: int, known: np.ndarray, slots: np.ndarray
) -> tuple[int, int]:
    """Number labels from ``first`` on until the table is half full; return how many are done and known.

    ``slots`` holds a label and its number, which is -1 where the slot is free.
    """
    mask, shift = np.uint64(len(slots) - 1), np.uint64(20)
    flat = slots.reshape(-1)
    for row in range(first, len(labels)):
        ahead = (np.uint64(labels[min(row + 24, len(labels) - 1)]) * MULTIPLIER >> shift) & mask
        prefetch(flat, np.int64(2 * ahead))
        label = labels[row]
        place = (np.uint64(label) * MULTIPLIER >> shift) & mask
        while slots[place, 1] >= 0 and slots[place, 0] != label:
            place = (place + np.uint64(1)) & mask
        if slots[place, 1] < 0:
            if count == len(known):
                return row, count
            known[count] = slots[place, 0] = label
            slots[place, 1] = count
            count += 1
        codes[row] = slots[place, 1]
    return len(labels), count
