"""Which Cholesky factors are none: a lower triangular matrix with a positive diagonal is demanded.

Input: the supports of a model and an argument ``chol=``.  Output: a mistake, with the entry or the values that show it.
"""

from __future__ import annotations

import numpy as np

from deriver.language.definite import read_constant
from deriver.language.printer import print_expression
from deriver.language.scope import Scope
from deriver.language.supports import Supports
from deriver.language.witness import Leaves, Value, find_witness
from deriver.model.expressions import Binary, Call, Expression, MatrixRows, Reference, Transpose
from deriver.model.records import Support

_EXPECTED = "a lower triangular matrix with a positive diagonal, L of the covariance L * L'"


def check_triangular(scope: Scope, supports: Supports, leaves: Leaves, what: str, value: Expression) -> None:
    """Record a mistake if an argument is shown not to be a Cholesky factor."""
    if supports.is_triangular(value):
        return
    flaw, remedy = _find_flaw(scope, supports, value, frozenset())
    if not flaw:
        state = find_witness(value, leaves, _is_no_factor)
        if state is None:
            return
        shown = ", ".join(f"{name} = {number:.3g}" for name, number in state.items())
        flaw = f"is not lower triangular with a positive diagonal for {shown}"
        remedy = "restrict the quantities in it, or write exp(...) for what must be positive"
    scope.mistakes.add(
        "support", f"{what} {flaw}", span=value.span, expected=_EXPECTED, remedy=remedy
    )  # fmt: skip


def _find_flaw(scope: Scope, supports: Supports, value: Expression, seen: frozenset[str]) -> tuple[str, str]:
    """Return what is wrong with a factor, definitions followed, and what to do; empty texts if nothing is seen."""
    match value:
        case MatrixRows(rows=rows):
            return _find_written_flaw(rows)
        case Call(function="exchangeable"):
            return _is_covariance(value)
        case Reference(name=name):
            given = scope.givens.get(name)
            support = given.support if given is not None else supports.nodes.get(name, Support())
            if support.kind in ("spd", "correlation") and (given or scope.nodes[name].stochastic):
                return _is_covariance(value)
            drafts = scope.nodes[name].drafts if name in scope.nodes and name not in seen else []
            inside = drafts[0].expression if len(drafts) == 1 else None
            return _find_flaw(scope, supports, inside, seen | {name}) if inside is not None else ("", "")
        case Transpose(operand=operand) if supports.is_triangular(operand):
            return "is upper triangular", f"write chol={print_expression(operand)}"
        case Binary(operator="*" | "/", left=left, right=right):
            for one, other in ((left, right), (right, left)):
                if supports.is_scalar(other):
                    return _find_flaw(scope, supports, one, seen)
    return "", ""


def _is_covariance(value: Expression) -> tuple[str, str]:
    text = print_expression(value)
    return f"is `{text}`, which is symmetric", f"write cov={text} for a covariance matrix"


def _find_written_flaw(rows: tuple[tuple[Expression, ...], ...]) -> tuple[str, str]:
    if any(len(row) != len(rows) for row in rows):
        return "", ""
    for a, row in enumerate(rows):
        for b, entry in enumerate(row):
            constant = read_constant(((entry,),))
            text = print_expression(entry)
            if b > a and constant != [[0]]:
                where = f"its entry ({a + 1},{b + 1}) is {text}"
                return f"is not lower triangular: {where}", "write 0 for each entry above the diagonal"
            if a == b and constant is not None and constant[0][0] <= 0:
                return f"has {text} on its diagonal", ""
    return "", ""


def _is_no_factor(value: Value) -> bool:
    if not isinstance(value, np.ndarray) or value.ndim != 2 or not np.all(np.isfinite(value)):
        return False
    return bool(np.any(np.triu(value, 1)) or np.any(np.diag(value) <= 0))
