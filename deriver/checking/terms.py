"""The terms that the right answer is made of, as trees: what a claim may lack.

Each addend of a derived parameter, as it stands and multiplied out, and what each factor adds to an exponent, with
the name that its lack has: ``forgotten prior`` or ``missing child``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sympy as sp
from sympy import Expr

from deriver.algebra.evaluate import holds
from deriver.algebra.heads import Gated, LogDet, Ref
from deriver.algebra.normal_form import expand_in, sum_over
from deriver.checking.oracle import STATES, Group, Oracle
from deriver.checking.sums import normalise
from deriver.derivation.factors import Definitions
from deriver.derivation.records import Contribution
from deriver.errors import DeriverError, InternalError
from deriver.language import parse_expression
from deriver.model.expressions import Binary, Expression, Negate, references
from deriver.show.arrange import Arranger
from deriver.show.order import Order, sort_contributions
from deriver.show.surface import to_language

# What SymPy and the heads raise for an expression that they have no form or no text for.
NO_FORM = (ValueError, TypeError, AttributeError, KeyError, ArithmeticError, InternalError, DeriverError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """An addend of a derived parameter, or of the exponent."""

    name: str
    parameter: str
    tree: Expression
    aliases: tuple[str, ...] = ()


def right_parameters(oracle: Oracle) -> dict[str, Expr]:
    """Return the derived parameters at the elements that the claim speaks of: what is gated off there left out.

    Where the claim is about one element (z[0], z[T]), the index is that element's.
    """
    key = ("right", oracle)
    cache = oracle.bench.cache
    if key not in cache:
        cache[key] = {
            name: at_element(oracle, resolve_gates(oracle, expr))
            for name, expr in oracle.subject.conditional.parameters
        }
    return cache[key]


def resolve_gates(oracle: Oracle, expr: Expr) -> Expr:
    """Return an expression without the pieces that are gated off at every element that the claim speaks of."""
    return expr.xreplace({gated: _resolve_gate(oracle, gated) for gated in expr.atoms(Gated)})


def _resolve_gate(oracle: Oracle, gated: Gated) -> Expr:
    body, conditions = gated.args
    open_at = {gates_hold(oracle, tuple(conditions), group) for group in oracle.groups(STATES)}
    if len(open_at) > 1:
        return gated
    return body if open_at == {True} else sp.S.Zero


def gates_hold(oracle: Oracle, gates: tuple, group: Group) -> bool:
    """Tell whether conditions on the target's own indices hold at a group's element."""
    own = dict(zip(oracle.subject.conditional.indices, group.index, strict=True))
    return holds(sp.Tuple(*gates), group.points[0].raw, own)


def at_element(oracle: Oracle, expr: Expr) -> Expr:
    """Return an expression in the target's indices at the element that the claim is about."""
    indices, element = oracle.subject.conditional.indices, oracle.subject.element
    lower = oracle.bench.lowering.expression
    return expr.xreplace({index: lower(each) for index, each in zip(indices, element, strict=True)})


def is_prior(oracle: Oracle, contribution: Contribution) -> bool:
    """Tell whether a factor is the density of the target element itself; all others are those of children."""
    return contribution.value == oracle.subject.conditional.target


# --- the addends of parameters -------------------------------------------------------------------------------


def parameter_terms(oracle: Oracle) -> tuple[Term, ...]:
    """Return the addends of the derived parameters."""
    key = ("terms", oracle)
    cache = oracle.bench.cache
    if key not in cache:
        found = {(term.parameter, term.tree): term for term in _parameter_terms(oracle)}
        cache[key] = tuple(found.values())
    return cache[key]


def _parameter_terms(oracle: Oracle) -> Iterator[Term]:
    prior, children = _names_of_factors(oracle, own=True), _names_of_factors(oracle, own=False)
    for parameter, expr in right_parameters(oracle).items():
        for tree in _written_ways(oracle, expr):
            for addend in addends(tree):
                names = {found.name for found in references(addend)}
                either = names <= prior and names <= children
                name = "forgotten prior" if names and names <= prior and not either else "missing child"
                aliases = ("forgotten prior",) if either else ()
                yield Term(name=name, parameter=parameter, tree=addend, aliases=aliases)


def _written_ways(oracle: Oracle, expr: Expr) -> Iterator[Expression]:
    """Yield an expression as a tree, as it was derived and multiplied out, where it can be written so."""
    definitions = Definitions(oracle.bench.derivation.definitions)
    for write in (lambda: expr, lambda: normalise(expr, definitions)):
        try:
            yield parse_expression(write_expression(oracle, write()))
        except NO_FORM:
            continue


def _names_of_factors(oracle: Oracle, *, own: bool) -> set[str]:
    """Return the names in the density of the target itself, or in those of its children."""
    found = set()
    for contribution in oracle.subject.conditional.contributions:
        if is_prior(oracle, contribution) == own:
            for argument in (contribution.value, *contribution.factor.arguments, *contribution.arguments):
                found |= {ref.name for ref in argument.atoms(Ref)}
    return found


def addends(tree: Expression) -> Iterator[Expression]:
    """Yield the terms of a sum, signs kept."""
    match tree:
        case Binary(operator="+", left=left, right=right):
            yield from addends(left)
            yield from addends(right)
        case Binary(operator="-", left=left, right=right):
            yield from addends(left)
            for each in addends(right):
                yield Negate(operand=each)
        case _:
            yield tree


# --- exponents -----------------------------------------------------------------------------------------------


def exponent_terms(oracle: Oracle) -> tuple[Term, ...]:
    """Return what each factor adds to the exponent of a positive number, or of a determinant."""
    key = ("exponents", oracle)
    cache = oracle.bench.cache
    if key not in cache:
        cache[key] = tuple(_exponent_terms(oracle))
    return cache[key]


def _exponent_terms(oracle: Oracle) -> Iterator[Term]:
    target = oracle.subject.conditional.target
    for contribution in oracle.subject.conditional.contributions:
        for monomial, coefficient in expand_in(contribution.log_density, target).items():
            if monomial not in (sp.log(target), LogDet(target)):
                continue
            total = sum_over(coefficient, contribution.bounds, contribution.conditions)
            try:
                tree = parse_expression(write_expression(oracle, sp.expand(total)))
            except NO_FORM:
                continue
            name = "forgotten prior" if is_prior(oracle, contribution) else "missing child"
            yield Term(name=name, parameter="exponent", tree=tree)


def write_expression(oracle: Oracle, expr: Expr) -> str:
    """Return an expression as text of the model language; raise ``InternalError`` where there is none."""
    conditional, model = oracle.subject.conditional, oracle.bench.model
    blanket = sort_contributions(conditional.contributions, conditional.target)
    return to_language(Arranger(model, Order(model, conditional.target, blanket)).arrange(expr))
