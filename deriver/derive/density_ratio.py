"""The density-ratio identity, run on every derivation before a sampler is made from it.

At random states, for two values a and b of one element,
    log c(a | rest) − log c(b | rest) = log joint(a, rest) − log joint(b, rest),
with c the derived conditional and the joint evaluated from the families' own numeric densities, which share
no code with the symbolic ones that the derivation used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from deriver.derive.numeric import elements, log_conditional_at, log_joint, log_kernel_at, with_element
from deriver.derive.records import Conditional, Derivation
from deriver.derive.states import random_state, redraw
from deriver.errors import InternalError

TOLERANCE = 1e-8


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioFailure:
    """An element at which the identity does not hold: both log ratios."""

    node: str
    index: tuple[int, ...]
    derived: float
    joint: float


def check_derivation(derivation: Derivation, *, states: int = 2, seed: int = 20260101) -> None:
    """Check every conditional, and its log kernel, at random states with different sizes.

    Raises ``InternalError`` naming the node when the identity fails: a fault of deriver, never a sampler.
    """
    rng = np.random.default_rng(seed)
    for number in range(states):
        state = random_state(derivation.model, rng, dimension=2 + number, size=3)
        for conditional in derivation.conditionals:
            failure = find_failure(derivation, conditional, state, rng)
            if failure is not None:
                raise InternalError(
                    f"the derived conditional of {failure.node}{list(failure.index)} in model "
                    f"{derivation.model.name} disagrees with the joint density: log ratio {failure.derived:.12g} "
                    f"against {failure.joint:.12g}.  This is a fault of deriver; please report it with the model."
                )


def find_failure(
    derivation: Derivation, conditional: Conditional, state: Mapping, rng: np.random.Generator
) -> RatioFailure | None:
    """Check the identity at the first, the last and one random element; return a failure or None."""
    indices = list(elements(conditional.ranges, state))
    if not indices:
        return None
    chosen = {indices[0], indices[-1], indices[rng.integers(len(indices))]}
    for index in sorted(chosen):
        failure = _check_element(derivation, conditional, state, index, rng)
        if failure is not None:
            return failure
    return None


def _check_element(
    derivation: Derivation,
    conditional: Conditional,
    state: Mapping,
    index: tuple[int, ...],
    rng: np.random.Generator,
) -> RatioFailure | None:
    old = state[conditional.node][index]
    new = redraw(derivation.model, conditional.node, index, dict(state), rng)
    joint = [
        log_joint(derivation.factors, derivation.definitions, with_element(state, conditional.node, index, v))
        for v in (new, old)
    ]
    if not np.all(np.isfinite(joint)):
        return None
    for log_density in (log_conditional_at, log_kernel_at):
        derived = [log_density(conditional, state, index, value) for value in (new, old)]
        ratio, expected = derived[0] - derived[1], joint[0] - joint[1]
        scale = 1.0 + abs(expected) + 1e-4 * max(map(abs, joint))
        if not abs(ratio - expected) <= TOLERANCE * scale:
            return RatioFailure(node=conditional.node, index=index, derived=ratio, joint=expected)
    return None
