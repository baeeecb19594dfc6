"""What the update functions of all methods share: a fresh body, loops over a node's elements, the function's head."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import sympy as sp
from sympy import Expr

from deriver.emission.compiled.body import Body
from deriver.emission.compiled.indices import loops, positions
from deriver.emission.scope import RESERVED, Module, make_function
from deriver.emission.views import FunctionView
from deriver.plan.layout import Quantity, unsupported
from deriver.plan.records import Step

PARAMETERS = ("rng: Random", "state: State", "data: Data")


def new_body(module: Module, sizes: dict[Expr, int], step: Step) -> Body:
    """Return the empty body of a function that updates a node."""
    single: dict[str, tuple] = {}
    for definition in module.derivation.definitions:
        name = definition.element.name
        if module.quantity(name).kind == "deterministic":
            if name in single:
                raise unsupported(f"{name}, which is defined in pieces", "use the numpy backend")
            single[name] = (definition.element, definition.expression)
    return Body(
        space=module.plan.space,
        quantities={quantity.name: quantity for quantity in module.plan.quantities}
        | {statistic.name: statistic.quantity for statistic in module.plan.statistics},
        needs=module.needs,
        declared=module.declared,
        definitions=single,
        sides=dict(sizes),
        taken={*RESERVED, "math", "range", "abs", "max", "min"},
    )


def own_quantity(body: Body, step: Step) -> Quantity:
    """Return the array of the node that a step updates."""
    return body.quantity(step.node)


@contextmanager
def over_elements(body: Body, step: Step) -> Iterator[None]:
    """Loop over the elements of a node."""
    with loops(body, list(step.conditional.ranges)):
        yield


def target_text(body: Body, step: Step) -> str:
    """Return the element of the state that is updated, without components."""
    quantity = own_quantity(body, step)
    base = f"state.{quantity.name}"
    if not quantity.indices:
        return base
    return f"{base}[{', '.join(positions(body, step.conditional.target))}]"


def place(base: str, components: Sequence[int]) -> str:
    """Return ``beta[i]`` with component subscripts: ``beta[i, 0]``."""
    if not components:
        return base if base.endswith("]") else f"{base}[0]"
    inside = ", ".join(map(str, components))
    return f"{base[:-1]}, {inside}]" if base.endswith("]") else f"{base}[{inside}]"


def finish(
    name: str, body: Body, doc: Sequence[str], *, parameters: Sequence[str] = PARAMETERS
) -> FunctionView:
    """Return the function."""
    return make_function(name, parameters, "None", doc, body.lines())


def sizes_of(module: Module, known: dict[str, int]) -> dict[Expr, int]:
    """Return the dimensions whose values are known, as the expressions use them."""
    from deriver.derivation.lower import Lowering

    lowering = Lowering(module.derivation.model)
    found: dict[Expr, int] = {}
    for given in module.derivation.model.givens:
        if given.origin == "dimension" and given.name in known:
            found[lowering.element(given.name)] = sp.Integer(known[given.name])
    return found
