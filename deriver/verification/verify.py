"""Verification of a sampler against its model statement: Derivation and source -> Verification.

Stage verification, the driver.  Four kinds of evidence: the density ratio of every conditional; the sampler's log
joint density against the families' own; Geweke's (2004) joint-distribution test, of every update by itself and of
whole sweeps; simulation-based calibration of the function ``sample``.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from deriver.derivation.density_ratio import RatioFailure, check_node
from deriver.derivation.records import Conditional, Derivation
from deriver.derivation.states import enough_rows, random_state
from deriver.errors import Mistake, UsageError
from deriver.language.mistakes import suggest
from deriver.model.records import Model
from deriver.verification.draw_checks import check_draws
from deriver.verification.records import Outcome, Verification
from deriver.verification.replicates import EFFORTS, SWEEP, Bench, Effort, Replicate, Task, bench_of
from deriver.verification.running import run_replicates
from deriver.verification.setting import choose_givens
from deriver.verification.simulate import State
from deriver.verification.statistics import (
    LEVEL,
    compared_p,
    detectable,
    detectable_shift,
    holm,
    paired_p,
    rank_p,
)

_SETTING, _STATES, _JOINT = 21, 22, 23  # children of the seed


def verify(
    derivation: Derivation, source: str, *, values: Mapping[str, Any] | None = None,
    sizes: Mapping[str, int] | None = None, effort: str | Effort = "default", jobs: int | None = None,
    dask: str | None = None, resume: Path | None = None, seed: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Verification:  # fmt: skip
    """Return the verification of a sampler's source against the model that it was derived from.

    ``values`` sets givens, ``sizes`` plates and dimensions; the rest are small and moderate.  The family-wise level
    of all tests is 1e-3.  Raises ``UsageError`` for an improper prior and for settings that do not fit.
    """
    began = time.perf_counter()
    task = make_task(derivation.model, source, values or {}, sizes or {}, effort, seed)
    outcomes = check_ratios(derivation, task)
    outcomes += check_log_joint(bench_of(task))
    replicates = run_replicates(task, jobs=jobs, dask=dask, resume=resume, progress=progress)
    bench = bench_of(task)
    draws = check_draws(bench, derivation, task.effort.draws_at)
    tests, ranks = judge(bench, replicates, draws)
    return Verification(
        model=derivation.model.name, seed=task.seed, effort=effort if isinstance(effort, str) else "own",
        level=LEVEL, outcomes=(*outcomes, *tests), setting=describe_setting(derivation.model, task.givens),
        counts={
            "prior": task.effort.prior * task.effort.block, "chain": task.effort.chain,
            "steps": task.effort.steps, "draws_at": task.effort.draws_at, "ranks": task.effort.ranks, "states": task.effort.states,
        },
        seconds=time.perf_counter() - began, draws=task.effort.draws, ranks=ranks,
    )  # fmt: skip


def make_task(
    model: Model, source: str, values: Mapping[str, Any], sizes: Mapping[str, int], effort: str | Effort,
    seed: int | None,
) -> Task:  # fmt: skip
    """Return the task of a verification: the givens chosen, all else as asked."""
    if isinstance(effort, str) and effort not in EFFORTS:
        found, known = f"--effort {effort}", list(EFFORTS)
        raise UsageError([
            Mistake(code="effort", found=found, expected=f"one of {', '.join(known)}", remedy=suggest(effort, known))
        ])  # fmt: skip
    chosen = EFFORTS[effort] if isinstance(effort, str) else effort
    seed = secrets.randbits(31) if seed is None else seed
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_SETTING,)))
    givens = choose_givens(model, rng, sizes=sizes, values=values)
    text = "\n".join([source, repr(chosen), str(seed), *describe_setting(model, givens)])
    key = hashlib.sha256(text.encode()).hexdigest()[:20]
    return Task(key=key, model=model, source=source, givens=givens, effort=chosen, seed=seed)


def describe_setting(model: Model, givens: State) -> tuple[str, ...]:
    """Return a line for each given that is a number, vector or matrix; covariates are only named."""
    lines = []
    for given in model.givens:
        values = givens[given.name]
        if given.indices and given.origin == "given":
            lines.append(f"{given.name}: random, {_range(list(values.values()))}")
        elif given.indices:
            lines.append(f"{given.name} = {[value for _, value in sorted(values.items())]}")
        else:
            lines.append(f"{given.name} = {_show(values[()])}")
    return tuple(lines)


def _range(values: list[Any]) -> str:
    if not values:
        return "no values"
    if isinstance(values[0], frozenset):
        return "subsets"
    return f"from {np.min(values):.3g} to {np.max(values):.3g}"


def _show(value: Any) -> str:
    if isinstance(value, frozenset):
        return f"[{', '.join(map(str, sorted(value)))}]"
    array = np.asarray(value)
    if array.ndim == 2:
        return "[" + "; ".join(", ".join(f"{x:.3g}" for x in row) for row in array) + "]"
    return "[" + ", ".join(f"{x:.3g}" for x in array) + "]" if array.ndim else f"{value:.4g}"


# --- exact checks -----------------------------------------------------------------------------------------


def check_ratios(derivation: Derivation, task: Task) -> list[Outcome]:
    """Return whether each derived conditional has the density ratios of the joint density, at random states."""
    rng = np.random.default_rng(np.random.SeedSequence(task.seed, spawn_key=(_STATES,)))
    held = {conditional.node: 0 for conditional in derivation.conditionals}
    failed: dict[str, RatioFailure] = {}
    size = enough_rows(derivation.model)
    for number in range(4 * task.effort.states):
        state = random_state(derivation.model, rng, dimension=2 + number % 2, size=size)
        for conditional in derivation.conditionals:
            if held[conditional.node] < task.effort.states and conditional.node not in failed:
                outcome = _check_one(derivation, conditional, state, rng)
                if isinstance(outcome, RatioFailure):
                    failed[conditional.node] = outcome
                held[conditional.node] += bool(outcome) and conditional.node not in failed
    return [_ratio_outcome(node, count, failed.get(node)) for node, count in held.items()]


def _check_one(
    derivation: Derivation, conditional: Conditional, state: Any, rng: np.random.Generator
) -> RatioFailure | bool:
    try:
        return check_node(derivation, conditional, state, rng)
    except KeyError:  # an index beyond its plate: sizes that no data could have
        return False


def _ratio_outcome(node: str, count: int, failure: RatioFailure | None) -> Outcome:
    detail = f"equal at {count} random states" if count else "no random state had a positive joint density"
    if failure is not None:
        detail = f"log ratio {failure.derived:.10g} derived, {failure.joint:.10g} by the joint density"
    return Outcome(
        kind="density ratio", node=node, name=node, passed=failure is None and count > 0, detail=detail
    )


def check_log_joint(bench: Bench, states: int = 5) -> list[Outcome]:
    """Return whether the sampler's log joint density differs from the families' own by no more than a constant."""
    rng, found = bench.rng(_JOINT), []
    for _ in range(states):
        state = bench.simulator.draw(rng)
        data = bench.module.prepare(bench.maker.inputs(state))
        theirs = float(np.asarray(bench.module.log_joint(bench.to_state(state), data))[0])
        found.append((theirs, bench.simulator.log_joint(state)))
    difference = np.array([a - b for a, b in found])
    size = 1.0 + max(abs(b) for _, b in found)
    passed = bool(np.all(np.abs(difference - difference[0]) <= 1e-8 * size))
    detail = f"{states} forward draws: " + ("equal" if passed else f"differs by {np.ptp(difference):.6g}")
    return [Outcome(kind="log joint", node="", name="log_joint", passed=passed, detail=detail)]


# --- tests ------------------------------------------------------------------------------------------------


def judge(
    bench: Bench, replicates: list[Replicate], draws: list[Outcome]
) -> tuple[list[Outcome], dict[str, np.ndarray]]:
    """Return the outcome of every test, corrected for the number of all, and the ranks by quantity."""
    errors = [each for each in replicates if each.error]
    good = [each for each in replicates if not each.error]
    outcomes = [_run_outcome(errors, len(replicates)), *(o for o in draws if o.p is None)]
    raw = [o for o in draws if o.p is not None] + _chain_outcomes(bench, good)
    ranks = _ranks(bench, good)
    raw += _rank_outcomes(bench, ranks)
    adjusted = holm(np.array([outcome.p for outcome in raw])) if raw else np.array([])
    shift = _shift_seen(bench, ranks, len(raw))
    for outcome, p in zip(raw, adjusted.tolist(), strict=True):
        seen = shift if outcome.error is None else detectable(outcome.error, LEVEL, len(raw))
        seen = None if outcome.kind == "draws" and outcome.error is None else seen
        outcomes.append(replace(outcome, adjusted=p, passed=p > LEVEL, detectable=seen))
    return outcomes, ranks


def _shift_seen(bench: Bench, ranks: dict[str, np.ndarray], tests: int) -> float | None:
    """Return the smallest shift of a posterior that its ranks show."""
    if not ranks:
        return None
    return detectable_shift(len(next(iter(ranks.values()))), bench.task.effort.draws, LEVEL / tests)


def _run_outcome(errors: list[Replicate], total: int) -> Outcome:
    if not errors:
        return Outcome(kind="run", node="", name="run", passed=True, detail=f"all {total} replicates ran")
    detail = f"{len(errors)} of {total} replicates stopped; the first: {errors[0].error}"
    return Outcome(kind="run", node="", name="run", passed=False, detail=detail)


def _stack(replicates: list[Replicate], kind: str, name: str) -> np.ndarray:
    return np.array([each.values[name] for each in replicates if each.kind == kind], dtype=float)


def _chain_outcomes(bench: Bench, replicates: list[Replicate]) -> list[Outcome]:
    """Return the tests of every update by itself and of whole sweeps, one a function; p values not yet adjusted."""
    means = _stack(replicates, "prior", "mean")
    squares = _stack(replicates, "prior", "square")
    chains = _stack(replicates, "chain", "chain")
    if len(means) < 3 or len(chains) < 3:
        return []
    mean = means.mean(axis=0)
    spread = np.sqrt(np.maximum(squares.mean(axis=0) - mean**2, 1e-12))
    error = spread / np.sqrt(len(means) * bench.task.effort.block)
    names = np.array([function.name for function in bench.functions])
    outcomes = []
    for node in (*bench.updates, SWEEP):
        place = bench.functions_of(node)
        values = _stack(replicates, "prior", f"update {node}")
        own = values.std(axis=0, ddof=1) / np.sqrt(len(values))
        p = paired_p(values)
        outcomes += _outcomes("update", node, names[place], p, values.mean(axis=0), own, spread[place])
    own = np.sqrt(chains.var(axis=0, ddof=1) / len(chains) + error**2)
    p = compared_p(chains, mean, error)
    return outcomes + _outcomes("chain", "", names, p, chains.mean(axis=0) - mean, own, spread)


def _outcomes(
    kind: Any, node: str, names: np.ndarray, p: np.ndarray, effect: np.ndarray, error: np.ndarray,
    spread: np.ndarray,
) -> list[Outcome]:  # fmt: skip
    return [
        Outcome(
            kind=kind, node=node, name=str(names[k]), passed=True, p=float(p[k]),
            effect=float(effect[k] / spread[k]), error=float(error[k] / spread[k]),
        )
        for k in range(len(names))
    ]  # fmt: skip


def _ranks(bench: Bench, replicates: list[Replicate]) -> dict[str, np.ndarray]:
    ranks = _stack(replicates, "ranks", "rank")
    if len(ranks) < 3:
        return {}
    quantities = bench.quantities.all
    return {q.name: ranks[:, k] for k, q in enumerate(quantities) if not q.observed}


def _rank_outcomes(bench: Bench, ranks: dict[str, np.ndarray]) -> list[Outcome]:
    draws, outcomes = bench.task.effort.draws, []
    by_name = {q.name: q.node for q in bench.quantities.all}
    for name, values in ranks.items():
        offset = float(np.mean((values + 0.5) / (draws + 1)) - 0.5) * np.sqrt(12)
        outcomes.append(
            Outcome(
                kind="ranks", node=by_name[name], name=name, passed=True, p=rank_p(values, draws), effect=offset,
            )
        )  # fmt: skip
    return outcomes
