"""What is right: the joint density at random states, along values of one element of a node.

For a node (in a coordinate) the oracle holds groups of points: in a group only the element changes, and the
reference is the log joint density there, with the Jacobian of the coordinate.  A log density is right when it
differs from the reference by a constant in each group.  Where the conditional has a family, the difference is
split by the family's sufficient statistics, so that each natural parameter is judged by itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp
from sympy import Expr

from deriver.algebra import heads
from deriver.algebra.evaluate import evaluate
from deriver.checking.bench import Bench
from deriver.checking.values import Context, Evaluator, Indices, View
from deriver.derivation.factors import Definitions
from deriver.derivation.numeric import Completed, elements, log_joint, stated_elements, with_element
from deriver.derivation.records import Conditional, Definition, Factor
from deriver.derivation.states import random_state, redraw
from deriver.model.expressions import Expression, Number

TOLERANCE = 1e-8
STATES = 12
State = dict[str, dict[tuple[int, ...], Any]]
# What a wrong formula can do when it is evaluated (a quantity defined by itself recurs); an internal fault of the evaluator is none of these.
FAILURES = (ArithmeticError, ValueError, KeyError, IndexError, RecursionError, np.linalg.LinAlgError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A state with the element at one value; ``value`` is that of the coordinate."""

    raw: State
    view: View
    value: Any
    reference: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Points that differ in one element; ``basis`` holds the statistics (points, columns), ``blocks`` their names.

    ``empty`` tells that some size is 0 there: a formula that divides by it has no value, and is judged elsewhere.
    """

    own: Indices
    index: tuple[int, ...]
    points: tuple[Point, ...]
    reference: np.ndarray
    tolerance: float
    basis: np.ndarray | None
    solver: np.ndarray | None
    blocks: tuple[tuple[str, slice], ...]
    empty: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a log density compares in a group: right, or which natural parameters are wrong.

    ``outside`` tells that the difference is no combination of the statistics; ``defined`` that it has a value.
    """

    right: bool
    defined: bool = True
    wrong: tuple[str, ...] = ()
    outside: bool = False

    @property
    def score(self) -> float:
        """A measure of how wrong it is, for the search: 0 is right."""
        if self.right:
            return 0.0
        return math.inf if not self.defined else len(self.wrong) + 10.0 * self.outside + 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a claim is about: the node, which elements of it, and in which coordinate (of the node's element)."""

    conditional: Conditional
    element: tuple[Expression, ...]
    indices: tuple[str, ...]
    allowed: tuple[tuple[str, Expression | None, Expression | None, str | None], ...]
    coordinate: Expr
    log_jacobian: Expr
    own: bool


class Oracle:
    """Makes groups of points for one subject, as many as are asked for, and keeps them."""

    def __init__(self, bench: Bench, subject: Subject, sizes: Mapping[str, Expression]) -> None:
        self.bench, self.subject = bench, subject
        self.sizes = sizes
        model = bench.model
        counts = {given.name: len(given.indices) for given in model.givens}
        counts |= {node.name: len(node.indices) for node in model.nodes}
        self.moving = moving_names(bench, subject.conditional.node)
        self.evaluator = Evaluator(model.plates, counts, self.moving)
        self.factors = _touching(subject.conditional, bench.derivation.factors)
        self._rng = np.random.default_rng(20260101)
        self._groups: list[Group] = []
        self._tried = 0

    def groups(self, count: int) -> list[Group]:
        """Return the first groups; fewer where no state has a positive density."""
        while len(self._groups) < count and self._tried < 12 * count + 12:
            self._tried += 1
            state = self._state()
            for group in self.groups_at(state, self._rng):
                self._groups.append(group)
        return self._groups[:count]

    def forget(self) -> None:
        """Drop what was kept of the claims judged so far."""
        self.evaluator.forget()
        for group in self._groups:
            for point in group.points:
                point.view.sums.clear()
                point.view.shared.clear()

    def _state(self) -> State:
        dimension = 2 if self.sizes else 2 + self._tried % 2
        size = (3, 4, 2, 5)[self._tried % 4]
        return random_state(self.bench.model, self._rng, dimension=dimension, size=size)

    def groups_at(self, state: State, rng: np.random.Generator) -> Iterable[Group]:
        """Return groups at the first, the last and a random element of a state."""
        if not self.fits(state):
            return []
        chosen = self.elements_of(state)
        if not chosen:
            return []
        picked = {chosen[0][0]: chosen[0], chosen[-1][0]: chosen[-1]}
        other = chosen[int(rng.integers(len(chosen)))]
        picked[other[0]] = other
        made = (self._make_group(state, index, own, rng) for index, own in picked.values())
        return [group for group in made if group is not None]

    def fits(self, state: State) -> bool:
        """Tell whether the state has the sizes that the claim fixes."""
        for name, size in self.sizes.items():
            if name in state and isinstance(size, Number) and state[name][()] != int(size.value):
                return False
        return True

    # elements

    def elements_of(self, state: State) -> list[tuple[tuple[int, ...], Indices]]:
        """Return the index tuples that the claim speaks of, with the values of its indices."""
        subject = self.subject
        there = set(stated_elements(subject.conditional, self.bench.derivation.factors, state))
        context = Context(view_of(state, {}, self.sizes_at(state)), state, {}, {})
        found = []
        for own in self._assignments(subject.allowed, context, {}):
            index = tuple(int(self.evaluator.compile(each)(context, own)) for each in subject.element)
            if index in there:
                found.append((index, own))
        return found

    def _assignments(self, allowed: tuple, context: Context, own: Indices) -> Iterable[Indices]:
        if not allowed:
            yield dict(own)
            return
        index, lower, upper, subset = allowed[0]
        if subset is not None:
            values: Iterable[int] = sorted(context.view[subset][()])
        elif lower is not None and upper is not None:
            low = int(self.evaluator.compile(lower)(context, own))
            values = range(low, int(self.evaluator.compile(upper)(context, own)) + 1)
        else:
            values = self.evaluator.compile_range(index)(context, own)
        for number in values:
            yield from self._assignments(allowed[1:], context, {**own, index: number})

    def sizes_at(self, state: State) -> dict[str, float]:
        """Return the dimensions that have turned out to be numbers or other sizes."""
        context = Context(View(state), state, {}, {})
        return {
            name: self.evaluator.compile(size)(context, {})
            for name, size in self.sizes.items()
            if name not in state
        }

    # points

    def _make_group(
        self, state: State, index: tuple[int, ...], own: Indices, rng: np.random.Generator
    ) -> Group | None:
        conditional = self.subject.conditional
        values = [state[conditional.node][index]]
        wanted = 4 + self._basis_size(conditional)
        tries = 0
        points: list[Point] = []
        while len(points) < wanted and tries < 4 * wanted:
            value = values[0] if tries == 0 else redraw(self.bench.model, conditional.node, index, state, rng)
            tries += 1
            point = self.make_point(state, index, value)
            if point is not None and not any(_same(point.value, other.value) for other in points):
                points.append(point)
        if len(points) < 2:
            return None
        return self.collect(points, index, own)

    def _basis_size(self, conditional: Conditional) -> int:
        return 7 if conditional.statistics and conditional.shape else 2

    def make_point(self, state: State, index: tuple[int, ...], value: Any) -> Point | None:
        """Return the point with the element at a value; None where the joint density is zero or undefined."""
        conditional, definitions = self.subject.conditional, self.bench.derivation.definitions
        raw = with_element(state, conditional.node, index, value)
        try:
            own = dict(zip(conditional.indices, index, strict=True))
            completed = Completed(raw, definitions)
            log_density = log_joint(self.factors, definitions, raw)
            log_density += evaluate(self.subject.log_jacobian, completed, own)
            coordinate = evaluate(self.subject.coordinate, completed, own)
            view = view_of(raw, defined_values(definitions, completed), self.sizes_at(raw))
        except FAILURES:
            return None
        if not math.isfinite(log_density):
            return None
        return Point(raw=raw, view=view, value=coordinate, reference=log_density)

    def collect(self, points: list[Point], index: tuple[int, ...], own: Indices) -> Group:
        """Return a group of points with its basis of statistics."""
        for point in points:
            point.view.shared = points[0].view.shared
        reference = np.array([point.reference for point in points])
        spread = float(np.max(np.abs(reference - reference[0])))
        scale = 1.0 + spread + 1e-4 * float(np.max(np.abs(reference)))
        basis, blocks = self._basis(points, index)
        solver = None
        if basis is not None:
            design = np.column_stack([np.ones(len(points)), basis])
            if np.linalg.matrix_rank(design) == design.shape[1] < len(points):
                solver = np.linalg.pinv(design)
            else:
                basis = None
        return Group(
            own=own, index=index, points=tuple(points), reference=reference, tolerance=TOLERANCE * scale,
            basis=basis, solver=solver, blocks=blocks, empty=self._has_empty(points[0].raw),
        )  # fmt: skip

    def _has_empty(self, state: State) -> bool:
        sizes = [given.name for given in self.bench.model.givens if given.origin == "size"]
        return any(value == 0 for name in sizes for value in state[name].values())

    def _basis(
        self, points: list[Point], index: tuple[int, ...]
    ) -> tuple[np.ndarray | None, tuple[tuple[str, slice], ...]]:
        conditional = self.subject.conditional
        if not conditional.statistics:
            return None, ()
        own = dict(zip(conditional.indices, index, strict=True))
        columns: list[list[float]] = [[] for _ in points]
        blocks: list[tuple[str, slice]] = []
        for statistic in conditional.statistics:
            start = len(columns[0])
            for row, point in zip(columns, points, strict=True):
                row += _flatten(evaluate(statistic.form, point.raw, own))
            blocks.append((statistic.name, slice(start, len(columns[0]))))
        return np.array(columns), tuple(blocks)


def _same(one: Any, other: Any) -> bool:
    return bool(np.all(np.asarray(one) == np.asarray(other)))


def _flatten(value: Any) -> list[float]:
    """Return the free entries of a statistic: the upper triangle of a matrix."""
    array = np.asarray(value, dtype=float)
    if array.ndim == 2 and array.shape[0] == array.shape[1]:
        return [float(x) for x in array[np.triu_indices(len(array))]]
    return [float(x) for x in array.reshape(-1)]


def compare(group: Group, values: np.ndarray | None) -> Outcome:
    """Return how log densities at the points of a group compare with the reference there; None is undefined."""
    if values is None or not np.all(np.isfinite(values)):
        return Outcome(right=group.empty, defined=False)
    difference = values - group.reference
    difference = difference - difference[0]
    limit = group.tolerance + TOLERANCE * (
        float(np.max(np.abs(values - values[0]))) + 1e-4 * float(np.max(np.abs(values)))
    )
    if np.max(np.abs(difference)) <= limit:
        return Outcome(right=True)
    if group.basis is None or group.solver is None:
        return Outcome(right=False)
    return _split(group, difference, limit)


def _split(group: Group, difference: np.ndarray, limit: float) -> Outcome:
    assert group.basis is not None and group.solver is not None
    coefficients = group.solver @ difference
    rest = difference - coefficients[0] - group.basis @ coefficients[1:]
    loose = 1e3 * limit + 1e-7 * float(np.max(np.abs(difference)))
    wrong = []
    for name, place in group.blocks:
        part = group.basis[:, place] @ coefficients[1:][place]
        if np.max(np.abs(part - part[0])) > loose:
            wrong.append(name)
    return Outcome(right=False, wrong=tuple(wrong), outside=bool(np.max(np.abs(rest)) > loose))


# --- states ------------------------------------------------------------------------------------------------


def defined_values(definitions: tuple[Definition, ...], completed: Completed) -> State:
    """Return the values of all deterministic nodes at a state."""
    return {
        definition.element.name: {
            index: evaluate(definition.expression, completed, _own(definition, index))
            for index in elements(definition.bounds, completed)
        }
        for definition in definitions
    }


def _own(definition: Definition, index: tuple[int, ...]) -> dict:
    symbols = [bound[0] for bound in definition.bounds]
    return dict(zip(symbols, index, strict=True))


def view_of(raw: Mapping, defined: Mapping, sizes: Mapping[str, float]) -> View:
    """Return a state for the evaluator: vectors as columns, deterministic nodes and fixed dimensions included."""
    view = {
        name: {index: _column(value) for index, value in values.items()}
        for name, values in {**raw, **defined}.items()
    }
    return View(view | {name: {(): size} for name, size in sizes.items()})


def _column(value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.ndim == 1:
        return value.reshape(-1, 1)
    return value


def _touching(conditional: Conditional, factors: tuple[Factor, ...]) -> tuple[Factor, ...]:
    node = conditional.node
    return tuple(f for f in factors if f.value.name == node or node in f.parents)


def moving_names(bench: Bench, node: str) -> frozenset[str]:
    """Return the names whose value may change with the target: its node, and what is defined by it."""
    defined = Definitions(bench.derivation.definitions)
    return frozenset([node, *(d.element.name for d in defined.all if defined.depends(d.element.name, node))])


# --- the subject -------------------------------------------------------------------------------------------


def log_jacobian(coordinate: Expr, target: heads.Ref) -> Expr | None:
    """Return log |d target / d coordinate|, or None for a coordinate that is no smooth map of the target."""
    if coordinate == target:
        return sp.S.Zero
    if target.variable.shape:
        side = target.variable.shape[0]
        if coordinate == heads.invert(target) and len(target.variable.shape) == 2:
            return (side + 1) * heads.logdet(target)
        return None
    symbol = sp.Dummy("x", positive=target.is_positive, real=True)
    slope = sp.diff(coordinate.xreplace({target: symbol}), symbol)
    if slope == 0:
        return None
    return -sp.log(sp.Abs(slope)).xreplace({symbol: target})


def expand_coordinate(bench: Bench, coordinate: Expr, node: str) -> Expr:
    """Return a coordinate with the deterministic nodes above the target written out."""
    return Definitions(bench.derivation.definitions).expand(coordinate, node)
