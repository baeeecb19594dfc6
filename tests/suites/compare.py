"""Running an example and holding its draws against the reference, at the Monte Carlo errors of both."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import arviz as az
import numpy as np

import deriver
from deriver.pipeline import plan
from deriver.running.results import Result
from tests.posterior_checks import LARGEST_MCSE, STANDARD_ERRORS, element
from tests.suites.catalogue import Example, derivation_of, read_model

CHAINS = 16
FIRST_DRAWS = 500
MOST_GROWTH = 30  # of the draws, from a run to the next: the errors of a short run are themselves uncertain
SMALLEST_SD = 1e-9
LARGEST_R_HAT = 1.02
Expected = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run said: the worst |z| of a mean or sd, in which quantity, and the least effective draws a second.

    ``error`` is the largest Monte Carlo error of a mean, in posterior standard deviations; ``enough`` tells whether it
    is small enough to compare.
    """

    worst: float
    where: str
    ess_per_second: float
    r_hat: float
    error: float
    enough: bool


def run_example(
    example: Example, *, draws: int, chains: int = CHAINS, seed: int = 1, backend: str = "numpy"
) -> Result:
    """Return the result of a run."""
    return deriver.run(
        read_model(example.model), example.data, values=example.values, derived=example.derived, chains=chains,
        warmup=max(500, draws // 2), draws=draws, seed=seed, progress=False, backend=backend,
    )  # fmt: skip


def judge(example: Example, result: Result) -> Outcome:
    """Compare the draws with the reference; without one, tell how the headline quantities mixed."""
    return judge_draws(result, example.expected)


def judge_draws(result: Result, expected: Expected) -> Outcome:
    """Compare draws with what is expected of them; of nothing, tell how the headline quantities mixed."""
    posterior = result.idata.posterior
    names = list(expected) or [_first_of(posterior, name) for name in result.headline]
    gaps, effective, r_hats, errors = [(0.0, "")], [], [], [0.0]
    for name in names:
        draws = element(posterior, name)
        effective.append(float(az.ess(draws)))
        r_hats.append(float(az.rhat(draws)))
        mcse = float(az.mcse(draws, method="mean"))
        errors.append(mcse / max(float(draws.std()), SMALLEST_SD))
        if name in expected:
            gaps += _gaps(name, draws, mcse, expected[name])
    worst = max(gaps)
    return Outcome(
        worst=worst[0],
        where=worst[1],
        ess_per_second=min(effective) / result.seconds,
        r_hat=max(r_hats),
        error=max(errors),
        enough=max(errors) <= LARGEST_MCSE,
    )


def _first_of(posterior, name: str) -> str:
    """Return the name of a number, or of the first element of an array."""
    lead = posterior[name].ndim - 2
    return f"{name}[{','.join('1' * lead)}]" if lead else name


def _gaps(
    name: str, draws: np.ndarray, mcse: float, reference: Mapping[str, float]
) -> list[tuple[float, str]]:
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


def run_until_enough(
    run: Callable[[int, str], Result], expected: Expected, *, seconds: float
) -> tuple[Outcome, int]:
    """Run with as many draws as make the errors small enough, or as fit into the seconds of CPU; return how many, too.

    ``run`` takes the number of draws and the backend: the first run, a short one, needs no compiling; what it says of
    the errors and of the time settles the length of the next.
    """
    began, draws = time.process_time(), FIRST_DRAWS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = run(draws, "numpy")
        outcome = judge_draws(result, expected)
        while not outcome.enough or outcome.r_hat > LARGEST_R_HAT:
            left = seconds - (time.process_time() - began)
            growth = min(MOST_GROWTH, 1.3 * max(1.5, (outcome.error / LARGEST_MCSE) ** 2))
            growth = min(growth, 0.8 * left / max(result.seconds, 1e-3))
            if left <= 0 or growth < 1.3 or math.isnan(growth):
                break
            draws = int(draws * growth)
            result = run(draws, "auto")
            outcome = judge_draws(result, expected)
    return outcome, draws


def methods_of(example: Example) -> dict[str, str]:
    """Return how each node of an example is drawn."""
    return {step.node: step.method for step in plan(derivation_of(example.model)).steps}


def agrees(outcome: Outcome) -> bool:
    """Tell whether nothing is more than four standard errors away."""
    return outcome.worst <= STANDARD_ERRORS
