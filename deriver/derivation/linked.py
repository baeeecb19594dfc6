"""Conditionals → nodes of any plates that are jointly normal, elements of each independent of one another given the rest."""

from __future__ import annotations

from deriver.derivation.affine import NotAffine
from deriver.derivation.factors import Definitions
from deriver.derivation.gaussian import is_gaussian, mentions, written_out
from deriver.derivation.links import Link, find_links
from deriver.derivation.records import Conditional, Derivation


def find_linked(derivation: Derivation) -> list[Conditional]:
    """Return nodes that are Gaussian together, elements of each independent of one another, effects first.

    They depend on each other, directly or through one another; the set with most effects is taken.
    """
    definitions = Definitions(derivation.definitions)
    partly = {node.name for node in derivation.model.nodes if node.partly}  # what is observed is not drawn
    free = [c for c in derivation.conditionals if c.node not in partly and not c.coupled]
    gaussian = [c for c in free if is_gaussian(c)]
    ordered = [*(c for c in gaussian if c.indices), *(c for c in gaussian if not c.indices)]
    drawn = {c.node for c in derivation.conditionals} | {d.element.name for d in derivation.definitions}
    chosen: list[Conditional] = []
    for candidate in ordered:
        if _linkable([*chosen, candidate], drawn, definitions):
            chosen.append(candidate)
    groups: list[list[Conditional]] = []
    for member in chosen:
        others = [other for other in chosen if other is not member]
        linked = {link.name for link in links_with(member, others, chosen, definitions)}
        near = [group for group in groups if linked & {c.node for c in group}]
        groups = [group for group in groups if group not in near]
        groups.append([*(c for group in near for c in group), member])
    best = max(groups, key=lambda group: sum(bool(c.indices) for c in group), default=[])
    return [c for c in chosen if c in best] if any(c.indices for c in best) else []


def links_with(
    conditional: Conditional, others: list[Conditional], members: list[Conditional], definitions: Definitions
) -> tuple[Link, ...]:
    """Return the links of a node's linear term with others; raise ``NotAffine`` where it is not affine in them."""
    linear = written_out(conditional.parameter("linear"), members, definitions)
    return tuple(link for other in others for link in find_links(linear, other.node))


def _linkable(nodes: list[Conditional], drawn: set[str], definitions: Definitions) -> bool:
    """Tell whether the last of several nodes is Gaussian together with the others.

    So it is when each precision and each slope is free of all of them, and the data alone tell which elements meet.
    """
    names = {node.node for node in nodes}
    last = nodes[-1]
    for one in nodes:
        precision, linear = (
            written_out(one.parameter(k), nodes, definitions) for k in ("precision", "linear")
        )
        if mentions(precision, names) or mentions(linear, {one.node}):
            return False
        others = [other for other in nodes if other is not one and (one is last or other is last)]
        try:
            links = links_with(one, others, nodes, definitions)
        except NotAffine:
            return False
        if not all(_is_plain(link, one, drawn) and not mentions(link.slope, names) for link in links):
            return False
    return True


def _is_plain(link: Link, node: Conditional, drawn: set[str]) -> bool:
    """Tell whether rows meet an element by an index alone, and the data settle which."""
    if any(mentions(part, drawn) for part in (*link.at, *link.conditions)):
        return False
    return all(c.relation == "=" and {c.left, c.right} & set(node.indices) for c in link.conditions)
