"""Functions that move several nodes together, the effects beside them going along: the joint moves of a plan.

``to_coordinates_<key>`` and ``from_coordinates_<key>`` put the nodes on an unbounded scale; ``centre_<key>`` and
``spread_<key>`` are what the effects keep their distance from, and in what unit (of vectors, the root of
``covariance_<key>``); ``log_density_<key>`` is the part of the log joint density that changes; ``log_conditional_<key>`` is the log density of what is integrated out, given all
else, by which the joint one is divided; ``update_<key>`` proposes and accepts.
"""

from __future__ import annotations

from sympy import Expr, Symbol

from deriver.emission.coordinates import place_steps, variance_size
from deriver.emission.gibbs import DRAWS, PARAMETERS, bound_text
from deriver.emission.joint import density_function, write_whole
from deriver.emission.mathtext import show
from deriver.emission.metropolis import ordered_terms, signed_term
from deriver.emission.naming import distinct, local_name
from deriver.emission.reduced import is_over_rows
from deriver.emission.scope import Module, make_function, own_space
from deriver.emission.source import Frame
from deriver.emission.statements import open_gates, write_assignment, write_parameter, write_value
from deriver.emission.text import break_call, call
from deriver.emission.views import FunctionView
from deriver.plan.records import Carried, Plan, Step, Together

HELPERS = (
    *("block_move", "block_steps", "first_block_steps", "first_move_steps"),
    *("in_units", "joint_move", "move_steps"),
)
# What a density takes, in terms of the parameters of a full conditional.
DENSITIES = {
    "beta": ("{a}", "{b}"),
    "gamma": ("{shape}", "{rate}"),
    "inverse_gamma": ("{shape}", "{scale}"),
    "normal": ("{linear} / {precision}", "1 / {precision}"),
}
LONGEST = 20  # letters of a key that names every node


def joint_moves(module: Module) -> tuple[Together, ...]:
    """Return the joint moves that a module makes: without rows, those whose density is made of statistics."""
    return tuple(move for move in module.plan.together if not _needs_rows(module, move))


def _needs_rows(module: Module, move: Together) -> bool:
    if not module.reduced:
        return False
    read = [expr for c in move.carried for expr in (c.centre, c.spread, c.covariance) if expr is not None]
    symbols = {symbol for expr in (move.kernel, *read) if expr is not None for symbol in expr.atoms(Symbol)}
    return move.kernel is None or is_over_rows(module, symbols)


def move_key(plan: Plan, move: Together) -> str:
    """Return the key of a move among the steps of the walks, distinct from those of the nodes."""
    names = [step.node for step in move.members]
    key = "_".join(names) if len("_".join(names)) <= LONGEST else f"{names[0]}_and_others"
    key += "".join(f"_with_{carried.node}" for carried in move.carried)
    key += f"_without_{move.integrated.node}" if move.integrated is not None else ""
    earlier = plan.together[: plan.together.index(move)]
    taken = [step.node for step in plan.steps] + [move_key(plan, other) for other in earlier]
    return distinct(key, taken)


def together_functions(module: Module) -> list[FunctionView]:
    """Return the functions of the plan's joint moves."""
    return [view for move in joint_moves(module) for view in move_functions(module, move)]


def move_functions(module: Module, move: Together) -> list[FunctionView]:
    """Return the functions of one joint move."""
    module.needs.helpers |= set(HELPERS) - {"in_units"}
    key = move_key(module.plan, move)
    views = list(place_steps(module, move.members, f"_{key}").functions)
    for carried in move.carried:
        if carried.centre != 0:
            views.append(_value_function(module, carried, "centre", key, carried.centre))
        if carried.spread != 1:
            views.append(_value_function(module, carried, "spread", key, carried.spread))
        if carried.covariance is not None:
            module.needs.helpers.add("in_units")
            views.append(_covariance_function(module, carried, key, carried.covariance))
    views.append(_density_function(module, move, key))
    if move.integrated is not None:
        views.append(_conditional_function(module, move.integrated, key))
    return [*views, _update_function(module, move, key)]


def _density_function(module: Module, move: Together, key: str) -> FunctionView:
    """Return the function of the part of the log joint density that changes."""
    name, doc = (
        f"log_density_{key}",
        ["Return the log densities that mention what is moved, shape (chains,)."],
    )
    if move.kernel is None or move.log_kernel is None:
        return density_function(module, name, move.factors, doc)
    source = module.source()
    local = write_assignment(source, open_gates(move.kernel), Frame(chain=True), "log_kernel")
    source.add(f"return {local}")
    return make_function(
        name, ("state: State", "data: Data"), "Array", [*doc, *kernel_words(move)], source.lines
    )


def kernel_words(move: Together) -> list[str]:
    """Return the log density of a move, up to a constant, term by term."""
    terms = ordered_terms(move.log_kernel) if move.log_kernel is not None else []
    head = f"log [{', '.join(move.moved)} | .] ="
    return [head, *(f"  {signed_term(term, first=place == 0)}" for place, term in enumerate(terms))]


def _conditional_function(module: Module, step: Step, key: str) -> FunctionView:
    """Return the function of the log density of a node, all its elements, given all else."""
    source = module.source(step.space)
    conditional, values = step.conditional, dict(step.parameters)
    family = conditional.family or ""
    names = {name: write_parameter(source, values[name], conditional.target, name) for name in DRAWS[family]}
    arguments = [form.format(**names) for form in DENSITIES[family]]
    module.densities.add(family)
    source.taken.add("terms")
    density = ["terms = " + call(f"log_{family}", f"state.{step.node}", *arguments).text]
    if conditional.truncation is not None:
        ends = [
            bound_text(source, end, conditional, place) for place, end in enumerate(conditional.truncation)
        ]
        module.needs.helpers.add(f"log_mass_{family}")
        density.append("terms = terms - " + call(f"log_mass_{family}", *ends, *arguments).text)
    for line in density:
        source.add(line)
    source.add("return np.sum(terms.reshape(len(terms), -1), axis=1)")
    doc = [f"Return the log density of {step.node} given all else, shape (chains,)."]
    signature = ("state: State", "data: Data")
    return make_function(f"log_conditional_{key}", signature, "Array", doc, source.lines)


def _value_function(module: Module, carried: Carried, name: str, key: str, value: Expr) -> FunctionView:
    """Return the function of a centre or a spread of the effects, in the shape of the effects."""
    quantity = module.quantity(carried.node)
    source = module.source(own_space(module, quantity))
    source.taken.add(carried.node)
    write_whole(source, value, carried.node)
    doc = [f"Return the {name} of {carried.node}, in its shape.", f"{name} = {show(value)}"]
    return make_function(f"{name}_{key}", ("state: State", "data: Data"), "Array", doc, source.lines)


def _covariance_function(module: Module, carried: Carried, key: str, covariance: Expr) -> FunctionView:
    """Return the function of the covariance of vectors, the same for all of them."""
    source = module.source()
    local = write_value(source, covariance, Frame(chain=True, sides=2), "covariance")
    source.add(f"return {local}")
    doc = [f"Return the covariance of {carried.node}, (chains, p, p).", f"covariance = {show(covariance)}"]
    return make_function(f"covariance_{key}", ("state: State", "data: Data"), "Array", doc, source.lines)


def _update_function(module: Module, move: Together, key: str) -> FunctionView:
    first = move.members[0].node
    lines = ["    if steps.dropped:", f"        return state, np.zeros(len(state.{first}))", ""]
    lines += ["    def place(u: Array) -> tuple[State, Array]:"]
    lines += break_call(f"moved, log_jacobian = from_coordinates_{key}(", ["state", "data", "u"], ")", 2)
    for carried in move.carried:
        lines += _carry_lines(carried, key)
    lines += ["        return moved, log_jacobian", "", "    def log_density(moved: State) -> Array:"]
    if move.integrated is None:
        lines += [f"        return log_density_{key}(moved, data)", ""]
    else:
        lines += [f"        value = log_density_{key}(moved, data)"]
        lines += [f"        return value - log_conditional_{key}(moved, data)", ""]
    lines += [f"    u = to_coordinates_{key}(state, data)"]
    if move.integrated is None:
        lines += ["    return joint_move(rng, state, u, place, log_density, steps)"]
    else:
        node = move.integrated.node
        lines += ["    state, accepted = joint_move(rng, state, u, place, log_density, steps)"]
        lines += break_call("state = replace(state, ", [f"{node}=draw_{node}(rng, state, data)"], ")", 1)
        lines += ["    return state, accepted"]
    nodes = ", ".join(step.node for step in move.members)
    doc = [f"Move {nodes} by one Metropolis-Hastings step: {move.reason}."]
    doc += [f"{kept_words(carried)} stays; the Jacobian of that is counted." for carried in move.carried]
    if move.integrated is not None:
        name = move.integrated.node
        doc.append(f"The density is that without {name}: of all over that of {name} given all else.")
        doc.append(f"Then {name} is drawn from its full conditional.")
    parameters = (*PARAMETERS, "steps: MoveSteps")
    return make_function(f"update_{key}", parameters, "tuple[State, Array]", doc, lines)


def kept_words(carried: Carried) -> str:
    """Return what stays of an effect."""
    away = f"({carried.node} - centre)" if carried.centre != 0 else carried.node
    if carried.covariance is not None:
        return f"inv(L) {away}, with LL' the covariance,"
    return f"{away} / spread" if carried.spread != 1 else away


def _carry_lines(carried: Carried, key: str) -> list[str]:
    """Return the lines that move an effect with its centre and its spread."""
    node, lines = carried.node, []
    local = local_name(node)
    value = f"state.{node}"
    if carried.centre != 0:
        lines += break_call(f"{local} = {value} - centre_{key}(", ["state", "data"], ")", 2)
        value = local
    if carried.spread != 1:
        lines += break_call(f"ratio = spread_{key}(", ["moved", "data"], ")", 2)
        lines += break_call(f"ratio = ratio / spread_{key}(", ["state", "data"], ")", 2)
        lines += [f"        {local} = {value} * ratio"]
        lines += ["        log_ratio = np.log(ratio).reshape(len(ratio), -1)"]
        lines += ["        log_jacobian = log_jacobian + np.sum(log_ratio, axis=1)"]
    if carried.covariance is not None:
        before = f"covariance_{key}(state, data)"
        after = f"covariance_{key}(moved, data)"
        lines += break_call(f"{local}, log_scale = in_units(", [value, before, after], ")", 2)
        lines += ["        log_jacobian = log_jacobian + log_scale"]
    if carried.centre != 0:
        lines += break_call(f"{local} = {local} + centre_{key}(", ["moved", "data"], ")", 2)
    lines.append(f"        moved = replace(moved, {node}={local})")
    return lines


def move_lines(module: Module) -> list[str]:
    """Return the lines of a sweep that make the joint moves."""
    lines: list[str] = []
    for move in joint_moves(module):
        key = move_key(module.plan, move)
        head = f'state, accepted["{key}"] = update_{key}('
        lines += break_call(head, ["rng", "state", "data", f'steps["{key}"]'], ")", 1)
    return lines


def first_steps_lines(module: Module) -> tuple[list[str], list[str]]:
    """Return the lines of ``first_steps`` that make the proposals of the joint moves, and its entries for them."""
    lines, entries = [], []
    for move in joint_moves(module):
        first = move.members[0].node
        sided = [step for step in move.members if step.conditional.shape]
        sizes = [variance_size(step, f"state.{step.node}.shape[-1]") for step in sided]
        sizes += [f"state.{step.node}[0].size" for step in move.members if step.conditional.indices]
        numbers = sum(not (step.conditional.shape or step.conditional.indices) for step in move.members)
        size = " + ".join([*([str(numbers)] if numbers else []), *sizes])
        key = move_key(module.plan, move)
        lines += break_call(f"{key} = first_move_steps(", [f"len(state.{first})", size], ")", 1)
        entries.append(f'"{key}": {key}')
    return lines, entries


def adapt_lines(module: Module) -> list[str]:
    """Return the lines of ``adapt_steps`` for the joint moves."""
    keys = [move_key(module.plan, move) for move in joint_moves(module)]
    return [
        line for key in keys for line in break_call(f'steps["{key}"].adapt(', [f'accepted["{key}"]'], ")", 1)
    ]
