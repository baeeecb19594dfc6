"""The terms that the right answer is made of, as trees: what a claim may lack.

Each addend of a derived parameter, and each factor's contribution to the log kernel, with the name that its lack
has: ``forgotten prior`` or ``missing child``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sympy as sp
from sympy import Expr

from deriver.algebra.evaluate import evaluate
from deriver.algebra.heads import Gated, LogDet, PlateSum, Ref
from deriver.algebra.normal_form import expand_in, sum_over
from deriver.checking.oracle import Oracle
from deriver.checking.values import Opaque
from deriver.derivation.numeric import Completed
from deriver.derivation.records import Contribution
from deriver.errors import DeriverError, InternalError
from deriver.language import parse_expression
from deriver.model.expressions import Binary, Expression, Negate, references
from deriver.show.arrange import Arranger
from deriver.show.order import Order, sort_contributions
from deriver.show.record import describe_node
from deriver.show.surface import to_language


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A piece of the right answer; ``parameter`` is empty for a piece of the log kernel."""

    name: str
    parameter: str
    tree: Expression
    aliases: tuple[str, ...] = ()


def right_parameters(oracle: Oracle) -> dict[str, str]:
    """Return the derived parameters as text of the language; empty where there are none or no text for them."""
    key = ("right", oracle.subject.conditional.node)
    cache = oracle.bench.cache
    if key not in cache:
        try:
            found = describe_node(oracle.bench.derivation, oracle.subject.conditional)["parameters"]
        except (InternalError, DeriverError):
            found = {}
        cache[key] = found
    return cache[key]


def parameter_terms(oracle: Oracle) -> tuple[Term, ...]:
    """Return the addends of the derived parameters."""
    key = ("terms", oracle.subject.conditional.node)
    cache = oracle.bench.cache
    if key not in cache:
        cache[key] = tuple(_parameter_terms(oracle))
    return cache[key]


def _parameter_terms(oracle: Oracle) -> Iterator[Term]:
    prior, children = _names_of_factors(oracle, own=True), _names_of_factors(oracle, own=False)
    for parameter, text in right_parameters(oracle).items():
        try:
            tree = parse_expression(text)
        except DeriverError:
            continue
        for addend in addends(tree):
            names = {found.name for found in references(addend)}
            either = names <= prior and names <= children
            name = "forgotten prior" if names and names <= prior and not either else "missing child"
            aliases = ("forgotten prior",) if either else ()
            yield Term(name=name, parameter=parameter, tree=addend, aliases=aliases)


def _names_of_factors(oracle: Oracle, *, own: bool) -> set[str]:
    """Return the names in the density of the target itself, or in those of its children."""
    conditional = oracle.subject.conditional
    found = set()
    for contribution in conditional.contributions:
        if (contribution.value == conditional.target) == own:
            for argument in (*contribution.factor.arguments, *contribution.arguments):
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


def exponent_terms(oracle: Oracle) -> tuple[Term, ...]:
    """Return what each factor adds to the exponent of a positive number, or of a determinant."""
    key = ("exponents", oracle.subject.conditional.node)
    cache = oracle.bench.cache
    if key not in cache:
        cache[key] = tuple(_exponent_terms(oracle))
    return cache[key]


def _exponent_terms(oracle: Oracle) -> Iterator[Term]:
    conditional = oracle.subject.conditional
    target = conditional.target
    for contribution in conditional.contributions:
        for monomial, coefficient in expand_in(contribution.log_density, target).items():
            if monomial not in (sp.log(target), LogDet(target)):
                continue
            total = sum_over(coefficient, contribution.bounds, contribution.conditions)
            try:
                tree = parse_expression(write_expression(oracle, sp.expand(total)))
            except (InternalError, DeriverError):
                continue
            is_prior = contribution.factor.value.name == conditional.node
            name = "forgotten prior" if is_prior else "missing child"
            yield Term(name=name, parameter="exponent", tree=tree)


def write_expression(oracle: Oracle, expr: Expr) -> str:
    """Return an expression as text of the model language; raise ``InternalError`` where there is none."""
    conditional, model = oracle.subject.conditional, oracle.bench.model
    blanket = sort_contributions(conditional.contributions, conditional.target)
    return to_language(Arranger(model, Order(model, conditional.target, blanket)).arrange(expr))


def kernel_terms(oracle: Oracle) -> tuple[Term, ...]:
    """Return each factor's log density, as a term on the log scale."""
    conditional = oracle.subject.conditional
    definitions = oracle.bench.derivation.definitions

    def make(contribution: Contribution) -> Term:
        whole = PlateSum(contribution.log_density, contribution.bounds, contribution.conditions)
        whole = Gated(whole, contribution.gates)
        own = {symbol.name: symbol for symbol in conditional.indices}

        def value(raw: object, indices: dict[str, int]) -> float:
            inside = {own[name]: number for name, number in indices.items() if name in own}
            return evaluate(whole, Completed(raw, definitions), inside)  # type: ignore[arg-type]

        is_prior = contribution.factor.value.name == conditional.node
        title = f"[{contribution.value} | …]" if contribution.parents else f"[{contribution.value}]"
        return Term(
            name="forgotten prior" if is_prior else "missing child",
            parameter="",
            tree=Opaque(value=value, title=title),
        )

    key = ("kernel", conditional.node)
    cache = oracle.bench.cache
    if key not in cache:
        cache[key] = tuple(make(contribution) for contribution in conditional.contributions)
    return cache[key]
