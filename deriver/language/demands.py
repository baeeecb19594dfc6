"""What families demand of their arguments: positive variances, probabilities, definite covariances.

Input: the supports of a model.  Output: mistakes, each with the reason that proves it: a name declared without
a bound, a constant, or values at which the argument fails.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction

import numpy as np

from deriver.language.choice import Choice
from deriver.language.definite import find_pivots, read_constant
from deriver.language.inference import Inference
from deriver.language.intervals import NONNEGATIVE, POSITIVE, REAL, UNIT, Interval
from deriver.language.parser import measure_depth
from deriver.language.printer import print_expression
from deriver.language.scope import Draft, Scope
from deriver.language.supports import Supports
from deriver.language.triangular import check_triangular
from deriver.language.witness import Leaves, Value, evaluate, find_witness
from deriver.model.expressions import (
    Binary,
    Call,
    Expression,
    MatrixRows,
    Number,
    Reference,
    Transpose,
    references,
)

_NAMES = {
    "var": "variance", "sd": "standard deviation", "prec": "precision", "cov": "covariance",
    "prob": "probability", "df": "degrees of freedom", "chol": "Cholesky factor",
}  # fmt: skip
_DEEPEST = 30
_INTERVALS = {
    "positive": POSITIVE,
    "positive_vector": POSITIVE,
    "probability": UNIT,
    "nonnegative": NONNEGATIVE,
}
_WORDS = {
    "positive": "positive", "positive_vector": "positive", "probability": "between 0 and 1",
    "nonnegative": "zero or more",
}  # fmt: skip


def check_demands(scope: Scope, inference: Inference, supports: Supports, order: tuple[str, ...]) -> None:
    """Record each argument that is shown not to be what its family needs; ``order`` has parents first."""
    leaves = _collect_leaves(scope, inference, supports, order)
    for position, draft in enumerate(scope.drafts):
        choice = inference.choices.get(position)
        if choice is None or any(map(supports.is_unsure, draft.expressions())):
            continue
        for role, keyword, argument in zip(
            choice.form.roles, choice.form.keywords, choice.arguments, strict=True
        ):
            what = f"the {_NAMES.get(keyword, keyword)} of `{draft.name}`"
            if role in _INTERVALS:
                _check_interval(scope, supports, leaves, role, what, argument.value)
            elif role == "spd":
                _check_definite(scope, supports, leaves, what, argument.value)
            elif role == "cholesky":
                check_triangular(scope, supports, leaves, what, argument.value)
            elif role == "count":
                _check_count(scope, supports, what, argument.value)
            elif role == "simplex":
                _check_simplex(scope, what, argument.value)
        _check_order(scope, supports, draft, choice)


def _collect_leaves(scope: Scope, inference: Inference, supports: Supports, order: tuple[str, ...]) -> Leaves:
    """Return the names to which values can be given."""
    nodes: dict[str, Callable] = {}
    definitions: dict[str, Expression] = {}
    for name in order:
        entity, shape = scope.nodes[name], inference.shapes.get(name)
        if shape is None:
            continue
        if not entity.stochastic:
            definition = _single_definition(scope, name, definitions)
            if definition is not None:
                definitions[name] = definition
        elif shape.kind == "scalar" and supports.nodes[name].kind == "real":
            nodes[name] = _make_interval(supports, name)
    knowns, dimensions = {}, []
    for given in scope.givens.values():
        if given.support.kind == "integer" and not given.indices:
            dimensions.append(given.name)
        elif not given.shape and given.support.kind == "real":
            knowns[given.name] = supports.interval_of(given.support)
    return Leaves(nodes=nodes, knowns=knowns, dimensions=tuple(dimensions), definitions=definitions)


def _single_definition(scope: Scope, name: str, earlier: Mapping[str, Expression]) -> Expression | None:
    """Return the definition of a node, if it has one statement and names no definition but earlier ones."""
    drafts = scope.nodes[name].drafts
    definition = drafts[0].expression
    if len(drafts) > 1 or definition is None:
        return None
    named = {found.name for found in references(definition)}
    plain = all(each not in scope.nodes or scope.nodes[each].stochastic or each in earlier for each in named)
    return definition if plain and measure_depth(definition) <= _DEEPEST else None


def _make_interval(supports: Supports, name: str) -> Callable:
    support = supports.nodes[name]
    whole = supports.intervals[name]

    def interval(state: dict[str, Value]) -> Interval:
        ends = []
        for bound, fallback in ((support.lower, whole.lower), (support.upper, whole.upper)):
            value = fallback if bound is None else evaluate(bound, state, {})
            ends.append(float(value))
        return Interval(ends[0], ends[1])

    return interval


def _check_simplex(scope: Scope, what: str, value: Expression) -> None:
    """Probabilities that are given add up to 1; a vector of positive numbers need not."""
    given = scope.givens.get(value.name) if isinstance(value, Reference) else None
    if given is None or given.support.kind == "simplex" or len(given.shape) != 1:
        return
    size = print_expression(given.shape[0])
    scope.mistakes.add(
        "support",
        f"{what} is `{given.name}`, of which the declaration does not say that it adds up to 1",
        span=value.span,
        expected=f"a given that is declared `{given.name} : simplex({size})`",
        remedy="declare it so, and divide the numbers of the data by their sum",
    )


# numbers


def _check_interval(
    scope: Scope, supports: Supports, leaves: Leaves, role: str, what: str, value: Expression
) -> None:
    needed = _INTERVALS[role]
    found = supports.enclose(value)
    if found.within(needed):
        return
    culprit = _find_culprit(scope, supports, leaves, value, needed)
    if culprit is not None:
        _add_culprit(scope, supports, role, what, value, culprit)
        return
    if _disjoint(found, needed):
        scope.mistakes.add(
            "support", f"{what} is never {_WORDS[role]}", span=value.span, expected=_describe(needed)
        )
        return
    state = find_witness(value, leaves, lambda number: _outside(number, needed))
    if state is not None:
        scope.mistakes.add(
            "support",
            f"{what} is not always {_WORDS[role]}: it is not for {_state_text(state)}",
            span=value.span,
            expected=_describe(needed),
            remedy=_mend_number(role, value),
        )


def _outside(number: Value, needed: Interval) -> bool:
    return bool(np.any(np.asarray(number) < needed.lower)) or bool(np.any(np.asarray(number) > needed.upper))


def _disjoint(found: Interval, needed: Interval) -> bool:
    above = found.lower > needed.upper or (found.lower == needed.upper and needed.upper_open)
    return above or found.upper < needed.lower or (found.upper == needed.lower and needed.lower_open)


def _find_culprit(
    scope: Scope, supports: Supports, leaves: Leaves, value: Expression, needed: Interval
) -> Expression | None:
    """Return the number or name that alone puts a value outside; None if no single part does."""

    def again(part: Expression) -> Expression | None:
        return (
            None
            if supports.enclose(part).within(needed)
            else _find_culprit(scope, supports, leaves, part, needed)
        )

    match value:
        case Number():
            return None if supports.enclose(value).within(needed) else value
        case Reference(name=name) if name in scope.givens and scope.givens[name].support.kind in (
            "real",
            "integer",
        ):
            return value
        case Reference(name=name) if name in scope.nodes:
            single = leaves.definitions.get(name)
            if scope.nodes[name].stochastic:
                return value
            return _find_culprit(scope, supports, leaves, single, needed) if single is not None else None
        case Binary(operator="*" | "/", left=left, right=right) if needed == POSITIVE:
            for one, other in ((left, right), (right, left)):
                if supports.enclose(other).positive and supports.is_scalar(one):
                    return again(one)
        case Call(function="inv" | "diag", arguments=(inner,)) if needed == POSITIVE:
            return again(inner)
    return None


def _add_culprit(
    scope: Scope, supports: Supports, role: str, what: str, value: Expression, culprit: Expression
) -> None:
    text = print_expression(culprit)
    needed = _INTERVALS[role]
    if isinstance(culprit, Number):
        found, remedy = f"{what} is {text}", ""
    else:
        name = culprit.name if isinstance(culprit, Reference) else text
        through = "" if culprit == value else f", which rests on `{name}`,"
        found = f"{what}{through} is not always {_WORDS[role]}: `{name}` {_lives(supports, culprit)}"
        remedy = _mend_name(scope, role, name, value)
    scope.mistakes.add(
        "support", found, span=value.span or culprit.span, expected=_describe(needed), remedy=remedy
    )


def _lives(supports: Supports, culprit: Expression) -> str:
    found = supports.enclose(culprit)
    if found == REAL:
        return "can be any real number"
    low, high = (f"{end:g}" for end in (found.lower, found.upper))
    return f"lies between {low} and {high}"


def _mend_name(scope: Scope, role: str, name: str, value: Expression) -> str:
    bound = "in (0, 1)" if role == "probability" else "> 0"
    given = scope.givens.get(name)
    if given is not None:
        item = f"{name}[{','.join(given.indices)}]" if given.indices else name
        shape = given.shape
        kind = f" : vector({print_expression(shape[0], True)})" if len(shape) == 1 else ""
        return f"declare `{item}{kind} {bound}` under `given`"
    if role == "probability":
        return f"give `{name}` a distribution on (0, 1), such as Beta(1, 1), or write expit({print_expression(value)})"
    return f"give `{name}` a distribution on the positive numbers, such as IG(q, r), or write exp({name})"


def _mend_number(role: str, value: Expression) -> str:
    if role == "probability":
        return f"write expit({print_expression(value)})"
    return "restrict the quantities in it, or write exp(...)"


def _describe(needed: Interval) -> str:
    if needed == UNIT:
        return "a number in (0, 1)"
    return "a positive number" if needed == POSITIVE else "a number that is not negative"


def _state_text(state: dict[str, float]) -> str:
    return ", ".join(f"{name} = {value:.3g}" for name, value in state.items())


# counts


def _check_count(scope: Scope, supports: Supports, what: str, value: Expression) -> None:
    match value:
        case Number(value=number) if number.denominator != 1:
            scope.mistakes.add(
                "support", f"{what} is {value.text}", span=value.span, expected="a whole number"
            )
        case Reference(name=name) if name in scope.givens:
            _check_count_given(scope, supports, what, value)
        case Reference(name=name) if name in scope.nodes and scope.nodes[name].stochastic:
            if supports.nodes[name].kind != "integer":
                scope.mistakes.add(
                    "support",
                    f"{what} is `{name}`, which is not a whole number",
                    span=value.span,
                    expected="a whole number, such as a given declared `: integer >= 0`",
                )


def _check_count_given(scope: Scope, supports: Supports, what: str, value: Reference) -> None:
    given = scope.givens[value.name]
    found = supports.interval_of(given.support)
    if given.support.kind == "integer" and found.nonnegative:
        return
    item = f"{value.name}[{','.join(given.indices)}]" if given.indices else value.name
    why = "can be negative" if given.support.kind == "integer" else "is not declared as a whole number"
    scope.mistakes.add(
        "support",
        f"{what} is `{value.name}`, which {why}",
        span=value.span,
        expected="a whole number that is not negative",
        remedy=f"declare `{item} : integer >= 0` under `given`",
    )


# matrices


def _check_definite(scope: Scope, supports: Supports, leaves: Leaves, what: str, value: Expression) -> None:
    if supports.is_definite(value):
        return
    flaw = _find_flaw(scope, value, set())
    if flaw is not None:
        scope.mistakes.add(
            "support", f"{what} {flaw}", span=value.span, expected="a symmetric positive definite matrix"
        )
        return
    state = find_witness(value, leaves, _is_indefinite)
    if state is not None:
        scope.mistakes.add(
            "support",
            f"{what} is not positive definite for {_state_text(state)}",
            span=value.span,
            expected="a matrix that is positive definite wherever its parts can lie",
            remedy=_mend_matrix(state),
        )


def _mend_matrix(state: dict[str, float]) -> str:
    if len(state) == 1:
        return f"restrict `{next(iter(state))}`: a correlation lies in (-1, 1)"
    return (
        "restrict the quantities in it; an exchangeable correlation lies in (-1/(p-1), 1), others in (-1, 1)"
    )


def _find_flaw(scope: Scope, value: Expression, seen: set[str]) -> str | None:
    """Return what is wrong with a matrix that is written out, definitions followed; None if nothing is seen."""
    match value:
        case MatrixRows(rows=rows):
            return _find_written_flaw(rows)
        case Reference(name=name) if name in scope.nodes and name not in seen:
            draft = scope.nodes[name].drafts[0]
            return (
                _find_flaw(scope, draft.expression, {*seen, name}) if draft.expression is not None else None
            )
        case Binary(operator="*", left=left, right=right):
            return _find_flaw(scope, left, seen) or _find_flaw(scope, right, seen)
        case Call(function="inv", arguments=(inner,)) | Transpose(operand=inner):
            return _find_flaw(scope, inner, seen)
    return None


def _find_written_flaw(rows: tuple[tuple[Expression, ...], ...]) -> str | None:
    size = len(rows)
    if any(len(row) != size for row in rows):
        return None
    for i in range(size):
        for j in range(i):
            one, two = print_expression(rows[i][j], True), print_expression(rows[j][i], True)
            constants = read_constant(((rows[i][j],),)), read_constant(((rows[j][i],),))
            if all(constants) and constants[0] != constants[1]:
                return f"is not symmetric: its entries ({j + 1},{i + 1}) and ({i + 1},{j + 1}) are {two} and {one}"
            if one != two and isinstance(rows[i][j], Reference) and isinstance(rows[j][i], Reference):
                return f"is not symmetric: its entries ({j + 1},{i + 1}) and ({i + 1},{j + 1}) are {two} and {one}"
    constant = read_constant(rows)
    if constant is not None and any(pivot <= Fraction(0) for pivot in find_pivots(constant)):
        return "is not positive definite"
    return None


def _is_indefinite(value: Value) -> bool:
    if not isinstance(value, np.ndarray) or value.ndim != 2 or not np.all(np.isfinite(value)):
        return False
    if not np.allclose(value, value.T, rtol=1e-9, atol=0):
        return True
    scale = np.abs(value).max()
    return bool(np.linalg.eigvalsh(value)[0] < -1e-9 * scale)


# bounds


def _check_order(scope: Scope, supports: Supports, draft: Draft, choice: Choice) -> None:
    """Refuse bounds in the wrong order."""
    pairs: list[tuple[Expression | None, Expression | None]] = []
    if choice.signature.key == "uniform":
        pairs.append((choice.arguments[0].value, choice.arguments[1].value))
    pairs += [draft.line.truncation] if draft.line.truncation else []
    for low, high in pairs:
        if low is None or high is None:
            continue
        if supports.enclose(low).lower >= supports.enclose(high).upper:
            scope.mistakes.add(
                "bounds",
                f"the lower bound of `{draft.name}` is not below its upper bound",
                span=low.span,
                expected="(lower, upper) with lower < upper",
            )
