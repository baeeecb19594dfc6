"""Show stage, what can be integrated out: the density of the variances, and the order of draws that keeps the target."""

from __future__ import annotations

from collections.abc import Iterable

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
    writer = _Writer(derivation, marginal.variances[0])
    return (
        _order(marginal, writer),
        _density(derivation, marginal, writer),
        *_slopes(derivation, marginal, writer),
    )


class _Writer:
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


def _order(marginal: Marginal, writer: _Writer) -> Block:
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


def _density(derivation: Derivation, marginal: Marginal, writer: _Writer) -> Block:
    left = n.Density(n.Sequence(tuple(writer.write(c.target) for c in marginal.variances)), None)
    effects = writer.listed(member.conditional for member in marginal.effects)
    if marginal.structure == "chain":
        coupling = _Writer(derivation, marginal.effects[0].conditional).write(marginal.effects[0].coupling)
        words: Words = (_CHAIN_BEFORE, *effects, _CHAIN_BETWEEN, coupling)
        words = (*words, _CHAIN_AFTER if marginal.shared else ":")
    else:
        words = (_BEFORE, *effects, _BETWEEN, *effects, _AFTER)
    kernel = writer.write(marginal.log_kernel)
    row = Row(left=n.Apply("log", (left,)), relation="=", right=kernel, constant=True)
    return Display(words=words, rows=(row,))


def _slopes(derivation: Derivation, marginal: Marginal, writer: _Writer) -> tuple[Block, ...]:
    return tuple(_slope_block(derivation, marginal, member) for member in marginal.members if member.slopes)


def _slope_block(derivation: Derivation, marginal: Marginal, member: Member) -> Block:
    writer = _Writer(derivation, member.conditional)
    targets = {other.node: other.conditional.target for other in marginal.members}
    words: list[str | n.Notation] = ["The slope of b of ", writer.write(member.conditional.target)]
    for place, (name, slope) in enumerate(member.slopes):
        words += [" in " if place == 0 else "; in ", writer.write(targets[name]), ": ", writer.write(slope)]
    return Paragraph(words=(*words, "."))
