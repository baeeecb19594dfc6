"""A second likelihood term over the first B individuals, declared by a range on the statement.

Premises: as subset_column, with w_i ~ N(c0 + c1 beta0_i, v_i) for i in 1..B, B <= n.

beta0_i: for i <= B one term more, d = c1, e = w_i - c0, w = v_i; for i > B none.   The rest as in subset_column.
"""

from __future__ import annotations

import numpy as np

from . import densities, subset_column
from .common import (
    Hand,
    Index,
    Sizes,
    State,
    column,
    edited,
    plate,
    positives,
    reals,
    scalar,
)

MODEL = edited(
    subset_column.MODEL,
    ("model subset_column", "model subset_range"),
    ("  b = 1..B                     # the individuals measured a second time\n", ""),
    ("  s : b -> i\n  v[b] > 0", "  B : integer > 0\n  v[i] > 0"),
    (
        "w[b] ~ N(c0 + c1 * beta0[s[b]], v[b])",
        "w[i] ~ N(c0 + c1 * beta0[i], v[i]) for i in 1..B",
    ),
)

SIZES: tuple[Sizes, ...] = (
    {"n": 4, "J": (2, 1, 0, 3), "B": 2},
    {"n": 2, "J": (0, 2), "B": 1},
    {"n": 3, "J": (1, 4, 1), "B": 3},
)


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: y (i,j); w (i), i <= B; v, beta0 (i); scalars."""
    every = plate(sizes["n"])
    covered = subset_column.random_state(rng, {**sizes, "s": ()})
    del covered["s"]
    return covered | {"w": reals(rng, plate(sizes["B"])), "v": positives(rng, every)}


def log_joint(state: State) -> float:
    """The sum of the six log densities of the model."""
    covered = plate(scalar(state, "B"))
    fitted = scalar(state, "c0") + scalar(state, "c1") * column(state, "beta0", covered)
    second = densities.normal(column(state, "w", covered), fitted, column(state, "v", covered))
    return subset_column.log_first(state) + second


def _intercept(state: State, at: Index) -> Hand:
    return subset_column.intercept_with(state, at, [at] if at[0] <= scalar(state, "B") else [])


CONDITIONALS = subset_column.CONDITIONALS | {"beta0": _intercept}
