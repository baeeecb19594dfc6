"""Gradient and Hessian of a log kernel in a vector target, and its slope in a number, on the engine's own heads.

A vector β enters through inner products and its components: ∇ x′β = x, ∇ β′Aβ = (A + A′)β, ∇ β_k = e_k, and
scalar functions by the chain rule.  A number may stand in the entries of vectors besides, whose components are picked or
summed.  What has no rule here returns None, and the node gets another method.
"""

from __future__ import annotations

import sympy as sp
from sympy import Expr, S

from deriver.algebra import heads
from deriver.algebra.heads import PlateSum, Ref, shape_of, transpose
from deriver.algebra.normal_form import expand_in
from deriver.families.collect import collect_vector_normal

# What a derivative may have that a kernel has not.
PLAIN: set[type] = {
    sp.Add,
    sp.Mul,
    sp.Pow,
    sp.exp,
    heads.Component,
    heads.Literal,
    heads.Step,
    heads.Unit,
    sp.Tuple,
    type(S.Exp1),
}


class NoRule(Exception):
    """An expression has no derivative rule here."""


def differentiate_twice(kernel: Expr, target: Ref) -> tuple[Expr, Expr] | None:
    """Return (gradient, Hessian) of a scalar expression in a vector target, or None."""
    if any(corner.has(target) for corner in kernel.atoms(sp.Abs)):
        return None  # it tells nothing of what lies behind the corner
    try:
        slope = gradient(kernel, target)
        return slope, jacobian(slope, target)
    except NoRule:
        return None


def slope_in(kernel: Expr, target: Ref) -> Expr | None:
    """Return the derivative of a scalar expression in a number, or its gradient in a vector; None without a rule.

    It has no functions but those of the kernel, and quotients, exponentials and components.
    """
    try:
        slope = gradient(kernel, target)
    except NoRule:
        return None
    known = {type(part) for part in sp.preorder_traversal(kernel)}
    found = {type(part) for part in sp.preorder_traversal(slope) if not isinstance(part, sp.Number)}
    return slope if found <= known | PLAIN and not slope.has(S.NaN, S.ComplexInfinity) else None


def gradient(expr: Expr, target: Ref) -> Expr:
    """Return the gradient of a scalar expression, a vector; its derivative where the target is a number."""
    if not expr.has(target):
        return S.Zero
    match expr:
        case Ref() if expr == target and not target.variable.shape:
            return S.One
        case heads.Step() | heads.Floor() | heads.LogIndicator():
            return S.Zero  # almost everywhere
        case sp.Abs():
            return (2 * heads.Step(expr.args[0]) - 1) * _as_column(gradient(expr.args[0], target))
        case heads.XLogY() if not expr.args[0].has(target):
            return expr.args[0] / expr.args[1] * gradient(expr.args[1], target)
        case heads.Inner() | heads.Component() if not target.variable.shape:
            return _close(expr, _slope_of_entries(expr.args[0], target))
        case sp.Add():
            return sp.Add(*(gradient(term, target) for term in expr.args))
        case sp.Mul():
            free, held = expr.as_independent(target, as_Add=False)
            parts = sp.Mul.make_args(held)
            products = (
                sp.Mul(*parts[:k], *parts[k + 1 :]) * gradient(p, target) for k, p in enumerate(parts)
            )
            return sp.Add(*(free * product for product in products))
        case PlateSum():
            return PlateSum(gradient(expr.body, target), expr.bounds, expr.conditions)
        case heads.Gated():
            return heads.Gated(gradient(expr.args[0], target), expr.args[1])
        case heads.Inner():
            return _closed_gradient(expr, target)
        case heads.Component() if expr.args[0] == target:
            return heads.Unit(expr.args[1], shape_of(target)[0])
    return _chain_rule(expr, target)


def _close(expr: Expr, slope: Expr) -> Expr:
    """Return the number that an expression would be, had it the slope for its vector."""
    return heads.inner(slope) if isinstance(expr, heads.Inner) else heads.component(slope, expr.args[1])


def _slope_of_entries(expr: Expr, target: Ref) -> Expr:
    """Return the derivative of a vector, or of a product that closes to a number, in a number: entry by entry."""
    match expr:
        case sp.Add():
            return sp.Add(*(_slope_of_entries(term, target) for term in expr.args if term.has(target)))
        case heads.Literal():
            rows, columns, *entries = expr.args
            return heads.Literal(int(rows), int(columns), *(gradient(entry, target) for entry in entries))
        case heads.Stack() if not expr.args[1].has(target):
            return heads.Stack(gradient(expr.args[0], target), expr.args[1])
        case heads.Map() if expr.function == "log":
            return _slope_of_logs(expr.args[1], target)
        case heads.Transposed():
            return transpose(_slope_of_entries(expr.args[0], target))
        case PlateSum():
            return PlateSum(_slope_of_entries(expr.body, target), expr.bounds, expr.conditions)
        case sp.Mul():
            parts = [*expr.args_cnc()[0], *expr.args_cnc()[1]]
            held = [place for place, part in enumerate(parts) if part.has(target)]
            if len(held) == 1:
                part = parts[held[0]]
                inside = gradient(part, target) if part.is_commutative else _slope_of_entries(part, target)
                return sp.Mul(*parts[: held[0]], inside, *parts[held[0] + 1 :])
    raise NoRule(str(expr))


def _slope_of_logs(vector: Expr, target: Ref) -> Expr:
    """Return the derivative of the logs of a vector, stated entry by entry: x′ / x of each."""
    stacks = sp.Add.make_args(vector)
    bounds = {stack.args[1] for stack in stacks if isinstance(stack, heads.Stack)}
    if len(bounds) != 1 or not all(isinstance(stack, heads.Stack) for stack in stacks):
        raise NoRule(str(vector))
    (bound,) = bounds
    entry = sp.Add(*(stack.args[0] for stack in stacks))
    return heads.Stack(gradient(entry, target) / entry, bound)


def _closed_gradient(expr: heads.Inner, target: Ref) -> Expr:
    scalars, factors = expr.args[0].args_cnc()
    result: list[Expr] = []
    for place, factor in enumerate(factors):
        rest = [*factors[:place], *factors[place + 1 :]]
        if factor == target and place == len(factors) - 1:
            result.append(transpose(sp.Mul(*rest)))
        elif factor == transpose(target) and place == 0:
            result.append(sp.Mul(*rest))
        elif factor.has(target):
            raise NoRule(str(factor))
    if sp.Mul(*scalars).has(target):
        raise NoRule(str(expr))
    return sp.Add(*(sp.Mul(*scalars) * part for part in result))


def _chain_rule(expr: Expr, target: Ref) -> Expr:
    if len(expr.args) not in (1, 2) or not expr.is_commutative or isinstance(expr, heads.ScalarHead):
        raise NoRule(str(expr))
    inside = expr.args[0]
    if any(arg.has(target) for arg in expr.args[1:]):
        raise NoRule(str(expr))
    place = sp.Dummy("u", real=True)
    outer = expr.func(place, *expr.args[1:]).diff(place).xreplace({place: inside})
    return outer * _as_column(gradient(inside, target))


def _as_column(slope: Expr) -> Expr:
    """Return a sum of multiples of unit vectors as one column: products with it are then made once, not entry by entry."""
    entries: dict[Expr, Expr] = {}
    for term in sp.Add.make_args(slope):
        scalars, factors = term.args_cnc()
        if len(factors) != 1 or not isinstance(factors[0], heads.Unit):
            return slope
        place, size = factors[0].args
        if not (place.is_Integer and size.is_Integer):
            return slope
        entries[place] = entries.get(place, S.Zero) + sp.Mul(*scalars)
    return heads.Literal(int(size), 1, *(entries.get(sp.Integer(k + 1), S.Zero) for k in range(int(size))))


def _in_one_exponent(expr: Expr, target: Ref) -> tuple[Expr, Expr] | None:
    """Return (derivative in η, η) of a number that is rational in exp(η) and holds the target in η alone; else None."""
    held = [part for part in expr.atoms(sp.exp) if part.has(target)]
    if len(held) != 1:
        return None
    power = sp.Dummy("power", positive=True)
    inside = expr.xreplace({held[0]: power})
    if inside.has(target) or not inside.is_rational_function(power):
        return None
    found, exponent = sp.factor(power * inside.diff(power)), held[0].args[0]
    rest = found * (1 + power) ** 2 / power
    if not rest.has(power):  # that of a logistic function: neither factor overflows
        return rest / ((1 + sp.exp(exponent)) * (1 + sp.exp(-exponent))), exponent
    return found.xreplace({power: held[0]}), exponent


def jacobian(slope: Expr, target: Ref) -> Expr:
    """Return the matrix of derivatives of a gradient."""
    if not slope.has(target):
        return S.Zero
    match slope:
        case sp.Add():
            return sp.Add(*(jacobian(term, target) for term in slope.args))
        case PlateSum():
            return PlateSum(jacobian(slope.body, target), slope.bounds, slope.conditions)
        case heads.Gated():
            return heads.Gated(jacobian(slope.args[0], target), slope.args[1])
        case Ref() if slope == target:
            return heads.Eye(shape_of(target)[0])
        case sp.Mul():
            return _product_jacobian(slope, target)
    raise NoRule(str(slope))


def _product_jacobian(slope: sp.Mul, target: Ref) -> Expr:
    scalars, factors = slope.args_cnc()
    scalar, vector = sp.Mul(*scalars), sp.Mul(*factors)
    result = S.Zero
    if scalar.has(target):
        result += vector * transpose(_slope_of_number(scalar, target))
    if vector.has(target):
        if factors[-1] != target or any(f.has(target) for f in factors[:-1]):
            if len(factors) == 1:
                return result + scalar * jacobian(vector, target)
            raise NoRule(str(vector))
        matrix = sp.Mul(*factors[:-1]) if len(factors) > 1 else heads.Eye(shape_of(target)[0])
        result += scalar * matrix
    return result


def _slope_of_number(scalar: Expr, target: Ref) -> Expr:
    """Return the gradient of a number; what depends on the target by one column of numbers is one multiple of it."""
    found = _in_one_exponent(scalar, target)
    if found is not None:
        column = _as_column(gradient(found[1], target))
        if isinstance(column, heads.Literal):
            return found[0] * column
    return gradient(scalar, target)


def is_log_concave(log_density: Expr, family: str, target: Ref) -> bool:
    """Tell whether one factor's log density is proved concave in the target.

    A normal factor is when it is of second degree in the target; any factor is when it is a sum of linear
    terms and of nonpositive multiples of exp(affine) and log(1 + exp(affine)).
    """
    terms = expand_in(log_density, target)
    for monomial, coefficient in terms.items():
        if monomial == 1:
            continue
        found = collect_vector_normal(monomial, target)
        if found is not None and (found[0] == "linear" or family in ("normal", "mvnormal")):
            continue
        if not _is_convex(monomial, target) or not _is_nonpositive(coefficient):
            return False
    return True


def _is_convex(monomial: Expr, target: Ref) -> bool:
    match monomial:
        case sp.exp():
            return _is_affine(monomial.args[0], target)
        case sp.log():
            one, rest = monomial.args[0].as_independent(target, as_Add=True)
            free, held = rest.as_independent(target, as_Add=False)
            positive = bool(one.is_positive and free.is_positive)
            return positive and isinstance(held, sp.exp) and _is_affine(held.args[0], target)
    return False


def _is_affine(expr: Expr, target: Ref) -> bool:
    return all(
        monomial == 1 or (collect_vector_normal(monomial, target) or ("",))[0] == "linear"
        for monomial in expand_in(expr, target)
    )


def _is_nonpositive(coefficient: Expr) -> bool:
    return bool((-coefficient).is_nonnegative)
