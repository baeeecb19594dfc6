"""Everything that is checked of one random model, from its text to a few sweeps of its sampler.

``examine`` returns what was found, or raises ``Failed`` naming the check that did not hold.  A sampler that the
emitter refuses with a message is counted, not failed.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deriver.derivation.conditionals import derive
from deriver.derivation.density_ratio import check_derivation
from deriver.derivation.numeric import canonical_at, elements, log_joint, with_element
from deriver.derivation.records import Conditional, Derivation
from deriver.derivation.states import random_state, redraw
from deriver.errors import DeriverError, ModelError, UsageError
from deriver.language import parse_model, print_model
from deriver.model.records import Given, Model
from tests.model_checks import Bench, check_bench
from tests.random_models.densities import DENSITIES
from tests.random_models.draft import Case
from tests.random_models.reference import Reference

STATES, GRID, TOLERANCE = 2, 5, 1e-7
SWEEPS, LONG_WARMUP = 3, 300  # a start outside the support may take some sweeps to enter it
REFUSALS = ("not_emitted", "index_not_inverted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What became of one model: each node's family or method, and why there is no sampler, if there is none."""

    nodes: Mapping[str, str]
    refused: str = ""


class Failed(AssertionError):
    """A check that did not hold; ``check`` names it."""

    def __init__(self, check: str, why: str) -> None:
        super().__init__(check, why)
        self.check = check


def examine(case: Case) -> Found:
    """Hold one model against every check; raise ``Failed`` for the first that does not hold."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        model = _run("parse", lambda: parse_model(case.text))
        _run("print", lambda: check_printing(model))
        try:
            derivation = _run("derive", lambda: derive(model))
        except ModelError as error:
            return Found(nodes={}, refused=refusal(error))
        check_marks(case, derivation)
        _run("density ratio", lambda: check_derivation(derivation, seed=case.seed))
        _run("independent joint", lambda: check_against_reference(derivation, case.seed))
        nodes = {c.node: c.family or c.method for c in derivation.conditionals}
        try:
            with tempfile.TemporaryDirectory() as folder:
                _run("sampler", lambda: check_sampler(case, Path(folder)))
        except UsageError as error:
            return Found(nodes=nodes, refused=refusal(error))
        return Found(nodes=nodes)


def refusal(error: DeriverError) -> str:
    """Return a refusal in a word or two; raise ``Failed`` where it is no proper one."""
    mistake = error.mistakes[0]
    if mistake.code not in REFUSALS or not (mistake.expected or mistake.remedy):
        raise Failed("refusal", str(error))
    return f"{mistake.code}: {mistake.found}"


def _run(check: str, action: Any) -> Any:
    """Call; whatever it raises but a refusal is a failure of that check."""
    try:
        return action()
    except Failed:
        raise
    except DeriverError as error:
        if {mistake.code for mistake in error.mistakes} <= set(REFUSALS):
            raise
        raise Failed(check, f"{type(error).__name__}: {error}") from error
    except Exception as error:
        raise Failed(check, f"{type(error).__name__}: {error}") from error


def check_printing(model: Model) -> None:
    """A model printed and parsed is the same model."""
    printed = print_model(model)
    assert parse_model(printed) == model, printed
    assert print_model(parse_model(printed)) == printed


def check_marks(case: Case, derivation: Derivation) -> None:
    """What is conjugate by construction is found so; what is not is not claimed."""
    for conditional in derivation.conditionals:
        found = conditional.family if conditional.method == "gibbs" else None
        expected = case.must.get(conditional.node, found)
        if found != expected:
            why = conditional.reason.why if conditional.reason else ""
            raise Failed(
                "missed" if found is None else "family",
                f"{conditional.node} is {found}, not {expected}; {why}",
            )
        if conditional.node in case.never and found is not None:
            raise Failed("false conjugacy", f"{conditional.node} is claimed to be {found}")


# --- against a joint density that shares no code -------------------------------------------------------------


def check_against_reference(derivation: Derivation, seed: int) -> None:
    """The joint is that of the text, and each family claimed follows it along a grid of values."""
    reference, checked = Reference(derivation.model), set()
    for number in range(STATES):
        rng = np.random.default_rng([seed, number])
        state = make_state(
            derivation.model, rng, dimension=1 + (seed + number) % 3, size=1 + (seed + 2 * number) % 3
        )
        expected = _joint(reference, state)
        if not np.isfinite(expected):
            continue
        got = log_joint(derivation.factors, derivation.definitions, state)
        np.testing.assert_allclose(got, expected, rtol=1e-8, atol=1e-8, err_msg="log joint")
        for conditional in derivation.conditionals:
            if conditional.family is not None and _check_grid(derivation, conditional, reference, state, rng):
                checked.add(conditional.node)


def _joint(reference: Reference, state: Mapping) -> float:
    """Return the log joint density, -inf where a parameter is out of its range (a precision of 0)."""
    try:
        return reference.log_joint(state)
    except (ZeroDivisionError, np.linalg.LinAlgError):
        return -np.inf


def _check_grid(
    derivation: Derivation,
    conditional: Conditional,
    reference: Reference,
    state: Mapping,
    rng: np.random.Generator,
) -> bool:
    """Hold log conditional - log joint constant over values of one element."""
    indices = list(elements(conditional.ranges, state))
    if not indices:
        return False
    index = indices[rng.integers(len(indices))]
    family, values = canonical_at(conditional, state, index)
    values = {
        name: value for name, value in values.items() if name not in ("lower", "upper") or family == "uniform"
    }
    density = DENSITIES[family](values, np.shape(state[conditional.node][index]))
    gaps = []
    for value in grid(derivation.model, conditional, index, state, rng):
        joint = _joint(reference, with_element(state, conditional.node, index, value))
        if np.isfinite(joint):
            gaps.append((density.log(value) - joint, abs(joint)))
    level = [gap for gap, _ in gaps]
    room = TOLERANCE * (1 + max((size for _, size in gaps), default=0.0))
    if gaps and max(level) - min(level) > room:
        raise Failed("false conjugacy", f"{conditional.node}{list(index)} as {family}: log ratios {level}")
    return len(gaps) > 1


def grid(
    model: Model, conditional: Conditional, index: tuple[int, ...], state: Mapping, rng: np.random.Generator
) -> list[Any]:
    """Return values of an element, generic and far out."""
    values = [state[conditional.node][index]]
    values += [redraw(model, conditional.node, index, dict(state), rng) for _ in range(GRID - 1)]
    kind, lower, upper = conditional.support
    if kind == "real" and not conditional.shape and upper is None and lower in (None, 0):
        values += [0.05 * abs(values[0]), 20 * abs(values[0])]
    return values


def make_state(model: Model, rng: np.random.Generator, *, dimension: int, size: int) -> dict:
    """Return a random state in which some real covariates are exactly 0 or 1, the first of them first."""
    state = random_state(model, rng, dimension=dimension, size=size)
    for given in model.givens:
        if is_covariate(given):
            for place, key in enumerate(state[given.name]):
                if place == 0 or rng.uniform() < 0.2:
                    state[given.name][key] = np.full(
                        np.shape(state[given.name][key]), float(rng.integers(2))
                    )[()]
    return state


def is_covariate(given: Given) -> bool:
    """Tell whether a given is a free real number or vector by plate."""
    free = given.support.kind == "real" and given.support.lower is None and given.support.upper is None
    return free and len(given.shape) < 2 and bool(given.indices)


# --- the sampler ------------------------------------------------------------------------------------------------


def check_sampler(case: Case, folder: Path) -> None:
    """The emitted log joint, parameters and moves agree with the derivation, and a few sweeps run."""
    bench = Bench(case.text, folder, case.seed)
    check_bench(bench, case.seed)
    check_sweeps(bench, case.seed)


def check_sweeps(bench: Bench, seed: int) -> None:
    """Every draw is finite and of the right shape, and the last state has a finite log joint density."""
    module = bench.module
    data = module.prepare(bench.inputs() | observations(bench, seed))
    for warmup in (SWEEPS, LONG_WARMUP):
        found = module.sample(data, draws=SWEEPS, warmup=warmup, chains=2, seed=seed)
        last = {}
        for name in bench.nodes:
            shape = getattr(bench.arrays, name).shape
            assert found[name].shape == (2, SWEEPS, *shape[1:]), f"draws of {name}: {found[name].shape}"
            assert np.isfinite(found[name]).all(), f"draws of {name} are not finite"
            last[name] = found[name][:, -1]
        total = module.log_joint(module.State(**last), data)
        if np.isfinite(total).all():
            return
    raise AssertionError(f"log joint {total} after {LONG_WARMUP} sweeps")


def observations(bench: Bench, seed: int) -> dict[str, np.ndarray]:
    """Draw the data anew given the state, by the families' own generators."""
    drawn = bench.module.predict(np.random.default_rng(seed), bench.arrays, bench.data)
    return {name: values[0] for name, values in drawn.items() if np.isfinite(values).all()}
