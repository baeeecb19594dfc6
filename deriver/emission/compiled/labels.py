"""Labels as subscripts, and partly observed nodes, which the compiled loops do not hold."""

from __future__ import annotations

import sympy as sp

from deriver.algebra.heads import Ref
from deriver.derivation.records import Derivation
from deriver.plan.layout import unsupported
from deriver.plan.records import Plan


def check_partly(derivation: Derivation) -> None:
    """Refuse a model with a node of which some elements are observed; raises ``UsageError``."""
    for node in derivation.model.nodes:
        if node.partly:
            raise unsupported(f"the partly observed {node.name}", "use the numpy backend")


def check_labels(derivation: Derivation, plan: Plan) -> None:
    """Refuse a model with elements that are named by a label; raises ``UsageError``."""
    parts = [part for factor in derivation.factors for part in factor.arguments]
    whole = sp.Tuple(*parts, *(definition.expression for definition in derivation.definitions))
    for ref in sp.ordered(whole.atoms(Ref)):
        if any(plan.space.has_label(index) for index in ref.indices):
            raise unsupported(f"the label in {ref}", "use the numpy backend")
    for step in plan.steps:
        if step.collapsed:
            names = ", ".join(each.node for each in step.collapsed)
            raise unsupported(
                f"{names}, integrated out of the weights of {step.node}",
                "use the numpy backend, or --blocks off",
            )
