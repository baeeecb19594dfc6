"""Effective draws a second with effects moved with their centre and covariance, and without.

    python benchmarks/interwoven.py [--backend numba] [--draws 4000]

Simulated counts, logits and groups of their own variances, from few rows a group to many.  Processor time of the sweeps
after the warm-up; the least bulk effective sample size over the parameters of the effects; 4 chains.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from typing import Any

import numpy as np

import deriver
from deriver.emission.module import emit
from deriver.language import parse_model, print_model
from deriver.model.records import Model
from deriver.running.mixing import mixing
from deriver.running.sampling import load_sampler

WARMUP = 1000
# The response, groups, rows of each, the variance of the effects.
CASES = (
    ("counts", 500, 1, 0.05), ("counts", 200, 3, 0.02), ("counts", 100, 20, 0.2), ("counts", 1000, 50, 0.2),
    ("logits", 200, 4, 0.05), ("log sds", 200, 3, 0.02), ("log sds", 100, 20, 0.2),
)  # fmt: skip


def model_of(kind: str) -> Model:
    """Return the model of a response: those of the package, Bernoulli probabilities for the second."""
    if kind == "log sds":
        return deriver.load_model("random_log_sd")
    counts = deriver.load_model("poisson")
    text = print_model(counts)
    return (
        counts
        if kind == "counts"
        else parse_model(text.replace("Pois(", "Bernoulli(").replace("log(z", "logit(z"))
    )


def simulate(kind: str, groups: int, rows: int, variance: float) -> dict[str, Any]:
    """Return rows of groups, with a prior that guesses the variance of the effects right."""
    rng = np.random.default_rng([1, groups, rows])
    effects = np.array([0.2, 0.3]) + np.sqrt(variance) * rng.normal(size=(groups, 2))
    x = rng.normal(size=(groups, rows))
    design = np.column_stack([np.ones(groups * rows), x.ravel()])
    data: dict[str, Any] = {"J": np.full(groups, rows), "x": design}
    if kind == "log sds":
        sds = np.exp(np.sqrt(variance) * rng.normal(size=(groups, 1)))
        return data | {
            "y": (0.2 + 0.3 * x + sds * rng.normal(size=x.shape)).ravel(),
            "q_sigma": 2.0,
            "r_sigma": 1 / variance,
        }
    linear = effects[:, :1] + effects[:, 1:] * x
    draw = (
        rng.poisson(np.exp(linear)) if kind == "counts" else rng.random(x.shape) < 1 / (1 + np.exp(-linear))
    )
    return data | {"y": draw.ravel().astype(float), "S": variance * np.eye(2), "nu": 3.0}


def measure(
    kind: str, data: dict[str, Any], backend: str, moves: bool, draws: int
) -> tuple[float, float, list[str]]:
    """Return the least effective share of the draws, the seconds of a sweep, and the moves that were kept."""
    model = model_of(kind)
    derivation = deriver.derive(model)
    plan = deriver.pipeline.plan(derivation)
    plan = plan if moves else replace(plan, together=())
    source = emit(derivation, plan, backend=backend, sizes={"p": 2} if backend == "numba" else None)
    module = load_sampler(source, f"interwoven_{moves}")
    marks: list[tuple[int, float]] = []

    def mark(number: int, total: int) -> None:
        if number >= WARMUP and (not marks or number == total):
            marks.append((number, time.process_time()))

    names = ("mu", "Q") if kind != "log sds" else ("mu_sigma", "sigma2_sigma")
    found = module.sample(module.prepare(data), draws=draws, warmup=WARMUP, seed=3, keep=names, progress=mark)
    least = min(float(np.min(mixing(found[n].reshape(4, draws, -1))[0])) for n in names)
    kept = [key for key, rate in found["acceptance"].items() if "_with_" in key and np.mean(rate) > 0]
    return least / (4 * draws), (marks[1][1] - marks[0][1]) / (marks[1][0] - marks[0][0]), kept


def main() -> None:
    """Print a line for each data set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", choices=("numpy", "numba"), default="numpy")
    parser.add_argument("--draws", type=int, default=2000)
    options = parser.parse_args()
    for kind, groups, rows, variance in CASES:
        data = simulate(kind, groups, rows, variance)
        one, other = (measure(kind, data, options.backend, moves, options.draws) for moves in (False, True))
        rates = [4 * share / seconds for share, seconds, _ in (one, other)]
        print(
            f"{kind}, {groups} x {rows}: effective share {one[0]:.4f} without, {other[0]:.4f} with; "
            f"ms a sweep {1e3 * one[1]:.3f}, {1e3 * other[1]:.3f}; "
            f"{rates[1] / rates[0]:.2f} times the effective draws a second; kept: {', '.join(other[2]) or 'none'}",
            flush=True,
        )


if __name__ == "__main__":
    main()
