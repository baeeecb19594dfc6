"""Compiled updates of a vector by Metropolis–Hastings with Newton proposals.

``newton_<node>`` gives, at a point, the log kernel and the proposal from there: its centre, a Newton step away, and
the Cholesky factor of its precision.  The update uses it at the value and at the proposal; ``climb_<node>`` finds the
mode with it.
"""

from __future__ import annotations

import sympy as sp

from deriver.algebra.heads import Ref, Variable
from deriver.emission.compiled import unrolled
from deriver.emission.compiled.body import Body
from deriver.emission.compiled.functions import (
    describe_one_chain,
    finish,
    new_body,
    over_elements,
    place,
    target_text,
)
from deriver.emission.compiled.inner import arguments_of, inner_function, kind_of
from deriver.emission.compiled.scalars import matrix, scalar, vector, write_sums
from deriver.emission.mathtext import show
from deriver.emission.scope import Module, make_function
from deriver.emission.text import Text, atom, break_call, join_product, join_sum
from deriver.emission.views import FunctionView
from deriver.plan.layout import unsupported
from deriver.plan.records import Step

FREEDOM = 4
STEPS_UP = 20


def newton_functions(module: Module, sizes: dict, step: Step) -> list[FunctionView]:
    """Return ``newton_<node>``, ``climb_<node>`` and ``update_<node>``."""
    if step.newton is None or len(step.conditional.shape) != 1:
        raise unsupported(f"the Newton proposal of {step.node}", "use the numpy backend")
    node = step.node
    body, climb = new_body(module, sizes, step), new_body(module, sizes, step)
    with over_elements(body, step):
        lines, arguments = _write_newton(body, step)
        _write_update(body, step, arguments)
    with over_elements(climb, step):
        _write_newton(climb, step)
        _write_climb(climb, step, arguments)
    doc = [
        f"Return the log kernel at {node}, and the centre and Cholesky factor of the proposal from there.",
        f"gradient = {show(step.newton.gradient)}",
        f"Hessian = {show(step.newton.hessian)}",
    ]
    points = [f"{name}: float" for name in _names(body, step, node)]
    parameters = [*points, *(f"{name}: {kind_of(name, body)}" for name in arguments)]
    first = make_function(f"newton_{node}", parameters, "tuple[float, ...]", doc, lines)
    up_doc = [f"Take {node} up to its mode by Newton steps, halved until they rise."]
    up = finish(f"climb_{node}", climb, up_doc, parameters=["state: State", "data: Data"])
    head = ["rng: Random", "state: State", "data: Data", "rate: Array"]
    update = finish(f"update_{node}", body, describe_one_chain(module, step), parameters=head)
    return [first, up, update]


def _names(body: Body, step: Step, base: str) -> list[str]:
    return [f"{base}_{a}" for a in range(body.side(step.conditional.shape[0]))]


def _root(size: int, name: str) -> list[list[str]]:
    return [[f"{name}_{a}{b}" for b in range(a + 1)] for a in range(size)]


def _write_newton(body: Body, step: Step) -> tuple[list[str], list[str]]:
    """Return the lines of ``newton_<node>`` and the names that it needs."""
    assert step.newton is not None
    moving = Ref(Variable(f"{step.node} (moving)", step.conditional.shape))
    parts = (step.kernel or sp.S.Zero, step.newton.gradient, sp.expand(-step.newton.hessian))
    kernel, gradient, curvature = (e.xreplace({step.conditional.target: moving}) for e in parts)
    points = _names(body, step, step.node)
    body.taken |= set(points)
    with inner_function(body, moving, [atom(name) for name in points]) as inner:
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
    return inner.lines, arguments_of(body, inner, points)


def _results(size: int, log_kernel: str, centre: str, root: str) -> list[str]:
    cells = [name for row in _root(size, root) for name in row]
    return [log_kernel, *(f"{centre}_{a}" for a in range(size)), *cells]


def _call(
    body: Body, step: Step, results: list[str], points: list[str], arguments: list[str], closing: str = ")"
) -> None:
    """Write results = newton_<node>(points, arguments)."""
    depth = body.block.depth
    head = f"{', '.join(results)} = newton_{step.node}("
    body.block.lines += break_call(head, [*points, *arguments], closing, depth)


def _write_update(body: Body, step: Step, arguments: list[str]) -> None:
    body.needs.helpers |= {"normal", "uniform", "random_gamma"}
    size = body.side(step.conditional.shape[0])
    where, now = target_text(body, step), _names(body, step, step.node)
    for a, name in enumerate(now):
        body.add(f"{name} = {place(where, (a,))}")
    _call(body, step, _results(size, "now", "centre", "L"), now, arguments)
    lower = [[atom(name) for name in row] for row in _root(size, "L")]
    body.add(f"wide = math.sqrt({FREEDOM / 2} / random_gamma(rng, {FREEDOM / 2}))  # t with {FREEDOM} df")
    scaled = [f"t_{a}" for a in range(size)]
    for name in scaled:
        body.add(f"{name} = wide * normal(rng)")
    unrolled.back_solution(body, lower, [atom(name) for name in scaled], [f"turned_{a}" for a in range(size)])
    new = [f"new_{a}" for a in range(size)]
    for a, name in enumerate(new):
        body.add(f"{name} = centre_{a} + turned_{a}")
    _call(body, step, _results(size, "then", "back", "M"), new, arguments)
    _write_reverse(body, size, now)
    power = (FREEDOM + size) / 2
    ahead = join_sum([(False, join_product([atom(n), atom(n)], [])) for n in scaled]).text
    behind = join_sum([(False, join_product([atom(f"s_{a}"), atom(f"s_{a}")], [])) for a in range(size)]).text
    body.add("ratio = then - now")
    volume = " * ".join(f"M_{a}{a}" for a in range(size)), " * ".join(f"L_{a}{a}" for a in range(size))
    body.add(f"ratio += math.log({volume[0]}) - math.log({volume[1]})")
    body.add(f"ratio += {power} * math.log1p(({ahead}) / {FREEDOM})")
    body.add(f"ratio -= {power} * math.log1p(({behind}) / {FREEDOM})")
    body.add("if math.log(uniform(rng)) < ratio:")
    for a, name in enumerate(new):
        body.add(f"    {place(where, (a,))} = {name}")
    own = where[where.index("[") :] if "[" in where else "[0]"
    body.add(f"    rate{own} += 1.0")


def _write_reverse(body: Body, size: int, now: list[str]) -> None:
    """s = M'(value - back): how far the way back is."""
    for a in range(size):
        terms: list[Text] = [
            join_product(
                [atom(f"M_{c}{a}"), join_sum([(False, atom(now[c])), (True, atom(f"back_{c}"))])], []
            )
            for c in range(a, size)
        ]
        body.assign(f"s_{a}", join_sum([(False, term) for term in terms]))


def _write_climb(body: Body, step: Step, arguments: list[str]) -> None:
    size = body.side(step.conditional.shape[0])
    where, now = target_text(body, step), _names(body, step, step.node)
    new = [f"new_{a}" for a in range(size)]
    for a, name in enumerate(now):
        body.add(f"{name} = {place(where, (a,))}")
    _call(body, step, ["now", *(f"centre_{a}" for a in range(size))], now, arguments, f")[:{size + 1}]")
    body.add(f"for _ in range({STEPS_UP}):")
    body.block.depth += 1
    body.add("size, then = 1.0, -math.inf")
    body.add("while size > 1e-9 and not then >= now:")
    body.block.depth += 1
    for a, name in enumerate(new):
        body.add(f"{name} = {now[a]} + size * (centre_{a} - {now[a]})")
    _call(body, step, ["then", *(f"ahead_{a}" for a in range(size))], new, arguments, f")[:{size + 1}]")
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
