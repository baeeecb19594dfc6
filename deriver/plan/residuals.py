"""Sums of squared residuals, reduced to statistics of the data.

Σ w (y − Σ_m c_m θ_m)² over the rows of a cell, where w, y and c_m are data and every θ_m is the same for all rows,
is rss + |Rd|² with d = θ − θ̂: θ̂ a least-squares fit of the rows, rss its residual sum of squares, R the triangle
of the QR decomposition of the columns √w c_m.  The normal equations make the identity exact for any solution θ̂,
also where the columns depend on each other or the cell is empty.  θ̂ is held in two parts: with responses of the
size 1e8 and θ near θ̂, a θ̂ rounded to one number would leave d no digits.  R keeps those that R′R loses when a
column lies far from zero.  (y − cθ)² multiplied out would keep none at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import sympy as sp
from sympy import Expr, S, Symbol

from deriver.algebra import heads
from deriver.algebra.heads import PlateSum, Ref, inner, shape_of, transpose
from deriver.plan.conditions import narrow
from deriver.plan.layout import Space, free_indices

DataOnly = Callable[[sp.Basic], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Residual:
    """weight × (response − Σ column × coordinate)²; columns are data, coordinates are free of the rows.

    A column is a number, or a vector (standing upright) whose coordinate is a vector too.
    """

    weight: Expr
    response: Expr
    columns: tuple[Expr, ...]
    coordinates: tuple[Expr, ...]


def read_residual(part: PlateSum, space: Space, data_only: DataOnly) -> Residual | None:
    """Return a sum over rows as that of a squared residual, or None where it is none.

    Every index summed over must be that of rows: in the response, and in no node.
    """
    rows = {bound[0] for bound in part.bounds}
    inside = space.extend(part.bounds)
    if not _is_one_cell(part, inside, rows, data_only):
        return None
    weight, residual = _split_square(part.body)
    if residual is None or not data_only(weight) or weight.is_nonnegative is not True:
        return None
    reader = _Reader(rows=rows, inside=inside, data_only=data_only)
    if not all(reader.read(term) for term in sp.Add.make_args(_open(residual, data_only))):
        return None
    if not reader.columns or not rows <= free_indices(reader.response, inside):
        return None
    response, columns = reader.response, dict(reader.columns)
    if response.could_extract_minus_sign():
        response, columns = -response, {column: -value for column, value in columns.items()}
    order = sorted(columns, key=lambda c: (c != 1, not c.is_commutative, sp.default_sort_key(c)))
    return Residual(
        weight=weight,
        response=response,
        columns=tuple(order),
        coordinates=tuple(-columns[column] for column in order),
    )


def _is_one_cell(part: PlateSum, inside: Space, rows: set[Symbol], data_only: DataOnly) -> bool:
    """Tell whether no node differs between the rows, and conditions pick a group or narrow the rows."""
    if any(free_indices(ref, inside) & rows for ref in part.body.atoms(Ref) if not data_only(ref)):
        return False
    if any(inside.has_label(condition) for condition in part.conditions):
        return False
    picks = [condition for condition in part.conditions if _picks_group(condition, rows)]
    others = [condition for condition in part.conditions if condition not in picks]
    _, rules, masks = narrow(inside, others)
    return not rules and not masks and len(picks) <= 1 and not (picks and others)


def _picks_group(condition: heads.Condition, rows: set[Symbol]) -> bool:
    column, group = condition.left, condition.right
    return (
        condition.relation == "="
        and isinstance(column, Ref)
        and isinstance(group, Symbol)
        and group not in rows
        and set(column.indices) <= rows
    )


def _split_square(body: Expr) -> tuple[Expr, Expr | None]:
    """Return (weight, residual) of weight × residual²."""
    squares = [
        factor
        for factor in sp.Mul.make_args(body)
        if isinstance(factor, sp.Pow) and factor.exp == 2 and isinstance(factor.base, sp.Add)
    ]
    if not body.is_commutative or len(squares) != 1:
        return body, None
    return body / squares[0], squares[0].base


def _open(residual: Expr, data_only: DataOnly) -> Expr:
    """Multiply out products of sums that hold nodes, so that each term is data × node."""
    terms: list[Expr] = []
    for term in sp.Add.make_args(residual):
        factors = sp.Mul.make_args(term)
        if any(isinstance(factor, sp.Add) and not data_only(factor) for factor in factors):
            term = sp.expand_mul(term, deep=False)
        terms += sp.Add.make_args(term)
    return sp.Add(*terms)


class _Reader:
    """Sorts the terms of a residual: data, or column × coordinate."""

    def __init__(self, *, rows: set[Symbol], inside: Space, data_only: DataOnly) -> None:
        self.rows, self.inside, self.data_only = rows, inside, data_only
        self.response: Expr = S.Zero
        self.columns: dict[Expr, Expr] = {}

    def read(self, term: Expr) -> bool:
        """Take a term in; False when it is no product of data and what is free of the rows."""
        if self.data_only(term):
            self.response += term
            return True
        column, coordinate = S.One, S.One
        for factor in sp.Mul.make_args(term):
            if not self._of_rows(factor):
                coordinate = coordinate * factor
            elif self.data_only(factor):
                column = column * factor
            else:
                pair = self._split_inner(factor)
                if pair is None or not column.is_commutative:
                    return False
                column, coordinate = column * pair[0], coordinate * pair[1]
        self._add(column, coordinate)
        return True

    def _of_rows(self, expr: Expr) -> bool:
        return bool(free_indices(expr, self.inside) & self.rows)

    def _split_inner(self, factor: Expr) -> tuple[Expr, Expr] | None:
        """Return x and β of x′β, x data of the row and β free of it."""
        if not isinstance(factor, heads.Inner):
            return None
        for product in (factor.args[0], transpose(factor.args[0])):
            scalars, matrices = product.args_cnc()
            if scalars or len(matrices) < 2:
                return None
            place = next((k for k, m in enumerate(matrices) if not self.data_only(m)), 0)
            row, rest = sp.Mul(*matrices[:place]), sp.Mul(*matrices[place:])
            if place and not self._of_rows(rest) and shape_of(rest)[1] is None:
                return transpose(row), rest
        return None

    def _add(self, column: Expr, coordinate: Expr) -> None:
        number, column = column.as_coeff_Mul()
        self.columns[column] = self.columns.get(column, S.Zero) + number * coordinate


def squared_distance(distances: tuple[Expr, ...], root: Callable[[int, int], Expr]) -> Expr:
    """Return d′R′Rd for an upper triangular R, ``root`` giving its block for two coordinates.

    Numbers stand before vectors.  The block of a number and a vector stands upright.
    """
    total = S.Zero
    for row, own in enumerate(distances):
        scaled = S.Zero
        for place, distance in enumerate(distances[row:], start=row):
            block = root(row, place)
            upright = own.is_commutative and not distance.is_commutative
            scaled += inner(transpose(block) * distance) if upright else block * distance
        total += scaled**2 if scaled.is_commutative else inner(transpose(scaled) * scaled)
    return total


def block_sides(residual: Residual) -> dict[tuple[int, int], tuple[Expr, ...]]:
    """Return the sides of each block of R on and above the diagonal, by the places of two columns."""
    sides = [tuple(side for side in shape_of(column) if side is not None) for column in residual.columns]
    places = range(len(sides))
    return {(row, place): (*sides[row], *sides[place]) for row in places for place in places[row:]}
