"""Reading an element of a quantity: subscripts to slices and gathers, and alignment to the axes of a frame."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import sympy as sp
from sympy import Expr, Symbol

from deriver.algebra.heads import Ref
from deriver.emission.naming import local_name
from deriver.emission.rows import IndexArray, index_name, part_name, range_suffix
from deriver.emission.source import Frame, Source
from deriver.emission.text import outside_brackets, split_arguments
from deriver.plan.layout import Axis, Bound, Quantity, offset, plate_of, unsupported


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A base array, one subscript per base axis with the axis it leaves (None: none), and component axes."""

    base: str
    subscripts: tuple[tuple[str, Axis | None], ...]
    chain: bool
    sides: int

    @property
    def axes(self) -> tuple[Axis, ...]:
        """Return the axes that remain, in the order of the array."""
        return tuple(axis for _, axis in self.subscripts if axis is not None)


def read_reference(source: Source, ref: Ref, positions: tuple[Expr, ...] = ()) -> Reading:
    """Return how an element is read; ``positions`` (1-based) pick components of a vector or matrix."""
    quantity = source.quantity(ref.name)
    unnamed = quantity.name not in source.taken or (
        ref.name not in source.defined and local_name(ref.name) != ref.name
    )
    if quantity.kind == "deterministic" and unnamed:
        source.define(quantity.name)
        quantity = source.quantity(ref.name)
    pairs = list(zip(ref.indices, quantity.indices, quantity.ranges, strict=True))
    subscripts: list[tuple[str, Axis | None]] = []
    for group in _slots(source, quantity):
        if len(group) == 1:
            index, _, bound = pairs[group[0]]
            subscripts.append(dense_subscript(source, index, bound, quantity.confined))
        else:
            subscripts.append(_rows(source, [pairs[k] for k in group], quantity.confined))
    for position, side in zip(positions, quantity.sides, strict=False):
        subscripts.append(dense_subscript(source, position, (sp.Integer(1), side)))
    text = base_text(source, quantity)
    sides = len(quantity.sides) - len(positions)
    paired = tuple(pair(source, subscripts))
    return Reading(base=text, subscripts=paired, chain=quantity.chain, sides=sides)


def base_text(source: Source, quantity: Quantity) -> str:
    """Return the name of an array; a given or statistic stands under ``data.`` outside ``prepare``."""
    return source.data + quantity.name if quantity.prefix == "data." else quantity.text


def _slots(source: Source, quantity: Quantity) -> list[list[int]]:
    """Return the positions of the indices that share each axis of a quantity."""
    own = source.space.extend(
        sp.Tuple(symbol, *bound) for symbol, bound in zip(quantity.indices, quantity.ranges, strict=True)
    )
    axes = own.axes(quantity.indices, as_given=True)
    for axis in axes:
        own.check_nest(axis)
    return [[quantity.indices.index(symbol) for symbol in axis.indices] for axis in axes]


def _single(symbol: Symbol) -> Axis:
    return Axis(indices=(symbol,))


def dense_subscript(
    source: Source, index: Expr, bound: Bound, confined: tuple[Symbol, ...] = ()
) -> tuple[str, Axis | None]:
    """Return the subscript of a plate of fixed length."""
    space = source.space
    symbol = next((s for s in sp.ordered(index.free_symbols) if s in space.bounds), None)
    if isinstance(index, Ref) and source.quantity(index.name).plate:
        return _gather(source, index, bound)
    if any(source.quantity(ref.name).chain for ref in index.atoms(Ref)):
        raise unsupported(
            f"the subscript {index}, which is drawn",
            "write a sum over the plate, each term times is_positive(...)",
        )
    if symbol is None:
        return str(_place(source, index, bound)), None
    shift = offset(index, symbol)
    if shift is None:
        raise unsupported(
            f"the subscript {index}", "subscripts are an index, an index and a number, or a group"
        )
    if symbol in confined:
        return ":", _single(symbol)
    if symbol in space.subsets:
        subset = base_text(source, source.quantity(space.subsets[symbol]))
        place = offset(source.declared[plate_of(symbol)][0] + shift, bound[0])
        if place is None:
            raise unsupported(f"the subset of {symbol.name} in another range", "use a group column")
        return moved(subset, place), _single(symbol)
    lower, upper = space.bounds[symbol]
    first, last = offset(lower + shift, bound[0]), offset(upper + shift, bound[1])
    if first is None or last is None or first < 0 or last > 0:
        return _by_positions(source, symbol, shift, bound)
    start, stop = (str(first) if first else ""), (str(last) if last else "")
    return (f"{start}:{stop}", _single(symbol))


def _by_positions(source: Source, symbol: Symbol, shift: int, bound: Bound) -> tuple[str, Axis]:
    from deriver.emission.printer import print_size

    lower, upper = source.space.bounds[symbol]
    if source.space.parents(symbol):
        raise unsupported(f"the ragged index {symbol.name} into another range", "use a plate of its own")
    first = print_size(source, lower + shift - bound[0])
    last = print_size(source, upper + shift - bound[0] + 1)
    return slice_text("" if first == "0" else first, last), _single(symbol)


def slice_text(start: str, stop: str) -> str:
    """Return ``start:stop``, set apart as ruff does where an end is more than a name or number."""
    if all(end.lstrip("-").isalnum() or not end for end in (start, stop)):
        return f"{start}:{stop}"
    return f"{start} : {stop}".strip()


def _place(source: Source, index: Expr, bound: Bound) -> str:
    from deriver.emission.printer import print_size

    from_first = offset(index, bound[0])
    if from_first is not None:
        return str(from_first)
    from_last = offset(index, bound[1])
    if from_last is not None:
        return str(from_last - 1)
    return print_size(source, index - bound[0])


def _gather(source: Source, index: Ref, bound: Bound) -> tuple[str, Axis | None]:
    """Return the subscript β[g[k]]: the group column on its own single axis, counted from where β starts."""
    reading = read_reference(source, index)
    if len(reading.axes) > 1 or reading.chain:
        raise unsupported(f"the group column {index}", "give a group column one index")
    column = subscripted(reading.base, [text for text, _ in reading.subscripts])
    text = moved(column, group_shift(source, index, bound[0]))
    return text, (reading.axes[0] if reading.axes else None)


def group_shift(source: Source, column: Ref, first: Expr) -> int:
    """Return what is added to a group column, which counts its plate from 0, to count from ``first``."""
    plate = source.quantity(column.name).plate
    shift = offset(source.declared[plate][0], first)
    if shift is None:
        raise unsupported(
            f"the group column {column} into values from {first}", "start both where a number tells"
        )
    return shift


def moved(text: str, shift: int) -> str:
    """Return the text of positions moved by a number."""
    return f"{text} + {shift}" if shift > 0 else f"{text} - {-shift}" if shift < 0 else text


# --- rows of ragged plates --------------------------------------------------------------------------------


def _rows(
    source: Source, slots: list[tuple[Expr, Symbol, Bound]], held: tuple[Symbol, ...]
) -> tuple[str, Axis | None]:
    """Return the subscript of an axis of rows."""
    *outer, (index, own, bound) = slots
    rules = {symbol: value for value, symbol, _ in outer}
    bound = (bound[0].xreplace(rules), bound[1].xreplace(rules))
    if not all(isinstance(value, Symbol) and value in source.space.bounds for value, _, _ in outer):
        raise unsupported("a ragged quantity read at another index than its own", "use group columns")
    outer_axis = Axis(indices=tuple(value for value, _, _ in outer))
    confined = any(symbol in source.space.subsets for symbol in (*outer_axis.indices, *index.free_symbols))
    if confined:
        return _confined_rows(source, index, own, bound, outer_axis, held)
    symbol = next((s for s in sp.ordered(index.free_symbols) if s in source.space.bounds), None)
    if symbol is None:
        return _row_at_end(source, index, own, bound, outer_axis)
    shift = offset(index, symbol)
    lower, upper = source.space.bounds[symbol]
    first, last = offset(lower + (shift or 0), bound[0]), offset(upper + (shift or 0), bound[1])
    axis = Axis(indices=(*outer_axis.indices, symbol))
    if first == 0 and last == 0:
        return ":", axis
    if shift is None or first is None or last is None or first < 0 or last > 0:
        raise unsupported(f"the subscript {index} of a ragged plate", "shift an index by a plain number")
    return rows_part(source, own, bound, outer_axis, first, -last), axis


def _confined_rows(
    source: Source, index: Expr, own: Symbol, bound: Bound, outer: Axis, held: tuple[Symbol, ...]
) -> tuple[str, Axis]:
    """Return the rows whose group is in a declared subset."""
    space = source.space
    parent = outer.last
    if len(outer.indices) > 1 or parent not in space.subsets or index in space.subsets:
        raise unsupported("rows over a declared subset of an inner plate", "give the rows a group column")
    if index not in space.bounds or any(
        offset(a, b) != 0 for a, b in zip(space.bounds[index], bound, strict=True)
    ):
        raise unsupported("a part of the rows over a declared subset", "give the rows a group column")
    axis = Axis(indices=(parent, index))
    if parent in held:
        return ":", axis
    return source.data + _rows_in(source, parent, own, bound), axis


def _rows_in(source: Source, parent: Symbol, child: Symbol, bound: Bound) -> str:
    """Return the name of the index array of the rows whose group is in the subset of this scope."""
    subset = source.space.subsets[parent]
    everyone = _all_parent_rows(source, parent, child, bound)
    name = f"{index_name(child)}{_suffix(source, child, bound)}_in_{subset}"
    code = f"np.flatnonzero(np.isin({everyone}, {subset}))"
    comment = f"the rows {index_name(child)} whose {index_name(parent)} is in {subset}"
    _array(source, name, code, comment)
    return name


def parent_rows(source: Source, parent: Symbol, child: Symbol, bound: Bound) -> str:
    """Return the name of the index array parent-of-child for the rows in scope.

    Where the parent is confined to a subset, it holds places in the subset for the rows of its members.
    """
    if parent not in source.space.subsets:
        return _all_parent_rows(source, parent, child, bound)
    if source.space.parents(parent):
        raise unsupported("rows over a declared subset of an inner plate", "give the rows a group column")
    subset = source.space.subsets[parent]
    everyone = _all_parent_rows(source, parent, child, bound)
    rows = _rows_in(source, parent, child, bound)
    name = f"{subset}_of_{index_name(child)}{_suffix(source, child, bound)}"
    order = f"np.argsort({subset})"
    code = f"{order}[np.searchsorted(np.sort({subset}), {everyone}[{rows}])]"
    comment = f"the place in {subset} of the {index_name(parent)} of these rows"
    return _array(source, name, code, comment).removeprefix(source.data)


def _row_at_end(source: Source, index: Expr, own: Symbol, bound: Bound, axis: Axis) -> tuple[str, Axis]:
    from_first, from_last = offset(index, bound[0]), offset(index, bound[1])
    if from_first is None and from_last is None:
        raise unsupported(f"the subscript {index} of a ragged plate", "pin the first or the last of a group")
    end = "first" if from_first is not None else "last"
    shift = from_first if from_first is not None else from_last
    name = f"{index_name(own)}{_suffix(source, own, bound)}_{end}" + (f"_{abs(shift)}" if shift else "")
    lengths = _lengths(source, own, bound)
    start = f"np.cumsum({lengths}) - {wrapped(lengths)}" if end == "first" else f"np.cumsum({lengths}) - 1"
    code = start if not shift else f"{start} {'+' if shift > 0 else '-'} {abs(shift)}"
    comment = f"row of the {end} {index_name(own)} of each {axis.last.name}"
    return _array(source, name, code, comment), axis


def rows_part(source: Source, own: Symbol, bound: Bound, outer: Axis, first: int, last: int) -> str:
    """Return the index array of the rows without the first and last few of each group."""
    suffix = _suffix(source, own, bound)
    name = part_name(index_name(own), suffix, first, last)
    place = _within(source, own, bound, outer)
    parts = [f"{place} >= {first}"] if first else []
    if last:
        lengths = _lengths(source, own, bound)
        parent = _all_parent_rows(source, outer.last, own, bound)
        parts.append(f"{place} < {wrapped(lengths)}[{parent}] - {last}")
    test = parts[0] if len(parts) == 1 else " & ".join(f"({part})" for part in parts)
    what = " and ".join(f"{word} {count}" for word, count in (("first", first), ("last", last)) if count)
    comment = f"rows but the {what} of each {outer.last.name}"
    return _array(source, name, f"np.flatnonzero({test})", comment)


def _within(source: Source, own: Symbol, bound: Bound, outer: Axis) -> str:
    """Return the array of each row's place in its group, from 0; known in ``prepare`` alone."""
    parent = _all_parent_rows(source, outer.last, own, bound)
    lengths = _lengths(source, own, bound)
    name = f"place_{index_name(own)}{_suffix(source, own, bound)}"
    code = f"np.arange({lengths_total(lengths)}) - (np.cumsum({lengths}) - {wrapped(lengths)})[{parent}]"
    _array(source, name, code, "")
    return name


def lengths_total(lengths: str) -> str:
    """Return the number of rows of groups of these lengths."""
    return f"{wrapped(lengths)}.sum()"


def wrapped(text: str) -> str:
    """Return a text in parentheses unless it is a name."""
    return text if text.replace(".", "_").isidentifier() else f"({text})"


def _all_parent_rows(source: Source, parent: Symbol, child: Symbol, bound: Bound) -> str:
    """Return the name (as in ``prepare``) of the index array parent-of-child for rows of this range."""
    suffix = _suffix(source, child, bound)
    name = f"{index_name(parent)}_of_{index_name(child)}{suffix}"
    lengths = _lengths(source, child, bound)
    comment = f"the {index_name(parent)} of each row {index_name(child)}, from 0"
    _array(source, name, f"np.repeat(np.arange({_count(lengths)}), {lengths})", comment)
    return name


def _count(lengths: str) -> str:
    return f"len({lengths})"


def _suffix(source: Source, own: Symbol, bound: Bound) -> str:
    declared = source.declared[plate_of(own)]
    same = tuple(sp.expand(a - b) for a, b in zip(_plain(bound), _plain(declared), strict=True)) == (0, 0)
    return "" if same else range_suffix(_plain(bound), _plain(declared))


def _plain(bound: Bound) -> Bound:
    """Return a bound with the primes of renamed indices taken off."""
    rules = {
        s: Symbol(plate_of(s), integer=True)
        for end in bound
        for s in end.free_symbols
        if type(s) is Symbol and plate_of(s) != s.name
    }
    return (bound[0].xreplace(rules), bound[1].xreplace(rules))


def _lengths(source: Source, own: Symbol, bound: Bound) -> str:
    """Return the text, in ``prepare``, of the number of rows in each group."""
    from deriver.emission.printer import print_size

    lower, upper = _plain(bound)
    inside = source.within(source.space)
    inside.data = ""
    return print_size(inside, sp.expand(upper - lower + 1), per_group=True)


def _array(source: Source, name: str, code: str, comment: str) -> str:
    source.needs.arrays.setdefault(name, IndexArray(name=name, code=code, comment=comment))
    return source.data + name


# --- alignment --------------------------------------------------------------------------------------------


def align(source: Source, reading: Reading, frame: Frame) -> str:
    """Return the text of a reading with the axes of a frame: gathers to rows, None where an axis is missing.

    Leading axes may be left out, as NumPy broadcasts from the right.
    """
    base, subscripts = reading.base, list(reading.subscripts)
    order = [frame_position(axis, frame) for axis in reading.axes]
    if order != sorted(order):
        base, subscripts = _transposed(reading, order)
    slots: list[Slot] = []
    own = iter(subscripts)
    pending = next(own, None)
    for axis in frame.axes:
        while pending is not None and pending[1] is None:
            slots.append(Slot(text=pending[0], kind="number"))
            pending = next(own, None)
        if pending is not None and pending[1] is not None and set(pending[1].indices) <= set(axis.indices):
            gather = "" if pending[1] == axis else _raise(source, pending[1], axis)
            slots.append(Slot(text=pending[0], kind=_kind(pending[0]), gather=gather))
            pending = next(own, None)
        elif slots or reading.chain:
            slots.append(Slot(text="None", kind="new"))
    while pending is not None:
        slots.append(Slot(text=pending[0], kind="number" if pending[1] is None else _kind(pending[0])))
        pending = next(own, None)
    return _finish(base, slots, reading, frame)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One place of a subscript: a slice, an array of positions, a number or None; then a gather to rows.

    A pair of arrays over one axis is one slot, its texts joined by a comma.
    """

    text: str
    kind: str
    gather: str = ""


def _kind(text: str) -> str:
    return "slice" if any(":" in part for part in outside_brackets(text)) else "array"


def _finish(base: str, slots: list[Slot], reading: Reading, frame: Frame) -> str:
    lead = [Slot(text=":", kind="slice")] if reading.chain else []
    extra = frame.sides - reading.sides if slots or reading.chain else 0
    new = [Slot(text="None", kind="new")] * max(extra, 0)
    merged = [
        Slot(text=slot.gather, kind="array") if slot.gather and slot.text == ":" else slot for slot in slots
    ]
    text = take(base, [*lead, *merged, *new])
    if not any(slot.gather and slot.text != ":" for slot in slots):
        return text
    kept = [
        Slot(text=slot.gather, kind="array")
        if slot.gather and slot.text != ":"
        else Slot(text=":", kind="slice")
        for slot in slots
        if slot.kind != "number"
    ]
    return take(text, [*lead, *kept])


def take(base: str, slots: list[Slot]) -> str:
    """Return ``base[slots]``, one array of positions at a time: NumPy would pair several with each other."""
    special = [k for k, slot in enumerate(slots) if slot.kind in ("array", "number")]
    arrays = [k for k in special if slots[k].kind == "array"]
    together = special == list(range(special[0], special[-1] + 1)) if special else True
    if not arrays or (len(arrays) == 1 and together):
        return subscripted(base, [slot.text for slot in slots])
    first = [_whole(slot) if slot.kind == "array" else slot.text for slot in slots if slot.kind != "new"]
    text = subscripted(base, first)
    left = [slot for slot in slots if slot.kind not in ("new", "number")]
    for place, slot in enumerate(left):
        if slot.kind == "array":
            before = [_whole(other) if k > place else ":" for k, other in enumerate(left)]
            text = subscripted(text, [*before[:place], slot.text])
    shape = ["None" if slot.kind == "new" else ":" for slot in slots if slot.kind != "number"]
    return subscripted(text, shape)


def _whole(slot: Slot) -> str:
    return ", ".join(":" for _ in split_arguments(slot.text))


def pair(source: Source, subscripts: list[tuple[str, Axis | None]]) -> list[tuple[str, Axis | None]]:
    """Return subscripts with those over one axis, or over rows and their groups, made one pair of arrays."""
    result = list(subscripts)
    place = 0
    while place < len(result):
        axis = result[place][1]
        other = next((k for k in range(place + 1, len(result)) if _overlap(axis, result[k][1])), None)
        if axis is None or other is None:
            place += 1
            continue
        if any(result[k][1] is not None for k in range(place + 1, other)):
            raise unsupported("two group columns that are not side by side", "put them side by side")
        if other != place + 1:
            raise unsupported("a number between two group columns", "put it first or last")
        wide = max((axis, result[other][1]), key=lambda one: len(one.indices) if one else 0)
        if wide is None or not set(axis.indices) <= set(wide.indices):
            raise unsupported("group columns over two ragged plates", "give the rows a plate of their own")
        texts = [_positions(source, *result[k], wide) for k in (place, other)]
        result[place : other + 1] = [(", ".join(texts), wide)]
    return result


def _overlap(left: Axis | None, right: Axis | None) -> bool:
    return left is not None and right is not None and bool(set(left.indices) & set(right.indices))


def _positions(source: Source, text: str, axis: Axis | None, wide: Axis) -> str:
    """Return a subscript as an array of positions over an axis."""
    from deriver.emission.contraction import axis_length

    assert axis is not None
    gather = "" if axis == wide else _raise(source, axis, wide)
    if text == ":":
        return gather or f"np.arange({axis_length(source, axis)})"
    if _kind(text) == "slice":
        raise unsupported("a part of a plate and a group column over it", "use a plate of its own")
    parts = split_arguments(text)
    return ", ".join(f"{wrapped(part)}[{gather}]" for part in parts) if gather else text


def frame_position(axis: Axis, frame: Frame) -> int:
    """Return where an axis stands in a frame (that of rows which it is raised to, if need be)."""
    for position, other in enumerate(frame.axes):
        if set(axis.indices) <= set(other.indices):
            return position
    raise unsupported(
        "an array over " + ", ".join(s.name for s in axis.indices), "its axes do not fit the expression"
    )


def _transposed(reading: Reading, order: list[int]) -> tuple[str, list[tuple[str, Axis | None]]]:
    """Return the base with its axes put in frame order."""
    slots = [Slot(text=":", kind="slice")] if reading.chain else []
    slots += [Slot(text=s, kind="number" if axis is None else _kind(s)) for s, axis in reading.subscripts]
    base = take(reading.base, slots)
    lead = 1 if reading.chain else 0
    places = sorted(range(len(order)), key=order.__getitem__)
    tail = [lead + len(order) + k for k in range(reading.sides)]
    permutation = [*range(lead), *(lead + place for place in places), *tail]
    axes = [reading.axes[place] for place in places]
    return f"{base}.transpose({', '.join(map(str, permutation))})", [(":", axis) for axis in axes]


def _raise(source: Source, coarse: Axis, fine: Axis) -> str:
    """Return the index array that takes an array over groups to the rows."""
    start, chain = coarse.last, list(fine.indices)
    if coarse.indices != fine.indices[: len(coarse.indices)]:
        raise unsupported("a group that is not the outermost of its rows", "use group columns")
    path = chain[chain.index(start) :]
    text = ""
    for parent, child in pairwise(path):
        name = source.data + parent_rows(source, parent, child, source.space.bounds[child])
        text = name if not text else f"{text}[{name}]"
    return text


def subscripted(base: str, slots: list[str]) -> str:
    """Return ``base[slots]`` with full slices at the end left out."""
    kept = list(slots)
    while kept and kept[-1] == ":":
        kept.pop()
    return f"{base}[{', '.join(kept)}]" if kept else base
