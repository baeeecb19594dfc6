"""The scope of a whole emitted module: the plan's arrays, what the functions need, and how they begin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import sympy as sp

from deriver.algebra.heads import Ref
from deriver.derivation.records import Derivation
from deriver.emission.mathtext import wrap_text
from deriver.emission.naming import local_name
from deriver.emission.rows import Needs
from deriver.emission.source import Source
from deriver.emission.text import break_call
from deriver.emission.views import FunctionView
from deriver.plan.layout import Bound, Quantity, Space
from deriver.plan.records import Plan

RESERVED = ("np", "data", "state", "rng", "steps", "size")


@dataclass(slots=True, kw_only=True)
class Module:
    """What is being emitted, and what it turned out to need.

    ``reduced`` names the plates over which the sampler holds no arrays, but statistics of them that it is given.
    """

    derivation: Derivation
    plan: Plan
    declared: dict[str, Bound]
    needs: Needs = field(default_factory=Needs)
    densities: set[str] = field(default_factory=set)
    predictions: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    reduced: frozenset[str] = frozenset()

    def source(self, space: Space | None = None, *, data: str = "data.", depth: int = 1) -> Source:
        """Return an empty function body."""
        quantities = {quantity.name: quantity for quantity in self.plan.quantities}
        return Source(
            space=space if space is not None else self.plan.space,
            quantities=quantities,
            needs=self.needs,
            data=data,
            declared=self.declared,
            taken={*RESERVED, *(local_name(step.node) for step in self.plan.steps)},
            depth=depth,
        )

    def quantity(self, name: str) -> Quantity:
        """Return an array of the plan by name."""
        return next(quantity for quantity in self.plan.quantities if quantity.name == name)

    @property
    def line(self) -> str:
        """Return the name of the unbounded coordinate of nodes: u, unless something of the model has that name."""
        names = {quantity.name for quantity in self.plan.quantities}
        return next(name for name in ("u", "on_line", "on_line_") if name not in names)

    def state_nodes(self) -> list[Quantity]:
        """Return the arrays of the state in the order of the model."""
        return [self.quantity(step.node) for step in self.plan.steps]

    def observed(self) -> list[Quantity]:
        """Return the arrays of the observed nodes."""
        names = [n.name for n in self.derivation.model.nodes if n.is_response]
        return [self.quantity(name) for name in names]


def make_function(
    name: str, parameters: Sequence[str], result: str, docstring: Sequence[str], body: Sequence[str]
) -> FunctionView:
    """Return a function view; ``docstring`` is a summary, then paragraphs and indented lines."""
    return FunctionView(
        signature=tuple(break_call(f"def {name}(", parameters, f") -> {result}:", 0)),
        docstring=tuple(write_docstring(docstring)),
        body=tuple(body),
    )


def write_docstring(lines: Sequence[str], indent: str = "    ") -> list[str]:
    """Return a docstring: the first line the summary, the rest after a blank line, wrapped at 88."""
    first, *rest = lines
    summary = wrap_text(first, indent, '"""')
    summary[1:] = [indent + line.strip() for line in summary[1:]]
    if not rest and len(summary) == 1 and len(summary[0]) + 3 <= 88:
        return [summary[0] + '"""']
    shown = list(summary)
    if rest:
        shown.append("")
    for line in rest:
        lead = line[: len(line) - len(line.lstrip())]
        shown += wrap_text(line.strip(), indent + lead) if line.strip() else [""]
    return [*shown, indent + '"""']


def element(source: Source, quantity: Quantity) -> Ref:
    """Return the reference to the generic element of an array, in its own indices."""
    from deriver.algebra.heads import Variable

    return Ref(Variable(quantity.name, quantity.sides), *quantity.indices)


def own_space(module: Module, quantity: Quantity) -> Space:
    """Return the scope in which an array's own indices run."""
    bounds = [sp.Tuple(s, *b) for s, b in zip(quantity.indices, quantity.ranges, strict=True)]
    return module.plan.space.extend(bounds)
