"""Nodes of which some elements are observed and the others drawn: every update leaves the observed ones as they are.

The full conditional is that of each element by itself; which elements are drawn is a matter of the data, NaN where a
value is missing.  Elements that are drawn at the same time do not depend on each other, so that an update may treat
all alike and then put the observed ones back.  Components of one element do: those of a normal vector that are missing
are drawn given the others (``given_observed``), other vectors must be observed whole, or not at all.
"""

from __future__ import annotations

from deriver.emission.naming import distinct
from deriver.emission.scope import Module
from deriver.plan.layout import Quantity
from deriver.plan.records import Step


def partly_observed(module: Module) -> list[Quantity]:
    """Return the arrays of the state of which some elements are observed."""
    return [module.quantity(node.name) for node in module.derivation.model.nodes if node.partly]


def with_gaps(module: Module) -> list[Quantity]:
    """Return those of them whose observed elements are data; of the others they are fixed by the model."""
    return [q for q in partly_observed(module) if module.derivation.model.node(q.name).layer == "data"]


def observed_name(module: Module, node: str) -> str:
    """Return the field of Data that holds the observed elements of a node."""
    taken = {quantity.name for quantity in module.plan.quantities}
    taken |= {statistic.name for statistic in module.plan.statistics}
    return distinct(f"{node}_observed", taken)


def keep_observed(module: Module, node: str, text: str) -> str:
    """Return the text of a partly observed node's new value with its observed elements put back."""
    module.needs.helpers.add("keep_observed")
    return f"keep_observed({text}, data.{observed_name(module, node)})"


def has_parts(step: Step) -> bool:
    """Tell whether an update draws the missing components of a vector given those observed."""
    return step.method == "gibbs" and step.conditional.family == "mvnormal"


def put_back(module: Module, step: Step, drawn: str, parameters: list[str]) -> str:
    """Return the text of what was drawn, given what is observed; ``parameters`` are the texts of the draw's own."""
    if not has_parts(step):
        return keep_observed(module, step.node, drawn)
    module.needs.helpers.add("given_observed")
    is_prior = step.conditional.method == "prior"
    precision = f"np.linalg.inv({parameters[1]})" if is_prior else parameters[0]
    return f"given_observed({drawn}, {precision}, data.{observed_name(module, step.node)})"
