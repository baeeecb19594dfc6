"""Derivation → joint moves with the density that weighs them, data-only sums replaced by their names."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from deriver.derivation.factors import Definitions
from deriver.derivation.joint_kernel import check_joint_kernel, joint_kernel
from deriver.derivation.records import Derivation
from deriver.plan.layout import Space
from deriver.plan.records import Step, Together
from deriver.plan.statistics import Hoisting
from deriver.plan.together import find_together


def make_moves(
    derivation: Derivation, steps: tuple[Step, ...], space: Space, hoisting: Hoisting, chosen: Collection[str],
    *, interwoven: bool = True,
) -> tuple[Together, ...]:  # fmt: skip
    """Return the joint moves of a model; ``chosen`` nodes, and those of a block, are in none.

    ``interwoven`` adds those of effects with their centre, and of vectors with their covariance.
    """
    settled = [statistic.quantity.name for statistic in hoisting.statistics]
    found = find_together(derivation, steps, chosen, settled, interwoven=interwoven)
    return tuple(_weighed(derivation, move, space, hoisting) for move in found)


def _weighed(derivation: Derivation, move: Together, space: Space, hoisting: Hoisting) -> Together:
    """Return a move with its kernel, whose identity is checked.

    As it is, weighed by the families' densities, where that cannot be, or something is integrated out or cut off.
    """
    cut = any(factor.truncation is not None or factor.moving_bounds is not None for factor in move.factors)
    if cut or move.integrated is not None:
        return move
    targets = [derivation.node(name).target for name in move.moved]
    kernel = joint_kernel(move.factors, [], targets, Definitions(derivation.definitions))
    if not check_joint_kernel(derivation, kernel, move.moved):
        return move
    return replace(move, log_kernel=kernel, kernel=hoisting.rewrite(kernel, space))
