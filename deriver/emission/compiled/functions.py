"""What the update functions of all methods share: a fresh body, loops over a node's elements, the function's head."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import sympy as sp
from sympy import Basic, Expr

from deriver.algebra import heads
from deriver.algebra.heads import Ref
from deriver.derivation.lower import Lowering
from deriver.emission.compiled.body import Body
from deriver.emission.compiled.indices import components_first, loops, positions
from deriver.emission.compiled.inner import BUILT_IN
from deriver.emission.gibbs import quantity_shape
from deriver.emission.metropolis import describe_update
from deriver.emission.naming import local_name
from deriver.emission.scope import RESERVED, Module, make_function
from deriver.emission.views import FunctionView
from deriver.plan.conditions import narrow
from deriver.plan.layout import Space, unsupported
from deriver.plan.records import LeastSquares, Plan, Step

PARAMETERS = ("rng: Random", "state: State", "data: Data")


def new_body(module: Module, sizes: dict[Expr, Expr]) -> Body:
    """Return the empty body of a compiled function."""
    single: dict[str, tuple] = {}
    for definition in module.derivation.definitions:
        name = definition.element.name
        if module.quantity(name).kind == "deterministic":
            if name in single:
                raise unsupported(f"{name}, which is defined in pieces", "use the numpy backend")
            single[name] = (definition.element, definition.expression)
    # what is unpacked keeps its name: no other local may have it, before or after
    unpacked = {local_name(q.name) for q in module.plan.quantities if q.name not in single}
    return Body(
        space=module.plan.space,
        quantities={quantity.name: quantity for quantity in module.plan.quantities},
        needs=module.needs,
        declared=module.declared,
        definitions=single,
        sides=dict(sizes),
        fits={
            rest: fit for made in fitted(module.plan) for rest, fit in zip(made.rests, made.fits, strict=True)
        },
        triangles=triangles(module.plan),
        taken={*RESERVED, *BUILT_IN, *unpacked},
    )


def fitted(plan: Plan) -> list[LeastSquares]:
    """Return the least-squares fits among the statistics."""
    return [s.procedure for s in plan.statistics if isinstance(s.procedure, LeastSquares)]


def triangles(plan: Plan) -> frozenset[str]:
    """Return the names of the upper triangular matrices among the statistics: blocks on the diagonal of an R."""
    found = set()
    for made in fitted(plan):
        columns = range(len(made.columns))
        blocks = [(row, place) for row in columns for place in columns[row:]]
        found |= {
            name for (row, place), name in zip(blocks, made.roots, strict=bool(made.roots)) if row == place
        }
    return frozenset(found)


def one_chain_shape(module: Module, name: str) -> str:
    """Return the shape of an array in the words of sizes, as one chain has it: components before plates."""
    quantity = module.quantity(name)
    words = [word for word in quantity_shape(module, name).strip("()").split(", ") if word.strip(",")]
    words = [word.strip(",") for word in words[1 if quantity.chain else 0 :]]
    if components_first(quantity):
        sides = len(quantity.sides)
        words = [*words[-sides:], *words[:-sides]]
    return f"({', '.join(words or ['1'])}{',' if len(words) < 2 else ''})"


def describe_one_chain(module: Module, step: Step) -> list[str]:
    """Return the docstring of an update, its shape that of one chain."""
    first, *rest = describe_update(module, step, None)
    return [first.replace(quantity_shape(module, step.node), one_chain_shape(module, step.node)), *rest]


@contextmanager
def over_elements(body: Body, step: Step) -> Iterator[None]:
    """Loop over the elements of a node; where they depend on each other, what any of them is in is computed in the loop."""
    with loops(body, list(step.conditional.ranges)):
        if step.conditional.coupled:
            body.block.owns += _with_elements(body, step)
        yield


def _with_elements(body: Body, step: Step) -> tuple[Basic, ...]:
    """Return the arrays that change with the elements of a node: its own, and definitions in terms of it."""
    found = {step.node: step.conditional.target.variable}
    for _ in body.definitions:
        for name, (element, expression) in body.definitions.items():
            if any(ref.name in found for ref in expression.atoms(Ref)):
                found[name] = element.variable
    return tuple(found.values())


def put_moving(expr: Expr, target: Ref, moving: Ref, space: Space) -> Expr:
    """Return an expression with ``moving`` for the target; under a gate that pins an index, a[1] is a[j] where j = 1."""
    if not isinstance(expr, sp.Basic) or not expr.has(target.variable):
        return expr
    if isinstance(expr, Ref):
        return moving if expr == target else expr
    if isinstance(expr, heads.Gated):
        inside, rules, _ = narrow(space, list(expr.args[1]))
        pinned = target.xreplace(rules)
        return heads.Gated(put_moving(expr.args[0].xreplace(rules), pinned, moving, inside), expr.args[1])
    return expr.func(*(put_moving(arg, target, moving, space) for arg in expr.args))


def target_text(body: Body, step: Step) -> str:
    """Return the element of the state that is updated, without components."""
    quantity = body.quantity(step.node)
    base = f"state.{quantity.name}"
    if not quantity.indices:
        return base
    return f"{base}[{', '.join(positions(body, step.conditional.target))}]"


def place(base: str, components: Sequence[int | str]) -> str:
    """Return ``beta[i]`` with component subscripts, which come first: ``beta[0, i]``."""
    if not components:
        return base if base.endswith("]") else f"{base}[0]"
    inside = ", ".join(map(str, components))
    return base.replace("[", f"[{inside}, ", 1) if base.endswith("]") else f"{base}[{inside}]"


def whole(base: str, sides: int) -> str:
    """Return all components of an element: ``Q[:, :, i]``."""
    return base.replace("[", f"[{':, ' * sides}", 1)


def finish(
    name: str, body: Body, doc: Sequence[str], *, parameters: Sequence[str] = PARAMETERS
) -> FunctionView:
    """Return the function."""
    return make_function(name, parameters, "None", doc, body.lines())


def side_names(plan: Plan) -> list[str]:
    """Return the names of the sizes that vectors and matrices have."""
    sides = [side for quantity in plan.quantities for side in quantity.sides]
    return sorted({ref.name for side in sides for ref in side.atoms(Ref)})


def sizes_of(module: Module, known: Mapping[str, int]) -> dict[Expr, Expr]:
    """Return the sizes of vectors and matrices whose values are known, as the expressions use them."""
    lowering = Lowering(module.derivation.model)
    names = [name for name in side_names(module.plan) if name in known]
    return {lowering.element(name): sp.Integer(known[name]) for name in names}
