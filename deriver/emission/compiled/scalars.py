"""Expressions as scalar Python text: a vector is its components, a matrix its entries.

``value`` returns the text of an expression in the current block.  What is free of the inner loop's index is computed
before the loop; a sum over a plate becomes a loop that adds up; elementary functions are computed once a block.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import sympy as sp
from sympy import Expr

from deriver.algebra import heads
from deriver.algebra.heads import PlateSum, Ref
from deriver.emission.compiled import dense, unrolled
from deriver.emission.compiled.body import Body, Dense, Value
from deriver.emission.compiled.indices import (
    components_first,
    condition_text,
    element,
    loops,
    positions,
    quantity_axes,
    value_text,
)
from deriver.emission.compiled.recursion import element_of
from deriver.emission.naming import name_hint
from deriver.emission.printer import is_negative, print_number, split_quotient
from deriver.emission.rows import IndexArray
from deriver.emission.text import POWER, SUM, Text, atom, call, join_product, join_sum, power
from deriver.errors import InternalError
from deriver.plan.layout import Quantity, unsupported

FUNCTIONS = {
    sp.exp: "math.exp",
    sp.log: "math.log",
    sp.Abs: "abs",
    heads.LogGamma: "math.lgamma",
    sp.erf: "math.erf",
    heads.Floor: "math.floor",
}
ZERO, ONE = atom("0"), atom("1")
# The largest dimension that is written out; beyond it compiling takes longer than it saves, and loops are written.
LARGEST_SIDE = 6
LONGEST_SUM = 36
LONGEST_NAME = 20
SIMPLE = re.compile(r"[\w.]+(\[[^()]*\])?")


def scalar(body: Body, expr: Expr) -> Text:
    """Return the text of a number-valued expression."""
    found = value(body, expr)
    assert isinstance(found, Text)
    return found


def vector(body: Body, expr: Expr) -> list[Text]:
    """Return the components of a vector."""
    found = value(body, expr)
    assert isinstance(found, list)
    return found  # type: ignore[return-value]


def matrix(body: Body, expr: Expr) -> list[list[Text]]:
    """Return the entries of a matrix."""
    found = value(body, expr)
    assert isinstance(found, list) and isinstance(found[0], list)
    return found


def value(body: Body, expr: Expr) -> Value:
    """Return the text of an expression, by components, in the current block."""
    known = body.recall(expr)
    if known is not None:
        return known
    if isinstance(expr, heads.Transposed) and None in heads.shape_of(expr.args[0]):
        return value(body, expr.args[0])  # a vector and its transpose have the same components
    home = body.home(expr)
    if home < body.level and _worth_a_name(expr):
        with body.at(home):
            known = body.recall(expr)
            return known if known is not None else define(body, expr)
    if expr.is_commutative:
        return _scalar(body, expr)
    return _array(body, expr)


def define(body: Body, expr: Expr, hint: str | None = None) -> Value:
    """Compute an expression into locals of the current block."""
    made = _scalar(body, expr) if expr.is_commutative else _array(body, expr)
    known = body.recall(expr)
    if known is not None:
        return known
    name = hint or local_hint(expr)
    return body.remember(expr, give_names(body, made, name, symmetric=heads.is_symmetric(expr)))


def give_names(body: Body, made: Value, name: str, *, symmetric: bool = False) -> Value:
    """Assign every component that is not a name or number yet to a local."""
    if isinstance(made, Text):
        return unrolled.named(body, name, made) if not _is_plain(made) else made
    if isinstance(made, Dense):
        return dense.keep(body, made, name)
    if not isinstance(made[0], list):
        return [_name_cell(body, cell, f"{name}_{a}") for a, cell in enumerate(made)]
    rows: list[list[Text]] = [[ZERO] * len(made[0]) for _ in made]
    for a, row in enumerate(made):
        for b, cell in enumerate(row):
            mirrored = symmetric and b > a
            rows[a][b] = ZERO if mirrored else _name_cell(body, cell, f"{name}_{a}{b}")
    if symmetric:
        for a in range(len(rows)):
            for b in range(a + 1, len(rows)):
                rows[a][b] = rows[b][a]
    return rows


def _name_cell(body: Body, cell: Text, name: str) -> Text:
    return cell if _is_plain(cell) else unrolled.named(body, name, cell)


def _is_plain(text: Text) -> bool:
    return text.text.replace(".", "").replace("_", "").isalnum()


def local_hint(expr: Expr) -> str:
    """Return a name for a part of an expression."""
    if isinstance(expr, sp.Pow) and expr.is_commutative and expr.exp == -1:
        return f"inv_{name_hint(expr.base)}"
    if isinstance(expr, Ref):
        return expr.name
    if isinstance(expr, sp.Add) and not all(isinstance(sp.Mul.make_args(t)[-1], Ref) for t in expr.args):
        return "weight"
    if isinstance(expr, sp.exp | sp.log):
        return f"{type(expr).__name__}_{name_hint(expr.args[0])}"
    hint = name_hint(expr)
    return hint if len(hint) <= LONGEST_NAME else "scaled" if expr.is_Mul else "part"


def _worth_a_name(expr: Expr) -> bool:
    """Tell whether a value that a loop does not change is computed before the loop."""
    if expr.is_number or isinstance(expr, sp.Symbol) or _is_size(expr):
        return False
    return not (isinstance(expr, Ref) and expr.is_commutative and not expr.indices)


def _is_size(expr: Expr) -> bool:
    """Tell whether an expression is a plain whole number made of sizes, such as T - 1."""
    return isinstance(expr, sp.Add) and all(
        part.is_Integer or (isinstance(part, Ref) and part.is_integer and not part.indices)
        for part in expr.args
    )


# --- numbers ------------------------------------------------------------------------------------------------


def _scalar(body: Body, expr: Expr) -> Text:
    match expr:
        case heads.Component() if isinstance(expr.args[0], heads.Recursion):
            return element_of(body, expr)
        case heads.Inner() | heads.Trace() | heads.LogDet() | heads.Component() | heads.Entry() if (
            dense.is_large(body, expr)
        ):
            return dense.number_of(body, expr)
        case sp.Number() | sp.NumberSymbol():
            return _constant(expr)
        case Ref():
            return _reference(body, expr)
        case sp.Symbol():
            return atom(value_text(body, expr))
        case sp.Add():
            return _sum(body, expr)
        case sp.Mul():
            return _product(body, expr)
        case sp.Pow():
            return _power(body, expr)
        case PlateSum():
            return plate_sum(body, expr)  # type: ignore[return-value]
        case heads.Gated():
            return _gated(body, expr)  # type: ignore[return-value]
        case heads.LogIndicator():
            low, inside, high = (scalar(body, arg).wrapped(SUM) for arg in expr.args)
            return Text(text=f"0.0 if {low} < {inside} < {high} else -math.inf", level=SUM - 1)
        case heads.Inner():
            return _closed(body, expr)
        case heads.Trace():
            return _trace(body, expr)
        case heads.LogDet():
            dense.require_symmetric(expr.args[0], "the log determinant")
            lower = unrolled.write_cholesky(body, matrix(body, expr.args[0]))
            return body.remember(expr, unrolled.named(body, local_hint(expr), unrolled.log_det_text(lower)))  # type: ignore[return-value]
        case heads.Component() if not expr.args[1].is_Integer:
            return _chosen(body, expr)
        case heads.Component():
            return vector(body, expr.args[0])[_position(expr.args[1])]
        case heads.Entry():
            return matrix(body, expr.args[0])[_position(expr.args[1])][_position(expr.args[2])]
        case sp.Max() | sp.Min():
            texts = [scalar(body, arg).text for arg in sorted(expr.args, key=sp.default_sort_key)]
            return call(type(expr).__name__.lower(), *texts)
    if type(expr) in FUNCTIONS:
        return _function(body, expr)
    raise unsupported(f"the function {type(expr).__name__} in compiled loops", "use the numpy backend")


def _position(position: Expr) -> int:
    if not position.is_Integer:
        raise unsupported(f"a component chosen by {position}", "use the numpy backend")
    return int(position) - 1


def _chosen(body: Body, expr: heads.Component) -> Text:
    """The component whose number the data tell, such as the probability of the category seen; no other is computed."""
    place = scalar(body, expr.args[1])
    place = place if SIMPLE.fullmatch(place.text) or body.lazy else unrolled.named(body, "place", place)
    before, body.lazy = body.lazy, True
    try:
        cells = vector(body, expr.args[0])
    finally:
        body.lazy = before
    numbers = [*range(1, len(cells)), 0]
    if body.lazy:
        tests = [f" if {place.wrapped(SUM)} == {number} else " if number else "" for number in numbers]
        return Text(text="".join(c.text + test for c, test in zip(cells, tests, strict=True)), level=SUM - 1)
    name = body.fresh("chosen")
    for number, cell in zip(numbers, cells, strict=True):
        word = "else" if not number else f"{'if' if number == 1 else 'elif'} {place.wrapped(SUM)} == {number}"
        with body.nested(f"{word}:", ()):
            body.assign(name, cell)
    return body.remember(expr, atom(name))  # type: ignore[return-value]


def _constant(expr: Expr) -> Text:
    text = print_number(expr)
    return Text(text=text.text.replace("np.pi", "math.pi").replace("np.inf", "math.inf"), level=text.level)


def _reference(body: Body, ref: Ref) -> Text:
    if ref.name in body.definitions:
        return scalar(body, definition_of(body, ref))
    if ref in body.sides and not body.quantity(ref.name).indices:
        return atom(str(body.sides[ref]))
    if body.quantity(ref.name).kind == "index":
        raise unsupported(f"the group column {ref.name} as a number", "use the numpy backend")
    return atom(element(body, ref))


def definition_of(body: Body, ref: Ref) -> Expr:
    """Return the expression of an element of a deterministic node."""
    generic, expression = body.definitions[ref.name]
    rules = dict(zip(generic.indices, ref.indices, strict=True))
    return expression.xreplace(rules)


def rest_of(body: Body, expr: sp.Add) -> tuple[Expr, Expr, Expr] | None:
    """Return (value, fit, rest) of value - fit - rest, whose order of subtraction must stay."""
    terms = {term: -term for term in expr.args if is_negative(term) and isinstance(-term, Ref)}
    for term, ref in terms.items():
        if ref.name in body.quantities and body.quantity(ref.name).kind == "rest":
            fit = next(t for t, r in terms.items() if r.name == body.fits[ref.name])
            return expr - term - fit, -fit, ref
    return None


def _apart(body: Body, parts: Sequence[Value]) -> Value:
    """Write value - fit - rest component by component, by a helper whose order is kept."""
    if isinstance(parts[0], Text):
        return call("apart", *(part.text for part in parts))  # type: ignore[union-attr]
    body.needs.helpers.add("apart")
    return [_apart(body, cells) for cells in zip(*parts, strict=True)]  # type: ignore[return-value]


def _sum(body: Body, expr: sp.Add) -> Text:
    split = rest_of(body, expr)
    if split is not None:
        body.needs.helpers.add("apart")
        text = _apart(body, [scalar(body, part) for part in split])
        return text if body.lazy else body.remember(expr, unrolled.named(body, "deviation", text))  # type: ignore[return-value,arg-type]
    terms = grouped(body, list(expr.args), sp.Add)
    ordered = sorted(terms, key=lambda t: (is_negative(t), not t.is_number, sp.default_sort_key(t)))
    printed = []
    for term in ordered:
        negative = is_negative(term)
        printed.append((negative, scalar(body, -term if negative else term)))
    return join_sum(printed)


def grouped(body: Body, parts: list[Expr], join: type) -> list[Expr]:
    """Join the parts that a loop does not change into one, block by block."""
    by_home: dict[int, list[Expr]] = {}
    for part in parts:
        level = body.level if part.is_number else body.home(part)
        by_home.setdefault(level, []).append(part)
    kept = by_home.pop(body.level, [])
    return [*kept, *(join(*group) for group in by_home.values())]


def _product(body: Body, expr: sp.Mul) -> Text:
    number, rest = expr.as_coeff_Mul()
    parts = grouped(body, list(sp.Mul.make_args(rest)), sp.Mul)
    negative, number = number < 0, abs(number)
    if len(parts) == 1 and number == 1:
        text = scalar(body, parts[0]) if parts[0] != expr else _quotient(body, expr, number)
    else:
        text = _quotient(body, sp.Mul(*parts, evaluate=False) if len(parts) > 1 else parts[0], number)
    return join_sum([(True, text)]) if negative else text


def _quotient(body: Body, rest: Expr, number: Expr) -> Text:
    above, below = split_quotient(rest)
    held = [p for p in sp.Mul.make_args(rest) if body.recall(p) is not None or body.home(p) < body.level]
    above = [f for f in above if f not in held] + held
    below = [f for f in below if 1 / f not in held]
    top = [_factor(body, factor) for factor in _in_order(above)]
    bottom = [_factor(body, factor) for factor in _in_order(below)]
    if number.is_Rational and number.p == 1 and number.q > 1 and top:
        bottom.insert(0, atom(str(number.q)))
    elif number != 1 or (not top and not bottom):
        top.insert(0, _constant(number))
    return join_product(top, bottom)


def _in_order(factors: list[Expr]) -> list[Expr]:
    return sorted(factors, key=lambda f: (isinstance(f, sp.Add), sp.default_sort_key(f)))


def _factor(body: Body, factor: Expr) -> Text:
    """Return a factor of a product; a long sum gets a name first."""
    text = scalar(body, factor)
    if text.level == SUM and len(text.text) > LONGEST_SUM and not body.lazy:
        return body.remember(factor, unrolled.named(body, local_hint(factor), text))  # type: ignore[return-value]
    return text


def _power(body: Body, expr: sp.Pow) -> Text:
    base, exponent = expr.base, expr.exp
    if exponent == -1:
        return join_product([], [scalar(body, base)])
    if exponent.is_number and exponent < 0:
        return join_product([], [scalar(body, base ** (-exponent))])
    if exponent == sp.Rational(1, 2):
        return call("math.sqrt", scalar(body, base).text)
    inside = scalar(body, base)
    if exponent.is_Integer and exponent <= 3:
        if not _is_plain(inside) and not body.lazy:
            inside = body.remember(base, unrolled.named(body, local_hint(base), inside))  # type: ignore[assignment]
        return join_product([inside] * int(exponent), [])
    shown = scalar(body, exponent)
    return power(inside, shown.wrapped(POWER))


def _function(body: Body, expr: Expr) -> Text:
    if isinstance(expr, sp.log):
        one, rest = expr.args[0].as_coeff_Add()
        if one == 1 and isinstance(rest, sp.exp):
            body.needs.helpers.add("softplus")
            return call("softplus", scalar(body, rest.args[0]).text)
        if one == 1 and isinstance(-rest, sp.exp):  # log(1 - e^a), which would lose its digits near 0
            return call("math.log", f"-math.expm1({scalar(body, (-rest).args[0]).text})")
    name = FUNCTIONS[type(expr)]
    if body.summing and name == "math.exp":
        name = "exponential"  # a loop that only adds up then has no call in it, and vectorises
        body.needs.helpers.add(name)
    text = call(name, scalar(body, expr.args[0]).text)
    if body.lazy:
        return text
    return body.remember(expr, unrolled.named(body, local_hint(expr), text))  # type: ignore[return-value]


def _gated(body: Body, expr: heads.Gated) -> Value:
    """The body where the conditions hold, 0 elsewhere; computed only there."""
    test = " and ".join(condition_text(body, condition) for condition in expr.args[1])
    if not body.lazy and expr.is_commutative and _unknown_sums(body, expr.args[0]):
        return _branch(body, expr, test)
    before, body.lazy = body.lazy, True
    try:
        made = value(body, expr.args[0])
    finally:
        body.lazy = before
    return _each(made, lambda cell: Text(text=f"{cell.text} if {test} else 0.0", level=SUM - 1))


def _unknown_sums(body: Body, expr: Expr) -> bool:
    """Tell whether an expression has sums that are to be added up in the current block."""
    return any(body.home(part) == body.level and body.recall(part) is None for part in outer_sums(expr))


def _branch(body: Body, expr: heads.Gated, test: str) -> Value:
    """Write statements under a test, such as the sum of what only some elements have."""
    name = body.fresh(local_hint(expr))
    body.add(f"{name} = 0.0")
    with body.nested(f"if {test}:", body.block.owns):
        write_sums(body, [expr.args[0]])
        body.assign(name, scalar(body, expr.args[0]))
    return body.remember(expr, atom(name))


def _each(made: Value, change) -> Value:
    if isinstance(made, Text):
        return change(made)
    return [_each(part, change) for part in made]  # type: ignore[return-value]


# --- sums over plates -----------------------------------------------------------------------------------------


def write_sums(body: Body, exprs: Sequence[Expr]) -> None:
    """Write the sums over plates that belong into the current block, those over the same range in one loop."""
    found: dict[tuple, list[PlateSum]] = {}
    for expr in exprs:
        for part in outer_sums(expr):
            if body.home(part) == body.level and body.recall(part) is None:
                group = found.setdefault((part.bounds, part.conditions), [])
                if part not in group:
                    group.append(part)
    for sums in found.values():
        _accumulate(body, sums)


def outer_sums(expr: sp.Basic) -> list[PlateSum]:
    """Return the sums over plates in an expression that stand in no other, and under no gate."""
    if isinstance(expr, PlateSum):
        return [expr]
    if isinstance(expr, heads.Gated):
        return []
    return [part for arg in expr.args for part in outer_sums(arg)]


def plate_sum(body: Body, expr: PlateSum) -> Value:
    """Return a sum over plates, written as a loop that adds up."""
    if body.lazy:
        raise unsupported("a sum that only some elements have", "use the numpy backend")
    counted = _count(body, expr)
    if counted is not None:
        return counted
    _accumulate(body, [expr])
    found = body.recall(expr)
    assert found is not None
    return found


def _count(body: Body, expr: PlateSum) -> Text | None:
    """Σ 1 over a plate of fixed length is its length."""
    if expr.body != 1 or expr.conditions or len(expr.bounds) != 1:
        return None
    _, lower, upper = expr.bounds[0]
    return scalar(body, sp.expand(upper - lower + 1))


def _accumulate(body: Body, sums: list[PlateSum]) -> None:
    """Write one loop that adds several sums up."""
    names: list[Value] = []
    for each in sums:
        names.append(_zeros(body, each))
    with loops(body, list(sums[0].bounds), list(sums[0].conditions)):
        before, body.summing = body.summing, True
        write_sums(body, [each.body for each in sums])
        for each, name in zip(sums, names, strict=True):
            _add_up(body, name, value(body, each.body), symmetric=heads.is_symmetric(each.body))
        body.summing = before
    for each, name in zip(sums, names, strict=True):
        if isinstance(name, Dense) and heads.is_symmetric(each.body):
            dense.mirror(body, name)
        body.remember(each, name)


def _zeros(body: Body, expr: PlateSum) -> Value:
    hint = local_hint(expr)
    rows, columns = heads.shape_of(expr)
    if rows is None and columns is None:
        return _zero(body, hint)
    if dense.is_large(body, expr.body):
        return dense.zeros(body, expr, hint)  # type: ignore[return-value]
    if rows is None or columns is None:
        side = body.side(rows if columns is None else columns)
        return [_zero(body, f"{hint}_{a}") for a in range(side)]
    symmetric = heads.is_symmetric(expr.body)
    cells: list[list[Text]] = [[ZERO] * body.side(columns) for _ in range(body.side(rows))]
    for a, row in enumerate(cells):
        for b in range(len(row)):
            cells[a][b] = cells[b][a] if symmetric and b > a else _zero(body, f"{hint}_{a}{b}")
            if symmetric and b < a:
                cells[b][a] = row[b]
    return cells


def _zero(body: Body, hint: str) -> Text:
    name = body.fresh(hint)
    body.add(f"{name} = 0.0")
    return atom(name)


def _add_up(body: Body, name: Value, made: Value, *, symmetric: bool) -> None:
    if isinstance(name, Text):
        assert isinstance(made, Text)
        body.assign(name.text, made, "+=")
        return
    if isinstance(name, Dense):
        assert isinstance(made, Dense)
        dense.add_up(body, name, made, symmetric=symmetric)
        return
    pairs: list[tuple[Any, Any]] = list(zip(name, made, strict=True))  # type: ignore[arg-type]
    for a, (own, cell) in enumerate(pairs):
        if isinstance(own, list):
            limit = a + 1 if symmetric else len(own)
            for b in range(limit):
                _add_up(body, own[b], cell[b], symmetric=False)
        else:
            _add_up(body, own, cell, symmetric=False)


# --- vectors and matrices -----------------------------------------------------------------------------------


def _array(body: Body, expr: Expr) -> Value:
    if dense.is_large(body, expr):
        return dense.dense(body, expr)  # type: ignore[return-value]
    match expr:
        case Ref() if expr.name in body.definitions:
            return value(body, definition_of(body, expr))
        case Ref():
            return _cells(body, expr)
        case heads.Transposed():
            return _transpose(value(body, expr.args[0]), heads.shape_of(expr.args[0]))
        case sp.Add():
            return _array_sum(body, expr)
        case sp.Mul():
            return _array_product(body, expr)
        case sp.Pow() if expr.exp == -1:
            return _inverse(body, expr)
        case sp.Pow():
            return _chain(body, heads.matrix_factors(expr))
        case PlateSum():
            return plate_sum(body, expr)
        case heads.Gated():
            return _gated(body, expr)
    return _special(body, expr)


def _special(body: Body, expr: Expr) -> Value:
    match expr:
        case heads.Eye():
            side = range(body.side(expr.args[0]))
            return [[ONE if a == b else ZERO for b in side] for a in side]
        case heads.Ones():
            return [ONE] * body.side(expr.args[0])
        case heads.Unit() if expr.args[0].is_Integer:
            return [ONE if a + 1 == expr.args[0] else ZERO for a in range(body.side(expr.args[1]))]
        case heads.Exchangeable():
            rho, side = scalar(body, expr.args[0]), range(body.side(expr.args[1]))
            return [[ONE if a == b else rho for b in side] for a in side]
        case heads.Literal():
            rows, columns = int(expr.args[0]), int(expr.args[1])
            cells = [scalar(body, entry) for entry in expr.args[2:]]
            return cells if columns == 1 else [cells[a * columns : (a + 1) * columns] for a in range(rows)]
        case heads.Diagonal():
            found = vector(body, expr.args[0])
            return [[cell if a == b else ZERO for b in range(len(found))] for a, cell in enumerate(found)]
        case heads.Map():
            function = heads.SCALAR_FUNCTIONS[expr.function]
            texts = {sp.exp: "math.exp", sp.log: "math.log", sp.sqrt: "math.sqrt", sp.Abs: "abs"}
            name = texts.get(function, "math.lgamma")
            return [call(name, cell.text) for cell in vector(body, expr.args[1])]
    raise unsupported(f"{type(expr).__name__} in compiled loops", "use the numpy backend")


def _cells(body: Body, ref: Ref) -> Value:
    """The components of an element of an array."""
    quantity = body.quantity(ref.name)
    places = positions(body, ref) if quantity_axes(body, quantity) else []
    sides = [body.side(side) for side in quantity.sides]
    first = components_first(quantity)
    if body.streaming and body.rows and places and not first:
        base, first = _columns(body, quantity), True
    else:
        base = body.alias(quantity.name, f"{quantity.prefix}{quantity.name}")

    def cell(*components: int) -> Text:
        own = [str(component) for component in components]
        return atom(f"{base}[{', '.join([*own, *places] if first else [*places, *own])}]")

    if len(sides) == 1:
        return [cell(a) for a in range(sides[0])]
    if ref.name in body.triangles:
        return [[ZERO if b < a else cell(a, b) for b in range(sides[1])] for a in range(sides[0])]
    symmetric = ref.variable.symmetric
    return [
        [cell(b, a) if symmetric and b > a else cell(a, b) for b in range(sides[1])] for a in range(sides[0])
    ]


def _columns(body: Body, quantity: Quantity) -> str:
    """Return a copy of a given array with its components first, so that a loop over rows reads numbers in line."""
    name, sides = f"columns_of_{quantity.name}", len(quantity.sides)
    array = IndexArray(
        name=name,
        code=f"components_first({quantity.name}, {sides})",
        comment=f"{quantity.name}, components first",
        inputs=(quantity.name,),
    )
    body.needs.arrays.setdefault(name, array)
    return body.alias(name, f"data.{name}")


def _transpose(made: Value, shape: tuple) -> Value:
    if None in shape or not isinstance(made, list) or not isinstance(made[0], list):
        return made
    return [list(row) for row in zip(*made, strict=True)]


def _array_sum(body: Body, expr: sp.Add) -> Value:
    split = rest_of(body, expr)
    if split is not None:
        return _apart(body, [value(body, part) for part in split])
    terms = sorted(
        grouped(body, list(expr.args), sp.Add), key=lambda t: (is_negative(t), sp.default_sort_key(t))
    )
    parts = [(is_negative(t), value(body, -t if is_negative(t) else t)) for t in terms]
    return _combine(parts)


def _combine(parts: list[tuple[bool, Value]]) -> Value:
    first = parts[0][1]
    if isinstance(first, Text):
        kept = [(negative, part) for negative, part in parts if part.text != "0"]  # type: ignore[union-attr]
        return join_sum(kept) if kept else ZERO  # type: ignore[arg-type]
    return [_combine([(negative, part[k]) for negative, part in parts]) for k in range(len(first))]  # type: ignore[index,return-value]


def _array_product(body: Body, expr: sp.Mul) -> Value:
    scalars, factors = expr.args_cnc()
    if not scalars:
        return _chain(body, factors)
    chain = sp.Mul(*factors)
    made = value(body, chain)
    number, rest = sp.Mul(*scalars).as_coeff_Mul()
    if number < 0:
        return _each(value(body, -expr), lambda cell: join_sum([(True, cell)]))
    scale = scalar(body, number * rest) if number * rest != 1 else ONE
    if not _is_plain(scale) and not body.lazy and rest != 1:
        scale = held(body, number * rest)
    return _each(made, lambda cell: _scaled(cell, scale))


def held(body: Body, expr: Expr) -> Text:
    """Return the local that holds a number, computed in its own block."""
    if expr.is_number:
        return _constant(expr)
    with body.at(body.home(expr)):
        return define(body, expr)  # type: ignore[return-value]


def _scaled(cell: Text, scale: Text) -> Text:
    if cell.text == "0" or scale.text == "1":
        return cell
    return scale if cell.text == "1" else join_product([cell, scale], [])


def _chain(body: Body, factors: list[Expr]) -> Value:
    """A product of matrices and vectors, from the side that stays small."""
    runs = runs_of(body, factors)
    if len(runs) == 1:
        return value(body, runs[0])
    if heads.shape_of(factors[-1])[1] is None and heads.shape_of(factors[0])[0] is not None:
        right = _operand(body, runs[-1])
        for run in reversed(runs[:-1]):
            right = _multiply(body, _operand(body, run), right, run, heads.shape_of(run))
            right = give_names(body, right, "product") if run != runs[0] and not body.lazy else right
        return right
    left, shape = _operand(body, runs[0]), heads.shape_of(runs[0])
    for run in runs[1:]:
        left = _multiply(
            body, left, _operand(body, run), run, (shape[0], heads.shape_of(run)[1]), left_shape=shape
        )
        shape = (shape[0], heads.shape_of(run)[1])
        left = give_names(body, left, "product") if run != runs[-1] and not body.lazy else left
    return left


def runs_of(body: Body, factors: list[Expr]) -> list[Expr]:
    """Join neighbouring factors that a loop does not change into one."""
    runs: list[list[Expr]] = []
    for factor in factors:
        outer = body.home(factor) < body.level
        if runs and outer and body.home(runs[-1][0]) == body.home(factor):
            runs[-1].append(factor)
        else:
            runs.append([factor])
    if len(runs) == 1 and len(runs[0]) == len(factors):
        return list(factors)
    return [sp.Mul(*run) for run in runs]


def _operand(body: Body, factor: Expr) -> Value:
    """The components of a factor of a product, each a name or an element of an array."""
    base = factor.args[0] if isinstance(factor, heads.Transposed) else factor
    turned = heads.transpose(factor) if factor.is_commutative is False else factor
    if isinstance(factor, sp.Add) and heads.shape_of(factor)[0] is None:
        return _operand(body, turned)
    made = value(body, factor)
    if isinstance(base, Ref) or body.lazy or all(SIMPLE.fullmatch(cell.text) for cell in cells_of(made)):
        return made
    return define(body, factor)


def cells_of(made: Value) -> list[Text]:
    """Return the components of a value in order."""
    if isinstance(made, Text):
        return [made]
    return [cell for part in made for cell in cells_of(part)]


def _multiply(
    body: Body, left: Value, right: Value, run: Expr, shape: tuple, left_shape: tuple | None = None
) -> Value:
    """Multiply a matrix with a vector or matrix, a row with a matrix, or a column with a row."""
    from_left = left_shape if left_shape is not None else shape
    if isinstance(left, Text) or isinstance(right, Text):
        raise InternalError("a product of numbers among matrices")
    left_is_row = from_left[0] is None
    if left_is_row:
        columns = list(zip(*right, strict=True)) if isinstance(right[0], list) else None
        if columns is None:
            return unrolled.sum_products(list(zip(left, right, strict=True)))  # type: ignore[arg-type]
        return [unrolled.sum_products(list(zip(left, column, strict=True))) for column in columns]  # type: ignore[arg-type]
    if not isinstance(left[0], list):  # a column times a row
        return [[_scaled(a, b) if "0" not in (a.text, b.text) else ZERO for b in right] for a in left]  # type: ignore[arg-type,union-attr]
    if not isinstance(right[0], list):
        return [unrolled.sum_products(list(zip(row, right, strict=True))) for row in left]
    columns = list(zip(*right, strict=True))
    return [
        [unrolled.sum_products(list(zip(row, column, strict=True))) for column in columns] for row in left
    ]


def _closed(body: Body, expr: heads.Inner) -> Text:
    """A product that closes to a number: x'b, d'Md."""
    factors = expr.args[0].args_cnc()[1]
    half = sp.Mul(*factors[len(factors) // 2 :])
    if len(factors) % 2 == 0 and heads.transpose(sp.Mul(*factors[: len(factors) // 2])) == half:
        cells = _operand(body, half)
        return unrolled.sum_products(list(zip(cells, cells, strict=True)))  # type: ignore[arg-type]
    runs = runs_of(body, factors)
    right = _operand(body, runs[-1])
    for run in reversed(runs[1:-1]):
        right = _multiply(body, _operand(body, run), right, run, heads.shape_of(run))
        right = give_names(body, right, "product") if not body.lazy else right
    left = _operand(body, runs[0])
    return unrolled.sum_products(list(zip(left, right, strict=True)))  # type: ignore[arg-type]


def _trace(body: Body, expr: heads.Trace) -> Text:
    inside = expr.args[0]
    factors = inside.args_cnc()[1] if inside.is_Mul else [inside]
    if len(factors) == 1:
        found = matrix(body, factors[0])
        return join_sum([(False, found[a][a]) for a in range(len(found))])
    left = _operand(body, factors[0])
    right = _operand(body, sp.Mul(*factors[1:]))
    pairs = [
        (left[a][b], right[b][a])  # type: ignore[index]
        for a in range(len(left))  # type: ignore[arg-type]
        for b in range(len(right))  # type: ignore[arg-type]
    ]
    return unrolled.sum_products(pairs)


def _inverse(body: Body, expr: sp.Pow) -> Value:
    dense.require_symmetric(expr.base, "the inverse")
    if body.lazy:
        raise unsupported("an inverse that only some elements have", "use the numpy backend")
    inside = give_names(body, matrix(body, expr.base), name_hint(expr.base), symmetric=True)
    return body.remember(expr, unrolled.write_inverse(body, inside, local_hint(expr)))  # type: ignore[arg-type]
