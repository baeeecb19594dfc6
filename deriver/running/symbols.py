"""What a model wants to know from outside: responses, covariates, group columns, subsets, hyperparameters.

Part of stage run.  Input: a ``Model``.  Output: ``Symbol`` records, in the model's order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from deriver.model.expressions import Binary, Expression, Reference, children
from deriver.model.records import Given, Model, Node, Stochastic

Role = Literal["response", "covariate", "group", "subset", "hyperparameter", "size", "dimension"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Symbol:
    """A quantity that the data or the options supply.

    ``written`` is the name that the user knows it by: ``y`` where the node is ``log_y``, with ``transform``
    ``"log"``.  ``plate`` is the plate whose index values a group column or subset holds.
    """

    name: str
    written: str
    role: Role
    declared: Given | Node
    transform: str | None = None

    @property
    def indices(self) -> tuple[str, ...]:
        """Return the plate indices it carries."""
        return self.declared.indices

    @property
    def plate(self) -> str | None:
        """Return the plate that a group column or subset points to."""
        return self.declared.support.plate


def declarations(model: Model) -> tuple[Given | Node, ...]:
    """Return every named quantity of a model: the givens, then the nodes."""
    return (*model.givens, *model.nodes)


def list_symbols(model: Model) -> tuple[Symbol, ...]:
    """Return every quantity that must come from outside, responses first."""
    responses = [_response(node, model) for node in model.nodes if _is_response(node)]
    return (*responses, *(_given(given) for given in model.givens))


def _is_response(node: Node) -> bool:
    return node.kind == "stochastic" and node.layer == "data"


def _response(node: Node, model: Model) -> Symbol:
    for statement in model.statements_of(node.name):
        if isinstance(statement, Stochastic) and statement.transform:
            written = statement.written or node.name
            return Symbol(
                name=node.name, written=written, role="response", declared=node, transform=statement.transform
            )
    return Symbol(name=node.name, written=node.name, role="response", declared=node)


def _given(given: Given) -> Symbol:
    role: Role
    if given.origin != "given":
        role = given.origin
    elif given.support.kind == "index":
        role = "group"
    elif given.support.kind == "subset":
        role = "subset"
    else:
        role = "covariate" if given.indices else "hyperparameter"
    return Symbol(name=given.name, written=given.name, role=role, declared=given)


def temporal_plates(model: Model) -> frozenset[str]:
    """Return the plate indices which some reference shifts (``z[t-1]``): their order is that of time."""
    found: set[str] = set()
    known = {plate.index for plate in model.plates}
    for statement in model.statements:
        for expression in _expressions(statement):
            found |= _shifted(expression, known)
    return frozenset(found)


def _expressions(statement: object) -> tuple[Expression, ...]:
    if isinstance(statement, Stochastic):
        return tuple(argument.value for argument in statement.arguments)
    return (statement.expression,)  # type: ignore[attr-defined]


def _shifted(expression: Expression, known: set[str]) -> set[str]:
    found: set[str] = set()
    if isinstance(expression, Reference):
        for subscript in expression.subscripts:
            if isinstance(subscript, Binary) and isinstance(subscript.left, Reference):
                found |= {subscript.left.name} & known
    for child in children(expression):
        found |= _shifted(child, known)
    return found
