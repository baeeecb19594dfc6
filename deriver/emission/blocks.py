"""Functions that update nodes together, with Gaussian nodes integrated out: a block of the plan as source.

``to_coordinates`` and ``from_coordinates`` put the variances on an unbounded scale; ``integrate_<effects>`` and
``log_marginal`` are their density with effects and shared nodes integrated out; ``update_<variances>`` moves them and
draws the shared nodes; the effects are then drawn by the function of their full conditional.
"""

from __future__ import annotations

import sympy as sp
from sympy import Expr

from deriver.algebra import heads
from deriver.algebra.heads import Ref
from deriver.derivation.factors import Definitions
from deriver.emission import approximation, hamiltonian, linked
from deriver.emission.block_words import (
    integrate_name,
    integrate_words,
    joined_names,
    marginal_words,
    order_words,
    watch_words,
)
from deriver.emission.coordinates import LARGEST_TERM, SMALLEST_SHARE, Place, lay_out, place_variances
from deriver.emission.gibbs import PARAMETERS
from deriver.emission.naming import distinct, name_hint
from deriver.emission.scope import Module, make_function
from deriver.emission.source import Source
from deriver.emission.statements import parameter_frame, print_fitting, write_assignment, write_parameter
from deriver.emission.text import break_call
from deriver.emission.views import FunctionView
from deriver.plan.records import Block, BlockMember, Plan

# The effective draws a sweep of the slowest variance or shared node, each node drawn by itself, below which the block
# pays: where every variance has its full conditional, and where one takes Metropolis steps anyway.  The block gives 0.4
# to 0.7, at once to four times the cost (of few groups).  Measured on real and simulated groups, 18 to 1,000 of them.
THRESHOLDS = {"conjugate": "0.16", "other": "0.35"}
HELPERS = (
    *("block_steps", "block_move", "complete_square", "first_block_steps"),
    *("half_solve", "integrate", "integrate_chains", "integrate_numbers", "least_mixing"),
    *("first_move_steps", "in_units", "joint_move", "move_steps"),
    *linked.HELPERS,
    *approximation.HELPERS,
    *hamiltonian.HELPERS,
)
STATE = ("state: State", "data: Data")


def block_key(plan: Plan) -> str:
    """Return the key of the block among the steps of the walks, which are keyed by node."""
    return distinct("block", [step.node for step in plan.steps])


def update_name(plan: Plan) -> str:
    """Return the name of the function that updates the block, distinct from those of the nodes."""
    if plan.block is not None and not plan.block.variances:
        return distinct("draw_together", [f"draw_{step.node}" for step in plan.steps])
    return distinct("update_variances", [f"update_{step.node}" for step in plan.steps])


def threshold(plan: Plan) -> str:
    """Return the effective draws a sweep below which the block pays."""
    variances = plan.block.variances if plan.block is not None else ()
    return THRESHOLDS["conjugate" if all(step.method == "gibbs" for step in variances) else "other"]


def block_functions(module: Module) -> list[FunctionView]:
    """Return the functions of the plan's block, none where it has none."""
    block = module.plan.block
    if block is None:
        return []
    if block.structure == "linked":
        return _linked_functions(module, block)
    places = place_variances(module, block)
    sums, marginal = marginal_functions(module, block)
    return [
        *places.functions,
        integrate_function(module, block),
        *([sums] if sums is not None else []),
        marginal,
        update_function(module, block, sums is not None),
        watch_function(module, block),
    ]


def _linked_functions(module: Module, block: Block) -> list[FunctionView]:
    """Return the functions of a block whose nodes are linked."""
    parts, watch = linked.parts_function(module, block), linked.watch_function(module, block)
    name = update_name(module.plan)
    if not block.variances:
        return [parts, linked.draw_function(module, block, name), watch]
    sums, known = sums_function(module, staying_sums(module, block))
    return [
        *place_variances(module, block).functions,
        parts,
        *([sums] if sums is not None else []),
        linked.marginal_function(module, block, known),
        linked.update_function(module, block, name, bool(known)),
        watch,
    ]


# --- the density --------------------------------------------------------------------------------------------


def integrate_function(module: Module, block: Block) -> FunctionView:
    """Return ``integrate_<effects>``: the effects integrated out, seen from the current values."""
    source = module.source(block.effects[0].space)
    rows, columns = lay_out(source, block.effects), lay_out(source, block.shared, first=1)
    if _is_number(block):
        return _integrate_numbers(module, source, block, columns)
    module.needs.helpers |= {"integrate", "half_solve"}
    first = block.effects[0]
    lead = f"*state.{first.node}.shape" + ("[:-1]" if first.conditional.shape else "")
    write_precision(source, block.effects, rows, lead)
    source.add(f"right = np.zeros(({lead}, {rows.total}, {columns.total}))")
    for effect in block.effects:
        name = write_gradient(source, effect, _name(block.effects, effect, "precision"))
        source.add(f"right[..., {rows.at(effect.node)}, 0] = {name}")
        for other in block.shared:
            slope = effect.slope(other.node)
            if slope is not None:
                head = f"right[..., {rows.at(effect.node)}, {columns.at(other.node)}] = "
                write_into(source, head, slope, effect.conditional.target)
    source.add("return integrate(precision, right)")
    return _integrate_view(block, source)


def _is_number(block: Block) -> bool:
    """Tell whether the effects are one number for each group."""
    return len(block.effects) == 1 and not block.effects[0].conditional.shape


def _integrate_numbers(module: Module, source: Source, block: Block, columns: Place) -> FunctionView:
    (effect,) = block.effects
    chained = block.structure == "chain"
    module.needs.helpers.add("integrate_chains" if chained else "integrate_numbers")
    target, value = effect.conditional.target, f"state.{effect.node}"
    precision = write_parameter(source, effect.precision, target, "precision")
    linear = write_parameter(source, effect.linear, target, "linear")
    coupling = write_parameter(source, effect.coupling, target, "coupling") if chained else ""
    source.taken.add("right")
    source.add(f"right = np.zeros((len({value}), {columns.total}, *{value}.shape[1:]))")
    source.add(f"right[:, 0] = {linear}" + ("" if chained else f" - {precision} * {value}"))
    for other in block.shared:
        slope = effect.slope(other.node)
        if slope is not None and not other.conditional.shape:
            write_into(source, f"right[:, {columns.at(other.node)}] = ", slope, target)
        elif slope is not None:
            name = write_parameter(source, slope, target, f"slope_{other.node}")
            source.add(f"right[:, {columns.at(other.node)}] = np.moveaxis({name}, -1, 1)")
    found = f"chains({precision}, {coupling}" if chained else f"numbers({precision}"
    source.add(f"return integrate_{found}, right)")
    return _integrate_view(block, source)


def _integrate_view(block: Block, source: Source) -> FunctionView:
    chained = block.structure == "chain"
    result = f"tuple[Array, Array{', Array' if chained else ''}]"
    return make_function(integrate_name(block), STATE, result, integrate_words(block), source.lines)


def _name(members: tuple[BlockMember, ...], member: BlockMember, hint: str) -> str:
    return hint if len(members) == 1 else f"{hint}_{member.node}"


def write_precision(source: Source, effects: tuple[BlockMember, ...], rows: Place, lead: str) -> None:
    """Write ``precision``, that of all effects of one group together (..., p, p)."""
    if len(effects) == 1:
        (effect,) = effects
        write_parameter(source, effect.precision, effect.conditional.target, "precision")
        return
    source.add(f"precision = np.zeros(({lead}, {rows.total}, {rows.total}))")
    source.taken.add("precision")
    for place, effect in enumerate(effects):
        target = effect.conditional.target
        name = write_parameter(source, effect.precision, target, f"precision_{effect.node}")
        source.add(f"precision[..., {rows.at(effect.node)}, {rows.at(effect.node)}] = {name}")
        for other in effects[:place]:
            slope = effect.slope(other.node)
            if slope is not None:
                _write_pair(source, effect, other, slope, rows)


def _write_pair(source: Source, left: BlockMember, right: BlockMember, slope: Expr, places: Place) -> None:
    """Write minus a slope into both triangles of ``precision``."""
    name = source.fresh(f"slope_{left.node}_{right.node}")
    write_into(source, f"{name} = ", -slope, left.conditional.target)
    here, there = places.at(left.node), places.at(right.node)
    turned = f"np.swapaxes({name}, -1, -2)" if heads_sides(slope) == 2 else name
    source.add(f"precision[..., {here}, {there}] += {name}")
    source.add(f"precision[..., {there}, {here}] += {turned}")


def heads_sides(expr: Expr) -> int:
    """Return how many component axes an expression has."""
    return sum(side is not None for side in heads.shape_of(expr))


def write_gradient(source: Source, member: BlockMember, precision: str) -> str:
    """Write b - A × value, the gradient at the current value; return its text."""
    linear = write_parameter(source, member.linear, member.conditional.target, f"linear_{member.node}")
    value = f"state.{member.node}"
    if not member.conditional.shape:
        return f"{linear} - {precision} * {value}"
    product = source.fresh(f"product_{member.node}")
    source.add(f"{product} = np.sum({precision} * {value}[..., None, :], axis=-1)")
    return f"{linear} - {product}"


def write_into(source: Source, head: str, expr: Expr, target: Ref) -> None:
    """Write ``head expression`` with the target's axes."""
    if any(isinstance(part, heads.Gated) for part in sp.preorder_traversal(expr)):
        source.add(head + write_parameter(source, expr, target, "slope"))
        return
    value = print_fitting(source, expr, parameter_frame(source, expr, target), 84 - len(head))
    if not source.statement(head, value):
        source.add(head + value.text)


def moving_names(module: Module, block: Block) -> set[str]:
    """Return what changes with the variances: they, a chain (it is seen from its mean), what is defined by those."""
    moving = {step.node for step in block.variances}
    moving |= {effect.node for effect in block.effects if block.structure == "chain"}
    definitions = Definitions(module.derivation.definitions)
    defined = [definition.element.name for definition in definitions.all]
    return moving | {name for name in defined if any(definitions.depends(name, node) for node in moving)}


def free_parts(expr: sp.Basic, nodes: set[str]) -> list[Expr]:
    """Return the largest sums over plates that mention none of the nodes, so that they are worth keeping."""
    if not isinstance(expr, Expr) or isinstance(expr, heads.Gated | Ref):
        return []
    if isinstance(expr, heads.PlateSum):
        return [] if nodes & {ref.name for ref in expr.atoms(Ref)} else [expr]
    parts: list[Expr] = []
    for arg in sorted(expr.args, key=sp.default_sort_key):
        parts += [part for part in free_parts(arg, nodes) if part not in parts]
    return parts


def staying_sums(module: Module, block: Block) -> list[Expr]:
    """Return the sums over plates in the density that the variances do not move, but the nodes do."""
    source = module.source()
    outside = () if block.structure == "linked" else block.shared
    read = [block.kernel, *(e for m in outside for e in (m.linear, m.precision))]
    moving = moving_names(module, block)
    found = dict.fromkeys(part for expr in read for part in free_parts(expr, moving))
    return [part for part in found if source.uses_state(part)]


def marginal_functions(module: Module, block: Block) -> tuple[FunctionView | None, FunctionView]:
    """Return ``marginal_sums`` (None where there are none) and ``log_marginal``.

    The first gives the sums that stay while the variances move, the second the log density of the variances, and what
    the shared nodes are drawn from.
    """
    source = module.source()
    target = block.variances[0].conditional.target
    chained = block.structure == "chain"
    sums, names = sums_function(module, staying_sums(module, block))
    for part, name in names.items():
        source.remember(part, name, source.frame_of(part))
        source.taken.add(name)
    if names:
        source.add(f"{_several(names)} = sums")
    source.taken |= {"mean", "inner", "log_det", "value", "precision", "linear", "more", "root", "half"}
    source.taken |= {"kept", "pivots", "taken_off"}
    if chained:
        source.add(
            f"mean, {'inner' if block.shared else '_'}, log_det = {integrate_name(block)}(state, data)"
        )
        source.add(f"state = replace(state, {block.effects[0].node}=mean)")
    kernel = write_parameter(source, block.kernel, target, "log_kernel")
    if chained:
        source.add(f"value = {kernel} - log_det / 2")
    else:
        source.add(f"inner, log_det = {integrate_name(block)}(state, data)")
        source.add(f"value = {kernel} + (inner[:, 0, 0] - log_det) / 2")
    result = "tuple[Array, Array, Array]" if block.shared else "tuple[Array]"
    source.add("# The sums that cancel must leave some digits.")
    source.add(f"kept = np.abs({kernel}) < {LARGEST_TERM} * (1 + np.abs(value))")
    if block.shared:
        _write_shared(source, block)
    else:
        source.add("return (np.where(kept, value, -np.inf),)")
    parameters = (*STATE, "sums: tuple[Array, ...]") if names else STATE
    return sums, make_function("log_marginal", parameters, result, marginal_words(block), source.lines)


def sums_function(module: Module, parts: list[Expr]) -> tuple[FunctionView | None, dict[Expr, str]]:
    """Return ``marginal_sums``, the sums that stay while the variances move (None of none), and their names."""
    if not parts:
        return None, {}
    before = module.source()
    names = {part: _write_part(before, part) for part in parts}
    before.add(f"return {_several(names)}")
    doc = ["Return the sums in log_marginal that stay while the variances move."]
    return make_function("marginal_sums", STATE, "tuple[Array, ...]", doc, before.lines), names


def _several(names: dict[Expr, str]) -> str:
    found = ", ".join(names.values())
    return found if len(names) > 1 else f"({found},)"


def _write_part(source: Source, part: Expr) -> str:
    name = write_assignment(source, part, source.frame_of(part), name_hint(part))
    source.remember(part, name, source.frame_of(part))
    return name


def _write_shared(source: Source, block: Block) -> None:
    places = lay_out(source, block.shared)
    source.add("precision, linear = -inner[:, 1:, 1:], inner[:, 0, 1:].copy()")
    for place, member in enumerate(block.shared):
        target = member.conditional.target
        own = write_parameter(source, member.precision, target, f"precision_{member.node}")
        at = places.at(member.node)
        source.add(f"precision[:, {at}, {at}] += {own}")
        source.add(f"linear[:, {at}] += {write_gradient(source, member, own)}")
        for other in block.shared[:place]:
            slope = member.slope(other.node)
            if slope is not None:
                _write_pair(source, member, other, slope, places)
    source.add("more, root, half = complete_square(precision, linear)")
    source.add("pivots = np.diagonal(root, axis1=1, axis2=2) ** 2")
    source.add("taken_off = np.diagonal(inner, axis1=1, axis2=2)[:, 1:]")
    source.add(f"kept = kept & np.all(pivots > {SMALLEST_SHARE} * taken_off, axis=1)")
    source.add("return np.where(kept, value + more, -np.inf), root, half")


# --- the update ---------------------------------------------------------------------------------------------


def update_function(module: Module, block: Block, with_sums: bool) -> FunctionView:
    """Return the function that moves the variances and draws the shared nodes.

    Where the density depends on no node outside the block, it is seen from an anchor, a state that stays, so that it
    is known at the current value from the sweep before.
    """
    module.needs.helpers |= {"block_steps", "block_move", "first_block_steps"}
    source = module.source()
    found = "(_, root, half)" if block.shared else "_"
    nodes = [step.node for step in block.variances]
    cached = not block.rest
    seen = f"(data, {', '.join(f'state.{node}' for node in nodes)})"
    if cached:
        kept = "data, state" + (", marginal_sums(state, data)" if with_sums else "")
        source.add("if not steps.anchor or steps.anchor[0] is not data:")
        source.add(f"    steps.anchor = ({kept})")
        source.add(f"anchor{', sums' if with_sums else ''} = steps.anchor[{'1:' if with_sums else '1'}]")
    elif with_sums:
        source.add("sums = marginal_sums(state, data)")
    source.add("")
    source.add("def log_target(u: Array) -> tuple[Array, ...]:")
    source.add(f"    moved, log_jacobian = from_coordinates({'anchor' if cached else 'state'}, data, u)")
    source.add(f"    value, *found = log_marginal(moved, data{', sums' if with_sums else ''})")
    source.add("    return value + log_jacobian, *found")
    source.add("")
    source.add("u = to_coordinates(state, data)")
    known = ""
    if cached:
        source.lines += break_call("known = steps.recall(", seen[1:-1].split(", "), ")", 1)
        known = ", known"
    source.add(f"u, accepted, {found} = block_move(rng, u, log_target, steps{known})")
    source.add("state = from_coordinates(state, data, u)[0]")
    if cached:
        source.lines += break_call("steps.seen = (", seen[1:-1].split(", "), ")", 1)
    if block.shared:
        places = lay_out(source, block.shared)
        module.needs.helpers.add("complete_square")
        add_normal_shift(source)
        seen_from = "anchor" if cached else "state"
        moved = [(m.node, places.at(m.node)) for m in block.shared]
        drawn = [f"{node}={seen_from}.{node} + shift[:, {at}]" for node, at in moved]
        source.lines += break_call("state = replace(", ["state", *drawn], ")", 1)
    source.add("return state, accepted")
    variances = ", ".join(step.node for step in block.variances)
    effects = joined_names(block.effects)
    then = f", and draw {joined_names(block.shared)}." if block.shared else "."
    doc = [f"Update {variances} together, {effects} integrated out{then}", order_words(block)]
    parameters = (*PARAMETERS, "steps: BlockSteps")
    return make_function(update_name(module.plan), parameters, "tuple[State, Array]", doc, source.lines)


def add_normal_shift(source: Source) -> None:
    """Add the lines that draw ``shift`` of precision LL' about the value that completes the square."""
    source.add("noise = rng.standard_normal(half.shape)")
    source.add("upper = np.swapaxes(root, -1, -2)")
    source.add("shift = np.linalg.solve(upper, (half + noise)[..., None])[..., 0]")


def watch_function(module: Module, block: Block) -> FunctionView:
    """Return ``watch``, the values whose mixing tells whether the block pays."""
    module.needs.helpers.add("least_mixing")
    parts = ["to_coordinates(state, data)"]
    for member in block.shared:
        parts.append(f"state.{member.node}" + ("" if member.conditional.shape else "[:, None]"))
    body = [*break_call("parts = [", parts, "]", 1), "    return np.concatenate(parts, axis=1)"]
    return make_function("watch", STATE, "Array", [watch_words(block)], body)
