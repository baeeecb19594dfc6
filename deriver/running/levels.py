"""The labels of plates: which there are, in which order, and the number of each row.

Part of stage run.  Labels are sorted, numbers by value and texts by letters, as R's factors are, so that the
order of the rows in a file does not matter; a categorical column keeps its declared order, levels without rows
included.  Along time the labels must be evenly spaced; a step without a row is a missing response.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from deriver.running.tables import Column


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """The labels of one plate, in the order of its index, and the column they came from."""

    labels: tuple[Any, ...]
    column: str | None = None


class GridError(ValueError):
    """Labels along time are no evenly spaced grid; the message is a sentence for the user."""


def order_levels(columns: Sequence[Column]) -> Levels:
    """Return the levels that the columns hold together."""
    declared = next((column.categories for column in columns if column.categories is not None), None)
    present = {label for column in columns for label in column.labels if label is not None}
    name = columns[0].name
    if declared is not None and present <= set(declared):
        return Levels(labels=tuple(declared), column=name)
    return Levels(labels=sort_labels(present), column=name)


def sort_labels(labels: Iterable[Any]) -> tuple[Any, ...]:
    """Return labels in order; of mixed types, all as texts."""
    listed = list(labels)
    try:
        return tuple(sorted(listed))
    except TypeError:
        return tuple(sorted(listed, key=str))


def number_rows(column: Column, levels: Levels) -> np.ndarray:
    """Return the 0-based position of each row's label among the levels, -1 where it is missing or unknown."""
    position = {label: k for k, label in enumerate(levels.labels)}
    return np.array([position.get(label, -1) for label in column.labels], dtype=np.intp)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """An evenly spaced grid: ``ticks[row]`` counts steps from ``start``."""

    ticks: np.ndarray
    start: float
    step: float
    unit: str

    def label(self, tick: int) -> Any:
        """Return the label of a step, steps before the first included."""
        value = self.start + self.step * tick
        if self.unit == "number":
            return int(value) if value == int(value) else value
        if self.unit == "month":
            return f"{int(value) // 12:04d}-{int(value) % 12 + 1:02d}"
        return (datetime.date(1970, 1, 1) + datetime.timedelta(days=int(value))).isoformat()


def make_grid(column: Column) -> Grid:
    """Return the grid of a column of numbers or dates; raise ``GridError`` if it is not evenly spaced."""
    unit, values = _time_values(column)
    distinct = np.unique(values)
    gaps = np.diff(distinct)
    step = float(gaps.min()) if gaps.size else 1.0
    ticks = (values - distinct[0]) / step
    if np.abs(ticks - np.round(ticks)).max(initial=0.0) > 1e-6:
        raise GridError(f"the values of `{column.name}` are not evenly spaced: the smallest step is {step:g}")
    return Grid(ticks=np.round(ticks).astype(np.intp), start=float(distinct[0]), step=step, unit=unit)


def _time_values(column: Column) -> tuple[str, np.ndarray]:
    if column.numbers is not None:
        return "number", column.numbers
    try:
        days = np.array([np.datetime64(label, "D") for label in column.labels])
    except (ValueError, TypeError):
        raise GridError(f"`{column.name}` holds neither numbers nor dates such as 2001-12-31") from None
    months = days.astype("datetime64[M]")
    if len(np.unique(days - months)) == 1:
        return "month", months.astype(int).astype(float) + 1970 * 12
    return "day", days.astype(int).astype(float)


def rank_within(groups: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Return the 0-based rank of each row's code among the distinct codes of its group."""
    width = int(codes.max(initial=0)) + 1
    distinct, inverse = np.unique(groups * width + codes, return_inverse=True)
    owner = distinct // width
    first = np.searchsorted(owner, owner, side="left")
    return (np.arange(len(distinct)) - first)[inverse]


def count_within(groups: np.ndarray) -> np.ndarray:
    """Return the 0-based position of each row among the rows of its group, in row order."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    first = np.searchsorted(ordered, ordered, side="left")
    position = np.empty(len(groups), dtype=np.intp)
    position[order] = np.arange(len(groups)) - first
    return position
