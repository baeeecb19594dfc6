"""The target-directed normal form: a sum of coefficient × monomial.

Only what holds the target is multiplied out; a coefficient is free of the target and keeps the form in
which it was written (a residual stays a residual).  A monomial is a product whose every factor holds the
target.  What has no simpler form stands as a monomial of its own, so that nothing is ever lost: the sum of
the terms always equals the expression.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce

import sympy as sp
from sympy import Expr, S

from deriver.algebra import heads
from deriver.algebra.heads import inner, logdet, shape_of, trace, transpose

Terms = dict[Expr, Expr]  # monomial -> coefficient
Product = tuple[Expr, Expr, tuple[Expr, ...]]  # coefficient, scalar monomial, matrix factors


def expand_in(expr: Expr, target: Expr) -> Terms:
    """Return {monomial: coefficient}; the monomial 1 holds what is free of the target."""
    if not expr.has(target):
        return {S.One: expr} if expr != 0 else {}
    if expr == target:
        return {expr: S.One}
    match expr:
        case sp.Add():
            return merge(expand_in(term, target) for term in expr.args)
        case sp.Mul():
            return _expand_product(expr, target)
        case sp.Pow():
            return _expand_power(expr, target)
        case sp.log():
            return _expand_log(expr, target)
        case sp.exp():
            return _expand_exp(expr, target)
        case heads.PlateSum() | heads.Gated():
            return _expand_wrapped(expr, target)
        case heads.Inner():
            return _expand_closed(expr.args[0], target, inner)
        case heads.Trace():
            return _expand_closed(expr.args[0], target, trace)
        case heads.LogDet():
            return _expand_logdet(expr.args[0], target)
        case heads.Component():
            return _expand_component(expr, target)
    return {expr: S.One}


def merge(parts: Iterable[Terms]) -> Terms:
    """Return the sum of normal forms; terms that cancel vanish."""
    total: Terms = {}
    for part in parts:
        for monomial, coefficient in part.items():
            total[monomial] = total.get(monomial, S.Zero) + coefficient
    return {monomial: coefficient for monomial, coefficient in total.items() if coefficient != 0}


def multiply_terms(left: Terms, right: Terms) -> Terms:
    """Return the product of two normal forms."""
    return merge({a * b: left[a] * right[b]} for a in left for b in right)


def scale(terms: Terms, factor: Expr) -> Terms:
    """Return the normal form times a target-free factor."""
    return {monomial: factor * coefficient for monomial, coefficient in terms.items()}


def _expand_product(expr: sp.Mul, target: Expr) -> Terms:
    free, dependent = expr.as_independent(target, as_Add=False)
    if holds_recursion(dependent, target):
        return {dependent: free}
    parts = [expand_in(factor, target) for factor in sp.Mul.make_args(dependent)]
    return scale(reduce(multiply_terms, parts, {S.One: S.One}), free)


def _expand_power(expr: sp.Pow, target: Expr) -> Terms:
    base, exponent = expr.base, expr.exp
    if exponent.has(target) or holds_recursion(base, target):
        return {expr: S.One}
    terms = expand_in(base, target)
    if len(terms) == 1:
        ((monomial, coefficient),) = terms.items()
        if exponent.is_integer or coefficient.is_positive:
            return {_power(monomial, exponent): coefficient**exponent}
    if exponent.is_Integer and 1 < exponent <= 8:
        return reduce(multiply_terms, [terms] * int(exponent))
    return {expr: S.One}


def holds_recursion(expr: Expr, target: Expr) -> bool:
    """Tell whether the target lies below a recursion: nothing is a statistic then, and a residual keeps its digits."""
    return any(path.has(target) for path in expr.atoms(heads.Recursion))


def _power(monomial: Expr, exponent: Expr) -> Expr:
    return sp.Mul(*(factor**exponent for factor in sp.Mul.make_args(monomial)))


def _expand_log(expr: sp.log, target: Expr) -> Terms:
    """log(c·m) = log c + log m where m > 0 on the support (then c > 0, as the log exists)."""
    terms = expand_in(expr.args[0], target)
    if len(terms) != 1:
        return {expr: S.One}
    ((monomial, coefficient),) = terms.items()
    parts: list[Terms] = []
    if coefficient != 1:
        if not all(_known_positive(factor) for factor in sp.Mul.make_args(monomial)):
            return {expr: S.One}
        parts.append({S.One: sp.log(coefficient)})
    for factor in sp.Mul.make_args(monomial):
        if isinstance(factor, sp.exp):  # SymPy keeps log(exp(a)) where it does not know a to be real
            parts.append(expand_in(factor.args[0], target))
            continue
        base, exponent = factor.as_base_exp()
        parts.append({sp.log(base): exponent} if base.is_positive else {sp.log(factor): S.One})
    return merge(parts)


def _known_positive(factor: Expr) -> bool:
    return bool(factor.is_positive)


def _expand_exp(expr: sp.exp, target: Expr) -> Terms:
    terms = expand_in(expr.args[0], target)
    free = terms.pop(S.One, S.Zero)
    rest = sp.Add(*(monomial * coefficient for monomial, coefficient in terms.items()))
    return {sp.exp(rest): sp.exp(free)}


def _expand_wrapped(expr: Expr, target: Expr) -> Terms:
    """A plate sum or gate: what its monomials share with no bound index comes out of the sum.

    A target that decides which terms there are (where z[i] = c) keeps the whole together.
    """
    if any(part.has(target) for part in expr.args[1:]):
        return {expr: S.One}
    bound: set[sp.Symbol] = getattr(expr, "bound_symbols", set())
    result: list[Terms] = []
    for monomial, coefficient in expand_in(expr.args[0], target).items():
        if monomial.free_symbols & bound:
            result.append({expr.func(monomial * coefficient, *expr.args[1:]): S.One})
        else:
            result.append({monomial: expr.func(coefficient, *expr.args[1:])})
    return merge(result)


# --- matrices ---------------------------------------------------------------------------------------------


def _expand_closed(product: Expr, target: Expr, close: type | object) -> Terms:
    """Expand Inner or Trace: multiply the matrix product out and close each term again."""
    result: list[Terms] = []
    for coefficient, monomial, factors in expand_matrix(product, target):
        closed = close(sp.Mul(*factors))  # type: ignore[operator]
        free, dependent = closed.as_independent(target, as_Add=False)
        part = {dependent: free}
        if dependent != 1 and not isinstance(dependent, heads.Inner | heads.Trace | heads.Component):
            part = scale(expand_in(dependent, target), free) if dependent.is_Mul else part
        result.append({monomial * m: coefficient * c for m, c in part.items()})
    return merge(result)


def expand_matrix(expr: Expr, target: Expr) -> list[Product]:
    """Return a matrix expression as a sum of coefficient × scalar monomial × product of matrix factors."""
    if not expr.has(target) or expr == target:
        return [(S.One, S.One, (expr,))]
    match expr:
        case sp.Add():
            return [product for term in expr.args for product in expand_matrix(term, target)]
        case sp.Mul():
            return _expand_matrix_product(expr, target)
        case heads.Transposed():
            turned = expand_matrix(expr.args[0], target)
            return [(c, m, tuple(transpose(f) for f in reversed(fs))) for c, m, fs in turned]
        case sp.Pow() if expr.exp == -1:
            return _expand_inverse(expr, target)
        case heads.Literal():
            return _expand_literal(expr, target)
        case heads.Exchangeable():
            rho, p = expr.args
            ones = heads.Ones(p)
            parts = (1 - rho) * heads.Eye(p), rho * ones * transpose(ones)
            return [product for part in parts for product in expand_matrix(part, target)]
    return [(S.One, S.One, (expr,))]


def _expand_matrix_product(expr: sp.Mul, target: Expr) -> list[Product]:
    scalars, factors = expr.args_cnc()
    products: list[Product] = [
        (coefficient, monomial, ()) for monomial, coefficient in expand_in(sp.Mul(*scalars), target).items()
    ]
    for factor in factors:
        parts = expand_matrix(factor, target)
        products = [(c * d, m * k, fs + gs) for c, m, fs in products for d, k, gs in parts]
    return products


def _expand_inverse(expr: sp.Pow, target: Expr) -> list[Product]:
    """(c·m·A·B)⁻¹ = B⁻¹A⁻¹/(c·m); small explicit and exchangeable matrices by their closed form."""
    base = expr.base
    if isinstance(base, heads.Literal):
        return _expand_literal(_invert_literal(base), target)
    if isinstance(base, heads.Exchangeable):
        return expand_matrix(exchangeable_inverse(base), target)
    if isinstance(base, heads.Diagonal):
        return [(S.One, S.One, (expr,))]
    parts = expand_matrix(base, target)
    if len(parts) != 1:
        return [(S.One, S.One, (expr,))]
    coefficient, monomial, factors = parts[0]
    if any(None in shape_of(factor) for factor in factors):
        return [(S.One, S.One, (expr,))]
    return [(1 / coefficient, 1 / monomial, (heads.invert(sp.Mul(*factors)),))]


def exchangeable_inverse(matrix: heads.Exchangeable) -> Expr:
    """Return (I − ρ/(1+(p−1)ρ) 11′)/(1−ρ), the inverse of the exchangeable correlation matrix."""
    rho, p = matrix.args
    ones = heads.Ones(p)
    shared = rho / ((1 - rho) * (1 + (p - 1) * rho))
    return 1 / (1 - rho) * heads.Eye(p) - shared * ones * transpose(ones)


def _invert_literal(matrix: heads.Literal) -> heads.Literal:
    explicit = matrix.matrix()
    determinant = sp.factor(explicit.det())
    return heads.literal(explicit.adjugate().applyfunc(lambda entry: sp.factor(entry) / determinant))


def _expand_literal(matrix: heads.Literal, target: Expr) -> list[Product]:
    explicit = matrix.matrix()
    products: list[Product] = []
    for a in range(explicit.rows):
        row = heads.Unit(a + 1, explicit.rows)
        for b in range(explicit.cols):
            column = transpose(heads.Unit(b + 1, explicit.cols))
            place = (row, column) if explicit.cols > 1 else (row,)
            terms = expand_in(explicit[a, b], target)
            products += [(coefficient, monomial, place) for monomial, coefficient in terms.items()]
    return products


def _expand_logdet(matrix: Expr, target: Expr) -> Terms:
    if isinstance(matrix, heads.Literal | heads.Exchangeable):
        return expand_in(logdet(matrix), target)
    parts = expand_matrix(matrix, target)
    if len(parts) != 1:
        return {heads.LogDet(matrix): S.One}
    coefficient, monomial, factors = parts[0]
    if any(None in shape_of(factor) for factor in factors) or not factors:
        return {heads.LogDet(matrix): S.One}
    side = shape_of(factors[0])[0]
    own = expand_in(sp.log(coefficient * monomial), target)
    whole = logdet(sp.Mul(*factors))
    alone = {heads.LogDet(matrix): S.One}
    rest = [
        alone if part == heads.LogDet(matrix) else expand_in(part, target) for part in sp.Add.make_args(whole)
    ]
    return merge([scale(own, side), *rest])


def _expand_component(expr: heads.Component, target: Expr) -> Terms:
    vector, position = expr.args
    result: list[Terms] = []
    for coefficient, monomial, factors in expand_matrix(vector, target):
        entry = heads.component(sp.Mul(*factors), position)
        free, dependent = entry.as_independent(target, as_Add=False)
        result.append({monomial * dependent: coefficient * free})
    return merge(result)


# --- sums over plates -------------------------------------------------------------------------------------


def sum_over(coefficient: Expr, bounds: Iterable[sp.Tuple], conditions: Iterable[sp.Basic] = ()) -> Expr:
    """Return Σ of a coefficient over plate indices, what is constant over them pulled out.

    An index that the summand, the conditions and the other bounds do not mention becomes a count.
    """
    bounds, conditions = tuple(bounds), tuple(conditions)
    if not bounds:
        return heads.Gated(coefficient, conditions) if conditions else coefficient
    if isinstance(coefficient, sp.Add) and not coefficient.is_commutative:
        return sp.Add(*(sum_over(term, bounds, conditions) for term in coefficient.args))
    symbols = {bound[0] for bound in bounds}
    left, body, right = _pull_out(coefficient, symbols)
    return left * _count_out(body, bounds, conditions) * right


def _pull_out(coefficient: Expr, symbols: set[sp.Symbol]) -> tuple[Expr, Expr, Expr]:
    scalars, factors = coefficient.args_cnc() if coefficient.is_Mul else ([coefficient], [])
    if not coefficient.is_Mul and not coefficient.is_commutative:
        scalars, factors = [], [coefficient]
    outside = [s for s in scalars if not s.free_symbols & symbols]
    inside = [s for s in scalars if s.free_symbols & symbols]
    first = next((k for k, f in enumerate(factors) if f.free_symbols & symbols), len(factors))
    last = next((k for k in range(len(factors), first, -1) if factors[k - 1].free_symbols & symbols), first)
    return (
        sp.Mul(*outside, *factors[:first]),
        sp.Mul(*inside, *factors[first:last]),
        sp.Mul(*factors[last:]),
    )


def _count_out(body: Expr, bounds: tuple[sp.Tuple, ...], conditions: tuple[sp.Basic, ...]) -> Expr:
    for place in reversed(range(len(bounds))):
        symbol, lower, upper = bounds[place]
        rest = bounds[:place] + bounds[place + 1 :]
        used = [body, *conditions, *(part for bound in rest for part in bound[1:])]
        if not any(symbol in part.free_symbols for part in used):
            return sum_over(body * _count(lower, upper), rest, conditions)
    return heads.PlateSum(body, bounds, conditions)


def _count(lower: Expr, upper: Expr) -> Expr:
    """Return the number of values in lower..upper; a range that runs backwards, as 3..T at T = 1, has none."""
    count = sp.expand(upper - lower + 1)
    sizes = count.atoms(heads.Ref)
    rising = all(count.coeff(size).is_positive for size in sizes)
    fewest = count.xreplace({size: size.variable.least for size in sizes})
    surely = count.is_nonnegative or rising and fewest.is_nonnegative
    return count if surely else sp.Max(S.Zero, count)
