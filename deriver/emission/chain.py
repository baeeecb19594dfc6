"""Functions that run the chains: sweep, starting_values, the steps of the walks."""

from __future__ import annotations

import re

import sympy as sp
from sympy import Expr

from deriver.algebra import heads
from deriver.algebra.heads import Ref
from deriver.derivation.records import Conditional, Factor
from deriver.emission import approximation, hamiltonian
from deriver.emission.blocks import block_key, update_name
from deriver.emission.coordinates import place_variances
from deriver.emission.gibbs import bound_text
from deriver.emission.metropolis import is_tuned, is_vector_walk, returns_rate
from deriver.emission.naming import local_name
from deriver.emission.partly import keep_observed
from deriver.emission.printer import print_size
from deriver.emission.reduced import is_over_rows, moment_names
from deriver.emission.scope import Module, make_function, own_space
from deriver.emission.source import Frame
from deriver.emission.statements import shape_text
from deriver.emission.text import break_call
from deriver.emission.together import adapt_lines, first_steps_lines, joint_moves, move_lines
from deriver.emission.views import FunctionView
from deriver.plan.records import Step


def has_steps(module: Module) -> bool:
    """Tell whether any node, or the block, has proposals that are tuned while warming up."""
    return module.plan.block is not None or has_walks(module)


def moves_together(module: Module) -> bool:
    """Tell whether a sweep ends with moves of several nodes at a time."""
    return bool(joint_moves(module)) or approximation.is_used(module) or hamiltonian.is_used(module)


def has_walks(module: Module) -> bool:
    """Tell whether any node by itself has proposals that are tuned while warming up."""
    return moves_together(module) or any(is_tuned(step) for step in module.plan.steps)


def has_rates(module: Module) -> bool:
    """Tell whether any node, or the block, reports an acceptance rate."""
    rates = moves_together(module) or any(returns_rate(step) for step in module.plan.steps)
    return module.plan.block is not None or rates


def may_be_lost(module: Module) -> bool:
    """Tell whether a chain may not come to values of positive density, where a step has to find them."""
    return not module.reduced and any(step.method != "gibbs" for step in module.plan.steps)


def sweep_function(module: Module) -> FunctionView:
    """Return ``sweep``, one update of every node in order."""
    rates = has_rates(module)
    body = ["    accepted: dict[str, Array] = {}"] if rates else []
    if module.plan.block is None:
        for step in module.plan.steps:
            body += _update_lines(step)
        body += approximation.sweep_lines(module)
        body += hamiltonian.sweep_lines(module)
    else:
        body += _block_lines(module)
    body += move_lines(module)
    body.append("    return state, accepted" if rates else "    return state")
    parameters = ["rng: np.random.Generator", "state: State", "data: Data"]
    parameters += ["steps: dict[str, Any]"] if has_steps(module) else []
    result = "tuple[State, dict[str, Array]]" if rates else "State"
    doc = ["Draw every node once, each given all the others."]
    if module.plan.block is not None:
        doc.append("Where it pays, some nodes are drawn together, in an order that keeps the target.")
    if moves_together(module):
        doc.append("Then nodes that depend on each other strongly are moved together.")
    return make_function("sweep", parameters, result, doc, body)


def _update_lines(step: Step) -> list[str]:
    node = step.node
    if step.collapsed:
        return [f"    state = update_{node}(rng, state, data)"]
    arguments = ["rng", "state", "data"] + ([f'steps["{node}"]'] if is_tuned(step) else [])
    name = f"draw_{node}" if step.method == "gibbs" else f"update_{node}"
    local = local_name(node)
    if not returns_rate(step):
        head = f"state = replace(state, {node}={name}({', '.join(arguments)}))"
        if len(head) + 4 <= 88:
            return [f"    {head}"]
        return [
            f"    {local} = {name}({', '.join(arguments)})",
            f"    state = replace(state, {node}={local})",
        ]
    lines = break_call(f'{local}, accepted["{node}"] = {name}(', arguments, ")", 1)
    return [*lines, f"    state = replace(state, {node}={local})"]


def _block_lines(module: Module) -> list[str]:
    """Return the two sweeps: with the block, then the nodes outside it; and node by node."""
    plan = module.plan
    assert plan.block is not None
    block, key = plan.block, f'steps["{block_key(plan)}"]'
    lines = [f"    if {key}.collapse:"]
    shown = [f'"{step.node}": rate' for step in block.variances]
    result = "state, rate" if shown else "state"
    lines += _deeper([f"    {result} = {update_name(plan)}(rng, state, data, {key})"])
    lines += break_call("accepted |= {", shown, "}", 2) if shown else []
    drawn = () if block.structure == "linked" else block.effects  # the update has drawn them
    effects = [plan.step(effect.node) for effect in drawn]
    rest = [step for step in plan.steps if step.node not in block.nodes]
    for step in (*effects, *rest):
        lines += _deeper(_update_lines(step))
    lines.append("    else:")
    for step in plan.steps:
        lines += _deeper(_update_lines(step))
    return lines


def _deeper(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]


# --- steps of the walks -----------------------------------------------------------------------------------


def step_functions(module: Module) -> list[FunctionView]:
    """Return ``first_steps`` and ``adapt_steps``, where a node has tuned proposals."""
    if not has_steps(module):
        return []
    tuned = [step for step in module.plan.steps if is_tuned(step)]
    entries = [f'"{step.node}": {_first_step(module, step)}' for step in tuned]
    made, joint = first_steps_lines(module)
    entries += joint + approximation.first_entries(module) + hamiltonian.first_entries(module)
    lines = [line for step in tuned for line in _adapt_lines(module, step)] + adapt_lines(module)
    lines += approximation.adapt_lines(module) + hamiltonian.adapt_lines(module)
    parameters, doc = ["state: State"], ["Return the sizes of the proposals to begin with."]
    size = ""
    if module.plan.block is not None:
        size, entry = _first_block(module)
        entries.append(entry)
        parameters.append(f'collapse: str = "{module.plan.collapse}"')
        doc.append('collapse "on" updates nodes together from the first sweep.')
        lines = _adapt_block_lines(module, tuned) + adapt_lines(module)
    body = [*made, *([size] if size else [])]
    body += break_call("return {", entries, "}", 1)
    first = make_function("first_steps", parameters, "dict[str, Any]", doc, body)
    second = make_function(
        "adapt_steps",
        ("steps: dict[str, Any]", "state: State", "accepted: dict[str, Array]", "number: int"),
        "None",
        ["Adapt the proposals after a sweep of the warm-up, after which they stay."],
        lines,
    )
    return [first, second]


def _first_block(module: Module) -> tuple[str, str]:
    """Return the line that counts what the block moves ("" of nothing), and the entry of its proposals."""
    plan = module.plan
    assert plan.block is not None
    if not plan.block.variances:
        return "", f'"{block_key(plan)}": JointSteps(collapse == "on")'
    size = place_variances(module, plan.block).total
    for name in sorted(set(re.findall(r"\bdata\.(\w+)", size))):
        holder = next(s for s in plan.block.variances if name in {str(side) for side in s.conditional.shape})
        size = size.replace(f"data.{name}", f"state.{holder.node}.shape[-1]")
    chains = f"len(state.{plan.steps[0].node})"
    entry = f'"{block_key(plan)}": first_block_steps({chains}, size, collapse == "on")'
    return f"    size = {size}", entry


def _adapt_block_lines(module: Module, tuned: list[Step]) -> list[str]:
    """Return the lines that adapt the block when it is used, and else the walks of its nodes."""
    plan = module.plan
    assert plan.block is not None
    key = f'steps["{block_key(plan)}"]'
    inside = [step for step in tuned if step.node in plan.block.nodes]
    outside = [step for step in tuned if step.node not in plan.block.nodes]
    if not plan.block.variances:
        return [line for step in outside for line in _adapt_lines(module, step)]
    rate = f'accepted["{plan.block.variances[0].node}"]'
    lines = [f"    if {key}.collapse:", f"        {key}.adapt({rate})"]
    if inside:
        lines.append("    else:")
        lines += _deeper([line for step in inside for line in _adapt_lines(module, step)])
    return lines + [line for step in outside for line in _adapt_lines(module, step)]


def _walked(step: Step) -> str:
    kind = step.conditional.support[0]
    names = {"correlation": "to_partial", "spd": "to_log_cholesky", "simplex": "to_log_ratios"}
    there = names.get(kind) if is_vector_walk(step) else None
    return f"{there}(state.{step.node})" if there else f"state.{step.node}"


def _first_step(module: Module, step: Step) -> str:
    if is_vector_walk(step):
        module.needs.helpers.add("vector_steps")
        return f"vector_steps({_walked(step)})"
    return f"np.ones_like(state.{step.node})"


def _adapt_lines(module: Module, step: Step) -> list[str]:
    node = step.node
    if is_vector_walk(step):
        return break_call(f'steps["{node}"].adapt(', [_walked(step), f'accepted["{node}"]', "number"], ")", 1)
    module.needs.helpers.add("adapt")
    return break_call(
        f'steps["{node}"] = adapt(', [f'steps["{node}"]', f'accepted["{node}"]', "number"], ")", 1
    )


# --- starting values --------------------------------------------------------------------------------------


def starting_function(module: Module) -> FunctionView:
    """Return ``starting_values``: wide between groups, then a few sweeps from the data up, then jitter."""
    rates = has_rates(module)
    source = module.source()
    wide = "wide" if _may_be_impossible(module) else "1.0"
    starts = [(step, _first_value(module, step, wide)) for step in module.plan.steps]
    source.lines += spread_lines(module, [text for _, text in starts])
    source.lines += _first_state_lines(module, {s.node: text for s, text in starts})
    for step in module.plan.steps:
        if _is_common_location(module, step):
            source.lines += _update_lines(step)
    newton = [step.node for step in module.plan.steps if step.method == "newton"]
    if newton:
        module.needs.helpers.add("climb")
    tuned, walks = has_steps(module), has_walks(module)
    if tuned:
        arguments = "state" if module.plan.block is None else 'state, "off"'
        source.add(f"steps = first_steps({arguments})")
    for node in newton:
        local = local_name(node)
        given = [f"state.{node}", f"derivatives_{node}", "state", "data"]
        source.lines += break_call(f"{local} = climb(", given, ")", 1)
        held = keep_observed(module, node, local) if module.plan.step(node).partly else local
        source.add(f"state = replace(state, {node}={held})")
    many = walks or any(returns_rate(step) for step in module.plan.steps)
    source.add(f"for {'number' if walks else '_'} in range({30 if many else 5}):")
    if walks:
        source.add("    state, accepted = sweep(rng, state, data, steps)")
        source.add("    adapt_steps(steps, state, accepted, number)")
    elif tuned:
        source.add("    state, _ = sweep(rng, state, data, steps)")
    else:
        source.add(f"    state{', _' if rates else ''} = sweep(rng, state, data)")
    write_jitter(module, source)
    source.add("return state")
    how = (
        "What all responses share is drawn first; the groups begin far apart, so that a few sweeps "
        "bring every group to its own data; "
        "variances are then multiplied by a random factor, and what depends on them is drawn anew."
    )
    doc = ["Return starts for the chains: spread wider than the posterior, and near the data.", how]
    parameters = ("rng: np.random.Generator", "data: Data", "chains: int")
    return make_function("starting_values", parameters, "State", doc, source.lines)


def _first_state_lines(module: Module, starts: dict[str, str]) -> list[str]:
    """Return the lines that make the first state; where it may be impossible, states are tried until one is not."""
    if not _may_be_impossible(module):
        return first_state_lines(starts, "state = ", 1)
    module.needs.helpers.add("legal_start")
    inside = first_state_lines(starts, "return ", 2)
    return ["    def first(wide: float) -> State:", *inside, "", "    state = legal_start(first, data)"]


def first_state_lines(
    starts: dict[str, str], head: str, depth: int, change: str = "replace(state, "
) -> list[str]:
    """Return the lines that make a state and assign or return it; a node whose bounds are other nodes waits for these.

    ``change`` is how a record with another field begins.
    """
    later = {node: text for node, text in starts.items() if "state." in text}
    begun = [f"{node}={'np.zeros(chains)' if node in later else text}" for node, text in starts.items()]
    lines = break_call(f"{'state = ' if later else head}State(", begun, ")", depth)
    while later:
        ready = [
            node for node, text in later.items() if not set(re.findall(r"state\.(\w+)", text)) & set(later)
        ]
        node = (ready or list(later))[0]
        own = f"{node}={later.pop(node)}"
        lines += break_call(f"{'state = ' if later else head}{change}", [own], ")", depth)
    return lines


def _may_be_impossible(module: Module) -> bool:
    """Tell whether a start may have density zero: whole numbers are drawn, probabilities computed, or nodes in order."""
    if module.reduced:
        return False
    drawn = any(step.conditional.support[0] == "integer" for step in module.plan.steps)
    defined = {definition.element.name for definition in module.derivation.definitions}
    return drawn or any(_is_computed(module, factor, defined) for factor in module.derivation.factors)


def _is_computed(module: Module, factor: Factor, defined: set[str]) -> bool:
    """Tell whether the probabilities of a factor are made of others, which may be none, or ask for an order."""
    if factor.family not in ("categorical", "multinomial", "bernoulli"):
        return False
    prob = factor.arguments[-1]
    if factor.family == "bernoulli":
        return _expand(module, prob).has(heads.Step)
    return not isinstance(prob, Ref) or prob.name in defined


def _is_common_location(module: Module, step: Step) -> bool:
    """Tell whether a node is one location that all responses share, drawn before the group effects take it up."""
    conditional = step.conditional
    observed = {quantity.name for quantity in module.observed()}
    of_responses = any(c.factor.value.name in observed for c in conditional.contributions)
    return of_responses and not conditional.indices and conditional.family in ("normal", "mvnormal")


def spread_lines(module: Module, starts: list[str]) -> list[str]:
    """Return the lines for the variances of the start: that of the responses, and one large beside it."""
    normal = [
        factor.value.name
        for factor in module.derivation.factors
        if factor.family in ("normal", "student_t", "laplace", "cauchy")
        and factor.value.name in {q.name for q in module.observed()}
    ]
    text = " ".join(starts)
    lines = []
    if normal and is_over_rows(module, module.quantity(normal[0]).indices):
        variance, square = (f"data.{name}" for name in moment_names(normal[0]))
    elif normal:
        variance, square = f"np.var(data.{normal[0]})", f"np.mean(data.{normal[0]}**2)"
    if re.search(r"\bvariance\b", text):
        value = f"{variance} + 1e-6" if normal else "1.0"
        lines.append(f"    variance = {value}")
    if re.search(r"\bspread\b", text):
        value = f"10 * {square} + 1e-6" if normal else "10.0"
        lines.append(f"    spread = {value}  # a variance, large")
    return lines


def _first_value(module: Module, step: Step, wide: str) -> str:
    text = start_text(module, step, wide)
    return keep_observed(module, step.node, text) if step.partly else text


def start_text(module: Module, step: Step, wide: str = "1.0") -> str:
    """Return the text of a node's first value, random and different in every chain; ``wide`` is the mean of a count."""
    conditional = step.conditional
    kind, lower, upper = conditional.support
    source = module.source(own_space(module, module.quantity(step.node)))
    source.taken.add("chains")
    quantity = module.quantity(step.node)
    axes = source.space.axes(quantity.indices, as_given=True)
    sides = [print_size(source, side) for side in quantity.sides]
    shape = shape_text(source, Frame(axes=axes, chain=True), sides)
    shape = f"({shape})" if "," in shape else shape
    if kind in ("spd", "correlation"):
        outer = shape_text(source, Frame(axes=axes, chain=True), ["1", "1"])
        eye = f"np.eye({sides[0]})"
        factor = scale_text(module, step) if kind == "spd" else "1.0"
        eye = eye if factor == "1.0" else f"{factor} * {eye}"
        if kind == "correlation":
            return f"np.tile({eye}, ({outer}))"
        module.needs.helpers.add("spread_out")
        return f"spread_out(rng, {eye}, ({outer}))"
    if kind == "simplex":
        module.needs.helpers.add("random_dirichlet")
        return f"random_dirichlet(rng, np.full({sides[-1]}, 5.0), {shape})"
    if isinstance(lower, heads.Branch):  # a response tells the sign
        sign = bound_text(source, heads.Branch(lower.args[0], sp.S.One, sp.S.NegativeOne), conditional, 0)
        return f"{sign} * np.abs(rng.standard_normal({shape}))"
    low = None if lower is None else bound_text(source, lower, conditional, 0)
    high = None if upper is None else bound_text(source, upper, conditional, 1)
    if kind == "integer":
        if high is None:
            return f"{low or '0'} + rng.poisson({wide}, {shape}).astype(float)"
        return f"rng.integers({low or '0'}, {high} + 1, {shape}).astype(float)"
    if low is not None and high is not None:
        module.needs.helpers.add("inside")
        return f"inside({low}, {high}, rng.uniform(0.2, 0.8, {shape}))"
    if low is None and high is None:
        return f"rng.standard_normal({shape})"
    module.needs.helpers.add("spread_out")
    draw = f"spread_out(rng, {scale_text(module, step)}, {shape})"
    if high is not None:
        return f"{high} - {draw}"
    return draw if low == "0" else f"{low} + {draw}"


def scale_text(module: Module, step: Step) -> str:
    """Return the scale to begin with: large for a variance between groups, small for a precision.

    The variance of responses, and of a chain whose elements follow one another, begins at the responses' own:
    a chain that began at its responses would leave them no error to learn from.
    """
    power, wide = spread_power(module, step.conditional)
    name = "spread" if wide else "variance"
    return {1: name, -1: f"1 / {name}", 2: f"np.sqrt({name})"}.get(power, "1.0")


def spread_power(module: Module, conditional: Conditional) -> tuple[int, bool]:
    """Return how a node sets the spread of others (1 a variance, 2 a sd, -1 a precision), and if between groups."""
    observed = {quantity.name for quantity in module.observed()}
    chained = {step.node for step in module.plan.steps if step.colours != 1}
    found: list[tuple[int, bool]] = []
    for factor in module.derivation.factors:
        place = {"normal": 1, "mvnormal": 1}.get(factor.family)
        if place is None or factor.value.name == conditional.node:
            continue
        power = _power_of(_expand(module, factor.arguments[place]), conditional.node)
        if power:
            found.append((power, factor.value.name not in observed | chained))
    return next((each for each in found if each[1]), found[0] if found else (0, False))


def _expand(module: Module, expr: Expr) -> Expr:
    """Write deterministic nodes out, for reading powers only."""
    by_name = {d.element.name: d for d in module.derivation.definitions}
    for _ in by_name:
        rules = {ref: by_name[ref.name].expression for ref in expr.atoms(Ref) if ref.name in by_name}
        if not rules:
            break
        expr = expr.xreplace(rules)
    return expr


def _power_of(expr: sp.Basic, node: str) -> int:
    """Return +1, -1 or 2 by the first occurrence of a node: as it is, inverted, squared; 0 without one."""
    if isinstance(expr, Ref):
        return 1 if expr.name == node else 0
    if isinstance(expr, sp.Pow):
        inside = _power_of(expr.base, node)
        if not inside or not expr.exp.is_number:
            return 0
        return -inside if expr.exp < 0 else 2 if expr.exp == 2 else inside
    if isinstance(expr, sp.log | heads.LogDet):
        return 0
    powers = [power for arg in expr.args if (power := _power_of(arg, node))]
    squared = isinstance(expr, sp.Mul) and powers == [1, 1]  # diag(s) R diag(s)
    return 2 if squared else next(iter(powers), 0)


def write_jitter(module: Module, source) -> None:
    """Write the last pass: positive nodes times a lognormal factor, then the real ones drawn anew."""
    steps = module.plan.steps
    positive = [s for s in steps if _is_scale(s) and not s.partly]
    for step in positive:
        node, local = step.node, local_name(step.node)
        module.needs.helpers.add("spread_out")
        call = f"{local} = spread_out(rng, state.{node}, state.{node}.shape)"
        source.add(call)
        source.add(f"state = replace(state, {node}={local})")
    redrawn = [s for s in steps if s.method == "gibbs" and s not in positive] if positive else []
    for step in redrawn:
        for line in _update_lines(step):
            source.lines.append(line)


def _is_scale(step: Step) -> bool:
    kind, lower, upper = step.conditional.support
    return kind == "real" and lower == 0 and upper is None and not step.conditional.shape
