"""The identity of the second-order expansion in linked nodes, run before a sampler is made from it.

At random states, along a random direction s of all the nodes' elements, with g and W the derived slopes and weights of
every density and η′ the change of its predictor, the derivatives of the numeric log joint density must be
    d/dh = Σ g η′,    d²/dh² = −Σ η′W η′.
They are taken by differences (Richardson's extrapolation of central ones), of the families' own numeric densities.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from deriver.algebra.evaluate import evaluate
from deriver.derivation.numeric import Completed, elements, log_joint, with_element
from deriver.derivation.predictors import Predicted, Predictors
from deriver.derivation.records import Conditional, Derivation
from deriver.derivation.states import State, settled_at_random
from deriver.errors import InternalError

TOLERANCE = 1e-5
STEP = 0.003


def check_predictors(
    derivation: Derivation, found: Predictors, *, states: int = 2, seed: int = 20260103
) -> bool:
    """Check the derived slopes and weights at random states; one of zero density is replaced by another.

    Returns False where no random state has a density to compare at.  Raises ``InternalError`` when the identity fails: a
    fault of deriver, never a sampler.
    """
    rng = np.random.default_rng(seed)

    def compare(state: State) -> bool:
        pairs = compare_derivatives(derivation, found, state, rng)
        for derived, numeric, scale in pairs or ():
            if not abs(derived - numeric) <= TOLERANCE * scale:
                raise InternalError(_describe(derivation, found, derived, numeric))
        return pairs is not None

    return settled_at_random(derivation.model, rng, states, compare)


def _names(found: Predictors) -> str:
    return ", ".join(conditional.node for conditional in found.members)


def _describe(derivation: Derivation, found: Predictors, derived: float, numeric: float) -> str:
    return (
        f"the second-order expansion of the joint density of model {derivation.model.name} in {_names(found)} disagrees "
        f"with the joint density: {derived:.10g} against {numeric:.10g}.  "
        f"This is a fault of deriver; please report it with the model."
    )


def compare_derivatives(
    derivation: Derivation, found: Predictors, state: Mapping, rng: np.random.Generator
) -> list[tuple[float, float, float]] | None:
    """Return (derived, numeric, scale) of the first and of the second derivative along a random direction.

    None where the density is 0.
    """
    direction = random_direction(found.members, state, rng)
    factors = tuple(factor for factor in derivation.factors if factor.fixed is None)

    def along(h: float) -> float:
        moved: Any = dict(state)
        for (name, index), part in direction.items():
            moved = with_element(moved, name, index, state[name][index] + h * part)
        return log_joint(factors, derivation.definitions, moved)

    centre = along(0.0)
    slope, curve = differences(along, centre)
    if not np.all(np.isfinite([centre, slope, curve])):
        return None
    completed = Completed(state, derivation.definitions)
    sums = [_along_predictor(density, completed, direction) for density in found.densities]
    first, second = (sum(each) for each in zip(*sums, strict=True))
    sizes = [sum(abs(value) for value in each) for each in zip(*sums, strict=True)]
    return [(first, slope, 1 + abs(centre) + sizes[0]), (-second, curve, 1 + abs(centre) + sizes[1])]


def random_direction(
    members: Sequence[Conditional], state: Mapping, rng: np.random.Generator
) -> dict[tuple[str, tuple[int, ...]], Any]:
    """Return a random direction, by node and element; small enough that differences converge."""
    direction = {}
    for conditional in members:
        for index in elements(conditional.ranges, state):
            part = 0.2 * rng.normal(size=np.shape(state[conditional.node][index]))
            direction[conditional.node, index] = part if np.ndim(part) else float(part)
    return direction


def differences(along: Callable[[float], float], centre: float) -> tuple[float, float]:
    """Return the first two derivatives at 0, to sixth order in the step."""
    ends = {k: (along(k * STEP), along(-k * STEP)) for k in (1, 2, 3)}
    first = {k: (up - down) / (2 * k * STEP) for k, (up, down) in ends.items()}
    second = {k: (up - 2 * centre + down) / (k * STEP) ** 2 for k, (up, down) in ends.items()}
    weights = {1: 1.5, 2: -0.6, 3: 0.1}
    return tuple(sum(weights[k] * each[k] for k in weights) for each in (first, second))  # type: ignore[return-value]


def _along_predictor(
    density: Predicted, state: Completed, direction: Mapping[tuple[str, tuple[int, ...]], Any]
) -> tuple[float, float]:
    """Return Σ g η′ and Σ η′W η′ of a density, over all its instances."""
    slope, weight = (
        expr.xreplace({density.eta: density.predictor}) for expr in (density.slope, density.weight)
    )
    first = second = 0.0
    for index in elements(density.factor.bounds, state):
        own = {bound[0]: place for bound, place in zip(density.factor.bounds, index, strict=True)}
        change: Any = 0.0
        for link in density.links:
            at = tuple(int(evaluate(each, state, own)) for each in link.at)
            part = np.atleast_1d(direction[link.name, at])
            found = np.asarray(evaluate(link.slope, state, own), dtype=float)
            change = change + (found.reshape(-1, len(part)) @ part if found.ndim else float(found) * part)
        g, w = np.atleast_1d(evaluate(slope, state, own)), np.atleast_2d(evaluate(weight, state, own))
        first += float(g @ change)
        second += float(change @ w @ change)
    return first, second
