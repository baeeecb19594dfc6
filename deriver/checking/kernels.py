"""How a wrong kernel differs from the right one, in closed form: what to add on the log scale, or multiply by."""

from __future__ import annotations

import numpy as np
import sympy as sp
from sympy import Expr

from deriver.algebra.evaluate import evaluate
from deriver.algebra.normal_form import expand_in
from deriver.checking.densities import Statement, log_densities
from deriver.checking.oracle import FAILURES, STATES, Group, Oracle
from deriver.checking.records import Comparison
from deriver.checking.sums import normalise
from deriver.checking.symbolic import inline
from deriver.checking.terms import NO_FORM, at_element, resolve_gates, write_expression
from deriver.derivation.factors import Definitions
from deriver.derivation.numeric import Completed
from deriver.language.rewrite import make_number
from deriver.model.expressions import Binary, Call, Expression, Negate, Number

_LONGEST = 160
_MOST_OPERATIONS = 600


def compare_kernels(oracle: Oracle, statement: Statement) -> tuple[Comparison, ...]:
    """Return the kernel as written, the right log kernel, and their difference or ratio where it has a short form."""
    try:
        right = at_element(oracle, resolve_gates(oracle, _right_log(oracle)))
        difference = _difference(oracle, statement, right)
        if difference is None:
            return ()
        shown = write_expression(oracle, right)
    except NO_FORM:
        return ()
    kernel = Comparison(
        name="log density" if statement.log else "density",
        theirs=statement.line.text,
        right=shown if statement.log else f"exp({shown})",
        relation=_relation(oracle, statement, difference),
    )
    return (kernel,) if kernel.relation else ()


def _right_log(oracle: Oracle) -> Expr:
    return oracle.subject.conditional.log_kernel + oracle.subject.log_jacobian


def _difference(oracle: Oracle, statement: Statement, right: Expr) -> Expr | None:
    """Return log(theirs) minus log(right), without constants; None where it has no form that the numbers bear out."""
    (tree,) = statement.trees
    named = {each.name: each for each in statement.definitions}
    written = inline(tree if statement.log else _logarithm(tree), named, oracle)
    theirs = oracle.bench.lowering.expression(written)
    if (theirs - right).count_ops() > _MOST_OPERATIONS:
        return None
    definitions = Definitions(oracle.bench.derivation.definitions)
    target = at_element(oracle, oracle.subject.conditional.target)
    terms = expand_in(normalise(theirs - right, definitions), target)
    found = sp.Add(*(coefficient * monomial for monomial, coefficient in terms.items() if monomial != 1))
    groups = [group for group in oracle.groups(STATES) if not group.empty]
    return found if all(_borne_out(oracle, statement, found, group) for group in groups[:4]) else None


def _borne_out(oracle: Oracle, statement: Statement, difference: Expr, group: Group) -> bool:
    theirs = log_densities(oracle, statement, group)
    if theirs is None:
        return False
    own = dict(zip(oracle.subject.conditional.indices, group.index, strict=True))
    definitions = oracle.bench.derivation.definitions
    try:
        shown = np.array([evaluate(difference, Completed(p.raw, definitions), own) for p in group.points])
    except FAILURES:
        return False
    gap = theirs - group.reference - shown
    return bool(
        np.max(np.abs(gap - gap[0])) <= 1e-6 * (1.0 + float(np.max(np.abs(theirs - group.reference))))
    )


def _logarithm(tree: Expression) -> Expression:
    """Return the logarithm of a kernel as a tree: products as sums, powers as multiples."""
    match tree:
        case Call(function="exp", arguments=(inner,)):
            return inner
        case Binary(operator="*", left=left, right=right):
            return Binary(operator="+", left=_logarithm(left), right=_logarithm(right))
        case Binary(operator="/", left=left, right=right):
            return Binary(operator="-", left=_logarithm(left), right=_logarithm(right))
        case Binary(operator="^", left=left, right=right):
            return Binary(operator="*", left=right, right=_logarithm(left))
        case Call(function="sqrt", arguments=(inner,)):
            return Binary(operator="/", left=_logarithm(inner), right=make_number(2))
        case Number(value=value) if value > 0:
            return make_number(0)
        case Negate():
            raise ValueError("a density below zero")
    return Call(function="log", arguments=(tree,))


def _relation(oracle: Oracle, statement: Statement, difference: Expr) -> str:
    target = at_element(oracle, oracle.subject.conditional.target)
    power = sp.cancel(difference / sp.log(target)) if difference.is_commutative else sp.nan
    if not statement.log and power.is_finite is not False and not power.has(target, sp.log, sp.nan):
        return _short(f"theirs is the right one times {write_expression(oracle, target**power)}")
    negative = all(term.could_extract_minus_sign() for term in sp.Add.make_args(difference))
    text = write_expression(oracle, -difference if negative else difference)
    if statement.log:
        return _short(f"theirs is the right one {'minus' if negative else 'plus'} {text}")
    return _short(f"theirs is the right one times exp({f'-({text})' if negative else text})")


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else ""
