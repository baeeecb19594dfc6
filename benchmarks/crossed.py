"""Effective draws a second of crossed effects drawn one by one and together: python benchmarks/crossed.py [--draws 1000]

Simulated data: 24 plates by 6 samples as in the penicillin assay, and factors of 100 by 20 and 300 by 100 groups.
Processor time of the sweeps after the warm-up, the least bulk effective sample size over all nodes; 4 chains.
"""

from __future__ import annotations

import argparse
import time
from types import ModuleType
from typing import Any

import numpy as np

import deriver
from deriver.language import parse_model
from deriver.running.mixing import mixing
from deriver.running.sampling import load_sampler

MODEL = """
model crossed
plates
  k = 1..K
  i = 1..n
  h = 1..m
given
  a : k -> i
  b : k -> h
data
  y[k] ~ N(mu + u[a[k]] + v[b[k]], sigma2)
process
  u[i] ~ N(0, s2u)
  v[h] ~ N(0, s2v)
parameters
  mu ~ N(0, 1e4)
  s2u ~ IG(2, 1)
  s2v ~ IG(2, 1)
  sigma2 ~ IG(2, 1)
"""
# Groups of the factors, rows (0: one a cell), standard deviations of both factors and of the error.
CASES = ((24, 6, 0, (0.85, 1.9, 0.55)), (100, 20, 1000, (1.0, 1.0, 1.0)), (300, 100, 3000, (0.3, 0.3, 1.0)))


def simulate(groups: int, others: int, rows: int, spreads: tuple[float, ...]) -> dict[str, Any]:
    """Return crossed data, each row of a random cell, or one row of each."""
    rng = np.random.default_rng(1)
    a, b = (index.ravel() for index in np.indices((groups, others)))
    if rows:
        a, b = rng.integers(0, groups, rows), rng.integers(0, others, rows)
    first, second, error = (
        spread * rng.normal(size=size) for spread, size in zip(spreads, (groups, others, len(a)), strict=True)
    )
    return {"a": a, "b": b, "y": 22 + first[a] + second[b] + error, "n": groups, "m": others, "K": len(a)}


def measure(module: ModuleType, data: dict[str, Any], collapse: str, draws: int) -> tuple[float, float]:
    """Return the least effective draws a draw, and the seconds of a draw."""
    prepared, seconds = module.prepare(data), []
    for count in (1, draws):
        began = time.process_time()
        found = module.sample(prepared, draws=count, warmup=600, seed=3, collapse=collapse)
        seconds.append(time.process_time() - began)
    nodes = [value for value in found.values() if isinstance(value, np.ndarray)]
    least = min(float(np.min(mixing(node.reshape(*node.shape[:2], -1))[0])) for node in nodes)
    return least / (4 * draws), (seconds[1] - seconds[0]) / (draws - 1)


def main() -> None:
    """Print a line for each data set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1000)
    draws = parser.parse_args().draws
    module = load_sampler(deriver.emit(parse_model(MODEL), blocks="on"), "crossed")
    for groups, others, rows, spreads in CASES:
        data = simulate(groups, others, rows, spreads)
        alone, together = (measure(module, data, collapse, draws) for collapse in ("off", "on"))
        rates = [4 * share / seconds for share, seconds in (alone, together)]
        print(f"{groups} x {others}, {len(data['y'])} rows: effective share of draws {alone[0]:.3f} one by one, "
              f"{together[0]:.3f} together; ms a sweep {1e3 * alone[1]:.2f}, {1e3 * together[1]:.2f}; "
              f"effective draws a second {rates[0]:.0f}, {rates[1]:.0f}: {rates[1] / rates[0]:.1f} times")  # fmt: skip


if __name__ == "__main__":
    main()
