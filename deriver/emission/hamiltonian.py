"""Functions that move nodes along a path of Hamiltonian dynamics, on an unbounded scale.

``slope_<key>_<node>`` is the slope of the log joint density in a node, on the scale of ``to_coordinates_<key>``, Jacobian
included; ``log_density_<key>`` the part of the log joint density that changes; ``update_<key>`` proposes and accepts.
"""

from __future__ import annotations

from sympy import Expr

from deriver.emission.coordinates import place_steps
from deriver.emission.gibbs import PARAMETERS, bound_text
from deriver.emission.joint import density_function
from deriver.emission.mathtext import show
from deriver.emission.metropolis import wrap_minus
from deriver.emission.naming import distinct
from deriver.emission.partly import keep_observed, observed_name
from deriver.emission.scope import Module, make_function
from deriver.emission.statements import write_parameter
from deriver.emission.text import break_call
from deriver.emission.views import FunctionView
from deriver.plan.records import Hamiltonian, Step

HELPERS = ("batch_mixing", "first_path_steps", "momenta", "path_move", "path_steps")


def is_used(module: Module) -> bool:
    """Tell whether a module makes the move: not without rows, as it weighs the density of the rows."""
    return module.plan.hamiltonian is not None and not module.reduced


def move_key(module: Module) -> str:
    """Return the key of the move among the steps of the walks, distinct from those of the nodes."""
    return distinct("path", [step.node for step in module.plan.steps])


def hamiltonian_functions(module: Module) -> list[FunctionView]:
    """Return the functions of the move, where there is one."""
    move = module.plan.hamiltonian
    if move is None or not is_used(module):
        return []
    module.needs.helpers |= set(HELPERS)
    key = move_key(module)
    doc = ["Return the log densities that mention what is moved, shape (chains,)."]
    return [
        *place_steps(module, move.members, f"_{key}").functions,
        *(_slope_function(module, key, *each) for each in zip(move.members, move.rewritten, strict=True)),
        density_function(module, f"log_density_{key}", move.factors, doc),
        _update_function(module, move, key),
    ]


def _slope_function(module: Module, key: str, step: Step, slope: Expr) -> FunctionView:
    """Return the slope in one node, in the shape of the node, or one that broadcasts to it."""
    source = module.source(step.space)
    source.taken |= {"lower", "upper", "value"}
    name = write_parameter(source, slope, step.conditional.target, "slope")
    name = _on_line(module, source, step, name)
    if step.partly:
        source.add(f"{name} = np.where(np.isnan(data.{observed_name(module, step.node)}), {name}, 0)")
    source.add(f"return {name}")
    doc = [f"Return the slope of the log density in {step.node}, on its unbounded scale."]
    doc += [f"d log density / d {show(step.conditional.target)} = {show(slope)}"]
    return make_function(
        f"slope_{key}_{step.node}", ("state: State", "data: Data"), "Array", doc, source.lines
    )


def _on_line(module: Module, source, step: Step, slope: str) -> str:
    """Write the slope in the coordinate u of a bounded node: dx/du times that in x, and that of log |dx/du|."""
    _, low, high = step.conditional.support
    if low is None and high is None:
        return slope
    source.add(f"value = state.{step.node}")
    lower, upper = (
        wrap_minus(bound_text(source, end, step.conditional, k)) for k, end in enumerate((low, high))
    )
    if high is None:
        return _write(source, slope, "value" if lower == "0" else f"(value - {lower})", "1")
    if low is None:
        return _write(source, slope, f"(value - {upper})", "1")
    source.add(f"lower, upper = {lower}, {upper}")
    source.add("wide = upper - lower")
    return _write(
        source, slope, "(value - lower) * (upper - value) / wide", "(lower + upper - 2 * value) / wide"
    )


def _write(source, slope: str, factor: str, jacobian: str) -> str:
    source.add(f"slope = {slope} * {factor} + {jacobian}")
    return "slope"


def _update_function(module: Module, move: Hamiltonian, key: str) -> FunctionView:
    lines = ["    def place(u: Array) -> tuple[State, Array]:"]
    lines += break_call(f"moved, log_jacobian = from_coordinates_{key}(", ["state", "data", "u"], ")", 2)
    for step in move.members:
        if step.partly:
            kept = keep_observed(module, step.node, f"moved.{step.node}")
            lines += break_call("moved = replace(moved, ", [f"{step.node}={kept}"], ")", 2)
    lines += ["        return moved, log_jacobian", ""]
    lines += break_call(
        "slopes = {", [f'"{step.node}": slope_{key}_{step.node}' for step in move.members], "}", 1
    )
    lines += [f"    u = steps.place = to_coordinates_{key}(state, data)"]
    given = ["rng", "state", "data", "u", "place", "slopes", f"log_density_{key}", "steps"]
    lines += break_call("return path_move(", given, ")", 1)
    doc = [f"Move {move.names} along a path of Hamiltonian dynamics, and accept or reject its end."]
    doc += ["The path follows the slope of the log joint density."]
    return make_function(
        f"update_{key}", (*PARAMETERS, "steps: PathSteps"), "tuple[State, Array]", doc, lines
    )


# --- the chain ----------------------------------------------------------------------------------------------


def sweep_lines(module: Module) -> list[str]:
    """Return the lines of a sweep that make the move."""
    if not is_used(module):
        return []
    key = move_key(module)
    return break_call(
        f'state, accepted["{key}"] = update_{key}(', ["rng", "state", "data", f'steps["{key}"]'], ")", 1
    )


def first_entries(module: Module) -> list[str]:
    """Return the entry of ``first_steps`` for the move; elements drawn one by one are an update each."""
    move = module.plan.hamiltonian
    if move is None or not is_used(module):
        return []
    nodes = {True: [], False: []}  # type: dict[bool, list[str]]
    for step in move.members:
        nodes[bool(step.conditional.indices)].append(f"state.{step.node}")
    sizes = [f"[{', '.join(nodes[of_groups])}]" for of_groups in (False, True)]
    one_by_one = [
        step.node for step in module.plan.steps if step.method == "random_walk" and not step.colours
    ]
    number = len(module.plan.steps) - len(one_by_one) + len(module.plan.together)
    updates = " + ".join([*([str(number)] if number else []), *(f"state.{n}[0].size" for n in one_by_one)])
    later = 200 if module.plan.approximation is not None else 0
    return [
        f'"{move_key(module)}": first_path_steps({", ".join([*sizes, updates, str(later), str(move.always)])})'
    ]


def adapt_lines(module: Module) -> list[str]:
    """Return the lines of ``adapt_steps`` for the move."""
    return [f'    steps["{move_key(module)}"].adapt()'] if is_used(module) else []
