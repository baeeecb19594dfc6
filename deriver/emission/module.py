"""Derivation and plan → the text of the sampler module."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from deriver.derivation.lower import Lowering
from deriver.derivation.records import Derivation
from deriver.emission.approximation import approximation_functions
from deriver.emission.blocks import HELPERS as BLOCK_HELPERS
from deriver.emission.blocks import block_functions, block_key, threshold
from deriver.emission.chain import (
    has_rates,
    has_steps,
    may_be_lost,
    starting_function,
    step_functions,
    sweep_function,
)
from deriver.emission.collapsed import HELPERS as COLLAPSED_HELPERS
from deriver.emission.collapsed import collapsed_functions
from deriver.emission.environment import render_module, template_folders
from deriver.emission.gibbs import draw_function
from deriver.emission.hamiltonian import hamiltonian_functions
from deriver.emission.inputs import data_record, prepare_function, state_record
from deriver.emission.joint import definition_functions, joint_function, likelihood_function, predict_function
from deriver.emission.linked import linked_names
from deriver.emission.metropolis import update_functions
from deriver.emission.naming import SPECIAL
from deriver.emission.partly import observed_name, partly_observed
from deriver.emission.paths import path_function
from deriver.emission.reduced import check_reducible, data_names, row_indices
from deriver.emission.scope import Module
from deriver.emission.together import together_functions
from deriver.emission.views import FunctionView, ModuleView
from deriver.errors import Mistake, UsageError
from deriver.language.ends import check_ends
from deriver.plan.make import make_plan
from deriver.plan.records import Plan, Step

BACKENDS = ("numpy", "numba")
# A helper -> the helpers that it calls.
CALLS = {
    "draw_linked": ("eliminate", "elimination", "too_wide"),
    "eliminate": ("factor_corner", "group_sum", "half_solve"),
    "least_squares": ("orthogonal_columns", "subtract_exactly", "triangular_fit"),
    "newton_step": ("scaled_root",),
    "climb": ("scaled_root",),
    "random_wishart": ("bartlett",),
    "random_inverse_wishart": ("bartlett",),
    "random_truncated_normal": ("between",),
    "random_truncated_gamma": ("between", "far_tail"),
    "random_truncated_beta": ("between", "far_tail"),
    "random_truncated_inverse_gamma": ("between", "far_tail", "random_truncated_gamma"),
    "random_sqrt_inverse_gamma": ("random_inverse_gamma",),
    "random_truncated_sqrt_inverse_gamma": (
        *("between", "far_tail", "random_truncated_gamma", "random_truncated_inverse_gamma"),
    ),
    "random_path": ("join_steps",),
    "random_polya_gamma": ("random_cut_inverse_gaussian",),
}
PREDICTION_CALLS = {
    "wishart": ("bartlett",),
    "inverse_wishart": ("bartlett", "random_inverse_wishart"),
    "polya_gamma": ("random_polya_gamma",),
}
DENSITY_CALLS = {"polya_gamma": ("log_untilted_polya_gamma",)}
# What the helpers use of SciPy's linear algebra, by module.
LINEAR_ALGEBRA = {
    "scipy.linalg": ("cholesky_banded",),
    "scipy.linalg.lapack": ("dpbtrf", "dpotrf", "dtbtrs", "dtrtrs"),
}


def emit(
    derivation: Derivation,
    plan: Plan | None = None,
    *,
    backend: str = "numpy",
    methods: Mapping[str, str] | None = None,
    templates: str | Path | None = None,
    sizes: Mapping[str, int] | None = None,
    reduced: bool = False,
) -> str:
    """Return the source of a stand-alone sampler for a derivation.

    ``methods`` overrides how named nodes are drawn; ``templates`` is a folder searched before the
    package's own; ``sizes`` are the dimensions (p = 2) that the numba backend writes out; a ``reduced``
    sampler takes statistics of the rows in place of the rows.  Raises
    ``UsageError`` for an unknown backend, node or method, and for what a backend cannot hold.
    """
    if backend not in BACKENDS:
        found = f"the backend {backend}"
        raise UsageError(
            [Mistake(code="unknown_backend", found=found, expected=f"one of {', '.join(BACKENDS)}")]
        )
    check_ends(derivation.model)
    if plan is None or methods:
        plan = make_plan(derivation, methods)
    if backend == "numba":
        from deriver.emission.compiled import emit_compiled

        return emit_compiled(derivation, plan, sizes or {}, templates, reduced=reduced)
    return render_module(view_module(derivation, plan, templates, reduced=reduced), templates)


def view_module(
    derivation: Derivation, plan: Plan, templates: str | Path | None = None, *, reduced: bool = False
) -> ModuleView:
    """Return everything that the template needs, as text."""
    module = make_module(derivation, plan, reduced=reduced)
    written = write_functions(module)
    lost = may_be_lost(module)
    module.needs.helpers |= {"lost_chains"} if lost else set()
    prepare = prepare_function(module)
    helpers = helper_files(module)
    records = (data_record(module), state_record(module))
    functions = (prepare, *written)
    return ModuleView(
        docstring=module_docstring(derivation, reduced=reduced),
        imports=tuple(import_lines(functions, helpers, templates)),
        records=records,
        functions=functions,
        helpers=tuple(helpers),
        rates=has_rates(module),
        tuned=has_steps(module),
        collapse=plan.collapse,
        block=block_key(plan) if plan.block is not None else "",
        threshold=threshold(plan),
        partly=tuple((q.name, observed_name(module, q.name)) for q in partly_observed(module)),
        linked=linked_names(plan),
        lost=lost,
    )


def write_functions(module: Module) -> list[FunctionView]:
    """Return the functions that read Data, and record in the module what they read.

    Raises ``UsageError`` if a reduced module cannot do without its rows.
    """
    plan, reduced = module.plan, bool(module.reduced)
    by_node = {step.node: _functions_of(module, step) for step in plan.steps}
    blocks = block_functions(module)
    updates = [view for views in by_node.values() for view in views] + blocks + together_functions(module)
    updates += approximation_functions(module)
    updates += hamiltonian_functions(module)
    running = [sweep_function(module), *step_functions(module), starting_function(module)]
    joint = [] if reduced else [joint_function(module), likelihood_function(module), predict_function(module)]
    definitions = definition_functions(module)
    check_reducible(module, by_node, definitions, blocks)
    written = [*definitions, *updates, *joint, *running]
    module.used = data_names(written)
    return written


def _functions_of(module: Module, step: Step) -> list[FunctionView]:
    if step.collapsed:
        return collapsed_functions(module, step)
    if step.path is not None:
        return [path_function(module, step, step.path)]
    return [draw_function(module, step)] if step.method == "gibbs" else update_functions(module, step)


def declared_bounds(derivation: Derivation) -> dict:
    """Return the declared ends of every plate, by index."""
    lowering = Lowering(derivation.model)
    return {plate.index: tuple(lowering.plate_bound(plate.index))[1:] for plate in derivation.model.plates}


def make_module(derivation: Derivation, plan: Plan, *, reduced: bool) -> Module:
    """Return an empty module; a ``reduced`` one holds no arrays over the rows."""
    rows = row_indices(derivation)[-1:] if reduced else ()
    declared = {**declared_bounds(derivation), **plan.cell_bounds()}
    return Module(derivation=derivation, plan=plan, declared=declared, reduced=frozenset(rows))


def module_docstring(derivation: Derivation, *, reduced: bool = False) -> str:
    """Return the docstring: what the file is, and the model."""
    name = derivation.model.name
    text = derivation.model.source.strip() or name
    text = text.replace("\\", "\\\\").replace('"""', "'''")
    body = "\n".join(f"    {line}".rstrip() for line in text.splitlines())
    rows = "The rows of the data are not held: sums and least-squares fits of them are.\n" if reduced else ""
    return (
        f'"""A Gibbs sampler for the model {name}, generated from the model; yours to edit.\n\n{body}\n\n'
        "Arrays of the state begin with an axis of chains; those of the data have none.\n"
        f"{rows}"
        '[a | .] is the full conditional of a: its density given all else.\n"""'
    )


def helper_files(module: Module) -> list[str]:
    """Return the template files of the helpers in use, in a fixed order."""
    helpers = set(module.needs.helpers)
    for family in module.predictions:
        helpers |= set(PREDICTION_CALLS.get(family, ()))
    for family in module.densities:
        helpers |= set(DENSITY_CALLS.get(family, ()))
    for helper in sorted(helpers):
        helpers |= set(CALLS.get(helper, ()))
    for helper in sorted(helpers):
        helpers |= set(CALLS.get(helper, ()))
    files = [f"numpy/densities/{family}.py.jinja" for family in sorted(module.densities)]
    files += [f"numpy/predictions/{family}.py.jinja" for family in sorted(module.predictions)]
    of_blocks = {*BLOCK_HELPERS, *COLLAPSED_HELPERS}
    folders = {helper: "blocks" if helper in of_blocks else "helpers" for helper in helpers}
    return files + [f"numpy/{folders[helper]}/{helper}.py.jinja" for helper in sorted(helpers)]


def import_lines(functions, helpers: list[str], templates: str | Path | None) -> list[str]:
    """Return the import statements that the module needs, sorted as ruff sorts them."""
    text = "\n".join(line for function in functions for line in (*function.signature, *function.body))
    for file in helpers:
        text += "\n" + _read_template(file, templates)
    special = sorted({name for name in SPECIAL if re.search(rf"\b{name}\(", text)})
    lines = ["from collections.abc import Callable, Mapping, Sequence"]
    lines += ["from dataclasses import dataclass, replace", "from typing import Any", ""]
    lines += ["import numpy as np", "from numpy.typing import ArrayLike"]
    for source, names in LINEAR_ALGEBRA.items():
        used = [name for name in names if re.search(rf"\b{name}\(", text)]
        lines += [f"from {source} import {', '.join(used)}"] if used else []
    if special:
        joined = f"from scipy.special import {', '.join(special)}"
        lines += (
            [joined]
            if len(joined) <= 88
            else ["from scipy.special import (", *(f"    {name}," for name in special), ")"]
        )
    return lines


def _read_template(file: str, templates: str | Path | None) -> str:
    for folder in template_folders(templates):
        if (folder / file).is_file():
            return (folder / file).read_text(encoding="utf-8")
    return ""
