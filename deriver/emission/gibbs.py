"""Functions that draw a node from its full conditional."""

from __future__ import annotations

import sympy as sp
from sympy import Expr

from deriver.derivation.records import Conditional
from deriver.emission.fits import reduction_words
from deriver.emission.mathtext import show
from deriver.emission.naming import local_name
from deriver.emission.partly import put_back
from deriver.emission.printer import print_expression
from deriver.emission.rows import IndexArray, index_name
from deriver.emission.scope import Module, make_function
from deriver.emission.source import Frame, Source
from deriver.emission.statements import write_assignment, write_parameter
from deriver.emission.text import break_brackets, break_call, call
from deriver.emission.views import FunctionView
from deriver.plan.layout import Axis, plate_of, unsupported
from deriver.plan.records import Step, Whole

# Family -> its parameters in the order in which ``random_<family>`` takes them.
DRAWS = {
    "normal": ("precision", "linear"),
    "mvnormal": ("precision", "linear"),
    "inverse_gamma": ("shape", "scale"),
    "sqrt_inverse_gamma": ("shape", "scale"),
    "gamma": ("shape", "rate"),
    "wishart": ("df", "inverse_scale"),
    "inverse_wishart": ("df", "scale"),
    "beta": ("a", "b"),
    "dirichlet": ("concentration",),
}
NAMES = {
    "normal": "N(A^-1 b, A^-1)",
    "mvnormal": "N(A^-1 b, A^-1)",
    "inverse_gamma": "IG(shape, scale), density x^-(shape + 1) exp(-scale / x)",
    "sqrt_inverse_gamma": "the root of IG(shape, scale), density x^-(2 shape + 1) exp(-scale / x^2)",
    "gamma": "Gamma(shape, rate)",
    "wishart": "Wishart(df, inverse scale)",
    "inverse_wishart": "InverseWishart(df, scale)",
    "beta": "Beta(a, b)",
    "dirichlet": "Dirichlet(concentration)",
}
SHOWN = {"precision": "A", "linear": "b", "inverse_scale": "inverse scale"}
TRUNCATED = ("normal", "gamma", "inverse_gamma", "sqrt_inverse_gamma", "beta")
PARAMETERS = ("rng: np.random.Generator", "state: State", "data: Data")


def draw_function(module: Module, step: Step) -> FunctionView:
    """Return the function ``draw_<node>``."""
    source = module.source(step.space)
    if step.chained:
        write_chain(module, source, step)
    elif step.whole is not None:
        write_whole(module, source, step, step.whole)
    elif step.colours == 1:
        drawn, names = write_draw(module, source, step)
        source.lines += drawn("drawn = " if step.partly else "return ", 1)
        if step.partly:
            source.add(f"return {put_back(module, step, 'drawn', names)}")
    else:
        write_interleaved(module, source, step)
    doc = [f"Draw {step.node}, shape {shape_words(module, step)}."]
    doc += [*conditional_words(step.conditional), *reduction_words(step)]
    return make_function(f"draw_{step.node}", PARAMETERS, "Array", doc, source.lines)


def write_draw(module: Module, source: Source, step: Step):
    """Write the parameters; return a function (head, depth) -> lines of the draw itself, and the parameters' texts."""
    conditional = step.conditional
    family = conditional.family or ""
    prior = conditional.method == "prior"
    order = [name for name, _ in step.parameters] if prior else DRAWS[family]
    values = dict(step.parameters)
    names = [write_parameter(source, values[name], conditional.target, name) for name in order]
    function = f"predict_{family}" if prior else f"random_{family}"
    bounds: list[str] = []
    if conditional.truncation is not None:
        if family not in TRUNCATED:
            raise unsupported(f"a truncated {family} for {step.node}", "choose method mh for it")
        function = f"random_truncated_{family}"
        bounds = [bound_text(source, end, conditional, k) for k, end in enumerate(conditional.truncation)]
    (module.predictions if prior else module.needs.helpers).add(family if prior else function)
    own = source.quantity(step.node)
    arguments = ["rng", *names, *bounds, f"{own.text}.shape"]

    def lines(head: str, depth: int) -> list[str]:
        pad = "    " * depth
        whole = f"{pad}{head}{call(function, *arguments).text}"
        if len(whole) <= 88:
            return [whole]
        broken = break_brackets(f"{pad}{head}{function}(", arguments, ")", depth)
        return broken if broken is not None else [whole]

    return lines, names


def bound_text(source: Source, end: Expr | None, conditional: Conditional, place: int) -> str:
    """Return the text of a bound, infinite where there is none."""
    if end is None or end.is_infinite:
        return "-np.inf" if place == 0 else "np.inf"
    axes = source.space.axes_of(conditional.target)
    return print_expression(source, end, Frame(axes=axes, chain=True)).text


# --- coupled elements -------------------------------------------------------------------------------------


def write_chain(module: Module, source: Source, step: Step) -> None:
    """Write the draw of a whole chain, all series and all chains of the sampler as one banded system."""
    values = dict(step.parameters)
    target = step.conditional.target
    names = [
        write_parameter(source, values[name], target, name) for name in ("precision", "linear", "coupling")
    ]
    along = step.space.axes(source.quantity(step.node).indices, as_given=True)[-1]
    if step.colour_index != along.last:
        raise unsupported(
            f"a lag over {step.colour_index} in {step.node}", "put the lag on the innermost plate"
        )
    module.needs.helpers.add("random_chain")
    source.lines += break_call("return random_chain(", ["rng", *names, f"state.{step.node}.shape"], ")", 1)


def write_whole(module: Module, source: Source, step: Step, whole: Whole) -> None:
    """Write the draw of all elements that depend on each other along the last axis, from one dense system."""
    target = step.conditional.target
    values = {**dict(step.parameters), "linear": whole.linear}
    names = [write_parameter(source, values[name], target, name) for name in ("precision", "linear")]
    inner = source.within(source.space.extend([sp.Tuple(whole.other, *source.space.bounds[whole.index])]))
    own = source.space.axes_of(target)
    frame = Frame(axes=(*own, Axis(indices=(whole.other,))), chain=True)
    names.append(write_assignment(inner, whole.coupling, frame, "coupling"))
    module.needs.helpers.add("random_coupled")
    source.lines += break_call("return random_coupled(", ["rng", *names, f"state.{step.node}.shape"], ")", 1)


def write_interleaved(module: Module, source: Source, step: Step) -> None:
    """Write a loop over sets of elements that are independent given the rest."""
    node, local = step.node, local_name(step.node)
    source.as_local(node)
    source.add(f"{local} = state.{node}.copy()")
    fixed = [(name, expr) for name, expr in step.parameters if node not in _names(expr)]
    early = source.nested(1)
    known: dict[str, str] = {}
    for name, expr in fixed:
        known[name] = write_parameter(early, expr, step.conditional.target, name)
    source.lines += early.lines
    source.taken |= early.taken
    head, select = loop_over_sets(module, source, step)
    source.add(head)
    inside = source.nested(2)
    moving = step.conditional
    names = {**known}
    for name, expr in step.parameters:
        if name not in known:
            names[name] = write_parameter(inside, expr, moving.target, name)
    family = moving.family or ""
    module.needs.helpers.add(f"random_{family}")
    if moving.truncation is not None:
        raise unsupported(f"a truncated node {node} whose elements depend on each other", "choose mh")
    arguments = ["rng", *(names[name] for name in DRAWS[family]), f"{local}.shape"]
    source.lines += inside.lines
    source.add(f"    drawn = random_{family}({', '.join(arguments)})")
    if step.partly:
        own = [names[name] for name in DRAWS[family]]
        source.add(f"    drawn = {put_back(module, step, 'drawn', own)}")
    source.add(f"    {select}")
    source.add(f"return {local}")


def _names(expr: sp.Basic) -> set[str]:
    from deriver.algebra.heads import Ref

    return {ref.name for ref in expr.atoms(Ref)}


def loop_over_sets(module: Module, source: Source, step: Step) -> tuple[str, str]:
    """Return the ``for`` line over sets of elements, and the line that takes a set from ``drawn``."""
    node, colours = local_name(step.node), step.colours
    own = source.quantity(step.node)
    axes = step.space.axes(own.indices, as_given=True)
    if colours == 0:
        spot = "(slice(None), *place)"
        text = f"for place in np.ndindex({node}.shape[1:{1 + len(axes)}]):  # one element at a time"
        return text, f"{node}[{spot}] = drawn[{spot}]"
    along = next(k for k, axis in enumerate(axes) if step.colour_index in axis.indices)
    why = f"  # no two neighbours in {index_name(step.colour_index)} together"
    head = f"for first in range({colours}):{why}"
    if not axes[along].is_rows:
        lead = ":, " * (1 + along)
        return head, f"{node}[{lead}first::{colours}] = drawn[{lead}first::{colours}]"
    colour = row_colours(source, step, axes[along])
    lead = ":, " * (1 + along)
    tail = "" if not own.sides else ", None"
    return (
        head,
        f"{node} = np.where((data.{colour} == first)[..., None]{tail}, drawn, {node})"
        if own.sides
        else (f"{node} = np.where(data.{colour} == first, drawn, {node})"),
    )


def row_colours(source: Source, step: Step, axis: Axis) -> str:
    """Return the name of the array that tells the set of each row."""
    from deriver.emission import reading

    own = step.colour_index
    if own != axis.last:
        raise unsupported(f"a lag over {own} in {step.node}", "put the lag on the innermost plate")
    bound = source.space.bounds[own]
    outer = Axis(indices=axis.indices[:-1])
    place = reading._within(source, own, bound, outer)
    name = f"{plate_of(own)}_set"
    comment = f"the place of each row in its {outer.last.name}, modulo {step.colours}"
    code = f"{place} % {step.colours}"
    source.needs.arrays.setdefault(name, IndexArray(name=name, code=code, comment=comment))
    return name


# --- words ------------------------------------------------------------------------------------------------


def shape_words(module: Module, step: Step) -> str:
    """Return the shape of a node as the docstring gives it."""
    return quantity_shape(module, step.node)


def quantity_shape(module: Module, name: str) -> str:
    """Return the shape of an array in the names of sizes."""
    quantity = module.quantity(name)
    source = module.source()
    space = source.space.extend(
        sp.Tuple(s, *b) for s, b in zip(quantity.indices, quantity.ranges, strict=True)
    )
    parts = ["chains"] if quantity.chain else []
    for axis in space.axes(quantity.indices, as_given=True):
        parts.append(axis_words(space.bounds[axis.last], axis))
    parts += [show(side) for side in quantity.sides]
    return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"


def axis_words(bound: tuple[Expr, Expr], axis: Axis) -> str:
    """Return the length of an axis in words."""
    if axis.is_rows:
        return "rows " + "".join(symbol.name for symbol in axis.indices)
    return show(sp.expand(bound[1] - bound[0] + 1))


def conditional_words(conditional: Conditional) -> list[str]:
    """Return the conditional and its parameters, one a line."""
    target = show(conditional.target)
    if conditional.method == "prior":
        arguments = ", ".join(f"{name} = {show(expr)}" for name, expr in conditional.parameters)
        return [f"[{target} | .] is its prior, {conditional.family}({arguments})."]
    lines = [f"[{target} | .] = {NAMES[conditional.family or '']}"]
    if conditional.truncation is not None:
        low, high = ("inf" if end is None else show(end) for end in conditional.truncation)
        lines[0] += f", truncated to ({'-' if low == 'inf' else ''}{low}, {high})"
    for name, expr in conditional.parameters:
        lines.append(f"  {SHOWN.get(name, name)} = {show(expr)}")
    return lines
