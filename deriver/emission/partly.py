"""Nodes of which some elements are observed and the others drawn: every update leaves the observed ones as they are.

The full conditional is that of each element by itself; which elements are drawn is a matter of the data, NaN where a
value is missing.  Elements that are drawn at the same time do not depend on each other, so that an update may treat
all alike and then put the observed ones back.
"""

from __future__ import annotations

from deriver.emission.scope import Module
from deriver.plan.layout import Quantity


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
    name = f"{node}_observed"
    while name in taken:
        name += "_"
    return name


def keep_observed(module: Module, node: str, text: str) -> str:
    """Return the text of a partly observed node's new value with its observed elements put back."""
    module.needs.helpers.add("keep_observed")
    return f"keep_observed({text}, data.{observed_name(module, node)})"
