"""The statistics of the data that a plan uses: each under a name, its array, how it is computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import sympy as sp
from sympy import Expr, S, Symbol

from deriver.algebra import heads
from deriver.algebra.heads import PlateSum, Ref, Variable, index_symbol
from deriver.plan.layout import Bound, Quantity, Space, free_indices
from deriver.plan.names import FitNames, coefficient_name, root_name, statistic_name
from deriver.plan.records import Crossing, LeastSquares, Statistic
from deriver.plan.residuals import Residual, block_sides


class Registry:
    """Statistics in the order of their computation; ``cells`` are names for plates of distinct combinations."""

    def __init__(self, quantities: dict[str, Quantity], cells: Sequence[str]) -> None:
        self.quantities = quantities
        self.statistics: dict[object, Statistic] = {}
        self._fits: dict[tuple, LeastSquares] = {}
        self._crossings: dict[tuple[str, ...], Crossing] = {}
        self._cells = list(cells)

    def ref(self, name: str) -> Ref:
        """Return the generic element of a statistic that a procedure makes."""
        return self.statistics[name].ref

    def value(self, key: tuple, expr: Expr, indices: tuple[Symbol, ...], space: Space) -> Ref:
        """Return the statistic that is the value of an expression, made when it is new."""
        if key not in self.statistics:
            name = statistic_name(expr, indices, set(self.quantities))
            shape = _sides_of(expr)
            symmetric = len(shape) == 2 and heads.is_symmetric(expr)
            made = self._declare(name, shape, indices, space, symmetric=symmetric)
            self.statistics[key] = replace(made, expression=expr)
        return self.statistics[key].ref

    # --- fits ---------------------------------------------------------------------------------------------

    def fit(self, residual: Residual, part: PlateSum, space: Space) -> LeastSquares:
        """Return the fit of the rows of a sum, one for all sums over the same rows of data."""
        space = replace(space, subsets={})
        rows = {bound[0] for bound in part.bounds}
        used = sp.Tuple(residual.response, residual.weight, *residual.columns, part.bounds, part.conditions)
        indices = space.sort(free_indices(used, space.extend(part.bounds)) - rows)
        scope = tuple((s, space.bounds[s]) for s in indices)
        key = (residual.response, residual.columns, residual.weight, part.bounds, part.conditions, scope)
        if key not in self._fits:
            fit, shapes = self._name_fit(residual, part, indices)
            self._fits[key] = fit
            for name, shape in zip(fit.names, shapes, strict=True):
                kind = "rest" if name in fit.rests else "statistic"
                made = self._declare(name, shape, indices, space, kind=kind)
                self.statistics[name] = replace(made, procedure=fit)
        return self._fits[key]

    def _name_fit(
        self, residual: Residual, part: PlateSum, indices: tuple[Symbol, ...]
    ) -> tuple[LeastSquares, list[tuple[Expr, ...]]]:
        """Return a new fit, and the shapes of what it makes."""
        alone = len(residual.columns) == 1 and residual.columns[0].is_commutative
        blocks = {} if alone else block_sides(residual)
        names = FitNames(residual.response, indices, set(self.quantities))
        nodes = {name for name, quantity in self.quantities.items() if quantity.chain}
        own = [coefficient_name(coordinate, nodes) for coordinate in residual.coordinates]
        fit = LeastSquares(
            response=residual.response,
            columns=residual.columns,
            weight=residual.weight,
            bounds=tuple(part.bounds),
            conditions=tuple(part.conditions),
            rss=names.take("rss"),
            fits=tuple(names.take(f"fit_{name}") for name in own),
            rests=tuple(names.take(f"fit_{name}_rest") for name in own),
            roots=tuple(names.take(root_name(own[row], own[place])) for row, place in blocks),
        )
        shapes = [_sides_of(column) for column in residual.columns]
        return fit, [(), *shapes, *shapes, *blocks.values()]

    # --- crossed groups -----------------------------------------------------------------------------------

    def crossing(self, columns: list[Ref], space: Space) -> Crossing | None:
        """Return the distinct combinations of group columns over the same rows; None when names have run out."""
        key = tuple(column.name for column in columns)
        if key not in self._crossings:
            if not self._cells:
                return None
            self._crossings[key] = self._name_crossing(columns, self._cells.pop(0), space)
        return self._crossings[key]

    def _name_crossing(self, columns: list[Ref], cell: str, space: Space) -> Crossing:
        whole = self.quantities[columns[0].name]
        row, ends = whole.indices[0], whole.ranges[0]
        names = FitNames(S.Zero, (), set(self.quantities))
        crossing = Crossing(
            cell=cell,
            columns=tuple(column.name for column in columns),
            count=names.take(f"{cell}s"),
            of_row=names.take(f"{cell}_of_{row.name}"),
            parts=tuple(names.take(f"{column.name}_of_{cell}") for column in columns),
        )
        plain = replace(space, bounds={row: ends}, subsets={})
        least = Variable(crossing.count, integer=True, nonnegative=True)
        count = self._declare(crossing.count, (), (), plain, kind="integer", variable=least)
        over_rows = self._declare(crossing.of_row, (), (row,), plain, kind="index", plate=cell)
        made = {crossing.count: count, crossing.of_row: over_rows}
        symbol = index_symbol(cell)
        within: Bound = (S.One, count.ref)
        cells = replace(space, bounds={symbol: within}, subsets={})
        for name, column in zip(crossing.parts, columns, strict=True):
            plate = self.quantities[column.name].plate
            made[name] = self._declare(name, (), (symbol,), cells, kind="index", plate=plate)
        for name, statistic in made.items():
            self.statistics[name] = replace(statistic, procedure=crossing)
        return crossing

    def _declare(
        self,
        name: str,
        sides: tuple[Expr, ...],
        indices: tuple[Symbol, ...],
        space: Space,
        *,
        kind: str = "statistic",
        plate: str = "",
        symmetric: bool = False,
        variable: Variable | None = None,
    ) -> Statistic:
        """Make the array of a statistic known; return the statistic, still without its value."""
        quantity = Quantity(
            name=name,
            prefix="data.",
            indices=indices,
            ranges=tuple(space.bounds[symbol] for symbol in indices),
            sides=sides,
            kind=kind,
            plate=plate,
        )
        self.quantities[name] = quantity
        assumptions = {} if sides else {"integer": True} if kind == "index" else {"real": True}
        ref = Ref(variable or Variable(name, sides, symmetric=symmetric, **assumptions), *indices)
        return Statistic(name=name, expression=ref, indices=indices, quantity=quantity, space=space, ref=ref)


def _sides_of(expr: Expr) -> tuple[Expr, ...]:
    return tuple(side for side in heads.shape_of(expr) if side is not None)
