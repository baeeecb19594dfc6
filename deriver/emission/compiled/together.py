"""Compiled update of a block: its variances in one Metropolis–Hastings step, then the shared nodes.

The density is seen from an anchor, a copy of the state into which proposals are written; where it depends on no node
outside the block, the anchor stays, and the density at the current value is known from the sweep before.
"""

from __future__ import annotations

from collections.abc import Sequence

from sympy import Expr

from deriver.emission.block_words import joined_names, order_words
from deriver.emission.blocks import update_name
from deriver.emission.compiled import unrolled
from deriver.emission.compiled.body import Body
from deriver.emission.compiled.functions import new_body, place
from deriver.emission.compiled.marginal import Sizes, marginal_functions
from deriver.emission.compiled.scalars import matrix
from deriver.emission.compiled.unrolled import Matrix
from deriver.emission.compiled.walks import Scale, held
from deriver.emission.coordinates import FARTHEST, NO_DIGITS, find_reach
from deriver.emission.naming import local_name
from deriver.emission.scope import Module, make_function
from deriver.emission.text import atom, break_call, call
from deriver.emission.views import FunctionView
from deriver.plan.layout import unsupported
from deriver.plan.records import Block, Step

HELPERS = {"copy_numbers", "propose_block", "adapt_block", "uniform", "normal"}


def block_functions(module: Module, sizes: dict[Expr, Expr]) -> tuple[list[FunctionView], dict[str, object]]:
    """Return the functions of the plan's block, and the lengths of the arrays that its steps keep."""
    block = module.plan.block
    assert block is not None
    views, total = marginal_functions(module, sizes, block)
    there, length = to_coordinates(module, sizes, block.variances)
    module.needs.helpers |= HELPERS
    functions = [
        *views, there, from_coordinates(module, sizes, block.variances), _update(module, sizes, block, total)
    ]  # fmt: skip
    lengths: dict[str, object] = {"size": length, "sums": total.sums, "found": total.found}
    return functions, lengths


# --- coordinates ----------------------------------------------------------------------------------------------


def _side(body: Body, step: Step) -> int:
    """Return the side of a positive definite matrix; other matrices are refused."""
    if step.conditional.support[0] != "spd":
        raise unsupported(f"a correlation matrix, {step.node},", "use the numpy backend")
    return body.side(step.conditional.shape[0])


def to_coordinates(
    module: Module, sizes: dict[Expr, Expr], steps: Sequence[Step], suffix: str = ""
) -> tuple[FunctionView, int]:
    """Return ``to_coordinates``, which puts nodes on an unbounded scale, and how many numbers that are."""
    body = new_body(module, sizes)
    body.taken.add("u")
    at, words = 0, []
    for step in steps:
        if _is_vector(step):
            for a in range(body.side(step.conditional.shape[0])):
                body.add(f"u[{at}] = state.{step.node}[{a}]")
                at += 1
            words.append(step.node)
            continue
        if step.conditional.shape:
            lower = unrolled.write_cholesky(body, matrix(body, step.conditional.target))
            for a, row in enumerate(lower):
                for b in range(a + 1):
                    text = call("math.log", row[b].text) if a == b else row[b]
                    body.assign(f"u[{at}]", text)
                    at += 1
            words.append(f"the entries of the Cholesky factor of {step.node}, logs on its diagonal")
            continue
        scale = Scale(step)
        scale.write_bounds(body)
        body.add(f"u[{at}] = {scale.forth(f'state.{step.node}[0]')}")
        words.append(scale.words or step.node)
        at += 1
    nodes = ", ".join(step.node for step in steps)
    doc = [f"Put {nodes} into u on an unbounded scale.", f"In this order: {'; '.join(words)}."]
    parameters = ("state: State", "data: Data", "u: Array")
    return make_function(f"to_coordinates{suffix}", parameters, "None", doc, body.lines()), at


def _is_vector(step: Step) -> bool:
    """Tell whether a node is a vector without bounds, which stays as it is."""
    return len(step.conditional.shape) == 1 and step.conditional.support == ("real", None, None)


def from_coordinates(
    module: Module, sizes: dict[Expr, Expr], steps: Sequence[Step], suffix: str = ""
) -> FunctionView:
    """Return ``from_coordinates``, which puts nodes back from there, with the log Jacobian."""
    body = new_body(module, sizes)
    body.taken |= {"u", "log_jacobian", *(local_name(step.node) for step in steps)}
    body.add("log_jacobian = 0.0")
    at = 0
    for step in steps:
        if _is_vector(step):
            for a in range(body.side(step.conditional.shape[0])):
                body.add(f"state.{step.node}[{a}] = u[{at}]")
                at += 1
            continue
        if step.conditional.shape:
            at = _write_matrix(body, step, at)
            continue
        scale = Scale(step)
        scale.write_bounds(body)
        if scale.low and scale.high:
            least, most = _write_reach(body, step, scale)
            body.add(f"if u[{at}] < {least} or u[{at}] > {most}:  # too near to a bound to keep digits")
            body.add("    return -math.inf")
        body.add(f"{scale.node} = {scale.back(f'u[{at}]')}")
        jacobian = scale.log_jacobian().removeprefix(" + ")
        if jacobian:
            body.add(f"log_jacobian += {f'u[{at}]' if jacobian == 'u' else jacobian}")
        body.add(f"state.{step.node}[0] = {scale.node}")
        at += 1
    body.add("return log_jacobian")
    doc = ["Put the values that u stands for into the state; return log |d/du|, -inf where they are refused."]
    parameters = ("state: State", "data: Data", "u: Array")
    return make_function(f"from_coordinates{suffix}", parameters, "float", doc, body.lines())


def _write_reach(body: Body, step: Step, scale: Scale) -> tuple[str, str]:
    """Return the texts of the least and the greatest logit of a node; named where they depend on data."""
    reach = find_reach(step)
    if reach is not None:
        return (f"-{reach[0]}", str(reach[1]))
    names = (body.fresh("least"), body.fresh("most"))
    for name, sign, end in zip(names, ("-", ""), (scale.low, scale.high), strict=True):
        share = f"({scale.high} - {held(scale.low)}) / max(abs({end}), {NO_DIGITS})"
        body.add(f"{name} = {sign}({FARTHEST} + math.log(max({share}, 1.0)))")
    return names


def _write_matrix(body: Body, step: Step, at: int) -> int:
    """Write LL' of the entries of L; d(LL')/dL has the determinant 2^p prod(L_kk^(p - k)), k from 0."""
    side = _side(body, step)
    lower: Matrix = [[atom("0") for _ in range(side)] for _ in range(side)]
    for a in range(side):
        for b in range(a + 1):
            text = call("math.exp", f"u[{at}]") if a == b else atom(f"u[{at}]")
            lower[a][b] = unrolled.named(body, f"L_{a}{b}", text)
            if a == b:
                body.add(f"log_jacobian += {side + 1 - a} * u[{at}]")
            at += 1
    for a in range(side):
        for b in range(a + 1):
            cell = unrolled.sum_products([(lower[a][c], lower[b][c]) for c in range(b + 1)])
            body.assign(place(f"state.{step.node}", (a, b)), cell)
            if a != b:
                body.add(f"{place(f'state.{step.node}', (b, a))} = {place(f'state.{step.node}', (a, b))}")
    return at


# --- the update -----------------------------------------------------------------------------------------------


def _update(module: Module, sizes: dict[Expr, Expr], block: Block, total: Sizes) -> FunctionView:
    body = new_body(module, sizes)
    for line in _move_lines(module, block, total):
        body.add(line)
    _draw_shared(body, block, total)
    variances = ", ".join(step.node for step in block.variances)
    effects = joined_names(block.effects)
    then = f", and draw {joined_names(block.shared)}." if block.shared else "."
    doc = [f"Update {variances} together, {effects} integrated out{then}", order_words(block)]
    parameters = [
        "rng: Random", "state: State", "data: Data", "block: BlockSteps", "rates: Rates", "warming: bool"
    ]  # fmt: skip
    return make_function(update_name(module.plan), parameters, "None", doc, body.lines())


def _move_lines(module: Module, block: Block, total: Sizes) -> list[str]:
    """Return the lines that see the density from the anchor and move; while warming up, several times a sweep."""
    sums = ["sums"] if total.sums else []
    lines = ["anchor, u, numbers, found = block.anchor, block.u, block.numbers, block.found"]
    lines += ["sums, dets = block.sums, block.dets"] if sums else ["dets = block.dets"]
    lines.append("if numbers[KNOWN] == 0.0:")
    lines += [f"    copy_numbers(state.{q.name}, anchor.{q.name})" for q in module.state_nodes()]
    lines += ["    marginal_sums(anchor, data, sums)"] if sums else []
    lines += [
        "    to_coordinates(anchor, data, u[PLACE])",
        "    numbers[NOW] = from_coordinates(anchor, data, u[PLACE])",
        *(line[4:] for line in _density_lines("numbers[NOW]", "found[0]", sums, 2)),
        "    numbers[KNOWN] = 1.0",
        "for _ in range(4 if warming and numbers[SWEEPS] < 2000 else 1):",
        "    log_ratio = propose_block(rng, block)",
        "    then = from_coordinates(anchor, data, u[PROPOSAL])",
        "    if then > -math.inf:",
        *(line[4:] for line in _density_lines("then", "found[1]", sums, 3)),
        "    taken = math.log(uniform(rng)) < then - numbers[NOW] + log_ratio",
        "    if taken:",
        "        numbers[NOW] = then",
        "        copy_numbers(u[PROPOSAL], u[PLACE])",
        "        copy_numbers(found[1], found[0])",
        "    if warming:",
        "        adapt_block(block, 1.0 if taken else 0.0)",
    ]
    lines += [f"rates.{step.node}[0] += 1.0 if taken else 0.0" for step in block.variances]
    lines.append("from_coordinates(state, data, u[PLACE])")
    if block.rest:
        lines.append("numbers[KNOWN] = 0.0  # it depends on what is drawn after")
    return lines


def _density_lines(name: str, found: str, sums: list[str], depth: int) -> list[str]:
    return break_call(f"{name} += log_marginal(", ["anchor", "data", *sums, "dets", found], ")", depth)


def _draw_shared(body: Body, block: Block, total: Sizes) -> None:
    if not block.shared:
        return
    size = total.shared
    lower: Matrix = [[atom("0") for _ in range(size)] for _ in range(size)]
    number = 0
    for a in range(size):
        for b in range(a + 1):
            lower[a][b] = atom(f"found[0, {number}]")
            number += 1
    noisy = [atom(body.fresh(f"noisy_{a}")) for a in range(size)]
    for a, name in enumerate(noisy):
        body.add(f"{name.text} = found[0, {number + a}] + normal(rng)")
    shifts = [body.fresh(f"shift_{a}") for a in range(size)]
    unrolled.back_solution(body, lower, noisy, shifts)
    at = 0
    for member in block.shared:
        sides = range(body.side(member.conditional.shape[0])) if member.conditional.shape else (None,)
        for component in sides:
            cell = place(f"state.{member.node}", () if component is None else (component,))
            anchor = cell.replace("state.", "anchor.", 1)
            body.add(f"{cell} = {anchor} + {shifts[at]}")
            at += 1
