"""The SymPy expression heads of the engine; the only place where a symbol is made.

Scalars are commutative SymPy expressions.  Vectors (columns) and matrices are noncommutative, so that SymPy
keeps the order of a product; a product that closes to a number, such as x'β, is wrapped in ``Inner`` and is
commutative again.  Sizes and dimensions stay symbolic.  SymPy's own ``Sum`` and ``MatrixExpr`` are not used:
``.coeff`` does not look into a ``Sum`` and matrix derivatives are wrong in places.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self, TypeAlias

import sympy as sp
from sympy import Basic, Expr, S, Symbol, Tuple, ordered
from sympy.core.symbol import Str

# The length of a side: a SymPy expression, or None for the unit side of a vector or scalar.
Side: TypeAlias = Any
Shape: TypeAlias = tuple[Side, Side]
SCALAR: Shape = (None, None)


class Variable(Symbol):
    """A declared quantity: its name, its shape (a tuple of dimensions) and whether a matrix is symmetric.

    ``least`` is the smallest value of a whole number, where one is declared (``T : integer >= 2``).
    """

    shape: tuple[Expr, ...]
    symmetric: bool
    least: Expr

    def __new__(
        cls,
        name: str,
        shape: Iterable[Expr] = (),
        *,
        symmetric: bool = False,
        least: Expr = S.NegativeInfinity,
        **assumptions: Any,
    ) -> Self:
        shape = tuple(shape)
        if shape:
            assumptions = {"commutative": False}
        obj = Symbol.__xnew__(cls, name, **assumptions)
        obj.shape = shape
        obj.symmetric = symmetric
        obj.least = least
        return obj

    def _hashable_content(self) -> tuple:
        return (*super()._hashable_content(), self.shape, self.symmetric, self.least)

    def __getnewargs_ex__(self) -> tuple:
        own = {"symmetric": self.symmetric, "least": self.least}
        return (self.name, self.shape), {**own, **self._assumptions_orig}


def as_expr(value: Basic | int) -> Basic:
    """Return a Python integer as a SymPy one, a SymPy object as it is; text is refused.

    Raises ``TypeError`` for anything else (SymPy's own conversion would evaluate strings).
    """
    if isinstance(value, Basic):
        return value
    if isinstance(value, int):
        return sp.Integer(value)
    raise TypeError(f"not an expression: {value!r}")


def index_symbol(name: str) -> Symbol:
    """Return the symbol of a plate index."""
    return Symbol(name, integer=True)


class Ref(Expr):
    """An element of a declared quantity: ``Ref(beta, i)`` is β_i, ``Ref(beta, Ref(g, k))`` is β_{g_k}."""

    def __new__(cls, variable: Variable, *indices: Expr) -> Self:
        return Basic.__new__(cls, variable, *map(as_expr, indices))

    @property
    def variable(self) -> Variable:
        return self.args[0]

    @property
    def name(self) -> str:
        return self.args[0].name

    @property
    def indices(self) -> tuple[Expr, ...]:
        return self.args[1:]

    def _eval_is_commutative(self):
        return self.args[0].is_commutative

    def _eval_is_real(self):
        return self.args[0].is_real

    def _eval_is_extended_real(self):
        return self.args[0].is_extended_real

    def _eval_is_positive(self):
        return self.args[0].is_positive

    def _eval_is_negative(self):
        return self.args[0].is_negative

    def _eval_is_zero(self):
        return self.args[0].is_zero

    def _eval_is_nonnegative(self):
        return self.args[0].is_nonnegative

    def _eval_is_integer(self):
        return self.args[0].is_integer

    def _eval_is_finite(self):
        return True

    def _sympystr(self, printer: Any) -> str:
        inside = ",".join(printer._print(index) for index in self.indices)
        return f"{self.name}[{inside}]" if inside else self.name


class MatrixHead(Expr):
    """Base of the noncommutative heads."""

    is_commutative = False


class Eye(MatrixHead):
    """The identity matrix of a dimension."""

    def __new__(cls, dimension: Expr) -> Self:
        return Basic.__new__(cls, as_expr(dimension))


class Ones(MatrixHead):
    """The vector of ones of a dimension."""

    def __new__(cls, dimension: Expr) -> Self:
        return Basic.__new__(cls, as_expr(dimension))


class Unit(MatrixHead):
    """The unit vector with a one at ``position`` (1-based) of a dimension."""

    def __new__(cls, position: Expr, dimension: Expr) -> Self:
        return Basic.__new__(cls, as_expr(position), as_expr(dimension))


class Exchangeable(MatrixHead):
    """The p by p matrix with ones on its diagonal and ``rho`` off it."""

    def __new__(cls, rho: Expr, dimension: Expr) -> Self:
        return Basic.__new__(cls, as_expr(rho), as_expr(dimension))


class Literal(MatrixHead):
    """An explicit matrix (``Literal(rows, columns, *entries)``), its entries scalars; a vector has one column."""

    def __new__(cls, rows: int, columns: int, *entries: Expr) -> Self:
        return Basic.__new__(cls, sp.Integer(rows), sp.Integer(columns), *map(as_expr, entries))

    def matrix(self) -> sp.Matrix:
        """Return the entries as a SymPy matrix."""
        return sp.Matrix(int(self.args[0]), int(self.args[1]), list(self.args[2:]))


def literal(matrix: sp.Matrix) -> Literal:
    """Return the head that holds an explicit SymPy matrix."""
    return Literal(matrix.rows, matrix.cols, *matrix)


class Diagonal(MatrixHead):
    """The diagonal matrix of a vector."""

    def __new__(cls, vector: Expr) -> Self:
        return Basic.__new__(cls, vector)


class Stack(MatrixHead):
    """The vector of ``body`` as ``index`` runs over a plate; bounds are (index, lower, upper)."""

    def __new__(cls, body: Expr, bound: Tuple) -> Self:
        return Basic.__new__(cls, as_expr(body), bound)

    @property
    def bound_symbols(self) -> set[Symbol]:
        return {self.args[1][0]}


class Grid(MatrixHead):
    """The matrix of ``body`` as one index runs down its rows and another along its columns; bounds as in Stack."""

    def __new__(cls, body: Expr, rows: Tuple, columns: Tuple) -> Self:
        return Basic.__new__(cls, as_expr(body), rows, columns)

    @property
    def bound_symbols(self) -> set[Symbol]:
        return {self.args[1][0], self.args[2][0]}

    def is_symmetric_table(self) -> bool:
        """Tell whether the same entry stands at (i, j) and (j, i), whatever the values in it."""
        (_, *one), (_, *other) = self.args[1:]
        return one == other and is_even(self.args[0], self.args[1][0], self.args[2][0])

    def turned(self) -> Grid:
        """Return the transpose, its rows counted by the index that counted rows before."""
        body, (row, low, high), (column, first, last) = self.args
        swapped = body.xreplace({row: column, column: row})
        return Grid(swapped, Tuple(row, first, last), Tuple(column, low, high))


class Earlier(Symbol):
    """An earlier element of a node inside a step of a recursion."""


class Recursion(MatrixHead):
    """The values of a deterministic node that is computed from its own earlier elements, a vector along an index.

    ``Recursion(variables, row, place, bound, earlier, firsts, steps)``: nodes are computed together, step by step, as the
    index of ``bound`` = (index, lower, upper) runs; ``steps`` has an expression for each of them and ``firsts`` the
    elements before ``lower``, node by node.  In a step an earlier element is a symbol, which ``earlier`` lists as
    (symbol, node, lag).  The vector is that of the ``row``-th node (from 0); ``place`` holds the subscripts of all.
    """

    def __new__(
        cls, variables: Tuple, row: Expr | int, place: Tuple, bound: Tuple, earlier: Tuple, firsts: Tuple, steps: Tuple
    ) -> Self:  # fmt: skip
        return Basic.__new__(cls, variables, as_expr(row), place, bound, earlier, firsts, steps)

    @property
    def variables(self) -> Tuple:
        return self.args[0]

    @property
    def row(self) -> int:
        return int(self.args[1])

    @property
    def bound(self) -> Tuple:
        return self.args[3]

    @property
    def earlier(self) -> Tuple:
        return self.args[4]

    @property
    def firsts(self) -> Tuple:
        return self.args[5]

    @property
    def steps(self) -> Tuple:
        return self.args[6]

    @property
    def lead(self) -> int:
        """How many elements stand before the first step."""
        return len(self.firsts[0])

    @property
    def bound_symbols(self) -> set[Symbol]:
        return {self.bound[0]}

    def of_row(self, row: int) -> Self:
        """Return the values of another node of the recursion."""
        return self.func(self.args[0], row, *self.args[2:])

    def element(self, position: Expr) -> Ref:
        """Return the reference to the element at a 1-based position."""
        index = position + self.bound[1] - self.lead - 1
        return Ref(
            self.variables[self.row], *(each.xreplace({self.bound[0]: index}) for each in self.args[2])
        )


def is_even(body: Expr, one: Symbol, other: Symbol) -> bool:
    """Tell whether an expression is the same with two indices exchanged."""
    if isinstance(body, Ref) and body.variable.symmetric and set(body.indices) == {one, other}:
        return True
    return bool(sp.expand(body - body.xreplace({one: other, other: one})) == 0)


class Map(MatrixHead):
    """A scalar function applied to each component of a vector: ``Map("log", v)``."""

    def __new__(cls, function: str, vector: Expr) -> Self:
        return Basic.__new__(cls, Str(str(function)), vector)

    @property
    def function(self) -> str:
        return self.args[0].name


class Transposed(MatrixHead):
    """The transpose of a noncommutative atom; build it with ``transpose``."""


class ScalarHead(Expr):
    """Base of the real, commutative heads whose argument is a matrix expression."""

    is_commutative = True
    is_real = True
    is_extended_real = True
    is_finite = True


class Inner(ScalarHead):
    """The number that a closed product is: ``Inner(x' β)``; build it with ``inner``."""


class Trace(ScalarHead):
    """The trace of a square matrix expression; build it with ``trace``."""


class LogDet(ScalarHead):
    """The log of the determinant of a positive definite matrix expression; build it with ``logdet``."""


class Component(ScalarHead):
    """``Component(v, k)``: the k-th entry (1-based) of a vector expression; build it with ``component``."""

    def _eval_is_positive(self):
        vector = self.args[0]
        return vector.variables[vector.row].is_positive if isinstance(vector, Recursion) else None


class Entry(ScalarHead):
    """``Entry(M, a, b)``: an entry (1-based) of a matrix expression."""


class Condition(Basic):
    """``Condition(relation, left, right)``, relation one of ``= != < <= > >= in``; not a SymPy Boolean."""

    def __new__(cls, relation: str | Str, left: Expr, right: Expr) -> Self:
        relation = relation if isinstance(relation, Str) else Str(relation)
        return Basic.__new__(cls, relation, as_expr(left), as_expr(right))

    @property
    def relation(self) -> str:
        return self.args[0].name

    @property
    def left(self) -> Expr:
        return self.args[1]

    @property
    def right(self) -> Expr:
        return self.args[2]


class PlateSum(Expr):
    """Σ of ``body`` over plate indices: ``bounds`` are (index, lower, upper), ``conditions`` filter them."""

    def __new__(cls, body: Expr, bounds: Iterable[Tuple], conditions: Iterable[Condition] = ()) -> Expr:
        bounds, conditions = Tuple(*bounds), Tuple(*conditions)
        if body == 0:
            return S.Zero
        if not bounds and not conditions:
            return body
        number, rest = body.as_coeff_Mul()
        if number != 1:
            return number * cls(rest, bounds, conditions)
        return Basic.__new__(cls, body, bounds, conditions)

    @property
    def body(self) -> Expr:
        return self.args[0]

    @property
    def bounds(self) -> Tuple:
        return self.args[1]

    @property
    def conditions(self) -> Tuple:
        return self.args[2]

    @property
    def bound_symbols(self) -> set[Symbol]:
        return {bound[0] for bound in self.bounds}

    def _eval_is_commutative(self):
        return self.args[0].is_commutative

    def _eval_is_real(self):
        return self.args[0].is_real

    def _eval_is_extended_real(self):
        return self.args[0].is_extended_real

    def _eval_is_finite(self):
        return True

    def _eval_is_nonnegative(self):
        return self.args[0].is_nonnegative or None

    def _eval_is_integer(self):
        return self.args[0].is_integer


class Gated(Expr):
    """``body`` where all ``conditions`` (on the target's own indices) hold, zero elsewhere."""

    def __new__(cls, body: Expr, conditions: Iterable[Condition]) -> Expr:
        conditions = Tuple(*conditions)
        if not conditions or body == 0:
            return body
        number, rest = body.as_coeff_Mul()
        if number != 1:
            return number * cls(rest, conditions)
        return Basic.__new__(cls, body, conditions)

    def _eval_is_commutative(self):
        return self.args[0].is_commutative

    def _eval_is_real(self):
        return self.args[0].is_real

    def _eval_is_extended_real(self):
        return self.args[0].is_extended_real

    def _eval_is_finite(self):
        return True

    def _eval_is_nonnegative(self):
        return self.args[0].is_nonnegative or None


class LogGamma(sp.loggamma):
    """log Γ of a number, which stays so at whole numbers: SymPy has the log of Γ there, which overflows."""

    @classmethod
    def eval(cls, z: Expr) -> Expr | None:
        """Return the value at a number that has a closed one."""
        found = sp.loggamma(z) if z.is_number else None
        return None if isinstance(found, sp.loggamma) else found


class LogMultivariateGamma(ScalarHead):
    """log Γ_p(a), the multivariate gamma function: ``LogMultivariateGamma(a, p)``."""


class NormalCdf(ScalarHead):
    """Φ of a number, the distribution function of the standard normal."""

    is_positive = True
    is_zero = False


class Step(ScalarHead):
    """1 where a number is positive, 0 elsewhere."""

    is_nonnegative = True


class Floor(ScalarHead):
    """The largest whole number that is not above a number."""

    is_integer = True


class Branch(Expr):
    """``Branch(sign, above, below)``: ``above`` where the sign is positive, ``below`` elsewhere; both may be infinite."""

    is_commutative = True
    is_extended_real = True


class XLogY(ScalarHead):
    """c log w, which is 0 where c is, whatever w ≥ 0: ``XLogY(c, w)``."""

    is_extended_real = True


class LogPolyaGamma(ScalarHead):
    """The log density of a Pólya–gamma variable without tilt: ``LogPolyaGamma(value, size)``."""


class LogMass(ScalarHead):
    """log P(lower < X < upper) for X of a family: ``LogMass(Str(key), lower, upper, *arguments)``.

    The normalising constant of a truncated factor; bounds may be ±infinity.
    """

    def __new__(cls, family: str | Str, *args: Expr) -> Self:
        family = family if isinstance(family, Str) else Str(family)
        return Basic.__new__(cls, family, *args)

    @property
    def family(self) -> str:
        return self.args[0].name


class LogIndicator(Expr):
    """0 where lower < value < upper, −∞ elsewhere: ``LogIndicator(lower, value, upper)``.

    Stands in a factor whose support moves with a node; bounds may be ±infinity.
    """

    is_commutative = True


# --- shapes -----------------------------------------------------------------------------------------------


def shape_of(expr: Expr) -> Shape:
    """Return (rows, columns) of an expression, a unit side as None.

    Raises ``ValueError`` when the sides of a product or the terms of a sum do not fit.
    """
    if expr.is_commutative:
        return SCALAR
    match expr:
        case Ref():
            dims = expr.variable.shape
            return (dims[0], dims[1] if len(dims) == 2 else None)
        case Transposed() | Map() | PlateSum() | Gated():
            return _shape_of_wrapper(expr)
        case Eye() | Exchangeable():
            return (expr.args[-1], expr.args[-1])
        case Ones() | Unit():
            return (expr.args[-1], None)
        case Literal():
            rows, columns = expr.args[:2]
            return (rows, None) if columns == 1 else (rows, columns)
        case Diagonal():
            side = shape_of(expr.args[0])[0]
            return (side, side)
        case Stack():
            _, lower, upper = expr.args[1]
            return (upper - lower + 1, None)
        case Recursion():
            _, lower, upper = expr.bound
            return (upper - lower + 1 + expr.lead, None)
        case Grid():
            (_, low, high), (_, first, last) = expr.args[1:]
            return (high - low + 1, last - first + 1)
        case sp.Mul():
            return _shape_of_product(expr.args_cnc()[1])
        case sp.Add():
            return next(shape_of(term) for term in expr.args)
        case sp.Pow():
            return shape_of(expr.base)
    raise ValueError(f"no shape for {type(expr).__name__}")


def _shape_of_wrapper(expr: Expr) -> Shape:
    if isinstance(expr, Transposed):
        rows, columns = shape_of(expr.args[0])
        return (columns, rows)
    return shape_of(expr.args[1] if isinstance(expr, Map) else expr.args[0])


def _shape_of_product(factors: list[Expr]) -> Shape:
    rows, columns = shape_of(factors[0])
    for factor in factors[1:]:
        next_rows, next_columns = shape_of(factor)
        if columns != next_rows:
            raise ValueError(f"sides {columns} and {next_rows} do not fit")
        columns = next_columns
    return (rows, columns)


def is_symmetric(expr: Expr) -> bool:
    """Tell whether a matrix atom is known to be symmetric."""
    match expr:
        case Ref():
            return expr.variable.symmetric
        case Eye() | Exchangeable() | Diagonal():
            return True
        case Literal():
            matrix = expr.matrix()
            return matrix.rows == matrix.cols and matrix.is_symmetric()
        case Grid():
            return expr.is_symmetric_table()
        case sp.Pow() | PlateSum() | Gated():
            return is_symmetric(expr.args[0])
        case sp.Add():
            return all(is_symmetric(term) for term in expr.args)
        case sp.Mul():
            factors = expr.args_cnc()[1]
            return len(factors) > 0 and transpose(sp.Mul(*factors)) == sp.Mul(*factors)
    return False


# --- smart constructors -----------------------------------------------------------------------------------


def transpose(expr: Expr) -> Expr:
    """Return the transpose, pushed down to the atoms."""
    if expr.is_commutative:
        return expr
    match expr:
        case Transposed():
            return expr.args[0]
        case sp.Mul():
            scalars, factors = expr.args_cnc()
            return sp.Mul(*scalars, *(transpose(factor) for factor in reversed(factors)))
        case sp.Add():
            return sp.Add(*map(transpose, expr.args))
        case sp.Pow():
            return transpose(expr.base) ** expr.exp
        case PlateSum() | Gated():
            return expr.func(transpose(expr.args[0]), *expr.args[1:])
    if is_symmetric(expr):
        return expr
    return expr.turned() if isinstance(expr, Grid) else Transposed(expr)


def inner(expr: Expr) -> Expr:
    """Return the number that a product closing to 1 by 1 is: coefficients pulled out, orientation canonical."""
    if expr.is_commutative:
        return expr
    if isinstance(expr, sp.Add):
        return sp.Add(*map(inner, expr.args))
    if isinstance(expr, PlateSum | Gated):
        return expr.func(inner(expr.args[0]), *expr.args[1:])
    scalars, factors = expr.args_cnc()
    segments = _closed_segments(_drop_identities(factors))
    return sp.Mul(*scalars, *(_orient(Inner, segment) for segment in segments))


def _drop_identities(factors: list[Expr]) -> list[Expr]:
    kept = [factor for factor in factors if not isinstance(factor, Eye)]
    return kept or factors


def _closed_segments(factors: list[Expr]) -> list[Expr]:
    """Split a product of matrices into the maximal runs that close to numbers."""
    segments, run = [], []
    for factor in factors:
        run.append(factor)
        if shape_of(factor)[1] is None and shape_of(run[0])[0] is None:
            segments.append(sp.Mul(*run))
            run = []
    if run:
        raise ValueError("the product does not close to a number")
    return segments


def _orient(head: type[ScalarHead], product: Expr) -> Expr:
    if product.is_commutative:
        return product
    factors = product.args_cnc()[1]
    if isinstance(factors[-1], Unit):
        return _read_entry(factors[:-1], factors[-1])
    if isinstance(transpose(factors[0]), Unit):
        return _read_entry([transpose(f) for f in reversed(factors[1:])], transpose(factors[0]))
    return head(next(iter(ordered([product, transpose(product)]))))


def _read_entry(row: list[Expr], unit: Unit) -> Expr:
    """Return row · e_k: an entry of a matrix when the row itself starts at a unit vector."""
    first = transpose(row[0])
    if not isinstance(first, Unit):
        return component(transpose(sp.Mul(*row)), unit.args[0])
    if len(row) == 1:
        return S.One if first == unit else sp.KroneckerDelta(first.args[0], unit.args[0])
    positions = (first.args[0], unit.args[0])
    middle = sp.Mul(*row[1:])
    if is_symmetric(middle):
        positions = tuple(ordered(positions))
    return Entry(middle, *positions)


def trace(expr: Expr) -> Expr:
    """Return the trace, linear, a rank-one product as its inner product, cyclic order canonical."""
    if expr.is_commutative:
        raise ValueError("the trace of a number")
    if isinstance(expr, sp.Add):
        return sp.Add(*map(trace, expr.args))
    if isinstance(expr, PlateSum | Gated):
        return expr.func(trace(expr.args[0]), *expr.args[1:])
    scalars, factors = expr.args_cnc()
    factors = _drop_identities(factors)
    for position, factor in enumerate(factors):
        if shape_of(factor)[0] is None:
            return sp.Mul(*scalars) * inner(sp.Mul(*factors[position:], *factors[:position]))
    if factors == [f for f in factors if isinstance(f, Eye)]:
        return sp.Mul(*scalars) * factors[0].args[0]
    turns = [sp.Mul(*factors[k:], *factors[:k]) for k in range(len(factors))]
    first = next(iter(ordered([*turns, *map(transpose, turns)])))
    return sp.Mul(*scalars) * Trace(first)


def logdet(expr: Expr) -> Expr:
    """Return log det of a positive definite expression: scalars, inverses and products split off."""
    match expr:
        case Eye():
            return S.Zero
        case sp.Pow() if expr.exp.is_Integer:
            return expr.exp * logdet(expr.base)
        case sp.Mul():
            scalars, factors = expr.args_cnc()
            if all(None not in shape_of(factor) for factor in factors):
                side = shape_of(factors[0])[0]
                scale = sp.Mul(*scalars)
                own = side * sp.log(scale) if scale != 1 else S.Zero
                return own + _logdet_of_product(factors)
        case Diagonal():
            vector = expr.args[0]
            if isinstance(vector, Stack):
                return PlateSum(sp.log(vector.args[0]), [vector.args[1]])
            if isinstance(vector, Literal):
                return sp.Add(*map(sp.log, vector.args[2:]))
        case Exchangeable():
            rho, p = expr.args
            return (p - 1) * sp.log(1 - rho) + sp.log(1 + (p - 1) * rho)
        case Literal():
            return sp.log(sp.factor(expr.matrix().det()))
    return LogDet(expr)


def _logdet_of_product(factors: list[Expr]) -> Expr:
    """Return log |det| of a product of matrices, each of a definite one: A M A' has log |A A'| + log |M|."""
    if not all(map(_is_square, factors)):
        return LogDet(sp.Mul(*factors))
    if len(factors) > 1 and not is_symmetric(factors[0]) and transpose(factors[0]) == factors[-1]:
        return LogDet(factors[0] * factors[-1]) + (logdet(sp.Mul(*factors[1:-1])) if factors[2:] else 0)
    return sp.Add(*map(logdet, factors))


def matrix_factors(product: Expr) -> list[Expr]:
    """Return the factors of a product of matrices in order, whole powers written out: S³ is S, S, S."""
    found: list[Expr] = []
    for factor in product.args_cnc()[1] if product.is_Mul else [product]:
        several = isinstance(factor, sp.Pow) and factor.exp.is_Integer and abs(factor.exp) > 1
        found += [factor.base ** sp.sign(factor.exp)] * abs(int(factor.exp)) if several else [factor]
    return found


def _is_square(matrix: Expr) -> bool:
    rows, columns = shape_of(matrix)
    return rows == columns


def gram(factor: Expr) -> Expr:
    """Return L L′ for a matrix expression L, entry by entry where L is written out."""
    scalars, factors = factor.args_cnc() if factor.is_Mul else ([], [factor])
    if len(factors) == 1 and isinstance(factors[0], Literal):
        matrix = factors[0].matrix()
        return sp.Mul(*scalars) ** 2 * literal((matrix * matrix.T).applyfunc(sp.expand))
    if len(factors) == 1 and isinstance(factors[0], Eye):
        return sp.Mul(*scalars) ** 2 * factors[0]
    return factor * transpose(factor)


def component(vector: Expr, position: Expr) -> Expr:
    """Return the entry of a vector expression at a 1-based position."""
    match vector:
        case sp.Add():
            return sp.Add(*(component(term, position) for term in vector.args))
        case Stack():
            index, lower, _ = vector.args[1]
            return vector.args[0].xreplace({index: position + lower - 1})
        case Literal() if position.is_Integer:
            return vector.args[1 + int(position)]
        case Recursion() if position.is_Integer and position <= vector.lead:
            return vector.firsts[vector.row][int(position) - 1]
        case Map():
            return SCALAR_FUNCTIONS[vector.function](component(vector.args[1], position))
        case PlateSum() | Gated():
            return vector.func(component(vector.args[0], position), *vector.args[1:])
        case Ones():
            return S.One
        case Unit() if position.is_Integer and vector.args[0].is_Integer:
            return S.One if vector.args[0] == position else S.Zero
        case sp.Mul():
            scalars, factors = vector.args_cnc()
            if len(factors) == 1:
                return sp.Mul(*scalars) * component(factors[0], position)
            if scalars:
                return sp.Mul(*scalars) * component(sp.Mul(*factors), position)
            if isinstance(factors[0], Diagonal):
                rest = sp.Mul(*factors[1:])
                return component(factors[0].args[0], position) * component(rest, position)
    return Component(vector, position)


SCALAR_FUNCTIONS: dict[str, Any] = {
    "log": sp.log,
    "exp": sp.exp,
    "sqrt": sp.sqrt,
    "abs": sp.Abs,
    "lgamma": LogGamma,
}


def invert(expr: Expr) -> Expr:
    """Return the inverse of an invertible matrix expression, the product of square atoms turned round."""
    match expr:
        case Eye():
            return expr
        case sp.Mul():
            scalars, factors = expr.args_cnc()
            return sp.Mul(*(1 / s for s in scalars), *_invert_product(factors))
        case sp.Pow():
            return expr.base ** (-expr.exp)
    return expr**-1


def _invert_product(factors: list[Expr]) -> list[Expr]:
    """Return the factors of the inverse of a product; what has no inverse factor by factor stays together.

    That is L L′ of a matrix that is not symmetric, the inverse of which is that of a covariance, and A Q A′ with A not square.
    """
    half = len(factors) // 2
    if any(transpose(factors[k]) != factors[-1 - k] for k in range(half)):
        square = all(map(_is_square, factors))
        return [invert(factor) for factor in reversed(factors)] if square else [sp.Mul(*factors) ** -1]
    even = len(factors) % 2 == 0
    kept = (k for k, f in enumerate(factors[:half]) if not _is_square(f) or even and not is_symmetric(f))
    outer = next(kept, half)
    edge, middle = [invert(factor) for factor in factors[:outer]], factors[outer : len(factors) - outer]
    inside = [sp.Mul(*middle) ** -1] if len(middle) > 1 else [invert(factor) for factor in middle]
    return [*map(transpose, edge), *inside, *reversed(edge)]


def multiply(left: Expr, right: Expr) -> Expr:
    """Return the product, closed to a number where it closes."""
    product = left * right
    if product.is_commutative or left.is_commutative or right.is_commutative:
        return product
    left_shape, right_shape = shape_of(left), shape_of(right)
    return inner(product) if left_shape[0] is None and right_shape[1] is None else product


def mentions(expr: Basic, name: str) -> bool:
    """Tell whether an expression holds an element of the quantity of that name."""
    return any(ref.name == name for ref in expr.atoms(Ref)) if isinstance(expr, Basic) else False
