"""Functions that propose linked nodes from a normal approximation, and with them what their priors depend on.

``expand_<key>`` writes every density that changes with the nodes as one of its predictor: where the nodes enter it, its
slope and its weight; ``second_order``, among the helpers, adds these up to the gradient and the precision, which
``find_order`` and ``eliminate`` factor as they do those of linked Gaussian nodes; ``update_<key>`` proposes and accepts.
"""

from __future__ import annotations

from sympy import Expr

from deriver.algebra.heads import Ref, Variable
from deriver.derivation.links import Link
from deriver.derivation.predictors import Predicted
from deriver.emission.coordinates import place_steps
from deriver.emission.gibbs import PARAMETERS
from deriver.emission.joint import density_function, factor_scope
from deriver.emission.linked import places_quantity
from deriver.emission.mathtext import show
from deriver.emission.naming import distinct
from deriver.emission.partly import observed_name
from deriver.emission.printer import print_expression
from deriver.emission.scope import Module, make_function
from deriver.emission.source import Frame, Source, count_sides
from deriver.emission.statements import assign_local, write_value
from deriver.emission.text import break_call
from deriver.emission.views import FunctionView
from deriver.plan.layout import Axis, free_indices
from deriver.plan.records import Approximation, Step

HELPERS = (
    *("approximate", "first_laplace_steps", "laplace_move", "laplace_steps"),
    *("meetings", "predicted_rows", "second_order"),
    *("draw_linked", "eliminate", "elimination", "factor_corner", "half_solve"),
    *("block_steps", "first_block_steps", "least_mixing", "places", "some_elements"),
)


def is_used(module: Module) -> bool:
    """Tell whether a module makes the move: not without rows, as it weighs the density of the rows."""
    return module.plan.approximation is not None and not module.reduced


def move_key(module: Module) -> str:
    """Return the key of the move among the steps of the walks, distinct from those of the nodes."""
    return distinct("approximation", [step.node for step in module.plan.steps])


def approximation_functions(module: Module) -> list[FunctionView]:
    """Return the functions of the move, where there is one."""
    move = module.plan.approximation
    if move is None or not is_used(module):
        return []
    module.needs.helpers |= set(HELPERS)
    key = move_key(module)
    placing = place_steps(module, move.numbers, f"_{key}").functions if move.numbers else ()
    doc = ["Return the log densities that mention what is moved, shape (chains,)."]
    density = density_function(module, f"log_density_{key}", move.factors, doc)
    return [*placing, expand_function(module, move, key), density, _update_function(move, key)]


# --- the expansion ------------------------------------------------------------------------------------------


def expand_function(module: Module, move: Approximation, key: str) -> FunctionView:
    """Return ``expand_<key>``: the nodes, and every density as a function of its predictor."""
    source = module.source()
    source.taken |= {"nodes", "rows", "chains"}
    source.taken |= {f"node_{step.node}" for step in move.members}
    source.add(f"chains = len(state.{move.members[0].node})")
    for step in move.members:
        _write_node(module, source, step)
    source.lines += break_call("nodes = [", [f"node_{step.node}" for step in move.members], "]", 1)
    source.add("rows = []")
    doc = [
        f"Return the nodes {move.names}, and the densities that change with them.",
        "Each by its predictor eta: the slope of the log density in it, and the weight, minus the second derivative.",
    ]
    for place, density in enumerate(move.densities):
        _write_rows(module, source, move, density, place)
        doc += [line for line in _density_words(density) if line not in doc]
    source.add("return nodes, rows")
    return make_function(
        f"expand_{key}", ("state: State", "data: Data"), "tuple[list[Any], list[Any]]", doc, source.lines
    )


def _density_words(density: Predicted) -> list[str]:
    name = density.factor.value
    return [
        f"{show(name)}: eta = {show(density.predictor)}",
        f"  slope = {show(density.slope)}, weight = {show(density.weight)}",
    ]


def _write_node(module: Module, source: Source, step: Step) -> None:
    """Write the description of a node, and let the places of its elements be read like the node."""
    arguments = [f"state.{step.node}", str(len(step.conditional.shape))]
    arguments += [f"data.{observed_name(module, step.node)}"] if step.partly else []
    source.lines += break_call(f"node_{step.node} = node_of(", arguments, ")", 1)
    quantity = places_quantity(source, step.node, f"node_{step.node}.places")
    source.quantities[_key(step.node)] = quantity


def _key(node: str) -> str:
    return f"places of {node} (local)"


def _write_rows(module: Module, source: Source, move: Approximation, density: Predicted, place: int) -> None:
    """Write the entry of one density."""
    inner, _ = factor_scope(module, source, density.factor)
    axes = inner.space.axes(free_indices(density.factor.value, inner.space))
    name = density.factor.value.name
    eta: Expr = density.predictor
    if not isinstance(eta, Ref):
        eta = assign_local(inner, eta, f"eta_{name}")
    sides = count_sides(density.predictor)
    slope = _write(inner, density.slope.xreplace({density.eta: eta}), axes, f"slope_{name}")
    weight = _write(inner, density.weight.xreplace({density.eta: eta}), axes, f"weight_{name}")
    weight = weight if density.concave else f"np.maximum({weight}, 0)"
    arguments = ["chains", "nodes", str(len(axes)), str(sides), slope, weight]
    for link in density.links:
        arguments.append(_term(inner, move, link, axes))
    arguments += ["curved=True"] if density.weight.has(density.eta) else []
    source.lines += break_call("row = rows_of(", arguments, ")", 1)
    source.add("rows.append(row)")


def _write(source: Source, expr: Expr, axes: tuple[Axis, ...], hint: str) -> str:
    """Write an expression over the axes of a density; return the name of what holds it."""
    frame = Frame(axes=axes, chain=True, sides=count_sides(expr))
    text = print_expression(source, expr, frame).text
    return text if len(text) <= 24 else write_value(source, expr, frame, hint)


def _term(source: Source, move: Approximation, link: Link, axes: tuple[Axis, ...]) -> str:
    number = next(k for k, step in enumerate(move.members) if step.node == link.name)
    step = move.members[number]
    at = "0"
    if step.conditional.indices:
        ref = Ref(Variable(_key(step.node)), *link.at)
        at = print_expression(source, ref, Frame(axes=axes, chain=False)).text
    slope = _write(source, link.slope, axes, f"slope_in_{step.node}")
    return f"({number}, {at}, {slope}, {len(step.conditional.shape)})"


# --- the update ---------------------------------------------------------------------------------------------


def _update_function(move: Approximation, key: str) -> FunctionView:
    first = move.members[0].node
    values = [f'"{step.node}": state.{step.node}' for step in move.members]
    given = ["rng", "state", "data", "u", "place", f"expand_{key}", f"log_density_{key}", "steps"]
    lines = [f"    accepted = np.zeros(len(state.{first}))"]
    if move.numbers:
        call = break_call(f"return from_coordinates_{key}(", ["state", "data", "u"], ")", 2)
        lines += ["", "    def place(u: Array) -> tuple[State, Array]:", *call, ""]
        lines += [f"    u = steps.place = to_coordinates_{key}(state, data)"]
    else:
        lines += [
            "",
            "    def place(u: Array) -> tuple[State, Array]:",
            "        return state, np.zeros(len(u))",
            "",
        ]
        lines += ["    u = steps.place"]
    lines += ["    if steps.used:"]
    lines += break_call("state, accepted = laplace_move(", given, ")", 2)
    lines += ["    if steps.values:"]
    lines += break_call("steps.values = {", values, "}", 2)
    lines += ["    return state, accepted"]
    doc = [f"Propose {_all_names(move)} together, and accept or reject by one Metropolis-Hastings step."]
    if move.numbers:
        names = ", ".join(step.node for step in move.numbers)
        doc.append(
            f"First new values of {names}; given these, {move.names} from a normal density near the full one:"
        )
    else:
        doc.append(f"{move.names} come from a normal density near their full conditional:")
    doc.append("  N(x + inv(P) g, inv(P)), x near their mode by a Newton step, g and -P")
    doc.append("  the gradient and the Hessian of the log joint density there.")
    doc.append("The ratio has the density of the proposal, and that of the way back from it.")
    return make_function(
        f"update_{key}", (*PARAMETERS, "steps: LaplaceSteps"), "tuple[State, Array]", doc, lines
    )


def _all_names(move: Approximation) -> str:
    return ", ".join(step.node for step in (*move.numbers, *move.members))


# --- the chain ----------------------------------------------------------------------------------------------


def sweep_lines(module: Module) -> list[str]:
    """Return the lines of a sweep that make the move."""
    move = module.plan.approximation
    if move is None or not is_used(module):
        return []
    key = move_key(module)
    head = f'state, accepted["{key}"] = update_{key}('
    return break_call(head, ["rng", "state", "data", f'steps["{key}"]'], ")", 1)


def first_entries(module: Module) -> list[str]:
    """Return the entry of ``first_steps`` for the move."""
    move = module.plan.approximation
    if move is None or not is_used(module):
        return []
    size = " + ".join(_size(step) for step in move.numbers) or "0"
    names = ", ".join(f'"{step.node}"' for step in move.members)
    names += "," if len(move.members) == 1 else ""
    updates = len(module.plan.steps) + len(module.plan.together)
    arguments = ["state", size, f"({names})", str(updates), str(move.always)]
    return [f'"{move_key(module)}": first_laplace_steps({", ".join(arguments)})']


def _size(step: Step) -> str:
    return f"state.{step.node}.shape[-1]" if step.conditional.shape else "1"


def adapt_lines(module: Module) -> list[str]:
    """Return the lines of ``adapt_steps`` for the move."""
    move = module.plan.approximation
    if move is None or not is_used(module):
        return []
    key = move_key(module)
    return break_call(f'steps["{key}"].adapt(', [f'accepted["{key}"]'], ")", 1)
