"""The docstrings of a block's functions: what is integrated out, the density that is left, the order of the draws."""

from __future__ import annotations

from collections.abc import Sequence

from deriver.derivation.links import derivative
from deriver.emission.mathtext import show
from deriver.emission.metropolis import ordered_terms, signed_term
from deriver.plan.records import Block, BlockMember, Step


def joined_names(members: Sequence[BlockMember | Step]) -> str:
    """Return the names of nodes with commas, and before the last."""
    names = [member.node for member in members]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def integrate_name(block: Block) -> str:
    """Return the name of the function that integrates the effects out."""
    return f"integrate_{'_'.join(effect.node for effect in block.effects)}"


def _slope_words(effect: BlockMember) -> str:
    found = [f"db/d{name} = {show(slope)}" for name, slope in effect.slopes]
    return f" B: {', '.join(found)}" if found else " no B"


def slope_line(effect: BlockMember) -> str:
    """Return what A, B and c are for one node."""
    return f"A and c = b - A {show(effect.conditional.target)} as in draw_{effect.node};" + _slope_words(
        effect
    )


def integrate_words(block: Block) -> list[str]:
    """Return the docstring of ``integrate_<effects>``."""
    if block.structure == "chain":
        first = f"Integrate {joined_names(block.effects)} out; return its mean, and what is left."
        return [first, f"With {_chain_density(block)}: {_ZEROS}", _chain_line(block)]
    doc = [f"Integrate {joined_names(block.effects)} out; return what is left, as sums over them."]
    doc.append(
        "With the log joint density s'c + s'B t - s'A s / 2 in steps s of them and t of "
        f"{joined_names(block.shared) or 'nothing'} from their current values, up to what is free of s: "
        "the sums of [c, B]' inv(A) [c, B] and of log|A|, by the chain."
    )
    return [*doc, *map(slope_line, block.effects)]


_ZEROS = "B' inv(A) B, after a row and a column of zeros, and log|A|."


def _chain_density(block: Block) -> str:
    return (
        f"the log joint density s'B t - s'A s / 2 in steps s of {joined_names(block.effects)} from its mean and t of "
        f"{joined_names(block.shared) or 'nothing'} from the current values, up to what is free of s"
    )


def _chain_line(block: Block) -> str:
    (effect,) = block.effects
    return f"The diagonal of A, the coupling beside it and b as in draw_{effect.node};{_slope_words(effect)}"


def marginal_words(block: Block, *, compiled: bool = False) -> list[str]:
    """Return the docstring of ``log_marginal``; the compiled one puts what it finds besides into an array."""
    variances = ", ".join(step.node for step in block.variances)
    members = (*block.effects, *block.shared)
    shared, effects = joined_names(block.shared), joined_names(block.effects)
    doc = [f"Return log [{variances} | rest] with {joined_names(members)} integrated out."]
    if block.shared:
        start = "Put into found" if compiled else "Return too"
        normal = "N(inv(S) g, inv(S)), where S = root root' and root half = g"
        doc.append(
            f"{start} what {shared} is drawn from, with {effects} integrated out: its current value + {normal}."
        )
    chained = block.structure == "chain"
    if compiled and chained:
        doc += [
            f"With {_chain_density(block)}.",
            _chain_line(block),
            f"The state gets {effects} at its mean.",
        ]
    elif compiled:
        doc.append(
            f"Seen from the values of {joined_names(members)} in the state, {log_density_words(block)}"
        )
        doc += [slope_line(effect) for effect in block.effects]
    where = "there" if compiled else f"in {integrate_name(block)}"
    doc += _chain_formula(block, where) if chained else _formula(block, where)
    doc.append("The terms of log joint that mention them:")
    terms = ordered_terms(block.log_kernel)
    return [*doc, *(f"  {signed_term(term, first=place == 0)}" for place, term in enumerate(terms))]


def _formula(block: Block, where: str) -> list[str]:
    if block.shared:
        return [
            f"Up to a constant, with A, B and c as {where}, P and h such for {joined_names(block.shared)}:",
            "  log [.] = log joint + sum(c' inv(A) c - log|A|) / 2 + (g' inv(S) g - log|S|) / 2",
            "  S = P - sum(B' inv(A) B), g = h + sum(B' inv(A) c)",
        ]
    return [
        f"Up to a constant, with A and c as {where}:",
        "  log [.] = log joint + sum(c' inv(A) c - log|A|) / 2",
    ]


def _chain_formula(block: Block, where: str) -> list[str]:
    """The log joint density is taken at the mean of the chain, so that nothing large cancels."""
    mean = f"{block.effects[0].node} at its mean"
    if block.shared:
        shared = joined_names(block.shared)
        return [
            f"Up to a constant, with A, B as {where}, {mean}, P and g the precision and gradient of {shared}:",
            "  log [.] = log joint - log|A| / 2 + (g' inv(S) g - log|S|) / 2",
            "  S = P - B' inv(A) B",
        ]
    return [f"Up to a constant, with A as {where}, {mean}:", "  log [.] = log joint - log|A| / 2"]


def log_density_words(block: Block) -> str:
    """Return what A, B and c are, in words."""
    return (
        f"the log joint density is s'c + s'B t - s'A s / 2 in steps s of {joined_names(block.effects)} and t of "
        f"{joined_names(block.shared) or 'nothing'}, up to what is free of s."
    )


def order_words(block: Block) -> str:
    """Return what must be drawn after the block's update."""
    return (
        f"{joined_names(block.effects)} must be drawn next, from what is then the full conditional: together this is one "
        "update of all of them. In another order it would not keep the target "
        "(van Dyk and Park 2008, J. Am. Stat. Assoc. 103, 790-796)."
    )


def watch_words(block: Block) -> str:
    """Return what is watched before the sampler chooses."""
    also = f", {joined_names(block.shared)}" if block.shared else ""
    return f"Return what tells how nodes mix: to_coordinates{also}."


# --- linked nodes -------------------------------------------------------------------------------------------


def _linked_names(block: Block) -> str:
    return joined_names((*block.effects, *block.shared))


def parts_words(block: Block) -> list[str]:
    """Return the docstring of ``precision_parts``."""
    doc = [f"Return the joint precision P of {_linked_names(block)} and the gradient, in parts."]
    doc.append(
        "parts: for each node, in this order, the blocks of P on the diagonal, one for each element, and the gradient of "
        "the log joint density at the current values.  links: for two nodes, which elements meet, and minus the entries "
        "of P there, which are the slopes of the linear term of the first in the second:"
    )
    members = (*block.effects, *block.shared)
    targets = {member.node: member.conditional.target for member in members}
    for member in members:
        for name in dict.fromkeys(link.name for link in member.links):
            own, other = member.conditional.target, targets[name]
            slope = derivative(member.links, name, other.indices)
            doc.append(f"  {show(own)} and {show(other)}: {show(slope)}")
    return doc


def linked_marginal_words(block: Block) -> list[str]:
    """Return the docstring of ``log_marginal`` for linked nodes."""
    variances = ", ".join(step.node for step in block.variances)
    doc = [f"Return log [{variances} | rest] with {_linked_names(block)} integrated out."]
    doc += ["Return too what these are drawn from.  Up to a constant, with their precision P and gradient g:"]
    doc += ["  log [.] = log joint + (g' inv(P) g - log|P|) / 2", "The terms of log joint that mention them:"]
    terms = ordered_terms(block.log_kernel)
    return [*doc, *(f"  {signed_term(term, first=place == 0)}" for place, term in enumerate(terms))]


def linked_words(block: Block) -> str:
    """Return how linked nodes are drawn."""
    return (
        "Given all else they are normal together, N(x + inv(P) g, inv(P)), x their current values, P and g as "
        "precision_parts has them.  The node of most elements is eliminated first; what cannot be eliminated element "
        "by element is dense."
    )


def linked_watch_words(block: Block) -> str:
    """Return what is watched before the sampler chooses whether to draw linked nodes together."""
    also = "to_coordinates, " if block.variances else ""
    return f"Return what tells how nodes mix: {also}some elements of {_linked_names(block)}."
