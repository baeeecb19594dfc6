"""Proofs of positivity and positive definiteness, on symbols and supports alone.

Each function answers True only when the claim follows from the declared supports; False means "not proved",
never "disproved".
"""

from __future__ import annotations

import sympy as sp
from sympy import Expr, Symbol, Tuple

from deriver.algebra import heads
from deriver.algebra.heads import Condition, Ref, transpose
from deriver.algebra.normal_form import sum_over
from deriver.derivation.factors import Definitions
from deriver.derivation.lower import Lowering
from deriver.families.symbolic import log_of
from deriver.model.records import Given, Node

# Quantities of a polynomial: factors of more may take hours, by the order in which they are tried.
_MOST_FACTORED = 8


class Prover:
    """Proves signs and definiteness for one model; knows supports and deterministic definitions.

    ``facts`` are expressions in given quantities that are positive because a stated prior is proper.
    """

    def __init__(self, lowering: Lowering, definitions: Definitions, facts: tuple[Expr, ...] = ()) -> None:
        self._lowering = lowering
        self._definitions = definitions
        self._facts = facts
        self._known: dict[tuple[str, Expr, tuple[Tuple, ...]], bool] = {}

    def positive(self, expr: Expr, ranges: tuple[Tuple, ...] = ()) -> bool:
        """Prove expr > 0 for every value of the supports (and of the target's indices in ``ranges``)."""
        return self._remember("positive", expr, ranges, lambda: self._positive(expr, ranges))

    def nonnegative(self, expr: Expr) -> bool:
        """Prove expr ≥ 0."""
        return self._remember("nonnegative", expr, (), lambda: self._nonnegative(expr))

    def positive_almost_surely(self, expr: Expr) -> bool:
        """Prove expr ≥ 0, and > 0 but for values that have probability zero, such as Σ (y − m)² with rows in it.

        An analytic expression that is not zero everywhere is zero on a set of measure zero; the continuous nodes
        in it have densities.
        """
        if isinstance(expr, sp.Add) and all(map(self.nonnegative, expr.args)):
            return any(map(self._positive_but_for_a_null_set, expr.args))
        return self.nonnegative(expr) and self._positive_but_for_a_null_set(expr)

    def _positive_but_for_a_null_set(self, expr: Expr) -> bool:
        return self.positive(expr) or (self._analytic(expr) and self._has_continuous_node(expr))

    def _analytic(self, expr: Expr) -> bool:
        """Tell whether an expression has no jumps, counts or labels in it, nor a sum that may be empty."""
        match expr:
            case Ref():
                if self._definitions.defines(expr.name):
                    return self._analytic(self._definitions.at(expr))
                return self._support(expr)[0] == "real"
            case heads.PlateSum():
                filled = all((upper - lower).is_nonnegative for _, lower, upper in expr.bounds)
                return filled and not expr.conditions and self._analytic(expr.body)
            case sp.Add() | sp.Mul() | sp.Pow() | sp.exp() | sp.log() | heads.Inner() | heads.Transposed():
                return all(map(self._analytic, expr.args))
        return bool(expr.is_number)

    def _has_continuous_node(self, expr: Expr) -> bool:
        nodes = {node.name for node in self._lowering.model.nodes}
        return any(ref.name in nodes for ref in self._definitions.expand(expr).atoms(Ref))

    def definite(self, matrix: Expr, ranges: tuple[Tuple, ...] = ()) -> bool:
        """Prove that a matrix expression is symmetric positive definite."""
        return self._remember("definite", matrix, ranges, lambda: self._definite(matrix, ranges))

    def semidefinite(self, matrix: Expr) -> bool:
        """Prove that a matrix expression is symmetric positive semidefinite."""
        return self._remember("semidefinite", matrix, (), lambda: self._semidefinite(matrix))

    def _remember(self, claim: str, expr: Expr, ranges: tuple[Tuple, ...], prove) -> bool:
        key = (claim, expr, ranges)
        if key not in self._known:
            self._known[key] = prove()
        return self._known[key]

    # --- numbers ---

    def _positive(self, expr: Expr, ranges: tuple[Tuple, ...]) -> bool:
        if not expr.is_commutative:
            return self._positive_vector(expr)
        if expr.is_positive or self._follows_from_fact(expr):
            return True
        match expr:
            case Ref():
                return self._defined(expr, self.positive) or self._above_nonnegative(expr)
            case sp.Add():
                return (
                    self._positive_sum(expr, ranges)
                    or self._positive_at_least(expr)
                    or self._positive_at_both(expr, ranges)
                )
            case sp.Mul():
                return all(self.positive(factor) for factor in expr.args)
            case sp.Pow():
                return self.positive(expr.base)
            case sp.exp():
                return True
            case sp.Max():
                return any(self.positive(a) for a in expr.args)
            case sp.Min():
                return all(self.positive(a) for a in expr.args)
            case heads.Component():
                return self._positive_vector(expr.args[0])
            case heads.Entry():
                return expr.args[1] == expr.args[2] and self.definite(expr.args[0])
            case heads.Inner():
                return False  # zero at zero
            case heads.Gated():
                return bool(ranges) and covers([expr.args[1]], ranges) and self.positive(expr.args[0])
        return False

    def _follows_from_fact(self, expr: Expr) -> bool:
        """expr = fact + something nonnegative."""
        for fact in self._facts:
            rest = sp.expand(expr - fact)
            if rest == 0 or all(map(self._declared_nonnegative, sp.Add.make_args(rest))):
                return True
        return False

    def _declared_nonnegative(self, term: Expr) -> bool:
        return bool(term.is_nonnegative) or (isinstance(term, Ref) and self._above_nonnegative(term))

    def _above_nonnegative(self, ref: Ref) -> bool:
        """ν > p − 1 makes ν positive: real supports are open intervals."""
        kind, lower, _ = self._support(ref)
        if kind != "real" or lower is None or not ref.is_commutative:
            return False
        return bool(lower.is_nonnegative) or (isinstance(lower, sp.Add) and self._bounded_below(lower))

    def _positive_at_least(self, expr: sp.Add) -> bool:
        bounded = any(map(self.positive, self._lower_bounds(expr)))
        return bounded or self._positive_on_interval(expr)

    def _positive_sum(self, expr: sp.Add, ranges: tuple[Tuple, ...]) -> bool:
        if all(map(self.nonnegative, expr.args)) and any(map(self.positive, expr.args)):
            return True
        return bool(ranges) and self._positive_by_gates(expr, ranges)

    def _positive_at_both(self, expr: sp.Add, ranges: tuple[Tuple, ...]) -> bool:
        """(1 − z) a + z b with z in {0, 1}: a > 0 and b > 0."""
        unit = ("integer", sp.S.Zero, sp.S.One)
        binary = [ref for ref in sp.ordered(expr.atoms(Ref)) if self._support(ref) == unit]
        values = [expr.xreplace({binary[0]: value}) for value in (sp.S.Zero, sp.S.One)] if binary else []
        return bool(values) and all(self.positive(value, ranges) for value in values)

    def _positive_by_gates(self, expr: sp.Add, ranges: tuple[Tuple, ...]) -> bool:
        """Gates that cover all indices, the sum positive inside each of them with the others left out."""
        gated = [(term, parts) for term in expr.args if (parts := _as_gated(term)) is not None]
        if not all(self.nonnegative(term) for term, _ in gated):
            return False
        rest = expr - sp.Add(*(term for term, _ in gated))
        return covers([gate for _, (body, gate) in gated if self.positive(body + rest)], ranges)

    def _nonnegative(self, expr: Expr) -> bool:
        if expr.is_nonnegative or self.positive(expr):
            return True
        match expr:
            case Ref():
                return self._defined(expr, self.nonnegative)
            case sp.Add():
                return all(self.nonnegative(term) for term in expr.args) or self._bounded_below(expr)
            case sp.Mul():
                return self._nonnegative_product(expr)
            case sp.Pow():
                return (expr.exp.is_even and expr.base.is_real) or self.nonnegative(expr.base)
            case heads.PlateSum() | heads.Gated():
                return self.nonnegative(expr.args[0])
            case heads.Inner():
                return self._quadratic(expr, self.semidefinite)
            case heads.Trace():
                return self._definite_trace(expr.args[0])
            case sp.Abs() | sp.exp():
                return True
        return False

    def _bounded_below(self, expr: sp.Add) -> bool:
        return any(least == 0 or self.nonnegative(least) for least in self._lower_bounds(expr))

    def _lower_bounds(self, expr: sp.Add) -> list[Expr]:
        """Bound a sum from below by the ends of supports: size − y ≥ 0 for a count, T − 2 ≥ 0 for T ≥ 2.

        First only what is subtracted is replaced, then every term.
        """
        above = sp.Add(*(self._least(t) if t.as_coeff_Mul()[0].is_negative else t for t in expr.args))
        both = sp.Add(*map(self._least, expr.args))
        return [least for least in dict.fromkeys((above, both)) if least != expr]

    def _least(self, term: Expr) -> Expr:
        """Bound c·ref, c·log ref or a plate sum of such from below; the term itself where nothing is known."""
        coefficient, body = term.as_coeff_Mul()
        if isinstance(body, heads.PlateSum):
            least = sp.Add(*(self._least(coefficient * part) for part in sp.Add.make_args(body.body)))
            if least == coefficient * body.body:
                return term
            return sp.Add(*(sum_over(part, body.bounds, body.conditions) for part in sp.Add.make_args(least)))
        if isinstance(body, sp.log) and isinstance(body.args[0], Ref):
            end = self._end(body.args[0], coefficient.is_negative)
            known = end is not None and end.is_positive
            return sp.expand(coefficient * log_of(end)) if known else term
        if isinstance(body, sp.log) and coefficient.is_negative and self._at_most_one(body.args[0]):
            return sp.S.Zero
        if isinstance(body, sp.Mul) and coefficient.is_positive:
            return self._least_product(term, coefficient, body)
        if not isinstance(body, Ref) or coefficient == 1 and body.is_positive and not body.is_integer:
            return term
        end = self._end(body, coefficient.is_negative)
        return term if end is None else coefficient * end

    def _at_most_one(self, expr: Expr) -> bool:
        """Tell whether an expression is 1 minus something that is declared nonnegative."""
        return isinstance(expr, sp.Add) and self._declared_nonnegative(1 - expr)

    def _least_product(self, term: Expr, coefficient: Expr, body: sp.Mul) -> Expr:
        """Bound c·n·m for whole numbers n and m by their least values."""
        ends = [self._end(ref, False) if isinstance(ref, Ref) else None for ref in body.args]
        if all(end is not None and end.is_Integer and end.is_nonnegative for end in ends):
            return coefficient * sp.Mul(*ends)
        return term

    def _end(self, ref: Ref, upper: bool) -> Expr | None:
        """Return an end of a declared quantity's support, in the reference's own indices."""
        declared = self._declared(ref) if ref.is_commutative else None
        if declared is None:
            return None
        _, low, high = self._support(ref)
        if low is None and ref.is_integer and ref.is_positive:
            low = sp.S.One
        end = high if upper else low
        own = (self._lowering.indices[index] for index in declared.indices)
        return None if end is None else end.xreplace(dict(zip(own, ref.indices, strict=True)))

    def _nonnegative_product(self, expr: sp.Mul) -> bool:
        return all(self.nonnegative(factor) for factor in expr.args)

    def _quadratic(self, expr: heads.Inner, middle_claim) -> bool:
        """u′Mu with M (semi)definite, u′u."""
        factors = expr.args[0].args_cnc()[1]
        half = len(factors) // 2
        mirrored = all(factors[k] == transpose(factors[-1 - k]) for k in range(half))
        return mirrored and (len(factors) % 2 == 0 or middle_claim(factors[half]))

    def _definite_trace(self, matrix: Expr) -> bool:
        """tr(AB) ≥ 0 for semidefinite A and B."""
        factors = matrix.args_cnc()[1]
        return len(factors) <= 2 and all(self.semidefinite(factor) for factor in factors)

    def _positive_vector(self, vector: Expr) -> bool:
        match vector:
            case heads.Stack():
                return self.positive(vector.args[0])
            case heads.Literal():
                return all(self.positive(entry) for entry in vector.args[2:])
            case heads.Ones():
                return True
            case heads.Map() if vector.function == "exp":
                return True
            case heads.Map() if vector.function == "sqrt":
                return self._positive_vector(vector.args[1])
            case Ref():
                if self._definitions.defines(vector.name):
                    return self._positive_vector(self._definitions.at(vector))
                kind, lower, _ = self._support(vector)
                return kind == "simplex" or (lower is not None and bool(lower.is_nonnegative))
            case sp.Mul():
                scalars, factors = vector.args_cnc()
                return (
                    len(factors) == 1
                    and all(map(self.positive, scalars))
                    and self._positive_vector(factors[0])
                )
            case sp.Add():
                some = any(map(self._positive_vector, vector.args))
                return some and all(map(self._nonnegative_vector, vector.args))
        return False

    def _nonnegative_vector(self, vector: Expr) -> bool:
        match vector:
            case heads.PlateSum() | heads.Gated():
                return self._nonnegative_vector(vector.args[0])
            case heads.Unit():
                return True
            case Ref() if not self._definitions.defines(vector.name):
                lower = self._support(vector)[1]
                if lower is not None and lower.is_nonnegative:
                    return True
            case sp.Mul():
                scalars, factors = vector.args_cnc()
                single = len(factors) == 1 and all(map(self.nonnegative, scalars))
                return single and self._nonnegative_vector(factors[0])
        return self._positive_vector(vector)

    def _positive_on_interval(self, expr: Expr) -> bool:
        """A sum in one bounded quantity (1 − ρ², 1 + ρ): no root inside its interval, positive within."""
        refs = [ref for ref in expr.atoms(Ref)]
        if len(refs) != 1 or not refs[0].is_commutative:
            return self._positive_factors(expr)
        kind, lower, upper = self._support(refs[0])
        if kind != "real" or lower is None or upper is None:
            return False
        if not (lower.is_Rational and upper.is_Rational):
            return False
        x = sp.Dummy("x", real=True)
        polynomial = expr.xreplace({refs[0]: x})
        if not polynomial.is_polynomial(x):
            return False
        roots = sp.Poly(polynomial, x).real_roots()
        inside = any(bool(lower < root) and bool(root < upper) for root in roots)
        return not inside and bool(polynomial.subs(x, (lower + upper) / 2) > 0)

    def _positive_factors(self, expr: Expr) -> bool:
        quantities = expr.atoms(Ref)
        small = len(quantities) <= _MOST_FACTORED and all(each.is_commutative for each in quantities)
        factored = sp.factor(expr) if small else expr
        return isinstance(factored, sp.Mul) and self._positive_signed(factored)

    def _positive_signed(self, product: sp.Mul) -> bool:
        """A product whose negative factors come in pairs, each sign proved."""
        negatives = 0
        for factor in product.args:
            base, exponent = factor.as_base_exp()
            if exponent.is_even and (self.positive(base) or self.positive(-base)):
                continue
            if self.positive(factor):
                continue
            if self.positive(sp.expand(-factor)):
                negatives += 1
                continue
            return False
        return negatives % 2 == 0

    # --- matrices ---

    def _definite(self, matrix: Expr, ranges: tuple[Tuple, ...]) -> bool:
        match matrix:
            case Ref():
                if self._definitions.defines(matrix.name):
                    return self.definite(self._definitions.at(matrix))
                return self._support(matrix)[0] in ("spd", "correlation")
            case heads.Eye():
                return True
            case heads.Diagonal():
                return self._positive_vector(matrix.args[0])
            case heads.Exchangeable():
                return self._exchangeable(*matrix.args)
            case heads.Literal():
                return self._minors(matrix)
            case sp.Pow():
                return bool(matrix.exp.is_Integer) and self.definite(matrix.base)
            case sp.Mul():
                return self._congruence(matrix)
            case sp.Add():
                return self._definite_sum(matrix, ranges)
            case heads.Gated():
                return bool(ranges) and covers([matrix.args[1]], ranges) and self.definite(matrix.args[0])
        return False

    def _definite_sum(self, matrix: sp.Add, ranges: tuple[Tuple, ...]) -> bool:
        if not all(self.semidefinite(term) for term in matrix.args):
            return False
        if any(self.definite(term) for term in matrix.args):
            return True
        gated = [t for t in map(_as_gated, matrix.args) if t is not None and self.definite(t[0])]
        return bool(ranges) and covers([conditions for _, conditions in gated], ranges)

    def _semidefinite(self, matrix: Expr) -> bool:
        if self.definite(matrix):
            return True
        match matrix:
            case sp.Add():
                return all(self.semidefinite(term) for term in matrix.args)
            case sp.Mul():
                return self._gram(matrix)
            case heads.PlateSum() | heads.Gated():
                return self.semidefinite(matrix.args[0])
            case heads.Grid() if heads.is_symmetric(matrix):
                body, rows, columns = matrix.args
                return self._covariance_function(body, rows[0], columns[0])
        return False

    def _covariance_function(self, body: Expr, one: Symbol, other: Symbol) -> bool:
        """Tell whether k(i, j) is positive semidefinite as a matrix.

        Sums and products of such functions are (Schur); exp(-c(f_i - f_j)²) and exp(-c|f_i - f_j|), c ≥ 0, are
        (Rasmussen and Williams, 2006, sections 4.2.1 and 4.2.4).
        """
        if isinstance(body, Ref) and self._definitions.defines(body.name):
            return self._covariance_function(self._definitions.at(body), one, other)
        if not body.free_symbols & {one, other}:
            return self.nonnegative(body)
        if isinstance(body, sp.Add | sp.Mul):
            return all(self._covariance_function(part, one, other) for part in body.args)
        if isinstance(body, sp.exp):
            return all(self._falls_with_distance(term, one, other) for term in sp.Add.make_args(body.args[0]))
        return False

    def _falls_with_distance(self, term: Expr, one: Symbol, other: Symbol) -> bool:
        """Tell whether a term is -c(f_i - f_j)² or -c|f_i - f_j| with c ≥ 0, or does not depend on i and j."""
        coefficient, distance = term.as_independent(one, other, as_Add=False)
        if distance == 1:
            return True
        gap = distance.base if distance.is_Pow and distance.exp == 2 else None
        gap = distance.args[0] if isinstance(distance, sp.Abs) else gap
        if gap is None:
            return False
        here, there = gap.as_independent(other, as_Add=True)
        return bool(here + there.xreplace({other: one}) == 0) and self.nonnegative(-coefficient)

    def _gram(self, matrix: sp.Mul) -> bool:
        """c·V M V′ with c ≥ 0 and M semidefinite, or c·V V′."""
        scalars, factors = matrix.args_cnc()
        if not all(self.nonnegative(scalar) for scalar in scalars):
            return False
        half = len(factors) // 2
        mirrored = all(factors[k] == transpose(factors[-1 - k]) for k in range(half))
        middle = factors[half] if len(factors) % 2 else None
        return bool(factors) and mirrored and (middle is None or self.semidefinite(middle))

    def _congruence(self, matrix: sp.Mul) -> bool:
        """c·A M A′ with c > 0, M definite and A invertible, or c·A A′."""
        scalars, factors = matrix.args_cnc()
        if not factors or not all(self.positive(scalar) for scalar in scalars):
            return False
        half = len(factors) // 2
        mirrored = all(factors[k] == transpose(factors[-1 - k]) for k in range(half))
        middle = len(factors) % 2 == 0 or self.definite(factors[half])
        return mirrored and middle and all(map(self._invertible, factors[:half]))

    def _invertible(self, matrix: Expr) -> bool:
        return self.definite(matrix) or self.triangular(matrix) or self.triangular(transpose(matrix))

    def triangular(self, matrix: Expr) -> bool:
        """Prove that a matrix expression is lower triangular with a positive diagonal."""
        match matrix:
            case Ref():
                return self._support(matrix)[0] == "cholesky" or self._defined(matrix, self.triangular)
            case heads.Eye():
                return True
            case heads.Diagonal():
                return self._positive_vector(matrix.args[0])
            case heads.Literal():
                entries = matrix.matrix()
                side = range(entries.rows if entries.rows == entries.cols else 0)
                below = all(entries[a, b] == 0 for a in side for b in side if a < b)
                return bool(side) and below and all(self.positive(entries[a, a]) for a in side)
            case sp.Pow():
                return bool(matrix.exp.is_Integer) and self.triangular(matrix.base)
            case sp.Add():
                return all(map(self.triangular, matrix.args))
            case sp.Mul():
                scalars, factors = matrix.args_cnc()
                return all(map(self.positive, scalars)) and all(map(self.triangular, factors))
        return False

    def _minors(self, matrix: heads.Literal) -> bool:
        """Sylvester's criterion: every leading principal minor is positive."""
        explicit = matrix.matrix()
        if explicit.rows != explicit.cols or explicit != explicit.T:
            return False
        minors = (explicit[:k, :k].det() for k in range(1, explicit.rows + 1))
        return all(self._positive_minor(sp.factor(sp.expand(minor))) for minor in minors)

    def _positive_minor(self, minor: Expr) -> bool:
        return self.positive(minor) or (isinstance(minor, sp.Mul) and self._positive_signed(minor))

    def _exchangeable(self, rho: Expr, p: Expr) -> bool:
        """Eigenvalues 1 − ρ and 1 + (p−1)ρ: ρ must lie between −1/(p−1) and 1."""
        if not isinstance(rho, Ref):
            return bool(rho.is_number and rho < 1 and (1 + (p - 1) * rho).is_positive)
        if self._definitions.defines(rho.name):
            return self._exchangeable(self._definitions.at(rho), p)
        _, lower, upper = self._support(rho)
        if lower is None or upper is None or not (1 - upper).is_nonnegative:
            return False
        safe = {-1 / sp.Max(p - 1, 1), -1 / (p - 1)}
        at_lower = 1 + (p - 1) * lower
        return lower in safe or bool(lower.is_nonnegative) or bool(sp.expand(at_lower).is_nonnegative)

    # --- shared ---

    def _support(self, ref: Ref) -> tuple[str, Expr | None, Expr | None]:
        declared = self._declared(ref)
        return ("real", None, None) if declared is None else self._lowering.support(declared.support)

    def _declared(self, ref: Ref) -> Node | Given | None:
        model = self._lowering.model
        declared: list[Node | Given] = [*model.nodes, *model.givens]
        return next((d for d in declared if d.name == ref.name), None)

    def _defined(self, ref: Ref, claim) -> bool:
        return self._definitions.defines(ref.name) and claim(self._definitions.at(ref))


def _as_gated(term: Expr) -> tuple[Expr, Tuple] | None:
    """Read c·[conditions] out of a term."""
    if isinstance(term, heads.Gated):
        return term.args[0], term.args[1]
    if isinstance(term, sp.Mul):
        gates = [factor for factor in term.args if isinstance(factor, heads.Gated)]
        if len(gates) == 1:
            rest = sp.Mul(*(factor for factor in term.args if factor is not gates[0]))
            return rest * gates[0].args[0], gates[0].args[1]
    return None


def covers(gates: list[Tuple], ranges: tuple[Tuple, ...]) -> bool:
    """Tell whether intervals on one index together cover its whole range (t = 0 and t ≥ 1 cover 0..T)."""
    for symbol, lower, upper in ranges:
        intervals = [_interval(gate, symbol, lower, upper) for gate in gates]
        known = [interval for interval in intervals if interval is not None]
        reached = [lower]  # all values below each of these are covered
        for _ in known:
            nexts = [end + 1 for start, end in known if any(_at_most(start, below) for below in reached)]
            reached = list(dict.fromkeys((*reached, *nexts)))
        if any(_at_most(upper + 1, below) for below in reached):
            return True
    return False


def _at_most(left: Expr, right: Expr) -> bool:
    return bool(sp.expand(right - left).is_nonnegative)


def _interval(gate: Tuple, symbol: sp.Symbol, lower: Expr, upper: Expr) -> tuple[Expr, Expr] | None:
    for condition in gate:
        if not isinstance(condition, Condition) or condition.left != symbol:
            return None
        match condition.relation:
            case "=":
                lower = upper = condition.right
            case ">=":
                lower = condition.right
            case "<=":
                upper = condition.right
            case _:
                return None
    return lower, upper
