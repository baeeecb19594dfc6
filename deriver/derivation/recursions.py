"""Definitions that refer to their own earlier elements, made into one expression for each node.

    err[1] = y[1] - mu
    err[t] = y[t] - mu - phi * y[t-1] - theta * err[t-1] for t in 2..T

says how a path is computed step by step: ``err[t]`` becomes the t-th component of a ``Recursion``, in which no ``err``
stands any more.  So it is expanded as every other definition is, wherever a parameter below it is the target.  Several
nodes that use each other's earlier elements make one recursion; first elements without a rule that recurs are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sympy as sp
from sympy import Expr, Integer, S, Symbol, Tuple

from deriver.algebra import heads
from deriver.algebra.heads import Condition, Ref, index_symbol
from deriver.derivation.lower import Lowering
from deriver.derivation.records import Definition
from deriver.derivation.substitution import substitute
from deriver.errors import InternalError
from deriver.model.expressions import Number
from deriver.model.records import Deterministic, Model
from deriver.model.recursions import find_groups, find_inline, rules_of


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    """A node of a recursion: the index that runs, its place, the first elements stated and the rule of the others."""

    element: Ref
    along: int
    lower: int
    upper: Expr
    stated: tuple[Expr, ...]
    rule: Expr

    @property
    def index(self) -> Symbol:
        return self.element.indices[self.along]

    def at(self, position: int) -> Expr:
        """Return what is stated of the element at a value of the index that is a number."""
        place = position - self.lower
        if place < len(self.stated):
            return self.stated[place]
        return self.rule.xreplace({self.index: Integer(position)})


def make_definitions(model: Model, lowering: Lowering) -> tuple[Definition, ...]:
    """Return one definition for each deterministic node, in the order of the statements."""
    rules = rules_of(model)
    made: dict[str, Definition] = {}
    for group in find_groups(
        {name: found for name, found in rules.items() if not _are_alike(found, lowering)}
    ):
        made |= _make_recursion(group, find_inline(group, rules), model, lowering)
    for name in rules:
        if name not in made:
            own = [each for each in model.statements_of(name) if isinstance(each, Deterministic)]
            made[name] = _definition(max(own, key=lambda each: len(each.ranges)), lowering)
    return tuple(made[name] for name in rules)


def _are_alike(own: list, lowering: Lowering) -> bool:
    """Tell whether several statements of a node say the same of its elements, as those of a transform do."""
    *_, (subscripts, rule) = sorted(own, key=lambda each: sum(not isinstance(s, Number) for s in each[0]))
    places = [lowering.expression(each) for each in subscripts]
    general = lowering.expression(rule)
    return len(own) > 1 and all(
        general.xreplace(dict(zip(places, map(lowering.expression, stated), strict=True)))
        == lowering.expression(body)
        for stated, body in own
    )


def _definition(statement: Deterministic, lowering: Lowering) -> Definition:
    element = lowering.element(
        statement.name, *(lowering.expression(subscript) for subscript in statement.subscripts)
    )
    bounds = tuple(lowering.bound(place) for place in lowering.model.node(statement.name).ranges)
    return Definition(element=element, expression=lowering.expression(statement.expression), bounds=bounds)


def _make_recursion(
    group: tuple[str, ...], inline: frozenset[str], model: Model, lowering: Lowering
) -> dict[str, Definition]:
    """Return the definitions of the nodes of a group, but those that are written out in the others' rules."""
    along = _find_along(group, model)
    members = {name: _make_member(name, along[name], model, lowering) for name in group}
    rows = [name for name in group if name not in inline]
    lead = max(len(members[name].stated) for name in rows)
    first = members[rows[0]]
    symbols: dict[tuple[str, int], Symbol] = {}
    firsts = _close_firsts(members, rows, lead)
    steps = {name: _close_step(name, members, firsts, symbols) for name in rows}
    running = index_symbol(first.index.name + "‴")  # apart from the index of the element that is asked for
    bound = Tuple(running, Integer(first.lower + lead), first.upper)
    earlier = Tuple(
        *(Tuple(symbol, Integer(rows.index(name)), Integer(lag)) for (name, lag), symbol in symbols.items())
    )
    system = (
        bound,
        earlier,
        Tuple(*(Tuple(*firsts[name]) for name in rows)),
        Tuple(*(substitute(steps[name], {first.index: running}) for name in rows)),
    )
    variables = [members[name].element.variable for name in rows]
    made = {}
    for row, name in enumerate(rows):
        member = members[name]
        place = Tuple(*(running if each == first.index else each for each in member.element.indices))
        path = heads.Recursion(Tuple(*variables), row, place, *system)
        bounds = tuple(lowering.bound(place) for place in model.node(name).ranges)
        position = member.index - member.lower + 1
        made[name] = Definition(
            element=member.element, expression=heads.Component(path, position), bounds=bounds
        )
    return made


def _find_along(group: tuple[str, ...], model: Model) -> dict[str, int]:
    """Return, for each node, the place of the subscript along which it is computed."""
    plates = {}
    for name in group:
        for statement in model.statements_of(name):
            for place, subscript in enumerate(statement.subscripts):
                if isinstance(subscript, Number):
                    plates[name] = place
    if not plates:
        raise InternalError(f"no first element in the recursion of {', '.join(group)}")
    index = next(model.node(name).indices[place] for name, place in plates.items())
    return {name: model.node(name).indices.index(index) for name in group}


def _make_member(name: str, along: int, model: Model, lowering: Lowering) -> _Member:
    node = model.node(name)
    element = lowering.node_element(node)
    _, lower, upper = lowering.bound(node.ranges[along])
    stated: dict[int, Expr] = {}
    rule: Expr | None = None
    for statement in model.statements_of(name):
        assert isinstance(statement, Deterministic)
        expression = lowering.expression(statement.expression)
        place = statement.subscripts[along]
        if isinstance(place, Number):
            stated[int(place.value)] = expression
        else:
            rule = expression
    if rule is None or not lower.is_Integer:
        raise InternalError(f"the recursion of {name} has no rule")
    return _Member(
        element=element, along=along, lower=int(lower), upper=upper, rule=rule,
        stated=tuple(stated[each] for each in sorted(stated)),
    )  # fmt: skip


def _own_references(expr: Expr, members: Mapping[str, _Member]) -> list[Ref]:
    return [ref for ref in sp.ordered(expr.atoms(Ref)) if ref.name in members]


def _close_firsts(members: Mapping[str, _Member], rows: list[str], lead: int) -> dict[str, list[Expr]]:
    """Return the first elements of each node, those that they use of the recursion itself written out."""
    known: dict[tuple[str, int], Expr] = {}

    def close(name: str, position: int) -> Expr:
        if (name, position) not in known:
            expr = members[name].at(position)
            rules = {
                ref: close(ref.name, int(ref.indices[members[ref.name].along]))
                for ref in _own_references(expr, members)
            }
            known[(name, position)] = substitute(expr, rules)
        return known[(name, position)]

    return {name: [close(name, members[name].lower + k) for k in range(lead)] for name in rows}


def _close_step(
    name: str, members: Mapping[str, _Member], firsts: Mapping[str, list[Expr]], symbols: dict[tuple[str, int], Symbol]
) -> Expr:  # fmt: skip
    """Return the rule of a node with a symbol for each earlier element, and same elements written out."""
    member = members[name]
    rules: dict[Expr, Expr] = {}
    for ref in _own_references(member.rule, members):
        other = members[ref.name]
        used = ref.indices[other.along]
        if _without(ref.indices, other.along) != _without(other.element.indices, other.along):
            raise InternalError(f"{name} is computed from another series of {ref.name}")
        lag = sp.expand(member.index - used)
        if lag == 0:
            rules[ref] = _close_step(ref.name, members, firsts, symbols)
        elif lag.is_Integer:
            rules[ref] = symbols.setdefault((ref.name, int(lag)), _earlier_symbol(other, int(lag)))
        else:
            rules[ref] = firsts[ref.name][int(used) - other.lower]
    return substitute(member.rule, rules)


def _without(indices: tuple[Expr, ...], place: int) -> tuple[Expr, ...]:
    return indices[:place] + indices[place + 1 :]


def _earlier_symbol(member: _Member, lag: int) -> Symbol:
    """Return the symbol of an earlier element; it has the sign of the node."""
    variable = member.element.variable
    sign = {"positive": True} if variable.is_positive else {"real": True}
    return heads.Earlier(f"{variable.name}[{member.index.name}-{lag}]", **sign)


def spell_out(definition: Definition) -> tuple[tuple[Ref, Expr, tuple[Condition, ...]], ...]:
    """Return the rules of a definition as one would write them: (element, expression, where it holds)."""
    expression = definition.expression
    if not isinstance(expression, heads.Component) or not isinstance(expression.args[0], heads.Recursion):
        return ((definition.element, expression, ()),)
    path = expression.args[0]
    running, lower, _ = path.bound
    rules = [(path.element(Integer(k + 1)), first, ()) for k, first in enumerate(path.firsts[path.row])]
    own = next(
        index for index, each in zip(definition.element.indices, path.args[2], strict=True) if each == running
    )
    earlier = {symbol: _earlier_element(path, int(row), own - lag) for symbol, row, lag in path.earlier}
    step = path.steps[path.row].xreplace(earlier).xreplace({running: own})
    return (*rules, (definition.element, step, (Condition(">=", own, lower),)))


def _earlier_element(path: heads.Recursion, row: int, index: Expr) -> Ref:
    """Return the reference to an element of a node of a recursion."""
    variable = path.variables[row]
    return Ref(variable, *(each.xreplace({path.bound[0]: index}) for each in path.args[2]))


def references_in(expr: Expr) -> set[Ref]:
    """Return the references of an expression; those along a recursion have its running index as their subscript."""
    paths = expr.atoms(heads.Recursion)
    found = expr.xreplace({path: S.Zero for path in paths}).atoms(Ref) if paths else expr.atoms(Ref)
    for path in paths:
        running = path.bound[0]
        for ref in references_in(Tuple(*path.firsts, *path.steps)):
            moving = (running if each.has(running) or each.is_Integer else each for each in ref.indices)
            found.add(Ref(ref.variable, *moving))
    return found
