"""From the model's expression trees to SymPy: the lowering of names, plates, matrices and functions."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import sympy as sp
from sympy import Expr, S, Tuple

from deriver.algebra import heads
from deriver.algebra.heads import Condition, Ref, Variable, index_symbol, transpose
from deriver.errors import InternalError
from deriver.model import expressions as tree
from deriver.model.records import Deterministic, Given, Model, Node, Range, Support


class Lowering:
    """Turns expressions of one model into SymPy; knows each name's variable, plate indices and shape."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.indices = {plate.index: index_symbol(plate.index) for plate in model.plates}
        self._declared: dict[str, Given | Node] = {given.name: given for given in model.givens}
        self._declared |= {node.name: node for node in model.nodes}
        self.variable = cache(self._make_variable)

    def _make_variable(self, name: str) -> Variable:
        declared = self._declared[name]
        symmetric = declared.support.kind in ("spd", "correlation") or self._is_even(declared)
        dims = tuple(self.expression(dimension) for dimension in declared.shape)
        return Variable(name, dims, symmetric=symmetric, least=_least(declared), **_assumptions(declared))

    def _is_even(self, declared: Given | Node) -> bool:
        """Tell whether a table of numbers is defined to have the same entry at (i, j) and (j, i)."""
        statements = self.model.statements_of(declared.name)
        if len(declared.indices) != 2 or declared.shape or len(statements) != 1:
            return False
        if not isinstance(statements[0], Deterministic):
            return False
        one, other = (self.indices[index] for index in declared.indices)
        return heads.is_even(self.expression(statements[0].expression), one, other)

    def element(self, name: str, *indices: Expr) -> Ref:
        """Return the reference to an element of a declared quantity."""
        return Ref(self.variable(name), *indices)

    def node_element(self, node: Node) -> Ref:
        """Return the generic element of a node, in its own index symbols."""
        return self.element(node.name, *(self.indices[index] for index in node.indices))

    def bound(self, place: Range) -> Tuple:
        """Return (index, lower, upper) of a range; a subset ranges over its whole plate."""
        plate = self.model.plate(place.index)
        lower = place.lower if place.lower is not None else plate.lower
        upper = place.upper if place.upper is not None else plate.upper
        return Tuple(self.indices[place.index], self.expression(lower), self.expression(upper))

    def subset_conditions(self, ranges: tuple[Range, ...]) -> tuple[Condition, ...]:
        """Return the membership conditions of ranges over declared subsets."""
        return tuple(
            Condition("in", self.indices[place.index], self.element(place.subset))
            for place in ranges
            if place.subset is not None
        )

    def plate_bound(self, index: str) -> Tuple:
        """Return (index, lower, upper) of a whole plate."""
        return self.bound(Range(index=index))

    def support(self, support: Support) -> tuple[str, Expr | None, Expr | None]:
        """Return the support with its bounds in SymPy."""
        lower, upper = (
            None if end is None or _is_infinite(end) else self.expression(end)
            for end in (support.lower, support.upper)
        )
        return (support.kind, lower, upper)

    def expression(self, expression: tree.Expression) -> Expr:
        """Return the SymPy form of an expression tree."""
        match expression:
            case tree.Number(value=value):
                return sp.Rational(value.numerator, value.denominator)
            case tree.Infinity():
                return S.Infinity
            case tree.Reference():
                return self._reference(expression)
            case tree.Negate(operand=operand):
                return -self.expression(operand)
            case tree.Transpose(operand=operand):
                return transpose(self.expression(operand))
            case tree.Binary(operator=operator, left=left, right=right):
                return _BINARY[operator](self.expression(left), self.expression(right))
            case tree.Call(function=function, arguments=arguments):
                return self._call(function, tuple(self.expression(a) for a in arguments))
            case tree.MatrixRows(rows=rows):
                return self._matrix(rows)
            case tree.SumOver():
                return self._sum(expression)
        raise InternalError(f"no lowering for {type(expression).__name__}")

    def condition(self, condition: tree.Condition) -> Condition:
        """Return the SymPy form of a condition of a ``where``."""
        return Condition(
            condition.relation, self.expression(condition.left), self.expression(condition.right)
        )

    def _reference(self, reference: tree.Reference) -> Expr:
        name = reference.name
        if name in self.indices and not reference.subscripts:
            return self.indices[name]
        declared = self._declared[name]
        count = len(declared.indices)
        plates, components = reference.subscripts[:count], reference.subscripts[count:]
        element, stacked = self._element_with_slices(name, declared, plates)
        if stacked:
            element = heads.Stack(element, *stacked) if len(stacked) == 1 else heads.Grid(element, *stacked)
        if not components:
            return element
        positions = [self.expression(component) for component in components]
        if len(positions) == 1:
            return heads.component(element, positions[0])
        return heads.Entry(element, *positions)

    def _element_with_slices(
        self, name: str, declared: Given | Node, plates: tuple[tree.Expression, ...]
    ) -> tuple[Ref, list[Tuple]]:
        """Return the element and, where subscripts are colons, the bounds that they run over."""
        positions, stacked = [], []
        for index, subscript in zip(declared.indices, plates, strict=True):
            if isinstance(subscript, tree.Colon):
                ranges = getattr(declared, "ranges", ())
                own = next((place for place in ranges if place.index == index), Range(index=index))
                stacked.append(self.bound(own))
                positions.append(self.indices[index])
            else:
                positions.append(self.expression(subscript))
        return self.element(name, *positions), stacked

    def _call(self, function: str, arguments: tuple[Expr, ...]) -> Expr:
        if len(arguments) == 1 and not arguments[0].is_commutative and function in heads.SCALAR_FUNCTIONS:
            return heads.Map(function, arguments[0])
        return _FUNCTIONS[function](*arguments)

    def _matrix(self, rows: tuple[tuple[tree.Expression, ...], ...]) -> Expr:
        entries = [[self.expression(entry) for entry in row] for row in rows]
        if len(entries) == 1:
            entries = [[entry] for entry in entries[0]]
        return heads.Literal(len(entries), len(entries[0]), *(e for row in entries for e in row))

    def _sum(self, expression: tree.SumOver) -> Expr:
        bound = self.plate_bound(expression.index)
        conditions = tuple(self.condition(condition) for condition in expression.conditions)
        return heads.PlateSum(self.expression(expression.body), (bound,), conditions)


def _is_infinite(end: tree.Expression) -> bool:
    inside = end.operand if isinstance(end, tree.Negate) else end
    return isinstance(inside, tree.Infinity)


def _assumptions(declared: Given | Node) -> dict[str, bool]:
    """Return the SymPy assumptions that a declaration's support proves."""
    support = declared.support
    if declared.shape or support.kind in ("spd", "correlation", "simplex"):
        return {}
    if isinstance(declared, Given) and declared.origin == "dimension":
        return {"integer": True, "positive": True}
    if isinstance(declared, Given) and declared.origin == "size":
        return {"integer": True, "nonnegative" if declared.indices else "positive": True}
    if support.kind == "index":
        return {"integer": True, "positive": True}
    own: dict[str, bool] = {"integer": True} if support.kind == "integer" else {"real": True}
    lower = _sign(support.lower)
    if lower is not None and lower >= 0:
        own["nonnegative" if support.kind == "integer" and lower == 0 else "positive"] = True
    upper = _sign(support.upper)
    if upper is not None and upper <= 0 and support.kind == "real":
        own["negative"] = True
    return own


def _least(declared: Given | Node) -> Expr:
    """Return the smallest value that is declared for a whole number, where it is a number."""
    lower = declared.support.lower
    if declared.support.kind != "integer" or not isinstance(lower, tree.Number):
        return S.NegativeInfinity
    return sp.Rational(lower.value.numerator, lower.value.denominator)


def _sign(end: tree.Expression | None) -> float | None:
    """Return a bound that is a plain number, else None."""
    match end:
        case tree.Number(value=value):
            return float(value)
        case tree.Negate(operand=tree.Number(value=value)):
            return -float(value)
    return None


def _divide(left: Expr, right: Expr) -> Expr:
    return left * right**-1


def _power(left: Expr, right: Expr) -> Expr:
    return left**right


_BINARY: dict[str, Callable[[Expr, Expr], Expr]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": heads.multiply,
    "/": _divide,
    "^": _power,
}


def _ones(rows: Expr, columns: Expr | None = None) -> Expr:
    return heads.Ones(rows) if columns is None else heads.Ones(rows) * transpose(heads.Ones(columns))


def _determinant(matrix: Expr) -> Expr:
    return sp.exp(heads.logdet(matrix))


def _invert(expr: Expr) -> Expr:
    if isinstance(expr, heads.Literal):
        return expr**-1
    return heads.invert(expr)


_FUNCTIONS: dict[str, Callable[..., Expr]] = {
    "exp": sp.exp,
    "log": sp.log,
    "sqrt": sp.sqrt,
    "abs": sp.Abs,
    "max": sp.Max,
    "min": sp.Min,
    "lgamma": heads.LogGamma,
    "logit": lambda x: sp.log(x) - sp.log(1 - x),
    "expit": lambda x: 1 / (1 + sp.exp(-x)),
    "normal_cdf": heads.NormalCdf,
    "is_positive": heads.Step,
    "floor": heads.Floor,
    "ilogit": lambda x: 1 / (1 + sp.exp(-x)),
    "inv": _invert,
    "det": _determinant,
    "tr": heads.trace,
    "diag": heads.Diagonal,
    "eye": heads.Eye,
    "ones": _ones,
    "exchangeable": heads.Exchangeable,
}
