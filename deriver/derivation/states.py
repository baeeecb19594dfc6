"""Random states of a model: every given and every stochastic element at a generic value in its support.

The values are not draws from the priors: the density-ratio identity must hold at any state, and generic
values are kinder to its arithmetic.  Sizes are small and unequal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import sympy as sp
from sympy import Expr, Tuple

from deriver.algebra.evaluate import evaluate
from deriver.algebra.heads import shape_of
from deriver.derivation.lower import Lowering
from deriver.derivation.numeric import elements
from deriver.errors import InternalError
from deriver.model.expressions import Number
from deriver.model.records import Given, Model, Node, Range, Stochastic

State = dict[str, dict[tuple[int, ...], Any]]
_ROUNDS = 8
_MOST_ROWS = 12
_MOST_TRIALS = 24


def enough_rows(model: Model) -> int:
    """Return a size of plates at which rows determine every vector whose length is a number.

    With fewer rows than components, a flat prior leaves a conditional that is no density.
    """
    sides = [side.value for node in model.nodes for side in node.shape if isinstance(side, Number)]
    return max([3, *(min(int(side) + 1, _MOST_ROWS) for side in sides)])


def random_state(model: Model, rng: np.random.Generator, *, dimension: int = 2, size: int = 3) -> State:
    """Return a state with plates of about ``size`` and every free dimension equal to ``dimension``.

    Raises ``InternalError`` when the declarations cannot be ordered.
    """
    lowering = Lowering(model)
    state: State = {}
    pending: list[Given | Node] = [*model.givens, *(n for n in model.nodes if n.kind == "stochastic")]
    for _ in range(_ROUNDS + len(pending)):
        later = []
        for declared in pending:
            try:
                state[declared.name] = random_values(declared, lowering, state, rng, dimension, size)
            except KeyError:
                later.append(declared)
        if not later:
            return state
        pending = later
    names = ", ".join(declared.name for declared in pending)
    raise InternalError(f"no state could be made: {names} depend on each other")


def settled_at_random(
    model: Model, rng: np.random.Generator, states: int, compare: Callable[[State], bool], *, trials: int = _MOST_TRIALS
) -> bool:  # fmt: skip
    """Return whether an identity could be looked at in so many random states, of different sizes and dimensions.

    ``compare`` raises where the identity fails and returns False at a state that tells nothing, as one of density zero,
    which is replaced by another.
    """
    size, done = enough_rows(model), 0
    for number in range(trials):
        state = random_state(model, rng, dimension=2 + number % 2, size=size - number % 2)
        try:
            done += compare(state)
        except (
            KeyError,
            ArithmeticError,
        ):  # sizes that no data could have; a number too large, or 0 below a line
            continue
        if done == states:
            return True
    return False


def observed_state(model: Model, data: Mapping[str, np.ndarray], rng: np.random.Generator) -> State:
    """Return a state whose givens and responses are the data's, the other nodes at random.

    ``data`` are the arrays of a sampler: group columns counted from 0.  Raises ``KeyError`` for data whose arrays are
    not over the plates as they are declared, as those of ragged plates.
    """
    lowering = Lowering(model)
    state: State = {}
    nodes = [node for node in model.nodes if node.kind == "stochastic"]
    everything: tuple[Given | Node, ...] = (*model.givens, *nodes)
    known = [each for each in everything if each.name in data]
    partly = []
    for declared in sorted(known, key=lambda each: getattr(each, "origin", "") not in ("size", "dimension")):
        if isinstance(declared, Node) and np.isnan(data[declared.name]).any():
            partly.append(declared)
        else:
            state[declared.name] = _observed_values(declared, lowering, state, data[declared.name])
    for declared in partly:
        seen = _observed_values(declared, lowering, state, data[declared.name], missing=True)
        state[declared.name] = random_values(declared, lowering, state, rng, 2, 3) | seen
    for node in nodes:
        if node.name not in state:
            state[node.name] = random_values(node, lowering, state, rng, 2, 3)
    return state


def _observed_values(
    declared: Given | Node, lowering: Lowering, state: State, array: np.ndarray, *, missing: bool = False
) -> dict[tuple[int, ...], Any]:
    """Return the elements of an array by their 1-based indices; those without a number are left out if some may be."""
    bounds = tuple(lowering.bound(place) for place in _ranges(declared))
    shift = 1 if declared.support.kind == "index" else 0
    values = {}
    stated = list(elements(bounds, state))
    before = _left_out(stated, array)
    for index in stated:
        place = tuple(number - 1 - less for number, less in zip(index, before, strict=True))
        inside = len(place) <= array.ndim and all(k < n for k, n in zip(place, array.shape, strict=False))
        if inside and missing and np.isnan(array[place]).any():
            continue
        if not inside or np.isnan(array[place]).any():
            raise KeyError(declared.name)
        value = array[place] + shift
        values[index] = value if np.ndim(value) else value.item()
    return values


def _left_out(stated: list[tuple[int, ...]], array: np.ndarray) -> list[int]:
    """Return how many elements before the first stated one an array leaves out along each plate: all, or none."""
    found = []
    for position, places in enumerate(zip(*stated, strict=True)):
        width = max(places) - min(places) + 1
        short = position < array.ndim and width == array.shape[position] < max(places)
        found.append(min(places) - 1 if short else 0)
    return found or [0] * (len(stated[0]) if stated else 0)


def random_values(
    declared: Given | Node,
    lowering: Lowering,
    state: State,
    rng: np.random.Generator,
    dimension: int,
    size: int,
) -> dict[tuple[int, ...], Any]:
    """Return a random value inside its support for every element of a given or node, by its 1-based indices.

    A dimension is ``dimension`` and a size ``size``; a ragged size varies and may be 0 (but the first).  Raises
    ``KeyError`` where the state lacks a quantity that the plates, shape or support depend on.
    """
    if isinstance(declared, Given) and declared.origin == "dimension":
        return {(): dimension}
    ranges = _ranges(declared)
    bounds = tuple(lowering.bound(place) for place in ranges)
    if isinstance(declared, Given) and declared.origin == "size":
        return {index: _random_size(rng, size, index) for index in elements(bounds, state)}
    draw = _counts_drawer(declared, lowering, state, rng) or _drawer(declared, lowering, state, rng)
    values = {}
    for index in elements(bounds, state):
        own = {bound[0]: number for bound, number in zip(bounds, index, strict=True)}
        values[index] = draw(own)
    return values


def _random_size(rng: np.random.Generator, size: int, index: tuple[int, ...]) -> int:
    """A size of one plate is ``size``; a ragged one varies, and may be 0 but for the first."""
    ragged = index and index != (1,) * len(index)
    return int(rng.integers(0, size + 1)) if ragged else size


def _ranges(declared: Given | Node) -> tuple[Range, ...]:
    if isinstance(declared, Node):
        return declared.ranges
    return tuple(Range(index=index) for index in declared.indices)


def _drawer(
    declared: Given | Node, lowering: Lowering, state: State, rng: np.random.Generator
) -> Callable[[dict], Any]:
    """Return a function from the element's own indices to a random value of its shape and support."""
    shape = tuple(int(evaluate(lowering.expression(side), state)) for side in declared.shape)
    kind, lower, upper = lowering.support(declared.support)
    match kind:
        case "spd":
            return lambda own: _random_spd(rng, shape[0])
        case "correlation":
            return lambda own: _random_correlation(rng, shape[0])
        case "cholesky":
            return lambda own: np.linalg.cholesky(_random_spd(rng, shape[0]))
        case "simplex":
            return lambda own: rng.dirichlet(np.full(shape[0], 2.0))
        case "index" | "subset":
            bound = lowering.plate_bound(declared.support.plate or "")
            return lambda own: _random_index(rng, bound, state, own, kind == "subset")
        case "integer":
            return lambda own: _random_integers(rng, shape, lower, upper, state, own)
    return lambda own: _random_real(rng, shape, lower, upper, state, own)


def _counts_drawer(
    declared: Given | Node, lowering: Lowering, state: State, rng: np.random.Generator
) -> Callable[[dict], Any] | None:
    """Values that the support does not say: counts of a multinomial add up to its size, categories are finite."""
    statements = lowering.model.statements_of(declared.name)
    families = {getattr(statement, "family", None) for statement in statements}
    if "categorical" in families:
        return _category_drawer(statements[0], lowering, state, rng)  # type: ignore[arg-type]
    if "multinomial" not in families:
        return None
    statement = statements[
        0
    ]  # several over ranges: of one size, as the first elements and those that follow them
    size = next(a.value for a in statement.arguments if a.keyword == "size")  # type: ignore[union-attr]
    total = lowering.expression(size)
    (side,) = declared.shape
    categories = int(evaluate(lowering.expression(side), state))
    equal = np.full(categories, 1.0 / categories)
    return lambda own: rng.multinomial(int(evaluate(total, state, own)), equal).astype(float)


def _category_drawer(
    statement: Stochastic, lowering: Lowering, state: State, rng: np.random.Generator
) -> Callable[[dict], int]:
    """Return a function to a category, one of as many as there are probabilities."""
    categories = int(evaluate(shape_of(lowering.expression(statement.arguments[0].value))[0], state))
    return lambda own: int(rng.integers(1, categories + 1))


def _bound(end: Expr | None, state: State, own: dict) -> float | None:
    return None if end is None else float(evaluate(end, state, own))


def _random_real(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    lower: Expr | None,
    upper: Expr | None,
    state: State,
    own: dict,
) -> Any:
    low, high = _bound(lower, state, own), _bound(upper, state, own)
    if low is None and high is None:
        value = rng.normal(0.3, 1.0, shape)
    elif low is not None and high is not None:
        value = low + (high - low) * rng.uniform(0.1, 0.9, shape)
    else:
        distance = np.exp(rng.normal(0.0, 0.5, shape))
        value = low + distance if low is not None else high - distance
    return float(value) if shape == () else value


def _random_integers(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    lower: Expr | None,
    upper: Expr | None,
    state: State,
    own: dict,
) -> Any:
    low = int(_bound(lower, state, own) or 0)
    high = _bound(upper, state, own)
    value = rng.integers(low, (low + 4 if high is None else int(high)) + 1, shape)
    return int(value) if shape == () else value.astype(float)


def _random_index(
    rng: np.random.Generator, bound: Tuple, state: State, own: dict, many: bool
) -> int | frozenset[int]:
    first = int(evaluate(bound[1], state, own))
    last = int(evaluate(bound[2], state, own))
    if many:
        return frozenset(k for k in range(first, last + 1) if k == first or rng.uniform() < 0.6)
    return int(rng.integers(first, last + 1))


def _random_spd(rng: np.random.Generator, p: int) -> np.ndarray:
    root = rng.normal(size=(p, p))
    return root @ root.T / p + 0.5 * np.eye(p)


def _random_correlation(rng: np.random.Generator, p: int) -> np.ndarray:
    matrix = _random_spd(rng, p)
    scales = np.sqrt(np.diag(matrix))
    return matrix / np.outer(scales, scales)


def redraw(model: Model, name: str, index: tuple[int, ...], state: State, rng: np.random.Generator) -> Any:
    """Return a fresh value in the support of one element of a node."""
    lowering = Lowering(model)
    node = model.node(name)
    own = {sp.Symbol(i, integer=True): number for i, number in zip(node.indices, index, strict=True)}
    draw = _counts_drawer(node, lowering, state, rng) or _drawer(node, lowering, state, rng)
    return draw(own)
