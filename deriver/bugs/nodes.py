"""How each node of a BUGS program is written in the model language.

A node is plain (one statement, or several distributions over ranges that follow each other), a set of scalars (where
the program never moves along it), or made of pieces (where some elements are defined and others drawn).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from deriver.bugs.elaborate import Elaborated, target_place
from deriver.bugs.names import NameTable
from deriver.bugs.plates import Plates, affine
from deriver.bugs.syntax import Name, Relation, Slice, Term, names_in

Mode = Literal["plain", "scalars", "pieces"]


@dataclass(frozen=True, slots=True)
class Site:
    """Which part of a BUGS array one of our nodes is."""

    name: str
    where: tuple[int | slice, ...]


@dataclass(slots=True)
class NodePlan:
    """``indices`` are our indices for the places that are not ``components``; ``scalars`` names by BUGS position."""

    name: str
    ours: str
    extents: tuple[int, ...]
    components: frozenset[int]
    mode: Mode
    observed: bool
    categorical: bool
    indices: tuple[str, ...] = ()
    scalars: dict[tuple[int, ...], str] = field(default_factory=dict)


def plan_nodes(found: Elaborated, plates: Plates, names: NameTable) -> dict[str, NodePlan]:
    """Return the plan of every node, in the order of the program; indices are not yet given."""
    moving = _names_that_move(found)
    plans: dict[str, NodePlan] = {}
    for name, extents in found.extents.items():
        relations = found.relations_of(name)
        components = plates.components[name]
        observed = found.observed(name) is not None
        mode: Mode = "plain"
        if len(extents) > len(components) and name not in moving and not observed:
            mode = "scalars"
        elif _has_pieces(found, relations):
            mode = "pieces"
        plan = NodePlan(
            name=name, ours="" if mode == "scalars" else names.of(name), extents=extents, components=components,
            mode=mode, observed=observed, categorical=all(each.distribution == "dcat" for each in relations),
        )  # fmt: skip
        if mode == "scalars":
            _name_scalars(found, plan, names)
        plans[name] = plan
    return plans


def _has_pieces(found: Elaborated, relations: list[Relation]) -> bool:
    """Tell whether a node is defined in one place and drawn in another; numbers from which it recurs are its starts."""
    definitions = [each for each in relations if not each.stochastic]
    drawn = [each for each in relations if each.stochastic]
    if not definitions or len(relations) < 2:
        return False
    name = relations[0].target.name
    if not drawn and find_running(found, name) is not None:
        return False
    recurs = any(each.name == name for relation in drawn for t in relation.terms() for each in names_in(t))
    numbers = not any(
        found.is_node(each.name) or relation.link
        for relation in definitions
        for term in relation.terms()
        for each in names_in(term)
    )
    return not (recurs and numbers)


def find_running(found: Elaborated, name: str) -> int | None:
    """Return the place along which definitions compute a node from its own earlier elements, None for another node.

    The first elements are stated one by one, and one relation, over a loop, the others.
    """
    relations = found.relations_of(name)
    if len(relations) < 2 or any(each.stochastic for each in relations):
        return None
    group = _recurring_with(found, name)
    rules = [each for each in relations if any(other.name in group for other in _read(each))]
    if len(rules) != 1:
        return None
    (rule,) = rules
    loops = {loop.variable for loop in rule.loops}
    for place, each in enumerate(rule.target.subscripts or ()):
        own = affine(each, loops, found.arrays)
        steps = [
            at[1] - own[1]
            for other in _read(rule) if other.name in group and own is not None
            for subscript in other.subscripts or ()
            if (at := affine(subscript, loops, found.arrays)) is not None and at[0] == own[0]
        ]  # fmt: skip
        if steps and min(steps) < 0 and max(steps) <= 0:
            firsts = [_first(relation, place) for relation in relations if relation is not rule]
            return place if all(firsts) else None
    return None


def _read(relation: Relation) -> Iterator[Name]:
    for term in relation.terms():
        yield from names_in(term)


def _recurring_with(found: Elaborated, name: str) -> set[str]:
    """Return the names that a definition rests on through definitions alone and that rest on it: itself among them."""
    uses = {
        each: {other.name for relation in found.relations_of(each) for other in _read(relation)}
        for each in found.extents
        if not any(relation.stochastic for relation in found.relations_of(each))
    }

    def reach(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            new = uses.get(waiting.pop(), set()) - seen
            seen |= new
            waiting += new
        return seen

    return {other for other in reach(name) if other in uses and name in reach(other)}


def _first(relation: Relation, place: int) -> bool:
    """Tell whether a left side has a number in a place."""
    each = (relation.target.subscripts or ())[place]
    loops = {loop.variable for loop in relation.loops}
    return not isinstance(each, Slice) and not any(name.name in loops for name in names_in(each))


def _name_scalars(found: Elaborated, plan: NodePlan, names: NameTable) -> None:
    if plan.components:
        plan.mode, plan.ours = "plain", names.of(plan.name)
        return
    for relation in found.relations_of(plan.name):
        place = target_place(relation.target, found.arrays, {})
        key = tuple(int(each) + 1 for each in place if not isinstance(each, slice))
        plan.scalars[key] = names.fresh("_".join([plan.name, *map(str, key)]))


def _names_that_move(found: Elaborated) -> set[str]:
    """Return the nodes along which a loop, or a subscript that is not a number, moves anywhere."""
    moving = set()
    for relation in found.relations:
        for name in _all_names(relation.target, *relation.terms()):
            for each in name.subscripts or ():
                if not isinstance(each, Slice) and any(True for _ in _variables(each, found)):
                    moving.add(name.name)
    return moving


def _variables(term: Term, found: Elaborated) -> Iterator[Name]:
    """Yield the names in a subscript that are not numbers of the data."""
    for name in names_in(term):
        known = found.arrays.get(name.name)
        if known is None or known.ndim or found.is_node(name.name):
            yield name


def _all_names(*terms: Term) -> Iterator[Name]:
    for term in terms:
        yield from names_in(term)
