"""Definitions that recur on whole rows, or on quantities that are drawn for each step, element by element.

``pi[k,t,s] <- inprod(pi[k,t-1,], Lambda[k,t,,s])`` is a vector computed step by step: each component becomes a series of its
own, ``pi.1[k,t]``, ``pi.2[k,t]``, ..., and a table that several definitions make up, as Lambda, one name for each entry, of
which those that are 0 are left out.  ``p[j] <- r[j] * (1 - r[j-1]) * p[j-1] / r[j-1]`` with ``r[j] ~ dbeta(...)`` becomes
one definition for each j.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from deriver.bugs.censoring import Arrays
from deriver.bugs.elaborate import Elaborated
from deriver.bugs.elements import MOST_ELEMENTS, CannotSplit, Elements
from deriver.bugs.plates import affine
from deriver.bugs.syntax import Name, Program, Relation, Slice, Term, names_in


def rewrite_series(program: Program, found: Elaborated) -> tuple[Program, Arrays] | None:
    """Return the program with such definitions element by element, and its data; None if there are none."""
    places: dict[str, tuple[int, ...]] = {}
    for name in found.extents:
        own = _find_places(name, found)
        if own:
            places[name] = own
    if not places:
        return None
    places |= _find_tables(places, found)
    apart = Elements(found, places)
    try:
        model = tuple(apart.rewrite(program.model))
    except CannotSplit:
        return None
    arrays = {name: array for name, array in found.arrays.items() if name in found.given}
    elements = {**program.elements, **apart.names}
    return dataclasses.replace(program, model=model, elements=elements), arrays


def _find_places(name: str, found: Elaborated) -> tuple[int, ...]:
    """Return the places along which a definition that recurs is taken apart; none for one that is plain."""
    own = found.relations_of(name)
    if name in found.arrays or any(each.stochastic for each in own):
        return ()
    apart: set[int] = set()
    along: set[int] = set()
    for relation in own:
        loops = {loop.variable for loop in relation.loops}
        for other in _names_on_the_right(relation):
            if other.name == name and len(other.subscripts or ()) == len(relation.target.subscripts or ()):
                for place, (to, from_) in enumerate(
                    zip(relation.target.subscripts or (), other.subscripts or (), strict=True)
                ):
                    way = _way(to, from_, loops, found)
                    along |= {place} if way == "along" else set()
                    apart |= {place} if way == "apart" else set()
    if along and _is_drawn_by_step(name, min(along), found, set()):
        apart |= along
    extents = found.extents[name]
    return tuple(sorted(apart)) if all(extents[place] <= MOST_ELEMENTS for place in apart) else ()


def _names_on_the_right(relation: Relation) -> list[Name]:
    return [name for term in relation.terms() for name in names_in(term)]


def _way(to: Term, from_: Term, loops: set[str], found: Elaborated) -> str:
    """Tell how a definition reads another of its elements in one place: the same, an earlier one, or any."""
    if isinstance(to, Slice) or isinstance(from_, Slice):
        return "apart"
    one, two = affine(to, loops, found.arrays), affine(from_, loops, found.arrays)
    if one is not None and two is not None and one[0] == two[0]:
        return "same" if one[1] == two[1] else "along"
    if one is None and two is None:
        return "same" if to == from_ else "apart"
    return "apart" if one is not None and two is not None else "along"


def _is_drawn_by_step(name: str, place: int, found: Elaborated, seen: set[tuple[str, int]]) -> bool:
    """Tell whether the elements of a node along a place rest on quantities that are drawn for each of them."""
    if (name, place) in seen or not found.is_node(name):
        return False
    seen.add((name, place))
    for relation in found.relations_of(name):
        subscripts = relation.target.subscripts or ()
        loops = {loop.variable for loop in relation.loops}
        moving = {each.name for each in names_in(subscripts[place]) if each.name in loops}
        if not moving:
            continue
        if relation.stochastic:
            data = found.arrays.get(name)
            return data is None or bool(np.isnan(data).any())
        for other in _names_on_the_right(relation):
            for position, each in enumerate(other.subscripts or ()):
                if any(inner.name in moving for inner in names_in(each)) and _is_drawn_by_step(
                    other.name, position, found, seen
                ):
                    return True
    return False


def _find_tables(places: dict[str, tuple[int, ...]], found: Elaborated) -> dict[str, tuple[int, ...]]:
    """Return the tables that several definitions make up, and that the definitions of these arrays read."""
    read = {
        other.name
        for name in places
        for relation in found.relations_of(name)
        for other in _names_on_the_right(relation)
    }
    tables = {}
    for name in read - set(places):
        own = found.relations_of(name)
        if len(own) < 2 or name in found.arrays or any(each.stochastic for each in own):
            continue
        apart = tuple(
            place
            for place, extent in enumerate(found.extents[name])
            if 1 < extent <= MOST_ELEMENTS and all(_is_number(each, place, found) for each in own)
        )
        if apart:
            tables[name] = apart
    return tables


def _is_number(relation: Relation, place: int, found: Elaborated) -> bool:
    """Tell whether a left side has a number in one place."""
    loops = {loop.variable for loop in relation.loops}
    each = (relation.target.subscripts or ())[place]
    return not isinstance(each, Slice) and not any(name.name in loops for name in names_in(each))
