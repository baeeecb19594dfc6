"""The identity of a discrete chain's density, run on every one before a sampler draws it whole.

At random states, with an element of the node replaced by another value,
    Σ_t own(z'_t) + Σ_t link(z'_{t−1}, z'_t) − (the same of z) = log joint(z', rest) − log joint(z, rest),
the joint density by the families' own numeric densities; where one side is log 0, so is the other.
"""

from __future__ import annotations

import numpy as np
from sympy import Expr

from deriver.algebra.evaluate import evaluate
from deriver.derivation.density_ratio import settle_events
from deriver.derivation.numeric import Completed, elements, log_joint, with_element
from deriver.derivation.paths import PathKernel, path_density
from deriver.derivation.records import Conditional, Derivation
from deriver.derivation.states import State, redraw, settled_at_random
from deriver.errors import InternalError

_TOLERANCE = 1e-8
_MOST_ELEMENTS = 12


def check_path(
    derivation: Derivation,
    conditional: Conditional,
    path: PathKernel,
    *,
    states: int = 3,
    seed: int = 20260105,
) -> bool:
    """Check the density of a whole node; False where no random state has one to compare at.

    Raises ``InternalError`` when the identity fails: a fault of deriver, never a sampler.
    """
    rng = np.random.default_rng(seed)
    density = path_density(conditional, path)

    def compare(state: State) -> bool:
        settle_events(derivation, state, rng)
        old = _both(derivation, density, state)
        if not np.all(np.isfinite(old)):
            return False
        indices = list(elements(conditional.ranges, state))
        chosen = rng.permutation(len(indices))[:_MOST_ELEMENTS]
        told = [_compare_one(derivation, conditional, density, state, old, indices[k], rng) for k in chosen]
        return any(told)

    return settled_at_random(derivation.model, rng, states, compare)


def _compare_one(
    derivation: Derivation,
    conditional: Conditional,
    density: Expr,
    state: State,
    old: tuple[float, float],
    index: tuple[int, ...],
    rng: np.random.Generator,
) -> bool:
    """Compare at another value of an element; return whether the densities there are positive."""
    value = redraw(derivation.model, conditional.node, index, state, rng)
    if value == state[conditional.node][index]:
        return False
    new = _both(derivation, density, with_element(state, conditional.node, index, value))
    if np.isnan(new[0]) or new[0] == new[1] == -np.inf:
        return False
    change = (new[0] - old[0], new[1] - old[1])
    scale = 1.0 + max(map(abs, (*old, *new)))
    if not abs(change[0] - change[1]) <= _TOLERANCE * scale:
        raise InternalError(_disagreement(derivation, conditional, change))
    return True


def _both(derivation: Derivation, density: Expr, state: State) -> tuple[float, float]:
    """Return the derived log density of the node at a state, and that of everything."""
    derived = float(evaluate(density, Completed(state, derivation.definitions), {}))
    return derived, float(log_joint(derivation.factors, derivation.definitions, state))


def _disagreement(derivation: Derivation, conditional: Conditional, change: tuple[float, float]) -> str:
    return (
        f"the density from which {conditional.node} of model {derivation.model.name} is drawn whole disagrees with the "
        f"joint density: log ratio {change[0]:.12g} against {change[1]:.12g}.  "
        f"This is a fault of deriver; please report it with the model."
    )
