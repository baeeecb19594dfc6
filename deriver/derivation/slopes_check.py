"""The identity of derived slopes, run before a sampler follows them.

At random states, along a random direction of all elements of some nodes, the derivative of the numeric log joint density
(the families' own, by differences) must be the sum of the derived slopes of the full conditionals times the direction:
∂ log joint / ∂θ_i = ∂ log [θ_i | ·] / ∂θ_i.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from sympy import Expr

from deriver.algebra.evaluate import evaluate
from deriver.derivation.numeric import Completed, elements, log_joint, with_element
from deriver.derivation.predictors_check import TOLERANCE, differences, random_direction
from deriver.derivation.records import Conditional, Derivation
from deriver.derivation.states import State, settled_at_random
from deriver.errors import InternalError

MOST_TRIALS = 400  # where nodes are in order, few random states have a density
Slopes = Sequence[tuple[Conditional, Expr]]


def check_slopes(derivation: Derivation, slopes: Slopes, *, states: int = 2, seed: int = 20260105) -> bool:
    """Check derived slopes at random states; one of zero density is replaced by another.

    Returns False where no random state has a density to compare at.  Raises ``InternalError`` when the identity fails: a
    fault of deriver, never a sampler.
    """
    rng = np.random.default_rng(seed)

    def compare(state: State) -> bool:
        found = compare_slopes(derivation, slopes, state, rng)
        if found is None:
            return False
        derived, numeric, scale = found
        if not abs(derived - numeric) <= TOLERANCE * scale:
            raise InternalError(_describe(derivation, slopes, derived, numeric))
        return True

    return settled_at_random(derivation.model, rng, states, compare, trials=MOST_TRIALS)


def compare_slopes(
    derivation: Derivation, slopes: Slopes, state: Mapping, rng: np.random.Generator
) -> tuple[float, float, float] | None:
    """Return (derived, numeric, scale) of the derivative along a random direction; None where the density is 0."""
    direction = random_direction([conditional for conditional, _ in slopes], state, rng)

    def along(h: float) -> float:
        moved = dict(state)
        for (name, index), part in direction.items():
            moved = with_element(moved, name, index, state[name][index] + h * part)
        return log_joint(derivation.factors, derivation.definitions, moved)

    centre = along(0.0)
    if not np.isfinite(centre):
        return None
    with np.errstate(all="ignore"):
        numeric, _ = differences(along, centre)
    if not np.isfinite(numeric):
        return None
    completed = Completed(state, derivation.definitions)
    parts = [
        float(np.sum(_at(conditional, slope, completed, index) * direction[conditional.node, index]))
        for conditional, slope in slopes
        for index in elements(conditional.ranges, state)
    ]
    return sum(parts), numeric, 1 + abs(centre) + sum(map(abs, parts))


def _at(conditional: Conditional, slope: Expr, state: Completed, index: tuple[int, ...]) -> np.ndarray:
    """Return the slope of one element."""
    own = dict(zip(conditional.indices, index, strict=True))
    return np.asarray(evaluate(slope, state, own), dtype=float)


def _describe(derivation: Derivation, slopes: Slopes, derived: float, numeric: float) -> str:
    names = ", ".join(conditional.node for conditional, _ in slopes)
    return (
        f"the derived slopes of the joint density of model {derivation.model.name} in {names} disagree with the joint "
        f"density: {derived:.10g} against {numeric:.10g}.  This is a fault of deriver; please report it with the model."
    )
