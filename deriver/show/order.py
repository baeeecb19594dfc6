"""Show stage, order: which term, factor or bound a person writes first.

Everything here is decided by the model's declarations and the conditional's blanket, never by SymPy's own
order or by a hash, so that the same model always reads the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sympy as sp
from sympy import Basic, Expr, Tuple

from deriver.algebra import heads
from deriver.derivation.records import Contribution
from deriver.model.records import Given, Model

_LAYERS = {"data": 0, "process": 1, "parameters": 2}


def split_sign(expr: Expr) -> tuple[bool, Expr]:
    """Return whether an expression is written with a minus sign, and what follows the sign."""
    expr = sp.Mul(*expr.args) if expr.is_Mul else expr
    if isinstance(expr, heads.Gated | heads.PlateSum):
        negative, body = split_sign(expr.args[0])
        return (negative, expr.func(body, *expr.args[1:]))
    coefficient = expr.as_coeff_Mul()[0] if expr.is_Mul or expr.is_Number else sp.S.One
    if coefficient.is_negative:
        return (True, -expr)
    if expr.is_Mul:
        bracket = next(
            (factor for factor in expr.args if factor.is_commutative and _takes_sign(factor)), None
        )
        if bracket is not None:
            return (True, sp.Mul(*(_flip(factor) if factor is bracket else factor for factor in expr.args)))
    return (False, expr)


def _takes_sign(factor: Expr) -> bool:
    """Tell whether a factor of a product has a minus sign that can stand before the product."""
    return (
        is_all_negative(factor) or isinstance(factor, heads.Gated | heads.PlateSum) and split_sign(factor)[0]
    )


def _flip(factor: Expr) -> Expr:
    terms = [split_sign(term)[1] for term in sp.Add.make_args(factor)]
    return sp.Add(*terms)


def is_all_negative(expr: Expr) -> bool:
    """Tell whether an expression is a sum whose every term has a minus sign."""
    return expr.is_Add and all(split_sign(term)[0] for term in expr.args)


def sort_contributions(contributions: Iterable[Contribution], target: heads.Ref) -> tuple[Contribution, ...]:
    """Return the blanket in reading order: data, process, parameters; the target's own prior last."""

    def place(contribution: Contribution) -> tuple[bool, int]:
        return (contribution.value == target, _LAYERS.get(contribution.factor.layer, 3))

    return tuple(sorted(contributions, key=place))


class Order:
    """The order of terms and factors for one conditional of a model (or, with no blanket, for a definition)."""

    def __init__(
        self, model: Model, target: heads.Ref | None = None, contributions: Iterable[Contribution] = ()
    ) -> None:
        declared: list[Any] = [*model.givens, *model.nodes]
        self._declared = {one.name: one for one in declared}
        self._place = {one.name: place for place, one in enumerate(declared)}
        self._plates = {plate.index: place for place, plate in enumerate(model.plates)}
        self._target = target
        self.own_indices = set(target.free_symbols) if target is not None else set()
        self._blanket = [_names_of_contribution(contribution) for contribution in contributions]

    # terms

    def sort_terms(self, terms: list[Expr]) -> list[Expr]:
        """Return the terms of a sum in reading order."""
        leading = self._number_leads(terms)
        ordered = sorted(terms, key=lambda term: self._term_key(term, leading))
        first = next((place for place, term in enumerate(ordered) if not split_sign(term)[0]), 0)
        return [ordered[first], *ordered[:first], *ordered[first + 1 :]]

    def first_term(self, expr: sp.Add) -> Expr:
        """Return the term of a bracket that comes first whatever its sign."""
        leading = self._number_leads(list(expr.args))
        return min(expr.args, key=lambda term: self._term_key(term, leading, signed=False))

    def _number_leads(self, terms: list[Expr]) -> bool:
        """A number stands first in 1 − ρ and 1 + a·ρ, with a node ρ; last in n + 1 and p − 1."""
        rest = sp.Add(*(term for term in terms if not term.is_Number))
        return any(not isinstance(self._declared.get(name), Given) for name in names_in(rest))

    def _term_key(self, term: Expr, leading: bool, signed: bool = True) -> tuple:
        if term.is_Number:
            return (-1 if leading else 1000, 0, 0, 0, 0, 0, "")
        negative, body = split_sign(term)
        negative = negative and signed
        simple = isinstance(body, heads.Ref | sp.Symbol | heads.Transposed)
        layer = min((self._layer(name) for name in names_in(body)), default=9)
        place = self._first_place(body)
        return (
            self._rank_in_blanket(body),
            not body.has(sp.log),
            negative,
            not simple,
            layer,
            place,
            _text(body),
        )

    def _rank_in_blanket(self, expr: Expr) -> int:
        names = names_in(expr)
        known = frozenset(name for name in names if name in self._declared)
        names = frozenset(name for name in known if self._ref_rank(name) != 1) or known
        return next((k for k, held in enumerate(self._blanket) if names <= held), len(self._blanket))

    def _layer(self, name: str) -> int:
        declared = self._declared.get(name)
        if declared is None:
            return 9
        return 5 if isinstance(declared, Given) else _LAYERS[declared.layer]

    def _first_place(self, expr: Expr) -> int:
        return min((self._place.get(name, 999) for name in names_in(expr)), default=999)

    # factors

    def factors(self, expr: sp.Mul) -> tuple[list[Expr], list[Expr]]:
        """Return the factors above and below the fraction line, each in reading order."""
        scalars, chain = expr.args_cnc()
        above: list[Expr] = []
        below: list[Expr] = []
        for factor in scalars:
            _place_factor(factor, above, below)
        above.sort(key=self._factor_key)
        after = [factor for factor in above if self._follows(factor, chain)]
        before = [factor for factor in above if factor not in after]
        return before + list(chain) + after, sorted(below, key=self._factor_key)

    def _follows(self, factor: Expr, chain: list[Expr]) -> bool:
        """A datum or a residual stands after the covariate vector that it multiplies: x_ij y_ij."""
        if len(chain) != 1 or not isinstance(chain[0], heads.Ref):
            return False
        covariate = self._ref_rank(chain[0].name) == 4 and len(chain[0].variable.shape) == 1
        return covariate and 5 <= self._factor_rank(factor) < 6

    def _factor_key(self, factor: Expr) -> tuple:
        base = factor.base if factor.is_Pow else factor
        indices = base.indices if isinstance(base, heads.Ref) else ()
        shifted = sum(not index.is_Symbol for index in indices)
        return (self._factor_rank(base), len(indices), self._first_place(base), shifted, _text(factor))

    def _factor_rank(self, base: Expr) -> float:
        match base:
            case sp.Number():
                return 0
            case sp.Symbol():
                return 1
            case heads.Ref():
                return self._ref_rank(base.name)
            case heads.Component() | heads.Entry():
                return 5.5
            case sp.exp():
                return 8
            case heads.Inner() | heads.Trace():
                return 7
            case sp.Add():
                return 5.9
            case heads.Gated():
                return 9
            case heads.PlateSum():
                return 10
        return 6

    def _ref_rank(self, name: str) -> float:
        declared = self._declared.get(name)
        if isinstance(declared, Given):
            if declared.origin != "given":
                return 1
            return 4 if declared.indices else 2
        return 5 if declared is not None and declared.layer == "data" else 3

    # products of matrices, bounds, arguments

    def orient(self, product: Expr) -> Expr:
        """Return a product that closes to a number the way round a person writes it: x′β, β′Σ⁻¹μ."""
        turned = heads.transpose(product)
        if turned == product:
            return product
        return min((product, turned), key=self._orientation_key)

    def _orientation_key(self, product: Expr) -> tuple:
        factors = product.args_cnc()[1]
        return (self._end_rank(factors[0]), _text(product))

    def _end_rank(self, factor: Expr) -> tuple[int, int]:
        names = names_in(factor)
        covariate = any(self._ref_rank(name) == 4 for name in names)
        own = self._target is not None and self._target.name in names
        layer = min((self._layer(name) for name in names), default=9)
        return (0 if covariate else 1 if own else 2, layer)

    def bounds(self, bounds: Iterable[Tuple]) -> list[Tuple]:
        """Return the bounds of a sum, outer plates first."""
        return sorted(bounds, key=lambda bound: (self._plates.get(bound[0].name, 99), bound[0].name))

    def references(self, refs: Iterable[heads.Ref]) -> list[heads.Ref]:
        """Return elements in the order in which their names are declared, each once."""
        return sorted(dict.fromkeys(refs), key=lambda ref: (self._place.get(ref.name, 999), _text(ref)))

    def arguments(self, expr: Expr) -> list[Expr]:
        """Return a function's arguments; those of a commutative one (max, min) in reading order."""
        if isinstance(expr, sp.Max | sp.Min):
            return sorted(expr.args, key=lambda term: self._term_key(term, leading=False))
        return list(expr.args)


def names_in(expr: Basic) -> frozenset[str]:
    """Return the declared names that an expression holds."""
    return frozenset(variable.name for variable in expr.atoms(heads.Variable))


def _names_of_contribution(contribution: Contribution) -> frozenset[str]:
    pieces = [contribution.log_density, *contribution.bounds, *contribution.conditions, *contribution.gates]
    return frozenset().union(*map(names_in, pieces))


def _place_factor(factor: Expr, above: list[Expr], below: list[Expr]) -> None:
    if factor.is_Rational:
        if factor.p != 1:
            above.append(sp.Integer(factor.p))
        if factor.q != 1:
            below.append(sp.Integer(factor.q))
        return
    if factor.is_Pow:
        negative, exponent = split_sign(factor.exp)
        if negative:
            below.append(sp.Pow(factor.base, exponent))
            return
    above.append(factor)


def _text(expr: Basic) -> str:
    return sp.srepr(expr)
