"""Supports: where each node lives, and whether every argument lives where its family needs it.

Input: a scope with shapes.  Output: the support of each node and given; mistakes for a variance that can be
negative, a probability outside (0, 1), a covariance that is not positive definite.  An argument of which
nothing can be shown is accepted: the derivation then claims nothing that rests on it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass, field

from deriver.language.choice import Choice
from deriver.language.definite import Facts, is_definite, is_triangular
from deriver.language.dimensions import SCALAR
from deriver.language.inference import Inference
from deriver.language.intervals import NONNEGATIVE, POSITIVE, REAL, UNIT, Interval, enclose
from deriver.language.recursions import recursion_groups
from deriver.language.rewrite import make_number
from deriver.language.scope import Draft, Scope
from deriver.model.expressions import Binary, Call, Expression, Number, Reference, Transpose, references
from deriver.model.records import Given, Support


@dataclass(slots=True, kw_only=True)
class Supports:
    """The supports and intervals found so far; nodes are filled in parents first."""

    scope: Scope
    inference: Inference
    nodes: dict[str, Support] = field(default_factory=dict)
    intervals: dict[str, Interval] = field(default_factory=dict)
    unsure: set[str] = field(default_factory=set)

    def is_unsure(self, expression: Expression) -> bool:
        """Tell whether an expression names something of which a mistake hides the support."""
        known = {*self.scope.plates, *self.scope.givens, *self.scope.nodes} - self.unsure
        return any(
            found.name not in known or self.scope.unread(found.name) for found in references(expression)
        )

    def enclose(self, expression: Expression) -> Interval:
        """Return an interval that holds the values of an expression."""
        return enclose(expression, self.look_up, self.is_definite, self.is_scalar)

    def is_definite(self, expression: Expression) -> bool:
        """Tell whether a matrix is proved positive definite."""
        return is_definite(expression, self._facts())

    def is_triangular(self, expression: Expression) -> bool:
        """Tell whether a matrix is proved lower triangular with a positive diagonal."""
        return is_triangular(expression, self._facts())

    def _facts(self) -> Facts:
        return Facts(
            enclose=self.enclose,
            known=self._is_known_definite,
            known_triangular=self._is_known_triangular,
            lower_bound=self._lower_bound,
            is_scalar=self.is_scalar,
        )

    def is_scalar(self, expression: Expression) -> bool:
        """Tell whether an expression is a number."""
        return self.inference.shaper.shape(expression) == SCALAR

    def look_up(self, found: Reference) -> Interval:
        """Return the interval of a name; of each entry, for a vector."""
        if found.name not in self.intervals:
            self.intervals[found.name] = REAL  # what a bound that names itself would find
            self.intervals[found.name] = self._find_interval(found.name)
        return self.intervals[found.name]

    def _find_interval(self, name: str) -> Interval:
        plate = self.scope.plates.get(name)
        if plate is not None:
            low = self.enclose(plate.lower)
            return Interval(low.lower, math.inf, low.lower_open)
        given = self.scope.givens.get(name)
        if given is None or given.support.kind == "spd" or len(given.shape) == 2:
            return REAL
        if given.support.kind == "simplex":
            return UNIT
        return self.interval_of(given.support)

    def interval_of(self, support: Support) -> Interval:
        """Return the interval of a support of kind ``real`` or ``integer``."""
        if support.kind == "simplex":
            return UNIT
        if support.kind not in ("real", "integer"):
            return REAL
        is_open = support.kind == "real"
        low = self.enclose(support.lower) if support.lower is not None else REAL
        high = self.enclose(support.upper) if support.upper is not None else REAL
        return Interval(low.lower, high.upper, is_open or low.lower_open, is_open or high.upper_open)

    def _is_known_definite(self, found: Reference) -> bool:
        given = self.scope.givens.get(found.name)
        support = given.support if given is not None else self.nodes.get(found.name, Support())
        return support.kind in ("spd", "correlation")

    def _is_known_triangular(self, found: Reference) -> bool:
        given = self.scope.givens.get(found.name)
        if given is not None:
            return given.support.kind == "cholesky"
        if found.name not in self.nodes or self.scope.nodes[found.name].stochastic:
            return False
        drafts = self.scope.nodes[found.name].drafts
        return all(each.expression is not None and self.is_triangular(each.expression) for each in drafts)

    def _lower_bound(self, found: Reference) -> Expression | None:
        given = self.scope.givens.get(found.name)
        return given.support.lower if given is not None else self.nodes.get(found.name, Support()).lower


def find_supports(scope: Scope, inference: Inference, order: tuple[str, ...]) -> Supports:
    """Return the supports of all nodes, in the order of the graph."""
    supports = Supports(scope=scope, inference=inference)
    _mark_givens(scope, inference)
    positions = {id(draft): position for position, draft in enumerate(scope.drafts)}
    groups = {name: group for group in recursion_groups(scope) for name in group}
    for name in (*order, *(name for name in scope.nodes if name not in order)):
        found = []
        if name in groups and name not in supports.intervals:
            _settle_recursion(supports, groups[name])
        for draft in scope.nodes[name].drafts:
            choice = inference.choices.get(positions[id(draft)])
            hidden = draft.stochastic and choice is None or any(map(supports.is_unsure, draft.expressions()))
            supports.unsure |= {name} if hidden else set()
            found.append(_draft_support(supports, draft, choice))
        supports.nodes[name] = _join_supports(found)
        supports.intervals[name] = _join_intervals([supports.interval_of(each) for each in found])
        _refine_interval(supports, name)
    return supports


# Where the values of a recursion may be supposed to lie, from the narrowest.
_SUPPOSED = (UNIT, POSITIVE, NONNEGATIVE, REAL)


def _settle_recursion(supports: Supports, group: tuple[str, ...]) -> None:
    """Find intervals of nodes that are computed step by step, by induction.

    What holds of the first elements, and of a step if it holds of all earlier elements, holds of all.  An interval that a
    step leaves is widened, until no step leaves any.
    """
    supposed = dict.fromkeys(group, 0)
    while True:
        supports.intervals |= {name: _SUPPOSED[place] for name, place in supposed.items()}
        left = [
            name
            for name in group
            for draft in supports.scope.nodes[name].drafts
            if draft.expression is not None
            and not supports.enclose(draft.expression).within(_SUPPOSED[supposed[name]])
        ]
        if not left:
            return
        for name in dict.fromkeys(left):
            supposed[name] += 1


def _refine_interval(supports: Supports, name: str) -> None:
    """For definitions keep the whole interval found, closed ends too, which a support cannot say."""
    entity = supports.scope.nodes[name]
    shape = supports.inference.shapes.get(name)
    if not entity.stochastic and shape is not None and shape.kind in ("scalar", "vector"):
        found = [
            supports.enclose(draft.expression) for draft in entity.drafts if draft.expression is not None
        ]
        supports.intervals[name] = _join_intervals(found)


def _join_intervals(found: list[Interval]) -> Interval:
    low = min(found, key=lambda each: (each.lower, each.lower_open))
    high = max(found, key=lambda each: (each.upper, not each.upper_open))
    return Interval(low.lower, high.upper, low.lower_open, high.upper_open)


def _join_supports(found: list[Support]) -> Support:
    """Return the support of a node whose statements have these: the same, or the wider bounds."""
    first = found[0]
    if all(each == first for each in found):
        return first
    if any(each.kind != first.kind for each in found):
        return Support()
    lower = _wider([each.lower for each in found], min)
    upper = _wider([each.upper for each in found], max)
    return Support(kind=first.kind, lower=lower, upper=upper)


def _wider(bounds: list[Expression | None], of: Callable[..., Number]) -> Expression | None:
    """Return the bound that holds all of these; None unless they are the same or numbers."""
    numbers = [each for each in bounds if isinstance(each, Number)]
    if len(numbers) == len(bounds):
        return of(numbers, key=lambda each: each.value)
    return bounds[0] if all(each == bounds[0] for each in bounds) else None


def _draft_support(supports: Supports, draft: Draft, choice: Choice | None) -> Support:
    if draft.expression is not None:
        return _definition_support(supports, draft)
    if choice is None:
        return Support()
    rule = choice.signature.support
    values = {
        keyword: argument.value
        for keyword, argument in zip(choice.form.keywords, choice.arguments, strict=True)
    }
    lower, upper = _rule_bound(rule.lower, values), _rule_bound(rule.upper, values)
    if choice.signature.key == "categorical":
        upper = _categories(supports, choice.arguments[0].value)
    if draft.line.truncation:
        lower = _narrow(lower, draft.line.truncation[0], "max")
        upper = _narrow(upper, draft.line.truncation[1], "min")
    return Support(kind=rule.kind, lower=lower, upper=upper)


def _categories(supports: Supports, chances: Expression) -> Expression | None:
    """Return how many probabilities there are, if the same number for every element."""
    shape = supports.inference.shaper.shape(chances)
    sides = [] if shape is None else [supports.inference.dimensions.resolve(side) for side in shape.dims]
    alike = len(sides) == 1 and not any(found.subscripts for found in references(sides[0]))
    return sides[0] if alike else None


def _rule_bound(text: str | None, values: dict[str, Expression]) -> Expression | None:
    if text is None:
        return None
    return values[text] if text in values else make_number(int(text))


def _narrow(bound: Expression | None, other: Expression | None, function: str) -> Expression | None:
    """Return the narrower of two bounds; the larger lower, the smaller upper one."""
    if bound is None or other is None:
        return bound if other is None else other
    if isinstance(bound, Number) and isinstance(other, Number):
        pair = sorted((bound, other), key=lambda each: each.value)
        return pair[1] if function == "max" else pair[0]
    return Call(function=function, arguments=(bound, other))


def _definition_support(supports: Supports, draft: Draft) -> Support:
    expression = draft.expression
    shape = supports.inference.shapes.get(draft.name)
    if expression is None or shape is None:
        return Support()
    if shape.kind == "matrix":
        return Support(kind="spd") if supports.is_definite(expression) else Support()
    found = supports.enclose(expression)
    lower = _bound(found.lower) if found.lower_open else None
    upper = _bound(found.upper) if found.upper_open else None
    return Support(lower=lower, upper=upper)


def _bound(value: float) -> Expression | None:
    """Return the literal of a whole bound; other floats are not exact, and left out."""
    if math.isinf(value) or value != int(value) or abs(value) > 1e6:
        return None
    return make_number(int(value))


# matrices and vectors that are given take the kind of the place where they stand


# How many dimensions a given has that is marked.
_GIVEN_SIZES = {"spd": 2, "cholesky": 2, "simplex": 1}


def _mark_givens(scope: Scope, inference: Inference) -> None:
    """A given matrix used as covariance or scale is positive definite, as its Cholesky factor triangular.

    A given vector of probabilities is a simplex.
    """
    for choice in inference.choices.values():
        for role, argument in zip(choice.form.roles, choice.arguments, strict=True):
            if role in _GIVEN_SIZES:
                _mark(scope, inference, argument.value, role, set())


def _mark(scope: Scope, inference: Inference, expression: Expression, kind: str, seen: set[str]) -> None:
    def again(part: Expression) -> None:
        _mark(scope, inference, part, kind, seen)

    match expression:
        case Reference(name=name) if name in scope.givens:
            _mark_given(scope, scope.givens[name], kind)
        case Reference(name=name) if name in scope.nodes and name not in seen:
            seen.add(name)
            for draft in scope.nodes[name].drafts:
                if draft.expression is not None:
                    again(draft.expression)
        case Transpose(operand=operand) if kind != "cholesky":
            again(operand)
        case Call(function="inv", arguments=(operand,)):
            again(operand)
        case Binary(operator="+", left=left, right=right) if kind == "spd":
            again(left)
            again(right)
        case Binary(operator="*" | "/", left=left, right=right) if kind != "simplex":
            shaper = inference.shaper
            for one, other in ((left, right), (right, left)):
                whole = kind == "cholesky" or shaper.shape(other) == SCALAR
                if whole and shaper.shape(one) != SCALAR:
                    again(one)


def _mark_given(scope: Scope, given: Given, kind: str) -> None:
    if len(given.shape) == _GIVEN_SIZES[kind] and given.support == Support():
        scope.givens[given.name] = dataclasses.replace(given, support=Support(kind=kind))  # type: ignore[arg-type]
