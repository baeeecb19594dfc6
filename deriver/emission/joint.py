"""Functions of the joint density: deterministic nodes, log_joint, log_likelihood, predict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sympy import Expr, Tuple

from deriver.algebra.heads import Ref
from deriver.derivation.records import Factor
from deriver.derivation.recursions import spell_out
from deriver.emission.gibbs import quantity_shape
from deriver.emission.mathtext import show
from deriver.emission.printer import MASSES, lift, print_expression
from deriver.emission.reading import align, read_reference
from deriver.emission.scope import Module, element, make_function, own_space
from deriver.emission.source import Frame, Source, count_sides
from deriver.emission.statements import print_fitting, shape_text
from deriver.emission.text import Text, break_statement, call, force_statement, split_arguments
from deriver.emission.views import FunctionView
from deriver.families import family as family_record
from deriver.plan.conditions import narrow
from deriver.plan.layout import Quantity, unsupported

ROOM = 44


# --- deterministic nodes ----------------------------------------------------------------------------------


def definition_functions(module: Module) -> list[FunctionView]:
    """Return ``compute_<node>`` for the deterministic nodes in use, those used by others first."""
    written: dict[str, FunctionView] = {}
    waiting = sorted(module.needs.definitions)
    while waiting:
        for name in waiting:
            written[name] = definition_function(module, name)
        waiting = sorted(module.needs.definitions - set(written))
    order = [definition.element.name for definition in module.derivation.definitions]
    return [written[name] for name in dict.fromkeys(order) if name in written]


def definition_function(module: Module, name: str) -> FunctionView:
    """Return the function that computes a deterministic node from the state."""
    pieces = [d for d in module.derivation.definitions if d.element.name == name]
    quantity = module.quantity(name)
    source = module.source(own_space(module, quantity))
    if len(pieces) == 1 and _covers_all(module, pieces[0], quantity):
        write_whole(source, pieces[0].expression, name)
    else:
        write_pieces(module, source, pieces, name)
    doc = [f"Return {name}, shape {quantity_shape(module, name)}."]
    for left, right, conditions in (rule for piece in pieces for rule in spell_out(piece)):
        where = "".join(f" for {show(condition)}" for condition in conditions)
        doc.append(f"{show(left)} = {show(right)}{where}")
    return make_function(f"compute_{name}", ("state: State", "data: Data"), "Array", doc, source.lines)


def _covers_all(module: Module, piece, quantity) -> bool:
    bounds = [tuple(bound[1:]) for bound in piece.bounds]
    return len(piece.bounds) == len(quantity.indices) and bounds == [tuple(r) for r in quantity.ranges]


def write_whole(source: Source, expr: Expr, name: str) -> None:
    """Write the return of a definition that covers its whole node."""
    quantity = source.quantity(name)
    axes = source.space.axes(quantity.indices, as_given=True)
    frame = Frame(axes=axes, chain=True, sides=count_sides(expr))
    own = source.frame_of(expr)
    hint = name if name not in source.taken else f"{name}_value"
    local = write_value_full(source, expr, frame, own, hint)
    last = source.lines.pop() if source.lines[-1].startswith(f"    {local} = ") else None
    if last is not None:
        source.lines.append(last.replace(f"{local} = ", "return ", 1))
    else:
        source.add(f"return {local}")


def write_value_full(source: Source, expr: Expr, frame: Frame, own: Frame, hint: str) -> str:
    """Write an expression with all the axes of a frame, filled out where it lacks some."""
    from deriver.emission.statements import write_value

    if own.axes == frame.axes and own.chain == frame.chain:
        return write_value(source, expr, frame, hint)
    local = write_value(source, expr, own, hint)
    source.remember(expr, local, own)
    shown = print_expression(source, expr, frame).text
    if set(own.axes) == set(frame.axes) and own.chain == frame.chain:  # the node's indices in another order
        turned = source.fresh(f"{hint}_turned")
        source.statement(f"{turned} = ", Text(text=shown))
        return turned
    shape = shape_text(source, frame, [])
    sides = f", *{local}.shape[{len(own.axes) + int(own.chain)}:]" if frame.sides else ""
    full = source.fresh(f"{hint}_full")
    tail = "," if "," not in shape and not sides else ""
    source.statement(f"{full} = ", call("np.broadcast_to", shown, f"({shape}{sides}{tail})"))
    return full


def write_pieces(module: Module, source: Source, pieces, name: str) -> None:
    """Write a node that several statements define together."""
    quantity = source.quantity(name)
    axes = source.space.axes(quantity.indices, as_given=True)
    sides = [print_expression(source, side, Frame()).text for side in quantity.sides]
    shape = shape_text(source, Frame(axes=axes, chain=True), sides)
    source.taken.add(name)
    source.add(f"{name} = np.empty(({shape}))")
    for piece in pieces:
        write_elements(source, local_quantity(quantity), piece.element, piece.bounds, piece.expression)
    source.add(f"return {name}")


def write_elements(
    source: Source, array: Quantity, element: Ref, bounds: Sequence[Tuple], expression: Expr
) -> None:
    """Write the assignment of an expression to the elements of a local array over which the bounds run."""
    inner = source.within(source.space.extend(bounds))
    inner.quantities = {**inner.quantities, array.name: array}
    frame = inner.frame_of_element(element)
    left = align(inner, read_reference(inner, element), frame)
    text = print_fitting(inner, expression, frame, 88 - 7 - len(left))
    source.add(f"{left} = {text.text}")


def local_quantity(quantity):
    """Return the description of a node that is a local array here."""
    from dataclasses import replace

    return replace(quantity, prefix="", kind="real")


# --- densities ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Density:
    """A factor's log density as a call, the frame of its values, and the slice that it covers.

    ``varies`` tells whether it differs between chains: one of the data alone has no axis of chains.
    """

    value: Text
    frame: Frame
    source: Source
    varies: bool


def print_density(module: Module, source: Source, factor: Factor) -> Density:
    """Print the log density of a factor for all the values it ranges over."""
    inner, rules = factor_scope(module, source, factor)
    value = factor.value.xreplace(rules)
    axes = inner.space.axes_of(value)
    texts = [_argument(inner, value, axes, "value")]
    texts += [
        _argument(inner, argument.xreplace(rules), axes, name)
        for name, argument in zip(family_record(factor.family).parameters, factor.arguments, strict=True)
    ]
    module.densities.add(factor.family)
    density = call(f"log_{factor.family}", *texts)
    if factor.truncation is not None:
        density = _less_mass(module, inner, factor, density, texts, axes, rules)
    inside = (value, *factor.arguments, *(end for end in factor.truncation or () if end is not None))
    varies = any(source.quantity(ref.name).chain for expr in inside for ref in expr.atoms(Ref))
    return Density(value=density, frame=Frame(axes=axes, chain=True), source=inner, varies=varies)


def factor_scope(module: Module, source: Source, factor: Factor) -> tuple[Source, dict]:
    """Return the scope in which a factor's indices run, and what they are pinned to."""
    space, rules, masks = narrow(module.plan.space.extend(factor.bounds), list(factor.conditions))
    if masks:
        raise unsupported(f"the conditions on {factor.value}", "use a declared subset")
    return source.within(space), rules


def _argument(source: Source, expr: Expr, axes: tuple, name: str) -> str:
    """Return the text of an argument; one that is long gets a line and its parameter's name."""
    frame = Frame(axes=axes, chain=True, sides=count_sides(expr))
    text = print_expression(source, expr, frame).text
    if len(text) > ROOM and not isinstance(expr, Ref):
        lift(source, expr, name)
        text = print_expression(source, expr, frame).text
    return text


def _less_mass(
    module: Module, source: Source, factor: Factor, density: Text, texts: list[str], axes: tuple, rules: dict
) -> Text:
    """Take the log of the probability that a truncation keeps from a log density."""
    ends = _truncation_ends(source, factor, axes, rules)
    record = family_record(factor.family)
    if getattr(record, "improper", False):
        return density
    if factor.family not in MASSES:
        raise unsupported(
            f"the log density of a truncated {factor.family}", "use a family that can be truncated"
        )
    name = f"log_mass_{factor.family}"
    module.needs.helpers.add(name)
    mass = call(name, *ends, *texts[1:])
    return Text(text=f"{density.text} - {mass.text}", level=0, parts=(("", density.text), ("-", mass.text)))


def _truncation_ends(source: Source, factor: Factor, axes: tuple, rules: dict) -> list[str]:
    """Return the texts of the two bounds of a truncation."""
    assert factor.truncation is not None
    return [
        ("-np.inf", "np.inf")[place] if end is None else _argument(source, end.xreplace(rules), axes, "bound")
        for place, end in enumerate(factor.truncation)
    ]


def joint_function(module: Module) -> FunctionView:
    """Return ``log_joint``."""
    doc = ["Return the log of the joint density of data and state, shape (chains,)."]
    factors = [factor for factor in module.derivation.factors if factor.fixed is None]
    return density_function(module, "log_joint", factors, doc)


def density_function(
    module: Module, name: str, factors: Sequence[Factor], doc: Sequence[str]
) -> FunctionView:
    """Return a function of state and data that adds the log densities of factors up."""
    source = module.source()
    source.taken.add("total")
    state = module.state_nodes()[0]
    source.add(f"total = np.zeros(len({state.text}))")
    for factor in factors:
        density = print_density(module, source, factor)
        places = [str(1 + k) for k in range(len(density.frame.axes))]
        if not places:
            add_terms(source, density.value, factor)
            continue
        axis = f"axis={places[0]}" if len(places) == 1 else f"axis=({', '.join(places)})"
        axis = axis if density.varies else ""
        whole = f"    total += np.sum({', '.join(filter(None, [density.value.text, axis]))})"
        if len(whole) <= 88:
            source.lines.append(whole)
            continue
        add_named(source, density.value, factor)
        source.add(f"total += terms.sum({axis})")
    source.add("return total")
    return make_function(name, ("state: State", "data: Data"), "Array", doc, source.lines)


def add_terms(source: Source, value: Text, factor: Factor) -> None:
    """Add a log density without plates to the total."""
    lines = break_statement("total += ", value, 1)
    if lines is None:
        add_named(source, value, factor)
        lines = ["    total += terms"]
    source.lines += lines


def add_named(source: Source, value: Text, factor: Factor) -> None:
    """Write ``terms = density``, in two statements where there is a mass to take off."""
    parts = list(value.parts) or [("", value.text)]
    for operator, text in parts:
        function, _, inside = text.partition("(")
        arguments = split_arguments(inside[:-1])
        head = "terms = " if not operator else f"terms {operator}= "
        source.lines += force_statement(head, call(function, *arguments), 1)


def likelihood_function(module: Module) -> FunctionView:
    """Return ``log_likelihood``: pointwise, by observed node."""
    source = module.source()
    names = [quantity.name for quantity in module.observed()]
    for name in names:
        _write_by_piece(module, source, name, likelihood=True)
    source.lines += _return_dict(names)
    doc = ["Return the log density of every observation, by node: shape (chains, ...)."]
    return make_function(
        "log_likelihood", ("state: State", "data: Data"), "dict[str, Array]", doc, source.lines
    )


def predict_function(module: Module) -> FunctionView:
    """Return ``predict``: draws of the observed nodes given the state."""
    source = module.source()
    names = [quantity.name for quantity in module.observed()]
    state = module.state_nodes()[0]
    source.taken.add("chains")
    source.add(f"chains = len({state.text})")
    for name in names:
        _write_by_piece(module, source, name, likelihood=False)
    source.lines += _return_dict(names)
    doc = ["Draw the observed nodes anew given the state, by node: shape (chains, ...)."]
    parameters = ("rng: np.random.Generator", "state: State", "data: Data")
    return make_function("predict", parameters, "dict[str, Array]", doc, source.lines)


def _return_dict(names: list[str]) -> list[str]:
    entries = ", ".join(f'"{name}": {name}' for name in names)
    return [f"    return {{{entries}}}"]


def _write_by_piece(module: Module, source: Source, name: str, *, likelihood: bool) -> None:
    """Write the values of one observed node, whole or statement by statement."""
    factors = [factor for factor in module.derivation.factors if factor.value.name == name]
    quantity = module.quantity(name)
    writer = _likelihood_value if likelihood else _predicted_value
    source.taken.add(name)
    if len(factors) == 1 and not factors[0].conditions:
        _add_value(source, f"{name} = ", writer(module, source, factors[0]))
        return
    state = module.state_nodes()[0]
    fill = f"np.zeros((len({state.text}), *data.{name}.shape))"
    source.add(f"{name} = {fill}")
    for factor in factors:
        inner, rules = factor_scope(module, source, factor)
        inner.quantities = {**inner.quantities, f"{name} (local)": _as_state(quantity, likelihood)}
        place = element(inner, _as_state(quantity, likelihood)).func(
            element(inner, quantity).variable.__class__(f"{name} (local)"), *factor.value.indices
        )
        place = place.xreplace(rules)
        frame = inner.frame_of_element(place)
        left = align(inner, read_reference(inner, place), frame)
        _add_value(source, f"{left} = ", writer(module, source, factor))


def _as_state(quantity, likelihood: bool):
    from dataclasses import replace

    return replace(quantity, prefix="", chain=True, sides=() if likelihood else quantity.sides)


def _add_value(source: Source, head: str, value: Text) -> None:
    source.lines += force_statement(head, value, 1)


def _likelihood_value(module: Module, source: Source, factor: Factor) -> Text:
    density = print_density(module, source, factor)
    if density.varies:
        return density.value
    (state, *_), name = module.state_nodes(), factor.value.name
    return call("np.broadcast_to", density.value.text, f"(len({state.text}), *data.{name}.shape)")


def _predicted_value(module: Module, source: Source, factor: Factor) -> Text:
    inner, rules = factor_scope(module, source, factor)
    value = factor.value.xreplace(rules)
    axes = inner.space.axes_of(value)
    texts = [
        _argument(inner, argument.xreplace(rules), axes, name)
        for name, argument in zip(family_record(factor.family).parameters, factor.arguments, strict=True)
    ]
    sides = [print_expression(inner, side, Frame()).text for side in value.variable.shape]
    shape = shape_text(inner, Frame(axes=axes, chain=True), sides)
    shape = shape if "," in shape else f"{shape},"
    counted = family_record(factor.family).support.kind == "integer"
    if factor.truncation is not None and factor.family in MASSES and not counted:
        lower, upper = _truncation_ends(inner, factor, axes, rules)
        if family_record(factor.family).support.lower == "0":
            lower = "0.0" if lower == "-np.inf" else f"np.maximum({lower}, 0.0)"
        module.needs.helpers |= {"random_between", f"log_mass_{factor.family}"}
        own = f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"
        return call("random_between", "rng", f"log_mass_{factor.family}", own, lower, upper, f"({shape})")
    module.predictions.add(factor.family)
    drawn = call(f"predict_{factor.family}", "rng", *texts, f"({shape})")
    if factor.truncation is None or not counted:
        return drawn
    module.needs.helpers.add("draw_inside")
    return call("draw_inside", f"lambda: {drawn.text}", *_truncation_ends(inner, factor, axes, rules))
