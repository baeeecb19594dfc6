"""Readable names for the parts of an expression that get a line of their own."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Collection, Iterator
from functools import cache

import sympy as sp
from sympy import Expr

from deriver.algebra import heads
from deriver.algebra.heads import Ref
from deriver.emission.environment import template_folders

# Locals that stand in the text of the emitted functions as they are.
_LOCALS = """
    accepted anchor away before begin chains collapse columns count covariance data dets drawn far first
    found gain gradient gradients half inner kept known lane largest last later linear links log_density
    log_det log_jacobian log_kernel log_link log_own log_ratio log_scale log_target logs lower math more
    moved moves nodes noise now np number numbers order own parts pivot pivots place precision
    precisions proposal rate rates ratio right rng room root row rows scale share shares shift size
    slope slopes spread state step steps sums taken taken_off terms then total tried u upper value
    values variance volume wide
"""
LOCALS = frozenset(_LOCALS.split())
_MADE = re.compile(r"^(?:def|class) (\w+)", re.MULTILINE)


# What the emitted modules may call of SciPy's special functions.
SPECIAL = (
    *("betainc", "betaincinv", "betaln", "erf", "expit"),
    *("gammainc", "gammaincc", "gammainccinv", "gammaincinv", "gammaln"),
    *("log_expit", "log_ndtr", "multigammaln", "ndtr", "ndtri_exp", "stdtr", "xlog1py", "xlogy"),
)


@cache
def _function_names() -> frozenset[str]:
    """Return the names of functions and classes that an emitted module calls: those of its templates, and SciPy's."""
    files = [path for folder in template_folders() for path in folder.rglob("*.jinja")]
    made = {name for path in files for name in _MADE.findall(path.read_text(encoding="utf-8"))}
    return frozenset({*made, *SPECIAL, *dir(builtins), *keyword.kwlist, "replace", "Data"})


def local_name(name: str) -> str:
    """Return the name of the local that holds a node or an array: its own, unless the functions have that for themselves."""
    return f"{name}_" if name in LOCALS or name in _function_names() else name


def input_name(name: str) -> str:
    """Return the name that a quantity has in ``prepare``, which reads it out of ``data``."""
    return f"{name}_" if name in ("np", "data") or name in _function_names() else name


def distinct(name: str, taken: Collection[str]) -> str:
    """Return the name, with as many underscores behind it as make it none of those taken."""
    while name in taken:
        name += "_"
    return name


def name_hint(expr: Expr) -> str:
    """Return a name that says what a part is: ``inv_Sigma``, ``sum_beta``, ``x_beta``."""
    match expr:
        case sp.Pow() if expr.exp == -1 and not expr.is_commutative:
            return f"inv_{name_hint(expr.base)}"
        case sp.Pow() if expr.exp == sp.S.Half and isinstance(expr.base, Ref):
            return f"root_{plain(expr.base.name)}"
        case heads.PlateSum():
            return f"sum_{name_hint(expr.body)}"
        case heads.Literal() | heads.Exchangeable():
            return "R" if expr.is_commutative is False and heads.shape_of(expr)[1] is not None else "vector"
        case heads.Trace():
            return "quadratic"
        case heads.Inner() if len(expr.args[0].args_cnc()[1]) > 2:
            return "quadratic"
        case heads.LogDet():
            return f"logdet_{name_hint(expr.args[0])}"
        case sp.Add():
            return "deviation" if any(_has_minus(term) for term in expr.args) else "total"
        case Ref():
            return local_name(plain(expr.name))
    names = list(dict.fromkeys(plain(ref.name) for ref in references_in_order(expr)))
    names = [name for name in names if name.isidentifier()]
    return local_name("_".join(names[:3])) if names else "part"


def references_in_order(expr: sp.Basic) -> Iterator[Ref]:
    """Yield the references of an expression in reading order, those inside subscripts left out."""
    if isinstance(expr, Ref):
        yield expr
        return
    if isinstance(expr, heads.Component) and isinstance(expr.args[0], heads.Recursion):
        yield expr.args[0].element(expr.args[1])
        return
    arguments = expr.args[:1] if isinstance(expr, heads.PlateSum | heads.Gated) else expr.args
    for argument in arguments:
        yield from references_in_order(argument)


def plain(name: str) -> str:
    """Return a quantity's name without the mark of a local."""
    return name.removesuffix(" (local)")


def _has_minus(term: Expr) -> bool:
    coefficient = term.as_coeff_Mul()[0]
    return bool(coefficient.is_number and coefficient < 0)
