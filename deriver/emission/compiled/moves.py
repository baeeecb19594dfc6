"""Compiled joint moves: nodes proposed together in a copy of the state, the effects beside them going along.

``away_<key>`` puts into an array what stays of the effects, ``back_<key>`` puts the effects where that leads; both
return the log volume of the effects in units of what stays.  ``log_density_<key>`` is the part of the log joint density that changes,
``move_<key>`` proposes and accepts.  Where the sums over rows are those that Newton proposals keep with the value of a
node, ``total_<node>`` reads them there: rows are gone over once, at what is proposed, and not again in the next sweep.
A move that compiled loops cannot hold is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sympy import Expr

from deriver.algebra.heads import Ref
from deriver.derivation.factors import Definitions
from deriver.emission.compiled import unrolled
from deriver.emission.compiled.body import Body
from deriver.emission.compiled.functions import new_body, over_elements, place, target_text
from deriver.emission.compiled.scalars import cells_of, matrix, scalar, value, write_sums
from deriver.emission.compiled.together import from_coordinates, to_coordinates
from deriver.emission.compiled.totals import Totals, find_totals, total_function
from deriver.emission.compiled.unrolled import Matrix
from deriver.emission.coordinates import is_interval
from deriver.emission.scope import Module, make_function
from deriver.emission.text import Text, atom, break_call, call, join_product, join_sum
from deriver.emission.together import joint_moves, kept_words, kernel_words, move_key
from deriver.emission.views import FunctionView
from deriver.errors import UsageError
from deriver.plan.records import Carried, Step, Together

HELPERS = {"copy_numbers", "propose_block", "learn_block", "add_jump", "uniform", "normal"}
MOST_NUMBERS = 12
STATE = ("state: State", "data: Data")


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A joint move as the templates need it: its key, the numbers that it proposes, the nodes whose arrays it needs.

    ``away`` is the node whose shape has what stays of the effects, ``kept`` that whose sums over rows are kept with
    what is proposed; "" of none.
    """

    key: str
    size: int
    away: str
    kept: str
    functions: tuple[FunctionView, ...]


def compiled_moves(module: Module, sizes: dict[Expr, Expr]) -> list[Move]:
    """Return the joint moves that compiled loops can hold, with their functions."""
    return [made for move in joint_moves(module) for made in _written(module, sizes, move)]


def move_functions(moves: list[Move]) -> list[FunctionView]:
    """Return the functions of all moves, those that moves share once."""
    views = {view.signature: view for move in moves for view in move.functions}
    return list(views.values())


def _written(module: Module, sizes: dict[Expr, Expr], move: Together) -> Iterator[Move]:
    """Yield the move, unless it is one that compiled loops cannot hold."""
    if move.kernel is None or any(step.conditional.indices for step in move.members):
        return
    key = move_key(module.plan, move)
    try:
        there, size = to_coordinates(module, sizes, move.members, f"_{key}")
        back = from_coordinates(module, sizes, move.members, f"_{key}")
        carry = [view for carried in move.carried for view in _carry_functions(module, sizes, carried, key)]
        density, totals = _density(module, sizes, move, key)
        sums = [total_function(module, sizes, totals)] if totals is not None else []
    except UsageError:
        return
    if size > MOST_NUMBERS:
        return
    module.needs.helpers |= HELPERS
    views = [there, back, *carry, *sums, density, _move_function(module, move, key, totals)]
    yield Move(
        key=key,
        size=size,
        away=move.carried[0].node if move.carried else "",
        kept=totals.step.node if totals is not None else "",
        functions=tuple(views),
    )


# --- the effects that go along ----------------------------------------------------------------------------------


def _carry_functions(
    module: Module, sizes: dict[Expr, Expr], carried: Carried, key: str
) -> list[FunctionView]:
    """Return ``away_<key>`` and ``back_<key>``."""
    step = module.plan.step(carried.node)
    views = []
    words = {
        "away": f"Put what stays of {carried.node} into away; return its log volume.",
        "back": f"Put {carried.node} where away leads to; return its log volume.",
    }
    for name, summary in words.items():
        body = new_body(module, sizes)
        body.taken |= {"away", "volume", "log_unit"}
        unit = _unit(body, carried)
        body.add("volume = 0.0")
        with over_elements(body, step):
            _write_carry(body, step, carried, unit, forth=name == "away")
        body.add("return volume")
        parameters = (*STATE, "away: Array")
        views.append(make_function(f"{name}_{key}", parameters, "float", [summary], body.lines()))
    return views


def _unit(body: Body, carried: Carried) -> Matrix | None:
    """Write the unit in which effects stay, a triangle, and its log volume; None where it is 1."""
    if carried.covariance is not None:
        root = unrolled.write_cholesky(body, matrix(body, carried.covariance), "root")
    elif carried.spread != 1:
        root = [[unrolled.named(body, "spread", scalar(body, carried.spread))]]
    else:
        return None
    volume = join_product([root[a][a] for a in range(len(root))], [])
    body.assign("log_unit", call("math.log", volume.text))
    return root


def _write_carry(body: Body, step: Step, carried: Carried, unit: Matrix | None, *, forth: bool) -> None:
    """Write how one element becomes what stays of it, or comes back from that."""
    where = target_text(body, step)
    kept = where.replace(f"state.{step.node}", "away", 1)
    parts = [(a,) for a in range(body.side(step.conditional.shape[0]))] if step.conditional.shape else [()]
    own, stays = ([place(base, part) for part in parts] for base in (where, kept))
    centre: list[Text] = []
    if carried.centre != 0:
        write_sums(body, [carried.centre])
        centre = cells_of(value(body, carried.centre))
    if unit is not None:
        body.add("volume += log_unit")
    if forth:
        cells = [atom(cell) for cell in own]
        if centre:
            pairs = zip(cells, centre, strict=True)
            cells = [_named(body, "apart", join_sum([(False, cell), (True, c)])) for cell, c in pairs]
        cells = cells if unit is None else unrolled.write_forward(body, unit, cells)
    else:
        cells = [_named(body, "kept", atom(cell)) for cell in stays]
        if unit is not None:
            rows = [[(unit[a][b], cells[b]) for b in range(a + 1)] for a in range(len(cells))]
            cells = [_named(body, "moved", unrolled.sum_products(row)) for row in rows]
        if centre:
            cells = [join_sum([(False, c), (False, cell)]) for cell, c in zip(cells, centre, strict=True)]
    for cell, text in zip(stays if forth else own, cells, strict=True):
        body.assign(cell, text)


def _named(body: Body, hint: str, text: Text) -> Text:
    return unrolled.named(body, f"{hint}_0", text)


# --- the density ------------------------------------------------------------------------------------------------


def _density(
    module: Module, sizes: dict[Expr, Expr], move: Together, key: str
) -> tuple[FunctionView, Totals | None]:
    """Return ``log_density_<key>``, and which sums over rows it is handed."""
    assert move.kernel is not None
    body = new_body(module, sizes)
    kernel = move.kernel
    totals = find_totals(module, sizes, kernel, move.moved)
    names: list[str] = []
    for part, name in totals.parts if totals is not None else ():
        names.append(body.fresh(name))
        body.remember(part, atom(names[-1]))
    body.taken.add("log_kernel")
    write_sums(body, [kernel])
    body.assign("log_kernel", scalar(body, kernel))
    body.add("return log_kernel")
    doc = ["Return the log densities that mention what is moved.", *kernel_words(move)]
    parameters = (*STATE, *(f"{name}: float" for name in names))
    return make_function(f"log_density_{key}", parameters, "float", doc, body.lines()), totals


# --- the move ---------------------------------------------------------------------------------------------------


def _move_function(module: Module, move: Together, key: str, totals: Totals | None) -> FunctionView:
    """Return ``move_<key>``: propose, weigh, and take or leave."""
    carried = bool(move.carried)
    lines = ["    numbers = steps.numbers", "    if numbers[COLLAPSE] == 0.0:", "        return"]
    lines.append("    anchor, u = steps.anchor, steps.u")
    lines += [f"    copy_numbers(state.{name}, anchor.{name})" for name in _read_beside(module, move)]
    lines.append(f"    to_coordinates_{key}(state, data, u[PLACE])")
    lines.append(f"    now = from_coordinates_{key}(anchor, data, u[PLACE])")
    if any(is_interval(step) for step in move.members):
        lines += [
            "    if now == -math.inf:  # too near to a bound, where nothing is proposed",
            "        return",
        ]
    lines += [f"    now += away_{key}(state, data, steps.away)"] if carried else []
    lines += _density_lines(key, "now", "state", "kept", totals, 1)
    lines.append("    log_ratio = propose_block(rng, steps)")
    lines.append(f"    then = from_coordinates_{key}(anchor, data, u[PROPOSAL])")
    lines.append("    if then > -math.inf:")
    lines += [f"        then += back_{key}(anchor, data, steps.away)"] if carried else []
    lines += _density_lines(key, "then", "anchor", "steps.kept", totals, 2)
    lines.append("    taken = math.log(uniform(rng)) < then - now + log_ratio")
    lines += ["    if warming:", "        add_jump(steps, steps.left, u[PLACE], 0)"]
    lines.append("        add_jump(steps, u[PLACE], u[PROPOSAL if taken else PLACE], 1)")
    lines.append("    if taken:")
    lines += [f"        copy_numbers(anchor.{node}, state.{node})" for node in move.moved]
    lines += ["        copy_numbers(steps.kept, kept)"] if totals is not None else []
    lines += ["        copy_numbers(u[PROPOSAL], u[PLACE])", "        rate[0] += 1.0"]
    lines += ["    if warming:", "        learn_block(steps, 1.0 if taken else 0.0)"]
    lines.append("        copy_numbers(u[PLACE], steps.left)")
    nodes = ", ".join(step.node for step in move.members)
    doc = [f"Move {nodes} by one Metropolis-Hastings step: {move.reason}."]
    doc += [f"{kept_words(c)} stays; the Jacobian of that is counted." for c in move.carried]
    parameters = ["rng: Random", *STATE, *(["kept: Array"] if totals is not None else [])]
    parameters += ["steps: MoveSteps", "rate: Array", "warming: bool"]
    return make_function(f"move_{key}", parameters, "None", doc, lines)


def _density_lines(
    key: str, name: str, state: str, kept: str, totals: Totals | None, depth: int
) -> list[str]:
    arguments = [state, "data"]
    if totals is not None:
        arguments.append(f"*total_{totals.step.node}({state}, data, {kept})")
    return break_call(f"{name} += log_density_{key}(", arguments, ")", depth)


def _read_beside(module: Module, move: Together) -> list[str]:
    """Return the nodes of the state that the density or the effects' units mention and the move leaves."""
    definitions = Definitions(module.derivation.definitions)
    read = [expr for c in move.carried for expr in (c.centre, c.spread, c.covariance) if expr is not None]
    names: set[str] = set()
    for expr in (move.kernel, *read):
        expanded = definitions.expand(expr)
        names |= {ref.name for ref in expanded.atoms(Ref)}
    return [q.name for q in module.state_nodes() if q.name in names - set(move.moved)]
