"""The records of the plan: statistics of the data alone, and one step per node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sympy import Expr, Symbol

from deriver.algebra.heads import Ref
from deriver.derivation.records import Conditional
from deriver.plan.layout import Quantity, Space

Method = Literal["gibbs", "random_walk", "newton", "slice", "enumerate", "correlation_walk", "integer_walk"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistic:
    """What is computed once from the data: its name, its value, the scope of its free indices."""

    name: str
    expression: Expr
    indices: tuple[Symbol, ...]
    quantity: Quantity
    space: Space
    ref: Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class Newton:
    """Gradient and Hessian of a log-concave kernel, statistics of the data replaced by their names."""

    gradient: Expr
    hessian: Expr


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """How one node is drawn.

    ``parameters`` (Gibbs) and ``kernel`` (the rest) stand for the conditional's own, with statistics of the
    data replaced by their names.  ``colours`` is how many interleaved sets a coupled node is drawn in (1:
    all at once; 0: one element after another).  ``reason`` says why it is not drawn from its conditional.
    """

    node: str
    method: Method
    conditional: Conditional
    space: Space
    parameters: tuple[tuple[str, Expr], ...] = ()
    kernel: Expr | None = None
    colours: int = 1
    colour_index: Symbol | None = None
    newton: Newton | None = None
    reason: str = ""
    inner_steps: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Steps in the order of a sweep, statistics in the order of their computation, and the arrays there are."""

    steps: tuple[Step, ...]
    statistics: tuple[Statistic, ...]
    quantities: tuple[Quantity, ...]
    space: Space

    def step(self, node: str) -> Step:
        """Return the step of a node; raise ``KeyError`` if there is none."""
        for step in self.steps:
            if step.node == node:
                return step
        raise KeyError(node)
