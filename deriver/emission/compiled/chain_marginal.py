"""A chain integrated out in compiled loops: forward to the pivots of A and the means given all before, then back.

The state, a copy that nothing else reads, gets the chain at its mean; ``dets`` gets the pivots, whose product is |A|.
"""

from __future__ import annotations

import sympy as sp
from sympy import Expr

from deriver.emission.compiled import unrolled
from deriver.emission.compiled.body import Body
from deriver.emission.compiled.functions import target_text
from deriver.emission.compiled.indices import loops, positions
from deriver.emission.compiled.scalars import ZERO, matrix, scalar, value, write_sums
from deriver.emission.compiled.unrolled import Matrix
from deriver.emission.scope import Module
from deriver.emission.text import Text, atom
from deriver.plan.layout import unsupported
from deriver.plan.records import Block, BlockMember


def write_chain_mean(module: Module, body: Body, block: Block, columns: int) -> Matrix:
    """Write the chain's mean into the state and the pivots into ``dets``; return [0, B]' inv(A) [0, B].

    The log density is -inf where a pivot is not positive.
    """
    (effect,) = block.effects
    step = module.plan.step(effect.node)
    target, along = effect.conditional.target, step.colour_index
    *outer, inner = effect.conditional.ranges
    if along is None or inner[0] != along:
        raise unsupported(f"a lag over {along} in {effect.node}", "put the lag on the innermost plate")
    body.taken |= {"share", "scale", "before", "pivot"}
    found = _start_products(body, columns)
    carried = [body.fresh(f"B_{a}") for a in range(1, columns)]
    with loops(body, outer):
        body.add("scale, before = 1.0, 0.0  # of the element before, given all earlier")
        for name in carried:
            body.add(f"{name} = 0.0")
        with loops(body, [inner]):
            _go_forward(body, effect, target_text(body, step))
            _add_products(body, block, carried, found)
        with loops(body, [sp.Tuple(along, inner[1] + 1, inner[2])], backwards=True):
            write_sums(body, [effect.coupling])
            earlier = ", ".join(positions(body, target.xreplace({along: along - 1})))
            coupling = unrolled.named(body, "coupling", scalar(body, effect.coupling))
            share = f"{coupling.text} / dets[{earlier}]"
            body.add(f"state.{effect.node}[{earlier}] += {share} * {target_text(body, step)}")
    return found


def _start_products(body: Body, columns: int) -> Matrix:
    found: Matrix = [[ZERO] * columns for _ in range(columns)]
    for a in range(1, columns):
        for b in range(1, a + 1):
            found[a][b] = found[b][a] = atom(body.fresh(f"inner_{a}{b}"))
            body.add(f"{found[a][b].text} = 0.0")
    return found


def _go_forward(body: Body, effect: BlockMember, here: str) -> None:
    """Write one step: the pivot, and the mean given all elements before."""
    write_sums(
        body, [effect.precision, effect.linear, effect.coupling, *(slope for _, slope in effect.slopes)]
    )
    named = {
        name: unrolled.named(body, name, scalar(body, expr)).text
        for name, expr in (
            ("coupling", effect.coupling), ("precision", effect.precision), ("linear", effect.linear)
        )
    }  # fmt: skip
    body.add(f"share = {named['coupling']} * scale")
    body.add(f"pivot = {named['precision']} - share * {named['coupling']}")
    body.add("if not pivot > 0.0:")
    body.add("    return -math.inf")
    body.add("scale = 1 / pivot")
    body.add(f"before = {named['linear']} + share * before")
    body.add(f"dets[{here.split('[', 1)[1]} = pivot")
    body.add(f"{here} = scale * before")


def _add_products(body: Body, block: Block, carried: list[str], found: Matrix) -> None:
    """Write one step of inv(L) B and of the sums of its products, A = LDL'."""
    (effect,) = block.effects
    cells = [cell for other in block.shared for cell in _slope(body, effect.slope(other.node), other)]
    for name, cell in zip(carried, cells, strict=True):
        slope = "" if cell.text == "0" else f"{unrolled.named(body, 'slope', cell).text} + "
        body.add(f"{name} = {slope}share * {name}")
    for a, left in enumerate(carried, 1):
        for b, right in enumerate(carried[:a], 1):
            body.add(f"{found[a][b].text} += {left} * scale * {right}")


def _slope(body: Body, slope: Expr | None, other: BlockMember) -> list[Text]:
    """Return the slope of a number in another node, by the components of that."""
    width = body.side(other.conditional.shape[0]) if other.conditional.shape else 1
    if slope is None:
        return [ZERO] * width
    if not other.conditional.shape:
        return [scalar(body, slope)]
    made = value(body, slope)
    assert isinstance(made, list)
    return list(matrix(body, slope)[0]) if isinstance(made[0], list) else made
