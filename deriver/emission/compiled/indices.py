"""Indices in compiled loops: the position of an element in its array, the loops over plates, conditions.

A loop variable counts from 0; that of the innermost index of a ragged plate counts the flat rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import sympy as sp
from sympy import Expr, Symbol

from deriver.algebra.heads import Condition, Ref
from deriver.emission.compiled.body import Body
from deriver.emission.rows import IndexArray, index_name
from deriver.plan.conditions import narrow
from deriver.plan.layout import Axis, Bound, Quantity, offset, plate_of, unsupported


def positions(body: Body, ref: Ref) -> list[str]:
    """Return the text of the subscripts of an element, one per axis of its array."""
    quantity = body.quantity(ref.name)
    own = body.space.extend(sp.Tuple(s, *b) for s, b in zip(quantity.indices, quantity.ranges, strict=True))
    places = dict(zip(quantity.indices, ref.indices, strict=True))
    found = []
    for axis in own.axes(quantity.indices, as_given=True):
        own.check_nest(axis)
        if axis.is_rows:
            found.append(_row(body, axis, places, dict(own.bounds)))
        else:
            found.append(place_in(body, places[axis.last], own.bounds[axis.last]))
    return found


def place_in(body: Body, index: Expr, bound: Bound) -> str:
    """Return the position of an index along an axis of fixed length that begins at ``bound[0]``."""
    if isinstance(index, Ref) and body.quantity(index.name).kind == "index":
        return _shift(element(body, index), _first_of(body, index) - bound[0])
    if isinstance(index, Ref) and body.space.has_label(index):
        return _shift(f"int({element(body, index)})", -bound[0])  # a class seen, kept with the numbers
    symbol = _loop_symbol(body, index)
    if symbol is None:
        return number(body, index - bound[0])
    if plate_is_ragged(body, symbol):
        return _add(within(body, symbol), index - symbol - bound[0] + body.layouts[symbol][0], body)
    return _add(body.loops[symbol], index - symbol + body.space.bounds[symbol][0] - bound[0], body)


def _loop_symbol(body: Body, index: Expr) -> Symbol | None:
    """Return the loop index that an index moves with (i in i + 1), or None when it stays."""
    bare = index.xreplace(dict.fromkeys(index.atoms(Ref), sp.S.Zero))
    found = [s for s in bare.free_symbols if s in body.loops]
    if not found:
        return None
    if len(found) > 1 or sp.expand(index - found[0]).has(found[0]):
        raise unsupported(f"the index {index}", "use the numpy backend")
    return found[0]


def _first_of(body: Body, column: Ref) -> Expr:
    """Return the first value of the plate into which a group column points (it holds positions from 0)."""
    return body.declared[body.quantity(column.name).plate][0]


def _shift(text: str, by: Expr) -> str:
    by = sp.expand(by)
    if by == 0:
        return text
    if not by.is_Integer:
        raise unsupported(f"an index moved by {by}", "use the numpy backend")
    if text.isdigit():
        return str(int(text) + int(by))
    return f"{text} + {by}" if by > 0 else f"{text} - {-by}"


def _add(text: str, by: Expr, body: Body) -> str:
    by = sp.expand(by)
    return _shift(text, by) if by.is_Integer else f"{text} + {number(body, by)}"


def number(body: Body, expr: Expr) -> str:
    """Return the text of a whole number made of sizes and numbers."""
    from deriver.emission.compiled.scalars import scalar

    return scalar(body, sp.expand(expr)).text


def element(body: Body, ref: Ref) -> str:
    """Return the text of an element of a number-valued array, unpacked under its own name."""
    quantity = body.quantity(ref.name)
    if not quantity.indices:
        source = f"{quantity.prefix}{quantity.name}"
        return body.alias(quantity.name, f"{source}[0]" if quantity.chain else source)
    base = body.alias(quantity.name, f"{quantity.prefix}{quantity.name}")
    return f"{base}[{', '.join(positions(body, ref))}]"


def plain_size(expr: Expr) -> str:
    """Return a size as it stands in ``prepare``: names of givens and numbers."""
    rules = {ref: sp.Symbol(ref.name) for ref in expr.atoms(Ref)}
    return str(expr.xreplace(rules))


# --- rows of ragged plates ----------------------------------------------------------------------------------


def plate_is_ragged(body: Body, symbol: Symbol) -> bool:
    """Tell whether the declared length of an index's plate depends on other indices."""
    return any(type(s) is Symbol for end in body.declared[plate_of(symbol)] for s in _own_symbols(end))


def _own_symbols(end: Expr) -> set[Symbol]:
    return {index for ref in end.atoms(Ref) for index in ref.indices for index in index.free_symbols}


def first_rows(body: Body, symbol: Symbol, bound: Bound) -> str:
    """Return the array of the first flat row of each group, one longer than the groups, for rows of a range."""
    plate = plate_of(symbol)
    lengths = sp.expand(bound[1] - bound[0] + 1)
    refs = [ref for ref in lengths.atoms(Ref) if ref.indices]
    extra = offset(lengths, refs[0]) if len(refs) == 1 else None
    if extra is None:
        raise unsupported(f"the ragged plate {plate}", "use the numpy backend")
    declared = body.declared[plate]
    usual = offset(bound[0], declared[0]) == 0 and extra == offset(*_generic_lengths(declared))
    name = f"first_{plate}" if usual else f"first_{plate}_from_{str(bound[0]).replace('-', 'minus_')}"
    shown = (
        refs[0].name
        if extra == 0
        else f"{refs[0].name} + {extra}"
        if extra > 0
        else f"{refs[0].name} - {-extra}"
    )
    code = f"np.concatenate(([0], np.cumsum({shown})))"
    comment = f"the first row {plate} of each group, from 0, and the number of rows"
    body.needs.arrays.setdefault(name, IndexArray(name=name, code=code, comment=comment))
    return body.alias(name, f"data.{name}")


def _generic_lengths(bound: Bound) -> tuple[Expr, Expr]:
    """Return the length of a range and the group size in it, whose difference is a number."""
    lengths = sp.expand(bound[1] - bound[0] + 1)
    return lengths, next(ref for ref in lengths.atoms(Ref) if ref.indices)


def _row(body: Body, axis: Axis, places: dict[Symbol, Expr], bounds: dict[Symbol, Bound]) -> str:
    """Return the flat row of an element of a ragged plate."""
    last = axis.last
    index = places[last]
    lower, upper = (end.xreplace(places) for end in bounds[last])
    symbol = _loop_symbol(body, index)
    if symbol in body.rows and index == symbol and body.layouts.get(symbol) == (lower, upper):
        return body.rows[symbol]
    if symbol is not None and body.layouts.get(symbol) == (lower, upper):
        return _shift(body.loops[symbol], index - symbol)
    first = first_rows(body, last, (lower, upper))
    (size,) = [ref for ref in (upper - lower).atoms(Ref) if ref.indices]
    inside = place_in(body, index, (lower, lower))
    start = f"{first}[{', '.join(positions(body, size))}]"
    return start if inside == "0" else f"{start} + {inside}"


def within(body: Body, symbol: Symbol) -> str:
    """Return the place of a flat row within its group, from 0."""
    first = first_rows(body, symbol, body.layouts[symbol])
    return f"{body.loops[symbol]} - {first}[{_group_of_loop(body, symbol)}]"


def _group_of_loop(body: Body, symbol: Symbol) -> str:
    lower, upper = body.layouts[symbol]
    (size,) = [ref for ref in (upper - lower).atoms(Ref) if ref.indices]
    return ", ".join(positions(body, size))


# --- loops --------------------------------------------------------------------------------------------------


@contextmanager
def loops(
    body: Body, bounds: Sequence[sp.Tuple], conditions: Sequence[Condition] = (), *, backwards: bool = False
) -> Iterator[None]:
    """Open a loop for each index; conditions narrow the ranges, pick members, or become tests.

    ``backwards`` runs each loop from its end.
    """
    before_space, before_loops, before_layouts = body.space, dict(body.loops), dict(body.layouts)
    space = body.space.extend(bounds)
    members = [c for c in conditions if _is_membership(body, c, bounds)]
    space, rules, tests = narrow(space, [c for c in conditions if c not in members])
    if rules or space.subsets:
        raise unsupported("a sum over chosen members of a plate", "use the numpy backend")
    body.space = space
    try:
        with _open(body, [bound[0] for bound in bounds], members, tests, backwards=backwards):
            yield
    finally:
        body.space, body.loops, body.layouts = before_space, before_loops, before_layouts


def _is_membership(body: Body, condition: Condition, bounds: Sequence[sp.Tuple]) -> bool:
    """Tell whether a condition is g[k] = i for a group column g and an index k that is summed over.

    The classes of a categorical response (y[k] = i) are no such column: whether a row has one is a test.
    """
    if condition.relation != "=":
        return False
    symbols = {bound[0] for bound in bounds}
    sides = (condition.left, condition.right)
    return any(
        isinstance(s, Ref)
        and len(s.indices) == 1
        and s.indices[0] in symbols
        and bool(body.quantity(s.name).plate)
        for s in sides
    )


@contextmanager
def _open(
    body: Body,
    symbols: list[Symbol],
    members: list[Condition],
    tests: list[Condition],
    *,
    backwards: bool,
) -> Iterator[None]:
    if not symbols:
        if tests:
            with body.nested(f"if {' and '.join(condition_text(body, test) for test in tests)}:", ()):
                yield
        else:
            yield
        return
    symbol, *rest = symbols
    own = [m for m in members if any(isinstance(s, Ref) and s.indices == (symbol,) for s in m.args[1:])]
    name = body.fresh(index_name(symbol))
    loop = _members(body, symbol, name, own[0]) if own else _range(body, symbol, name, backwards=backwards)
    with (
        loop,
        _open(body, rest, [m for m in members if m not in own], [*tests, *own[1:]], backwards=backwards),
    ):
        yield
    body.taken.discard(name)


def _layout(body: Body, symbol: Symbol) -> tuple[Bound, int, int]:
    """Return the range whose rows a loop counts, and how many rows it leaves out at each end of a group.

    A loop over a part of the declared range counts the declared rows; any other counts its own.
    """
    lower, upper = body.space.bounds[symbol]
    sizes = [ref for ref in sp.expand(upper).atoms(Ref) if ref.indices]
    own_lower, own_upper = body.declared[plate_of(symbol)]
    generic = [ref for ref in own_upper.atoms(Ref) if ref.indices]
    if len(sizes) == 1 and len(generic) == 1:
        own_upper = own_upper.xreplace({generic[0]: sizes[0]})
        skip, short = offset(lower, own_lower), offset(upper, own_upper)
        if skip is not None and short is not None and skip >= 0 >= short:
            return (own_lower, own_upper), skip, short
    return (lower, upper), 0, 0


@contextmanager
def _range(body: Body, symbol: Symbol, name: str, *, backwards: bool) -> Iterator[None]:
    """for i in range(n), or over the flat rows of a group."""
    lower, upper = body.space.bounds[symbol]
    if plate_is_ragged(body, symbol):
        body.layouts[symbol], skip, short = _layout(body, symbol)
        first = first_rows(body, symbol, body.layouts[symbol])
        group = _group_of_loop(body, symbol)
        start = _shift(f"{first}[{group}]", sp.Integer(skip))
        stop = _shift(f"{first}[{_shift(group, sp.S.One)}]", sp.Integer(short))
        ends = [start, stop]
        if body.streaming:
            with _unsigned(body, symbol, name, start, stop):
                yield
            return
        if backwards:
            ends = [_shift(stop, -sp.S.One), _shift(start, -sp.S.One), "-1"]
    elif backwards:
        ends = [number(body, upper - lower), "-1", "-1"]
    else:
        ends = [number(body, upper - lower + 1)]
    header = f"for {name} in range({', '.join(ends)}):"
    body.loops[symbol] = name
    with body.nested(header, (symbol,)):
        yield


@contextmanager
def _unsigned(body: Body, symbol: Symbol, name: str, start: str, stop: str) -> Iterator[None]:
    """Loop over the rows of a group from 0, numbered without a sign, as a loop that vectorises needs it."""
    first, row, count = (body.fresh(each) for each in ("begin", "row", "k"))
    body.loops[symbol] = name
    body.add(f"{first} = {start}")
    with body.nested(f"for {count} in range({stop} - {first}):", (symbol,)):
        body.add(f"{name} = {first} + {count}")
        body.add(f"{row} = np.uint64({name})")
        body.rows[symbol] = row
        yield
    del body.rows[symbol]


@contextmanager
def _members(body: Body, symbol: Symbol, name: str, condition: Condition) -> Iterator[None]:
    """The rows k with g[k] = i, which lie one after another in an array of their positions."""
    left, right = condition.left, condition.right
    column, group = (left, right) if isinstance(left, Ref) and left.indices == (symbol,) else (right, left)
    quantity = body.quantity(column.name)
    first_plate, last_plate = body.declared[quantity.plate]
    rows, first = f"rows_by_{column.name}", f"first_by_{column.name}"
    size = plain_size(sp.expand(last_plate - first_plate + 1))
    rows_code = f'np.argsort({column.name}, kind="stable")'
    counts = f"np.bincount({column.name}, minlength={size})"
    body.needs.arrays.setdefault(
        rows, IndexArray(name=rows, code=rows_code, comment=f"the rows in the order of {column.name}")
    )
    body.needs.arrays.setdefault(
        first,
        IndexArray(
            name=first,
            code=f"np.concatenate(([0], np.cumsum({counts})))",
            comment=f"where the rows of each {quantity.plate} begin in {rows}",
        ),
    )
    place = place_in(body, group, (first_plate, last_plate))
    starts, order = body.alias(first, f"data.{first}"), body.alias(rows, f"data.{rows}")
    header = f"for {name} in {order}[{starts}[{place}] : {starts}[{_shift(place, sp.S.One)}]]:"
    body.loops[symbol] = name
    with body.nested(header, (symbol,)):
        yield


def condition_text(body: Body, condition: Condition) -> str:
    """Return a test on indices."""
    if condition.relation == "in":
        raise unsupported(f"a test of membership in {condition.right}", "use the numpy backend")
    relation = {"=": "=="}.get(condition.relation, condition.relation)
    left, right = (value_text(body, side) for side in (condition.left, condition.right))
    return f"{left} {relation} {right}"


def value_text(body: Body, index: Expr) -> str:
    """Return the value of an index, as the model counts it."""
    return place_in(body, index, (sp.S.Zero, sp.S.Zero))


def quantity_axes(body: Body, quantity: Quantity) -> tuple[Axis, ...]:
    """Return the axes of an array."""
    own = body.space.extend(sp.Tuple(s, *b) for s, b in zip(quantity.indices, quantity.ranges, strict=True))
    return own.axes(quantity.indices, as_given=True)


def components_first(quantity: Quantity) -> bool:
    """Tell whether an array's components come before its plates, so that loops over a plate can be vectorised.

    So it is for the nodes of the state and for statistics; given arrays stay as they came.
    """
    return bool(quantity.indices and quantity.sides) and (
        quantity.chain or quantity.kind in ("statistic", "rest")
    )
