"""Show stage, densities in brackets: the factors of a blanket, and of the joint density, over their plates."""

from __future__ import annotations

from collections.abc import Iterable

import sympy as sp
from sympy import Basic, Expr, Symbol, Tuple

from deriver.algebra.heads import Condition, Ref, index_symbol
from deriver.derivation.records import Contribution, Derivation, Factor
from deriver.derivation.recursions import references_in
from deriver.show import notation as n
from deriver.show.arrange import Arranger
from deriver.show.cases import Case
from deriver.show.document import Block, Display, Row
from deriver.show.order import Order


def joint_density(derivation: Derivation) -> Block:
    """Return the joint density: the factors in the order of the model, each over its plates."""
    model = derivation.model
    arranger = Arranger(model, Order(model))
    nodes = [node for node in model.nodes if node.kind == "stochastic"]
    hidden = tuple(arranger.name(node.name) for node in nodes if node.is_drawn)
    data = tuple(arranger.name(node.name) for node in nodes if node.is_response)
    left = n.Density(n.Sequence(hidden), (n.Sequence(data),) if data else ())
    parts = tuple(_factor_density(factor, derivation, arranger) for factor in derivation.factors)
    row = Row(left=left, relation="prop", right=n.Juxtaposed(parts))
    return Display(words=("The posterior density, up to a constant:",), rows=(row,))


def _factor_density(factor: Factor, derivation: Derivation, arranger: Arranger) -> n.Notation:
    rules = {bound[0]: index_symbol(_plain(bound[0].name)) for bound in factor.bounds}
    definitions = {one.element.name: (one.element, one.expression) for one in derivation.definitions}
    found: dict[Ref, None] = {}
    for argument in factor.arguments:
        found |= dict.fromkeys(_stochastic_parents(argument, factor.parents, definitions))
    refs = [ref.xreplace(rules) for ref in found]
    density = _density(factor.value.xreplace(rules), refs, set(rules.values()), arranger)
    bounds = [bound.xreplace(rules) for bound in factor.bounds]
    return _over(n.Many, density, bounds, [c.xreplace(rules) for c in factor.conditions], arranger)


def _stochastic_parents(
    expr: Expr, names: tuple[str, ...], definitions: dict[str, tuple[Ref, Expr]]
) -> Iterable[Ref]:
    """Yield the elements of stochastic nodes that an argument holds, looking through deterministic ones."""
    for ref in sp.ordered(references_in(expr)):
        if ref.name in names:
            yield ref
        elif ref.name in definitions:
            element, value = definitions[ref.name]
            rules = dict(zip(element.indices, ref.indices, strict=True))
            yield from _stochastic_parents(value.xreplace(rules), names, definitions)


def density_of(contribution: Contribution, arranger: Arranger, case: Case | None) -> n.Notation:
    """Return the bracketed density of a contribution over its plates; a gate that no case settles is shown."""
    rules: dict[Basic, Basic] = dict(case.fixed) if case is not None else {}
    conditions = [condition.xreplace(rules) for condition in contribution.conditions]
    rules |= {c.left: c.right for c in conditions if c.relation == "="}
    known = {symbol for part in (contribution.value, *contribution.bounds) for symbol in part.free_symbols}
    known |= arranger.own_indices
    parents = [ref.xreplace(rules) for ref in contribution.parents]
    density = _density(contribution.value.xreplace(rules), parents, known, arranger)
    bounds = [bound.xreplace(rules) for bound in contribution.bounds]
    whole = _over(n.Many, density, bounds, conditions, arranger)
    if case is None and contribution.gates:
        return n.Gate(tuple(map(arranger.relation, contribution.gates)), whole)
    return whole


def over_plates(
    sign: type[n.Total | n.Many], body: n.Notation, contribution: Contribution, arranger: Arranger
) -> n.Notation:
    """Return the body summed (or multiplied) over the contribution's own plates."""
    return _over(sign, body, contribution.bounds, contribution.conditions, arranger)


def _over(
    sign: type[n.Total | n.Many],
    body: n.Notation,
    bounds: Iterable[Tuple],
    conditions: Iterable[Condition],
    arranger: Arranger,
) -> n.Notation:
    ordered = arranger.order.bounds(bounds)
    if not ordered:
        return body
    return sign(tuple(map(arranger.bound, ordered)), tuple(map(arranger.relation, conditions)), body)


def _density(value: Ref, parents: list[Ref], known: set[Symbol], arranger: Arranger) -> n.Notation:
    """Return ``[value | parents]``, the parents in the order in which the model declares them."""
    ordered = arranger.order.references(parents)
    return n.Density(arranger.arrange(value), tuple(arranger.element(ref, known) for ref in ordered))


def _plain(index: str) -> str:
    return index.rstrip("′″")
