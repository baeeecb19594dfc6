"""Show stage, what can be integrated out: the density of the variances, and the order of draws that keeps the target."""

from __future__ import annotations

from collections.abc import Iterable

from sympy import Expr

from deriver.algebra.heads import Ref
from deriver.derivation.links import derivative
from deriver.derivation.marginal import Marginal, Member, NoMarginal, find_marginal
from deriver.derivation.records import Conditional, Derivation
from deriver.show import notation as n
from deriver.show.arrange import Arranger
from deriver.show.document import Block, Display, Paragraph, Row, Words
from deriver.show.order import Order, sort_contributions
from deriver.show.stacks import for_reading
from deriver.show.tidy import tidy

SOURCE = "van Dyk and Park 2008, J. Am. Stat. Assoc. 103, 790-796"

_BEFORE = (
    "Its log density is the part of the log joint density that mentions them, given here, and the log of the Gaussian "
    "integrals: (c' inv(A) c - log det A) / 2 summed over the elements of "
)
_CHAIN_BEFORE = (
    "Its log density is the part of the log joint density that mentions them, given here, and the log of the Gaussian "
    "integral: (c' inv(A) c - log det A) / 2, A the precision matrix of the whole chain "
)
_CHAIN_BETWEEN = (
    ", c the gradient of the log joint density in it; A is tridiagonal: on its diagonal the precisions of the full "
    "conditionals, beside it minus the slope of b in the element before, "
)
_CHAIN_AFTER = (
    "; and, for the others, the same with the precision P - B' inv(A) B and the gradient h + B' inv(A) c, "
    "P and h their A and c, B the slopes:"
)
_BETWEEN = ", with A and b those of the full conditional and c = b - A "
_AFTER = (
    "; and, for the others, the same with the precision P - sum(B' inv(A) B) and the gradient h + sum(B' inv(A) c), "
    "P and h their A and c, B the slopes:"
)


def integrated_blocks(derivation: Derivation) -> tuple[Block, ...]:
    """Return what is said of the nodes that can be integrated out; nothing where there are none."""
    marginal = find_marginal(derivation)
    if isinstance(marginal, NoMarginal):
        return ()
    if marginal.structure == "linked":
        return _linked(derivation, marginal)
    writer = Writer(derivation, marginal.variances[0])
    return (
        _order(marginal, writer),
        _density(derivation, marginal, writer),
        *_slopes(derivation, marginal, writer),
    )


class Writer:
    """Writes expressions as they stand in the derivation of one node."""

    def __init__(self, derivation: Derivation, conditional: Conditional) -> None:
        blanket = sort_contributions(conditional.contributions, conditional.target)
        order = Order(derivation.model, conditional.target, blanket)
        self.arranger = Arranger(derivation.model, order)

    def write(self, expr) -> n.Notation:
        """Return the notation of an expression."""
        return self.arranger.arrange(tidy(for_reading(expr), self.arranger.order))

    def listed(self, conditionals: Iterable[Conditional]) -> Words:
        """Return elements with commas between them."""
        words: list[str | n.Notation] = []
        for conditional in conditionals:
            words += [*([", "] if words else []), self.write(conditional.target)]
        return tuple(words)


def _order(marginal: Marginal, writer: Writer) -> Block:
    variances = writer.listed(marginal.variances)
    effects = writer.listed(member.conditional for member in marginal.effects)
    shared = writer.listed(member.conditional for member in marginal.shared)
    words: list[str | n.Notation] = ["Integrated out, where it pays: ", *variances]
    words += [" can be updated with ", *effects, *([", ", *shared] if shared else [])]
    words += [" integrated out; then "]
    words += [*shared, " drawn with ", *effects, " integrated out; then "] if shared else []
    words += [
        *effects,
        " drawn from the full conditional. In this order, and in no other, it is one update of all ",
    ]
    words += [f"of them, and keeps the target ({SOURCE})."]
    return Paragraph(words=tuple(words))


def _density(derivation: Derivation, marginal: Marginal, writer: Writer) -> Block:
    left = n.Density(n.Sequence(tuple(writer.write(c.target) for c in marginal.variances)), None)
    effects = writer.listed(member.conditional for member in marginal.effects)
    if marginal.structure == "chain":
        coupling = Writer(derivation, marginal.effects[0].conditional).write(marginal.effects[0].coupling)
        words: Words = (_CHAIN_BEFORE, *effects, _CHAIN_BETWEEN, coupling)
        words = (*words, _CHAIN_AFTER if marginal.shared else ":")
    else:
        words = (_BEFORE, *effects, _BETWEEN, *effects, _AFTER)
    kernel = writer.write(marginal.log_kernel)
    row = Row(left=n.Apply("log", (left,)), relation="=", right=kernel, constant=True)
    return Display(words=words, rows=(row,))


def _slopes(derivation: Derivation, marginal: Marginal, writer: Writer) -> tuple[Block, ...]:
    return tuple(_slope_block(derivation, marginal, member) for member in marginal.members if member.slopes)


def _slope_block(derivation: Derivation, marginal: Marginal, member: Member) -> Block:
    writer = Writer(derivation, member.conditional)
    targets = {other.node: other.conditional.target for other in marginal.members}
    words: list[str | n.Notation] = ["The slope of b of ", writer.write(member.conditional.target)]
    for place, (name, slope) in enumerate(member.slopes):
        words += [" in " if place == 0 else "; in ", writer.write(targets[name]), ": ", writer.write(slope)]
    return Paragraph(words=(*words, "."))


# --- linked nodes -------------------------------------------------------------------------------------------

_JOINT = (
    " are normal together, given all else, with the mean z + inv(P) c: z their values, c the gradient of the log joint "
    "density there, P the precision matrix with these entries, 0 elsewhere:"
)
_ELIMINATED = (
    "Eliminated first, element by element: the node of most elements; then each that leaves nothing between the elements "
    "of the next (groups within groups).  What is left of "
)
_DENSE = (
    " (the smaller of two crossed factors, and what has no index) is one dense matrix; where that has more than 2000 rows, "
    "the nodes are drawn one by one."
)


def _linked(derivation: Derivation, marginal: Marginal) -> tuple[Block, ...]:
    writer = Writer(derivation, marginal.effects[0].conditional)
    members = writer.listed(member.conditional for member in marginal.members)
    given = writer.listed(marginal.variances)
    words: list[str | n.Notation] = ["Drawn in one draw, where it pays: ", *members]
    words.append(_JOINT)
    rows = [row for member in marginal.members for row in _entries(derivation, marginal, member)]
    blocks: list[Block] = [Display(words=tuple(words), rows=tuple(rows))]
    blocks.append(Paragraph(words=(_ELIMINATED, *members, _DENSE)))
    if marginal.variances:
        words = ["Before that ", *given, " can be updated with all of them integrated out, by"]
        density = n.Density(n.Sequence(tuple(writer.write(c.target) for c in marginal.variances)), None)
        kernel = writer.write(marginal.log_kernel)
        row = Row(left=n.Apply("log", (density,)), relation="=", right=kernel, constant=True)
        tail: Words = (f"to which (c' inv(P) c - log det P) / 2 is added ({SOURCE}):",)
        blocks.append(Display(words=(*words, " the log density ", *tail), rows=(row,)))
    return tuple(blocks)


def _entries(derivation: Derivation, marginal: Marginal, member: Member) -> list[Row]:
    """Return the entries of the joint precision for one node with itself, and with those after it."""
    writer = Writer(derivation, member.conditional)
    own = member.conditional.target
    rows = [_entry(writer, own, own, member.precision)]
    for other in marginal.members:
        if any(link.name == other.node for link in member.links):
            target = other.conditional.target
            rows.append(_entry(writer, own, target, -derivative(member.links, other.node, target.indices)))
    return rows


def _entry(writer: Writer, left: Ref, right: Ref, value: Expr) -> Row:
    place = n.Apply("P", (writer.write(left), writer.write(right)))
    return Row(left=place, relation="=", right=writer.write(value))
