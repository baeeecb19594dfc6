"""Show stage, what is moved together: the joint moves of the plan, and discrete nodes drawn with Gaussian ones, in words."""

from __future__ import annotations

from deriver.derivation.collapsed import find_collapsed
from deriver.derivation.records import Derivation
from deriver.plan.records import Plan, Together
from deriver.show.document import Block, Paragraph


def joint_blocks(plan: Plan) -> tuple[Block, ...]:
    """Return what is said of the nodes that are moved together; nothing where there are none."""
    return tuple(Paragraph(words=(describe_move(move),)) for move in plan.together)


def collapsed_blocks(derivation: Derivation) -> tuple[Block, ...]:
    """Return what is said of the discrete nodes that are drawn with Gaussian ones integrated out of their weights."""
    found = {c.node: find_collapsed(derivation, c) for c in derivation.conditionals}
    return tuple(
        Paragraph(words=(_describe_collapsed(node, [each.node for each in beside]),))
        for node, beside in found.items()
        if beside
    )


def _describe_collapsed(node: str, beside: list[str]) -> str:
    names = ", ".join(beside)
    few, them = ("are normal together", "these are") if len(beside) > 1 else ("is normal", "it is")
    return (
        f"Integrated out of the weights of {node} (NumPy backend, unless --blocks is off): {names}, which {few} given all "
        f"else.  The log weight of a value is then the log density above, at any {names}, plus (c' inv(P) c - log det P) "
        f"/ 2, P the joint precision and c the gradient of the log joint density there; {them} drawn anew with {node}."
    )


def describe_move(move: Together) -> str:
    """Return a sentence on a joint move: what moves, what goes along, why."""
    names = ", ".join(step.node for step in move.members)
    along = ", ".join(carried.node for carried in move.carried)
    how = f", {along} going along" if along else " together" if len(move.members) > 1 else ""
    if move.integrated is not None:
        how += f", {move.integrated.node} integrated out and then drawn"
    one_backend = move.kernel is None or any(step.conditional.indices for step in move.members)
    where = " (NumPy backend)" if one_backend else ""
    return (
        f"Moved besides{where}: {names}{how}, by a Metropolis-Hastings step at the end of each sweep, as "
        f"{move.reason}."
    )
