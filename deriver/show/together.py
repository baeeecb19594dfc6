"""Show stage, what is moved together: the joint moves of the plan, in words."""

from __future__ import annotations

from deriver.plan.records import Plan, Together
from deriver.show.document import Block, Paragraph


def joint_blocks(plan: Plan) -> tuple[Block, ...]:
    """Return what is said of the nodes that are moved together; nothing where there are none."""
    return tuple(Paragraph(words=(describe_move(move),)) for move in plan.together)


def describe_move(move: Together) -> str:
    """Return a sentence on a joint move: what moves, what goes along, why."""
    names = ", ".join(step.node for step in move.members)
    along = ", ".join(carried.node for carried in move.carried)
    how = f", {along} going along" if along else " together" if len(move.members) > 1 else ""
    if move.integrated is not None:
        how += f", {move.integrated.node} integrated out and then drawn"
    return (
        f"Moved besides (NumPy backend): {names}{how}, by a Metropolis-Hastings step at the end of each sweep, as "
        f"{move.reason}."
    )
