"""Derivation → block: the nodes that can be updated together, data-only sums replaced by their names."""

from __future__ import annotations

from collections.abc import Collection

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
    return _hoisted(marginal, by_name, space, hoisting)


def _hoisted(marginal: Marginal, steps: dict[str, Step], space: Space, hoisting: Hoisting) -> Block:
    return Block(
        variances=tuple(steps[c.node] for c in marginal.variances),
        effects=tuple(_member(member, space, hoisting, steps) for member in marginal.effects),
        shared=tuple(_member(member, space, hoisting, steps) for member in marginal.shared),
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
