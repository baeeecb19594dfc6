"""Show stage, a derivation as JSON: names, families and parameters in the model language."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sympy import Expr

from deriver.algebra.heads import Ref
from deriver.derivation.records import Conditional, Contribution, Derivation
from deriver.show.arrange import Arranger
from deriver.show.cases import Case, split_cases
from deriver.show.order import Order, sort_contributions
from deriver.show.stacks import for_language
from deriver.show.surface import relation_to_language, to_language


def to_json(derivation: Derivation, node: str | None = None, opening: Sequence[str] = ()) -> str:
    """Return ``{"model": ..., "nodes": [...]}``, each parameter an expression of the model language.

    ``opening`` is what is told first, as ``"notes"`` where there is any.
    """
    chosen = derivation.conditionals if node is None else (derivation.node(node),)
    notes = {"notes": list(opening)} if opening else {}
    record = {
        "model": derivation.model.name,
        **notes,
        "nodes": [describe_node(derivation, conditional) for conditional in chosen],
    }
    return json.dumps(record, indent=2, ensure_ascii=False) + "\n"


def describe_node(derivation: Derivation, conditional: Conditional) -> dict[str, Any]:
    """Return the record of one node.

    Where the conditional differs along an index, ``parameters`` hold for the values of ``where`` (the interior)
    and ``cases`` has them all.
    """
    writer = _Writer(derivation, conditional)
    split = split_cases(conditional)
    own = None if split is None else max(split.cases, key=lambda case: (not case.fixed, len(case.true)))
    record: dict[str, Any] = {
        "name": conditional.node,
        "indices": [writer.text(index) for index in conditional.indices],
        "method": conditional.method,
        "family": conditional.family,
        "parameters": writer.parameters(own),
        "reason": writer.reason(),
        "blanket": [writer.density(contribution) for contribution in writer.blanket],
    }
    if own is not None and split is not None and conditional.parameters:
        record["where"] = writer.conditions(own)
        record["cases"] = [
            {"where": writer.conditions(case), "parameters": writer.parameters(case)} for case in split.cases
        ]
    return record


class _Writer:
    def __init__(self, derivation: Derivation, conditional: Conditional) -> None:
        self.conditional = conditional
        self.blanket = sort_contributions(conditional.contributions, conditional.target)
        self.arranger = Arranger(derivation.model, Order(derivation.model, conditional.target, self.blanket))

    def text(self, expr: Expr) -> str:
        return to_language(self.arranger.arrange(for_language(expr)))

    def parameters(self, case: Case | None) -> dict[str, str]:
        values = self.conditional.parameters
        return {name: self.text(expr if case is None else case.resolve(expr)) for name, expr in values}

    def conditions(self, case: Case) -> list[str]:
        return [relation_to_language(self.arranger.relation(condition)) for condition in case.conditions]

    def reason(self) -> str | None:
        reason = self.conditional.reason
        if reason is None:
            return None
        remedy = f"; to mend it: {reason.remedy}" if reason.remedy else ""
        return reason.why + remedy

    def density(self, contribution: Contribution) -> str:
        held = [*contribution.conditions, *contribution.gates]
        known = {s for part in (contribution.value, *contribution.bounds) for s in part.free_symbols}
        known |= self.arranger.own_indices
        elements = [self.arranger.element(ref, known) for ref in self._ordered(contribution.parents)]
        value, parents = self.text(contribution.value), ", ".join(map(to_language, elements))
        text = f"[{value} | {parents}]" if parents else f"[{value}]"
        bounds = [
            f"{bound.index} in {to_language(bound.lower)}..{to_language(bound.upper)}"
            for bound in map(self.arranger.bound, self.arranger.order.bounds(contribution.bounds))
        ]
        bounds += [relation_to_language(self.arranger.relation(condition)) for condition in held]
        return f"{text} for {', '.join(bounds)}" if bounds else text

    def _ordered(self, refs: tuple[Ref, ...]) -> list[Ref]:
        return self.arranger.order.references(refs)
