"""Derivation → plan: the arrays there are, a step for each node, the statistics that can be hoisted."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping
from dataclasses import replace

import sympy as sp
from sympy import Expr, Symbol

from deriver.algebra.heads import Ref
from deriver.derivation.chains import split_chain
from deriver.derivation.collapsed import find_collapsed
from deriver.derivation.factors import Definitions
from deriver.derivation.lower import Lowering
from deriver.derivation.records import Conditional, Derivation
from deriver.errors import Mistake, UsageError
from deriver.model.records import Model
from deriver.plan.approximation import find_approximation
from deriver.plan.blocks import make_block
from deriver.plan.calculus import differentiate_twice, is_log_concave
from deriver.plan.coupled import find_whole
from deriver.plan.hamiltonian import find_hamiltonian
from deriver.plan.joint_moves import make_moves
from deriver.plan.layout import Quantity, Space, offset
from deriver.plan.paths import draw_paths
from deriver.plan.records import Block, Collapse, Method, Newton, Plan, Step
from deriver.plan.statistics import Hoisting

SWEEPS_OF_CHEAP_WALK = 5
COLLAPSE: tuple[Collapse, ...] = ("auto", "on", "off")
CHOICES = ("gibbs", "mh", "random_walk", "newton", "slice")


def make_plan(derivation: Derivation, methods: Mapping[str, str] | None = None, blocks: str = "off") -> Plan:
    """Return how every node is drawn; ``methods`` overrides the choice for the nodes it names.

    ``blocks`` tells whether nodes are updated together, with others integrated out: "on" wherever the model allows
    it, "auto" where besides the sampler finds that it pays, "off" nowhere; with "off" effects are not
    moved with their centre, or vectors with their covariance, either.
    Raises ``UsageError`` for an unknown node or method, or a method that the node cannot have.
    """
    methods = dict(methods or {})
    _check_names(derivation, methods)
    collapse = _check_blocks(blocks)
    lowering = Lowering(derivation.model)
    quantities = describe_quantities(derivation, lowering)
    cells = _cell_plates(derivation.model)
    plates = [*(plate.index for plate in derivation.model.plates), *cells]
    labels = frozenset(
        node.name for node in derivation.model.nodes if node.support.kind == "integer" and not node.shape
    )
    space = Space(order={plate: k for k, plate in enumerate(plates)}, labels=labels)
    hoisting = Hoisting(
        quantities,
        lambda name: _codomain(derivation.model, lowering, name),
        cells,
        Definitions(derivation.definitions),
    )
    steps = tuple(
        _make_step(
            conditional,
            methods.get(conditional.node),
            space,
            hoisting,
            partly=derivation.model.node(conditional.node).partly,
        )
        for conditional in derivation.conditionals
    )
    steps = draw_paths(derivation, steps, space, hoisting, methods)
    if collapse != "off":
        steps = _collapse_labels(derivation, steps, methods)
    found = "" if collapse == "off" else make_block(derivation, steps, space, hoisting, methods)
    block = found if isinstance(found, Block) else None
    apart = {*methods, *(block.nodes if block else ())}
    together = make_moves(derivation, steps, space, hoisting, apart, interwoven=collapse != "off")
    besides = block is None and collapse != "off"
    hamiltonian = find_hamiltonian(derivation, steps, methods, collapse, hoisting) if besides else None
    return Plan(
        steps=steps,
        statistics=hoisting.statistics,
        quantities=tuple(quantities.values()),
        space=space,
        block=block,
        collapse="off" if block is None else collapse,
        no_block=found if isinstance(found, str) else "",
        together=together,
        approximation=find_approximation(derivation, steps, methods, collapse) if besides else None,
        hamiltonian=hamiltonian,
    )


def describe_quantities(derivation: Derivation, lowering: Lowering) -> dict[str, Quantity]:
    """Return the arrays that givens and nodes are, by name."""
    model = derivation.model
    found: dict[str, Quantity] = {}
    for given in model.givens:
        bounds = [lowering.plate_bound(index) for index in given.indices]
        quantity = _quantity(given.name, "data.", bounds, lowering, False, given.support.kind)
        found[given.name] = replace(quantity, plate=given.support.plate or "")
    for node in model.nodes:
        bounds = [lowering.bound(place) for place in node.ranges]
        observed = node.is_response
        prefix = "data." if observed else "state."
        kind: str = node.support.kind
        if node.kind == "deterministic":
            prefix, kind = "", "deterministic"
        found[node.name] = _quantity(node.name, prefix, bounds, lowering, not observed, kind)
    for name in _fixed_definitions(derivation, found):
        found[name] = replace(found[name], chain=False, prefix="data.", kind="fixed")
    return found


def _quantity(
    name: str, prefix: str, bounds: list[sp.Tuple], lowering: Lowering, chain: bool, kind: str
) -> Quantity:
    return Quantity(
        name=name,
        prefix=prefix,
        indices=tuple(bound[0] for bound in bounds),
        ranges=tuple((bound[1], bound[2]) for bound in bounds),
        sides=lowering.variable(name).shape,
        chain=chain,
        kind=kind,
    )


def _fixed_definitions(derivation: Derivation, found: dict[str, Quantity]) -> list[str]:
    """Return the deterministic nodes that depend on no stochastic node, in an order that can be computed."""
    fixed: list[str] = []
    for _ in derivation.definitions:
        for definition in derivation.definitions:
            name = definition.element.name
            parents = {ref.name for ref in definition.expression.atoms(Ref)}
            free = all(not found[p].chain or p in fixed for p in parents)
            every = all(
                not found[ref.name].chain or ref.name in fixed
                for other in derivation.definitions
                if other.element.name == name
                for ref in other.expression.atoms(Ref)
            )
            if name not in fixed and free and every:
                fixed.append(name)
    return fixed


def _codomain(model: Model, lowering: Lowering, name: str) -> tuple[Symbol, Expr, Expr] | None:
    """Return (index, lower, upper) of the plate that a group column points into."""
    for given in model.givens:
        if given.name == name and given.support.kind == "index" and given.support.plate:
            return tuple(lowering.plate_bound(given.support.plate))
    return None


def _cell_plates(model: Model) -> list[str]:
    """Return unused names for plates of the distinct combinations of group columns, enough for any model."""
    taken = {plate.index for plate in model.plates} | {given.name for given in model.givens}
    taken |= {node.name for node in model.nodes}
    columns = sum(given.support.kind == "index" for given in model.givens)
    names = (f"cell{number or ''}" for number in itertools.count())
    return list(itertools.islice((name for name in names if name not in taken), 2**columns))


# --- steps ------------------------------------------------------------------------------------------------


def _make_step(
    conditional: Conditional, wanted: str | None, base: Space, hoisting: Hoisting, *, partly: bool
) -> Step:
    space = base.extend(conditional.ranges)
    colours, index = find_colours(conditional)
    hoisting.reductions.clear()
    method = choose_method(conditional, wanted)
    newton = None
    if method == "newton":
        slope_curve = differentiate_twice(conditional.log_kernel, conditional.target)
        if slope_curve is not None:
            newton = Newton(
                gradient=hoisting.rewrite(slope_curve[0], space),
                hessian=hoisting.rewrite(slope_curve[1], space),
            )
    parameters: tuple[tuple[str, Expr], ...] = ()
    kernel, whole = None, None
    if method == "gibbs":
        parameters = tuple((name, hoisting.rewrite(expr, space)) for name, expr in conditional.parameters)
        chain = None if partly else split_chain(conditional, dict(parameters))
        parameters = tuple(chain.items()) if chain is not None else parameters
        alone = colours == 0 and not partly
        whole = find_whole(conditional, dict(parameters), space) if alone else None
    else:
        kernel = hoisting.rewrite(conditional.log_kernel, space)
    return Step(
        node=conditional.node,
        method=method,
        conditional=conditional,
        space=space,
        parameters=parameters,
        kernel=kernel,
        colours=colours,
        colour_index=index,
        newton=newton,
        reason=_reason(conditional, wanted),
        inner_steps=SWEEPS_OF_CHEAP_WALK if not conditional.indices and not conditional.shape else 1,
        reductions=tuple(hoisting.reductions),
        chained=any(name == "coupling" for name, _ in parameters),
        partly=partly,
        whole=whole,
    )


def _collapse_labels(
    derivation: Derivation, steps: tuple[Step, ...], chosen: Collection[str]
) -> tuple[Step, ...]:
    """Return the steps, those of discrete nodes with the Gaussian ones that are integrated out of their weights."""
    by_name = {step.node: step for step in steps}
    done: list[Step] = []
    for step in steps:
        found = find_collapsed(derivation, step.conditional) if step.method == "enumerate" else ()
        kept = step.partly or {step.node, *(each.node for each in found)} & set(chosen)
        done.append(step if kept else replace(step, collapsed=tuple(by_name[each.node] for each in found)))
    return tuple(done)


def _reason(conditional: Conditional, wanted: str | None) -> str:
    if conditional.method != "mh":
        return "chosen by the user" if wanted not in (None, "gibbs") else ""
    return conditional.reason.why if conditional.reason is not None else "it is in no known family"


def choose_method(conditional: Conditional, wanted: str | None) -> Method:
    """Return the method of a node: the user's, or its conditional's, or a Metropolis–Hastings kind."""
    own: Method = "gibbs" if conditional.method in ("gibbs", "prior") else fallback_method(conditional)
    if wanted is None or wanted == own:
        return own
    kind = conditional.support[0]
    if wanted == "mh":
        return own if own != "gibbs" else fallback_method(conditional)
    if wanted == "random_walk" and kind in ("real", "spd", "simplex"):
        return "random_walk"
    if wanted == "slice" and kind == "real" and not conditional.shape:
        return "slice"
    if wanted == "newton" and fallback_method(conditional) == "newton":
        return "newton"
    raise _cannot(conditional, wanted)


def fallback_method(conditional: Conditional) -> Method:
    """Return the kind of Metropolis–Hastings (or enumeration) that suits the support and the log kernel."""
    kind, lower, upper = conditional.support
    if kind == "integer":
        bounded = lower is not None and upper is not None
        return "enumerate" if bounded and not conditional.shape else "integer_walk"
    if kind == "correlation":
        return "correlation_walk"
    if len(conditional.shape) == 1 and kind == "real" and lower is None and upper is None:
        concave = all(
            is_log_concave(c.log_density, c.factor.family, conditional.target)
            for c in conditional.contributions
        )
        if concave and differentiate_twice(conditional.log_kernel, conditional.target) is not None:
            return "newton"
    return "random_walk"


def find_colours(conditional: Conditional) -> tuple[int, Symbol | None]:
    """Return how many interleaved sets of elements are conditionally independent, and along which index.

    One when no elements share a factor; L + 1 when all that do lie at most L apart along one index; zero
    when elements must be drawn one after another.
    """
    lag, along = 0, None
    for left, right in conditional.coupled:
        apart = [(k, offset(a, b)) for k, (a, b) in enumerate(zip(left, right, strict=True)) if a != b]
        if len(apart) != 1 or apart[0][1] is None or along not in (None, apart[0][0]):
            return 0, None
        along = apart[0][0]
        lag = max(lag, abs(apart[0][1]))
    return (lag + 1, conditional.indices[along]) if along is not None else (1, None)


# --- the user's choices -------------------------------------------------------------------------------------


def _check_names(derivation: Derivation, methods: dict[str, str]) -> None:
    nodes = [conditional.node for conditional in derivation.conditionals]
    mistakes = [
        Mistake(
            code="unknown_node",
            found=f"a method for {name}, which is no node that is drawn",
            expected=f"one of {', '.join(nodes)}",
        )
        for name in methods
        if name not in nodes
    ]
    mistakes += [
        Mistake(
            code="unknown_method",
            found=f"the method {method} for {name}",
            expected=f"one of {', '.join(CHOICES)}",
        )
        for name, method in methods.items()
        if method not in CHOICES
    ]
    if mistakes:
        raise UsageError(mistakes)


def _check_blocks(blocks: str) -> Collapse:
    for choice in COLLAPSE:
        if blocks == choice:
            return choice
    expected = f"one of {', '.join(COLLAPSE)}"
    raise UsageError([Mistake(code="unknown_blocks", found=f"blocks {blocks}", expected=expected)])


def _cannot(conditional: Conditional, wanted: str) -> UsageError:
    own = "gibbs" if conditional.method in ("gibbs", "prior") else fallback_method(conditional)
    scalar = conditional.support[0] == "real" and not conditional.shape
    possible = [own, "mh", *(["random_walk"] if conditional.support[0] == "real" else [])]
    possible += ["slice"] if scalar else []
    mistake = Mistake(
        code="method_impossible",
        found=f"the method {wanted} for {conditional.node}",
        expected=f"one of {', '.join(dict.fromkeys(possible))}",
    )
    return UsageError([mistake])
