"""Samplers that take statistics of the rows in place of the rows.

The row plate is the innermost plate of the responses.  A sampler can do without the rows when no function that it runs
reads an array over that plate; ``prepare`` then reads the sums and the parts of fits that would have been computed from
the rows, under the names that they have in ``Data``, and computes the rest as ever.  The log joint density, pointwise
likelihoods and predictions need the rows and are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from sympy import Basic, Symbol

from deriver.derivation.records import Derivation
from deriver.emission.scope import Module
from deriver.emission.views import FunctionView
from deriver.errors import Mistake, UsageError, not_reduced
from deriver.plan.layout import plate_of
from deriver.plan.records import LeastSquares, Statistic, Step

WHY = {
    "gibbs": "the parameters of its full conditional are sums that hold its own value, or others, at each row",
    "enumerate": "its values are weighed by the likelihood of each row",
}
HOW = "it has no conditional of a family, and each proposal is weighed by the likelihood of every row"


def row_indices(derivation: Derivation) -> tuple[str, ...]:
    """Return the plate indices of a row of the data: those of the response that has most."""
    responses = [n for n in derivation.model.nodes if n.is_response]
    return max((node.indices for node in responses), key=len, default=())


def is_over_rows(module: Module, indices: Iterable[Symbol]) -> bool:
    """Tell whether indices are those of an array that a reduced sampler does not hold."""
    return any(plate_of(symbol) in module.reduced for symbol in indices)


def is_read(module: Module, statistic: Statistic) -> bool:
    """Tell whether a reduced sampler takes a statistic from outside, as it is computed from the rows."""
    parts: list[Basic] = [statistic.expression]
    if isinstance(statistic.procedure, LeastSquares):
        parts += [*statistic.procedure.bounds]
    return is_over_rows(module, set().union(*(part.atoms(Symbol) for part in parts)))


def moment_names(response: str) -> tuple[str, str]:
    """Return the names of the variance and the mean square of a response, which the starts need."""
    return f"var_{response}", f"mean_square_{response}"


def check_reducible(
    module: Module, updates: Mapping[str, list[FunctionView]], definitions: list[FunctionView],
    together: Iterable[FunctionView] = (),
) -> None:  # fmt: skip
    """Raise ``UsageError`` with every node of a reduced sampler whose update reads an array over the rows.

    ``together`` are the functions that update nodes with others integrated out.
    """
    if not module.reduced:
        return
    mistakes, plan = [], module.plan
    for node, views in updates.items():
        names = sorted(name for name in data_names(views) if reads_rows(module, name))
        if names:
            mistakes.append(_refusal(plan.step(node), names))
    for quantity in module.state_nodes():
        if is_over_rows(module, quantity.indices):
            found = f"`{quantity.name}` has a value for each row, which is drawn at every sweep"
            mistakes.append(not_reduced(found))
    names = sorted(name for name in data_names(definitions) if reads_rows(module, name))
    if names:
        found = f"a deterministic node is computed for each row at every sweep (from {', '.join(names)})"
        mistakes.append(not_reduced(found))
    names = sorted(name for name in data_names(together) if reads_rows(module, name))
    if names:
        found = f"--blocks updates nodes together by a density that reads each row ({', '.join(names)})"
        mistakes.append(not_reduced(found, "leave --blocks off"))
    if mistakes:
        raise UsageError(mistakes, origin="reduce")


def _refusal(step: Step, names: list[str]) -> Mistake:
    why = WHY.get(step.method, HOW)
    return not_reduced(f"`{step.node}` needs each row at every sweep (it reads {', '.join(names)}): {why}")


def data_names(views: Iterable[FunctionView]) -> set[str]:
    """Return the fields of Data that functions read."""
    text = "\n".join(line for view in views for line in view.body)
    return set(re.findall(r"\bdata\.(\w+)", text))


def reads_rows(module: Module, name: str) -> bool:
    """Tell whether a field of Data is an array over the rows."""
    for quantity in module.plan.quantities:
        if quantity.name == name:
            return is_over_rows(module, quantity.indices)
    array = module.needs.arrays.get(name)
    if array is None:
        return False
    return bool(set(name.split("_")) & module.reduced) or any(
        reads_rows(module, each) for each in array.inputs
    )
