"""Declared subsets of a plate: which elements are members, and which elements a node's statements cover.

Part of stage run.  A subset comes from a column that is not 0 for its members, or from numbers counted as in the
model (``--set "S=[1, 4]"``).  A sampler takes the members counted from 0.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from deriver.language.mistakes import listing
from deriver.model.records import Model
from deriver.running.layout import Layout
from deriver.running.problems import Problems
from deriver.running.sizes import Sizes, UnknownSize
from deriver.running.symbols import Symbol


def check_members(symbol: Symbol, array: np.ndarray, sizes: Sizes, problems: Problems) -> np.ndarray:
    """Return the members of a subset counted from 0, sorted; record those that the plate has not."""
    index = symbol.plate or ""
    members = np.unique(np.ravel(array))
    try:
        lower = sizes.lower(index)
        upper = int(sizes.evaluate(sizes.model.plate(index).upper, {}))
    except UnknownSize:
        return members.astype(np.intp)
    wrong = [x for x in members.tolist() if x != int(x) or not lower <= x <= upper]
    if wrong:
        problems.add(
            "subset", f"the subset `{symbol.name}` holds {listing([f'{x:g}' for x in wrong[:5]], 'and')}",
            expected=f"values of `{index}`, whole numbers in {lower}..{upper}",
        )  # fmt: skip
        return np.array([], dtype=np.intp)
    return (members - lower).astype(np.intp)


def covered_elements(
    model: Model, name: str, layout: Layout, members: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Return which elements of a node some statement covers; all, where no statement ranges over a subset."""
    covered = np.zeros(tuple(block.size for block in layout.blocks), dtype=bool)
    for statement in model.statements_of(name):
        inside = np.ones_like(covered)
        for place in statement.ranges:
            if place.subset is None or place.index not in layout.indices:
                continue
            for axis, block in enumerate(layout.blocks):
                if place.index in block.indices:
                    lower = block.levels[block.indices.index(place.index)].lower.min(initial=1)
                    belongs = np.isin(block.rows[place.index] - lower, members[place.subset])
                    inside &= belongs.reshape((-1,) + (1,) * (covered.ndim - axis - 1))
        covered |= inside
    return covered
