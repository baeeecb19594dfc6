"""Linear terms → links: how the elements of one Gaussian node depend on those of another, of any other plate.

Given the linear term b_i of a full conditional N(A_i⁻¹b_i, A_i⁻¹), affine in the elements f_h of another node, a link
holds a part of ∂b_i/∂f_h, which is minus an entry of the joint precision matrix (Rue and Held 2005, Gaussian Markov
Random Fields, section 2.2): the sum of a slope over the rows k in the group i whose f is the h-th.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sympy as sp
from sympy import Expr, S, Tuple

from deriver.algebra import heads
from deriver.algebra.heads import Condition, PlateSum, Ref
from deriver.algebra.normal_form import sum_over
from deriver.derivation.affine import NotAffine, affine_slope


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A part of the derivative of a linear term in the elements of the node ``name``.

    In the element h it is the sum of ``slope`` over ``bounds`` where ``conditions`` hold and ``at`` is h; ``slope``
    is a number, a vector, a row or a matrix, as the two nodes are.
    """

    name: str
    at: tuple[Expr, ...]
    slope: Expr
    bounds: tuple[Tuple, ...] = ()
    conditions: tuple[Condition, ...] = ()

    def between(self, position: Iterable[Expr]) -> Expr:
        """Return the derivative in the element at a position; an index there that is summed over here is meant."""
        pairs = list(zip(self.at, position, strict=True))
        conditions = (*self.conditions, *(Condition("=", at, place) for at, place in pairs if at != place))
        fixed = {at for at, place in pairs if at == place}
        bounds = tuple(bound for bound in self.bounds if bound[0] not in fixed)
        return sum_over(self.slope, bounds, conditions)


def find_links(linear: Expr, name: str) -> tuple[Link, ...]:
    """Return the links of a linear term with a node; raise ``NotAffine`` where it is not affine in its elements."""
    links = []
    for body, bounds, conditions in _spread(linear, name):
        refs = {ref for ref in body.atoms(Ref) if ref.name == name}
        if len(refs) != 1:
            raise NotAffine(str(body))
        (ref,) = refs
        slope = affine_slope(body, ref)
        links.append(Link(name=name, at=ref.indices, slope=slope, bounds=bounds, conditions=conditions))
    return tuple(links)


def _spread(expr: Expr, name: str) -> list[tuple[Expr, tuple[Tuple, ...], tuple[Condition, ...]]]:
    """Return the terms that mention a node, each free of sums over plates around it, and what it is summed over."""
    if not _mentions(expr, name):
        return []
    match expr:
        case sp.Add():
            return [term for arg in expr.args for term in _spread(arg, name)]
        case PlateSum():
            inside = _spread(expr.body, name)
            bounds, conditions = tuple(expr.bounds), tuple(expr.conditions)
            return [(body, (*bounds, *more), (*conditions, *also)) for body, more, also in inside]
        case heads.Gated():
            return [(body, bounds, (*conditions, *expr.args[1]))
                    for body, bounds, conditions in _spread(expr.args[0], name)]  # fmt: skip
        case sp.Mul():
            return _spread_product(expr, name)
        case heads.Inner():
            return [(heads.inner(body), *where) for body, *where in _spread(expr.args[0], name)]
        case Ref():
            return [(expr, (), ())]
    raise NotAffine(str(expr))


def _spread_product(expr: sp.Mul, name: str) -> list:
    scalars, factors = expr.args_cnc()
    parts = [*scalars, *factors]
    held = [place for place, part in enumerate(parts) if _mentions(part, name)]
    if len(held) != 1:
        raise NotAffine(str(expr))
    (place,) = held
    before, part, after = parts[:place], parts[place], parts[place + 1 :]
    if isinstance(part, heads.Transposed):
        return [(expr, (), ())]
    return [(sp.Mul(*before, body, *after), *where) for body, *where in _spread(part, name)]


def _mentions(expr: Expr, name: str) -> bool:
    return any(ref.name == name for ref in expr.atoms(Ref))


def derivative(links: Iterable[Link], name: str, position: Iterable[Expr]) -> Expr:
    """Return the whole derivative of a linear term in one element of a node."""
    place = tuple(position)
    return sp.Add(S.Zero, *(link.between(place) for link in links if link.name == name))
