"""Nodes of which some elements are defined and others drawn: a sum of pieces, each times its mask.

The drawn elements are nodes over plates of their own, or scalars; the whole node is a deterministic one.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from deriver.bugs.elaborate import Counters, target_place
from deriver.bugs.formulas import apply_link, binary
from deriver.bugs.nodes import NodePlan, Site
from deriver.bugs.plates import Key, Plate
from deriver.bugs.syntax import Name, Relation, names_in
from deriver.bugs.views import Frame
from deriver.language.mistakes import LineMistake
from deriver.language.rewrite import make_number
from deriver.language.syntax import StatementLine
from deriver.model.expressions import Expression, Reference

if TYPE_CHECKING:
    from deriver.bugs.statements import Statements

Limits = tuple[int, int]
Piece = tuple[Expression, Expression]
COUNTED = ("dbern", "dbin", "dbinom", "dpois", "dnegbin", "dgeom", "dgeometric", "dbetabin")


class Pieces:
    """States such nodes among the statements of ``home``."""

    def __init__(self, home: Statements) -> None:
        self.home = home

    def state(self, plan: NodePlan, relations: list[Relation]) -> None:
        """State a node of which some elements are defined and others drawn: a sum of its pieces, each by its mask."""
        if plan.observed or plan.components:
            raise LineMistake(
                f"`{plan.name}` is defined in one place and drawn or observed in another",
                span=relations[-1].target.span, code="pieces", remedy="give each part a name of its own",
            )  # fmt: skip
        for relation in relations:
            if relation.stochastic and not relation.loops:
                place = target_place(relation.target, self.home.found.arrays, {})
                key = tuple(int(each) + 1 for each in place if not isinstance(each, slice))
                plan.scalars[key] = self.home.names.fresh("_".join([plan.name, *map(str, key)]))
        self._check(plan, relations)
        fixed = np.zeros(self._sizes(plan))
        pieces: list[Piece] = []
        for number, relation in enumerate(relations):
            piece = self._piece(plan, relation, fixed, number)
            pieces += [piece] if piece is not None else []
        indices = tuple(Reference(name=index) for index in plan.indices)
        start: list[Expression] = []
        if fixed.any():
            given = self.home.views.add(f"{plan.name}_fixed", plan.indices, fixed)
            start = [Reference(name=given.name, subscripts=indices)]
        nested = len(pieces) > 1 and not self._is_probability(plan) and self._is_counted(plan.name, set())
        value = _nest(pieces, start) if nested else _add(pieces, start)
        target = Reference(name=plan.ours, subscripts=indices)
        self.home.put(StatementLine(layer="parameters", target=target, expression=value), relations[0].span)

    def _check(self, plan: NodePlan, relations: list[Relation]) -> None:
        """Each element of a node in pieces is stated once."""
        covered = np.zeros(plan.extents, dtype=bool)
        for relation in relations:
            for counters in self.home.found.counts[relation]:
                place = target_place(relation.target, self.home.found.arrays, counters)
                if covered[place]:
                    where = ",".join(str(int(each) + 1) for each in place if not isinstance(each, slice))
                    raise LineMistake(
                        f"`{plan.name}[{where}]` is stated twice", span=relation.target.span, code="duplicate",
                        remedy="remove one of the statements",
                    )  # fmt: skip
                covered[place] = True

    def _piece(self, plan: NodePlan, relation: Relation, fixed: np.ndarray, number: int) -> Piece | None:
        frame, limits = self.home.frame(plan, relation)
        mask = np.zeros(self._sizes(plan))
        for counters in frame.counts:
            mask[target_place(relation.target, self.home.found.arrays, counters)] = 1
        indices = tuple(Reference(name=index) for index in plan.indices)
        if relation.stochastic:
            part = self._drawn_piece(plan, relation, limits, indices)
        else:
            assert relation.expression is not None
            values = self.home.expressions.data_only(relation.expression, frame)
            if values is not None and relation.link is None:
                for counters, value in zip(frame.counts, values, strict=True):
                    fixed[target_place(relation.target, self.home.found.arrays, counters)] = value
                return None
            masked = dataclasses.replace(frame, masked=True)
            part = apply_link(relation.link, self.home.expressions.term(relation.expression, masked))
        given = self.home.views.add(f"{plan.name}_is_{number + 1}", plan.indices, mask)
        if self._is_probability(
            plan
        ):  # the log of a sum of terms, not a sum of logs of which some are undefined
            given.roles.add("weight")
        return Reference(name=given.name, subscripts=indices), part

    def _is_counted(self, name: str, seen: set[str]) -> bool:
        """Tell whether a discrete quantity rests on a node, whose log it may take: a log of what no row has is undefined."""
        seen.add(name)
        for relation in self.home.found.relations:
            if any(each.name == name for term in relation.terms() for each in names_in(term)):
                if relation.distribution in COUNTED:
                    return True
                below = relation.target.name
                if not relation.stochastic and below not in seen and self._is_counted(below, seen):
                    return True
        return False

    def _sizes(self, plan: NodePlan) -> tuple[int, ...]:
        """Return the extents of the plates on which a node stands; elements that no statement gives are 0."""
        return tuple(
            self.home.plate(("place", plan.name, place)).extent for place in range(len(plan.extents))
        )

    def _is_probability(self, plan: NodePlan) -> bool:
        """Tell whether rows of a node are the probabilities of a categorical or multinomial one."""
        return any(
            isinstance(row, Name) and row.name == plan.name
            for relation in self.home.found.relations
            if relation.distribution in ("dcat", "dmulti", "dmultinom")
            for row in relation.arguments[:1]
        )

    def _drawn_piece(
        self, plan: NodePlan, relation: Relation, limits: list[Limits], indices: tuple[Reference, ...]
    ) -> Expression:
        """State the drawn elements as a node over plates of their own; return it where the whole node stands."""
        if not relation.loops:
            ours = plan.scalars[tuple(low for low, _ in limits)]
            self.home.add(
                relation, ours, (), Frame(relation, self.home.found.counts[relation], {}, {}, ()), ()
            )
            self.home.sites[ours] = Site(plan.name, tuple(low - 1 for low, _ in limits))
            return Reference(name=ours)
        ours = self.home.names.fresh(f"{plan.name}_free")
        own: list[str] = []
        roots: dict[str, Key] = {}
        where: list[Expression] = []
        for index, (low, high), place in zip(plan.indices, limits, range(len(limits)), strict=True):
            root: Key = ("place", plan.name, place)
            if (low, high) == (1, self.home.plate(root).extent):
                own.append(index)
                roots[index] = root
                where.append(Reference(name=index))
                continue
            if low == high:
                continue
            free: Key = ("free", (self.home.plates.root(root), low, high), 0)
            self._free_plate(free, high - low + 1, index)
            fresh = self.home.new_index(free, tuple(own))
            own.append(fresh)
            roots[fresh] = free
            column = np.clip(np.arange(1, self.home.plate(root).extent + 1) - low + 1, 1, high - low + 1)
            given = self.home.views.add(
                f"{plan.name}_{index}_at", (index,), column.astype(float), kind="group", plate=fresh
            )
            where.append(Reference(name=given.name, subscripts=(Reference(name=index),)))
        frame = self._free_frame(plan, relation, limits, own, roots)
        self.home.add(relation, ours, tuple(own), frame, ())
        self.home.sites[ours] = Site(
            plan.name, tuple(slice(a - 1, b) if a != b else a - 1 for a, b in limits)
        )
        return Reference(name=ours, subscripts=tuple(where))

    def _free_plate(self, key: Key, extent: int, index: str) -> None:
        if self.home.plates.root(key) not in self.home.plates.plates:
            self.home.plates.plates[key] = Plate(extent=extent, wanted=[f"{index}_free"])

    def _free_frame(
        self, plan: NodePlan, relation: Relation, limits: list[Limits], own: list[str], roots: dict[str, Key]
    ) -> Frame:
        frame, _ = self.home.frame(plan, relation)
        moves: dict[str, tuple[str, int]] = {}
        wide = iter(own)
        kept = {}
        for index, (low, high) in zip(plan.indices, limits, strict=True):
            full = index in own
            if full or low != high:
                kept[index] = (next(wide), 0 if full else low - 1)
        for variable, (index, step) in frame.moves.items():
            if index in kept:
                fresh, shift = kept[index]
                moves[variable] = (fresh, step - shift)
        constant: Counters = {
            variable: frame.counts[0][variable] for variable in frame.moves if variable not in moves
        }
        table = {}
        if constant:
            table = {tuple(c[v] for v in moves): c for c in frame.counts}
        return Frame(relation, frame.counts, moves, roots, tuple(own), frozenset(), table)


def _add(pieces: list[Piece], start: list[Expression]) -> Expression:
    """Return the sum of pieces, each times its mask."""
    terms = [*start, *(binary("*", mask, part) for mask, part in pieces)]
    value = terms[0] if terms else make_number(0)
    for each in terms[1:]:
        value = binary("+", value, each)
    return value


def _nest(pieces: list[Piece], start: list[Expression]) -> Expression:
    """Return a piece where its mask is 1, and the others where it is 0: any values of the masks give one of the pieces."""
    *first, (mask, last) = pieces
    value = _choose(mask, last, start[0]) if start else last
    for each, part in reversed(first):
        value = _choose(each, part, value)
    return value


def _choose(mask: Expression, on: Expression, off: Expression) -> Expression:
    rest = binary("*", binary("-", make_number(1), mask), off)
    return binary("+", binary("*", mask, on), rest)
