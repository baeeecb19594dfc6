"""Equality shown symbolically, and differences in closed form.

A claimed family's parameters are brought to the derived conditional's own (precision and linear term, shape and
scale, …) and to a normal form of sums; what is zero there is equal for every state.  What has no normal form here
is not shown symbolically, and stays with the numbers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import sympy as sp
from sympy import Expr

from deriver.algebra.heads import PlateSum, invert
from deriver.checking.densities import Statement
from deriver.checking.oracle import Oracle
from deriver.checking.records import Comparison, Named
from deriver.checking.sums import normalise
from deriver.checking.terms import NO_FORM, right_parameters, write_expression
from deriver.derivation.factors import Definitions
from deriver.language.rewrite import rebuild, substitute
from deriver.model.expressions import Binary, Colon, Expression, Reference, SumOver, Transpose, references
from deriver.model.records import Given, Node

_LONGEST = 160
_MOST_OPERATIONS = 400


def compare_parameters(oracle: Oracle, statement: Statement) -> dict[str, tuple[Expr, Expr]] | None:
    """Return (theirs, right) by parameter of the derived conditional, or None where they cannot be written."""
    try:
        return _compare_parameters(oracle, statement)
    except NO_FORM:
        return None


def _compare_parameters(oracle: Oracle, statement: Statement) -> dict[str, tuple[Expr, Expr]] | None:
    conditional, choice = oracle.subject.conditional, statement.line.choice
    if choice is None or conditional.method != "gibbs" or conditional.family is None:
        return None
    right = right_parameters(oracle)
    record = choice.signature
    named = {each.name: each for each in statement.definitions}
    trees = [inline(tree, named, oracle) for tree in statement.trees]
    if any(
        isinstance(part, Reference) and Colon() in part.subscripts for t in trees for part in references(t)
    ):
        return None
    given = choice.form.to_canonical(*(oracle.bench.lowering.expression(tree) for tree in trees))
    values = dict(zip(record.parameters, given, strict=True))
    if not oracle.subject.own:
        turned = _turn(record.key, values, oracle)
        if turned is None:
            return None
        key, values = turned
    else:
        key = record.key
    if key != conditional.family:
        return None
    theirs = _natural(key, values)
    if set(theirs) != set(right):
        return None
    return {name: (theirs[name], right[name]) for name in right}


def _turn(key: str, values: dict[str, Expr], oracle: Oracle) -> tuple[str, dict[str, Expr]] | None:
    """Return the family of the node where that of its inverse is given."""
    target, coordinate = oracle.subject.conditional.target, oracle.subject.coordinate
    if coordinate not in (1 / target, target**-1):
        return None
    match key:
        case "gamma":
            return "inverse_gamma", {"shape": values["shape"], "scale": values["rate"]}
        case "inverse_gamma":
            return "gamma", {"shape": values["shape"], "rate": values["scale"]}
        case "wishart":
            return "inverse_wishart", {"df": values["df"], "scale": invert(values["scale"])}
        case "inverse_wishart":
            return "wishart", {"df": values["df"], "scale": invert(values["scale"])}
    return None


def _natural(key: str, values: Mapping[str, Expr]) -> dict[str, Expr]:
    match key:
        case "normal":
            return {"precision": 1 / values["var"], "linear": values["mean"] / values["var"]}
        case "mvnormal":
            precision = invert(values["cov"])
            return {"precision": precision, "linear": precision * values["mean"]}
        case "wishart":
            return {"df": values["df"], "inverse_scale": invert(values["scale"])}
    return dict(values)


def inline(tree: Expression, named: Mapping[str, Named], oracle: Oracle) -> Expression:
    """Return a tree with the claim's definitions, and the dimensions that it fixes, written out."""

    def change(part: Expression) -> Expression:
        if isinstance(part, Binary):
            return _sum_of_rows(part, oracle)
        if not isinstance(part, Reference):
            return part
        if part.name in oracle.sizes and not part.subscripts:
            return oracle.sizes[part.name]
        own = named.get(part.name)
        if own is None:
            return part
        values = dict(zip(own.indices, part.subscripts, strict=True))
        return substitute(inline(own.expression, named, oracle), values)

    return rebuild(tree, change)


def _sum_of_rows(part: Binary, oracle: Oracle) -> Expression:
    """Write X[i]' * X[i] as sum(j: x[i,j] * x[i,j]'), and X[i]' * y[i] alike."""
    match part:
        case Binary(operator="*", left=Transpose(operand=Reference() as one), right=Reference() as other):
            places = [k for k, each in enumerate(one.subscripts) if isinstance(each, Colon)]
            declared: list[Given | Node] = [*oracle.bench.model.givens, *oracle.bench.model.nodes]
            shape = {each.name: each for each in declared}
            if len(places) != 1 or one.subscripts[places[0]] not in other.subscripts:
                return part
            index = shape[one.name].indices[places[0]]
            left, right = (_at_index(each, index) for each in (one, other))
            turned = Transpose(operand=right) if shape[one.name].shape and shape[other.name].shape else right
            body = Binary(operator="*", left=left, right=turned)
            return SumOver(index=index, conditions=(), body=body)
    return part


def _at_index(found: Reference, index: str) -> Reference:
    subscripts = tuple(Reference(name=index) if isinstance(s, Colon) else s for s in found.subscripts)
    return dataclasses.replace(found, subscripts=subscripts)


def shown_equal(oracle: Oracle, statement: Statement) -> bool:
    """Tell whether every parameter is equal by the normal form."""
    pairs = compare_parameters(oracle, statement)
    if pairs is None:
        return False
    definitions = Definitions(oracle.bench.derivation.definitions)
    try:
        return all(_is_zero(theirs - right, definitions) for theirs, right in pairs.values())
    except NO_FORM:
        return False


def _is_zero(difference: Expr, definitions: Definitions) -> bool:
    if sp.expand(difference) == 0:
        return True
    if difference.count_ops() > _MOST_OPERATIONS:
        return False
    return normalise(difference, definitions) == 0


def write_comparisons(oracle: Oracle, statement: Statement) -> tuple[Comparison, ...]:
    """Return the parameters that differ, both as text of the language, and the difference or ratio."""
    pairs = compare_parameters(oracle, statement)
    if pairs is None:
        return ()
    found = []
    for name, (theirs, right) in pairs.items():
        made = _compare(oracle, name, theirs, right)
        if made is not None:
            found.append(made)
    return tuple(found)


def _compare(oracle: Oracle, name: str, theirs: Expr, right: Expr) -> Comparison | None:
    definitions = Definitions(oracle.bench.derivation.definitions)
    try:
        if _is_zero(theirs - right, definitions):
            return None
        return Comparison(
            name=name,
            theirs=write_expression(oracle, theirs),
            right=write_expression(oracle, right),
            relation=_relation(oracle, theirs, right, definitions),
        )
    except NO_FORM:
        return None


def _relation(oracle: Oracle, theirs: Expr, right: Expr, definitions: Definitions) -> str:
    """Return the ratio where it is simple, else the difference where it is shorter than what differs."""
    candidates = [(theirs - right, "theirs is the right one plus {}", "theirs is the right one minus {}")]
    if theirs.is_commutative and right.is_commutative:
        ratio = (
            sp.cancel(theirs / right)
            if not (theirs.has(PlateSum) and right.has(PlateSum))
            else theirs / right
        )
        if ratio.count_ops() <= 3:
            return f"theirs is {write_expression(oracle, ratio)} times the right one"
    for difference, plus, minus in candidates:
        for form in (sp.expand(difference), normalise(difference, definitions)):
            if form.count_ops() < theirs.count_ops() + right.count_ops():
                negative = all(t.could_extract_minus_sign() for t in sp.Add.make_args(form))
                text = write_expression(oracle, -form if negative else form)
                if len(text) <= _LONGEST:
                    return (minus if negative else plus).format(text)
    return ""
