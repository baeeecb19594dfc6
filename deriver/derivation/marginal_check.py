"""The identity of a marginal, run on every one before a sampler is made from it.

At random states, for two values V and V' of the variances,
    log m(V) − log m(V') = log ∫ joint(V, z, rest) dz − log ∫ joint(V', z, rest) dz,
with m the derived marginal and z all elements of the nodes integrated out.  The integrals are Gaussian: the joint
density comes from the families' own numeric densities, and its gradient and Hessian in z from its differences, which
are exact for a quadratic.  That it is one, at values of z between which no difference was taken, is checked too.

The normal density from which linked members are drawn together has to satisfy, besides, for any two values of z,
    log q(z') − log q(z) = log joint(V, z', rest) − log joint(V, z, rest).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sympy import Expr, S

from deriver.algebra.evaluate import evaluate
from deriver.derivation.links import derivative
from deriver.derivation.marginal import Marginal, Member
from deriver.derivation.numeric import Completed, elements, log_joint, with_element
from deriver.derivation.records import Derivation
from deriver.derivation.states import State, redraw, settled_at_random
from deriver.errors import InternalError

TOLERANCE = 1e-8
Place = tuple[Member, tuple[int, ...], slice]


def check_marginal(
    derivation: Derivation, marginal: Marginal, *, states: int = 2, seed: int = 20260102
) -> bool:
    """Check a marginal at random states of different sizes; a state of zero density is replaced by another.

    Returns False where no random state has a density to compare at.  Raises ``InternalError`` when the identity fails: a
    fault of deriver, never a sampler.
    """
    rng = np.random.default_rng(seed)

    def compare(state: State) -> bool:
        found = compare_at(derivation, marginal, state, rng)
        if found is None:
            return False
        if marginal.structure == "linked":
            check_joint_draw(derivation, marginal, state, rng)
        derived, exact, scale = found
        if not abs(derived - exact) <= TOLERANCE * scale:
            raise InternalError(_describe(derivation, marginal, derived, exact))
        return True

    return settled_at_random(derivation.model, rng, states, compare)


def _describe(derivation: Derivation, marginal: Marginal, derived: float, exact: float) -> str:
    names = ", ".join(c.node for c in marginal.variances) or "nothing"
    out = ", ".join(m.node for m in marginal.members)
    return (
        f"the marginal density of {names} in model {derivation.model.name}, with {out} integrated out, disagrees "
        f"with the joint density: log ratio {derived:.12g} against {exact:.12g}.  "
        f"This is a fault of deriver; please report it with the model."
    )


def check_joint_draw(
    derivation: Derivation, marginal: Marginal, state: Mapping, rng: np.random.Generator
) -> None:
    """Check at a state that the members' joint normal density and the joint density have the same ratios.

    Raises ``InternalError`` when they have not.
    """
    precision, gradient = gaussian_system(derivation, marginal, state)
    step = rng.normal(size=len(gradient))
    derived = float(gradient @ step - step @ precision @ step / 2)
    ends = [log_joint_at(derivation, marginal, state, move) for move in (step, 0 * step)]
    if not abs(derived - (ends[0] - ends[1])) <= TOLERANCE * (1.0 + sum(map(abs, (*ends, derived)))):
        names = ", ".join(member.node for member in marginal.members)
        raise InternalError(
            f"the normal density from which {names} are drawn together in model {derivation.model.name} disagrees with "
            f"the joint density: log ratio {derived:.12g} against {ends[0] - ends[1]:.12g}.  "
            f"This is a fault of deriver; please report it with the model."
        )


def log_joint_at(derivation: Derivation, marginal: Marginal, state: Mapping, step: np.ndarray) -> float:
    """Return the log joint density with the members moved by a step (D,) from their values in the state."""
    moved: Any = dict(state)
    for member, index, place in list_places(marginal, state):
        old = moved[member.node][index]
        value = old + step[place] if np.ndim(old) else float(old + step[place][0])
        moved = with_element(moved, member.node, index, value)
    return log_joint(derivation.factors, derivation.definitions, moved)


def compare_at(
    derivation: Derivation, marginal: Marginal, state: Mapping, rng: np.random.Generator
) -> tuple[float, float, float] | None:
    """Return the derived log ratio, the exact one and the scale of their rounding; None where the density is 0."""
    moved: Any = dict(state)
    for conditional in marginal.variances:
        value = redraw(derivation.model, conditional.node, (), moved, rng)
        moved = with_element(moved, conditional.node, (), value)
    exact = [integrate_numerically(derivation, marginal, each, rng) for each in (moved, state)]
    if not np.all(np.isfinite(exact)):
        return None
    derived = [log_marginal_at(derivation, marginal, each) for each in (moved, state)]
    return derived[0] - derived[1], exact[0] - exact[1], 1.0 + max(map(abs, (*exact, *derived)))


# --- the derived density ------------------------------------------------------------------------------------


def log_marginal_at(derivation: Derivation, marginal: Marginal, state: Mapping) -> float:
    """Return the derived log density of the variances, up to a constant, at a state ({name: {index: value}})."""
    precision, gradient = gaussian_system(derivation, marginal, state)
    kernel = evaluate(marginal.log_kernel, Completed(state, derivation.definitions), {})
    return float(kernel) + _completed_square(precision, gradient)


def _completed_square(precision: np.ndarray, gradient: np.ndarray) -> float:
    """Return log ∫ exp(g's − s'Ps/2) ds without its powers of 2π, nan for no positive definite precision."""
    sign, logdet = np.linalg.slogdet(precision)
    if sign <= 0:
        return np.nan
    return 0.5 * float(gradient @ np.linalg.solve(precision, gradient)) - 0.5 * float(logdet)


def gaussian_system(
    derivation: Derivation, marginal: Marginal, state: Mapping
) -> tuple[np.ndarray, np.ndarray]:
    """Return the precision (D, D) of all elements integrated out, and the gradient (D,) of the log joint density.

    Both are put together from the members' precisions, linear terms and slopes.
    """
    completed = Completed(state, derivation.definitions)
    places = list_places(marginal, state)
    total = places[-1][2].stop if places else 0
    precision, gradient = np.zeros((total, total)), np.zeros(total)
    for member, index, place in places:
        own = dict(zip(member.conditional.indices, index, strict=True))
        block = np.atleast_2d(evaluate(member.precision, completed, own))
        linear = np.atleast_1d(evaluate(member.linear, completed, own))
        value = np.atleast_1d(state[member.node][index])
        precision[place, place] = block
        gradient[place] = linear - block @ value  # the linear term of a chain has the neighbours in it
        for other, position, spot in places:
            slope = S.Zero if spot == place else _slope_at(member, index, other, position)
            if slope == 0:
                continue
            shape = (place.stop - place.start, spot.stop - spot.start)
            value = np.asarray(evaluate(slope, completed, own))  # 0 for a sum over no rows
            number = value.reshape(shape) if value.ndim else np.full(shape, float(value))
            precision[place, spot] = -number
            precision[spot, place] = -number.T
    return precision, gradient


def _slope_at(member: Member, index: tuple[int, ...], other: Member, position: tuple[int, ...]) -> Expr:
    """Return the slope of one element's linear term in another element, 0 where it does not mention it."""
    if member.links:
        return derivative(member.links, other.node, map(S, position))
    if other is member and member.along is not None:
        place = member.conditional.indices.index(member.along)
        earlier = (*index[:place], index[place] - 1, *index[place + 1 :])
        return member.coupling if position == earlier else S.Zero
    if other.conditional.indices and position != index:
        return S.Zero
    return member.slope(other.node)


def list_places(marginal: Marginal, state: Mapping) -> list[Place]:
    """Return every element integrated out, with its place in the vector of all."""
    places: list[Place] = []
    start = 0
    for member in marginal.members:
        for index in elements(member.conditional.ranges, state):
            stop = start + np.size(state[member.node][index])
            places.append((member, index, slice(start, stop)))
            start = stop
    return places


# --- the exact density --------------------------------------------------------------------------------------


def integrate_numerically(
    derivation: Derivation, marginal: Marginal, state: Mapping, rng: np.random.Generator
) -> float:
    """Return the log of the joint density with the members integrated out, without powers of 2π.

    Raises ``InternalError`` when the log joint density is not quadratic in them.
    """
    places = list_places(marginal, state)
    size = places[-1][2].stop if places else 0

    def log_density(z: np.ndarray) -> float:
        moved: Any = dict(state)
        for member, index, place in places:
            old = moved[member.node][index]
            value = z[place] if np.ndim(old) else float(z[place][0])
            moved = with_element(moved, member.node, index, value)
        return log_joint(derivation.factors, derivation.definitions, moved)

    centre = log_density(np.zeros(size))
    if not np.isfinite(centre):
        return centre
    gradient, hessian = _differences(log_density, centre, size)
    _check_quadratic(derivation, log_density, centre, gradient, hessian, rng)
    return centre + _completed_square(-hessian, gradient)


def _differences(
    log_density: Callable[[np.ndarray], float], centre: float, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the gradient and Hessian at zero of a quadratic, from unit steps."""
    unit = np.eye(size)
    up = np.array([log_density(step) for step in unit])
    down = np.array([log_density(-step) for step in unit])
    hessian = np.diag(up + down - 2 * centre)
    for a in range(size):
        for b in range(a):
            both = log_density(unit[a] + unit[b])
            hessian[a, b] = hessian[b, a] = both - up[a] - up[b] + centre
    return (up - down) / 2, hessian


def _check_quadratic(
    derivation: Derivation,
    log_density: Callable[[np.ndarray], float],
    centre: float,
    gradient: np.ndarray,
    hessian: np.ndarray,
    rng: np.random.Generator,
) -> None:
    place = rng.normal(size=len(gradient))
    expected = centre + gradient @ place + place @ hessian @ place / 2
    got = log_density(place)
    if not abs(got - expected) <= TOLERANCE * (1 + abs(centre) + abs(got)):
        raise InternalError(
            f"the log joint density of model {derivation.model.name} is not quadratic in the nodes that are to be "
            f"integrated out.  This is a fault of deriver; please report it with the model."
        )
