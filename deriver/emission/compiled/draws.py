"""Compiled functions that draw a node from its full conditional."""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp
from sympy import Expr

from deriver.emission.compiled import dense, unrolled
from deriver.emission.compiled.body import Body, Dense
from deriver.emission.compiled.functions import (
    finish,
    new_body,
    one_chain_shape,
    over_elements,
    place,
    target_text,
    whole,
)
from deriver.emission.compiled.indices import loops, positions, quantity_axes
from deriver.emission.compiled.scalars import give_names, matrix, scalar, vector, write_sums
from deriver.emission.gibbs import SHOWN, conditional_words
from deriver.emission.scope import Module
from deriver.emission.text import Text, atom, call, join_product, join_sum
from deriver.emission.views import FunctionView
from deriver.plan.layout import unsupported
from deriver.plan.records import Step, Whole

SCALAR_DRAWS = ("inverse_gamma", "gamma", "beta")


def draw_function(module: Module, sizes: dict, step: Step) -> FunctionView:
    """Return the function ``draw_<node>``."""
    body = new_body(module, sizes)
    family = step.conditional.family or ""
    writers = {
        "normal": _write_normal,
        "mvnormal": _write_mvnormal,
        "wishart": _write_wishart,
        "inverse_wishart": _write_wishart,
        "dirichlet": _write_dirichlet,
        "polya_gamma": _write_polya_gamma,
        **dict.fromkeys(SCALAR_DRAWS, _write_scalar),
    }
    if family not in writers or (step.conditional.method == "prior" and family != "polya_gamma"):
        raise unsupported(f"a draw of {step.node} from {family or 'its prior'}", "use the numpy backend")
    if step.conditional.truncation is not None and family != "normal":
        raise unsupported(f"a truncated {family} for {step.node}", "use the numpy backend")
    if step.whole is not None:
        _write_whole(body, step, step.whole)
    else:
        (write_chain if step.chained else writers[family])(body, step)
    doc = [
        f"Draw {step.node}, shape {one_chain_shape(module, step.node)}.",
        *conditional_words(step.conditional),
    ]
    return finish(f"draw_{step.node}", body, doc)


def parameters(body: Body, step: Step, *names: str) -> list:
    """Return the parameters of the conditional, their sums written first."""
    values = dict(step.parameters)
    write_sums(body, [values[name] for name in names])
    return [values[name] for name in names]


def named_scalar(body: Body, step: Step, name: str) -> Text:
    """Write a number-valued parameter under its own name."""
    return unrolled.named(body, name, scalar(body, dict(step.parameters)[name]))


def noise(body: Body, step: Step) -> Text:
    """Return the standard normal variate of the element being drawn, drawn ahead of the loop."""
    if not step.conditional.indices:
        body.needs.helpers.add("normal")
        return call("normal", "rng")
    _fill_noise(body, step)
    return atom(f"noise[{target_text(body, step).split('[', 1)[1]}")


def _fill_noise(body: Body, step: Step) -> None:
    """Draw the normals of all elements ahead, each where its element will be, if no other element is read from there."""
    body.needs.helpers.add("fill_normal")
    if body.noisy:
        return
    body.noisy = True
    own = f"state.{step.node}"
    axes = len(quantity_axes(body, body.quantity(step.node))) + len(step.conditional.shape)
    in_place = step.chained or not step.conditional.coupled
    with body.at(0):
        if in_place:
            body.add(f"noise = {own}  # where the draws will be")
        else:
            body.add(f"noise = rng.room[: {own}.size].reshape({own}.shape)")
        body.add(f"fill_normal(rng, {'noise' if axes == 1 else 'noise.reshape(noise.size)'})")


def _write_normal(body: Body, step: Step) -> None:
    with over_elements(body, step):
        parameters(body, step, "precision", "linear")
        if step.conditional.truncation is not None:
            _write_truncated(body, step)
            return
        precision, linear = named_scalar(body, step, "precision"), named_scalar(body, step, "linear")
        variate = noise(body, step)
        root = call("math.sqrt", precision.text)
        drawn = join_product(
            [join_sum([(False, linear), (False, join_product([root, variate], []))])], [precision]
        )
        body.assign(place(target_text(body, step), ()), drawn)


def _write_whole(body: Body, step: Step, whole: Whole) -> None:
    """All elements that depend on each other along the last index, from one dense system."""
    *outer, (index, *ends) = step.conditional.ranges
    values = dict(step.parameters)
    body.needs.helpers |= {"draw_vector", "normal"}
    with loops(body, outer):
        side = dense.size(body, ends[1] - ends[0] + 1)
        matrix, right, noisy = (
            dense.room(body, lengths, name)
            for name, lengths in (("A", (side, side)), ("right", (side,)), ("z", (side,)))
        )
        with loops(body, [sp.Tuple(index, *ends)]):
            write_sums(body, [values["precision"], whole.linear])
            diagonal = named_scalar(body, step, "precision")
            spot = positions(body, step.conditional.target)[-1]
            body.assign(right.cell(spot).text, scalar(body, whole.linear))
            body.add(f"{noisy.cell(spot).text} = normal(rng)")
            with loops(body, [sp.Tuple(whole.other, *ends)]):
                beside = positions(body, step.conditional.target.xreplace({index: whole.other}))[-1]
                body.assign(matrix.cell(spot, beside).text, scalar(body, -whole.coupling))
            body.assign(matrix.cell(spot, spot).text, diagonal)
        body.add(f"draw_vector({matrix.name}, {right.name}, {noisy.name}, {side})")
        with loops(body, [sp.Tuple(index, *ends)]):
            spot = positions(body, step.conditional.target)[-1]
            body.assign(place(target_text(body, step), ()), right.cell(spot))


def write_chain(body: Body, step: Step) -> None:
    """A chain drawn whole: means going forward, each element's share of the next going back.

    ``scale`` is 1 / d_t, d_t the precision of z_t given all before it; s_t = coupling_t / d_{t-1} is its share.
    """
    along = step.colour_index
    *outer, inner = step.conditional.ranges
    if along is None or inner[0] != along:
        raise unsupported(f"a lag over {along} in {step.node}", "put the lag on the innermost plate")
    node = step.node
    body.taken |= {"share", "scale", "root", "mean", "before", "later", "shares", "pivot", "last"}
    with loops(body, outer):
        body.add("scale, before = 1.0, 0.0  # of the element before, given all earlier")
        body.add("root, last = 1.0, math.nan")
        with loops(body, [inner]):
            parameters(body, step, "precision", "linear", "coupling")
            coupling = named_scalar(body, step, "coupling")
            diagonal, right = named_scalar(body, step, "precision"), named_scalar(body, step, "linear")
            body.add(f"share = {coupling.text} * scale")
            body.add(f"pivot = {diagonal.text} - share * {coupling.text}")
            body.add("if pivot != last:  # it settles where the chain goes on alike")
            body.add("    last, scale = pivot, 1 / pivot")
            body.add("    root = math.sqrt(scale)")
            body.add(f"before = {right.text} + share * before")
            variate, here = noise(body, step), target_text(body, step)
            with body.at(0):
                body.add(f"shares = rng.room[: state.{node}.size].reshape(state.{node}.shape)")
            body.add(f"shares[{here.split('[', 1)[1]} = share")
            body.add(f"{here} = scale * before + root * {variate.text}")
        body.add("later, share = 0.0, 0.0")
        with loops(body, [inner], backwards=True):
            here = target_text(body, step)
            body.add(f"later = {here} + share * later")
            body.add(f"{here}, share = later, shares[{here.split('[', 1)[1]}")


def _write_truncated(body: Body, step: Step) -> None:
    bounds = []
    for side, end in enumerate(step.conditional.truncation or ()):
        infinite = end is None or end.is_infinite
        bounds.append(("-math.inf" if side == 0 else "math.inf") if infinite else scalar(body, end).text)
    precision, linear = named_scalar(body, step, "precision"), named_scalar(body, step, "linear")
    body.needs.helpers.add("random_truncated_normal")
    drawn = call("random_truncated_normal", "rng", precision.text, linear.text, *bounds)
    body.assign(place(target_text(body, step), ()), drawn)


def _write_scalar(body: Body, step: Step) -> None:
    family = step.conditional.family or ""
    order = {"inverse_gamma": ("shape", "scale"), "gamma": ("shape", "rate"), "beta": ("a", "b")}[family]
    with over_elements(body, step):
        parameters(body, step, *order)
        first, second = (named_scalar(body, step, name) for name in order)
        if family == "beta":
            body.needs.helpers.add("random_beta")
            drawn = call("random_beta", "rng", first.text, second.text)
        else:
            body.needs.helpers.add("random_gamma")
            gamma = call("random_gamma", "rng", first.text)
            drawn = (
                join_product([second], [gamma])
                if family == "inverse_gamma"
                else join_product([gamma], [second])
            )
        body.assign(place(target_text(body, step), ()), drawn)


def _write_polya_gamma(body: Body, step: Step) -> None:
    body.needs.helpers.add("random_polya_gamma")
    with over_elements(body, step):
        parameters(body, step, "size", "tilt")
        size, tilt = (named_scalar(body, step, name) for name in ("size", "tilt"))
        drawn = call("random_polya_gamma", "rng", size.text, tilt.text)
        body.assign(place(target_text(body, step), ()), drawn)


def _write_mvnormal(body: Body, step: Step) -> None:
    """A = LL', h = L^-1 b, the draw solves L'v = h + z."""
    with over_elements(body, step):
        precision, linear = parameters(body, step, "precision", "linear")
        if dense.is_large(body, precision):
            _write_large_mvnormal(body, step, precision, linear)
            return
        cells = give_names(body, matrix(body, precision), "A", symmetric=True)
        right = give_names(body, vector(body, linear), "b")
        lower = unrolled.write_cholesky(body, cells)  # type: ignore[arg-type]
        half = unrolled.write_forward(body, lower, right)  # type: ignore[arg-type]
        variate = _vector_noise(body, step)
        variates = [variate(str(a)) for a in range(len(half))]
        noisy = [join_sum([(False, h), (False, z)]) for h, z in zip(half, variates, strict=True)]
        base = target_text(body, step)
        drawn = [body.fresh(f"{step.node}_{a}") for a in range(len(noisy))]
        unrolled.back_solution(body, lower, noisy, drawn)
        for a, name in enumerate(drawn):
            body.add(f"{place(base, (a,))} = {name}")


def _vector_noise(body: Body, step: Step) -> Callable[[str], Text]:
    """Return the normal variate of each component of the element being drawn, drawn ahead of the loop."""
    _fill_noise(body, step)
    inside = target_text(body, step).partition("[")[2].removesuffix("]")
    return lambda a: atom(f"noise[{a}, {inside}]" if inside else f"noise[{a}]")


def _write_large_mvnormal(body: Body, step: Step, precision: Expr, linear: Expr) -> None:
    """The same in loops: the draw is left where b was."""
    matrix_a = dense.store(body, dense.dense(body, precision), "A", lower=True)
    right = dense.store(body, dense.dense(body, linear), "right")
    (side,) = right.sizes
    body.needs.helpers.add("draw_vector")
    noisy = dense.store(body, Dense(sizes=(side,), cell=_vector_noise(body, step)), "z")
    body.add(f"draw_vector({matrix_a.name}, {right.name}, {noisy.name}, {side})")
    base = target_text(body, step)
    with dense.components(body, (side,)) as (a,):
        body.assign(place(base, (a,)), right.cell(a))


def _write_wishart(body: Body, step: Step) -> None:
    family = step.conditional.family or ""
    name = "inverse_scale" if family == "wishart" else "scale"
    with over_elements(body, step):
        _, inner = parameters(body, step, "df", name)
        df = named_scalar(body, step, "df")
        base = target_text(body, step)
        _write_lower(body, inner, base)
        body.needs.helpers.add(f"random_{family}")
        body.add(
            f"random_{family}(rng, {df.text}, {whole(base, 2)})  # from {SHOWN.get(name, name)} to the draw, in place"
        )


def _write_lower(body: Body, expr: Expr, base: str) -> None:
    """Write the lower triangle of a matrix into an element of the state."""
    if dense.is_large(body, expr):
        made = dense.dense(body, expr)
        with dense.components(body, made.sizes, lower=True) as (row, column):
            body.assign(place(base, (row, column)), made.cell(row, column))
        return
    for a, cells in enumerate(matrix(body, expr)):
        for b in range(a + 1):
            body.assign(place(base, (a, b)), cells[b])


def _write_dirichlet(body: Body, step: Step) -> None:
    body.needs.helpers.add("random_gamma")
    with over_elements(body, step):
        (inner,) = parameters(body, step, "concentration")
        if dense.is_large(body, inner):
            _write_large_dirichlet(body, step, inner)
            return
        cells = vector(body, inner)
        base = target_text(body, step)
        names = [
            unrolled.named(body, f"gamma_{a}", call("random_gamma", "rng", c.text))
            for a, c in enumerate(cells)
        ]
        total = unrolled.named(body, "total", join_sum([(False, name) for name in names]))
        for a, name in enumerate(names):
            body.assign(place(base, (a,)), join_product([name], [total]))


def _write_large_dirichlet(body: Body, step: Step, concentration: Expr) -> None:
    base = target_text(body, step)
    made = dense.dense(body, concentration)
    body.taken.add("total")
    body.add("total = 0.0")
    with dense.components(body, made.sizes) as (a,):
        body.assign(place(base, (a,)), call("random_gamma", "rng", made.cell(a).text))
        body.add(f"total += {place(base, (a,))}")
    with dense.components(body, made.sizes) as (a,):
        body.add(f"{place(base, (a,))} /= total")
