"""How long a run of the NumPy backend would take, from the model and its sizes alone.

Stage run, before sampling.  Every operation of an expression is a call of NumPy, which takes so long by itself and so
long by each number that it makes: one for each chain, element and component.  Each step of a sweep evaluates its
expressions so many times.  Deterministic nodes are computed where they are used; those that recur step by step.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import sympy as sp
from sympy import Expr, Symbol, Tuple

from deriver.algebra import heads
from deriver.algebra.heads import PlateSum, Recursion, Ref, shape_of
from deriver.derivation.records import Conditional, Definition, Derivation, Factor
from deriver.plan.completing import complete_sums
from deriver.plan.records import Approximation, Hamiltonian, Plan, Step, Together, Whole
from deriver.plan.swapping import find_own_term
from deriver.running.sampling import Settings

# CPU seconds measured on one core, on published models: a call, a number made by arithmetic, one by a function such as
# exp, the rest of what an update does, a number drawn; RECURRING is a call on an earlier element of a recursion.
RECURRING = 5e-7
CALL, NUMBER, FUNCTION, UPDATE, DRAW = 1.5e-6, 1.2e-9, 1.2e-8, 3e-5, 2e-8
# A Newton step, and its algebra by element; a value that is enumerated; a joint move, one with a node integrated out, a block.
NEWTON, SOLVE, VALUE, MOVE, INTEGRATED, BLOCK = 4e-4, 1.2e-5, 1.5e-5, 1e-4, 6e-4, 5e-4
# A move by a normal approximation, for each of its nodes, for each row and chain; a leap of a path, for each of its nodes.
NORMAL, NORMAL_NODE, NORMAL_ROW, LEAP, LEAP_NODE = 1.2e-3, 5e-4, 1.5e-7, 8e-5, 3e-5
# Elements that depend on each other and are drawn whole: the draw costs as their cube, one after another as their square.
MOST_COUPLED = 500
LEAPS = 8  # of a path, on average
TRIED = 200  # the sweep from which such moves are tried
FUNCTIONS = (sp.exp, sp.log, sp.Pow, sp.loggamma, heads.ScalarHead, heads.Map)
# How often a step evaluates its density, or its parameters; walks weigh the value of the last sweep anew.
EVALUATIONS = {"gibbs": 1, "newton": 3, "slice": 12, "enumerate": 1}
Ends = Mapping[Symbol, float]


def predict_seconds(
    derivation: Derivation, plan: Plan, arrays: Mapping[str, np.ndarray], settings: Settings
) -> float:
    """Return roughly how long the NumPy backend would take to sample, if the moves that it tries pay."""
    count = _Count(derivation, arrays, settings.chains)
    sweeps = settings.warmup + settings.draws * settings.thin
    sweep = sum(count.step(step) for step in plan.steps) + sum(count.move(move) for move in plan.together)
    sweep += BLOCK if plan.block is not None else 0.0
    tried = count.approximation(plan.approximation) + count.paths(plan.hamiltonian)
    return sweeps * sweep + max(sweeps - TRIED, 0) * tried


def draw_one_by_one(derivation: Derivation, plan: Plan, arrays: Mapping[str, np.ndarray]) -> Plan:
    """Return the plan without the joint draws of more coupled elements than a dense system may have."""
    count = _Count(derivation, arrays, 1)
    return replace(plan, steps=tuple(count.without_large(step) for step in plan.steps))


def _as_written(step: Step, expr: Expr) -> Expr:
    """Return an expression with sums over all elements but one as they are evaluated: of all, less one."""
    whole = complete_sums(expr, step.space.bounds)
    rules = {}
    for part in whole.atoms(PlateSum):
        own = find_own_term(part, step.space.bounds)
        if own is not None:
            rules[part] = PlateSum(part.body, part.bounds) - own
    return whole.xreplace(rules)


class _Count:
    """Seconds of steps and expressions, for arrays of a run and so many chains."""

    def __init__(self, derivation: Derivation, arrays: Mapping[str, np.ndarray], chains: int) -> None:
        self._definitions: dict[str, Definition] = {d.element.name: d for d in derivation.definitions}
        self._arrays, self._chains = arrays, chains
        self._target: Expr = sp.S.Zero
        self._times = 1.0

    def without_large(self, step: Step) -> Step:
        """Return a step without a joint draw that costs more than it gains in mixing."""
        if step.whole is None:
            return step
        side = self._inside((), step.conditional.ranges)[step.whole.index]
        return replace(step, whole=None) if side > MOST_COUPLED else step

    def step(self, step: Step) -> float:
        """Return the seconds of an update of a node."""
        inside = self._inside((), step.conditional.ranges)
        size = self._size(inside)
        turns = step.colours or size / self._chains
        if step.method == "gibbs" and step.whole is not None:
            return self._whole(step, step.whole, inside)
        if step.method == "gibbs":
            one = self.expressions([_as_written(step, expr) for _, expr in step.parameters], inside)
            return turns * (UPDATE + one) + DRAW * size
        kernel = [_as_written(step, step.kernel)] if step.kernel is not None else []
        if step.method == "enumerate":
            return self._enumerated(step, kernel, inside, turns)
        self._target, self._times = (
            step.conditional.target,
            EVALUATIONS.get(step.method, 1 + step.inner_steps),
        )
        newton = [step.newton.gradient, step.newton.hessian] if step.newton is not None else []
        all_times = self.expressions([*kernel, *newton], inside)
        self._times = 1.0
        algebra = NEWTON * turns + SOLVE * size if newton else 0.0
        return turns * (UPDATE + all_times) + DRAW * size + algebra

    def _whole(self, step: Step, whole: Whole, inside: Ends) -> float:
        """One dense system for the elements along an index, of each chain and of each element of the other plates."""
        side = inside[whole.index]
        pairs = {**inside, whole.other: side}
        made = self.expressions([dict(step.parameters)["precision"], whole.linear], inside)
        made += self.expressions([whole.coupling], pairs)
        return UPDATE + made + self._size(inside) * (DRAW + (3 + side) * side * NUMBER)

    def _enumerated(self, step: Step, kernel: list[Expr], inside: Ends, turns: float) -> float:
        """Whole sequences weigh every pair of values; else every value is weighed by itself."""
        values, size = self._values(step.conditional), self._size(inside)
        if step.path is None:
            one = VALUE + self.expressions(kernel, inside) + (DRAW + FUNCTION) * size
            return turns * values * one
        own, link = (VALUE + self.expressions([expr], inside) for expr in (step.path.own, step.path.link))
        pairs = values * values
        halvings = math.log2(max(size / self._chains, 2))
        joined = size * (pairs * 10 * NUMBER + pairs * values * FUNCTION)
        return values * own + pairs * link + 40 * CALL * halvings + joined + DRAW * size

    def move(self, move: Together) -> float:
        """Return the seconds of a joint move: its densities at two states."""
        done = 2 * UPDATE + MOVE + (INTEGRATED if move.integrated is not None else 0.0)
        if move.kernel is not None:
            return done + 2 * self.expressions([move.kernel], {})
        return done + 2 * self._densities(move.factors)

    def approximation(self, move: Approximation | None) -> float:
        """Return the seconds of a move by a normal approximation: one there and one back."""
        if move is None:
            return 0.0
        done = NORMAL + NORMAL_NODE * len(move.members) + 2 * self._densities(move.factors)
        for density in move.densities:
            inside = self._inside((), density.factor.bounds)
            parts = (density.predictor, density.slope, density.weight)
            done += 4 * self.expressions(parts, inside) + 2 * NORMAL_ROW * self._size(inside)
        return done

    def paths(self, move: Hamiltonian | None) -> float:
        """Return the seconds of a path: the slopes at every leap, the densities at its ends."""
        if move is None:
            return 0.0
        leap = LEAP + LEAP_NODE * len(move.members)
        for step, slope in zip(move.members, move.rewritten, strict=True):
            leap += self.expressions([_as_written(step, slope)], self._inside((), step.conditional.ranges))
        return LEAPS * leap + 2 * self._densities(move.factors)

    def expressions(self, found: Iterable[Expr], inside: Ends) -> float:
        """Return the seconds of several expressions with indices of these extents; what they share is made once."""
        seen: set[sp.Basic] = set()
        return sum(self._expression(expr, inside, seen) for expr in found)

    def _densities(self, factors: Iterable[Factor]) -> float:
        total = 0.0
        for factor in factors:
            inside = self._inside((), factor.bounds)
            total += 10 * CALL + self.expressions([factor.value, *factor.arguments], inside)
            total += 5 * FUNCTION * self._size(inside)
        return total

    def _values(self, conditional: Conditional) -> float:
        _, lower, upper = conditional.support
        return self._number(upper) - self._number(lower) + 1 if None not in (lower, upper) else 1.0

    def _expression(self, expr: sp.Basic, inside: Ends, seen: set[sp.Basic]) -> float:
        if expr in seen or not isinstance(expr, Expr | heads.Condition) or not expr.args:
            return 0.0
        seen.add(expr)
        if isinstance(expr, Ref):
            return self._reference(expr, inside, seen)
        if isinstance(expr, Recursion):
            return self._recursion(expr, inside, seen)
        bounds = [
            arg for arg in expr.args if isinstance(arg, Tuple) and isinstance(expr, heads.Stack | heads.Grid)
        ]
        within = self._inside(inside, expr.bounds if isinstance(expr, PlateSum) else bounds)
        cost = FUNCTION if isinstance(expr, FUNCTIONS) else NUMBER
        made = self._size(within, expr.free_symbols | {*within} - {*inside})
        own = CALL + cost * made * (1.0 if bounds else self._components(expr))
        own *= self._repeats(expr)
        return own + sum(self._expression(arg, within, seen) for arg in expr.args)

    def _reference(self, ref: Ref, inside: Ends, seen: set[sp.Basic]) -> float:
        """A definition is computed whole, once in an evaluation; other arrays are read."""
        read = NUMBER * self._size(inside, ref.free_symbols) * self._components(ref) if ref.indices else 0.0
        definition = self._definitions.get(ref.name)
        if definition is None or definition.element.variable in seen:
            return read
        seen.add(definition.element.variable)
        return read + self._expression(definition.expression, self._inside((), definition.bounds), seen)

    def _recursion(self, expr: Recursion, inside: Ends, seen: set[sp.Basic]) -> float:
        """Every operation on an earlier element is a call at each step, the chains side by side; the rest is done before."""
        path = (expr.bound, expr.earlier, expr.steps)
        if Tuple(*path) in seen:
            return 0.0
        seen.add(Tuple(*path))
        earlier = {symbol for symbol, _, _ in expr.earlier}
        elsewhere = {k: v for k, v in inside.items() if k != expr.bound[0] and k in expr.free_symbols}
        held: set[sp.Basic] = set()
        before = 0.0
        for step in expr.steps:
            for part in sp.preorder_traversal(step):
                if part.args and part.free_symbols & earlier:
                    held.add(part)
                    free = [arg for arg in part.args if not arg.free_symbols & earlier]
                    before += sum(
                        self._expression(arg, self._inside(elsewhere, [expr.bound]), seen) for arg in free
                    )
        each = RECURRING * (2 * len(expr.steps) + len(held)) + NUMBER * len(held) * self._size(elsewhere)
        return before + self._repeats(expr) * self._extent(expr.bound) * each

    def _repeats(self, expr: sp.Basic) -> float:
        """Return how often an expression is evaluated in an update: once where its target is no part of it."""
        return self._times if self._times > 1 and expr.has(self._target) else 1.0

    def _inside(self, inside: Iterable[Symbol] | Ends, bounds: Iterable[Tuple]) -> Ends:
        return {**dict(inside), **{bound[0]: self._extent(bound) for bound in bounds}}

    def _extent(self, bound: Tuple) -> float:
        _, lower, upper = bound
        return max(self._number(upper) - self._number(lower) + 1, 0.0)

    def _number(self, expr: Expr) -> float:
        """Return the value of an expression of sizes, a ragged one at its mean."""
        means = {
            ref: sp.Float(np.mean(self._arrays[ref.name]))
            for ref in expr.atoms(Ref)
            if ref.name in self._arrays
        }
        value = expr.xreplace(means)
        return float(value) if value.is_number else 1.0

    def _components(self, expr: sp.Basic) -> float:
        """Return how many components an expression has."""
        if not isinstance(expr, Expr) or expr.is_commutative:
            return 1.0
        return math.prod(self._number(heads.as_expr(side)) for side in shape_of(expr) if side is not None)

    def _size(self, inside: Ends, symbols: Iterable[sp.Basic] | None = None) -> float:
        """Return how many numbers there are of the indices, all or those among the symbols, in all chains."""
        wanted = inside if symbols is None else [symbol for symbol in symbols if symbol in inside]
        return self._chains * math.prod(inside[symbol] for symbol in wanted)
