"""Compiled updates of a vector by Metropolis–Hastings with Newton proposals.

``sums_<node>`` adds up, at a point, what the rows say of it; ``newton_<node>`` gives from these sums the log kernel and
the proposal from there: its centre, a Newton step away, and the Cholesky factor of its precision.  The update uses both
at the value and at the proposal; ``climb_<node>`` finds the mode with them.

Sums that depend on the data and the value alone are kept with it from sweep to sweep, so that a sweep goes over the rows
once, at the proposal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import sympy as sp
from sympy import Expr

from deriver.algebra.heads import Ref, Variable
from deriver.emission.compiled import unrolled
from deriver.emission.compiled.body import Body
from deriver.emission.compiled.functions import (
    describe_one_chain,
    finish,
    new_body,
    over_elements,
    place,
    put_moving,
    target_text,
)
from deriver.emission.compiled.inner import Inner, arguments_of, assigned_in, inner_function, kind_of
from deriver.emission.compiled.proposals import Noise, Point, write_proposal, write_ratio, write_width
from deriver.emission.compiled.scalars import (
    LARGEST_SIDE,
    cells_of,
    matrix,
    outer_sums,
    scalar,
    value,
    vector,
    write_sums,
)
from deriver.emission.mathtext import show
from deriver.emission.scope import Module, make_function
from deriver.emission.text import Text, atom, break_call
from deriver.emission.views import FunctionView
from deriver.plan.layout import unsupported
from deriver.plan.records import Step

STEPS_UP = 20
# Locals of the updates that stand in the text as they are.
WORDS = frozenset(
    ["a", "begin", "count", "first", "k", "kept", "lane", "now"]
    + ["rate", "room", "row", "size", "sums", "then", "total"]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Newton:
    """The proposal of a node as text: the sums over its rows, and what the functions need from around them."""

    node: str
    size: int
    sums: tuple[str, ...]
    sum_arguments: tuple[str, ...]
    arguments: tuple[str, ...]
    kept: bool


def newton_functions(module: Module, sizes: dict, step: Step) -> list[FunctionView]:
    """Return ``sums_<node>`` where there are sums, ``newton_<node>``, ``climb_<node>`` and ``update_<node>``."""
    from deriver.emission.compiled.lanes import is_side_by_side, write_side_by_side

    if step.newton is None or len(step.conditional.shape) != 1:
        raise unsupported(f"the Newton proposal of {step.node}", "use the numpy backend")
    node = step.node
    if new_body(module, sizes).side(step.conditional.shape[0]) > LARGEST_SIDE:
        raise unsupported(f"{node} with more than {LARGEST_SIDE} components", "use the numpy backend")
    body, climb = (replace(new_body(module, sizes), words=WORDS) for _ in range(2))
    if is_side_by_side(body, step):
        newton, functions = write_side_by_side(body, step)
    else:
        with over_elements(body, step):
            newton, functions = write_newton(body, step)
            _write_update(body, step, newton)
    with over_elements(climb, step):
        write_newton(climb, step)
        _write_climb(climb, step, newton)
    if newton.kept:
        module.needs.kept_sums[node] = newton.size + len(newton.sums)
        module.needs.proposals[node] = newton
    up_doc = [f"Take {node} up to its mode by Newton steps, halved until they rise."]
    up = finish(f"climb_{node}", climb, up_doc, parameters=["state: State", "data: Data"])
    return [*functions, up, _update_view(module, body, step, newton)]


def _update_view(module: Module, body: Body, step: Step, newton: Newton) -> FunctionView:
    kept = ["kept: Array"] if newton.kept else []
    head = ["rng: Random", "state: State", "data: Data", *kept, "rate: Array"]
    doc = describe_one_chain(module, step)
    if newton.kept:
        doc.append("kept has the sums over the rows, and the value at which they were taken.")
    return finish(f"update_{step.node}", body, doc, parameters=head)


def names_of(body: Body, step: Step, base: str) -> list[str]:
    """Return a name for each component of a node."""
    return [f"{base}_{a}" for a in range(body.side(step.conditional.shape[0]))]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSums:
    """The sums over rows that a Newton proposal needs, as ``sums_<node>`` adds them up.

    ``known`` has the values of the ``parts``, in terms of ``moving``; ``names`` are what the function returns.
    """

    moving: Ref
    exprs: tuple[Expr, Expr, Expr]
    parts: list[Expr]
    known: dict
    names: tuple[str, ...]
    rows: Inner

    def numbers(self, target: Ref) -> dict[Expr, str]:
        """Return the parts that are one number, in terms of the node, and their names."""
        back = {self.moving: target}
        single = [part for part in self.parts if isinstance(self.known[part], Text)]
        return {part.xreplace(back): self.known[part].text for part in single}


def write_row_sums(body: Body, step: Step) -> RowSums:
    """Return the sums over rows of a node's Newton proposal."""
    assert step.newton is not None
    node = step.node
    moving = Ref(Variable(f"{node} (moving)", step.conditional.shape))
    parts = (step.kernel or sp.S.Zero, step.newton.gradient, sp.expand_mul(-step.newton.hessian, deep=False))
    kernel, gradient, curvature = (
        put_moving(each, step.conditional.target, moving, step.space) for each in parts
    )
    points = names_of(body, step, node)
    body.taken |= set(points)
    known = {moving: [atom(name) for name in points]}
    sums = [
        part for part in dict.fromkeys(outer_sums(sp.Tuple(kernel, gradient, curvature))) if part.has(moving)
    ]
    with inner_function(body, known) as rows, _streaming(body):
        write_sums(body, sums)
        known |= {part: value(body, part) for part in sums}
        names = tuple(dict.fromkeys(cell.text for part in sums for cell in cells_of(known[part])))
        body.block.lines += break_call("return (", [*names, *([""] if len(names) == 1 else [])], ")", 1)
    return RowSums(
        moving=moving, exprs=(kernel, gradient, curvature), parts=sums, known=known, names=names, rows=rows
    )


def write_newton(body: Body, step: Step) -> tuple[Newton, list[FunctionView]]:
    """Return the proposal, with ``sums_<node>`` and ``newton_<node>``."""
    found = write_row_sums(body, step)
    rows, sums, known, names = found.rows, found.parts, found.known, found.names
    kernel, gradient, curvature = found.exprs
    node, points = step.node, names_of(body, step, step.node)
    around = arguments_of(body, rows, points)
    with inner_function(body, known) as inner:
        write_sums(body, [kernel, gradient, curvature])
        top = unrolled.named(body, "log_kernel", scalar(body, kernel))
        slope = [unrolled.named(body, f"gradient_{a}", cell) for a, cell in enumerate(vector(body, gradient))]
        lower = unrolled.write_cholesky(body, matrix(body, curvature))
        half = unrolled.write_forward(body, lower, slope)
        moves = [body.fresh(f"move_{a}") for a in range(len(half))]
        unrolled.back_solution(body, lower, half, moves)
        centre = [f"{point} + {move}" for point, move in zip(points, moves, strict=True)]
        root = [lower[a][b].text for a in range(len(lower)) for b in range(a + 1)]
        body.block.lines += break_call("return (", [top.text, *centre, *root], ")", 1)
    newton = Newton(
        node=node,
        size=len(points),
        sums=names,
        sum_arguments=tuple(around),
        arguments=tuple(arguments_of(body, inner, [*points, *names])),
        kept=bool(sums)
        and not any(_moves(body, ref) for part in sums for ref in part.atoms(Ref) - {found.moving}),
    )
    _free(body, rows)
    _free(body, inner)
    return newton, _newton_views(body, step, newton, rows.lines, inner.lines)


def _free(body: Body, inner: Inner) -> None:
    """Let the names of the locals of an inner function be used again outside of it."""
    around = {name for block in body.blocks for name in assigned_in(block.lines)}
    body.taken -= assigned_in(inner.lines) - around - inner.outside - set(body.aliases)


@contextmanager
def _streaming(body: Body) -> Iterator[None]:
    """Read rows one after another, so that a loop over them vectorises."""
    body.streaming = True
    try:
        yield
    finally:
        body.streaming = False


def _moves(body: Body, ref: Ref) -> bool:
    """Tell whether a quantity changes from sweep to sweep."""
    return ref.name in body.definitions or body.quantity(ref.name).chain


def _newton_views(
    body: Body, step: Step, newton: Newton, rows: list[str], lines: list[str]
) -> list[FunctionView]:
    assert step.newton is not None
    node, points = newton.node, names_of(body, step, newton.node)

    def view(
        name: str, own: Sequence[str], around: Sequence[str], doc: list[str], text: list[str]
    ) -> FunctionView:
        typed = [*(f"{name}: float" for name in own), *(f"{name}: {kind_of(name, body)}" for name in around)]
        return make_function(name, typed, "tuple[float, ...]", doc, text)

    doc = [
        f"Return the log kernel at {node}, and the centre and Cholesky factor of the proposal from there.",
        f"gradient = {show(step.newton.gradient)}",
        f"Hessian = {show(step.newton.hessian)}",
    ]
    found = [view(f"newton_{node}", [*points, *newton.sums], newton.arguments, doc, lines)]
    if newton.sums:
        rows_doc = [f"Return the sums over rows that depend on {node}."]
        found.insert(0, view(f"sums_{node}", points, newton.sum_arguments, rows_doc, rows))
    return found


def write_call(
    body: Body, newton: Newton, results: Sequence[str], arguments: Sequence[str], closing: str = ")"
) -> None:
    """Write results = newton_<node>(arguments)."""
    head = f"{', '.join(results)} = newton_{newton.node}("
    body.block.lines += break_call(head, arguments, closing, body.block.depth)


def write_sums_at(body: Body, newton: Newton, points: Sequence[str]) -> list[str]:
    """Write the sums at a point; return them as arguments."""
    if not newton.sums:
        return []
    arguments = [*points, *newton.sum_arguments]
    body.block.lines += break_call(f"sums = sums_{newton.node}(", arguments, ")", body.block.depth)
    return ["*sums"]


def _keep(body: Body, own: str, points: Sequence[str]) -> None:
    """Write a value and its sums into what is kept."""
    places = ", ".join(place(f"kept{own}", (a,)) for a in range(len(points)))
    body.add(f"{places} = {', '.join(points)}")
    body.add("for a, total in enumerate(sums):")
    body.add(f"    {place(f'kept{own}', (0,)).replace('[0', f'[{len(points)} + a', 1)} = total")


def write_sums_now(body: Body, newton: Newton, own: str, now: Sequence[str]) -> list[str]:
    """Return the sums at the value as arguments: those kept with it, or new ones where others have changed it."""
    if not newton.kept:
        return write_sums_at(body, newton, now)
    places = [place(f"kept{own}", (a,)) for a in range(newton.size + len(newton.sums))]
    tests = [f"{cell} != {name}" for cell, name in zip(places, now, strict=False)]
    body.add(f"if {' or '.join(tests)}:  # changed by another")
    body.block.depth += 1
    write_sums_at(body, newton, now)
    _keep(body, own, now)
    body.block.depth -= 1
    return places[newton.size :]


def own_place(where: str) -> str:
    """Return the subscript of an element in arrays that have a number for each."""
    return where[where.index("[") :] if "[" in where else "[0]"


def _write_update(body: Body, step: Step, newton: Newton) -> None:
    """Write the update of an element."""
    body.needs.helpers |= {"normal", "uniform"}
    where, now = target_text(body, step), names_of(body, step, step.node)
    own = own_place(where)
    for a, name in enumerate(now):
        body.add(f"{name} = {place(where, (a,))}")
    sums = write_sums_now(body, newton, own, now)
    here, there = Point.of(body, newton.size, "now"), Point.of(body, newton.size, "then")
    write_call(body, newton, here.names, [*now, *sums, *newton.arguments])
    noise = Noise(
        log="math.log", gammas=("uniform(rng)", "uniform(rng)"), normals=("normal(rng)",) * newton.size
    )
    new, scaled = write_proposal(body, here, noise)
    sums = write_sums_at(body, newton, new)
    write_call(body, newton, there.names, [*new, *sums, *newton.arguments])
    ahead = write_width(body, "ahead", scaled)
    ratio = write_ratio(body, there, now, here.value, here.volume, ahead, "math.log")
    body.add(f"if math.log(uniform(rng)) < {ratio}:")
    body.block.depth += 1
    for a, name in enumerate(new):
        body.add(f"{place(where, (a,))} = {name}")
    if newton.kept:
        _keep(body, own, new)
    body.add(f"rate{own} += 1.0")
    body.block.depth -= 1


def _write_climb(body: Body, step: Step, newton: Newton) -> None:
    size = newton.size
    where, now = target_text(body, step), names_of(body, step, step.node)
    new = [f"new_{a}" for a in range(size)]
    for a, name in enumerate(now):
        body.add(f"{name} = {place(where, (a,))}")
    sums, first = write_sums_at(body, newton, now), f")[:{size + 1}]"
    results = ["now", *(f"centre_{a}" for a in range(size))]
    write_call(body, newton, results, [*now, *sums, *newton.arguments], first)
    body.add(f"for _ in range({STEPS_UP}):")
    body.block.depth += 1
    body.add("size, then = 1.0, -math.inf")
    body.add("while size > 1e-9 and not then >= now:")
    body.block.depth += 1
    for a, name in enumerate(new):
        body.add(f"{name} = {now[a]} + size * (centre_{a} - {now[a]})")
    write_sums_at(body, newton, new)
    results = ["then", *(f"ahead_{a}" for a in range(size))]
    write_call(body, newton, results, [*new, *sums, *newton.arguments], first)
    body.add("size /= 2")
    body.block.depth -= 1
    body.add("if not then >= now:")
    body.add("    break")
    body.add("now = then")
    for a, name in enumerate(now):
        body.add(f"{name}, centre_{a} = new_{a}, ahead_{a}")
    body.block.depth -= 1
    for a, name in enumerate(now):
        body.add(f"{place(where, (a,))} = {name}")
