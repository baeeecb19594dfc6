"""The statements of a translated model: node by node, in the order of the program."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from deriver.bugs.elaborate import Elaborated, target_place
from deriver.bugs.expressions import Expressions
from deriver.bugs.families import FAMILIES, NEAREST
from deriver.bugs.formulas import apply_link
from deriver.bugs.names import NameTable
from deriver.bugs.nodes import NodePlan, Site, find_running
from deriver.bugs.pieces import Pieces
from deriver.bugs.plates import Key, Plate, Plates, affine, loop_key
from deriver.bugs.syntax import Relation, Slice
from deriver.bugs.views import Frame, Views
from deriver.language.mistakes import LineMistake, Mistakes, listing, suggest
from deriver.language.printer import statement_text
from deriver.language.rewrite import make_number
from deriver.language.syntax import ArgumentText, RangeText, StatementLine
from deriver.model.expressions import Expression, Reference, Span

Limits = tuple[int, int]


class Statements:
    """Makes the statement lines; mistakes are recorded, each with the relation's place."""

    def __init__(
        self, found: Elaborated, plates: Plates, names: NameTable, plans: dict[str, NodePlan], views: Views,
        mistakes: Mistakes,
    ) -> None:  # fmt: skip
        self.found, self.plates, self.names, self.plans = found, plates, names, plans
        self.views, self.mistakes = views, mistakes
        self.lines: list[StatementLine] = []
        self.spans: list[Span] = []
        self.responses: dict[str, np.ndarray] = {}
        self.sites: dict[str, Site] = {}
        self.expressions = Expressions(found, plates, views, plans, self.new_index)
        self._extra: dict[Key, Plate] = {}
        self._check_narrow()
        for plan in plans.values():
            plan.indices = self._index_node(plan)

    # plates and their indices

    def plate(self, key: Key) -> Plate:
        """Return the plate of a class; one for an array that only random quantities index is made here."""
        if key[0] == "data":
            return self._data_plate(key)
        return self.plates.plates[self.plates.root(key)]

    def _data_plate(self, key: Key) -> Plate:
        if self.plates.root(key) not in self.plates.plates:
            extent = self.found.arrays[str(key[1])].shape[int(str(key[2]))]
            same = [p for p in self.plates.plates.values() if p.extent == extent and p.lengths is None]
            plate = same[0] if same else Plate(extent=extent)
            self.plates.plates[self.plates.root(key)] = plate
        return self.plates.plates[self.plates.root(key)]

    def new_index(self, key: Key, taken: tuple[str, ...]) -> str:
        """Return an index of a plate that is none of those taken."""
        plate = self.plate(key)
        for index in plate.indices:
            if index not in taken:
                return index
        wanted = [*plate.wanted[len(plate.indices) :], *plate.wanted, "k"]
        index = self.names.fresh(wanted[0])
        plate.indices.append(index)
        return index

    def _index_node(self, plan: NodePlan) -> tuple[str, ...]:
        if plan.mode == "scalars":
            return ()
        indices: list[str] = []
        for place in range(len(plan.extents)):
            if place not in plan.components:
                indices.append(self.new_index(("place", plan.name, place), tuple(indices)))
        return tuple(indices)

    def _check_narrow(self) -> None:
        """A plate that some statement covers in part only has its size as a number."""
        for relation in self.found.relations:
            for loop in relation.loops:
                values = [counters[loop.variable] for counters in self.found.counts[relation]]
                plate = self.plate(loop_key(relation, loop.variable))
                if min(values) > 1 or max(values) < plate.extent:
                    plate.size = None
        for name, extents in self.found.extents.items():
            for place, extent in enumerate(extents):
                if place not in self.plates.components[name] and extent:
                    plate = self.plate(("place", name, place))
                    constant = any(self._is_fixed(r, place) for r in self.found.relations_of(name))
                    if constant or extent < plate.extent:
                        plate.size = None

    def _is_fixed(self, relation: Relation, place: int) -> bool:
        """Tell whether a left side has a number where other statements may have a loop variable."""
        each = (relation.target.subscripts or ())[place]
        loops = {loop.variable for loop in relation.loops}
        return not isinstance(each, Slice) and affine(each, loops, self.found.arrays) is None

    def ordered_plates(self) -> list[tuple[Key, Plate]]:
        """Return the plates that have indices, parents before the plates within them."""
        used = {id(plate): (root, plate) for root, plate in self.plates.plates.items() if plate.indices}
        return sorted(used.values(), key=lambda pair: pair[1].lengths is not None)

    def upper(self, root: Key, index: str) -> Expression:
        """Return the upper bound of a plate."""
        plate = self.plates.plates[root]
        if plate.lengths is not None and plate.parent is not None:
            parent = self.plates.plates[self.plates.root(plate.parent)].indices[0]
            return Reference(name=self.names.of(plate.lengths), subscripts=(Reference(name=parent),))
        if plate.size is not None:
            return Reference(name=self.names.of(plate.size))
        return make_number(plate.extent)

    # statements

    def state_all(self) -> None:
        """Make the statements of every node."""
        for plan in list(self.plans.values()):
            relations = self.found.relations_of(plan.name)
            try:
                if plan.mode == "pieces":
                    Pieces(self).state(plan, relations)
                    continue
            except LineMistake as stop:
                self.mistakes.add_from(stop)
                continue
            for relation in relations:
                self._state(plan, relation)
            if plan.observed:
                self._respond(plan)

    def _state(self, plan: NodePlan, relation: Relation) -> None:
        try:
            if plan.mode == "scalars":
                place = target_place(relation.target, self.found.arrays, {})
                key = tuple(int(each) + 1 for each in place if not isinstance(each, slice))
                frame = Frame(relation, self.found.counts[relation], {}, {}, ())
                self.add(relation, plan.scalars[key], (), frame, ())
                if relation.stochastic:
                    self.sites[plan.scalars[key]] = Site(plan.name, place)
                return
            frame, limits = self.frame(plan, relation)
            self.add(
                relation, plan.ours, plan.indices, frame, self._ranges(plan, limits), self._at(plan, limits)
            )
            if relation.stochastic and not plan.observed:
                self.sites[plan.ours] = Site(plan.name, self._where(plan))
        except LineMistake as stop:
            self.mistakes.add_from(stop)

    def frame(self, plan: NodePlan, relation: Relation) -> tuple[Frame, list[Limits]]:
        """Return the frame of a relation in terms of the node's indices, and the limits of each."""
        counts = self.found.counts[relation]
        loops = {loop.variable for loop in relation.loops}
        moves: dict[str, tuple[str, int]] = {}
        roots: dict[str, Key] = {}
        limits: list[Limits] = []
        subscripts = [
            each for k, each in enumerate(relation.target.subscripts or ()) if k not in plan.components
        ]
        places = [k for k in range(len(plan.extents)) if k not in plan.components]
        for index, each, place in zip(plan.indices, subscripts, places, strict=True):
            roots[index] = ("place", plan.name, place)
            found = affine(each, loops, self.found.arrays)
            if found is not None and found[0] not in moves:
                moves[found[0]] = (index, found[1])
            values = self._target_values(relation, place)
            limits.append((min(values), max(values)))
        self._check_once(relation, limits, plan)
        table = {}
        if loops - set(moves):
            table = {tuple(counters[variable] for variable in moves): counters for counters in counts}
        return Frame(relation, counts, moves, roots, plan.indices, frozenset(), table), limits

    def _target_values(self, relation: Relation, place: int) -> list[int]:
        values = []
        for counters in self.found.counts[relation]:
            at = target_place(relation.target, self.found.arrays, counters)[place]
            values.append((at if isinstance(at, int) else at.start) + 1)
        return values

    def _check_once(self, relation: Relation, limits: list[Limits], plan: NodePlan) -> None:
        """Every element is stated once, and the elements fill a box or a ragged plate."""
        counts = self.found.counts[relation]
        seen = {str(target_place(relation.target, self.found.arrays, counters)) for counters in counts}
        if len(seen) < len(counts):
            raise LineMistake(
                f"this states the same element of `{plan.name}` more than once", span=relation.target.span,
                code="duplicate", remedy="let every loop variable stand among the subscripts on the left",
            )  # fmt: skip
        box = int(np.prod([high - low + 1 for low, high in limits], dtype=int))
        ragged = any(
            self.plate(("place", plan.name, k)).lengths
            for k in range(len(plan.extents))
            if k not in plan.components
        )
        if len(seen) < box and not ragged and not plan.observed and relation.stochastic:
            raise LineMistake(
                f"the elements of `{plan.name}` that this states do not fill a rectangle",
                span=relation.target.span, code="cover", expected="loops over 1:N, or 1:n[i] within i",
                remedy="number the elements through with one loop, and look their groups up in the data",
            )  # fmt: skip

    def _ranges(self, plan: NodePlan, limits: list[Limits]) -> tuple[RangeText, ...]:
        ranges = []
        places = [k for k in range(len(plan.extents)) if k not in plan.components]
        for index, (low, high), place in zip(plan.indices, limits, places, strict=True):
            plate = self.plate(("place", plan.name, place))
            if plate.lengths is None and (low, high) != (1, plate.extent):
                ranges.append(
                    RangeText(index=Reference(name=index), lower=make_number(low), upper=make_number(high))
                )
        return tuple(ranges)

    def _where(self, plan: NodePlan) -> tuple[int | slice, ...]:
        """Return the part of the BUGS array that our node covers."""
        found: list[int | slice] = []
        for place, extent in enumerate(plan.extents):
            if place in plan.components:
                found.append(slice(0, extent))
                continue
            values = [v for r in self.found.relations_of(plan.name) for v in self._target_values(r, place)]
            found.append(slice(min(values) - 1, max(values)))
        return tuple(found)

    def _respond(self, plan: NodePlan) -> None:
        data = self.found.arrays[plan.name]
        if data.ndim != len(plan.extents):
            return
        stated = np.full(data.shape, np.nan)
        for relation in self.found.relations_of(plan.name):
            for counters in self.found.counts[relation]:
                place = target_place(relation.target, self.found.arrays, counters)
                stated[place] = data[place]
        self.responses[plan.ours] = stated[self._where(plan)] if plan.extents else stated

    def _at(self, plan: NodePlan, limits: list[Limits]) -> dict[str, int]:
        """Return the index of a first element that stands as a number, for a node computed step by step."""
        place = find_running(self.found, plan.name) if plan.mode == "plain" else None
        if place is None:
            return {}
        low, high = limits[place]
        return {plan.indices[place]: low} if low == high else {}

    # one statement

    def add(
        self, relation: Relation, ours: str, indices: tuple[str, ...], frame: Frame, ranges: tuple[RangeText, ...],
        at: Mapping[str, int] | None = None,
    ) -> None:  # fmt: skip
        """Add the statement of a relation; ``at`` holds the indices that stand as numbers."""
        at = at or {}
        written = (make_number(at[index]) if index in at else Reference(name=index) for index in indices)
        target = Reference(name=ours, subscripts=tuple(written))
        ranges = tuple(each for each in ranges if each.index.name not in at)
        if relation.stochastic:
            line = self._stochastic(relation, target, frame, ranges)
        else:
            line = self._deterministic(relation, target, frame, ranges)
        self.put(line, relation.span)

    def put(self, line: StatementLine, span: Span) -> None:
        """Add a statement that comes from the relation at ``span``."""
        self.lines.append(line)
        self.spans.append(span)

    def _stochastic(
        self, relation: Relation, target: Reference, frame: Frame, ranges: tuple[RangeText, ...]
    ) -> StatementLine:
        name = relation.distribution or ""
        family = FAMILIES.get(name)
        if family is None:
            raise _no_family(relation)
        if len(relation.arguments) != len(family.roles):
            raise LineMistake(
                f"`{name}` has {len(relation.arguments)} arguments", span=relation.span, code="arguments",
                expected=f"{len(family.roles)}: {listing(family.roles, 'and')}",
            )  # fmt: skip
        values = [
            self.expressions.argument(each, frame, role)
            for each, role in zip(relation.arguments, family.roles, strict=True)
        ]
        arguments = tuple(ArgumentText(keyword=word, value=value) for word, value in family.build(*values))
        return StatementLine(
            layer="parameters", target=target, family=family.surface, arguments=arguments, ranges=ranges,
            truncation=self._truncation(relation, frame),
        )  # fmt: skip

    def _truncation(
        self, relation: Relation, frame: Frame
    ) -> tuple[Expression | None, Expression | None] | None:
        bounds = relation.bounds
        if bounds is None:
            return None
        random = any(
            self.expressions.rests_on_nodes(each)
            for each in (*relation.arguments, bounds.lower, bounds.upper)
            if each is not None
        )
        if bounds.word == "C" or bounds.word == "I" and random:
            raise LineMistake(
                f"`{bounds.word}(,)` means censoring here", span=bounds.span, code="censoring",
                expected="T(lower, upper) for a truncation",
                remedy="write T(,) if the distribution is truncated; for censored data state the probability of "
                "what was seen, as zero ~ dpois(lambda * pow(c, v)) with zero = 0 for a Weibull time beyond c",
            )  # fmt: skip
        low, high = (
            None if each is None else self.expressions.term(each, frame)
            for each in (bounds.lower, bounds.upper)
        )
        return low, high

    def _deterministic(
        self, relation: Relation, target: Reference, frame: Frame, ranges: tuple[RangeText, ...]
    ) -> StatementLine:
        assert relation.expression is not None
        value = self.expressions.term(relation.expression, frame)
        transform = relation.link if relation.link in ("log", "logit") else None
        value = apply_link(relation.link, value) if transform is None else value
        return StatementLine(
            layer="parameters", target=target, transform=transform, expression=value, ranges=ranges
        )

    def span_of(self, written: str) -> Span | None:
        """Return where the relation stands from which a line of the translated model comes."""
        for line, span in zip(self.lines, self.spans, strict=True):
            if statement_text(line) in written:
                return span
        return None


def _no_family(relation: Relation) -> LineMistake:
    name = relation.distribution or ""
    known = name in NEAREST
    return LineMistake(
        f"`{name}` has no counterpart here" if known else f"there is no distribution `{name}`",
        span=relation.distribution_span or relation.span, code="family",
        expected=f"one of {', '.join(sorted(FAMILIES))}",
        remedy=f"the nearest that works: {NEAREST[name]}" if known else suggest(name, FAMILIES),
    )  # fmt: skip
