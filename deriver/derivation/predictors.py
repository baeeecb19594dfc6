"""Factors → nodes that enter densities through affine predictors, with the two derivatives that a Newton step needs.

Premises: the nodes s have priors that are normal, flat or uniform; every other density that mentions one of them is a
function of one predictor η, affine in all of them, as the rate exp(η) of a count; which elements meet in a predictor
is settled by the data.  Conclusion: with η = Cs + c over all such densities, the log joint density of s given the rest has
the gradient C′g and the Hessian −C′WC, g = ∂ log f/∂η and W = −∂² log f/∂η² for each density f (McCullagh and Nelder
1989, Generalized Linear Models, section 2.5; a normal prior is one more density, of η = s − mean).  Not found here:
predictors that sum over a plate, statements over a part of a plate, several predictors in one density.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import sympy as sp
from sympy import Expr, S

from deriver.algebra import heads
from deriver.algebra.heads import Ref, Variable, shape_of
from deriver.derivation.affine import NotAffine
from deriver.derivation.factors import Definitions
from deriver.derivation.gaussian import mentions
from deriver.derivation.links import Link, find_links
from deriver.derivation.records import Conditional, Derivation, Factor
from deriver.families import family as family_record

GAUSSIAN = ("normal", "mvnormal")
CONSTANT = ("flat", "flat_vector", "uniform")  # log densities that do not change with the value
PREDICTOR = "η"  # what stands for the predictor in the derivatives; no name of a model is


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """A density as a function of its predictor: the log density's ``slope`` in it, and ``weight``, minus the second derivative.

    Both have ``eta`` in the place of the ``predictor``, a number or a vector; ``links`` are the predictor's derivatives in
    the nodes.  ``concave`` tells whether the weight is proved not to be negative.
    """

    factor: Factor
    predictor: Expr
    eta: Ref
    slope: Expr
    weight: Expr
    links: tuple[Link, ...]
    concave: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictors:
    """Nodes that meet in affine predictors, ``members``, and every density that changes with them but by its support."""

    members: tuple[Conditional, ...]
    densities: tuple[Predicted, ...]


def find_predictors(derivation: Derivation, left_out: Collection[str] = ()) -> Predictors | None:
    """Return nodes that meet in predictors, not all of normal densities; None where there are none.

    Those that depend on each other, directly or through one another; of several such sets the one with most nodes.
    """
    definitions = Definitions(derivation.definitions)
    candidates = [
        c for c in derivation.conditionals if c.node not in left_out and _is_candidate(c, derivation)
    ]
    others = {f.value.name for f in derivation.factors if f.family not in GAUSSIAN}
    names = {c.node for c in candidates}
    if not any(names & set(f.parents) for f in derivation.factors if f.value.name in others):
        return None
    chosen: list[Conditional] = []
    found: dict[Factor, Predicted | None] = {}
    for candidate in candidates:
        try:
            found = _all_predicted(derivation, {c.node for c in (*chosen, candidate)}, definitions)
        except NotAffine:
            continue
        chosen.append(candidate)
    names = _largest_set(chosen, derivation)
    if not names:
        return None
    found = _all_predicted(derivation, names, definitions)
    densities = tuple(each for each in found.values() if each is not None)
    if all(each.factor.family in GAUSSIAN for each in densities):
        return None
    return Predictors(members=tuple(c for c in chosen if c.node in names), densities=densities)


def _is_candidate(conditional: Conditional, derivation: Derivation) -> bool:
    """Tell whether a node may be among those that are approximated: real, its own prior normal or constant."""
    node = derivation.model.node(conditional.node)
    if conditional.support[0] != "real" or len(conditional.shape) > 1 or conditional.truncation is not None:
        return False
    if node.partly and node.layer == "data":
        return False
    own = [f for f in derivation.factors if f.value.name == conditional.node and f.fixed is None]
    return all(f.family in (*GAUSSIAN, *CONSTANT) and not f.conditions for f in own)


def _largest_set(members: list[Conditional], derivation: Derivation) -> set[str]:
    """Return the largest set of members that share densities, the first of several."""
    sets: list[set[str]] = []
    names = {member.node for member in members}
    for factor in derivation.factors:
        meet = names & {factor.value.name, *factor.parents}
        if meet:
            near = [each for each in sets if each & meet]
            sets = [each for each in sets if each not in near] + [meet.union(*near)]
    return max(sets, key=len, default=set())


def _all_predicted(
    derivation: Derivation, names: set[str], definitions: Definitions
) -> dict[Factor, Predicted | None]:
    """Return each density that mentions one of the nodes as one of a predictor, None where it is constant in them.

    Raises ``NotAffine`` where there is no such predictor.
    """
    touched = [f for f in derivation.factors if names & {f.value.name, *f.parents} and f.fixed is None]
    drawn = {c.node for c in derivation.conditionals} | {d.element.name for d in derivation.definitions}
    return {factor: _predicted(factor, names, definitions, drawn) for factor in touched}


def _predicted(
    factor: Factor, names: set[str], definitions: Definitions, drawn: set[str]
) -> Predicted | None:
    if factor.truncation is not None or factor.conditions:
        raise NotAffine(str(factor.value))
    arguments = list(factor.arguments)
    for name in sorted(names):
        arguments = [definitions.expand(argument, name) for argument in arguments]
    held = [place for place, argument in enumerate(arguments) if mentions(argument, names)]
    if factor.family in GAUSSIAN and held in ([], [0]):
        return _of_normal(factor, arguments, names, drawn)
    if factor.family in CONSTANT and not held:
        return None
    if factor.value.name in names or len(held) != 1:
        raise NotAffine(str(factor.value))
    return _of_response(factor, arguments, held[0], names, drawn)


def _of_normal(factor: Factor, arguments: list[Expr], names: set[str], drawn: set[str]) -> Predicted:
    """log N(value; mean, V) has, in η = value − mean, the slope −V⁻¹η and the weight V⁻¹."""
    mean, variance = arguments
    predictor = sp.expand(factor.value - mean) if factor.family == "normal" else factor.value - mean
    eta = _eta(factor, shape_of(factor.value))
    weight = 1 / variance if factor.family == "normal" else heads.invert(variance)
    return Predicted(
        factor=factor,
        predictor=predictor,
        eta=eta,
        slope=-weight * eta,
        weight=weight,
        links=_links(predictor, names, drawn),
        concave=True,
    )


def _of_response(
    factor: Factor, arguments: list[Expr], place: int, names: set[str], drawn: set[str]
) -> Predicted:
    predictor = find_predictor(arguments[place], names)
    eta, inside = _eta(factor, ()), sp.Dummy("eta", real=True)
    arguments[place] = arguments[place].xreplace({predictor: inside})
    if mentions(arguments[place], names):
        raise NotAffine(str(predictor))
    log_density = family_record(factor.family).log_density(factor.value, *arguments)
    slope = _tidy(sp.diff(log_density, inside))
    weight = sp.factor_terms(sp.factor(_tidy(-sp.diff(slope, inside))))
    if any(
        part.has(sp.Derivative, sp.Subs, sp.sign, heads.LogIndicator) for part in (slope, weight)
    ):  # a corner
        raise NotAffine(str(predictor))
    return Predicted(
        factor=factor,
        predictor=predictor,
        eta=eta,
        slope=slope.xreplace({inside: eta}),
        weight=weight.xreplace({inside: eta}),
        links=_links(predictor, names, drawn),
        concave=bool(weight.is_nonnegative),
    )


def find_predictor(expr: Expr, names: set[str]) -> Expr:
    """Return the largest part of an expression in one number that holds all the nodes and is affine in them.

    Raises ``NotAffine`` where the nodes stand in several parts.
    """
    try:
        for name in names:
            find_links(expr, name)
    except NotAffine:
        held = [arg for arg in expr.args if mentions(arg, names)]
        if len(held) != 1 or not isinstance(expr, sp.Mul | sp.Add | sp.Pow | sp.exp | sp.log):
            raise
        return find_predictor(held[0], names)
    if shape_of(expr) != (None, None):
        raise NotAffine(str(expr))
    return expr


def _eta(factor: Factor, shape: tuple) -> Ref:
    """Return what stands for a predictor: an array over the indices of the density's value."""
    indices = tuple(bound[0] for bound in factor.bounds)
    return Ref(Variable(PREDICTOR, tuple(side for side in shape if side is not None)), *indices)


def _links(predictor: Expr, names: set[str], drawn: set[str]) -> tuple[Link, ...]:
    """Return the derivatives of a predictor in the nodes; raise ``NotAffine`` where the data do not settle which."""
    links = tuple(link for name in sorted(names) for link in find_links(predictor, name))
    for link in links:
        if link.bounds or link.conditions or mentions(link.slope, names):
            raise NotAffine(str(predictor))
        if any(mentions(index, drawn) for index in link.at):
            raise NotAffine(str(predictor))
    return links


def _tidy(expr: Expr) -> Expr:
    """Return a derivative in few terms, so that exp(η)/exp(η) is 1 and a weight shows its sign."""
    if expr == 0:
        return S.Zero
    terms = (sp.powsimp(term) for term in sp.Add.make_args(sp.expand(expr)))
    return sp.Add(*terms)
