"""Derivation → block: the nodes that can be updated together, data-only sums replaced by their names."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from deriver.derivation.affine import NotAffine
from deriver.derivation.factors import Definitions
from deriver.derivation.links import Link, find_links
from deriver.derivation.marginal import Marginal, Member, NoMarginal, find_marginal
from deriver.derivation.records import Derivation
from deriver.plan.layout import Space
from deriver.plan.records import Block, BlockMember, Step
from deriver.plan.statistics import Hoisting


def make_block(
    derivation: Derivation, steps: tuple[Step, ...], space: Space, hoisting: Hoisting, chosen: Collection[str]
) -> Block | str:
    """Return the block of a model, or why there is none.

    ``chosen`` are the nodes whose method the user chose; they are drawn by it, and so not in a block.
    """
    marginal = find_marginal(derivation)
    if isinstance(marginal, NoMarginal):
        return marginal.why
    by_name = {step.node: step for step in steps}
    nodes = [c.node for c in marginal.variances] + [member.node for member in marginal.members]
    own = [node for node in nodes if node in chosen]
    if own:
        return f"the method of {', '.join(own)} was chosen"
    apart = [m.node for m in marginal.effects if m.along is not None and not by_name[m.node].chained]
    if apart:
        return f"{apart[0]} is not drawn whole"
    return _hoisted(derivation, marginal, by_name, space, hoisting)


def _hoisted(
    derivation: Derivation, marginal: Marginal, steps: dict[str, Step], space: Space, hoisting: Hoisting
) -> Block:
    effects, shared = (
        tuple(_member(member, space, hoisting, steps) for member in members)
        for members in (marginal.effects, marginal.shared)
    )
    if marginal.structure == "linked":
        links = _hoisted_links(derivation, marginal, space, hoisting)
        effects, shared = (
            tuple(replace(member, links=links[member.node]) for member in members)
            for members in (effects, shared)
        )
    return Block(
        variances=tuple(steps[c.node] for c in marginal.variances),
        effects=effects,
        shared=shared,
        kernel=hoisting.rewrite(marginal.log_kernel, space),
        log_kernel=marginal.log_kernel,
        rest=marginal.rest,
        structure=marginal.structure,
    )


def _member(member: Member, base: Space, hoisting: Hoisting, steps: dict[str, Step]) -> BlockMember:
    space = base.extend(member.conditional.ranges)
    known = dict(steps[member.node].parameters)  # of a chain: split as it is drawn
    chained = member.along is not None
    return BlockMember(
        node=member.node,
        conditional=member.conditional,
        space=space,
        precision=known["precision"] if chained else hoisting.rewrite(member.precision, space),
        linear=known["linear"] if chained else hoisting.rewrite(member.linear, space),
        slopes=tuple((name, hoisting.rewrite(slope, space)) for name, slope in member.slopes),
        coupling=known["coupling"] if chained else member.coupling,
    )


def _hoisted_links(
    derivation: Derivation, marginal: Marginal, base: Space, hoisting: Hoisting
) -> dict[str, tuple[Link, ...]]:
    """Return the links of every member, over the distinct combinations of groups in place of rows where that is possible.

    They are read off the linear term as it is drawn from; where that is in no form to be read, off the derived one.
    """
    definitions = Definitions(derivation.definitions)
    found: dict[str, tuple[Link, ...]] = {}
    for member in marginal.members:
        names = dict.fromkeys(link.name for link in member.links)
        linear = member.linear
        for other in names:
            linear = definitions.expand(linear, other)
        try:
            rewritten = hoisting.rewrite(linear, base.extend(member.conditional.ranges))
            found[member.node] = tuple(link for name in names for link in find_links(rewritten, name))
        except NotAffine:
            found[member.node] = member.links
    return found
