"""Sums over all rows of a joint density, read from what Newton proposals keep of each element.

``total_<node>`` adds the sums of every element up; where an element has moved since they were taken, they are taken anew
and kept.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from sympy import Expr

from deriver.algebra.heads import PlateSum
from deriver.emission.compiled.functions import new_body, over_elements, place, target_text
from deriver.emission.compiled.newton import (
    WORDS,
    Newton,
    names_of,
    own_place,
    write_row_sums,
    write_sums_now,
)
from deriver.emission.compiled.scalars import outer_sums
from deriver.emission.scope import Module, make_function
from deriver.emission.views import FunctionView
from deriver.plan.records import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Which sums over rows are totals of what is kept of a node: each with the name of that."""

    step: Step
    newton: Newton
    parts: tuple[tuple[Expr, str], ...]


def find_totals(
    module: Module, sizes: dict[Expr, Expr], kernel: Expr, moved: Collection[str]
) -> Totals | None:
    """Return the sums in a kernel that are totals of what is kept of a node that moves; None where there are none."""
    for node in moved:
        newton = module.needs.proposals.get(node)
        if newton is None:
            continue
        step = module.plan.step(node)
        body = replace(new_body(module, sizes), words=WORDS)
        with over_elements(body, step):
            kept = write_row_sums(body, step).numbers(step.conditional.target)
        own = {
            PlateSum(part.body, (*step.conditional.ranges, *part.bounds), part.conditions): name
            for part, name in kept.items()
        }
        parts = tuple((part, own[part]) for part in dict.fromkeys(outer_sums(kernel)) if part in own)
        if parts:
            return Totals(step=step, newton=newton, parts=parts)
    return None


def total_function(module: Module, sizes: dict[Expr, Expr], totals: Totals) -> FunctionView:
    """Return ``total_<node>``."""
    step, newton = totals.step, totals.newton
    body = replace(new_body(module, sizes), words=WORDS)
    names = [body.fresh(f"all_{name}") for _, name in totals.parts]
    for name in names:
        body.add(f"{name} = 0.0")
    with over_elements(body, step):
        write_row_sums(body, step)
        where, now = target_text(body, step), names_of(body, step, step.node)
        for a, name in enumerate(now):
            body.add(f"{name} = {place(where, (a,))}")
        kept = dict(zip(newton.sums, write_sums_now(body, newton, own_place(where), now), strict=True))
        for name, (_, own) in zip(names, totals.parts, strict=True):
            body.add(f"{name} += {kept[own]}")
    body.add(f"return ({', '.join(names)}{',' if len(names) == 1 else ''})")
    doc = [
        f"Return sums over the rows of all {step.node}: those that are kept, or new ones where it has moved."
    ]
    parameters = ("state: State", "data: Data", "kept: Array")
    return make_function(f"total_{step.node}", parameters, "tuple[float, ...]", doc, body.lines())
