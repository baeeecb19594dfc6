"""Model → factors: the joint density as a tuple of terms [value | parents], and the deterministic definitions."""

from __future__ import annotations

from dataclasses import replace

import sympy as sp
from sympy import Expr

from deriver.algebra.heads import Condition, Ref, index_symbol
from deriver.derivation.lower import Lowering
from deriver.derivation.records import Definition, Factor
from deriver.derivation.recursions import make_definitions
from deriver.derivation.substitution import substitute
from deriver.errors import InternalError, Mistake, ModelError
from deriver.families import family as family_record
from deriver.model.records import Given, Model, Node, Stochastic


class Definitions:
    """The deterministic nodes of a model, and what lies below a name."""

    def __init__(self, definitions: tuple[Definition, ...]) -> None:
        self.all = definitions
        self._by_name: dict[str, Definition] = {}
        for definition in definitions:
            self._by_name[definition.element.name] = definition

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

    def expand_switches(self, expr: Expr, binary: frozenset[str]) -> Expr:
        """Replace nodes that are defined by nodes ``binary`` alone, each 0 or 1, and by numbers."""
        refs = [ref for ref in sp.ordered(expr.atoms(Ref)) if self._is_switch(ref.name, binary)]
        return self.expand_switches(substitute(expr, {r: self.at(r) for r in refs}), binary) if refs else expr

    def _is_switch(self, name: str, binary: frozenset[str]) -> bool:
        if not self.defines(name):
            return False
        expression = self._by_name[name].expression
        if any(getattr(part, "bound_symbols", ()) for part in sp.preorder_traversal(expression)):
            return False
        names = {ref.name for ref in expression.atoms(Ref)}
        return bool(names) and all(each in binary or self._is_switch(each, binary) for each in names)

    def _is_inverse(self, name: str) -> bool:
        expression = self._by_name[name].expression
        return isinstance(expression, sp.Pow) and isinstance(expression.base, Ref) and expression.exp == -1

    def at(self, ref: Ref) -> Expr:
        """Return the definition of a deterministic element, in the element's own subscripts."""
        definition = self._by_name[ref.name]
        taken = frozenset().union(*(i.free_symbols for i in (*ref.indices, *definition.element.indices)))
        fresh = _rename_clashes(definition.expression, taken)
        own = dict(zip(definition.element.indices, ref.indices, strict=True))
        return substitute(fresh, own)


def _rename_clashes(expr: Expr, taken: frozenset[sp.Symbol]) -> Expr:
    """Rename the indices bound inside ``expr`` when one of them is ``taken``."""
    bound: set[sp.Symbol] = set()
    for part in sp.preorder_traversal(expr):
        bound |= getattr(part, "bound_symbols", set())
    return rename_bound(expr, "′", taken) if bound & taken else expr


def rename_bound(expr: Expr, mark: str, taken: frozenset[sp.Symbol] = frozenset()) -> Expr:
    """Add ``mark`` to the name of every index bound inside ``expr``; again where a sum around it has that name."""
    if not any(hasattr(part, "bound_symbols") for part in sp.preorder_traversal(expr)):
        return expr
    rules: dict[sp.Symbol, sp.Symbol] = {}
    for symbol in sp.ordered(getattr(expr, "bound_symbols", ())):
        name = symbol.name + mark
        while index_symbol(name) in taken:
            name += mark
        rules[symbol] = index_symbol(name)
    inside = taken | set(rules.values())
    renamed = (rename_bound(arg, mark, inside) if isinstance(arg, Expr) else arg for arg in expr.args)
    return expr.func(*(substitute(arg, rules) for arg in renamed))


def build_factors(model: Model, lowering: Lowering) -> tuple[tuple[Factor, ...], Definitions]:
    """Return the factors of the joint density in the order of the statements, and the definitions."""
    definitions = Definitions(make_definitions(model, lowering))
    nodes = {node.name for node in model.nodes if node.kind == "stochastic"}
    declarations: list[Node | Given] = [*model.nodes, *model.givens]
    binary = frozenset(
        declared.name
        for declared in declarations
        if lowering.support(declared.support) == ("integer", sp.S.Zero, sp.S.One)
    )
    factors = [
        replace(_factor(statement, lowering, definitions, nodes), binary=binary)
        for statement in model.statements
        if isinstance(statement, Stochastic)
    ]
    return tuple(_bounded(factor, factors, definitions, nodes) for factor in factors), definitions


def _factor(statement: Stochastic, lowering: Lowering, definitions: Definitions, nodes: set[str]) -> Factor:
    record = family_record(statement.family)
    keywords = tuple(argument.keyword for argument in statement.arguments)
    given = tuple(lowering.expression(argument.value) for argument in statement.arguments)
    chosen = next(p for p in record.parametrisations if p.keywords == keywords)
    arguments = tuple(definitions.expand_inverses(a) for a in chosen.to_canonical(*given))
    subscripts = tuple(lowering.expression(subscript) for subscript in statement.subscripts)
    truncation = _truncation(statement, lowering)
    ends = tuple(end for end in truncation or () if end is not None)
    return Factor(
        value=lowering.element(statement.name, *subscripts),
        family=record.key,
        arguments=arguments,
        bounds=tuple(lowering.bound(place) for place in statement.ranges),
        conditions=lowering.subset_conditions(statement.ranges),
        truncation=truncation,
        parents=_stochastic_names((*arguments, *ends), definitions, nodes),
        layer=statement.layer,
        fixed=None if statement.fixed is None else lowering.expression(statement.fixed),
    )


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


def _bounded(factor: Factor, factors: list[Factor], definitions: Definitions, nodes: set[str]) -> Factor:
    """Write down the ends of the value's support where the node's own support does not hold them.

    They depend on a node, or another statement of the same node has other ends.
    """
    ends = _ends(factor)
    siblings = [other for other in factors if other.value.name == factor.value.name]
    others = {_ends(other) for other in siblings}
    kinds = {family_record(other.family).support.kind for other in siblings}
    if len(kinds) > 1 and factor.layer != "data":
        raise ModelError([_mixed_kinds(factor)])
    partial = len(others) > 1 and ends != (None, None)
    moving = _stochastic_names(tuple(end for end in ends if end is not None), definitions, nodes)
    return replace(factor, moving_bounds=ends, partial=partial) if moving or partial else factor


def _mixed_kinds(factor: Factor) -> Mistake:
    name = factor.value.name
    return Mistake(
        code="mixed_kinds",
        found=f"the statements of {name} give its elements values of different kinds",
        expected="real numbers for all elements of a node, or whole numbers, or probability vectors, …",
        remedy=f"write the statements of {name} with families of one kind, or make two nodes of it",
    )


def _ends(factor: Factor) -> tuple[Expr | None, Expr | None]:
    """Return the open ends of the value's support, None where infinite."""
    record = family_record(factor.family)
    named = dict(zip(record.parameters, factor.arguments, strict=True))
    lower, upper = (
        sp.Integer(int(end)) if end is not None and end not in named else named.get(end or "")
        for end in (record.support.lower, record.support.upper)
    )
    if factor.truncation is not None:
        lower = _narrow(sp.Max, lower, factor.truncation[0])
        upper = _narrow(sp.Min, upper, factor.truncation[1])
    if record.support.kind == "integer":  # which holds its ends
        lower, upper = _beyond(lower, -sp.S.Half), _beyond(upper, sp.S.Half)
    return (lower, upper)


def _beyond(end: Expr | None, step: Expr) -> Expr | None:
    return end + step if end is not None and end.is_integer else end


def _narrow(choose: type[sp.Max | sp.Min], end: Expr | None, other: Expr | None) -> Expr | None:
    if end is None or other is None:
        return end if other is None else other
    return choose(end, other)


def condition_holds_trivially(condition: Condition) -> bool | None:
    """Decide a condition whose sides differ by a number, else return None."""
    if condition.relation == "in":
        return None
    difference = sp.expand(condition.left - condition.right)
    if not difference.is_number:
        return None
    return compare(condition.relation, difference)


def compare(relation: str, difference: Expr) -> bool:
    """Tell whether a relation holds between sides that differ by a number, which may be infinite."""
    return bool(
        {
            "=": difference == 0,
            "!=": difference != 0,
            "<": difference < 0,
            "<=": difference <= 0,
            ">": difference > 0,
            ">=": difference >= 0,
        }[relation]
    )
