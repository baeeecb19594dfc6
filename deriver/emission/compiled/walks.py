"""Compiled updates by Metropolis–Hastings and slice sampling of number-valued nodes.

The log density of a proposal is a function of its own: what the node does not change is computed once, and handed to
it as arguments.
"""

from __future__ import annotations

from dataclasses import replace

import sympy as sp
from sympy import Expr

from deriver.algebra.heads import Ref, Variable
from deriver.emission.compiled.body import Body
from deriver.emission.compiled.functions import (
    describe_one_chain,
    finish,
    new_body,
    over_elements,
    place,
    put_moving,
    target_text,
)
from deriver.emission.compiled.inner import arguments_of, inner_function, kind_of
from deriver.emission.compiled.scalars import definition_of, scalar, write_sums
from deriver.emission.naming import local_name
from deriver.emission.scope import Module, make_function
from deriver.emission.text import atom, break_call
from deriver.emission.views import FunctionView
from deriver.plan.layout import unsupported
from deriver.plan.records import Step


def walk_functions(module: Module, sizes: dict, step: Step) -> list[FunctionView]:
    """Return ``log_density_<node>`` and ``update_<node>``."""
    if step.conditional.shape:
        raise unsupported(f"{step.node}, a vector that no Newton proposal fits", "use the numpy backend")
    # its name is that of the element that moves; its other elements are read from the array under another
    body = replace(new_body(module, sizes), words=frozenset({step.node}))
    body.taken |= {"u", "step", "rate", "gain", "noise", "lost", "taken", local_name(step.node)}
    scale = Scale(step)
    node = step.node
    with over_elements(body, step):
        scale.write_bounds(body)
        density, arguments = write_density(body, step, scale)
        base = place(target_text(body, step), ())
        _write_move(body, step, scale, base, arguments)
    head = [f"Return the log density of {scale.variable} up to a constant, given what stays."]
    first = make_function(
        f"log_density_{node}",
        (f"{scale.variable}: float", *(f"{name}: {kind_of(name, body)}" for name in arguments)),
        "float",
        head,
        density,
    )
    doc = describe_one_chain(module, step)
    if scale.words:
        doc.append(f"It moves on the scale u = {scale.words}, whose Jacobian is counted.")
    parameters = ["rng: Random", "state: State", "data: Data"]
    if step.method != "slice":
        parameters += ["step: Array", "rate: Array", "gain: float"]
    return [first, finish(f"update_{node}", body, doc, parameters=parameters)]


class Scale:
    """The unbounded scale u on which a number is moved: there, back, and the log Jacobian."""

    def __init__(self, step: Step) -> None:
        _, self.lower, self.upper = step.conditional.support
        self.node = local_name(step.node)
        self.plain = self.lower is None and self.upper is None
        self.variable = self.node if self.plain else "u"
        self.low, self.high, self.words = "", "", ""

    def write_bounds(self, body: Body) -> None:
        """Name the bounds, where they are more than a number."""
        self.low = self._bound(body, self.lower, "lower")
        self.high = self._bound(body, self.upper, "upper")
        node = self.node
        if self.low and self.high:
            self.words = f"logit(({node} - {self.low}) / ({self.high} - {self.low}))"
        elif self.low:
            self.words = f"log({node})" if self.low == "0" else f"log({node} - {self.low})"
        elif self.high:
            self.words = f"log({self.high} - {node})"

    def _bound(self, body: Body, end: Expr | None, name: str) -> str:
        if end is None or end.is_infinite:
            return ""
        text = scalar(body, end)
        if text.text.replace("_", "").replace("-", "").isalnum():
            return text.text
        own = body.fresh(name)
        body.assign(own, text)
        return own

    def forth(self, value: str) -> str:
        """Return u as a function of the node."""
        if self.plain:
            return value
        above = value if self.low == "0" else f"{value} - {held(self.low)}"
        if self.low and self.high:
            return (
                f"math.log(({above}) / ({self.high} - {value}))"
                if self.low != "0"
                else (f"math.log({above} / ({self.high} - {value}))")
            )
        return f"math.log({above})" if self.low else f"math.log({self.high} - {value})"

    def back(self, u: str) -> str:
        """Return the node as a function of u."""
        if self.plain:
            return u
        if self.low and self.high:
            width = f"({self.high} - {held(self.low)})" if self.low != "0" else self.high
            added = "" if self.low == "0" else f"{self.low} + "
            return f"{added}{width} / (1 + math.exp(-{u}))"
        if self.low:
            return f"math.exp({u})" if self.low == "0" else f"{self.low} + math.exp({u})"
        return f"{self.high} - math.exp({u})"

    def log_jacobian(self) -> str:
        """Return the log of d node / d u."""
        if self.plain:
            return ""
        if self.low and self.high:
            above = self.node if self.low == "0" else f"{self.node} - {held(self.low)}"
            return f" + math.log({above}) + math.log({self.high} - {self.node})"
        return " + u"


def held(text: str) -> str:
    """Return a bound as it stands after a minus sign."""
    return f"({text})" if text.startswith("-") else text


def write_density(body: Body, step: Step, scale: Scale) -> tuple[list[str], list[str]]:
    """Return the lines of the log density, and the names that it needs from around it."""
    moving = Ref(Variable(f"{step.node} (moving)", (), **_assumptions(step)))
    kernel = put_moving(step.kernel or sp.S.Zero, step.conditional.target, moving, step.space)
    kernel = _expand_definitions(body, step, kernel, moving)
    with inner_function(body, {moving: atom(local_name(step.node))}) as inner:
        if not scale.plain:
            body.add(f"{scale.node} = {scale.back('u')}")
        write_sums(body, [kernel])
        body.assign("log_kernel", scalar(body, kernel))
        body.add(f"return log_kernel{scale.log_jacobian()}")
    return inner.lines, arguments_of(body, inner, [scale.variable])


def _assumptions(step: Step) -> dict:
    lower = step.conditional.support[1]
    return {"positive": True} if lower == 0 else {"real": True}


def _expand_definitions(body: Body, step: Step, kernel: Expr, moving: Ref) -> Expr:
    """Write out deterministic nodes that move with the node."""
    for _ in body.definitions:
        rules = {ref: definition_of(body, ref) for ref in kernel.atoms(Ref) if ref.name in body.definitions}
        if not rules:
            break
        kernel = put_moving(kernel.xreplace(rules), step.conditional.target, moving, step.space)
    return kernel


def _write_move(body: Body, step: Step, scale: Scale, base: str, arguments: list[str]) -> None:
    density = f"log_density_{step.node}"
    node, value = step.node, scale.variable
    if step.method not in ("random_walk", "slice"):
        raise unsupported(f"the update of {node} by {step.method}", "use the numpy backend")
    if step.method == "slice":
        raise unsupported(f"slice sampling of {node}", "use the numpy backend")
    body.needs.helpers |= {"normal", "uniform", "lengthen", "takes_step"}
    if not scale.plain:
        body.needs.helpers.add("within_reach")
        body.add(f"u = within_reach({scale.forth(base)})")
    else:
        body.add(f"{value} = {base}")
    own = base[base.index("[") :] if "[" in base else "[0]"
    depth = body.block.depth
    body.block.lines += break_call(f"now = {density}(", [value, *arguments], ")", depth)
    body.add("accepted = 0.0")
    body.add(f"for _ in range({step.inner_steps}):")
    body.add("    noise, lost = normal(rng), not now > -math.inf")
    body.add(f"    proposal = {value} + step{own} * lengthen(noise, lost)")
    body.block.lines += break_call(f"then = {density}(", ["proposal", *arguments], ")", depth + 1)
    body.add(f"    taken = takes_step(rng, now, then, {value}, proposal, noise)")
    body.add("    if taken:")
    body.add(f"        {value}, now = proposal, then")
    body.add("    accepted += 0.44 if lost else 1.0 if taken else 0.0")
    body.add(f"{base} = {scale.back(value)}")
    share = "accepted" if step.inner_steps == 1 else f"accepted / {step.inner_steps}"
    body.add(f"rate{own} += {share}")
    body.add(f"step{own} *= math.exp(({share} - 0.44) * gain)")
