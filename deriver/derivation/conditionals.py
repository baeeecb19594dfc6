"""Model → derivation: the full conditional of every stochastic node that is not observed."""

from __future__ import annotations

from dataclasses import replace

from sympy import Expr, Tuple, ordered

from deriver.algebra.heads import Ref, shape_of
from deriver.derivation.factors import Definitions, build_factors
from deriver.derivation.lower import Lowering
from deriver.derivation.match import (
    Match,
    Piece,
    collect_pieces,
    log_kernel,
    match_family,
    split_cuts,
)
from deriver.derivation.proofs import Prover
from deriver.derivation.records import Conditional, Contribution, Derivation, Factor, Refusal
from deriver.derivation.remedies import suggest_remedy
from deriver.derivation.slice import slice_factor
from deriver.errors import Mistake, ModelError
from deriver.families import family as family_record
from deriver.model.records import Model, Node


def derive(model: Model) -> Derivation:
    """Derive the full conditional of every process and parameter node of a model.

    Raises ``ModelError`` for a construct that cannot be derived.
    """
    lowering = Lowering(model)
    factors, definitions = build_factors(model, lowering)
    prover = Prover(lowering, definitions, _stated_facts(factors, model))
    unsound = {id(f): why for f in factors if (why := _unsound(f, prover)) is not None}
    conditionals = tuple(
        _derive_node(node, factors, unsound, lowering, definitions, prover)
        for node in model.nodes
        if node.is_drawn
    )
    return Derivation(
        model=model,
        factors=factors,
        conditionals=conditionals,
        definitions=definitions.all,
    )


def _stated_facts(factors: tuple[Factor, ...], model: Model) -> tuple[Expr, ...]:
    """Return what is positive because a stated density whose parameter is given is a proper one."""
    givens = {given.name for given in model.givens}
    facts = []
    for factor in factors:
        positive = [argument for argument, role in _roles(factor) if role == "positive"]
        if factor.family in ("wishart", "inverse_wishart"):
            named = dict(zip(family_record(factor.family).parameters, factor.arguments, strict=True))
            positive.append(named["df"] - shape_of(factor.value)[0] + 1)
        facts += [a for a in positive if not a.is_number and {r.name for r in a.atoms(Ref)} <= givens]
    return tuple(facts)


def _roles(factor: Factor) -> list[tuple[Expr, str]]:
    """Return each canonical argument with its role, where the family has a canonical parametrisation."""
    record = family_record(factor.family)
    for parametrisation in record.parametrisations:
        if parametrisation.keywords == record.parameters:
            return list(zip(factor.arguments, parametrisation.roles, strict=True))
    return []


def _unsound(factor: Factor, prover: Prover) -> str | None:
    """Return why a factor's variance or covariance is not proved to be one, or None."""
    for argument, role in _roles(factor):
        if role == "spd" and not prover.definite(argument):
            return f"the covariance of {factor.value} is not proved positive definite"
        if role == "positive" and not prover.positive(argument):
            return f"a parameter of {factor.value} that must be positive is not proved positive"
    return None


def _derive_node(
    node: Node,
    factors: tuple[Factor, ...],
    unsound: dict[int, str],
    lowering: Lowering,
    definitions: Definitions,
    prover: Prover,
) -> Conditional:
    target = lowering.node_element(node)
    ranges = tuple(lowering.bound(place) for place in node.ranges)
    support = lowering.support(node.support)
    contributions, doubts = _blanket(node, factors, unsound, target, ranges, definitions)
    pieces = collect_pieces(contributions, target)
    kernel = log_kernel(pieces)
    base = Conditional(
        node=node.name,
        target=target,
        indices=target.indices,
        ranges=ranges,
        shape=target.variable.shape,
        support=support,
        contributions=contributions,
        log_kernel=kernel,
        method="mh",
        coupled=_coupled(kernel, target),
        definitions=definitions.all,
    )
    uncut, left = split_cuts(pieces, target, support)
    own = [factor for factor in factors if factor.value.name == node.name]
    improper = all(family_record(factor.family).improper for factor in own)
    outcome = match_family(uncut, target, left, ranges, prover, improper=improper)
    if isinstance(outcome, Match) and not doubts:
        return replace(
            base,
            method="gibbs",
            support=left,
            family=outcome.family.key,
            statistics=outcome.statistics,
            parameters=outcome.parameters,
            truncation=outcome.truncation,
            assumed=outcome.assumed,
        )
    if isinstance(outcome, Match):
        return replace(base, reason=doubts[0])
    return _prior_or_refused(base, outcome, pieces, prover)


def _prior_or_refused(
    base: Conditional, refusal: Refusal, pieces: tuple[Piece, ...], prover: Prover
) -> Conditional:
    """A node without children is drawn from its prior; any other refusal is reported with its remedy."""
    own = [c for c in base.contributions if c.factor.value.name == base.node]
    if len(own) == len(base.contributions) == 1 and not base.coupled and own[0].factor.truncation is None:
        factor = own[0].factor
        names = family_record(factor.family).parameters
        return replace(
            base,
            method="prior",
            family=factor.family,
            parameters=tuple(zip(names, factor.arguments, strict=True)),
        )
    remedy = refusal.remedy or suggest_remedy(base, pieces, prover)
    return replace(base, reason=replace(refusal, remedy=remedy))


def _blanket(
    node: Node,
    factors: tuple[Factor, ...],
    unsound: dict[int, str],
    target: Ref,
    ranges: tuple[Tuple, ...],
    definitions: Definitions,
) -> tuple[tuple[Contribution, ...], list[Refusal]]:
    """Return the contributions, and doubts about a factor's own parameters."""
    contributions: list[Contribution] = []
    doubts: list[Refusal] = []
    for factor in factors:
        if factor.value.name != node.name and node.name not in factor.parents:
            continue
        try:
            contributions += slice_factor(factor, target, ranges, definitions)
        except ValueError as error:
            raise ModelError([_cannot_invert(node, factor, str(error))]) from error
        if id(factor) in unsound:
            doubts.append(
                Refusal(
                    factor=factor.value.name,
                    term=None,
                    why=unsound[id(factor)],
                    remedy="declare supports that make it so, or rewrite it as a product that shows it",
                )
            )
    return tuple(contributions), doubts


def _coupled(kernel: Expr, target: Ref) -> tuple[tuple[tuple[Expr, ...], tuple[Expr, ...]], ...]:
    """Return the elements of the target's own node that its conditional mentions, as pairs with the target."""
    others = {ref for ref in kernel.atoms(Ref) if ref.name == target.name and ref != target}
    return tuple((target.indices, ref.indices) for ref in ordered(others))


def _cannot_invert(node: Node, factor: Factor, why: str) -> Mistake:
    return Mistake(
        code="index_not_inverted",
        found=f"the statement of {factor.value.name} uses {node.name} through indices that cannot be inverted: {why}",
        expected="a plate index, a constant, a shift such as t-1, or a group column such as g[k]",
        remedy="declare the combined index as a group column under given",
    )
