"""The table cases.json against hand-written kernels; the package takes no part.

A kernel is in an exponential family if its log lies in the span of the family's statistics. That is settled by least
squares at many points of the support: the residual is rounding error, or it is not. A claimed family must fit; where
Metropolis-Hastings is claimed, no family may fit, met as it is or in the square, root, reciprocal or logarithm.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from .hand_kernels import KERNELS

TABLE = json.loads(Path(__file__).with_name("cases.json").read_text())

# The kernel fits, and the claim rests on the support or on the model: see each case's reason in the table.
FITS_BUT_IS_NOT = {
    ("uniform_upper_end", "theta"): "gamma",
    ("wishart_times_wishart", "A"): "wishart",
}


def _powers(*exponents: float) -> list[Callable]:
    return [lambda x, e=e: np.power(x, e) for e in exponents]


def _upper(matrix: np.ndarray) -> list[float]:
    return [matrix[0, 0], matrix[0, 1], matrix[1, 1]]


NORMAL = _powers(1, 2)
POSITIVE_FAMILIES = {
    "normal": NORMAL,
    "gamma": [np.log, *_powers(1)],
    "inverse_gamma": [np.log, *_powers(-1)],
    "gamma of the square": [np.log, *_powers(2)],
    "inverse_gamma of the square": [np.log, *_powers(-2)],
    "gamma of the root": [np.log, *_powers(0.5)],
    "inverse_gamma of the root": [np.log, *_powers(-0.5)],
    "normal of the log": [np.log, lambda x: np.log(x) ** 2],
}
REAL_FAMILIES = {"normal": NORMAL} | {
    f"gamma or inverse_gamma of exp({rate} x)": [
        lambda x: x,
        lambda x, rate=rate: np.exp(rate * x),
    ]
    for rate in (-2, -1, 1, 2)
}
FAMILIES: dict[str, dict[str, list[Callable]]] = {
    "real": REAL_FAMILIES,
    "positive": POSITIVE_FAMILIES,
    "unit": POSITIVE_FAMILIES | {"beta": [np.log, lambda x: np.log1p(-x)]},
    "correlation": {
        "normal": NORMAL,
        "beta on (-1, 1)": [np.log1p, lambda x: np.log1p(-x)],
    },
    "matrix": {
        "wishart": [lambda x: np.linalg.slogdet(x)[1], _upper],
        "inverse_wishart": [
            lambda x: np.linalg.slogdet(x)[1],
            lambda x: _upper(np.linalg.inv(x)),
        ],
    },
    "simplex": {"dirichlet": [np.log]},
    "vector": {"normal": [lambda x: x, lambda x: _upper(np.outer(x, x))]},
}


def _random_matrix(rng: np.random.Generator) -> np.ndarray:
    root = rng.normal(size=(2, 4))
    return root @ root.T / 4 + 0.2 * np.eye(2)


DRAWS: dict[str, Callable[[np.random.Generator], float | np.ndarray]] = {
    "real": lambda rng: rng.normal(0.0, 1.5),
    "positive": lambda rng: np.exp(rng.normal(0.0, 0.7)),
    "unit": lambda rng: rng.uniform(0.02, 0.98),
    "correlation": lambda rng: rng.uniform(-0.95, 0.95),
    "matrix": _random_matrix,
    "simplex": lambda rng: rng.dirichlet(np.full(3, 3.0)),
    "vector": lambda rng: rng.normal(size=2),
}


def misfit(kernel: Callable, statistics: list[Callable], points: list) -> float:
    """The largest residual of the log kernel on the statistics and a constant, relative to its spread."""
    design = np.array([np.hstack([1.0, *(np.atleast_1d(s(x)) for s in statistics)]) for x in points])
    target = np.array([kernel(x) for x in points])
    target = (target - target.mean()) / target.std()
    design = design / np.abs(design).max(axis=0)
    solution = np.linalg.lstsq(design, target, rcond=None)[0]
    return float(np.abs(design @ solution - target).max())


def fitting_families(kind: str, kernel: Callable) -> set[str]:
    """The families whose kernel this is; a residual between rounding and plain misfit is an error of the test."""
    rng = np.random.default_rng(8)
    points = [DRAWS[kind](rng) for _ in range(80)]
    misfits = {name: misfit(kernel, statistics, points) for name, statistics in FAMILIES[kind].items()}
    unclear = {name: value for name, value in misfits.items() if 1e-10 < value < 1e-4}
    if unclear:
        raise ArithmeticError(f"neither a fit nor a misfit: {unclear}")
    return {name for name, value in misfits.items() if value <= 1e-10}


ROWS = [pytest.param(row, id=f"{row['file']}-{row['node']}") for row in TABLE]


@pytest.mark.parametrize("row", ROWS)
def test_claim(row: dict) -> None:
    key = (row["file"].removesuffix(".model"), row["node"])
    ((kind, kernel),) = [(kind, kernels[key]) for kind, kernels in KERNELS.items() if key in kernels]
    fitting = fitting_families(kind, kernel)
    claimed = {row["expected"], *row.get("also", ())} - {"mh"} | {FITS_BUT_IS_NOT.get(key, "mh")} - {"mh"}
    assert {name.removesuffix(" of the square") for name in fitting} == claimed


def test_every_kernel_is_of_a_case() -> None:
    rows = {(row["file"].removesuffix(".model"), row["node"]) for row in TABLE}
    kernels = [key for group in KERNELS.values() for key in group]
    assert sorted(kernels) == sorted(rows)
