"""The data of the comparison: packaged CSV files, and grids simulated at a fixed seed.

The true values of the simulated grids are near those of data/s2k.csv.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

DATA = Path(__file__).parent / "data"
NILE = Path(__file__).parents[2] / "deriver" / "examples" / "data" / "nile.csv"
SEED = 20240607
TRUE_MEAN = np.array([2.0, -1.0])
TRUE_COVARIANCE = np.array([[0.5, 0.15], [0.15, 0.5]])
TRUE_SIGMA2 = 1.0
TRUE_LOG_MEAN = np.array([0.5, 0.25])
TRUE_LOG_COVARIANCE = np.array([[0.2, 0.05], [0.05, 0.2]])
TRUE_PHI = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows in groups, sorted by group: size (n), x and y (rows); S0 is the guess in the Wishart prior."""

    name: str
    size: np.ndarray
    x: np.ndarray
    y: np.ndarray
    S0: float = 0.1

    def write(self, path: Path) -> None:
        """Write the binary file that the C samplers read."""
        with path.open("wb") as stream:
            np.array([len(self.size), len(self.x)], dtype=np.int64).tofile(stream)
            self.size.astype(np.int64).tofile(stream)
            self.x.astype(float).tofile(stream)
            self.y.astype(float).tofile(stream)


def load_rows(name: str, response: str) -> Rows:
    """Rows of a packaged file by its name, or of a grid called ``<groups>x<repeats>``, for yA, yC or yP."""
    path = DATA / f"{name}.csv"
    if path.is_file():
        return _read_rows(path, response)
    groups, _, repeats = name.partition("x")
    return simulate_rows(int(groups), int(repeats), response)


def _read_rows(path: Path, response: str) -> Rows:
    with path.open(encoding="utf-8", newline="") as stream:
        records = list(csv.DictReader(stream))
    group = np.array([int(record["g"]) for record in records])
    return Rows(
        name=path.stem, size=np.bincount(group), x=np.array([float(record["x"]) for record in records]),
        y=np.array([float(record[response]) for record in records]),
        S0=100.0 if path.stem in ("rats", "sleep") else 0.1,
    )  # fmt: skip


def simulate_rows(groups: int, repeats: int, response: str) -> Rows:
    """A grid of rows; the slope is common for yA, random for yC and for the counts yP."""
    rng = np.random.default_rng([SEED, groups, repeats, "ACP".index(response[1])])
    counts = response == "yP"
    mean, covariance = (TRUE_LOG_MEAN, TRUE_LOG_COVARIANCE) if counts else (TRUE_MEAN, TRUE_COVARIANCE)
    effects = mean + rng.standard_normal((groups, 2)) @ np.linalg.cholesky(covariance).T
    if response == "yA":
        effects[:, 1] = mean[1]
    x = rng.standard_normal((groups, repeats))
    eta = effects[:, :1] + effects[:, 1:] * x
    y = rng.poisson(np.exp(eta)) if counts else eta + np.sqrt(TRUE_SIGMA2) * rng.standard_normal(x.shape)
    size = np.full(groups, repeats)
    return Rows(name=f"{groups}x{repeats}", size=size, x=x.ravel(), y=y.ravel().astype(float))


def load_series(name: str) -> Rows:
    """The Nile, or a simulated autoregression of ``int(name)`` steps seen with error, as one group."""
    y = _read_nile() if name == "nile" else _simulate_series(int(name))
    return Rows(name=name, size=np.array([len(y)]), x=np.zeros(len(y)), y=y)


def _read_nile() -> np.ndarray:
    with NILE.open(encoding="utf-8", newline="") as stream:
        lines = (line for line in stream if not line.startswith("#"))
        return np.array([float(record["flow"]) for record in csv.DictReader(lines)])


def _simulate_series(length: int) -> np.ndarray:
    rng = np.random.default_rng([SEED, length])
    state, states = 0.0, np.empty(length)
    for t, step in enumerate(rng.standard_normal(length)):
        states[t] = state = TRUE_PHI * state + step
    return states + rng.standard_normal(length)
