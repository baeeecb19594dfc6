"""Conditionals → a discrete node with the Gaussian nodes that are integrated out of its weights.

A change point that is drawn given the lines on its two sides hardly moves, as the lines fit the one that they were drawn
for.  With the few numbers z that are normal together, given all else, integrated out, every value k has the weight

    log [k | rest] = log joint(k, z, rest) + (c'P⁻¹c − log|P|)/2 + constant,

P their joint precision and c the gradient of the log joint density in them, both given k (``marginal`` has the algebra);
then z is drawn from N(z + P⁻¹c, P⁻¹) given the k that was drawn.  The two are one draw of k and z together.
"""

from __future__ import annotations

import math

from sympy import Expr

from deriver.derivation.affine import NotAffine
from deriver.derivation.factors import Definitions
from deriver.derivation.gaussian import is_gaussian, mentions, written_out
from deriver.derivation.linked import links_with
from deriver.derivation.marginal import Marginal, linked_members
from deriver.derivation.records import Conditional, Derivation

MOST_NUMBERS = 12


def find_collapsed(derivation: Derivation, label: Conditional) -> tuple[Conditional, ...]:
    """Return the Gaussian nodes that can be integrated out of the weights of a discrete node; none where there are none.

    They are numbers, few enough for a small dense matrix, normal together given the rest; the weights depend on them.
    """
    kind, lower, upper = label.support
    if kind != "integer" or lower is None or upper is None or label.indices or label.shape:
        return ()
    definitions = Definitions(derivation.definitions)
    kernel = definitions.expand(label.log_kernel)
    partly = {node.name for node in derivation.model.nodes if node.partly}
    chosen: list[Conditional] = []
    for candidate in derivation.conditionals:
        fits = is_gaussian(candidate) and candidate.node not in partly
        if not fits or not mentions(kernel, {candidate.node}):
            continue
        more = [*chosen, candidate]
        if sum(map(count_numbers, more)) <= MOST_NUMBERS and _are_normal_together(more, definitions):
            chosen = more
    return tuple(chosen)


def _are_normal_together(nodes: list[Conditional], definitions: Definitions) -> bool:
    """Tell whether nodes with Gaussian conditionals are Gaussian together.

    So they are when each precision, and each slope of a linear term, is free of all of them.
    """
    names = {node.node for node in nodes}
    for one in nodes:
        precision = written_out(one.parameter("precision"), nodes, definitions)
        try:
            links = links_with(one, nodes, nodes, definitions)
        except NotAffine:
            return False
        if mentions(precision, names) or any(mentions(link.slope, names) for link in links):
            return False
    return True


def count_numbers(conditional: Conditional) -> float:
    """Return how many numbers a node is, infinity where the model alone does not tell."""
    sizes: list[Expr] = [upper - lower + 1 for _, lower, upper in conditional.ranges]
    known = not conditional.shape and all(size.is_Integer for size in sizes)
    return math.prod(int(size) for size in sizes) if known else math.inf


def collapsed_marginal(
    derivation: Derivation, label: Conditional, nodes: tuple[Conditional, ...]
) -> Marginal:
    """Return the density of a discrete node with Gaussian nodes integrated out, for the check of its identity."""
    definitions = Definitions(derivation.definitions)
    members = linked_members(list(nodes), definitions)
    return Marginal(
        variances=(label,),
        effects=tuple(member for member in members if member.conditional.indices),
        shared=tuple(member for member in members if not member.conditional.indices),
        log_kernel=label.log_kernel,
        structure="linked",
    )
