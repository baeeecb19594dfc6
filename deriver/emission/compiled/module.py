"""Derivation and plan → the text of the compiled sampler module."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from sympy import Expr

from deriver.derivation.records import Derivation
from deriver.emission.block_words import watch_words
from deriver.emission.blocks import threshold, update_name
from deriver.emission.chain import first_state_lines, may_be_lost, spread_lines, start_text
from deriver.emission.compiled.draws import draw_function
from deriver.emission.compiled.functions import one_chain_shape, sizes_of
from deriver.emission.compiled.indices import components_first
from deriver.emission.compiled.labels import check_labels, check_partly
from deriver.emission.compiled.moves import Move, compiled_moves, move_functions
from deriver.emission.compiled.newton import newton_functions
from deriver.emission.compiled.together import block_functions
from deriver.emission.compiled.walks import walk_functions
from deriver.emission.environment import make_environment
from deriver.emission.gibbs import quantity_shape
from deriver.emission.inputs import data_record, field_names, prepare_function
from deriver.emission.joint import definition_functions, joint_function, likelihood_function, predict_function
from deriver.emission.metropolis import is_tuned, returns_rate
from deriver.emission.naming import SPECIAL
from deriver.emission.reduced import check_reducible, data_names
from deriver.emission.scope import Module, make_function
from deriver.emission.text import break_brackets, break_call
from deriver.emission.views import FunctionView, RecordView
from deriver.plan.layout import Quantity, unsupported
from deriver.plan.records import Plan, Step

# A compiled helper -> the helpers that it calls.
CALLS = {
    "normal": ("finish_normal", "take_word"),
    "fill_uniform": ("next_word", "ziggurat"),
    "fill_normal": ("finish_normal", "next_word"),
    "finish_normal": ("ziggurat", "uniform", "take_word"),
    "uniform": ("take_word",),
    "take_word": ("next_word",),
    "random_gamma": ("normal", "uniform"),
    "random_beta": ("random_gamma",),
    "random_wishart": ("bartlett", "cholesky", "square"),
    "random_inverse_wishart": ("bartlett", "cholesky", "square"),
    "bartlett": ("normal", "random_gamma"),
    "random_truncated_normal": ("normal", "uniform"),
    "random_polya_gamma": ("random_cut_inverse_gaussian", "polya_gamma_term", "uniform"),
    "random_cut_inverse_gaussian": ("normal", "uniform"),
    "propose_block": ("normal", "uniform", "random_gamma"),
    "adapt_block": ("fit_block", "learn_block"),
    "fit_block": ("cholesky",),
    "draw_vector": ("factor",),
    "invert": ("factor",),
    "takes_step": ("uniform",),
}
ORDER = (
    *(
        "apart",
        "next_word",
        "take_word",
        "ziggurat",
        "uniform",
        "finish_normal",
        "fill_normal",
        "normal",
        "softplus",
        "fill_uniform",
        "exponential",
        "logarithm",
    ),
    *("random_gamma", "random_beta"),
    *("random_cut_inverse_gaussian", "polya_gamma_term", "random_polya_gamma"),
    *(
        "random_truncated_normal",
        "cholesky",
        "bartlett",
        "square",
        "random_wishart",
        "random_inverse_wishart",
    ),
    *("factor", "draw_vector", "invert"),
    *("within_reach", "lengthen", "takes_step"),
    *("copy_numbers", "sum_logs", "propose_block", "fit_block", "learn_block", "adapt_block", "add_jump"),
)
# A compiled move goes over the rows once, as the update of the effects does: it pays where it adds at least as much.
LEAST_GAIN = "1.0"


def emit_compiled(
    derivation: Derivation,
    plan: Plan,
    sizes: Mapping[str, int],
    templates: str | Path | None = None,
    *,
    reduced: bool = False,
) -> str:
    """Return the source of a stand-alone compiled sampler.

    ``sizes`` gives the dimensions by name (p = 2), which are written out.  Raises ``UsageError`` for a model that
    needs a dimension which is not given, or a structure that the compiled loops cannot hold.
    """
    from deriver.emission.module import helper_files, make_module, module_docstring

    check_labels(derivation, plan)
    check_partly(derivation)
    check_besides(plan)
    module = make_module(derivation, plan, reduced=reduced)
    known = sizes_of(module, dict(sizes))
    by_node = {step.node: update_functions(module, known, step) for step in plan.steps}
    updates = [view for views in by_node.values() for view in views]
    together, lengths = written_block(module, known, reduced=reduced)
    moves = compiled_moves(module, known)
    compiled = [*updates, *together, *move_functions(moves), *sweep_functions(module, moves)]
    compiled_helpers = needed_helpers(module.needs.helpers | {"fill_normal"})
    module.needs.helpers = {"least_mixing"} if plan.block is not None else set()
    module.needs.helpers |= {"lost_chains"} if may_be_lost(module) else set()
    start = starting_function(module)
    joint = [] if reduced else [joint_function(module), likelihood_function(module), predict_function(module)]
    definitions = definition_functions(module)
    check_reducible(module, by_node, definitions)
    module.used = data_names([*compiled, *definitions, *joint, start])
    prepare = plain_numbers(module, prepare_function(module))
    values = {
        "docstring": module_docstring(derivation, reduced=reduced).replace(
            "Arrays of the state begin with an axis of chains; those of the data have none.",
            "Decorated functions are compiled, and update one chain in place; the others see all chains.",
        ),
        "data": data_fields(module),
        "state": state_record(module),
        "prepare": prepare,
        "functions": [*definitions, *joint, start, shapes_function(module)],
        "compiled": compiled,
        "inlined": inlined_heads(module),
        "merged": "def sweep",
        "entries": ("def climb_", "def to_coordinates("),
        "unread": unread_lines(module, compiled),
        "helpers": helper_files(module),
        "compiled_helpers": [f"numba/helpers/{name}.py.jinja" for name in compiled_helpers],
        **step_values(module, moves),
        **component_lines(module),
        **scratch_values(module),
        **block_values(module, lengths, moves),
        **move_values(module, moves),
    }
    environment = make_environment(templates)
    text = environment.get_template("numba/module.py.jinja").render(values)
    return with_imports(text).rstrip() + "\n"


def check_besides(plan: Plan) -> None:
    """Raise ``UsageError`` where a plan moves nodes together from the first sweep on in a way that NumPy alone has."""
    for move, how in ((plan.approximation, "proposed"), (plan.hamiltonian, "moved along a slope")):
        if move is not None and move.always:
            raise unsupported(
                f"{move.names}, {how} together", "use the numpy backend, or --blocks auto or off"
            )


def step_values(module: Module, moves: list[Move]) -> dict[str, object]:
    """Return what the templates need of how nodes are updated."""
    plan = module.plan
    return {
        "lost": may_be_lost(module),
        "kept": module.needs.kept_sums,
        "lanes": module.needs.lanes,
        "rates": [*(step.node for step in rated_steps(plan)), *(move.key for move in moves)],
        "tuned": [step.node for step in plan.steps if is_tuned(step)],
        "climbs": [step.node for step in plan.steps if step.method == "newton"],
        "chained": any(step.chained for step in plan.steps),
        "scales": [step.node for step in plan.steps if is_scale(step)],
        "rate_shapes": {step.node: rate_shape(module, step) for step in rated_steps(plan)}
        | {move.key: "(1,)" for move in moves},
    }


def scratch_values(module: Module) -> dict[str, object]:
    """Return how many matrices the scratch space holds, and the text of their side, the largest dimension in loops."""
    texts = sorted(re.sub(r"([A-Za-z_]\w*)", r"data.\1", side) for side in module.needs.sides)
    side = texts[0] if len(texts) == 1 else f"max({', '.join(texts)})"
    return {"slots": module.needs.slots, "side": side}


def inlined_heads(module: Module) -> tuple[str, ...]:
    """Return how the functions begin that are written into their callers; a loop with a call does not vectorise."""
    inner = ("def newton_",) if module.needs.lanes else ()
    return ("def draw_", "def update_", *inner)


def component_lines(module: Module) -> dict[str, list[str] | None]:
    """Return the lines that tell which nodes are one number, and how many component axes the others have."""
    names = [f'"{q.name}"' for q in module.state_nodes() if not q.indices and not q.sides]
    sided = [f'"{q.name}": {len(q.sides)}' for q in module.state_nodes() if components_first(q)]
    short = f"SIDES = {{{', '.join(sided)}}}"
    return {
        "numbers": break_call("NUMBERS = frozenset(", [f"[{', '.join(names)}]"] if names else [], ")", 0),
        "sides": [short] if len(short) <= 80 else break_brackets("SIDES = {", sided, "}", 0),
    }


def written_block(
    module: Module, known: dict[Expr, Expr], *, reduced: bool
) -> tuple[list[FunctionView], dict[str, object]]:
    """Return the functions of the plan's block and the lengths of its arrays; none where there is no block."""
    if module.plan.block is None:
        return [], {}
    if reduced:
        raise unsupported("nodes integrated out of others, in a reduced run,", "leave --blocks off")
    return block_functions(module, known)


def update_functions(module: Module, sizes: dict[Expr, int], step: Step) -> list[FunctionView]:
    """Return the functions that update a node."""
    if step.method == "gibbs":
        return [draw_function(module, sizes, step)]
    if step.method == "newton":
        return newton_functions(module, sizes, step)
    return walk_functions(module, sizes, step)


def needed_helpers(names: set[str]) -> list[str]:
    """Return helpers with all that they call, each after what it needs."""
    found = set(names)
    for _ in ORDER:
        found |= {called for name in found for called in CALLS.get(name, ())}
    return [name for name in ORDER if name in found]


def with_imports(text: str) -> str:
    """Put the imports that a module uses in the place kept for them."""
    special = sorted({name for name in SPECIAL if re.search(rf"(?<![\w.]){name}\(", text)})
    joined = f"from scipy.special import {', '.join(special)}"
    if len(joined) > 88:
        joined = "\n".join(["from scipy.special import (", *(f"    {name}," for name in special), ")"])
    return text.replace("@@special@@\n", f"{joined}\n" if special else "")


# --- records and preparation ----------------------------------------------------------------------------------


def data_fields(module: Module) -> RecordView:
    """Return the record of the data, numbers as numbers."""
    record = data_record(module)
    lines = tuple(_number_field(module, line) for line in record.lines)
    return RecordView(name=record.name, summary=record.summary, lines=lines)


def _number_field(module: Module, line: str) -> str:
    name = line.partition(":")[0]
    quantity = _quantity(module, name)
    if quantity is not None and components_first(quantity):
        return line.replace(quantity_shape(module, name), one_chain_shape(module, name), 1)
    return line.replace(": Array", ": float", 1) if is_number(module, name) else line


def unread_lines(module: Module, compiled: list[FunctionView]) -> list[str]:
    """Return the lines that name the fields of the data which no compiled function reads."""
    read = data_names(compiled)
    names = [f'"{name}"' for name in field_names(module) if name not in read]
    short = f"UNREAD = [{', '.join(names)}]"
    return [short] if len(short) <= 80 else break_brackets("UNREAD = [", names, "]", 0) or []


def _quantity(module: Module, name: str) -> Quantity | None:
    return next((quantity for quantity in module.plan.quantities if quantity.name == name), None)


def is_number(module: Module, name: str) -> bool:
    """Tell whether a field of the data is one number."""
    quantity = _quantity(module, name)
    return quantity is not None and not quantity.indices and not quantity.sides and quantity.kind != "subset"


def plain_numbers(module: Module, prepare: FunctionView) -> FunctionView:
    """Hand numbers over as numbers and arrays in C order, as the compiled functions read them."""
    body = list(prepare.body)
    at = next(k for k, line in enumerate(body) if line.lstrip().startswith("return Data("))
    fields = []
    statistics = [statistic.quantity for statistic in module.plan.statistics]
    turned = {q.name: len(q.sides) for q in statistics if components_first(q)}
    whole = set(re.findall(r"^\s+(\w+) = (?:int|len)\(", "\n".join(body), re.MULTILINE))
    for name in field_names(module):
        if name in whole:
            fields.append(f"{name}={name}")
        elif is_number(module, name):
            fields.append(f"{name}=float({name})")
        elif name in turned:
            fields.append(f"{name}=components_first({name}, {turned[name]})")
        else:
            fields.append(f"{name}=np.ascontiguousarray({name})")
    return FunctionView(
        signature=prepare.signature,
        docstring=prepare.docstring,
        body=(*body[:at], *break_call("return Data(", fields, ")", 1)),
    )


def state_record(module: Module) -> RecordView:
    """Return the record of the nodes that are drawn."""
    lines = [f"{q.name}: Array  # {quantity_shape(module, q.name)}" for q in module.state_nodes()]
    return RecordView(
        name="State",
        summary="The nodes of all chains; in one chain, components come first, a number is an array of 1.",
        lines=tuple(lines),
    )


# --- functions --------------------------------------------------------------------------------------------------


def rated_steps(plan: Plan) -> list[Step]:
    """Return the steps whose acceptance is counted: the variances of the block among them."""
    inside = plan.block.variances if plan.block is not None else ()
    return [step for step in plan.steps if returns_rate(step) or step in inside]


def sweep_functions(module: Module, moves: list[Move]) -> list[FunctionView]:
    """Return ``sweep``: every node once, in order; and ``sweep_together`` where the plan has a block."""
    plan = module.plan
    body = [line for step in plan.steps for line in _update_lines(module, step)]
    parameters = ["rng: Random", "state: State", "data: Data"]
    parameters += ["kept: Kept"] if module.needs.kept_sums else []
    rated = ["rates: Rates"] if moves or any(returns_rate(step) for step in plan.steps) else []
    tuned = ["steps: Steps", "gain: float"] if any(is_tuned(step) for step in plan.steps) else []
    doc = ["Update every node once, each given all the others."]
    after = [line for move in moves for line in _move_lines(move)]
    doc += ["Then nodes that depend on each other strongly are moved together."] if moves else []
    moved = ["moves: Moves"] if moves else []
    warming = ["warming: bool"] if moves else []
    plain = make_function(
        "sweep", [*parameters, *rated, *tuned, *moved, *warming], "None", doc, [*body, *after]
    )
    if plan.block is None:
        return [plain]
    others = [plan.step(effect.node) for effect in plan.block.effects]
    others += [step for step in plan.steps if step.node not in plan.block.nodes]
    body = break_call(f"{update_name(plan)}(", ["rng", "state", "data", "block", "rates", "warming"], ")", 1)
    body += [line for step in others for line in _update_lines(module, step)]
    doc = ["Update every node once, those of the block together, in an order that keeps the target."]
    own = [*parameters, "rates: Rates", *tuned, "block: BlockSteps", *moved, "warming: bool"]
    return [plain, make_function("sweep_together", own, "None", doc, [*body, *after])]


def _move_lines(move: Move) -> list[str]:
    kept = [f"kept.{move.kept}"] if move.kept else []
    own = [f"moves.{move.key}", f"rates.{move.key}", "warming"]
    return break_call(f"move_{move.key}(", ["rng", "state", "data", *kept, *own], ")", 1)


def _update_lines(module: Module, step: Step) -> list[str]:
    name = f"draw_{step.node}" if step.method == "gibbs" else f"update_{step.node}"
    extra = [f"kept.{step.node}"] if step.node in module.needs.kept_sums else []
    extra += [f"steps.{step.node}"] if is_tuned(step) else []
    extra += [f"rates.{step.node}"] if returns_rate(step) else []
    extra += ["gain"] if is_tuned(step) else []
    return break_call(f"{name}(", ["rng", "state", "data", *extra], ")", 1)


def move_values(module: Module, moves: list[Move]) -> dict[str, object]:
    """Return what the templates need of the joint moves."""
    lines: list[str] = []
    for move in moves:
        kept = module.needs.kept_sums.get(move.kept, 0)
        shape = f"({kept}, *{rate_shape(module, module.plan.step(move.kept))})" if move.kept else "(0, 0)"
        away = f"shapes.{move.away}" if move.away else "(0,)"
        lines += break_call(f"{move.key}=steps(", [str(move.size), away, shape], "),", 2)
    return {"moves": moves, "first_moves": [line.strip() for line in lines], "least_gain": LEAST_GAIN}


def block_values(module: Module, lengths: dict[str, object], moves: list[Move]) -> dict[str, object]:
    """Return what the templates need of the plan's block."""
    plan = module.plan
    rated_alone = bool(moves) or any(returns_rate(step) for step in plan.steps)
    if plan.block is None:
        return {"block": False, "rated_alone": rated_alone}
    first = plan.step(plan.block.effects[0].node)
    own = [step.node for step in plan.block.variances if not returns_rate(step)]
    return {
        "block": True,
        "rated_alone": rated_alone,
        "collapse": plan.collapse,
        "threshold": threshold(plan),
        "lengths": lengths,
        "dets": rate_shape(module, first),
        "only_together": "".join(f'"{node}", ' for node in own).removesuffix(" " if len(own) == 1 else ", "),
        "watch_words": watch_words(plan.block),
        "watched": "".join(f", np.ravel(chain.state.{member.node})" for member in plan.block.shared),
    }


def rate_shape(module: Module, step: Step) -> str:
    """Return the text of the shape in which acceptance is counted: an entry per element."""
    quantity = module.quantity(step.node)
    if not quantity.indices:
        return "(1,)"
    drop = len(quantity.sides)
    return f"shapes.{step.node}" if not drop else f"shapes.{step.node}[{drop}:]"


def shapes_function(module: Module) -> FunctionView:
    """Return ``shapes``: the shape of every node for one chain, a number as an array of one."""
    from deriver.emission.printer import print_size
    from deriver.emission.scope import own_space
    from deriver.emission.source import Frame
    from deriver.emission.statements import shape_text

    fields = []
    for quantity in module.state_nodes():
        source = module.source(own_space(module, quantity))
        axes = source.space.axes(quantity.indices, as_given=True)
        sides = [print_size(source, side) for side in quantity.sides]
        plates = shape_text(source, Frame(axes=axes), [])
        text = ", ".join([*sides, *([plates] if plates else [])]) or "1"
        fields.append(f"{quantity.name}=({text}{',' if ',' not in text else ''})")
    body = break_call("return State(", fields, ")", 1)
    return make_function(
        "node_shapes",
        ("data: Data",),
        "State",
        ["Return the shape of every node for one chain; a number is an array of one."],
        body,
    )


def starting_function(module: Module) -> FunctionView:
    """Return ``first_values``: random and different in every chain."""
    source = module.source()
    starts = [(step, start_text(module, step)) for step in module.plan.steps]
    source.lines += spread_lines(module, [text for _, text in starts])
    source.lines += first_state_lines({s.node: text for s, text in starts}, "return ", 1, "state._replace(")
    doc = ["Return values to begin with: different in every chain, groups far apart, variances large."]
    parameters = ("rng: np.random.Generator", "data: Data", "chains: int")
    return make_function("first_values", parameters, "State", doc, source.lines)


def is_scale(step: Step) -> bool:
    """Tell whether a node is a positive number."""
    kind, lower, upper = step.conditional.support
    return kind == "real" and lower == 0 and upper is None and not step.conditional.shape
