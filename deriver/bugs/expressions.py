"""Expressions of a BUGS program to expressions of the model language.

Input: a term and the ``Frame`` in which it stands.  What rests on the data alone is kept as it is written where our
language has the words for it, and becomes a given with its numbers where it has not.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from deriver.bugs.elaborate import Elaborated, target_place
from deriver.bugs.evaluate import NUMERIC, Unknown, evaluate, positions, whole
from deriver.bugs.formulas import COMPARED, MADE, binary, call, complement, equals, number
from deriver.bugs.nodes import NodePlan
from deriver.bugs.plates import (
    REDUCTIONS,
    Key,
    Plates,
    affine,
    replace_slices,
    whole_subscripts,
)
from deriver.bugs.syntax import Apply, Literal, Minus, Name, Operation, Slice, Term, names_in
from deriver.bugs.views import Frame, Views, has_slice
from deriver.language.mistakes import LineMistake, suggest
from deriver.language.rewrite import make_number
from deriver.model.expressions import (
    Binary,
    Colon,
    Expression,
    MatrixRows,
    Negate,
    Number,
    Reference,
    SumOver,
    Transpose,
)

_SAME = {"exp": "exp", "log": "log", "sqrt": "sqrt", "abs": "abs", "phi": "normal_cdf", "ilogit": "expit",
         "logit": "logit", "loggam": "lgamma", "lgamma": "lgamma", "inverse": "inv", "max": "max",
         "min": "min"}  # fmt: skip
_MOST_TERMS = 30
Pick = tuple[int, Expression, Key]
_REFUSED = {
    "cut": "leave it out: every conditional here is that of the whole model",
    "probit": "write probit(p) <- ... on the left",
    "ranked": "compute it from the draws afterwards",
    "rank": "compute it from the draws afterwards",
    "sort": "compute it from the draws, or give ordered nodes as sums of positive steps",
    "interp.lin": "write the line of each piece out",
    "integral": "compute the integral beforehand",
    "solution": "compute the solution beforehand",
}


class Expressions:
    """Translates expressions; ``plans`` tell how each node is written."""

    def __init__(
        self, found: Elaborated, plates: Plates, views: Views, plans: dict[str, NodePlan],
        new_index: Callable[[Key, tuple[str, ...]], str],
    ) -> None:  # fmt: skip
        self.found, self.plates, self.views, self.plans = found, plates, views, plans
        self.new_index = new_index
        self.role = "real"

    def argument(self, term: Term, frame: Frame, role: str) -> Expression:
        """Return an argument of a distribution; the givens in it are declared as its role needs."""
        self.role = role
        found = self.term(term, frame)
        self.role = "real"
        return found

    def term(self, term: Term, frame: Frame) -> Expression:
        """Return the expression; raises ``LineMistake`` for what our language has no words for."""
        match term:
            case Literal(text=text):
                return number(float(text))
            case Minus(operand=operand):
                return Negate(operand=self.term(operand, frame))
            case Operation(operator=operator, left=left, right=right):
                one, two = self.term(left, frame), self.term(right, frame)
                if operator in COMPARED:
                    return COMPARED[operator](one, two)
                return binary("*" if operator == "%*%" else operator, one, two)
            case Apply():
                return self._apply(term, frame)
            case Name():
                return self._name(term, frame)
        raise LineMistake("a range stands here", span=term.span, code="syntax", expected="a number or a name")

    # names

    def _name(self, term: Name, frame: Frame) -> Expression:
        if term.subscripts is None and term.name in frame.variables():
            if term.name in frame.moves:
                return _shift(*frame.moves[term.name])
            return self._view(term, frame)
        if self.is_latent(term.name):
            return self._node(term, frame)
        if term.name in self.found.arrays:
            return self._data(term, frame)
        known = [*self.found.arrays, *self.found.extents]
        raise LineMistake(
            f"`{term.name}` is neither stated nor among the data", span=term.span, code="undeclared",
            remedy=suggest(term.name, known) or f"add `{term.name}` to the data, or state it",
        )  # fmt: skip

    def is_latent(self, name: str) -> bool:
        """Tell whether a name is a node of which not every element is known."""
        if not self.found.is_node(name):
            return False
        data = self.found.arrays.get(name)
        return data is None or bool(np.isnan(data).any())

    def rests_on_nodes(self, term: Term) -> bool:
        """Tell whether an expression names a node that is not data."""
        return any(self.is_latent(each.name) for each in names_in(term))

    def _data(self, term: Name, frame: Frame) -> Expression:
        subscripts = whole_subscripts(term, self.found) or ()
        full = Name(name=term.name, subscripts=subscripts or None, span=term.span)
        if any(self.rests_on_nodes(each) for each in subscripts):
            return self._select_data(full, frame)
        return self._view(full, frame)

    def _view(self, term: Term, frame: Frame, wanted: str = "") -> Expression:
        indices, array, rank = self.views.evaluate(term, frame)
        named = isinstance(term, Name) and term.name not in frame.variables()
        if array.ndim == 0 and not wanted and not (named and term.subscripts is None):  # type: ignore[attr-defined]
            return number(float(array))
        base = term.name if isinstance(term, Name) else wanted or "value"
        base = f"{base}_data" if self.found.is_node(base) else base
        given = self.views.add(base, indices, array, rank=rank)
        given.roles.add(self.role)
        return Reference(name=given.name, subscripts=tuple(Reference(name=index) for index in indices))

    def _select_data(self, term: Name, frame: Frame) -> Expression:
        """Return data under a subscript that is a random quantity: the array over plates of its own."""
        array = self.found.arrays[term.name]
        subscripts = term.subscripts or ()
        kept = [k for k, each in enumerate(subscripts) if not isinstance(each, Slice)]
        if kept != list(range(len(kept))):
            raise LineMistake(
                "a slice stands before a subscript", span=term.span, code="slice",
                remedy="turn the array round in the data, so that its slices come last",
            )  # fmt: skip
        indices: list[str] = []
        for place in kept:
            indices.append(self.new_index(("data", term.name, place), tuple(indices)))
        given = self.views.add(term.name, tuple(indices), array, rank=array.ndim - len(kept))
        given.roles.add(self.role)
        roots: list[Key] = [("data", term.name, place) for place in kept]
        return self._select(
            given.name, [subscripts[place] for place in kept], roots, frame, term, array.shape
        )

    # nodes

    def _node(self, term: Name, frame: Frame) -> Expression:
        plan = self.plans[term.name]
        subscripts = whole_subscripts(term, self.found) or ()
        if len(subscripts) != len(plan.extents):
            raise LineMistake(
                f"`{term.name}` has {len(subscripts)} subscripts here, and {len(plan.extents)} where it is stated",
                span=term.span, code="subscript",
            )  # fmt: skip
        if plan.mode == "scalars" or plan.scalars and self._key(subscripts) in plan.scalars:
            return self._scalars(term, plan, subscripts)
        self._check_covered(term, plan, subscripts, frame)
        places = [k for k in range(len(subscripts)) if k not in plan.components]
        roots: list[Key] = [("place", term.name, k) for k in places]
        found = self._select(plan.ours, [subscripts[k] for k in places], roots, frame, term, plan.extents)
        return self._component(term, plan, [subscripts[k] for k in sorted(plan.components)], found, frame)

    def _check_covered(self, term: Name, plan: NodePlan, subscripts: tuple[Term, ...], frame: Frame) -> None:
        """Refuse an element of a node in pieces that no statement gives; ends of a dcat row may be left out."""
        covered = self._covered(plan)
        if covered is None or covered.all():
            return
        sliced = any(isinstance(each, Slice) for each in subscripts)
        if sliced and self.role == "simplex":
            return
        full = Name(name=term.name, subscripts=subscripts, span=term.span)
        for counters in frame.counts:
            try:
                there = covered[positions(full, covered.shape, self.found.arrays, counters)]
            except Unknown:
                there = np.array(False)
            if not np.all(there):
                raise LineMistake(
                    f"not every element of `{term.name}` that stands here is stated", span=term.span, code="cover",
                    remedy="state the others, or loop over fewer",
                )  # fmt: skip

    def _covered(self, plan: NodePlan) -> np.ndarray | None:
        """Return which elements of a node in pieces are stated, None for another node."""
        if plan.mode != "pieces":
            return None
        covered = np.zeros(plan.extents, dtype=bool)
        for relation in self.found.relations_of(plan.name):
            for counters in self.found.counts[relation]:
                covered[target_place(relation.target, self.found.arrays, counters)] = True
        return covered

    def _key(self, subscripts: tuple[Term, ...]) -> tuple[int, ...]:
        """Return subscripts that are numbers; nothing if one of them is not."""
        try:
            return tuple(whole(each, self.found.arrays, {}) for each in subscripts)
        except (Unknown, LineMistake):
            return ()

    def _scalars(self, term: Name, plan: NodePlan, subscripts: tuple[Term, ...]) -> Expression:
        limits = []
        for each, extent in zip(subscripts, plan.extents, strict=True):
            if isinstance(each, Slice):
                low = whole(each.lower, self.found.arrays, {}) if each.lower else 1
                high = whole(each.upper, self.found.arrays, {}) if each.upper else extent
                limits.append(list(range(low, high + 1)))
            else:
                limits.append([whole(each, self.found.arrays, {})])
        wide = [values for each, values in zip(subscripts, limits, strict=True) if isinstance(each, Slice)]
        names = np.empty([len(each) for each in limits], dtype=object)
        for position in np.ndindex(names.shape):
            key = tuple(values[k] for values, k in zip(limits, position, strict=True))
            if key not in plan.scalars:
                where = ",".join(map(str, key))
                raise LineMistake(f"`{term.name}[{where}]` is not stated", span=term.span, code="subscript")
            names[position] = Reference(name=plan.scalars[self._original(plan, key)])
        flat = names.reshape([len(each) for each in wide])
        if not wide:
            return flat.item()
        rows = flat.reshape(-1, 1) if len(wide) == 1 else flat
        return MatrixRows(rows=tuple(tuple(row) for row in rows))

    def _original(self, plan: NodePlan, key: tuple[int, ...]) -> tuple[int, ...]:
        """Return the element that an element is a copy of, as S[2,1] <- S[1,2]: a matrix is then seen as symmetric."""
        for relation in self.found.relations_of(plan.name):
            copied = relation.expression
            if relation.link is None and isinstance(copied, Name) and copied.name == plan.name:
                place = target_place(relation.target, self.found.arrays, {})
                original = self._key(copied.subscripts or ())
                here = tuple(int(each) + 1 for each in place if not isinstance(each, slice))
                if here == key and original in plan.scalars:
                    return original
        return key

    def _select(
        self, name: str, subscripts: list[Term], roots: list[Key], frame: Frame, term: Name,
        extents: tuple[int, ...],
    ) -> Expression:  # fmt: skip
        """Return an element; a subscript that is a function of random quantities picks by indicators."""
        written: list[Expression] = []
        picks: list[Pick] = []
        for position, (each, root) in enumerate(zip(subscripts, roots, strict=True)):
            found = self._subscript(each, root, frame, term, extents[position])
            if self.rests_on_nodes(each):  # a categorical node runs over a number of values, not over a size
                self._fix_size(root)
            if isinstance(found, tuple):
                picks.append((position, found[0], root))
                found = make_number(1)
            written.append(found)
        if not picks:
            return Reference(name=name, subscripts=tuple(written))
        numbers = self._stated_numbers(term.name)
        return self._pick(name, tuple(written), picks, (*frame.indices, *frame.roots), numbers)

    def _stated_numbers(self, name: str) -> dict[tuple[int, ...], float]:
        """Return the elements of a definition that are numbers, as P[2] <- 0, by their subscripts.

        Where a drawn subscript picks among elements, a probability that it gates is then seen to be 0.
        """
        found = {}
        for relation in self.found.relations_of(name):
            if relation.loops or relation.link is not None or not isinstance(relation.expression, Literal):
                continue
            place = target_place(relation.target, self.found.arrays, {})
            key = tuple(each + 1 for each in place if not isinstance(each, slice))
            if len(key) == len(place):
                found[key] = float(evaluate(relation.expression, self.found.arrays, {}))
        return found

    def _pick(
        self, name: str, written: tuple[Expression, ...], picks: list[Pick], taken: tuple[str, ...],
        numbers: dict[tuple[int, ...], float],
    ) -> Expression:  # fmt: skip
        """Return a sum over the elements among which the subscripts of ``picks`` choose, each by its indicators.

        ``numbers`` are the elements that are known.
        """
        if not picks:
            key = tuple(int(each.value) if isinstance(each, Number) else 0 for each in written)
            return number(numbers[key]) if key in numbers else Reference(name=name, subscripts=written)
        (position, value, root), *rest = picks

        def element(at: Expression, taken: tuple[str, ...] = taken) -> Expression:
            inner = (*written[:position], at, *written[position + 1 :])
            return self._pick(name, inner, rest, taken, numbers)

        if self._extent(root) == 2:
            second = _less_one(value)
            first = binary("*", complement(second), element(make_number(1)))
            return binary("+", first, binary("*", second, element(make_number(2))))
        index = self.new_index(root, taken)
        body = binary(
            "*", equals(value, Reference(name=index)), element(Reference(name=index), (*taken, index))
        )
        return SumOver(index=index, conditions=(), body=body)

    def _extent(self, root: Key) -> int:
        if root[0] == "data":
            return self.found.arrays[str(root[1])].shape[int(str(root[2]))]
        return self.plates.plates[self.plates.root(root)].extent

    def _subscript(
        self, each: Term, root: Key, frame: Frame, term: Name, extent: int
    ) -> Expression | tuple[Expression]:
        if isinstance(each, Slice):
            self._check_whole(each, root, term)
            self._fix_size(root)
            return Colon()
        if self.rests_on_nodes(each):
            return self._latent_subscript(each, frame)
        found = affine(each, frame.variables(), self.found.arrays)
        if found is not None and found[0] in frame.moves:
            index, shift = frame.moves[found[0]]
            step = shift - found[1]
            partial = extent < self._extent(root) or self._lowest(root) > 1
            outside = frame.masked and (step != 0 or partial)
            if self.plates.root(frame.roots[index]) == self.plates.root(root) and not outside:
                return _shift(index, step)
        indices, array, _ = self.views.evaluate(each, frame)
        if not indices:
            return make_number(int(array))
        plate = self.new_index(root, ())
        array = np.clip(array, self._lowest(root), extent)
        base = (
            each.name if isinstance(each, Name) and each.name not in frame.variables() else f"{term.name}_of"
        )
        given = self.views.add(base, indices, array, kind="group", plate=plate)
        return Reference(name=given.name, subscripts=tuple(Reference(name=index) for index in indices))

    def _lowest(self, root: Key) -> int:
        """Return the first element that is stated of a node along a place; 1 for data."""
        if root[0] != "place":
            return 1
        name, place = str(root[1]), int(str(root[2]))
        found = []
        for relation in self.found.relations_of(name):
            for counters in self.found.counts[relation]:
                at = target_place(relation.target, self.found.arrays, counters)[place]
                found.append(1 + (at.start if isinstance(at, slice) else at))
        return min(found, default=1)

    def _fix_size(self, root: Key) -> None:
        """Write the size of a plate as a number."""
        self.plates.plates[self.plates.root(root)].size = None

    def _latent_subscript(self, each: Term, frame: Frame) -> Expression | tuple[Expression]:
        value = self.term(each, frame)
        if isinstance(each, Name) and self.plans[each.name].categorical:
            return value
        return (value,)

    def _check_whole(self, each: Slice, root: Key, term: Name) -> None:
        low = whole(each.lower, self.found.arrays, {}) if each.lower is not None else 1
        extent = self._extent(root)
        try:
            high = whole(each.upper, self.found.arrays, {}) if each.upper is not None else extent
        except (Unknown, LineMistake):
            high = -1
        padded = low == 1 and self.role == "simplex" and self.plans[term.name].mode == "pieces"
        if (low, high) != (1, extent) and not padded:
            raise LineMistake(
                f"a part of `{term.name}` stands as a vector", span=each.span, code="slice",
                expected=f"the whole of it, 1:{extent}", remedy="give the part a name and a loop of its own",
            )  # fmt: skip

    def _component(
        self, term: Name, plan: NodePlan, subscripts: list[Term], found: Expression, frame: Frame
    ) -> Expression:
        """Return a vector or matrix, or one entry of it."""
        if not subscripts or all(isinstance(each, Slice) for each in subscripts):
            return found
        if any(isinstance(each, Slice) for each in subscripts):
            raise LineMistake(
                f"a row of the matrix `{term.name}`", span=term.span, code="slice",
                remedy="name its entries one by one",
            )  # fmt: skip
        if not any(each.name in frame.variables() for s in subscripts for each in names_in(s)):
            entries = tuple(make_number(whole(each, self.found.arrays, {})) for each in subscripts)
            assert isinstance(found, Reference)
            return Reference(name=found.name, subscripts=(*found.subscripts, *entries))
        extent = plan.extents[max(plan.components)]
        units = [self._unit(each, extent, frame) for each in subscripts]
        if len(units) == 1:
            return binary("*", Transpose(operand=units[0]), found)
        return binary("*", binary("*", Transpose(operand=units[0]), found), units[1])

    def _unit(self, each: Term, extent: int, frame: Frame) -> Expression:
        """Return the unit vector that picks a component."""
        indices, array, _ = self.views.evaluate(each, frame)
        rows = np.clip(array.astype(int) - 1, 0, extent - 1)
        given = self.views.add("unit", indices, np.eye(extent)[rows], rank=1)
        return Reference(name=given.name, subscripts=tuple(Reference(name=index) for index in indices))

    # functions

    def _apply(self, term: Apply, frame: Frame) -> Expression:
        name = term.function
        if name in ("length", "dim", "nrow") and self.rests_on_nodes(term):
            return self._length(term)
        if name in REDUCTIONS and self.rests_on_nodes(term):
            return self._reduce(term, frame)
        if name == "c" and self.rests_on_nodes(term):
            return MatrixRows(rows=tuple((self.term(each, frame),) for each in term.arguments))
        ordinary = name in _SAME or name in MADE
        if ordinary and (self.rests_on_nodes(term) or not has_slice(term)):
            return self._ordinary(term, frame)
        if not self.rests_on_nodes(term) and name in NUMERIC:
            return self._view(term, frame, _word(term))
        if name in _REFUSED or name in NUMERIC:
            raise LineMistake(
                f"`{name}` of random quantities has no counterpart here", span=term.span, code="function",
                remedy=_REFUSED.get(name, "compute it from the draws afterwards"),
            )  # fmt: skip
        raise LineMistake(
            f"there is no function `{name}`", span=term.span, code="function",
            remedy=suggest(name, [*NUMERIC]) or "subscripts stand in square brackets: x[i]",
        )  # fmt: skip

    def _ordinary(self, term: Apply, frame: Frame) -> Expression:
        arguments = [self.term(each, frame) for each in term.arguments]
        if term.function in MADE:
            try:
                return MADE[term.function](*arguments)
            except TypeError:
                raise LineMistake(
                    f"`{term.function}` has {len(arguments)} arguments", span=term.span, code="function"
                ) from None
        if term.function in ("max", "min") and len(arguments) == 1:
            raise LineMistake(
                f"`{term.function}` of a whole array of random quantities", span=term.span, code="function",
                remedy="name its elements, or compute it from the draws afterwards",
            )  # fmt: skip
        return call(_SAME[term.function], *arguments)

    def _length(self, term: Apply) -> Expression:
        inner = term.arguments[0]
        if not isinstance(inner, Name) or inner.subscripts is not None:
            raise LineMistake("the length of this is not known", span=term.span, code="function")
        return number(float(np.prod(self.found.extents[inner.name])))

    # sums over slices

    def _reduce(self, term: Apply, frame: Frame) -> Expression:
        name = term.function
        if self._has_components(term):
            return self._reduce_vector(term, frame)
        if not has_slice(term) and not any(
            whole_subscripts(each, self.found) and each.subscripts is None for each in names_in(term)
        ):
            return self._sum_terms(name, [self.term(each, frame) for each in term.arguments], term)
        if name == "sd":
            return self._deviation(term, frame)
        total, count = self._sum_over(term, frame)
        if name == "mean" and np.isnan(count):
            raise LineMistake(
                "a mean over a part whose length changes", span=term.span, code="function",
                remedy="write sum(...) / n[i], with n among the data",
            )  # fmt: skip
        if name == "mean":
            return binary("/", total, number(count))
        if name == "prod":
            raise LineMistake(
                "`prod` over an array of random quantities", span=term.span, code="function",
                remedy="write it with sum(): prod(x[]) is exp(sum(log(x[])))",
            )  # fmt: skip
        return total

    def _deviation(self, term: Apply, frame: Frame) -> Expression:
        """Return the standard deviation of an array of random quantities."""
        span = term.span
        mean = Apply(function="mean", arguments=term.arguments, span=span)
        gap = Operation(operator="-", left=term.arguments[0], right=mean, span=span)
        square = Apply(function="pow", arguments=(gap, Literal(text="2", span=span)), span=span)
        squares = Apply(function="sum", arguments=(square,), span=span)
        total, count = self._sum_over(squares, frame)
        return call("sqrt", binary("/", total, number(count - 1)))

    def _sum_terms(self, name: str, terms: list[Expression], term: Apply) -> Expression:
        operator = "+" if name in ("sum", "mean") else "*"
        found = terms[0]
        for each in terms[1:]:
            found = binary(operator, found, each)
        return binary("/", found, make_number(len(terms))) if name == "mean" else found

    def _has_components(self, term: Apply) -> bool:
        for name in names_in(term):
            if self.is_latent(name.name):
                plan = self.plans[name.name]
                subscripts = whole_subscripts(name, self.found) or ()
                if plan.mode == "scalars" and any(isinstance(each, Slice) for each in subscripts):
                    return True
                if any(k in plan.components and isinstance(each, Slice) for k, each in enumerate(subscripts)):
                    return True
        return False

    def _reduce_vector(self, term: Apply, frame: Frame) -> Expression:
        vectors = [self.term(each, frame) for each in term.arguments]
        if term.function in ("inprod", "inprod2") and len(vectors) == 2:
            return binary("*", Transpose(operand=vectors[0]), vectors[1])
        if term.function in ("sum", "mean") and len(vectors) == 1 and isinstance(vectors[0], MatrixRows):
            entries = [entry for row in vectors[0].rows for entry in row]
            return self._sum_terms(term.function, entries, term)
        inner = next(each for each in names_in(term) if self.is_latent(each.name))
        plan = self.plans[inner.name]
        if term.function in ("sum", "mean") and len(vectors) == 1 and len(plan.components) == 1:
            extent = make_number(plan.extents[max(plan.components)])
            total = binary("*", Transpose(operand=call("ones", extent)), vectors[0])
            return binary("/", total, extent) if term.function == "mean" else total
        raise LineMistake(
            f"`{term.function}` of a matrix", span=term.span, code="function", remedy="write its terms out"
        )

    def _sum_over(self, term: Apply, frame: Frame) -> tuple[Expression, float]:
        """Return the sum over the slices of random quantities, and how many terms it has."""
        anchor = next(
            each for each in names_in(term)
            if self.is_latent(each.name) and any(
                isinstance(s, Slice) for s in whole_subscripts(each, self.found) or ()
            )
        )  # fmt: skip
        subscripts = whole_subscripts(anchor, self.found) or ()
        slices = [(k, each) for k, each in enumerate(subscripts) if isinstance(each, Slice)]
        names = tuple(f"{anchor.name}[{position}]" for position in range(len(slices)))
        anchors = tuple(each.lower for _, each in slices)
        inner = frame
        count = 1.0
        masks: list[Expression] = []
        for variable, (place, _) in zip(names, slices, strict=True):
            root: Key = ("place", anchor.name, place)
            index = self.new_index(root, (*inner.indices, *inner.roots))
            inner = dataclasses.replace(
                inner, moves={**inner.moves, variable: (index, 0)},
                roots={**inner.roots, index: root}, sums=inner.sums | {variable},
            )  # fmt: skip
        summands = [replace_slices(each, self.found, names, anchors) for each in term.arguments]
        for variable, (place, part) in zip(names, slices, strict=True):
            mask, size = self._mask(part, variable, ("place", anchor.name, place), inner)
            masks += [mask] if mask is not None else []
            count *= size
        body = self.term(summands[0], inner)
        for each in summands[1:]:
            body = binary("*", body, self.term(each, inner))
        for mask in masks:
            body = binary("*", mask, body)
        for variable in reversed(names):
            body = SumOver(index=inner.moves[variable][0], conditions=(), body=body)
        return body, count

    def _mask(self, each: Slice, variable: str, root: Key, frame: Frame) -> tuple[Expression | None, float]:
        """Return 1 for the positions within a slice and 0 outside, None if it is the whole extent."""
        extent = self._extent(root)
        try:
            low = whole(each.lower, self.found.arrays, {}) if each.lower is not None else 1
            high = whole(each.upper, self.found.arrays, {}) if each.upper is not None else extent
            if (low, high) == (1, extent):
                return None, extent
            size = float(high - low + 1)
        except (Unknown, LineMistake):
            size = float("nan")
        counter = Name(name=variable, span=each.span)
        one = Literal(text="1", span=each.span)
        above = Operation(operator=">=", left=counter, right=each.lower or one, span=each.span)
        last = each.upper or Literal(text=str(extent), span=each.span)
        below = Operation(operator="<=", left=counter, right=last, span=each.span)
        inside = Operation(operator="&&", left=above, right=below, span=each.span)
        indices, array, _ = self.views.evaluate(inside, frame)
        given = self.views.add("within", indices, array)
        return Reference(name=given.name, subscripts=tuple(Reference(name=index) for index in indices)), size

    def data_only(self, term: Term, frame: Frame) -> np.ndarray | None:
        """Return the numbers of an expression for each element, None if it rests on nodes."""
        if self.rests_on_nodes(term):
            return None
        try:
            return np.array([evaluate(term, self.found.arrays, counters) for counters in frame.counts])
        except Unknown as missing:
            raise LineMistake(
                f"`{missing}` is not known from the data", span=term.span, code="missing"
            ) from None


def _shift(index: str, step: int) -> Expression:
    """Return the loop variable in terms of our index: variable = index - step."""
    here = Reference(name=index)
    if step == 0:
        return here
    return binary("-" if step > 0 else "+", here, make_number(abs(step)))


def _less_one(value: Expression) -> Expression:
    """Return a number less one, without `+ 1 - 1`."""
    match value:
        case Binary(operator="+", left=left, right=Number(value=one)) if one == 1:
            return left
        case Binary(operator="+", left=Number(value=one), right=right) if one == 1:
            return right
    return binary("-", value, make_number(1))


def _word(term: Apply) -> str:
    names = [each.name for each in names_in(term)]
    return f"{term.function}_{names[0]}" if names else term.function
