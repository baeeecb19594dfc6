"""Printing of expressions as NumPy text: a whitelist of heads, each vectorised over chains and plates.

Elementwise heads hand the frame (the axes wanted) down to their operands; sums over plates and products of
matrices are printed by ``contraction``.  An unknown head is an ``InternalError``.
"""

from __future__ import annotations

import sympy as sp
from sympy import Expr

from deriver.algebra import heads
from deriver.algebra.heads import Ref
from deriver.emission import contraction, labels
from deriver.emission.naming import name_hint
from deriver.emission.reading import Reading, align, base_text, dense_subscript, read_reference
from deriver.emission.source import Frame, Source, count_sides
from deriver.emission.text import POWER, SUM, Text, atom, call, join_product, join_sum, power
from deriver.errors import InternalError
from deriver.plan.layout import unsupported

UFUNCS = {
    sp.exp: "np.exp",
    sp.log: "np.log",
    sp.Abs: "np.abs",
    sp.Max: "np.maximum",
    sp.Min: "np.minimum",
    heads.LogGamma: "gammaln",
    sp.erf: "erf",
}
SPECIAL = {"gammaln", "erf", "expit", "multigammaln", "ndtr", "log_ndtr", "log_expit"}
# The families whose truncated members have a helper for the mass that is kept.
MASSES = (
    "normal", "gamma", "inverse_gamma", "sqrt_inverse_gamma", "beta", "exponential", "student_t", "cauchy",
    "half_cauchy", "half_normal", "laplace", "logistic", "lognormal", "weibull", "poisson", "binomial",
    "negative_binomial",
)  # fmt: skip
MAPS = {"log": "np.log", "exp": "np.exp", "sqrt": "np.sqrt", "abs": "np.abs", "lgamma": "gammaln"}


def print_expression(source: Source, expr: Expr, frame: Frame) -> Text:
    """Return the text of an expression, its axes aligned to ``frame`` by broadcasting."""
    known = source.recall(expr)
    if known is not None:
        return atom(align(source, read_reference(source, known), frame))
    match expr:
        case sp.Number() | sp.NumberSymbol():
            return print_number(expr)
        case Ref() if labels.has_label(source, expr):
            return labels.print_picked(source, expr, frame)
        case Ref() if source.quantity(expr.name).kind == "index":
            return _print_column(source, expr, frame)
        case Ref():
            return atom(align(source, read_reference(source, expr), frame))
        case sp.Symbol():
            return _print_index(source, expr, frame)
        case sp.Add():
            return _print_sum(source, expr, frame)
        case sp.Mul() | sp.Pow() if expr.is_commutative:
            return _print_product(source, expr, frame)
        case sp.Mul():
            return _print_matrix_product(source, expr, frame)
        case heads.Gated():
            return _print_matrix(source, expr, frame)
        case heads.PlateSum():
            return contraction.print_plate_sum(source, expr, frame)
        case heads.Component() | heads.Entry():
            return _print_component(source, expr, frame)
        case heads.Inner() | heads.Trace():
            return contraction.print_closed(source, expr, frame)
    if type(expr) in UFUNCS:
        return _print_function(source, expr, frame)
    return _print_matrix(source, expr, frame)


def print_number(expr: Expr) -> Text:
    """Return an exact number as Python text."""
    if expr.is_Integer:
        number = int(expr)
        return (
            atom(str(number))
            if abs(number) < 10**5
            else atom(repr(float(number)).replace("e+0", "e").replace("e+", "e"))
        )
    if expr == sp.pi:
        return atom("np.pi")
    if expr.is_Rational:
        value = float(expr)
        if sp.Rational(str(value)) == expr:
            return atom(repr(value))
        return Text(text=f"{expr.p} / {expr.q}", level=1)
    if expr is sp.S.Infinity or expr is sp.S.NegativeInfinity:
        return atom("np.inf" if expr is sp.S.Infinity else "-np.inf")
    return atom(repr(float(expr)))


def _print_index(source: Source, symbol: sp.Symbol, frame: Frame) -> Text:
    lower, upper = source.space.bounds[symbol]
    axes = source.space.axes([symbol])
    first, last = print_size(source, lower), print_size(source, upper + 1)
    reading = Reading(base=f"np.arange({first}, {last})", subscripts=((":", axes[0]),), chain=False, sides=0)
    return atom(align(source, reading, frame))


def _print_column(source: Source, column: Ref, frame: Frame) -> Text:
    """Print a group column as the values of its plate, which the array counts from 0."""
    positions = atom(align(source, read_reference(source, column), frame))
    first = source.declared[source.quantity(column.name).plate][0]
    return (
        positions if first == 0 else join_sum([(False, positions), (False, atom(print_size(source, first)))])
    )


def print_size(source: Source, expr: Expr, *, per_group: bool = False) -> str:
    """Return a size made of givens and numbers; ``per_group`` leaves J[i] as the whole array J."""
    if per_group:
        rules = {ref: sp.Symbol(base_text(source, source.quantity(ref.name))) for ref in expr.atoms(Ref)}
        order = [sp.Symbol(text) for text in sorted(s.name for s in rules.values())]
        terms = sp.expand(expr.xreplace(rules))
        return _plain_sum(terms, order)
    return print_expression(source, expr, Frame()).text


def _plain_sum(expr: Expr, order: list[sp.Symbol]) -> str:
    terms = sorted(sp.Add.make_args(expr), key=lambda t: (t.is_number, str(t)))
    printed = []
    for term in terms:
        negative = term.could_extract_minus_sign()
        printed.append((negative, atom(str(-term if negative else term))))
    return join_sum(printed).text


# --- sums and products ------------------------------------------------------------------------------------


def _print_sum(source: Source, expr: sp.Add, frame: Frame) -> Text:
    terms = sorted(expr.args, key=lambda term: _term_order(source, term))
    printed = []
    for term in terms:
        negative = is_negative(term)
        printed.append((negative, print_expression(source, -term if negative else term, frame)))
    return join_sum(printed)


def is_negative(term: Expr) -> bool:
    """Tell whether a term is written with a minus sign."""
    coefficient = term.as_coeff_Mul()[0]
    return bool(coefficient.is_number and coefficient < 0)


def _term_order(source: Source, term: Expr) -> tuple:
    data = any(not source.quantity(ref.name).chain for ref in term.atoms(Ref))
    sums = bool(term.atoms(heads.PlateSum)) or any(
        source.quantity(ref.name).kind == "statistic" for ref in term.atoms(Ref)
    )
    rest = isinstance(-term, Ref) and source.quantity((-term).name).kind == "rest"  # b - fit - rest, so
    return (rest, is_negative(term), not term.is_number, not sums, not data, sp.default_sort_key(term))


def _print_product(source: Source, expr: Expr, frame: Frame) -> Text:
    special = _print_special(source, expr, frame)
    if special is not None:
        return special
    coefficient, rest = expr.as_coeff_Mul()
    above, below = quotient_parts(source, rest)
    top = [print_factor(source, factor, frame) for factor in above]
    bottom = [print_factor(source, factor, frame) for factor in below]
    sign = coefficient < 0
    coefficient = abs(coefficient)
    if coefficient.is_Rational and coefficient.p == 1 and coefficient.q > 1 and top:
        bottom.insert(0, atom(str(coefficient.q)))
    elif coefficient != 1 or (not top and not bottom):
        top.insert(0, print_number(coefficient))
    product = join_product(top, bottom)
    return join_sum([(True, product)]) if sign else product


def quotient_parts(source: Source, rest: Expr) -> tuple[list[Expr], list[Expr]]:
    """Return the factors above and below the line, in the order in which they are written."""
    if source.recall(rest) is not None:
        return [rest], []
    above, below = split_quotient(rest)
    for group in (above, below):
        group.sort(key=lambda factor: _factor_order(source, factor))
        if len(group) > 1 and source.recall(sp.Mul(*group)) is not None:
            group[:] = [sp.Mul(*group)]
    return above, below


def split_quotient(expr: Expr) -> tuple[list[Expr], list[Expr]]:
    """Return the factors above and below the line."""
    above: list[Expr] = []
    below: list[Expr] = []
    for factor in sp.Mul.make_args(expr):
        base, exponent = factor.as_base_exp() if not isinstance(factor, sp.exp) else (factor, sp.S.One)
        if exponent.is_number and exponent < 0:
            below.append(base ** (-exponent))
        elif factor != 1:
            above.append(factor)
    return above, below


def _factor_order(source: Source, factor: Expr) -> tuple:
    size = len(source.frame_of(factor).axes) if factor.atoms(Ref) else 0
    return (isinstance(factor, sp.Add), size, sp.default_sort_key(factor))


def print_factor(source: Source, factor: Expr, frame: Frame) -> Text:
    """Return a factor of a product: a power, or any expression."""
    if isinstance(factor, sp.Pow) and factor.is_commutative and source.recall(factor) is None:
        base, exponent = factor.base, factor.exp
        if exponent == sp.Rational(1, 2):
            return call("np.sqrt", print_expression(source, base, frame).text)
        if exponent == sp.Rational(-1, 2):
            return join_product([], [print_factor(source, base ** sp.Rational(1, 2), frame)])
        inside = print_expression(source, base, frame)
        shown = print_expression(source, exponent, frame)
        if inside.text == "0" or shown.level < POWER:
            return power(inside, f"({shown.text})")
        return power(inside, shown.text)
    return print_expression(source, factor, frame)


def _print_special(source: Source, expr: Expr, frame: Frame) -> Text | None:
    """1/(1 + exp(-x)) is expit(x)."""
    if isinstance(expr, sp.Pow) and expr.exp == -1 and isinstance(expr.base, sp.Add):
        one, rest = expr.base.as_coeff_Add()
        if one == 1 and isinstance(rest, sp.exp):
            source.needs.special.add("expit")
            return call("expit", print_expression(source, -rest.args[0], frame).text)
    if isinstance(expr, sp.Pow):
        return print_factor(source, expr, frame) if not _is_reciprocal(expr) else None
    return None


def _is_reciprocal(expr: sp.Pow) -> bool:
    return bool(expr.exp.is_number and expr.exp < 0)


def _print_function(source: Source, expr: Expr, frame: Frame) -> Text:
    if isinstance(expr, sp.log):
        one, rest = expr.args[0].as_coeff_Add()
        if one == 1 and isinstance(rest, sp.exp):
            return call("np.logaddexp", "0", print_expression(source, rest.args[0], frame).text)
        if one == 1 and isinstance(-rest, sp.exp):  # log(1 - e^a), which would lose its digits near 0
            return call("np.log", f"-np.expm1({print_expression(source, (-rest).args[0], frame).text})")
        if isinstance(expr.args[0], heads.NormalCdf):
            source.needs.special.add("log_ndtr")
            return call("log_ndtr", print_expression(source, expr.args[0].args[0], frame).text)
    name = UFUNCS[type(expr)]
    if name in SPECIAL:
        source.needs.special.add(name)
    arguments = sorted(expr.args, key=sp.default_sort_key)
    texts = [print_expression(source, argument, frame).text for argument in arguments]
    result = texts[0]
    if len(texts) == 1:
        return call(name, result)
    for text in texts[1:]:
        result = f"{name}({result}, {text})"
    return atom(result)


# --- vectors and matrices ---------------------------------------------------------------------------------


def _print_matrix_product(source: Source, expr: sp.Mul, frame: Frame) -> Text:
    """A number times a vector or matrix, elementwise; a product of matrices by contraction."""
    scalars, factors = expr.args_cnc()
    matrix = sp.Mul(*factors)
    if expr != matrix and scalars and source.recall(expr.as_coeff_Mul()[1]) is not None:
        scalars, matrix, factors = [expr.as_coeff_Mul()[0]], expr.as_coeff_Mul()[1], [sp.S.One]
    if len(factors) == 1 or source.recall(matrix) is not None:
        shown = print_expression(source, matrix, frame)
    else:
        shown = contraction.print_chain(source, matrix, frame)
    if not scalars:
        return shown
    coefficient, rest = sp.Mul(*scalars).as_coeff_Mul()
    above, below = quotient_parts(source, rest)
    top = [print_factor(source, factor, frame) for factor in above] + [shown]
    bottom = [print_factor(source, factor, frame) for factor in below]
    if coefficient < 0:
        return join_sum([(True, print_expression(source, -expr, frame))])
    if coefficient.is_Rational and coefficient.p == 1 and coefficient.q > 1:
        bottom.insert(0, atom(str(coefficient.q)))
    elif coefficient != 1:
        top.insert(0, print_number(coefficient))
    return join_product(top, bottom)


def _print_component(source: Source, expr: Expr, frame: Frame) -> Text:
    vector, *positions = expr.args
    if len(positions) == 1 and labels.is_label(source, positions[0]):
        source.needs.helpers.add("pick")
        within = Frame(axes=frame.axes, chain=frame.chain, sides=1)
        label = print_expression(source, positions[0], Frame(axes=frame.axes, chain=frame.chain))
        return call("pick", print_expression(source, vector, within).text, label.text)
    known = source.recall(vector)
    if known is None and (not isinstance(vector, Ref) or labels.has_label(source, vector)):
        known = lift(source, vector)
    reading = read_reference(source, known if known is not None else vector, tuple(positions))
    return atom(align(source, reading, frame))


def _print_matrix(source: Source, expr: Expr, frame: Frame) -> Text:
    match expr:
        case heads.LogDet():
            return _aligned_call(source, "np.linalg.slogdet", expr.args[0], frame, "[1]")
        case heads.LogMultivariateGamma():
            source.needs.special.add("multigammaln")
            inside = print_expression(source, expr.args[0], frame).text
            return call("multigammaln", inside, print_size(source, expr.args[1]))
        case heads.LogMass():
            return _print_mass(source, expr, frame)
        case heads.NormalCdf():
            source.needs.special.add("ndtr")
            return call("ndtr", print_expression(source, expr.args[0], frame).text)
        case heads.XLogY():
            source.needs.special.add("xlogy")
            return call("xlogy", *(print_expression(source, arg, frame).text for arg in expr.args))
        case heads.Step() | heads.Branch():
            sign, above, below = (*expr.args, sp.S.One, sp.S.Zero)[:3]
            test = f"{print_expression(source, sign, frame).wrapped(SUM)} > 0"
            return call(
                "np.where", test, *(print_expression(source, end, frame).text for end in (above, below))
            )
        case heads.Floor():
            return call("np.floor", print_expression(source, expr.args[0], frame).text)
        case heads.LogPolyaGamma():
            source.needs.helpers.add("log_untilted_polya_gamma")
            arguments = [print_expression(source, arg, frame).text for arg in expr.args]
            return call("log_untilted_polya_gamma", *arguments)
        case heads.LogIndicator():
            return _print_indicator(source, expr, frame)
        case heads.Transposed():
            return _print_transposed(source, expr.args[0], frame)
        case heads.Eye():
            return atom(f"np.eye({print_size(source, expr.args[0])})")
        case heads.Ones():
            return atom(f"np.ones({print_size(source, expr.args[0])})")
        case heads.Unit():
            return _print_unit(source, expr, frame)
        case heads.Map():
            function = MAPS[expr.function]
            source.needs.special |= {function} & SPECIAL
            return call(function, print_expression(source, expr.args[1], frame).text)
        case heads.Diagonal():
            return _print_diagonal(source, expr.args[0], frame)
        case (
            sp.Pow() | heads.Literal() | heads.Exchangeable() | heads.Stack() | heads.Grid() | heads.Gated()
            | heads.Recursion()
        ):  # fmt: skip
            return atom(align(source, read_reference(source, lift(source, expr)), frame))
    raise InternalError(f"no array form for {type(expr).__name__}")


def _print_mass(source: Source, expr: heads.LogMass, frame: Frame) -> Text:
    """The log of the probability that a truncation keeps."""
    if expr.family not in MASSES:
        raise unsupported(f"a truncated {expr.family}", "use a family that can be truncated")
    source.needs.helpers.add(f"log_mass_{expr.family}")
    arguments = [print_expression(source, arg, frame).text for arg in expr.args[1:]]
    return call(f"log_mass_{expr.family}", *arguments)


def _print_indicator(source: Source, expr: heads.LogIndicator, frame: Frame) -> Text:
    """Zero inside the bounds, minus infinity outside."""
    lower, value, upper = (print_expression(source, arg, frame) for arg in expr.args)
    tests = [f"({lower.wrapped(SUM)} < {value.wrapped(SUM)})"] if expr.args[0].is_finite is not False else []
    tests += [f"({value.wrapped(SUM)} < {upper.wrapped(SUM)})"] if expr.args[2].is_finite is not False else []
    test = " & ".join(tests) if len(tests) != 1 else tests[0].removeprefix("(").removesuffix(")")
    return call("np.where", test, "0.0", "-np.inf")


def _print_unit(source: Source, expr: heads.Unit, frame: Frame) -> Text:
    """A row of the identity matrix; one row for each value where the position is an index."""
    position, side = expr.args
    if labels.is_label(source, position):
        source.needs.helpers.add("indicators")
        label = print_expression(source, position, Frame(axes=frame.axes, chain=frame.chain))
        return call("indicators", label.text, print_size(source, side))
    slot = dense_subscript(source, position, (sp.S.One, side))
    base = f"np.eye({print_size(source, side)})"
    return atom(align(source, Reading(base=base, subscripts=(slot,), chain=False, sides=1), frame))


def _print_transposed(source: Source, inside: Expr, frame: Frame) -> Text:
    if count_sides(inside) == 1:
        return print_expression(source, inside, frame)
    return call("np.swapaxes", print_expression(source, inside, frame).text, "-1", "-2")


def _print_diagonal(source: Source, vector: Expr, frame: Frame) -> Text:
    side = print_size(source, heads.shape_of(vector)[0])
    inner = Frame(axes=frame.axes, chain=frame.chain, sides=1)
    shown = print_expression(source, vector, inner).wrapped(4)
    return Text(
        text=f"{shown}[..., None] * np.eye({side})",
        level=1,
        parts=(("", f"{shown}[..., None]"), ("*", f"np.eye({side})")),
    )


def _aligned_call(source: Source, function: str, inside: Expr, frame: Frame, tail: str) -> Text:
    own = source.frame_of(inside)
    text = f"{function}({print_expression(source, inside, own).text}){tail}"
    scalar = Frame(axes=own.axes, chain=own.chain)
    return atom(realign(source, text, scalar, frame))


def realign(source: Source, text: str, own: Frame, frame: Frame) -> str:
    """Return an already printed array of frame ``own`` aligned to a wider frame."""
    if own == frame or (not own.axes and not own.chain):
        return text
    reading = Reading(
        base=text, subscripts=tuple((":", axis) for axis in own.axes), chain=own.chain, sides=own.sides
    )
    return align(source, reading, frame)


def lift(source: Source, expr: Expr, hint: str | None = None) -> Ref:
    """Name an expression: add the statements that compute it and return the local array."""
    from deriver.emission.statements import assign_local

    known = source.recall(expr)
    hint = hint or contraction.distance_hint(source, expr) or name_hint(expr)
    return known if known is not None else assign_local(source, expr, hint)
