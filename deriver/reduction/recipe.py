"""What a reduced sampler is given, found from its plan: sums of products of the rows, and fits of them, by group.

A statistic is one of three: a sum over rows of a number, vector or matrix made of at most two factors of a row; a fit of
the rows; or the mean square or variance of a response.  Whatever the rows' part of a sum is, it is a product of two
``Term``s, one of which may be the number 1: ``x x'`` is x times x', and lgamma(y) is itself times 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import sympy as sp
from sympy import Expr, Symbol

from deriver.algebra import heads
from deriver.algebra.heads import Condition, PlateSum, Ref, index_symbol
from deriver.derivation.records import Derivation
from deriver.emission.inputs import moments_read, statistics_read
from deriver.emission.mathtext import show
from deriver.emission.module import declared_bounds, make_module, write_functions
from deriver.emission.reduced import row_indices
from deriver.emission.scope import element
from deriver.errors import UsageError, not_reduced
from deriver.plan.layout import plate_of
from deriver.plan.records import LeastSquares, Plan, Statistic
from deriver.reduction.records import (
    ONE,
    FitOfRows,
    Grouping,
    Item,
    MomentsOfResponse,
    Recipe,
    SumOfProducts,
    Term,
)

FUNCTIONS = {
    sp.log: "log({})", sp.exp: "exp({})", heads.LogGamma: "lgamma({})", sp.Abs: "abs({})",
    sp.factorial: "exp(lgamma(1 + {}))",
}  # fmt: skip


def make_recipe(derivation: Derivation, plan: Plan) -> Recipe:
    """Return what the reduced sampler of a plan is given; raise ``UsageError`` for one that needs the rows."""
    module = make_module(derivation, plan, reduced=True)
    write_functions(module)
    reader = _Reader(derivation)
    items: list[Item] = []
    fits: list[LeastSquares] = []
    for statistic in statistics_read(module):
        if isinstance(statistic.procedure, LeastSquares):
            if statistic.procedure not in fits:
                fits.append(statistic.procedure)
                items.append(reader.fit(statistic, statistic.procedure))
        else:
            items.append(reader.sum(statistic))
    for name, words, response in moments_read(module):
        term = Term(scalar=write_factor(element(module.source(), module.quantity(response))))
        items.append(MomentsOfResponse(name=name, response=term, square=words == "mean square"))
    return Recipe(rows=reader.rows, items=tuple(items))


class _Reader:
    """Reads statistics of the rows."""

    def __init__(self, derivation: Derivation) -> None:
        self.rows = row_indices(derivation)
        self.bounds: Mapping[str, tuple[Expr, Expr]] = declared_bounds(derivation)
        self.columns = {
            g.name: g.support.plate or "" for g in derivation.model.givens if g.support.kind == "index"
        }

    def sum(self, statistic: Statistic) -> SumOfProducts:
        """Return a statistic that is a sum over rows."""
        expr = statistic.expression
        if not isinstance(expr, PlateSum):
            raise self._refuse(statistic, "is computed from the rows, and is no sum over them")
        grouping = self._grouping(statistic, expr.bounds, expr.conditions)
        number, body = expr.body.as_coeff_Mul()
        left, right = self._factors(statistic, body)
        return SumOfProducts(
            name=statistic.name, number=float(number), left=left, right=right, grouping=grouping
        )

    def fit(self, statistic: Statistic, fit: LeastSquares) -> FitOfRows:
        """Return a fit of rows."""
        grouping = self._grouping(statistic, fit.bounds, fit.conditions)
        columns = tuple(self._term(statistic, column) for column in fit.columns)
        response, weight = self._term(statistic, fit.response), self._term(statistic, fit.weight)
        return FitOfRows(
            rss=fit.rss, fits=fit.fits, rests=fit.rests, roots=fit.roots, response=response, columns=columns,
            weight=weight, grouping=grouping,
        )  # fmt: skip

    def _grouping(
        self, statistic: Statistic, bounds: Iterable[sp.Tuple], conditions: Iterable[Condition]
    ) -> Grouping | None:
        """Return how the rows of a statistic are grouped; the whole of the data must be in some group."""
        cells = [plate_of(symbol) for symbol in statistic.indices]
        summed = [plate_of(bound[0]) for bound in bounds]
        if any(not self._is_whole(bound) for bound in bounds):
            raise self._refuse(statistic, "sums a part of the rows")
        picks = [(c.left.name, c.right) for c in conditions if self._picks(c, statistic)]
        if len(picks) != len(list(conditions)) or len(picks) > 1 or len(cells) > 1:
            raise self._refuse(statistic, "sums rows by more than one plate of groups, or some of them")
        grouping: Grouping | None
        if picks:
            cells, column = [], picks[0][0]
            grouping = Grouping(plate=self.columns[column], column=column)
        else:
            grouping = Grouping(plate=cells[0]) if cells else None
        if sorted([*cells, *summed]) != sorted(self.rows):
            raise self._refuse(statistic, "does not sum over all rows")
        return grouping

    def _is_whole(self, bound: sp.Tuple) -> bool:
        symbol, *ends = bound
        names = {s: plate_of(s) for end in ends for s in end.atoms(Symbol)}
        plain = {s: index_symbol(name) for s, name in names.items() if name in self.bounds}
        return tuple(end.xreplace(plain) for end in ends) == tuple(self.bounds.get(plate_of(symbol), ()))

    def _picks(self, condition: Condition, statistic: Statistic) -> bool:
        left = condition.left
        return (
            condition.relation == "=" and isinstance(left, Ref) and left.name in self.columns
            and condition.right in statistic.indices
            and tuple(plate_of(index) for index in left.indices if isinstance(index, Symbol)) == self.rows
        )  # fmt: skip

    def _factors(self, statistic: Statistic, body: Expr) -> tuple[Term, Term]:
        """Return a summand as a product of two terms."""
        scalars, matrices = body.args_cnc()
        if not matrices:
            factors = [f for s in scalars for f in _squared(s)]
            if len(factors) > 2 or any(not isinstance(factor, Ref) for factor in factors):
                return self._term(statistic, body), ONE
            terms = [self._term(statistic, factor) for factor in factors]
            return (*terms, *[ONE] * (2 - len(terms)))  # type: ignore[return-value]
        scalar = sp.Mul(*scalars)
        if len(matrices) == 1:
            return self._term(statistic, scalar), self._term(statistic, matrices[0])
        if len(matrices) == 2 and isinstance(matrices[1], heads.Transposed):
            left = self._term(statistic, scalar * matrices[0])
            return left, self._term(statistic, matrices[1].args[0])
        raise self._refuse(statistic, "is no product of two factors of a row")

    def _term(self, statistic: Statistic, expr: Expr) -> Term:
        scalars, matrices = expr.args_cnc()
        scalar = sp.Mul(*scalars)
        if len(matrices) > 1 or any(not isinstance(matrix, Ref) for matrix in matrices):
            raise self._refuse(statistic, f"holds {show(expr)}, which is not a column of the data")
        self._check(statistic, scalar)
        for ref in expr.atoms(Ref):
            if not ref.indices or not all(isinstance(i, Symbol) for i in ref.indices):
                raise self._refuse(statistic, f"holds {show(ref)}, which is not a column of the data")
        return Term(scalar=write_factor(scalar), vector=matrices[0].name if matrices else "")

    def _check(self, statistic: Statistic, part: Expr) -> None:
        if isinstance(part, Ref):
            return
        plain = isinstance(part, sp.Number | sp.NumberSymbol | sp.Add | sp.Mul | sp.Pow)
        if not plain and type(part) not in FUNCTIONS:
            raise self._refuse(statistic, f"holds {show(part)}, which is not evaluated row by row")
        for arg in part.args:
            self._check(statistic, arg)

    def _refuse(self, statistic: Statistic, found: str) -> UsageError:
        return UsageError([not_reduced(f"the statistic {statistic.name} {found}")], origin="reduce")


def _squared(factor: Expr) -> list[Expr]:
    """Return the factors of a power: y twice for y²."""
    return [factor.base] * 2 if isinstance(factor, sp.Pow) and factor.exp == 2 else [factor]


def write_factor(expr: Expr) -> str:
    """Return a number-valued expression of a row in the model's language, without subscripts."""
    match expr:
        case Ref():
            return expr.name
        case sp.Integer():
            return str(expr) if expr >= 0 else f"({expr})"
        case sp.Rational():
            return f"({expr.p}/{expr.q})"
        case sp.Number() | sp.NumberSymbol():
            return f"({float(expr)!r})"
        case sp.Add() | sp.Mul():
            sign = " + " if isinstance(expr, sp.Add) else " * "
            return f"({sign.join(write_factor(arg) for arg in expr.args)})"
        case sp.Pow():
            return f"({write_factor(expr.base)})^({write_factor(expr.exp)})"
    return FUNCTIONS[type(expr)].format(write_factor(expr.args[0]))
