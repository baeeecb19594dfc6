"""The density-ratio identity, run on every derivation before a sampler is made from it.

At random states, for two values a and b of one element,
    log c(a | rest) − log c(b | rest) = log joint(a, rest) − log joint(b, rest),
with c the derived conditional and the joint evaluated from the families' own numeric densities, which share
no code with the symbolic ones that the derivation used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sympy import Tuple

from deriver.algebra.evaluate import evaluate, holds, index_values
from deriver.algebra.heads import Ref, Step
from deriver.derivation.factors import Definitions
from deriver.derivation.numeric import (
    Completed,
    log_conditional_at,
    log_joint,
    log_kernel_at,
    stated_elements,
    with_element,
)
from deriver.derivation.records import Conditional, Derivation
from deriver.derivation.states import enough_rows, observed_state, random_state, redraw
from deriver.errors import InternalError, Mistake, UsageError

TOLERANCE = 1e-8
_PASSES = 8
NUDGES = (-2e-3, -1e-3, 0.0, 1e-3, 2e-3)
_MOST_STATES = 240
_MOST_AT_RANDOM = 60  # so many are tried before the data of a run are
_MOST_ELEMENTS = 10_000
_UNSETTLED = 20  # so many states are tried in which events are anything


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioFailure:
    """An element at which the identity does not hold: both log ratios."""

    node: str
    index: tuple[int, ...]
    derived: float
    joint: float


def check_derivation(
    derivation: Derivation,
    *,
    states: int = 2,
    seed: int = 20260101,
    data: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Check every conditional, and its log kernel, at random states with different sizes.

    A state at which the joint density is zero or undefined, or has lost the digits, tells nothing and is replaced by
    another.  Where many tell nothing, as where masks at random leave no probability for what was seen, the givens and
    responses are those of ``data``, the arrays of a run.
    Raises ``InternalError`` naming the node when the identity fails, or cannot be evaluated: a fault of
    deriver, never a sampler; ``UsageError`` where drawn values would have to settle the categories that were seen.
    """
    _refuse_settled_categories(derivation)
    rng = np.random.default_rng(seed)
    missing = {conditional.node: states for conditional in derivation.conditionals}
    size = enough_rows(derivation.model)
    for number in range(_MOST_STATES):
        wanted = [c for c in derivation.conditionals if missing[c.node] > 0]
        if not wanted:
            return
        state = None
        if data is not None and number >= _MOST_AT_RANDOM:
            state = _observed_state(derivation, data, rng)
        if state is None:
            state = random_state(derivation.model, rng, dimension=2 + number % 2, size=size)
        if number >= _UNSETTLED and not _could_settle(derivation, state, rng):
            continue
        for conditional in wanted:
            try:
                outcome = check_node(derivation, conditional, state, rng)
            except (KeyError, OverflowError):  # sizes that no data could have; a number too large
                continue
            except (ZeroDivisionError, TypeError, np.linalg.LinAlgError) as error:
                raise InternalError(_describe_error(derivation, conditional, error)) from error
            if isinstance(outcome, RatioFailure):
                raise InternalError(_describe(derivation, outcome))
            missing[conditional.node] -= outcome
    unchecked = [name for name, count in missing.items() if count == states]
    if unchecked:
        raise InternalError(
            f"the derived conditional of {unchecked[0]} in model {derivation.model.name} could not be checked: "
            f"no random state was found at which its joint density is positive and keeps its digits"
        )


def _refuse_settled_categories(derivation: Derivation) -> None:
    """Raise ``UsageError`` where drawn values settle categories: chains would have to begin between all their cuts."""
    definitions = Definitions(derivation.definitions)
    drawn = {conditional.node for conditional in derivation.conditionals if conditional.indices}
    for factor in derivation.factors:
        if factor.family != "categorical" or factor.layer != "data":
            continue
        steps = definitions.expand(factor.arguments[0]).atoms(Step)
        if any(ref.name in drawn for step in steps for ref in definitions.expand(step).atoms(Ref)):
            mistake = Mistake(
                code="settled-category",
                found=f"the category {factor.value.name}, which a drawn value settles by is_positive(...)",
                expected="categories of which each has some probability at every value of the nodes",
                remedy="leave the value between the cuts out of the model, and write the probability of each "
                "category: normal_cdf((c - m) / s), or 1 - exp(-rate * c), and differences of these",
            )
            raise UsageError([mistake], origin="model")


def _observed_state(derivation: Derivation, data: Mapping, rng: np.random.Generator) -> dict | None:
    """Return a state with the data of a run, None for data that are too long for it or over ragged plates."""
    if max((np.size(each) for each in data.values()), default=0) > _MOST_ELEMENTS:
        return None
    try:
        return observed_state(derivation.model, data, rng)
    except KeyError:
        return None


def settle_events(derivation: Derivation, state: Mapping, rng: np.random.Generator) -> None:
    """Let every event whose probability is 0 or 1 at a state be what it must be, and every category one that can be.

    Those that hang on others follow them.
    """
    events = [factor for factor in derivation.factors if factor.family in ("bernoulli", "categorical")]
    for _ in range(_PASSES):
        changed = False
        for factor in events:
            completed = Completed(dict(state), derivation.definitions)
            for indices in index_values(Tuple(*factor.bounds), completed, {}):
                if holds(Tuple(*factor.conditions), completed, indices):
                    key = tuple(int(evaluate(place, completed, indices)) for place in factor.value.indices)
                    own = state[factor.value.name]
                    value = _settled(
                        factor.family, evaluate(factor.arguments[0], completed, indices), own[key], rng
                    )
                    changed |= value != own[key]
                    own[key] = value
        if not changed:
            return


def _could_settle(derivation: Derivation, state: Mapping, rng: np.random.Generator) -> bool:
    """Settle the events of a state; tell whether its labels and sizes let them be looked at."""
    try:
        settle_events(derivation, state, rng)
    except KeyError:
        return False
    return True


def _settled(family: str, probability: float | np.ndarray, value: int, rng: np.random.Generator) -> int:
    """Return an event or category of positive probability: the value itself where it is one, or where there is none."""
    if family == "bernoulli":
        return int(probability) if probability in (0, 1) else value
    possible = np.flatnonzero(np.reshape(probability, -1) > 0) + 1
    return value if value in possible or not len(possible) else int(rng.choice(possible))


def _describe_error(derivation: Derivation, conditional: Conditional, error: Exception) -> str:
    return (
        f"the derived conditional of {conditional.node} in model {derivation.model.name} cannot be evaluated "
        f"({error}).  This is a fault of deriver; please report it with the model."
    )


def _describe(derivation: Derivation, failure: RatioFailure) -> str:
    return (
        f"the derived conditional of {failure.node}{list(failure.index)} in model {derivation.model.name} "
        f"disagrees with the joint density: log ratio {failure.derived:.12g} against {failure.joint:.12g}.  "
        f"This is a fault of deriver; please report it with the model."
    )


def check_node(
    derivation: Derivation, conditional: Conditional, state: Mapping, rng: np.random.Generator
) -> RatioFailure | bool:
    """Check the identity at the first, the last and one random element.

    Returns the failure, or whether the identity could be evaluated at this state at all.
    """
    indices = stated_elements(conditional, derivation.factors, state)
    if not indices:
        return False
    chosen = {indices[0], indices[-1], indices[rng.integers(len(indices))]}
    outcomes = [_check_element(derivation, conditional, state, index, rng) for index in sorted(chosen)]
    failures = [outcome for outcome in outcomes if isinstance(outcome, RatioFailure)]
    return failures[0] if failures else any(outcomes)


def _check_element(
    derivation: Derivation, conditional: Conditional, state: Mapping, index: tuple[int, ...], rng: np.random.Generator
) -> RatioFailure | bool:  # fmt: skip
    old = state[conditional.node][index]
    new = redraw(derivation.model, conditional.node, index, dict(state), rng)
    joint = _joint_at(derivation, conditional, state, index, (new, old))
    if not np.all(np.isfinite(joint)):
        return False
    for log_density in (log_conditional_at, log_kernel_at):
        derived = [log_density(conditional, state, index, value) for value in (new, old)]
        if np.any(np.isnan(derived)):  # as 0 log 0 is: the joint density counts it as 0
            return False
        ratio, expected = derived[0] - derived[1], joint[0] - joint[1]
        scale = 1.0 + abs(expected) + 1e-4 * max(map(abs, joint))
        if not abs(ratio - expected) <= TOLERANCE * scale:
            if _is_rounding(derivation, conditional, state, index, (new, old), log_density):
                return False
            return RatioFailure(node=conditional.node, index=index, derived=ratio, joint=expected)
    return True


def _joint_at(
    derivation: Derivation, conditional: Conditional, state: Mapping, index: tuple[int, ...], values: Sequence
) -> list[float]:
    states = [with_element(state, conditional.node, index, value) for value in values]
    return [log_joint(derivation.factors, derivation.definitions, each) for each in states]


def _is_rounding(
    derivation: Derivation, conditional: Conditional, state: Mapping, index: tuple[int, ...], values: Sequence,
    log_density: Callable[..., float],
) -> bool:  # fmt: skip
    """Tell whether a difference is one of digits lost, as in log(1 - p) near p = 1: such a state tells nothing.

    Moved by a thousandth, a value gives a wrong conditional nearly the same error, but other digits are lost.
    """
    if not all(np.asarray(value).dtype.kind == "f" and np.ndim(value) < 2 for value in values):
        return False
    errors = []
    for share in NUDGES:
        moved = [value * (1.0 + share) for value in values]
        joint = _joint_at(derivation, conditional, state, index, moved)
        derived = [log_density(conditional, state, index, value) for value in moved]
        errors.append((derived[0] - derived[1]) - (joint[0] - joint[1]))
    return bool(np.all(np.isfinite(errors)) and np.ptp(errors) > 0.3 * np.max(np.abs(errors)))
