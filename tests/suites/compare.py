"""Running an example and holding its draws against the reference, at the Monte Carlo errors of both."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import arviz as az
import numpy as np

import deriver
from deriver.pipeline import plan
from deriver.running.results import Result
from tests.posterior_checks import LARGEST_MCSE, STANDARD_ERRORS, element
from tests.suites.catalogue import Example, derivation_of, read_model

CHAINS = 16
SMALLEST_SD = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run said: the worst |z| of a mean or sd, in which quantity, and the least effective draws a second."""

    worst: float
    where: str
    ess_per_second: float
    r_hat: float
    enough: bool


def run_example(example: Example, *, draws: int, chains: int = CHAINS, seed: int = 1) -> Result:
    """Return the result of a run on the NumPy backend."""
    return deriver.run(
        read_model(example.model), example.data, values=example.values, derived=example.derived, chains=chains,
        warmup=max(500, draws // 2), draws=draws, seed=seed, progress=False, backend="numpy",
    )  # fmt: skip


def judge(example: Example, result: Result) -> Outcome:
    """Compare the draws with the reference; without one, tell how the headline quantities mixed."""
    posterior = result.idata.posterior
    names = list(example.expected) or [name for name in result.headline if posterior[name].ndim == 2]
    gaps, effective, r_hats, enough = [(0.0, "")], [], [], True
    for name in names:
        draws = element(posterior, name)
        effective.append(float(az.ess(draws)))
        r_hats.append(float(az.rhat(draws)))
        mcse = float(az.mcse(draws, method="mean"))
        enough &= mcse <= LARGEST_MCSE * max(float(draws.std()), SMALLEST_SD)
        if name in example.expected:
            gaps += _gaps(name, draws, mcse, example.expected[name])
    worst = max(gaps)
    return Outcome(
        worst=worst[0],
        where=worst[1],
        ess_per_second=min(effective) / result.seconds,
        r_hat=max(r_hats),
        enough=enough,
    )


def _gaps(name: str, draws: np.ndarray, mcse: float, reference: dict[str, float]) -> list[tuple[float, str]]:
    """Return |difference|, less what rounding explains, in standard errors, for the mean and the sd."""
    sd_mcse = float(az.mcse(draws, method="sd"))
    pairs = (
        ("mean", float(draws.mean()) - reference["mean"], math.hypot(mcse, reference.get("mcse", 0.0)), "rounding"),
        ("sd", float(draws.std(ddof=1)) - reference["sd"], math.hypot(sd_mcse, reference.get("sd_mcse", 0.0)), "sd_rounding"),
    )  # fmt: skip
    return [
        (max(abs(gap) - reference.get(rounding, 0.0), 0.0) / error, f"{what} of {name}")
        for what, gap, error, rounding in pairs
    ]


def run_until_enough(example: Example, *, seconds: float, seed: int = 1) -> tuple[Result, Outcome]:
    """Run with more draws until the errors are small enough, or the time is up."""
    began, draws = time.monotonic(), 500
    while True:
        result = run_example(example, draws=draws, seed=seed)
        outcome = judge(example, result)
        if outcome.enough or 4 * (time.monotonic() - began) > seconds:
            return result, outcome
        draws *= 3


def methods_of(example: Example) -> dict[str, str]:
    """Return how each node of an example is drawn."""
    return {step.node: step.method for step in plan(derivation_of(example.model)).steps}


def agrees(outcome: Outcome) -> bool:
    """Tell whether nothing is more than four standard errors away."""
    return outcome.worst <= STANDARD_ERRORS
