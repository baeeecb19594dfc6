"""Products over parts of what is not known, ``prod(phi[t:(j-1)])``, factor by factor.

A product of which the loops around it change the length is written out for each of their values: the array that it defines is
taken apart along the places where they stand, ``pr[1,2]`` as ``pr.1.2``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from deriver.bugs.censoring import Arrays
from deriver.bugs.elaborate import Elaborated
from deriver.bugs.elements import MOST_ELEMENTS, CannotSplit, Elements
from deriver.bugs.syntax import Apply, Name, Program, Relation, Slice, Term, names_in, parts


def rewrite_products(program: Program, found: Elaborated) -> tuple[Program, Arrays] | None:
    """Return the program with such products written out, and its data; None if there are none."""
    places: dict[str, tuple[int, ...]] = {}
    some = False
    for relation in found.relations:
        slices = [each for term in relation.terms() for each in _slices(term, found)]
        some = some or bool(slices)
        moving = {n.name for each in slices for n in names_in(each)}
        moving &= {loop.variable for loop in relation.loops}
        if moving and (relation.stochastic or not _take_apart(relation, moving, found, places)):
            return None
    if not some:
        return None
    _take_apart_circles(found, places)
    if any(name in found.arrays for name in places):
        return None
    apart = Elements(found, places)
    try:
        model = tuple(apart.rewrite(program.model))
    except CannotSplit:
        return None
    arrays = {name: array for name, array in found.arrays.items() if name in found.given}
    elements = {**program.elements, **apart.names}
    return dataclasses.replace(program, model=model, elements=elements), arrays


def _slices(term: Term, found: Elaborated) -> Iterator[Slice]:
    """Yield the slices of arrays that are not known, below ``prod``."""
    if isinstance(term, Apply) and term.function == "prod":
        for name in (each for inner in term.arguments for each in names_in(inner)):
            if found.is_node(name.name):
                yield from (each for each in name.subscripts or () if isinstance(each, Slice))
    for each in parts(term):
        yield from _slices(each, found)


def _take_apart(
    relation: Relation, moving: set[str], found: Elaborated, places: dict[str, tuple[int, ...]]
) -> bool:
    """Note along which places what a relation defines is taken apart; tell whether it can be."""
    name, subscripts = relation.target.name, relation.target.subscripts or ()
    apart = {k for k, each in enumerate(subscripts) if any(n.name in moving for n in names_in(each))}
    seen = {n.name for k in apart for n in names_in(subscripts[k]) if isinstance(subscripts[k], Name)}
    if not moving <= seen or any(found.extents[name][k] > MOST_ELEMENTS for k in apart):
        return False
    places[name] = tuple(sorted(apart | set(places.get(name, ()))))
    return True


def _take_apart_circles(found: Elaborated, places: dict[str, tuple[int, ...]]) -> None:
    """Note the places of what depends on these arrays, and they on it: ``z[i,t]`` drawn by a product of ``1 - z[i,1:(t-1)]``."""
    reads: dict[str, set[str]] = {}
    for relation in found.relations:
        names = {each.name for term in relation.terms() for each in names_in(term)}
        reads.setdefault(relation.target.name, set()).update(names & found.extents.keys())
    below = {name: _reach(name, reads) for name in reads}
    feeding = {
        n for relation in found.relations if relation.stochastic for n in below.get(relation.target.name, ())
    }
    defined = {each.target.name for each in found.relations if not each.stochastic}
    circle = {name for start in places for name in below.get(start, ()) if start in below.get(name, ())}
    wanted = circle | (feeding & defined if circle else set())
    moved = True
    while moved:
        moved = False
        for relation in found.relations:
            standing = [n for term in (relation.target, *relation.terms()) for n in names_in(term)]
            moving = {
                n.name
                for each in standing
                for k in places.get(each.name, ())
                for n in names_in((each.subscripts or ())[k])
            }
            moving &= {loop.variable for loop in relation.loops}
            for each in standing:
                at_all = each.name in circle or each is relation.target
                if each.name in wanted and at_all and each.subscripts:
                    apart = {
                        k for k, s in enumerate(each.subscripts) if any(n.name in moving for n in names_in(s))
                    }
                    old = set(places.get(each.name, ()))
                    if apart - old:
                        places[each.name], moved = tuple(sorted(apart | old)), True


def _reach(name: str, reads: Mapping[str, set[str]]) -> set[str]:
    """Return all that a name depends on, over any number of steps."""
    found: set[str] = set()
    left = [name]
    while left:
        for each in reads.get(left.pop(), set()) - found:
            found.add(each)
            left.append(each)
    return found
