"""Vectors and matrices too large to write out, or of a size known at run time: loops over components in plain Python.

A value is a function from subscripts to the text of a cell; what is read often, or is no cell by cell, is put into a
matrix or row of ``rng.scratch``, which each function shares out anew, so that a sweep allocates nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import sympy as sp
from sympy import Expr

from deriver.algebra import heads
from deriver.algebra.heads import PlateSum, Ref
from deriver.emission.compiled import scalars
from deriver.emission.compiled.body import Body, Dense
from deriver.emission.compiled.indices import (
    components_first,
    condition_text,
    number,
    positions,
    quantity_axes,
)
from deriver.emission.naming import name_hint
from deriver.emission.printer import is_negative
from deriver.emission.text import SUM, Text, atom, call, join_product, join_sum
from deriver.plan.layout import free_indices, unsupported

MAPS = {sp.exp: "math.exp", sp.log: "math.log", sp.sqrt: "math.sqrt", sp.Abs: "abs"}
NUMPY = "use the numpy backend"
# Names for loops over components, which arrays in the scratch space do not get.
LOOP_NAMES = (*"abcdef", *(f"component_{k}" for k in range(1, 9)))


def is_large(body: Body, expr: sp.Basic) -> bool:
    """Tell whether a vector or matrix in an expression is too large to be written out."""
    return any(_is_large_side(body, side) for side in _sides(expr))


def _sides(expr: sp.Basic) -> Iterator[Expr]:
    for part in sp.preorder_traversal(expr):
        if isinstance(part, Ref):
            yield from part.variable.shape
        elif isinstance(part, heads.Eye | heads.Ones | heads.Unit | heads.Exchangeable):
            yield part.args[-1]


def _is_large_side(body: Body, side: Expr) -> bool:
    value = sp.expand(side.xreplace(body.sides))
    return not value.is_Integer or int(value) > scalars.LARGEST_SIDE


def size(body: Body, side: Expr) -> str:
    """Return the text of a dimension."""
    text = number(body, side)
    body.needs.sides.add(text)
    return text


def sizes(body: Body, expr: Expr) -> tuple[str, ...]:
    """Return the dimensions of a vector or matrix."""
    return tuple(size(body, side) for side in heads.shape_of(expr) if side is not None)


# --- storing ------------------------------------------------------------------------------------------------


@contextmanager
def components(body: Body, lengths: Sequence[str], *, lower: bool = False) -> Iterator[list[str]]:
    """Open a loop for each length; ``lower`` goes through the lower triangle of a matrix only."""
    names: list[str] = []
    with ExitStack() as stack:
        for length in lengths:
            name = _loop_name(body)
            body.components.append(name)
            stop = f"{names[0]} + 1" if lower and names else length
            stack.enter_context(body.nested(f"for {name} in range({stop}):", ()))
            names.append(name)
        yield names
    del body.components[len(body.components) - len(names) :]


def _loop_name(body: Body) -> str:
    """Return a name for a loop over components: a letter that names nothing of the model and no loop around."""
    around = {*body.quantities, *body.loops.values(), *body.components}
    return next(name for name in LOOP_NAMES if name not in around)


def room(body: Body, lengths: tuple[str, ...], hint: str) -> Dense:
    """Return a vector or matrix of the scratch space under a new name, not filled yet."""
    if body.lazy:
        raise unsupported("a product that only some elements have", NUMPY)
    name = body.fresh(f"{hint}_cells" if hint in LOOP_NAMES else hint)
    row = "" if len(lengths) == 2 else ", 0"
    body.alias(name, f"rng.scratch[{body.slots}{row}]")
    body.slots += 1
    body.needs.slots = max(body.needs.slots, body.slots)
    return Dense(sizes=lengths, cell=lambda *own: atom(f"{name}[{', '.join(own)}]"), name=name)


def store(body: Body, made: Dense, hint: str, *, lower: bool = False) -> Dense:
    """Write all cells of a value into the scratch space, of a matrix only the lower triangle if so asked."""
    into = room(body, made.sizes, hint)
    with components(body, made.sizes, lower=lower) as own:
        body.assign(into.cell(*own).text, made.cell(*own))
    return into


def keep(body: Body, made: Dense, hint: str) -> Dense:
    """Store a value unless its cells are elements of an array."""
    return made if made.name else store(body, made, hint)


def zeros(body: Body, expr: Expr, hint: str) -> Dense:
    """Write zeros of an expression's shape."""
    into = room(body, sizes(body, expr), hint)
    with components(body, into.sizes) as own:
        body.add(f"{into.cell(*own).text} = 0.0")
    return into


def add_up(body: Body, into: Dense, made: Dense, *, symmetric: bool) -> None:
    """Write ``into += made``, the lower triangle only of a symmetric matrix."""
    with components(body, into.sizes, lower=symmetric) as own:
        body.assign(into.cell(*own).text, made.cell(*own), "+=")


def mirror(body: Body, matrix: Dense) -> None:
    """Copy the lower triangle of a matrix into the upper."""
    with components(body, matrix.sizes, lower=True) as (a, b):
        body.add(f"{matrix.cell(b, a).text} = {matrix.cell(a, b).text}")


# --- values -------------------------------------------------------------------------------------------------


def dense(body: Body, expr: Expr) -> Dense:
    """Return a vector or matrix; what the loops around do not change is stored before them."""
    known = _recall(body, expr)
    if known is not None:
        return known
    home = body.home(expr)
    if home < body.level and not isinstance(expr, Ref | heads.Transposed):
        with body.at(home):
            found = _recall(body, expr) or keep(body, _make(body, expr), scalars.local_hint(expr))
            body.remember(expr, found)  # type: ignore[arg-type]
        return found
    return _make(body, expr)


def _recall(body: Body, expr: Expr) -> Dense | None:
    known = body.recall(expr)
    return known if isinstance(known, Dense) else None


def _make(body: Body, expr: Expr) -> Dense:
    match expr:
        case Ref() if expr.name in body.definitions:
            return dense(body, scalars.definition_of(body, expr))
        case Ref():
            return _elements(body, expr)
        case heads.Transposed():
            inside = dense(body, expr.args[0])
            if len(inside.sizes) == 1:
                return inside
            return Dense(sizes=inside.sizes[::-1], cell=lambda a, b: inside.cell(b, a), name=inside.name)
        case sp.Add():
            return _sum(body, expr)
        case sp.Mul():
            return _product(body, expr)
        case sp.Pow() if expr.exp == -1:
            return _inverse(body, expr)
        case sp.Pow():
            return _chain(body, heads.matrix_factors(expr))
        case PlateSum():
            found = scalars.plate_sum(body, expr)
            assert isinstance(found, Dense)
            return found
        case heads.Gated():
            return _gated(body, expr)
    return _special(body, expr)


def _elements(body: Body, ref: Ref) -> Dense:
    quantity = body.quantity(ref.name)
    base = body.alias(quantity.name, f"{quantity.prefix}{quantity.name}")
    places = positions(body, ref) if quantity_axes(body, quantity) else []
    first = components_first(quantity)

    def cell(*own: str) -> Text:
        return atom(f"{base}[{', '.join([*own, *places] if first else [*places, *own])}]")

    return Dense(sizes=sizes(body, ref), cell=cell, name=base)


def _sum(body: Body, expr: sp.Add) -> Dense:
    split = scalars.rest_of(body, expr)
    if split is not None:
        body.needs.helpers.add("apart")
        parts = [dense(body, part) for part in split]
        return Dense(
            sizes=parts[0].sizes,
            cell=lambda *own: call("apart", *(part.cell(*own).text for part in parts)),
        )
    terms = scalars.grouped(body, list(expr.args), sp.Add)
    terms = sorted(terms, key=lambda t: (is_negative(t), sp.default_sort_key(t)))
    signed = [(is_negative(t), dense(body, -t if is_negative(t) else t)) for t in terms]
    return Dense(
        sizes=signed[0][1].sizes,
        cell=lambda *own: join_sum([(negative, part.cell(*own)) for negative, part in signed]),
    )


def _product(body: Body, expr: sp.Mul) -> Dense:
    numbers, factors = expr.args_cnc()
    made = dense(body, sp.Mul(*factors)) if numbers else _chain(body, factors)
    if not numbers:
        return made
    scale = scalars.held(body, sp.Mul(*numbers))
    return Dense(sizes=made.sizes, cell=lambda *own: join_product([made.cell(*own), scale], []))


def _chain(body: Body, factors: list[Expr]) -> Dense:
    """A product of matrices and vectors, from the side that stays small."""
    runs = scalars.runs_of(body, factors)
    if len(runs) == 1:
        return dense(body, runs[0])
    shapes = [heads.shape_of(run) for run in runs]
    operands: list[Dense] = []
    for k, run in enumerate(runs):
        same = [
            own for own, before in zip(operands, runs[:k], strict=False) if heads.transpose(before) == run
        ]
        flat = None in shapes[k]  # a vector and its transpose have the same components
        operands.append(same[0] if same and flat else keep(body, dense(body, run), scalars.local_hint(run)))
    if shapes[-1][1] is None and shapes[0][0] is not None:
        right, shape = operands[-1], shapes[-1]
        for left, from_left in zip(operands[-2::-1], shapes[-2::-1], strict=True):
            right, shape = _multiply(body, left, from_left, right, shape), (from_left[0], shape[1])
        return right
    left, shape = operands[0], shapes[0]
    for right, from_right in zip(operands[1:], shapes[1:], strict=True):
        left, shape = _multiply(body, left, shape, right, from_right), (shape[0], from_right[1])
    return left


def _multiply(body: Body, left: Dense, from_left: tuple, right: Dense, from_right: tuple) -> Dense:
    if from_left[1] is None:  # a column times a row
        return Dense(
            sizes=(left.sizes[0], right.sizes[0]),
            cell=lambda a, b: join_product([left.cell(a), right.cell(b)], []),
        )
    row, column = from_left[0] is None, from_right[1] is None
    outer = (*(() if row else left.sizes[:1]), *(() if column else right.sizes[-1:]))
    into = room(body, outer, "product")
    with components(body, outer) as own:
        total = body.fresh("total")
        body.add(f"{total} = 0.0")
        with components(body, left.sizes[-1:]) as (inner,):
            first = left.cell(inner) if row else left.cell(own[0], inner)
            second = right.cell(inner) if column else right.cell(inner, own[-1])
            body.assign(total, join_product([first, second], []), "+=")
        body.assign(into.cell(*own).text, atom(total))
    body.taken.discard(total)
    return into


def _inverse(body: Body, expr: sp.Pow) -> Dense:
    require_symmetric(expr.base, "the inverse")
    into = store(body, dense(body, expr.base), scalars.local_hint(expr), lower=True)
    body.needs.helpers.add("invert")
    body.add(f"invert({into.name}, {into.sizes[0]})")
    body.remember(expr, into)  # type: ignore[arg-type]
    return into


def require_symmetric(matrix: Expr, what: str) -> None:
    """Refuse what is computed by a Cholesky factor of a matrix that is not known to be symmetric."""
    if not heads.is_symmetric(matrix):
        raise unsupported(f"{what} of a matrix that is not symmetric", NUMPY)


def _gated(body: Body, expr: heads.Gated) -> Dense:
    """The body where the conditions hold, 0 elsewhere; computed only there."""
    test = " and ".join(condition_text(body, condition) for condition in expr.args[1])
    into = zeros(body, expr, scalars.local_hint(expr))
    with body.nested(f"if {test}:", tuple(free_indices(expr.args[1], body.space))):
        made = dense(body, expr.args[0])
        with components(body, into.sizes) as own:
            body.assign(into.cell(*own).text, made.cell(*own))
    return into


def _choice(lengths: tuple[str, ...], parts: Callable[..., tuple[str, str, str]]) -> Dense:
    def cell(*own: str) -> Text:
        yes, test, no = parts(*own)
        return Text(text=f"{yes} if {test} else {no}", level=SUM - 1)

    return Dense(sizes=lengths, cell=cell)


def _special(body: Body, expr: Expr) -> Dense:
    match expr:
        case heads.Eye():
            return _choice(sizes(body, expr), lambda a, b: ("1.0", f"{a} == {b}", "0.0"))
        case heads.Ones():
            return Dense(sizes=sizes(body, expr), cell=lambda a: atom("1.0"))
        case heads.Unit() if expr.args[0].is_Integer:
            place = int(expr.args[0]) - 1
            return _choice(sizes(body, expr), lambda a: ("1.0", f"{a} == {place}", "0.0"))
        case heads.Exchangeable():
            rho = scalars.held(body, expr.args[0])
            return _choice(sizes(body, expr), lambda a, b: ("1.0", f"{a} == {b}", rho.text))
        case heads.Diagonal():
            found = keep(body, dense(body, expr.args[0]), "diagonal")
            lengths = (found.sizes[0], found.sizes[0])
            return _choice(lengths, lambda a, b: (found.cell(a).text, f"{a} == {b}", "0.0"))
        case heads.Map():
            inside = dense(body, expr.args[1])
            name = MAPS.get(heads.SCALAR_FUNCTIONS[expr.function], "math.lgamma")
            return Dense(sizes=inside.sizes, cell=lambda a: call(name, inside.cell(a).text))
    raise unsupported(f"{type(expr).__name__} with many components in compiled loops", NUMPY)


# --- numbers made of vectors and matrices -------------------------------------------------------------------


def number_of(body: Body, expr: Expr) -> Text:
    """Return the name of a number made of large vectors and matrices: x'b, a trace, log |A|, a component."""
    match expr:
        case heads.Component() if expr.args[1].is_Integer:
            return dense(body, expr.args[0]).cell(str(int(expr.args[1]) - 1))
        case heads.Entry() if expr.args[1].is_Integer and expr.args[2].is_Integer:
            return dense(body, expr.args[0]).cell(*(str(int(place) - 1) for place in expr.args[1:]))
        case heads.Inner():
            return _closed(body, expr)
        case heads.Trace():
            return _trace(body, expr.args[0])
        case heads.LogDet():
            require_symmetric(expr.args[0], "the log determinant")
            factor = store(body, dense(body, expr.args[0]), name_hint(expr.args[0]), lower=True)
            body.needs.helpers.add("factor")
            body.add(f"factor({factor.name}, {factor.sizes[0]})")
            return _total(body, expr, factor.sizes[:1], lambda a: log_twice(factor.cell(a, a)))
    raise unsupported(f"{expr} in compiled loops", NUMPY)


def log_twice(cell: Text) -> Text:
    """Return 2 log cell."""
    return join_product([atom("2"), call("math.log", cell.text)], [])


def _total(body: Body, expr: Expr, lengths: Sequence[str], cell: Callable[..., Text]) -> Text:
    """Write a sum over components; return its name."""
    if body.lazy:
        raise unsupported("a sum that only some elements have", NUMPY)
    total = body.fresh(scalars.local_hint(expr))
    body.add(f"{total} = 0.0")
    with components(body, lengths) as own:
        body.assign(total, cell(*own), "+=")
    return body.remember(expr, atom(total))  # type: ignore[return-value]


def _closed(body: Body, expr: heads.Inner) -> Text:
    factors = expr.args[0].args_cnc()[1]
    half = sp.Mul(*factors[len(factors) // 2 :])
    if len(factors) % 2 == 0 and heads.transpose(sp.Mul(*factors[: len(factors) // 2])) == half:
        found = keep(body, dense(body, half), scalars.local_hint(half))
        return _total(body, expr, found.sizes, lambda a: join_product([found.cell(a)] * 2, []))
    left = dense(body, factors[0])
    rest = sp.Mul(*factors[1:])
    right = dense(body, rest)
    return _total(body, expr, left.sizes, lambda a: join_product([left.cell(a), right.cell(a)], []))


def _trace(body: Body, inside: Expr) -> Text:
    factors = inside.args_cnc()[1] if inside.is_Mul else [inside]
    left = dense(body, factors[0])
    if len(factors) == 1:
        return _total(body, heads.Trace(inside), left.sizes[:1], lambda a: left.cell(a, a))
    right = keep(body, dense(body, sp.Mul(*factors[1:])), "product")
    return _total(
        body,
        heads.Trace(inside),
        left.sizes,
        lambda a, b: join_product([left.cell(a, b), right.cell(b, a)], []),
    )
