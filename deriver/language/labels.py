"""Labels as subscripts: whether the values of a discrete node are those of the index for which it stands.

Input: a scope with shapes and supports.  Output: mistakes.  Where a label could take a value that the index does not
have, an element would be read that there is not; so what is not shown to fit is refused.
"""

from __future__ import annotations

from deriver.language.affine import read_affine
from deriver.language.inference import Inference
from deriver.language.printer import print_expression
from deriver.language.rewrite import substitute
from deriver.language.scope import Entity, Scope
from deriver.language.supports import Supports
from deriver.model.expressions import Expression, Reference, references
from deriver.model.records import Range

Ends = tuple[Expression, Expression]


def check_labels(scope: Scope, inference: Inference, supports: Supports) -> None:
    """Record each subscript that is a node whose values are not those of the index."""
    for draft in scope.drafts:
        for expression in draft.expressions():
            for found in references(expression):
                ranges = _ranges_of(scope, found.name)
                for subscript, allowed in zip(found.subscripts, ranges, strict=False):
                    label = scope.nodes.get(subscript.name) if isinstance(subscript, Reference) else None
                    if label is not None and _is_read(supports, label) and not supports.is_unsure(found):
                        _check_label(scope, inference, supports, label, found, subscript, allowed)


def _is_read(supports: Supports, node: Entity) -> bool:
    """Tell whether a node is one of whole numbers; any other is refused as a subscript where names are resolved."""
    return node.stochastic and supports.nodes[node.name].kind == "integer"


def _ranges_of(scope: Scope, name: str) -> tuple[Range, ...]:
    """Return the range of each index of a node or given."""
    if name in scope.nodes:
        return scope.nodes[name].ranges
    given = scope.givens.get(name)
    plates = [scope.plates[index] for index in given.indices] if given is not None else []
    return tuple(Range(index=each.index, lower=each.lower, upper=each.upper) for each in plates)


def _check_label(
    scope: Scope, inference: Inference, supports: Supports, label: Entity, found: Reference,
    subscript: Expression, allowed: Range,
) -> None:  # fmt: skip
    ends = _values_of(supports, label)
    values = inference.dimensions.values
    wanted = [substitute(end, values) for end in (allowed.lower, allowed.upper) if end is not None]
    fits = (
        ends is not None
        and not allowed.subset
        and len(wanted) == 2
        and all(_same(inference, a, b) for a, b in zip(ends, wanted, strict=True))
    )
    if fits:
        return
    span = "..".join(print_expression(end, True) for end in wanted) or f"the subset {allowed.subset}"
    known = "not known" if ends is None else "..".join(print_expression(end, True) for end in ends)
    scope.mistakes.add(
        "label",
        f"the values of `{label.name}` are {known}, and it stands as a subscript of `{found.name}`, whose index "
        f"`{allowed.index}` has {span}",
        span=subscript.span or found.span,
        expected=f"a label with the values {span}",
        remedy="draw it from a Categorical with as many probabilities as the index has values, counted from 1, "
        "or let the index run over 0..1 for a Bernoulli",
    )


def _values_of(supports: Supports, label: Entity) -> Ends | None:
    """Return the least and the greatest value of a label, or None where they are not known."""
    support = supports.nodes[label.name]
    if support.lower is None or support.upper is None:
        return None
    return support.lower, support.upper


def _same(inference: Inference, one: Expression, other: Expression) -> bool:
    resolved = [inference.dimensions.resolve(each) for each in (one, other)]
    return read_affine(resolved[0]) == read_affine(resolved[1])
