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
from deriver.plan.layout import Axis, Bound, Quantity, free_indices, offset, plate_of, unsupported


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
            found.append(_dense(body, places[axis.last], own.bounds[axis.last]))
    return found


def _dense(body: Body, index: Expr, bound: Bound) -> str:
    """Return the position of an index along an axis of fixed length that begins at ``bound[0]``."""
    if isinstance(index, Ref) and body.quantity(index.name).kind == "index":
        return _shift(element(body, index), _first_of(body, index) - bound[0])
    symbol = _loop_symbol(body, index)
    if symbol is None:
        return number(body, index - bound[0])
    if plate_is_ragged(body, symbol):
        return _add(within(body, symbol), index - symbol - bound[0] + body.space.bounds[symbol][0], body)
    return _add(body.loops[symbol], index - symbol + body.space.bounds[symbol][0] - bound[0], body)


def _loop_symbol(body: Body, index: Expr) -> Symbol | None:
    """Return the loop index that an index moves with (i in i + 1), or None when it stays."""
    found = [s for s in index.free_symbols if s in body.loops and free_indices(index, body.space) >= {s}]
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


# --- rows of ragged plates ----------------------------------------------------------------------------------


def plate_is_ragged(body: Body, symbol: Symbol) -> bool:
    """Tell whether the declared length of an index's plate depends on other indices."""
    return any(type(s) is Symbol for end in body.declared[plate_of(symbol)] for s in _own_symbols(end))


def _own_symbols(end: Expr) -> set[Symbol]:
    return {index for ref in end.atoms(Ref) for index in ref.indices for index in index.free_symbols}


def first_rows(body: Body, symbol: Symbol) -> str:
    """Return the array of the first flat row of each group of a ragged plate, one longer than the groups."""
    plate = plate_of(symbol)
    lower, upper = body.declared[plate]
    lengths = sp.expand(upper - lower + 1)
    name = f"first_{plate}"
    refs = [ref for ref in lengths.atoms(Ref) if ref.indices]
    if len(refs) != 1 or offset(lengths, refs[0]) is None:
        raise unsupported(f"the ragged plate {plate}", "use the numpy backend")
    extra = offset(lengths, refs[0]) or 0
    shown = refs[0].name if extra == 0 else f"{refs[0].name} + {extra}"
    code = f"np.concatenate(([0], np.cumsum({shown})))"
    comment = f"the first row {plate} of each group, from 0, and the number of rows"
    body.needs.arrays.setdefault(name, IndexArray(name=name, code=code, comment=comment))
    return body.alias(name, f"data.{name}")


def group_position(body: Body, symbol: Symbol, places: dict[Symbol, Expr] | None = None) -> str:
    """Return the position of the group of a ragged index: of i for j = 1..J[i]."""
    lower, upper = body.declared[plate_of(symbol)]
    (size,) = [ref for ref in (upper - lower).atoms(Ref) if ref.indices]
    if places is not None:
        size = size.xreplace(places)
    return ", ".join(positions(body, size))


def _row(body: Body, axis: Axis, places: dict[Symbol, Expr], bounds: dict[Symbol, Bound]) -> str:
    """Return the flat row of an element of a ragged plate."""
    last = axis.last
    index, (lower, _) = places[last], bounds[last]
    symbol = _loop_symbol(body, index)
    outer_moves = all(places[s] == s or _same_outer(body, symbol, s, places[s]) for s in axis.indices[:-1])
    if symbol is not None and symbol in body.loops and outer_moves and plate_is_ragged(body, symbol):
        return _shift(body.loops[symbol], index - symbol)
    first = first_rows(body, last)
    group = group_position(body, last, {s: places[s] for s in axis.indices[:-1]})
    inside = _dense(body, index, (lower, lower))
    return f"{first}[{group}]" if inside == "0" else f"{first}[{group}] + {inside}"


def _same_outer(body: Body, symbol: Symbol | None, own: Symbol, place: Expr) -> bool:
    """Tell whether the loop over rows runs within the group that ``place`` names."""
    if symbol is None or symbol not in body.space.bounds:
        return False
    return place in body.space.parents(symbol)


def within(body: Body, symbol: Symbol) -> str:
    """Return the place of a flat row within its group, from 0."""
    first = first_rows(body, symbol)
    return f"{body.loops[symbol]} - {first}[{_group_of_loop(body, symbol)}]"


def _group_of_loop(body: Body, symbol: Symbol) -> str:
    lower, upper = body.space.bounds[symbol]
    refs = [ref for ref in (upper - lower).atoms(Ref) if ref.indices]
    if not refs:
        lower, upper = body.declared[plate_of(symbol)]
        refs = [ref for ref in (upper - lower).atoms(Ref) if ref.indices]
    return ", ".join(positions(body, refs[0]))


# --- loops --------------------------------------------------------------------------------------------------


@contextmanager
def loops(
    body: Body, bounds: Sequence[sp.Tuple], conditions: Sequence[Condition] = (), *, backwards: bool = False
) -> Iterator[None]:
    """Open a loop for each index; conditions narrow the ranges, pick members, or become tests.

    ``backwards`` runs each loop from its end.
    """
    before_space, before_loops = body.space, dict(body.loops)
    space = body.space.extend(bounds)
    members = [c for c in conditions if _is_membership(c, bounds)]
    space, rules, tests = narrow(space, [c for c in conditions if c not in members])
    if rules or space.subsets:
        raise unsupported("a sum over chosen members of a plate", "use the numpy backend")
    body.space = space
    try:
        with _open(body, [bound[0] for bound in bounds], members, tests, backwards=backwards):
            yield
    finally:
        body.space, body.loops = before_space, before_loops


def _is_membership(condition: Condition, bounds: Sequence[sp.Tuple]) -> bool:
    """Tell whether a condition is g[k] = i for an index k that is summed over."""
    if condition.relation != "=":
        return False
    symbols = {bound[0] for bound in bounds}
    sides = (condition.left, condition.right)
    return any(isinstance(s, Ref) and len(s.indices) == 1 and s.indices[0] in symbols for s in sides)


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


@contextmanager
def _range(body: Body, symbol: Symbol, name: str, *, backwards: bool) -> Iterator[None]:
    """for i in range(n), or over the flat rows of a group."""
    lower, upper = body.space.bounds[symbol]
    if plate_is_ragged(body, symbol):
        first = first_rows(body, symbol)
        own_lower, own_upper = body.declared[plate_of(symbol)]
        group = _group_of_loop(body, symbol)
        rules = dict(zip(_own_symbols(own_upper), _own_symbols(upper), strict=False))
        skip, short = offset(lower, own_lower), offset(upper, own_upper.xreplace(rules))
        if skip is None or short is None:
            raise unsupported(f"the range of {symbol}", "use the numpy backend")
        start = _shift(f"{first}[{group}]", sp.Integer(skip))
        stop = _shift(f"{first}[{_shift(group, sp.S.One)}]", sp.Integer(short))
        ends = [start, stop]
    else:
        ends = [number(body, upper - lower + 1)]
    if backwards:
        first, last = ["0", *ends][-2:]
        ends = [_shift(last, -sp.S.One), _shift(first, -sp.S.One), "-1"]
    header = f"for {name} in range({', '.join(ends)}):"
    body.loops[symbol] = name
    with body.nested(header, (symbol,)):
        yield


@contextmanager
def _members(body: Body, symbol: Symbol, name: str, condition: Condition) -> Iterator[None]:
    """The rows k with g[k] = i, which lie one after another in an array of their positions."""
    left, right = condition.left, condition.right
    column, group = (left, right) if isinstance(left, Ref) and left.indices == (symbol,) else (right, left)
    quantity = body.quantity(column.name)
    first_plate, last_plate = body.declared[quantity.plate]
    rows, first = f"rows_by_{column.name}", f"first_by_{column.name}"
    from deriver.emission.compiled.scalars import plain_size

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
    place = _dense(body, group, (first_plate, last_plate))
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
    return _dense(body, index, (sp.S.Zero, sp.S.Zero))


def quantity_axes(body: Body, quantity: Quantity) -> tuple[Axis, ...]:
    """Return the axes of an array."""
    own = body.space.extend(sp.Tuple(s, *b) for s, b in zip(quantity.indices, quantity.ranges, strict=True))
    return own.axes(quantity.indices, as_given=True)
