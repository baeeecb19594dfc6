"""Show stage, what a sampler computes when: once a run, once an update, at every step of a random walk."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import sympy as sp
from sympy import Expr

from deriver.algebra import heads
from deriver.algebra.heads import PlateSum, Ref
from deriver.plan.records import LeastSquares, Plan, Reduction, Statistic, Step
from deriver.show import notation as n
from deriver.show.document import Block, Paragraph, Words

Arrange = Callable[[Expr], n.Notation]


def cost_blocks(step: Step, plan: Plan, arrange: Arrange) -> tuple[Block, ...]:
    """Return what is computed once from the data, once an update, and how sums of squares spare the rows."""
    made = {statistic.name: statistic for statistic in plan.statistics}
    pieces = _pieces(step)
    used = _read(pieces, made)
    once = [_in_model_terms(made[name].expression, made) for name in used if made[name].procedure is None]
    blocks: list[Block] = []
    shown = [expr for expr in once if _is_a_sum(expr) and _is_readable(expr, made)]
    if shown:
        blocks.append(Paragraph(words=_listed("Computed once, from the data: ", shown, arrange)))
    blocks += [_reduction_block(reduction, made, arrange) for reduction in step.reductions]
    often = "Computed at every draw: " if step.method == "gibbs" else "Computed once an update: "
    found = {often: _sums(pieces, step.node, made, held=False)}
    if step.method != "gibbs":
        found["Computed at every proposal: "] = _sums(pieces, step.node, made, held=True)
    blocks += [Paragraph(words=_listed(lead, sums, arrange)) for lead, sums in found.items() if sums]
    return tuple(blocks)


def _pieces(step: Step) -> list[Expr]:
    newton = [] if step.newton is None else [step.newton.gradient, step.newton.hessian]
    kernel = [] if step.kernel is None else [step.kernel]
    return [*(expr for _, expr in step.parameters), *kernel, *newton]


def _read(pieces: Iterable[Expr], made: dict[str, Statistic]) -> list[str]:
    """Return the statistics that expressions read, in the order in which they are computed."""
    names = {ref.name for piece in pieces for ref in piece.atoms(Ref)}
    return [name for name in made if name in names]


def _in_model_terms(expr: Expr, made: dict[str, Statistic]) -> Expr:
    """Return an expression with the statistics that it reads written out."""
    rules: dict[Expr, Expr] = {}
    for ref in expr.atoms(Ref):
        statistic = made.get(ref.name)
        if statistic is not None and statistic.procedure is None:
            own = dict(zip(statistic.indices, ref.indices, strict=True))
            rules[ref] = _in_model_terms(statistic.expression.xreplace(own), made)
    return expr.xreplace(rules)


def _is_a_sum(expr: Expr) -> bool:
    return bool(expr.atoms(PlateSum))


def _is_readable(expr: Expr, made: dict[str, Statistic]) -> bool:
    """Tell whether an expression holds quantities of the model alone."""
    return not any(ref.name in made for ref in expr.atoms(Ref))


def _sums(pieces: list[Expr], node: str, made: dict[str, Statistic], *, held: bool) -> list[Expr]:
    """Return the sums over plates in which the target stands (``held``), or other nodes alone."""
    found = [part for piece in pieces for part in _outermost_sums(piece)]
    chosen = [_in_model_terms(part, made) for part in found if heads.mentions(part, node) is held]
    return [part for part in dict.fromkeys(chosen) if _is_readable(part, made)]


def _outermost_sums(expr: sp.Basic) -> list[Expr]:
    if isinstance(expr, PlateSum):
        return [expr]
    return [part for arg in expr.args for part in _outermost_sums(arg)]


def _listed(lead: str, exprs: list[Expr], arrange: Arrange) -> Words:
    words: list[str | n.Notation] = [lead]
    for place, expr in enumerate(exprs):
        words += [", "] * bool(place) + [arrange(expr)]
    return (*words, ".")


def _reduction_block(reduction: Reduction, made: dict[str, Statistic], arrange: Arrange) -> Block:
    fit: LeastSquares = reduction.procedure
    cells = ", ".join(symbol.name for symbol in made[fit.rss].indices)
    of = f"the rows of each {cells} are" if cells else "the rows are"
    end = (
        f"{of} fitted by least squares once, and the sum taken around that fit: its cost is free of the rows."
    )
    if not _is_readable(reduction.total, made):
        return Paragraph(words=(f"In place of the sum of squares, {end}",))
    return Paragraph(words=("For ", arrange(reduction.total), ", ", end))
