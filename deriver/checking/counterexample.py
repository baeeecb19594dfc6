"""A counter-example that can be recomputed by hand: few elements, round numbers, both values.

Random small states are rounded until one is found at which the claim and the right answer both have values, and
differ.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from deriver.algebra.heads import Ref
from deriver.checking.densities import Statement, canonical_at, log_densities
from deriver.checking.oracle import FAILURES, Group, Oracle, State
from deriver.checking.records import CounterExample
from deriver.checking.values import Context
from deriver.derivation.numeric import canonical_at as right_at
from deriver.derivation.states import random_state
from deriver.errors import InternalError
from deriver.model.expressions import references
from deriver.model.records import Given, Node

# Two of each first, which are the easiest to recompute; then others, for what comes out the same at two.
_SIZES = (*((2, 2),) * 24, *((3, 2), (1, 2), (2, 3), (3, 3)) * 9)
_REALS = (1.0, 2.0, 0.0, -1.0, 3.0)
_POSITIVES = (1.0, 2.0, 0.5, 3.0, 4.0)
_FRACTIONS = (0.5, 0.0, 0.25, -0.5, 0.75, 1.0, 2.0)
_MATRICES = (((2.0, 0.0), (0.0, 1.0)), ((2.0, 1.0), (1.0, 2.0)), ((1.0, 0.0), (0.0, 1.0)))


def find_counterexample(oracle: Oracle, statement: Statement) -> CounterExample | None:
    """Return round values at which a wrong statement differs from the right one, or None if none were found.

    Values at which the statement is no density at all are the last resort: there it has no value to compare.
    """
    rng = np.random.default_rng(7)
    improper: CounterExample | None = None
    for dimension, size in _SIZES:
        try:
            state = random_state(oracle.bench.model, rng, dimension=dimension, size=size)
        except (*FAILURES, InternalError):
            continue
        state = round_state(oracle, state, rng)
        for group in _round_groups(oracle, state, rng):
            found = _differ(oracle, statement, group)
            if found is not None:
                return found
            improper = improper or _no_density(oracle, statement, group)
    return improper


def round_state(oracle: Oracle, state: State, rng: np.random.Generator) -> State:
    """Return a state with round numbers; what has to be a count, a label or a size stays as it is."""
    model = oracle.bench.model
    declared: list[Given | Node] = [*model.givens, *(n for n in model.nodes if n.kind == "stochastic")]
    rounded = dict(state)
    for each in declared:
        if isinstance(each, Given) and each.origin != "given":
            continue
        rounded[each.name] = {
            index: _round(oracle, each, value, rng) for index, value in state[each.name].items()
        }
    return rounded


def _round(oracle: Oracle, declared: Given | Node, value: Any, rng: np.random.Generator) -> Any:
    kind, lower, upper = oracle.bench.lowering.support(declared.support)
    match kind:
        case "integer" | "index" | "subset":
            return value
        case "simplex":
            return np.full(len(value), 1.0 / len(value))
        case "spd" | "correlation":
            return _round_matrix(kind, len(value), rng)
        case "cholesky":
            return np.tril(np.ones_like(value))
    if np.ndim(value) == 2:
        return _round_matrix("spd", len(value), rng) if value.shape[0] == value.shape[1] else np.round(value)
    choices: tuple[float, ...] = _REALS if lower is None and upper is None else _POSITIVES
    if lower is not None and upper is not None or lower is None and upper is not None:
        choices = _FRACTIONS
    if np.ndim(value) == 1:
        return np.array([float(rng.choice(choices)) for _ in value])
    return float(rng.choice(choices))


def _round_matrix(kind: str, side: int, rng: np.random.Generator) -> np.ndarray:
    if kind == "correlation":
        return np.full((side, side), 0.5) + 0.5 * np.eye(side)
    if side == 2:
        return np.array(_MATRICES[int(rng.integers(len(_MATRICES)))])
    return np.diag([1.0 + (k % 2) for k in range(side)])


def _round_groups(oracle: Oracle, state: State, rng: np.random.Generator) -> Iterable[Group]:
    """Yield a group of two points with round values of the element."""
    if not oracle.fits(state):
        return
    node = oracle.subject.conditional.node
    declared = oracle.bench.model.node(node)
    try:
        chosen = oracle.elements_of(state)
    except FAILURES:
        return
    for index, own in chosen[:1]:
        values = [state[node][index], _round(oracle, declared, state[node][index], rng)]
        points = [oracle.make_point(state, index, value) for value in values]
        there = [point for point in points if point is not None]
        if len(there) == 2 and not np.all(np.asarray(values[0]) == np.asarray(values[1])):
            yield oracle.collect(there, index, own)


def _differ(oracle: Oracle, statement: Statement, group: Group) -> CounterExample | None:
    parameters = _parameters(oracle, statement, group)
    if parameters is not None:
        for name, theirs, right in parameters:
            if _apart(theirs, right):
                return CounterExample(
                    values=_shown(oracle, statement, group, target=False), what=name, theirs=_text(theirs),
                    right=_text(right),
                )  # fmt: skip
        return None
    values = log_densities(oracle, statement, group)
    if values is None or not np.all(np.isfinite(values)):
        return None
    theirs, right = float(values[1] - values[0]), float(group.reference[1] - group.reference[0])
    if not _apart(theirs, right):
        return None
    first, second = (_text(point.value) for point in group.points)
    return CounterExample(
        values=_shown(oracle, statement, group, target=True),
        what=f"the log density at {second} minus that at {first}",
        theirs=_text(theirs), right=_text(right),
    )  # fmt: skip


def _no_density(oracle: Oracle, statement: Statement, group: Group) -> CounterExample | None:
    """Return the argument of a claimed family that is outside its domain at a state."""
    choice, point = statement.line.choice, group.points[0]
    if choice is None:
        return None
    context = Context(point.view, point.raw, statement.named(), group.own)
    for keyword, tree, role in zip(choice.form.keywords, statement.trees, choice.form.roles, strict=True):
        try:
            value = np.asarray(oracle.evaluator.compile(tree)(context, group.own), dtype=float)
        except FAILURES:
            continue
        positive = np.all(np.linalg.eigvalsh(value) > 0) if role == "spd" else np.all(value > 0)
        if role in ("positive", "spd") and not positive:
            wanted = "a positive definite matrix" if role == "spd" else "a positive number"
            shown = _shown(oracle, statement, group, target=False)
            return CounterExample(values=shown, what=f"the {keyword}", theirs=_text(value), right=wanted)
    return None


def _apart(theirs: Any, right: Any) -> bool:
    one, two = np.asarray(theirs, dtype=float), np.asarray(right, dtype=float)
    if one.shape != two.shape or not (np.all(np.isfinite(one)) and np.all(np.isfinite(two))):
        return False
    return bool(np.max(np.abs(one - two)) > 1e-6 * (1.0 + np.max(np.abs(two))))


def _parameters(oracle: Oracle, statement: Statement, group: Group) -> list[tuple[str, Any, Any]] | None:
    """Return (name, theirs, right) of each parameter where the claim has the family of the conditional."""
    choice, conditional = statement.line.choice, oracle.subject.conditional
    if choice is None or conditional.family is None:
        return None
    try:
        theirs = canonical_at(oracle, statement, group.points[0], group)
        family, right = right_at(conditional, group.points[0].raw, group.index)
    except FAILURES:
        return None
    if not oracle.subject.own:
        family, right = turn_values(family, right)
    record = choice.signature
    if family != record.key or not set(record.parameters) <= set(right):
        return None
    named = dict(zip(record.parameters, theirs, strict=True))
    one, two = _natural(family, named), _natural(family, right)
    return [(name, one[name], two[name]) for name in one]


def _natural(family: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a normal's precision and linear term, which need no inverse by hand; others as they are."""
    if family == "normal":
        return {
            "the precision": 1.0 / values["var"],
            "the precision times the mean": values["mean"] / values["var"],
        }
    if family == "mvnormal":
        precision = np.linalg.inv(values["cov"])
        return {"the precision": precision, "the precision times the mean": precision @ values["mean"]}
    return {f"the {name}": value for name, value in values.items()}


def turn_values(family: str, values: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the family and parameters of the inverse."""
    match family:
        case "inverse_gamma":
            return "gamma", {"shape": values["shape"], "rate": values["scale"]}
        case "gamma":
            return "inverse_gamma", {"shape": values["shape"], "scale": values["rate"]}
        case "wishart":
            return "inverse_wishart", {"df": values["df"], "scale": np.linalg.inv(values["scale"])}
        case "inverse_wishart":
            return "wishart", {"df": values["df"], "scale": np.linalg.inv(values["scale"])}
    return "", dict(values)


# --- what is shown -----------------------------------------------------------------------------------------


def _shown(
    oracle: Oracle, statement: Statement, group: Group, *, target: bool
) -> tuple[tuple[str, str], ...]:
    """Return the values of all that the claim, or the right answer, mentions."""
    conditional, model = oracle.subject.conditional, oracle.bench.model
    trees = (*statement.trees, *(named.expression for named in statement.definitions))
    names = {found.name for tree in trees for found in references(tree)}
    for factor in oracle.factors:
        names |= {factor.value.name, *factor.parents}
        names |= {ref.name for arg in factor.arguments for ref in arg.atoms() if hasattr(ref, "shape")}
    for _, expr in conditional.parameters:
        names |= {ref.name for ref in expr.atoms(Ref)}
    if not target:
        names.discard(conditional.node)
    raw = group.points[0].raw
    declared: list[Given | Node] = [*model.givens, *model.nodes]
    order = [each.name for each in declared if each.name in names and each.name in raw]
    shown = [(name, number) for name, number in group.own.items()]
    found = [(name, str(number)) for name, number in shown]
    for name in order:
        for index, value in sorted(raw[name].items()):
            if name == conditional.node and index == group.index:
                continue
            subscripts = ",".join(map(str, index))
            found.append((f"{name}[{subscripts}]" if index else name, _text(value)))
    return tuple(found)


def _text(value: Any) -> str:
    """Return a number as a fraction where it is a simple one, a vector as [a; b], a matrix as [a, b; c, d]."""
    if isinstance(value, frozenset):
        return "{" + ", ".join(map(str, sorted(value))) + "}"
    array = np.asarray(value, dtype=float)
    if array.ndim == 0:
        return _number(float(array))
    rows = array.reshape(len(array), -1)
    return "[" + "; ".join(", ".join(_number(float(x)) for x in row) for row in rows) + "]"


def _number(value: float) -> str:
    if not math.isfinite(value):
        return str(value)
    simple = Fraction(value).limit_denominator(60)
    if abs(float(simple) - value) < 1e-12 * (1.0 + abs(value)):
        return str(simple)
    return f"{value:.6g}"
