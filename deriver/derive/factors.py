"""Model → factors: the joint density as a tuple of terms [value | parents], and the deterministic definitions."""

from __future__ import annotations

from dataclasses import replace

import sympy as sp
from sympy import Expr

from deriver.algebra import heads
from deriver.algebra.heads import Condition, Ref, index_symbol
from deriver.derive.lower import Lowering
from deriver.derive.records import Definition, Factor
from deriver.errors import InternalError, Mistake, ModelError
from deriver.families import family as family_record
from deriver.model.records import Deterministic, Model, Stochastic


class Definitions:
    """The deterministic nodes of a model, and what lies below a name."""

    def __init__(self, definitions: tuple[Definition, ...]) -> None:
        self.all = definitions
        self._by_name: dict[str, Definition] = {}
        for definition in definitions:
            name = definition.element.name
            if name in self._by_name:
                raise ModelError(
                    [
                        Mistake(
                            code="piecewise_definition",
                            found=f"the deterministic node {name} has more than one statement",
                            expected="one defining statement for a deterministic node",
                            remedy=f"write {name} as one expression, or give its recursion a stochastic node",
                        )
                    ]
                )
            self._by_name[name] = definition

    def defines(self, name: str) -> bool:
        """Tell whether a name is deterministic."""
        return name in self._by_name

    def depends(self, name: str, target: str) -> bool:
        """Tell whether a deterministic node has ``target`` somewhere below it."""
        names = {ref.name for ref in self._by_name[name].expression.atoms(Ref)}
        return target in names or any(self.depends(n, target) for n in names if self.defines(n))

    def expand(self, expr: Expr, target: str | None = None) -> Expr:
        """Replace deterministic nodes by their definitions: those above ``target``, or all of them."""
        for _ in range(100):
            refs = [
                ref
                for ref in sp.ordered(expr.atoms(Ref))
                if self.defines(ref.name) and (target is None or self.depends(ref.name, target))
            ]
            if not refs:
                return expr
            expr = substitute(expr, {ref: self.at(ref) for ref in refs})
        raise InternalError("a deterministic node defined by itself")

    def expand_inverses(self, expr: Expr) -> Expr:
        """Replace a node that is the inverse of another by that inverse: Σ = inv(Q) becomes Q⁻¹."""
        refs = {
            ref: self.at(ref)
            for ref in expr.atoms(Ref)
            if self.defines(ref.name) and self._is_inverse(ref.name)
        }
        return substitute(expr, refs) if refs else expr

    def _is_inverse(self, name: str) -> bool:
        expression = self._by_name[name].expression
        return isinstance(expression, sp.Pow) and isinstance(expression.base, Ref) and expression.exp == -1

    def at(self, ref: Ref) -> Expr:
        """Return the definition of a deterministic element, in the element's own subscripts."""
        definition = self._by_name[ref.name]
        fresh = rename_bound_indices(
            definition.expression, set().union(*(i.free_symbols for i in ref.indices))
        )
        own = dict(zip(definition.element.indices, ref.indices, strict=True))
        return substitute(fresh, own)


def rename_bound_indices(expr: Expr, taken: set[sp.Symbol]) -> Expr:
    """Give the indices bound inside ``expr`` names that are not ``taken``."""
    bound: set[sp.Symbol] = set()
    for part in sp.preorder_traversal(expr):
        bound |= getattr(part, "bound_symbols", set())
    clashes = {symbol: index_symbol(symbol.name + "′") for symbol in sp.ordered(bound & taken)}
    return expr.xreplace(clashes) if clashes else expr


def substitute(expr: Expr, rules: dict) -> Expr:
    """Replace exactly, and rebuild closed heads whose content changed shape."""
    if expr in rules:
        return rules[expr]
    if not expr.args:
        return expr
    args = [substitute(arg, rules) if isinstance(arg, sp.Basic) else arg for arg in expr.args]
    if all(new is old for new, old in zip(args, expr.args, strict=True)):
        return expr
    if isinstance(expr, heads.Inner):
        return heads.inner(args[0])
    if isinstance(expr, heads.Trace):
        return heads.trace(args[0])
    if isinstance(expr, heads.LogDet):
        return heads.logdet(args[0])
    if isinstance(expr, heads.Component):
        return heads.component(*args)
    if isinstance(expr, heads.Transposed):
        return heads.transpose(args[0])
    if isinstance(expr, sp.Pow) and not args[0].is_commutative and args[1] == -1:
        return heads.invert(args[0]) if not isinstance(args[0], heads.Literal) else args[0] ** -1
    return expr.func(*args)


def build_factors(model: Model, lowering: Lowering) -> tuple[tuple[Factor, ...], Definitions]:
    """Return the factors of the joint density in the order of the statements, and the definitions.

    Raises ``ModelError`` for a deterministic node with several statements.
    """
    definitions = Definitions(
        tuple(_definition(s, lowering) for s in model.statements if isinstance(s, Deterministic))
    )
    nodes = {node.name for node in model.nodes if node.kind == "stochastic"}
    factors = (
        _factor(statement, lowering, definitions, nodes)
        for statement in model.statements
        if isinstance(statement, Stochastic)
    )
    return tuple(factors), definitions


def _definition(statement: Deterministic, lowering: Lowering) -> Definition:
    element = lowering.element(
        statement.name, *(lowering.expression(subscript) for subscript in statement.subscripts)
    )
    bounds = tuple(lowering.bound(place) for place in statement.ranges)
    return Definition(element=element, expression=lowering.expression(statement.expression), bounds=bounds)


def _factor(statement: Stochastic, lowering: Lowering, definitions: Definitions, nodes: set[str]) -> Factor:
    record = family_record(statement.family)
    keywords = tuple(argument.keyword for argument in statement.arguments)
    given = tuple(lowering.expression(argument.value) for argument in statement.arguments)
    chosen = next(p for p in record.parametrisations if p.keywords == keywords)
    arguments = tuple(definitions.expand_inverses(a) for a in chosen.to_canonical(*given))
    subscripts = tuple(lowering.expression(subscript) for subscript in statement.subscripts)
    truncation = _truncation(statement, lowering)
    ends = tuple(end for end in truncation or () if end is not None)
    factor = Factor(
        value=lowering.element(statement.name, *subscripts),
        family=record.key,
        arguments=arguments,
        bounds=tuple(lowering.bound(place) for place in statement.ranges),
        conditions=lowering.subset_conditions(statement.ranges),
        truncation=truncation,
        parents=_stochastic_names((*arguments, *ends), definitions, nodes),
        layer=statement.layer,
    )
    return replace(factor, moving_bounds=_moving_bounds(factor, definitions, nodes))


def _truncation(statement: Stochastic, lowering: Lowering) -> tuple[Expr | None, Expr | None] | None:
    if statement.truncation is None:
        return None
    ends = [None if end is None else lowering.expression(end) for end in statement.truncation]
    return tuple(None if end is None or end.is_infinite else end for end in ends)  # type: ignore[return-value]


def _stochastic_names(
    arguments: tuple[Expr, ...], definitions: Definitions, nodes: set[str]
) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for argument in arguments:
        for ref in sp.ordered(definitions.expand(argument).atoms(Ref)):
            if ref.name in nodes:
                found[ref.name] = None
    return tuple(found)


def _moving_bounds(
    factor: Factor, definitions: Definitions, nodes: set[str]
) -> tuple[Expr | None, Expr | None] | None:
    """Return the ends of the value's support where one of them depends on a node, else None."""
    support = family_record(factor.family).support
    named = dict(zip(family_record(factor.family).parameters, factor.arguments, strict=True))
    ends = [named.get(support.lower or ""), named.get(support.upper or "")]
    if factor.truncation is not None:
        ends = [own if own is not None else end for own, end in zip(factor.truncation, ends, strict=True)]
    moving = _stochastic_names(tuple(end for end in ends if end is not None), definitions, nodes)
    return (ends[0], ends[1]) if moving else None


def condition_holds_trivially(condition: Condition) -> bool | None:
    """Decide a condition whose sides differ by a number, else return None."""
    if condition.relation == "in":
        return None
    difference = sp.expand(condition.left - condition.right)
    if not difference.is_number:
        return None
    verdict = {
        "=": difference == 0,
        "!=": difference != 0,
        "<": difference < 0,
        "<=": difference <= 0,
        ">": difference > 0,
        ">=": difference >= 0,
    }[condition.relation]
    return bool(verdict)
