"""Index arrays for the rows of ragged plates: which are needed, their names, and the lines that make them.

An axis of rows runs over (i, j) in order.  ``i_of_j`` holds the i of each row; ``t_later`` the rows of a
chain z[i,0..T[i]] after the first of each group, ``t_earlier`` those before the last, ``t_first`` the first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sympy import Expr

from deriver.plan.layout import Bound, plate_of


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexArray:
    """An array of positions: its name, the statement that makes it, what it holds, what it is made from."""

    name: str
    code: str
    comment: str
    inputs: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Needs:
    """What the emitted functions turned out to use; filled while they are printed."""

    arrays: dict[str, IndexArray] = field(default_factory=dict)
    helpers: set[str] = field(default_factory=set)
    special: set[str] = field(default_factory=set)
    definitions: set[str] = field(default_factory=set)
    kept_sums: dict[str, int] = field(default_factory=dict)
    proposals: dict[str, Any] = field(default_factory=dict)
    lanes: int = 0
    slots: int = 0
    sides: set[str] = field(default_factory=set)


def range_suffix(bound: Bound, declared: Bound) -> str:
    """Return what tells the rows of another range of a plate from the declared one's."""
    if bound == declared:
        return ""
    lower, upper = (_end_name(end) for end in bound)
    return f"_{lower}" if bound[1] == declared[1] else f"_{lower}_{upper}"


def _end_name(end: Expr) -> str:
    text = "".join(c if c.isalnum() else "_" for c in str(end))
    return text.strip("_").replace("__", "_")


def part_name(index: str, suffix: str, dropped_first: int, dropped_last: int) -> str:
    """Return the name of the rows left when some are dropped at each end of every group."""
    if dropped_last == 0:
        own = "later" if dropped_first == 1 else f"later{dropped_first}"
    elif dropped_first == 0:
        own = "earlier" if dropped_last == 1 else f"earlier{dropped_last}"
    else:
        own = f"inner{dropped_first}_{dropped_last}"
    return f"{index}{suffix}_{own}"


def index_name(symbol) -> str:
    """Return the plate of an index symbol as a name in the source."""
    return plate_of(symbol)
