"""Names of statistics: XtX, Xty, sum_xy_by_i, inv_Sigma0."""

from __future__ import annotations

import itertools

import sympy as sp
from sympy import Expr, Symbol

from deriver.algebra import heads
from deriver.algebra.heads import PlateSum, Ref
from deriver.plan.layout import plate_of


def statistic_name(expr: Expr, indices: tuple[Symbol, ...], taken: set[str]) -> str:
    """Return a readable unused name for a value of the data."""
    base = _base_name(expr, indices)
    name, number = base, 2
    while name in taken:
        name = f"{base}_by_{'_'.join(plate_of(s) for s in indices)}" if indices and number == 2 else ""
        if not name or name in taken:
            name, number = f"{base}_{number}", number + 1
    return name


class FitNames:
    """Hands out unused names for what a least-squares fit makes."""

    def __init__(self, response: Expr, indices: tuple[Symbol, ...], taken: set[str]) -> None:
        self._taken = set(taken)
        self._tails = ["_" + "_".join(_names(response)[:2])] if _names(response) else []
        self._tails += ["_by_" + "_".join(plate_of(s) for s in indices)] if indices else []

    def take(self, base: str) -> str:
        """Return a name that says what it is, of which response or by what where that name is taken."""
        tails = itertools.chain(["", *self._tails], (f"_{number}" for number in itertools.count(2)))
        name = next(base + tail for tail in tails if base + tail not in self._taken)
        self._taken.add(name)
        return name


def coefficient_name(coordinate: Expr, nodes: set[str]) -> str:
    """Return a name for a coefficient: that of its node, or of its nodes."""
    return "_".join(dict.fromkeys(name for name in _names(coordinate) if name in nodes))


def root_name(row: str, column: str) -> str:
    """Return a name for a block of the root of a matrix of sums of squares and products."""
    return f"root_{row}" if row == column else f"root_{row}_{column}"


def _base_name(expr: Expr, indices: tuple[Symbol, ...]) -> str:
    match expr:
        case PlateSum():
            return _sum_name(expr, indices)
        case sp.Pow() if not expr.is_commutative:
            return "inv_" + "_".join(_names(expr.base))
        case heads.LogDet():
            return "logdet_" + "_".join(_names(expr))
    return "_".join(_names(expr)[:3]) or "constant"


def _sum_name(expr: PlateSum, indices: tuple[Symbol, ...]) -> str:
    names = _names(expr.body)
    by = "_by_" + "_".join(plate_of(symbol) for symbol in indices) if indices else ""
    if not names:
        return "count" + by
    if not expr.is_commutative and len(names) == 2:
        first, second = names
        head = first.upper() if len(first) == 1 and first == second else first
        vectors = [ref for ref in _references(expr.body) if ref.variable.shape]
        if len(vectors) == 2:
            return f"{head}t{head}" if first == second else f"sum_{first}_{second}"
        if not vectors:  # a sum of the indicator vectors of labels
            return f"count_{first}{by}"
        vector = vectors[0].name
        scalar = second if vector == first else first
        shown = vector.upper() if len(vector) == 1 else vector
        return f"{shown}t{scalar}"
    short = "" if all(len(name) == 1 for name in names) else "_"
    return f"sum_{short.join(names[:4])}{by}"


def _names(expr: Expr) -> list[str]:
    names: list[str] = []
    for ref in _references(expr):
        names.append(ref.name)
    return names


def _references(expr: sp.Basic) -> list[Ref]:
    """Return references in reading order, a squared one twice; those inside subscripts left out."""
    if isinstance(expr, Ref):
        return [expr]
    if isinstance(expr, sp.Pow) and expr.exp.is_Integer and 1 < expr.exp <= 3:
        return _references(expr.base) * int(expr.exp)
    args = expr.args[:1] if isinstance(expr, PlateSum | heads.Gated) else expr.args
    return [ref for arg in args for ref in _references(arg)]
