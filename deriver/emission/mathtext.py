"""Expressions as the model language writes them, for docstrings and comments."""

from __future__ import annotations

import textwrap

import sympy as sp
from sympy import Expr

from deriver.algebra import heads
from deriver.algebra.heads import Condition, PlateSum, Ref
from deriver.emission.printer import is_negative, split_quotient
from deriver.emission.text import ATOM, POWER, PRODUCT, Text, atom, join_product, join_sum

FUNCTIONS = {
    sp.exp: "exp",
    sp.log: "log",
    sp.Abs: "abs",
    sp.Max: "max",
    sp.Min: "min",
    heads.LogGamma: "lgamma",
    heads.Trace: "tr",
    heads.LogDet: "logdet",
    heads.Diagonal: "diag",
    heads.Eye: "eye",
    heads.Ones: "ones",
    heads.LogMultivariateGamma: "lmvgamma",
    heads.LogPolyaGamma: "log_polya_gamma",
    heads.NormalCdf: "normal_cdf",
    heads.XLogY: "xlogy",
    heads.Step: "is_positive",
    heads.Floor: "floor",
    heads.Exchangeable: "exchangeable",
    heads.Unit: "unit",
}


def show(expr: sp.Basic) -> str:
    """Return an expression as text."""
    return _show(expr).text.replace("′", "_").replace("″", "_")


def _show(expr: sp.Basic) -> Text:
    match expr:
        case Ref():
            inside = ",".join(show(index).replace(" ", "") for index in expr.indices)
            return atom(f"{expr.name}[{inside}]" if inside else expr.name)
        case sp.Symbol():
            return atom(expr.name)
        case sp.Rational() if not expr.is_Integer:
            return Text(text=f"{expr.p}/{expr.q}", level=PRODUCT)
        case sp.Number() | sp.NumberSymbol():
            return atom(str(expr))
        case sp.Add():
            return _show_sum(expr)
        case sp.Mul() | sp.Pow():
            return _show_product(expr)
        case PlateSum():
            return _show_plate_sum(expr)
        case heads.Gated():
            conditions = ", ".join(map(show, expr.args[1]))
            return atom(f"{_show(expr.args[0]).wrapped(PRODUCT)} [{conditions}]")
        case Condition():
            return atom(f"{show(expr.left)} {expr.relation} {show(expr.right)}")
        case heads.Transposed():
            return Text(text=_show(expr.args[0]).wrapped(ATOM) + "'", level=POWER)
        case heads.Inner():
            return _show(expr.args[0])
        case heads.Component() if isinstance(expr.args[0], heads.Recursion):
            return _show(expr.args[0].element(expr.args[1]))
        case heads.Component() | heads.Entry():
            inside = ",".join(show(arg) for arg in expr.args[1:])
            return atom(f"{_show(expr.args[0]).wrapped(ATOM)}[{inside}]".replace("][", ","))
        case heads.Literal():
            return atom(_show_literal(expr))
        case heads.Stack():
            return atom(f"({show(expr.args[0])})[{show(expr.args[1][0])}=:]")
        case heads.Grid():
            return atom(_show_grid(expr))
        case heads.Branch():
            sign, above, below = map(show, expr.args)
            return atom(f"({above} if {sign} > 0 else {below})")
        case heads.Map():
            return atom(f"{expr.function}({show(expr.args[1])})")
    name = FUNCTIONS.get(type(expr), type(expr).__name__.lower())
    return atom(f"{name}({', '.join(show(arg) for arg in expr.args)})")


def _show_literal(expr: heads.Literal) -> str:
    rows, columns = int(expr.args[0]), int(expr.args[1])
    entries = [show(entry) for entry in expr.args[2:]]
    return "[" + "; ".join(", ".join(entries[k * columns : (k + 1) * columns]) for k in range(rows)) + "]"


def _show_grid(expr: heads.Grid) -> str:
    body, running = expr.args[0], [bound[0] for bound in expr.args[1:]]
    if isinstance(body, Ref) and set(running) <= set(body.indices):
        return f"{body.name}[{','.join(':' if index in running else show(index) for index in body.indices)}]"
    return f"({show(body)})[{','.join(f'{show(index)}=:' for index in running)}]"


def _show_sum(expr: sp.Add) -> Text:
    terms = sorted(expr.args, key=lambda t: (is_negative(t), not t.atoms(PlateSum), sp.default_sort_key(t)))
    return join_sum([(is_negative(t), _show(-t if is_negative(t) else t)) for t in terms])


def _show_product(expr: Expr) -> Text:
    coefficient, rest = expr.as_coeff_Mul()
    sign, coefficient = coefficient < 0, abs(coefficient)
    scalars, factors = rest.args_cnc() if rest.is_Mul else ([rest], [])
    if not rest.is_Mul and not rest.is_commutative:
        scalars, factors = [], [rest]
    above, below = split_quotient(sp.Mul(*scalars))
    above.sort(key=sp.default_sort_key)
    below.sort(key=sp.default_sort_key)
    top = [_show_power(f) for f in (*above, *factors)]
    bottom = [_show_power(f) for f in below]
    if coefficient.is_Rational and coefficient.p == 1 and coefficient.q > 1 and top:
        bottom.insert(0, atom(str(coefficient.q)))
    elif coefficient != 1 or (not top and not bottom):
        top.insert(0, _show(coefficient))
    product = join_product(top, bottom)
    return join_sum([(True, product)]) if sign else product


def _show_power(factor: Expr) -> Text:
    if not isinstance(factor, sp.Pow):
        return _show(factor)
    if not factor.is_commutative and factor.exp == -1:
        return atom(f"inv({show(factor.base)})")
    if factor.exp == sp.Rational(1, 2):
        return atom(f"sqrt({show(factor.base)})")
    return Text(text=f"{_show(factor.base).wrapped(ATOM)}^{_show(factor.exp).wrapped(ATOM)}", level=POWER)


def _show_plate_sum(expr: PlateSum) -> Text:
    indices = ",".join(show(bound[0]) for bound in expr.bounds)
    where = " and ".join(map(show, expr.conditions))
    return atom(f"sum({indices}{' where ' + where if where else ''}: {show(expr.body)})")


def wrap_text(text: str, indent: str, first: str = "") -> list[str]:
    """Return a text in lines of at most 88 columns; later lines are set in a little further."""
    return textwrap.wrap(
        text,
        width=88,
        initial_indent=indent + first,
        subsequent_indent=indent + ("    " if indent.startswith(" " * 5) else ""),
        break_long_words=False,
        break_on_hyphens=False,
    )
