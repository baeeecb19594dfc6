"""Sums over plates and products of matrices, printed as einsum, np.sum or a sum within groups."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import sympy as sp
from sympy import Expr

from deriver.algebra import heads
from deriver.algebra.heads import PlateSum, Ref, shape_of
from deriver.emission import printer
from deriver.emission.matrix_product import matrix_product, print_as_product
from deriver.emission.reading import base_text, parent_rows, subscripted
from deriver.emission.restrict import Grouping, grouping_of, mask_text, restrict_sum
from deriver.emission.source import Frame, Source, count_sides
from deriver.emission.text import ATOM, NEGATIVE, Text, atom, call, force_statement, join_product
from deriver.plan.layout import Axis, free_indices, plate_of
from deriver.plan.swapping import find_own_term

LONGEST_OPERAND = 36
LONGEST_GROUPED = 60
SIDE_LETTERS = "pqrsuvw"


@dataclass(slots=True, kw_only=True)
class Letters:
    """The letters of one einsum: the chain, each axis, each component side."""

    chain: str
    axes: dict[Axis, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)

    def axis(self, axis: Axis) -> str:
        """Return the letter of an axis: its innermost plate's, if free."""
        if axis not in self.axes:
            wanted = plate_of(axis.last)[0].lower()
            self.axes[axis] = self._take(wanted + "abdefghklmnotxyz")
        return self.axes[axis]

    def side(self) -> str:
        """Return a new letter for a component side."""
        return self._take(SIDE_LETTERS + "abdefgh")

    def _take(self, wanted: str) -> str:
        letter = next(c for c in wanted if c not in self.used)
        self.used.add(letter)
        return letter


def new_letters(source: Source) -> Letters:
    """Return letters with ``c`` for the chain."""
    return Letters(chain="c", used={"c"})


@dataclass(slots=True, kw_only=True)
class Operands:
    """The operands of one einsum, with their letters."""

    letters: Letters
    texts: list[str] = field(default_factory=list)
    subscripts: list[str] = field(default_factory=list)
    divisors: list[Expr] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    parts: list[Text] = field(default_factory=list)

    def add(self, source: Source, expr: Expr, sides: str, axes: tuple[Axis, ...]) -> None:
        """Add an operand; its axes are raised to rows where ``axes`` has them."""
        own = source.frame_of(expr)
        raised = tuple(axis for axis in axes if any(set(a.indices) <= set(axis.indices) for a in own.axes))
        frame = Frame(axes=raised, chain=own.chain, sides=len(sides))
        text = printer.print_expression(source, expr, frame)
        if len(text.text) > LONGEST_OPERAND and not isinstance(expr, Ref):
            _name_distances(source, expr)
            printer.lift(source, expr)
            text = printer.print_expression(source, expr, frame)
        lead = self.letters.chain if own.chain else ""
        self.texts.append(text.text)
        self.subscripts.append(lead + "".join(self.letters.axis(axis) for axis in raised) + sides)
        self.frames.append(frame)
        self.parts.append(text)


def print_closed(source: Source, expr: Expr, frame: Frame) -> Text:
    """Print x'Qy or tr(M) as an einsum over the components."""
    own = source.frame_of(expr)
    operands, _ = gather_product(source, expr, own.axes)
    return finish(source, operands, own, frame)


def print_chain(source: Source, expr: Expr, frame: Frame) -> Text:
    """Print a product of matrices and vectors."""
    own = source.frame_of(expr)
    operands, sides = gather_product(source, expr, own.axes)
    return finish(source, operands, own, frame, sides)


def finish(source: Source, operands: Operands, own: Frame, frame: Frame, sides: str = "") -> Text:
    """Return the einsum of the operands with the axes ``own``, aligned to ``frame``."""
    out_chain = operands.letters.chain if own.chain else ""
    out = out_chain + "".join(operands.letters.axis(axis) for axis in own.axes) + sides
    if len(operands.texts) == 1 and operands.subscripts[0] == out:
        text = atom(operands.texts[0])
    else:
        subscripts, parts = _multiplied(operands)
        text = _with_matrix(source, subscripts, parts, out, operands.frames) or call(
            "np.einsum", f'"{",".join(subscripts)}->{out}"', *(part.text for part in parts)
        )
    aligned = printer.realign(source, text.text, own, frame)
    return text if aligned == text.text else atom(aligned)


def _with_matrix(
    source: Source, subscripts: list[str], parts: list[Text], out: str, frames: list[Frame]
) -> Text | None:
    """Return Σ_k w[c,k] x[k,p], or Σ_k w[c,k] x[k,p] x[k,q], with x of the data, as a product of matrices."""
    if len(subscripts) not in (2, 3) or out != subscripts[0][:1] + "".join(s[1:] for s in subscripts[1:]):
        return None
    (row, *columns), (weights, *matrices) = subscripts, parts
    data = not any(frame.chain for frame in frames if frame.sides)
    if not data or len(row) != 2 or any(len(each) != 2 or each[0] != row[1] for each in columns):
        return None
    if len(columns) == 1:
        return matrix_product(weights, matrices[0])
    if matrices[0].text != matrices[1].text:
        return None
    name = source.fresh("weighted")
    scaled = join_product([atom(f"{weights.wrapped(ATOM)}[..., None]"), matrices[0]], [])
    source.lines += force_statement(f"{name} = ", scaled, source.depth)
    return matrix_product(call("np.swapaxes", name, "-1", "-2"), matrices[1])


def _multiplied(operands: Operands) -> tuple[list[str], list[Text]]:
    """Return subscripts and operands, of more than two those of a row and a chain alike multiplied: half of the work."""
    alike = {s for s in operands.subscripts if len(s) > 1 and operands.subscripts.count(s) > 1}
    numbers = [not frame.sides for frame in operands.frames]
    if all(numbers) or len(operands.texts) < 3 or len(alike) != 1:
        return operands.subscripts, operands.parts
    pairs = list(zip(operands.subscripts, operands.parts, numbers, strict=True))
    chosen = [part for own, part, number in pairs if own in alike and number]
    rest = [(own, part) for own, part, number in pairs if own not in alike or not number]
    if len(chosen) < 2:
        return operands.subscripts, operands.parts
    return [*alike, *(own for own, _ in rest)], [join_product(chosen, []), *(part for _, part in rest)]


def gather_product(source: Source, expr: Expr, axes: tuple[Axis, ...]) -> tuple[Operands, str]:
    """Return the operands of a product of numbers and matrices, and the letters of its open sides."""
    operands = Operands(letters=new_letters(source))
    scalars, factors = product_parts(expr)
    for scalar in scalars:
        operands.add(source, scalar, "", axes)
    sides = ""
    for kind, chain in factors:
        sides += add_chain(source, operands, chain, axes, kind)
    return operands, sides


def product_parts(expr: Expr) -> tuple[list[Expr], list[tuple[str, list[Expr]]]]:
    """Return the scalar factors, and each product of matrices as (open, closed or trace, factors)."""
    scalars: list[Expr] = []
    chains: list[tuple[str, list[Expr]]] = []
    numbers = expr.args_cnc()[0] if expr.is_Mul else [expr] if expr.is_commutative else []
    matrices = [] if expr.is_commutative else heads.matrix_factors(expr)
    for number in numbers:
        if isinstance(number, heads.Inner | heads.Trace):
            inner_matrices = heads.matrix_factors(number.args[0])
            scalars += number.args[0].args_cnc()[0]
            kind = "trace" if isinstance(number, heads.Trace) else "closed"
            chains.append((kind, _as_square(inner_matrices) if kind == "closed" else inner_matrices))
        elif number != 1:
            scalars.append(number)
    if matrices:
        chains.append(("open", matrices))
    return scalars, chains


def _as_square(chain: list[Expr]) -> list[Expr]:
    """Return (Rd)′(Rd) as the product of a vector with itself, so that Rd is computed once."""
    half = len(chain) // 2
    vector = sp.Mul(*chain[half:])
    if len(chain) > 2 and 2 * half == len(chain) and heads.transpose(vector) == sp.Mul(*chain[:half]):
        return [heads.transpose(vector), vector]
    return chain


def add_chain(
    source: Source, operands: Operands, chain: list[Expr], axes: tuple[Axis, ...], kind: str
) -> str:
    """Add the factors of one product of matrices; return the letters of the sides that stay open."""
    letters = operands.letters
    open_left, current = "", ""
    first = letters.side() if kind == "trace" else None
    current = first or ""
    pending: list[tuple[Expr, str, str]] = []
    # A diagonal matrix is read as its vector, but for the last of a product that needs two letters at its end.
    closes = kind == "trace" or all(isinstance(factor, heads.Diagonal) for factor in chain)
    for position, factor in enumerate(chain):
        rows, columns = shape_of(factor)
        left = current if current else (letters.side() if rows is not None else "")
        if position == 0 and kind != "trace":
            open_left = left
        last = position == len(chain) - 1
        if isinstance(factor, heads.Diagonal) and len(chain) > 1 and not (last and closes):
            operands.add(source, factor.args[0], left, axes)
            current = left
            continue
        right = first if last and kind == "trace" else (letters.side() if columns is not None else "")
        pending.append((factor, left, right or ""))
        current = right or ""
    pending.sort(key=lambda item: bool(item[0].atoms(heads.Ones)))
    for factor, left, right in pending:
        _add_factor(source, operands, factor, left, right, axes)
    return "" if kind in ("closed", "trace") else open_left + current


def _add_factor(
    source: Source, operands: Operands, factor: Expr, left: str, right: str, axes: tuple[Axis, ...]
) -> None:
    is_row = shape_of(factor)[0] is None
    inside = heads.transpose(factor) if is_row else factor
    turned = isinstance(inside, heads.Transposed)
    inside = inside.args[0] if turned else inside
    if isinstance(inside, heads.Ones) and operands.texts:
        return
    if not isinstance(inside, Ref | heads.Ones | heads.Eye) and source.recall(inside) is None:
        inside = _named(source, inside)
    operands.add(source, inside, right + left if turned else left + right, axes)


def _named(source: Source, expr: Expr) -> Expr:
    """Give a compound operand a local name; its value is then recalled when printed."""
    printer.lift(source, expr)
    return expr


# --- sums over plates -------------------------------------------------------------------------------------


def print_plate_sum(source: Source, expr: heads.PlateSum, frame: Frame) -> Text:
    """Print Σ over plates: within groups where the free indices ask for it, else over whole axes."""
    own_term = find_own_term(expr, source.space.bounds)
    if own_term is not None:
        total = printer.lift(source, PlateSum(expr.body, expr.bounds))
        return printer.print_expression(source, total - printer.lift(source, own_term, "own"), frame)
    inner, body, masks = restrict_sum(source, expr)
    bound = {symbol for symbol, _, _ in expr.bounds}
    grouping = grouping_of(inner, expr, bound)
    if grouping is not None:
        body = body.xreplace(dict(grouping.rules))
        masks = [mask.xreplace(dict(grouping.rules)) for mask in masks]
    reduced = _reduce(inner, body, masks, expr, grouping)
    own = source.frame_of(expr)
    text, own = _group(source, inner, reduced, grouping, own)
    aligned = printer.realign(source, text.wrapped(ATOM), own, frame)
    return text if aligned == text.wrapped(ATOM) else atom(aligned)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduced:
    """A sum with its free axes summed out; ``frame`` holds the axes left (one is grouped later)."""

    text: Text
    frame: Frame


def _reduce(
    inner: Source, body: Expr, masks: list[Expr], expr: heads.PlateSum, grouping: Grouping | None
) -> Reduced:
    bound = {symbol for symbol, _, _ in expr.bounds}
    needed = free_indices(sp.Tuple(body, *masks), inner.space) | bound
    if grouping is not None:
        needed = (needed - set(grouping.free)) | set(grouping.rows.indices)
    axes = inner.space.axes(needed)
    chain = inner.uses_state(sp.Tuple(body, *masks))
    keep = tuple(
        axis
        for axis in axes
        if (grouping is not None and axis == grouping.rows) or not set(axis.indices) & bound
    )
    own = Frame(axes=keep, chain=chain, sides=count_sides(body))
    terms = sp.Mul.make_args(body) if body.is_commutative else None
    covered = _covers(inner, body, axes)
    if masks or not covered:
        return _masked(inner, body, masks, axes, own)
    if keep == axes:
        full = Frame(axes=axes, chain=chain, sides=own.sides)
        text = printer.print_expression(inner, body, full)
        if len(text.text) > LONGEST_GROUPED:
            text = _shortened(inner, body, full)
        return Reduced(text=text, frame=own)
    product = print_as_product(inner, body, axes, own) if grouping is None else None
    if product is not None:
        return Reduced(text=product, frame=own)
    if _is_contraction(body, terms):
        _name_distances(inner, body)
        operands, sides = gather_product(inner, body, axes)
        return Reduced(text=finish(inner, operands, own, own, sides), frame=own)
    return _summed(inner, body, axes, own)


def _shortened(source: Source, body: Expr, frame: Frame) -> Text:
    """Name parts of a summand, or the whole, when it is too long to stand in a call."""
    from deriver.emission.statements import print_fitting

    text = print_fitting(source, body, frame, LONGEST_GROUPED)
    if len(text.text) <= LONGEST_GROUPED or source.frame_of(body) != frame:
        return text
    printer.lift(source, body)
    return printer.print_expression(source, body, frame)


def _is_contraction(body: Expr, terms: tuple[Expr, ...] | None) -> bool:
    if not body.is_commutative:
        return not isinstance(body, Ref | sp.Add)
    if isinstance(body, heads.Inner | heads.Trace):
        return True
    return body.is_Mul and not any(
        isinstance(term, sp.Pow) and term.exp.is_number and term.exp < 0 for term in terms or ()
    )


def _covers(source: Source, body: Expr, axes: tuple[Axis, ...]) -> bool:
    """Tell whether every axis is one that the body has by itself (else its length would be lost)."""
    own = source.space.axes(free_indices(body, source.space))
    return all(any(axis == mine for mine in own) for axis in axes)


def _summed(source: Source, body: Expr, axes: tuple[Axis, ...], own: Frame) -> Reduced:
    from deriver.emission.statements import print_fitting

    chain = own.chain
    full = Frame(axes=axes, chain=chain, sides=own.sides)
    if isinstance(body, sp.Pow) and isinstance(body.base, sp.Add):
        hint = "residual" if any(not source.quantity(r.name).chain for r in body.atoms(Ref)) else "deviation"
        printer.lift(source, body.base, hint)
    if _name_distances(source, body) and isinstance(body, sp.Add):
        printer.lift(source, body, "squares")
    shown = print_fitting(source, body, full, LONGEST_GROUPED).text
    lead = 1 if chain else 0
    places = [lead + k for k, axis in enumerate(axes) if axis not in own.axes]
    if len(places) == lead + len(axes) and not own.sides:
        return Reduced(text=call("np.sum", shown), frame=own)
    shown_axes = f"axis={places[0]}" if len(places) == 1 else f"axis=({', '.join(map(str, places))})"
    return Reduced(text=call("np.sum", shown, shown_axes), frame=own)


def _name_distances(source: Source, body: Expr) -> bool:
    """Name the distances b - fit - rest of coefficients from their fits; tell whether there are any."""
    found = False
    for part in sorted(body.atoms(sp.Add), key=lambda a: (a.count_ops(), sp.default_sort_key(a))):
        hint = distance_hint(source, part)
        is_row = not part.is_commutative and shape_of(part)[0] is None
        if hint is not None and not is_row and not part.atoms(heads.PlateSum) and part != body:
            printer.lift(source, part, hint)
            found = True
    return found


def distance_hint(source: Source, expr: Expr) -> str | None:
    """Return a name for the distance of a coefficient from its fit, or for what is made of it; None for all else."""
    rests = {ref.name for ref in expr.atoms(Ref) if source.quantity(ref.name).kind == "rest"}
    if not rests:
        return None
    own = [
        (-term).name for term in sp.Add.make_args(expr) if isinstance(-term, Ref) and (-term).name in rests
    ]
    if own:
        return own[0].removesuffix("_rest").replace("fit_", "off_", 1)
    square = isinstance(expr, heads.PlateSum | heads.Inner | sp.Pow)
    return "squares" if square else "scaled"


def _masked(source: Source, body: Expr, masks: list[Expr], axes: tuple[Axis, ...], own: Frame) -> Reduced:
    """Sum where conditions hold; an axis that the body lacks is filled out by the condition."""
    full = Frame(axes=axes, chain=own.chain, sides=own.sides)
    inside = printer.print_expression(source, body, full)
    shown = inside.text
    tests = [mask_text(source, mask, full) for mask in masks]
    test = tests[0] if len(tests) == 1 else " & ".join(f"({text})" for text in tests)
    if any(source.space.has_label(mask) for mask in masks) and (
        len(tests) > 1 or len(test) > LONGEST_OPERAND
    ):
        test = _named_mask(source, masks, full, test)
    if tests and body == 1:
        shown = f"{test if test.isidentifier() else f'({test})'}.astype(float)"
    elif tests:
        within = test if test.isidentifier() else f"({test})"
        test = f"{within}[..., {', '.join(['None'] * own.sides)}]" if own.sides else test
        shown = f"np.where({test}, {shown}, 0)"
    if not _covers(source, sp.Tuple(body, *masks), axes):
        shape = ", ".join([axis_length(source, axis) for axis in axes] + ["1"] * own.sides)
        ones = f"np.ones({shape})" if "," not in shape else f"np.ones(({shape}))"
        shown = ones if body == 1 and not tests else f"{inside.wrapped(1) if not tests else shown} * {ones}"
    lead = 1 if own.chain else 0
    places = [lead + k for k, axis in enumerate(axes) if axis not in own.axes]
    if not places:
        return Reduced(text=atom(shown), frame=own)
    shown_axes = f"axis={places[0]}" if len(places) == 1 else f"axis=({', '.join(map(str, places))})"
    return Reduced(text=call("np.sum", shown, shown_axes), frame=own)


def _named_mask(source: Source, masks: list[Expr], full: Frame, test: str) -> str:
    """Give a mask that labels tell a line of its own; the same one again is read from there."""
    key = ("mask", *masks, full.axes)
    if key not in source.locals:
        name = source.fresh("chosen")
        source.lines += force_statement(f"{name} = ", Text(text=test, level=NEGATIVE), source.depth)
        source.locals[key] = Ref(heads.Variable(name))
    return source.locals[key].name


def axis_length(source: Source, axis: Axis) -> str:
    """Return the text of the length of an axis."""
    if axis.is_rows:
        child, parent = axis.last, axis.indices[-2]
        return f"len({source.data}{parent_rows(source, parent, child, source.space.bounds[child])})"
    if axis.last in source.space.subsets:
        return f"len({base_text(source, source.quantity(source.space.subsets[axis.last]))})"
    lower, upper = source.space.bounds[axis.last]
    return printer.print_size(source, sp.expand(upper - lower + 1))


def _group(
    outer: Source, inner: Source, reduced: Reduced, grouping: Grouping | None, own: Frame
) -> tuple[Text, Frame]:
    """Add up the rows of each group, when there are groups."""
    if grouping is None:
        return reduced.text, reduced.frame
    place = reduced.frame.axes.index(grouping.rows) + (1 if reduced.frame.chain else 0)
    labels = grouping.labels(inner)
    size = grouping.size(inner)
    axes = tuple(grouping.result if axis == grouping.rows else axis for axis in reduced.frame.axes)
    frame = Frame(axes=axes, chain=reduced.frame.chain, sides=reduced.frame.sides)
    wanted = grouping.wanted(inner)
    if grouping.drawn:
        outer.needs.helpers.add("label_sum")
        sides = [f"sides={frame.sides}"] if frame.sides else []
        return call("label_sum", reduced.text.text, labels, size, *sides), replace(frame, chain=own.chain)
    if reduced.text.text == f"np.ones({axis_length(inner, grouping.rows)})":
        text = call("np.bincount", labels, f"minlength={size}")
    else:
        outer.needs.helpers.add("group_sum")
        text = call("group_sum", reduced.text.text, labels, size, f"axis={place}")
    return (atom(subscripted(text.text, [":"] * place + [wanted])) if wanted else text), frame
