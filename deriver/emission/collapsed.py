"""Functions that draw a discrete node with Gaussian nodes integrated out of its weights, and these with it.

``gradient_beside_<node>`` is the gradient of the log joint density in the Gaussian numbers; ``integrate_beside_<node>``
completes their square; ``log_weight_<node>`` is the log weight of a value; ``update_<node>`` weighs every value at once,
as further chains, and then draws.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

from deriver.emission.block_words import joined_names
from deriver.emission.blocks import add_normal_shift
from deriver.emission.gibbs import PARAMETERS
from deriver.emission.metropolis import describe_update
from deriver.emission.naming import local_name
from deriver.emission.printer import print_size
from deriver.emission.scope import Module, make_function
from deriver.emission.source import Source
from deriver.emission.statements import write_parameter
from deriver.emission.text import break_call
from deriver.emission.views import FunctionView
from deriver.plan.records import Step

HELPERS = ("by_element", "complete_square")
STATE = ("state: State", "data: Data")


def collapsed_functions(module: Module, step: Step) -> list[FunctionView]:
    """Return the functions that update a discrete node together with the Gaussian ones."""
    module.needs.helpers |= set(HELPERS)
    return [
        _gradient_function(module, step),
        _integrate_function(module, step),
        _weight_function(module, step),
        _update_function(module, step),
    ]


def _names(step: Step) -> str:
    return joined_names(step.collapsed)


def _gradient_function(module: Module, step: Step) -> FunctionView:
    source = module.source()
    source.taken |= {"gradients", "precisions"}
    gradients, precisions = [], []
    for member in step.collapsed:
        own = source.within(member.space)
        values, target = dict(member.parameters), member.conditional.target
        precision = write_parameter(own, values["precision"], target, f"precision_{member.node}")
        linear = write_parameter(own, values["linear"], target, f"linear_{member.node}")
        value = f"state.{member.node}"
        gradients.append(f"by_element({linear} - {precision} * {value}, {value})")
        precisions.append(f"by_element({precision}, {value})")
    source.lines += break_call("gradients = [", gradients, "]", 1)
    source.lines += break_call("precisions = [", precisions, "]", 1)
    source.add("return np.concatenate(gradients, axis=1), np.concatenate(precisions, axis=1)")
    doc = [
        f"Return the gradient of the log joint density in {_names(step)}, and their precisions.",
        "They are b - A x and A of the full conditionals, both (chains, numbers).",
    ]
    return make_function(f"gradient_beside_{step.node}", STATE, "tuple[Array, Array]", doc, source.lines)


def _integrate_function(module: Module, step: Step) -> FunctionView:
    gradient = f"gradient_beside_{step.node}"
    body = [f"    gradient, own = {gradient}(state, data)"]
    columns = [
        f"gradient - {gradient}(replace(state, {moved}), data)[0]" for moved in _unit_steps(step.collapsed)
    ]
    body += break_call("columns = [", columns, "]", 1)
    body.append("    precision = np.stack(columns, axis=-1)")
    body.append('    np.einsum("cii->ci", precision)[...] = own')
    body.append("    return complete_square(precision, gradient)")
    doc = [
        f"Return the log integral of the joint density over {_names(step)}, seen from their values.",
        "The gradient is affine in them: a step of one changes it by minus a column of their precision P.",
        "Besides (c' inv(P) c - log|P|) / 2, L and inv(L) c for P = LL', c the gradient.",
    ]
    return make_function(f"integrate_beside_{step.node}", STATE, "tuple[Array, Array, Array]", doc, body)


def _sizes(member: Step) -> list[int]:
    return [int(upper - lower + 1) for _, lower, upper in member.conditional.ranges]


def _unit_steps(members: tuple[Step, ...]) -> Iterator[str]:
    """Yield the assignment that moves one number by 1, for every number in their order."""
    for member in members:
        sizes = _sizes(member)
        if not sizes:
            yield f"{member.node}=state.{member.node} + 1"
            continue
        for place in itertools.product(*(range(size) for size in sizes)):
            unit = _unit(sizes, place)
            yield f"{member.node}=state.{member.node} + np.array({unit})"


def _unit(sizes: list[int], place: tuple[int, ...]) -> str:
    """Return nested lists of zeros with a one."""
    inside = [
        ("1" if len(sizes) == 1 else _unit(sizes[1:], place[1:])) if k == place[0] else _zeros(sizes[1:])
        for k in range(sizes[0])
    ]
    return f"[{', '.join(inside)}]"


def _zeros(sizes: list[int]) -> str:
    return f"[{', '.join(_zeros(sizes[1:]) for _ in range(sizes[0]))}]" if sizes else "0"


def _weight_function(module: Module, step: Step) -> FunctionView:
    source = module.source(step.space)
    assert step.kernel is not None
    kernel = write_parameter(source, step.kernel, step.conditional.target, "log_kernel")
    source.add(f"return {kernel} + integrate_beside_{step.node}(state, data)[0]")
    doc = [f"Return the log density of {step.node} with {_names(step)} integrated out, up to a constant."]
    return make_function(f"log_weight_{step.node}", STATE, "Array", doc, source.lines)


def _update_function(module: Module, step: Step) -> FunctionView:
    source = module.source()
    node = step.node
    _, lower, upper = step.conditional.support
    assert lower is not None and upper is not None
    ends = [print_size(source, end) for end in (lower, upper + 1)]
    source.add(f"values = np.arange({', '.join(ends)}, dtype=float)")
    source.add(f"chains = len(state.{node})")
    repeated = [
        f"{each.node}=np.repeat(state.{each.node}, len(values), axis=0)"
        for each in module.plan.steps
        if each.node != node
    ]
    source.lines += break_call("tried = State(", [f"{node}=np.tile(values, chains)", *repeated], ")", 1)
    source.add('with np.errstate(all="ignore"):')
    source.add(f"    logs = log_weight_{node}(tried, data).reshape(chains, len(values))")
    source.add("logs = np.where(np.isnan(logs), -np.inf, logs)")
    source.add(f"{local_name(node)} = values[np.argmax(logs + rng.gumbel(size=logs.shape), axis=1)]")
    source.add(f"state = replace(state, {node}={local_name(node)})")
    source.add(f"_, root, half = integrate_beside_{node}(state, data)")
    add_normal_shift(source)
    source.lines += break_call("return replace(", ["state", *_moved(source, step)], ")", 1)
    doc = describe_update(module, step, None)
    doc[0] = f"Update {node} by enumeration with {_names(step)} integrated out, then draw these."
    doc.append(f"log_weight_{node} adds the log integral over {_names(step)}.")
    return make_function(f"update_{node}", PARAMETERS, "State", doc, source.lines)


def _moved(source: Source, step: Step) -> list[str]:
    found, start = [], 0
    for member in step.collapsed:
        sizes = _sizes(member)
        count = math.prod(sizes)
        value = f"state.{member.node}"
        part = f"shift[:, {start}:{start + count}].reshape({value}.shape)" if sizes else f"shift[:, {start}]"
        found.append(f"{member.node}={value} + {part}")
        start += count
    return found
