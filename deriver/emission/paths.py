"""The function that draws a discrete node whose elements form sequences: each sequence whole, by enumeration."""

from __future__ import annotations

from dataclasses import replace

from sympy import Expr

from deriver.emission.gibbs import PARAMETERS
from deriver.emission.metropolis import describe_update, name_coefficients
from deriver.emission.naming import local_name
from deriver.emission.partly import observed_name
from deriver.emission.printer import print_size
from deriver.emission.scope import Module, make_function
from deriver.emission.source import Source
from deriver.emission.statements import write_parameter
from deriver.emission.text import break_call
from deriver.emission.views import FunctionView
from deriver.plan.records import Path, Step


def path_function(module: Module, step: Step, path: Path) -> FunctionView:
    """Return ``update_<node>``, with the log weights of a value by itself and beside the one before."""
    source = module.source(step.space)
    _write_density(source, step, "log_own", path.own)
    _write_density(source, step, "log_link", path.link)
    module.needs.helpers.add("random_path")
    _, lower, upper = step.conditional.support
    assert lower is not None and upper is not None
    ends = [print_size(source, end) for end in (lower, upper)]
    arguments = ["rng", "log_own", "log_link", *ends, f"state.{step.node}.shape"]
    arguments += [f"axis={path.axis}"] if path.axis != -1 else []
    arguments += [f"observed=data.{observed_name(module, step.node)}"] if step.partly else []
    source.lines += break_call("return random_path(", arguments, ")", 1)
    doc = describe_update(module, step, None)
    doc.append("Each sequence is drawn whole: log_own is of an element, log_link of it and the one before.")
    return make_function(f"update_{step.node}", PARAMETERS, "Array", doc, source.lines)


def _write_density(source: Source, step: Step, name: str, density: Expr) -> None:
    """Write an inner function of the node's values; what it needs of other nodes is named before it."""
    named = name_coefficients(source, replace(step, kernel=density))
    source.add("")
    source.add(f"def {name}({local_name(step.node)}: Array) -> Array:")
    inside = source.nested(2)
    inside.as_local(step.node)
    value = write_parameter(inside, named, step.conditional.target, "log_weight")
    source.lines += inside.lines
    source.add(f"    return {value}")
    source.add("")
