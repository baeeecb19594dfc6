"""Show stage, from SymPy to ``notation``: signs, fractions and the order in which a person writes.

SymPy's own order of terms is never used.  Terms follow the Markov blanket (what comes from the data first, the
prior last), a product has numbers first, then sizes, constants, single quantities, functions, brackets and
sums.  An expression head that is not known here is a fault, never passed over.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from functools import singledispatchmethod

import sympy as sp
from sympy import Basic, Expr, Symbol, Tuple

from deriver.algebra import heads
from deriver.errors import InternalError
from deriver.model import expressions as tree
from deriver.model.records import Model
from deriver.show import notation as n
from deriver.show.forms import short_name
from deriver.show.order import Order, split_sign

_FUNCTIONS = {
    sp.log: "log", sp.exp: "exp", heads.LogGamma: "lgamma", sp.Abs: "abs", sp.Max: "max", sp.Min: "min",
    sp.erf: "erf", sp.erfc: "erfc", sp.digamma: "digamma", sp.sin: "sin", sp.cos: "cos",
}  # fmt: skip


class Arranger:
    """Arranges the expressions of one conditional; ``order`` knows its blanket, ``model`` its plates."""

    def __init__(self, model: Model, order: Order) -> None:
        self.order = order
        self.own_indices = order.own_indices
        self._plates = {plate.index: plate for plate in model.plates}
        self._transformed = {
            statement.name: (getattr(statement, "transform", None), getattr(statement, "written", ""))
            for statement in model.statements
            if getattr(statement, "written", "") not in ("", statement.name)
        }

    @singledispatchmethod
    def arrange(self, expr: Basic) -> n.Notation:
        """Return the notation of an expression; raise ``InternalError`` for a head that is not known."""
        for head, name in _FUNCTIONS.items():
            if isinstance(expr, head):
                return n.Apply(name, tuple(map(self.arrange, self.order.arguments(expr))))
        raise InternalError(f"show: no notation for {type(expr).__name__}")

    # names and numbers

    @arrange.register
    def _(self, expr: sp.Rational) -> n.Notation:
        if expr < 0:
            return n.Minus(self.arrange(-expr))
        return n.Numeral(Fraction(int(expr.p), int(expr.q)))

    @arrange.register
    def _(self, expr: sp.Float) -> n.Notation:
        return n.Minus(self.arrange(-expr)) if expr < 0 else n.Decimal(repr(float(expr)))

    @arrange.register(sp.core.numbers.Pi)
    @arrange.register(sp.core.numbers.Exp1)
    @arrange.register(sp.core.numbers.Infinity)
    @arrange.register(sp.core.numbers.NegativeInfinity)
    def _(self, expr: Expr) -> n.Notation:
        if expr == sp.S.NegativeInfinity:
            return n.Minus(n.Constant("inf"))
        return n.Constant({sp.pi: "pi", sp.E: "e", sp.oo: "inf"}[expr])

    @arrange.register
    def _(self, expr: Symbol) -> n.Notation:
        return n.Name(expr.name)

    @arrange.register
    def _(self, expr: heads.Ref) -> n.Notation:
        return self.name(expr.name, tuple(map(self.arrange, expr.indices)))

    def name(self, name: str, subscripts: tuple[n.Notation, ...] = ()) -> n.Notation:
        """Return a name; a node made by a transform on the left of a statement as it was written: log σ_i."""
        transform, written = self._transformed.get(name, (None, name))
        plain = n.Name(written, subscripts)
        match transform:
            case None:
                return plain
            case "inv":
                return n.Power(plain, n.Minus(n.ONE), matrix=True)
        return n.Apply(transform, (plain,))

    # sums and products

    @arrange.register
    def _(self, expr: sp.Add) -> n.Notation:
        if not expr.is_commutative and heads.shape_of(expr)[0] is None:
            return n.Transpose(self.arrange(heads.transpose(expr)))
        terms = [split_sign(term) for term in self.order.sort_terms(list(expr.args))]
        if all(negative for negative, _ in terms):
            return n.Minus(n.Plus(tuple((False, self.arrange(term)) for _, term in terms)))
        return n.Plus(tuple((negative, self.arrange(term)) for negative, term in terms))

    @arrange.register
    def _(self, expr: sp.Mul) -> n.Notation:
        negative, expr = split_sign(expr)
        if negative:
            return n.Minus(self.arrange(expr))
        gates = [factor for factor in sp.Mul.make_args(expr) if isinstance(factor, heads.Gated)]
        if len(gates) == 1:
            return self.gate(sp.Mul(expr, 1 / gates[0]), gates[0])
        if not expr.is_Mul:
            return self.arrange(expr)
        above, below = self.order.factors(expr)
        top = _product([self.arrange(factor) for factor in above])
        return n.Over(top, _product([self.arrange(factor) for factor in below])) if below else top

    @arrange.register
    def _(self, expr: sp.Pow) -> n.Notation:
        if not expr.is_commutative:
            return n.Power(self.arrange(expr.base), self.arrange(expr.exp), matrix=True)
        negative, exponent = split_sign(expr.exp)
        if negative:
            return n.Over(n.ONE, self.arrange(sp.Pow(expr.base, exponent)))
        if exponent == sp.Rational(1, 2):
            return n.Apply("sqrt", (self.arrange(expr.base),))
        return n.Power(self.arrange(expr.base), self.arrange(exponent))

    @arrange.register
    def _(self, expr: heads.PlateSum) -> n.Notation:
        bounds, conditions = self.order.bounds(expr.bounds), tuple(map(self.relation, expr.conditions))
        return n.Total(tuple(map(self.bound, bounds)), conditions, self.arrange(expr.body))

    @arrange.register
    def _(self, expr: heads.Gated) -> n.Notation:
        return self.gate(sp.S.One, expr)

    def gate(self, coefficient: Expr, gated: heads.Gated) -> n.Notation:
        """Return a gated term, what multiplies it inside."""
        body, conditions = gated.args
        return n.Gate(tuple(map(self.relation, conditions)), self.arrange(coefficient * body))

    @arrange.register
    def _(self, expr: heads.Condition) -> n.Notation:
        return self.relation(expr)

    def relation(self, condition: heads.Condition) -> n.Relation:
        """Return a condition; ``t <= T - 1`` is written ``t < T``."""
        relation, right = condition.relation, condition.right
        if relation == "<=" and right.is_Add and right.as_coeff_Add()[0] == -1:
            relation, right = "<", right + 1
        return n.Relation(relation, self.arrange(condition.left), self.arrange(right))

    def element(self, ref: heads.Ref, known: set[Symbol]) -> n.Notation:
        """Return an element; an index that is not known stands for all its values."""
        subscripts = [
            n.Slice(index.name) if isinstance(index, Symbol) and index not in known else self.arrange(index)
            for index in ref.indices
        ]
        return self.name(ref.name, tuple(subscripts))

    def place(self, conditions: Iterable[heads.Condition]) -> tuple[n.Notation, ...]:
        """Return conditions as what they say of an index: ``t >= 1, t <= T - 1`` is ``t = 1..T-1``."""
        conditions = tuple(conditions)
        if [condition.relation for condition in conditions] == [">=", "<="]:
            first, last = conditions
            if first.left == last.left and first.left.is_Symbol:
                return (self.bound(Tuple(first.left, first.right, last.right)),)
        return tuple(map(self.relation, conditions))

    def bound(self, bound: Tuple) -> n.Bound:
        """Return a bound, marked when it is the whole of the index's plate."""
        symbol, lower, upper = bound
        low, high = self.arrange(lower), self.arrange(upper)
        return n.Bound(symbol.name, low, high, self._is_whole(symbol.name, low, high))

    def _is_whole(self, index: str, lower: n.Notation, upper: n.Notation) -> bool:
        plate = self._plates.get(index.rstrip("′″"))
        return plate is not None and (read_tree(plate.lower), read_tree(plate.upper)) == (lower, upper)

    # vectors and matrices

    @arrange.register
    def _(self, expr: heads.Inner) -> n.Notation:
        return self.arrange(self.order.orient(expr.args[0]))

    @arrange.register
    def _(self, expr: heads.Trace) -> n.Notation:
        return n.Apply("tr", (self.arrange(expr.args[0]),))

    @arrange.register
    def _(self, expr: heads.LogDet) -> n.Notation:
        return n.Apply("log", (n.Apply("det", (self.arrange(expr.args[0]),)),))

    @arrange.register
    def _(self, expr: heads.Transposed) -> n.Notation:
        return n.Transpose(self.arrange(expr.args[0]))

    @arrange.register(heads.Component)
    @arrange.register(heads.Entry)
    def _(self, expr: Expr) -> n.Notation:
        base, *positions = expr.args
        if isinstance(base, heads.Recursion):
            return self.arrange(base.element(positions[0]))
        return n.Element(self.arrange(base), tuple(map(self.arrange, positions)))

    @arrange.register
    def _(self, expr: heads.Eye) -> n.Notation:
        return n.Apply("eye", (self.arrange(expr.args[0]),))

    @arrange.register
    def _(self, expr: heads.Ones) -> n.Notation:
        return n.Apply("ones", (self.arrange(expr.args[0]),))

    @arrange.register
    def _(self, expr: heads.Unit) -> n.Notation:
        return n.Apply("unit", tuple(map(self.arrange, expr.args)))

    @arrange.register
    def _(self, expr: heads.Exchangeable) -> n.Notation:
        rho, dimension = expr.args
        return n.Apply("exchangeable", (self.arrange(rho), self.arrange(dimension)))

    @arrange.register
    def _(self, expr: heads.Literal) -> n.Notation:
        matrix = expr.matrix()
        rows = [tuple(self.arrange(matrix[a, b]) for b in range(matrix.cols)) for a in range(matrix.rows)]
        return n.Matrix(tuple(rows))

    @arrange.register
    def _(self, expr: heads.Diagonal) -> n.Notation:
        return n.Apply("diag", (self.arrange(expr.args[0]),))

    @arrange.register
    def _(self, expr: heads.Map) -> n.Notation:
        return n.Apply(expr.function, (self.arrange(expr.args[1]),))

    @arrange.register
    def _(self, expr: heads.LogMultivariateGamma) -> n.Notation:
        return n.Apply("lmgamma", tuple(map(self.arrange, expr.args)))

    @arrange.register
    def _(self, expr: heads.NormalCdf) -> n.Notation:
        return n.Apply("normal_cdf", (self.arrange(expr.args[0]),))

    @arrange.register
    def _(self, expr: heads.XLogY) -> n.Notation:
        coefficient, number = map(self.arrange, expr.args)
        return n.Times((coefficient, n.Apply("log", (number,))))

    @arrange.register
    def _(self, expr: heads.Step) -> n.Notation:
        return n.Apply("is_positive", (self.arrange(expr.args[0]),))

    @arrange.register
    def _(self, expr: heads.Floor) -> n.Notation:
        return n.Apply("floor", (self.arrange(expr.args[0]),))

    @arrange.register
    def _(self, expr: heads.Branch) -> n.Notation:
        return n.Apply("where", tuple(map(self.arrange, expr.args)))

    @arrange.register
    def _(self, expr: heads.LogPolyaGamma) -> n.Notation:
        value, size = map(self.arrange, expr.args)
        return n.Apply(
            "log", (n.Distribution(short_name("polya_gamma"), (value, size, n.Numeral(Fraction(0)))),)
        )

    @arrange.register
    def _(self, expr: heads.LogMass) -> n.Notation:
        lower, upper, *arguments = expr.args[1:]
        law = n.Distribution(short_name(expr.family), tuple(map(self.arrange, arguments)))
        return n.Apply("log", (n.Chance(law, n.Interval(self.arrange(lower), self.arrange(upper))),))

    @arrange.register
    def _(self, expr: heads.LogIndicator) -> n.Notation:
        lower, value, upper = map(self.arrange, expr.args)
        inside = n.Relation("in", value, n.Interval(lower, upper))
        return n.Apply("log", (n.Gate((inside,), n.ONE),))

    @arrange.register
    def _(self, expr: heads.Stack) -> n.Notation:
        body, bound = expr.args
        if isinstance(body, heads.Ref) and body.indices.count(bound[0]) == 1:
            positions = [
                n.Slice(index.name) if index == bound[0] else self.arrange(index) for index in body.indices
            ]
            return n.Name(body.name, tuple(positions))
        return n.Gathered(self.arrange(body), self.bound(bound))

    @arrange.register
    def _(self, expr: heads.Grid) -> n.Notation:
        body, rows, columns = expr.args
        running = {rows[0], columns[0]}
        if isinstance(body, heads.Ref) and running <= set(body.indices):
            positions = [n.Slice(i.name) if i in running else self.arrange(i) for i in body.indices]
            return n.Name(body.name, tuple(positions))
        return n.Gathered(n.Gathered(self.arrange(body), self.bound(columns)), self.bound(rows))


def read_tree(expression: tree.Expression) -> n.Notation:
    """Return the notation of a plate's bound: a number, a size, or a difference of these."""
    match expression:
        case tree.Number(value=value):
            return n.Numeral(value)
        case tree.Reference(name=name, subscripts=subscripts):
            return n.Name(name, tuple(map(read_tree, subscripts)))
        case tree.Binary(operator="+" | "-" as operator, left=left, right=right):
            return n.Plus(((False, read_tree(left)), (operator == "-", read_tree(right))))
    return n.Constant("inf")


def _product(factors: list[n.Notation]) -> n.Notation:
    if not factors:
        return n.ONE
    return factors[0] if len(factors) == 1 else n.Times(tuple(factors))
