"""Statements: a named expression per line, matrices built entry by entry, gated terms added to slices."""

from __future__ import annotations

import sympy as sp
from sympy import Expr

from deriver.algebra import heads
from deriver.algebra.heads import Ref, Variable
from deriver.emission import contraction, printer
from deriver.emission.reading import align, read_reference
from deriver.emission.recursion import write_recursion
from deriver.emission.restrict import mask_text
from deriver.emission.source import Frame, Source, count_sides, sides_of
from deriver.emission.text import Text, force_statement
from deriver.plan.completing import complete_sums
from deriver.plan.conditions import narrow
from deriver.plan.layout import Axis, Quantity, free_indices

LIFTABLE = (heads.PlateSum, heads.Inner, heads.Trace, heads.LogDet)


def assign_local(source: Source, expr: Expr, hint: str) -> Ref:
    """Compute an expression into a local array with its own axes, and return the local."""
    frame = source.frame_of(expr)
    name = write_value(source, expr, frame, hint)
    return source.remember(expr, name, frame)


def write_value(source: Source, expr: Expr, frame: Frame, hint: str) -> str:
    """Write the statements that compute an expression, and return the local name."""
    match expr:
        case heads.Literal():
            return _write_literal(source, expr, frame, hint)
        case heads.Exchangeable():
            return _write_exchangeable(source, expr, frame, hint)
        case heads.Stack():
            return _write_stack(source, expr, frame, hint)
        case heads.Grid():
            return _write_grid(source, expr, frame, hint)
        case heads.Recursion():
            return write_recursion(source, expr, frame)
        case sp.Pow() if expr.exp == -1 and not expr.is_commutative:
            return _write_inverse(source, expr, hint)
        case sp.Pow() if not expr.is_commutative:
            return _write_power(source, expr, frame, hint)
        case heads.Gated():
            return _write_alone(source, expr, frame, hint)
    return write_assignment(source, expr, frame, hint)


def write_assignment(source: Source, expr: Expr, frame: Frame, hint: str, head: str = "{} = ") -> str:
    """Write ``name = expression``, naming parts first until every line fits."""
    for _ in range(24):
        value = printer.print_expression(source, expr, frame)
        name = source.fresh(hint) if "{}" in head else hint
        if source.statement(head.format(name), value):
            return name
        if "{}" in head:
            source.taken.discard(name)
        if not name_a_part(source, expr):
            break
    name = source.fresh(hint) if "{}" in head else hint
    source.lines += force_statement(head.format(name), value, source.depth)
    return name


def print_fitting(source: Source, expr: Expr, frame: Frame, room: int) -> Text:
    """Return the text of an expression in at most ``room`` columns, naming parts where needed."""
    for _ in range(24):
        value = printer.print_expression(source, expr, frame)
        if len(value.text) <= room or not name_a_part(source, expr):
            return value
    return value


def name_a_part(source: Source, expr: Expr) -> bool:
    """Give the most telling unnamed part of an expression a line of its own; False if there is none."""
    whole = expr.as_coeff_Mul()[1]
    parts = [part for part in _parts(source, expr) if part not in (expr, whole)]
    if not parts and whole != expr and isinstance(whole, LIFTABLE) and source.recall(whole) is None:
        parts = [whole]
    if not parts:
        return False
    best = max(parts, key=lambda part: (isinstance(part, LIFTABLE), _weight(part)))
    printer.lift(source, best)
    return True


def _parts(source: Source, expr: Expr) -> list[Expr]:
    """Return the parts that can be named here: not under a sum over plates, not yet named."""
    found: list[Expr] = []
    args = expr.args
    if isinstance(expr, heads.Inner | heads.Trace) and args[0].is_Mul:
        args = args[0].args
    if isinstance(expr, sp.Mul):
        args = (*args, *(_quotient_sides(expr) if expr.is_commutative else _matrix_side(expr)))
    for arg in args:
        arg = arg.as_coeff_Mul()[1] if isinstance(arg, Expr) else arg
        if not isinstance(arg, Expr) or isinstance(arg, Ref) or not arg.atoms(Ref):
            continue
        if source.recall(arg) is not None:
            continue
        if _nameable(arg):
            found.append(arg)
        if not isinstance(expr, heads.PlateSum | heads.Stack | heads.Grid):
            found += _parts(source, arg)
    if isinstance(expr, heads.PlateSum | heads.Stack | heads.Grid):
        return []
    return found


def _quotient_sides(expr: sp.Mul) -> list[Expr]:
    """Return the product above and the product below the line, where it has several factors."""
    rest = expr.as_coeff_Mul()[1]
    sides = [sp.Mul(*side) for side in printer.split_quotient(rest) if len(side) > 1]
    return [side for side in sides if side != rest]


def _matrix_side(expr: sp.Mul) -> list[Expr]:
    """Return the product of the matrices, where it has several factors and a number before it."""
    scalars, factors = expr.args_cnc()
    return [sp.Mul(*factors)] if scalars and len(factors) > 1 else []


def _without_sign(term: Expr) -> Expr:
    return -term if printer.is_negative(term) else term


def _nameable(arg: Expr) -> bool:
    if (
        isinstance(arg, sp.Add)
        and 1 in arg.args
        and any(isinstance(_without_sign(t), sp.exp) for t in arg.args)
    ):
        return False  # stays for logaddexp, expm1 or expit
    if isinstance(arg, heads.NormalCdf):
        return False  # stays for log_ndtr
    return not isinstance(arg, heads.Transposed | heads.Gated | sp.Number) and not arg.is_number


def _weight(part: Expr) -> int:
    return sum(1 for _ in sp.preorder_traversal(part))


# --- matrices ---------------------------------------------------------------------------------------------


def shape_text(source: Source, frame: Frame, sides: list[str]) -> str:
    """Return the shape of an array with the axes of a frame and these sides."""
    from deriver.emission.contraction import axis_length

    lengths = [axis_length(source, axis) for axis in frame.axes]
    lead = ["chains"] if frame.chain else []
    if frame.chain:
        require_chains(source)
    return ", ".join([*lead, *lengths, *sides])


def require_chains(source: Source) -> None:
    """Make the local ``chains`` known, once."""
    if "chains" not in source.taken:
        source.taken.add("chains")
        nodes = [q for name, q in source.quantities.items() if q.chain and q.name == name]
        some = next(q for q in nodes if q.kind != "deterministic")
        source.add(f"chains = len(state.{some.name})")


def _write_literal(source: Source, expr: heads.Literal, frame: Frame, hint: str) -> str:
    """A matrix written entry by entry."""
    rows, columns = int(expr.args[0]), int(expr.args[1])
    entries = expr.args[2:]
    scalar = Frame(axes=frame.axes, chain=frame.chain)
    texts = [print_fitting(source, entry, scalar, 60) for entry in entries]
    sides = [str(rows)] if columns == 1 else [str(rows), str(columns)]
    shape = shape_text(source, frame, sides)
    name = source.fresh(hint)
    shape = f"({shape})" if "," in shape else shape
    source.add(f"{name} = np.empty({shape})")
    lead = ":, " * (len(frame.axes) + (1 if frame.chain else 0))
    done: set[int] = set()
    for place, text in enumerate(texts):
        if place in done:
            continue
        same = [k for k in range(place, len(texts)) if entries[k] == entries[place]]
        same = same if len(same) * len(name) < 40 else [place]
        done.update(same)
        for k in same if len(same) > 2 else [same[0]]:
            targets = [k] if len(same) > 2 else same
            spots = [f"{name}[{lead}{_spot(t, columns)}]" for t in targets]
            source.lines += force_statement(f"{' = '.join(spots)} = ", text, source.depth)
    return name


def _spot(place: int, columns: int) -> str:
    return str(place) if columns == 1 else f"{place // columns}, {place % columns}"


def _write_exchangeable(source: Source, expr: heads.Exchangeable, frame: Frame, hint: str) -> str:
    rho, side = expr.args
    shown = printer.print_expression(source, rho, frame).text
    size = printer.print_size(source, side)
    name = source.fresh(hint)
    source.statement(f"{name} = ", _call("np.where", f"np.eye({size}) == 1", "1.0", shown))
    return name


def _call(function: str, *arguments: str) -> Text:
    return Text(text=f"{function}({', '.join(arguments)})", call=(function, arguments))


def _write_stack(source: Source, expr: heads.Stack, frame: Frame, hint: str) -> str:
    """A vector whose component axis is a plate."""
    body, bound = expr.args
    gate = None
    if isinstance(body, heads.Gated):
        body, gate = body.args
    inner = source.within(source.space.extend([bound]))
    axis = Axis(indices=(bound[0],))
    full = Frame(axes=(*frame.axes, axis), chain=frame.chain)
    text = printer.print_expression(inner, body, full)
    if gate:
        test = " & ".join(mask_text(inner, condition, full) for condition in gate)
        text = _call("np.where", test, text.text, "0")
    elif bound[0] not in free_indices(body, inner.space):
        size = printer.print_size(source, bound[2] - bound[1] + 1)
        text = Text(text=f"{text.wrapped(1)} * np.ones({size})", level=1)
    if text.text.replace(".", "_").isidentifier():
        return text.text
    name = source.fresh(hint)
    if not source.statement(f"{name} = ", text):
        source.lines += force_statement(f"{name} = ", text, source.depth, short=True)
    return name


def _write_grid(source: Source, expr: heads.Grid, frame: Frame, hint: str) -> str:
    """A matrix whose two component axes are plates."""
    body, rows, columns = expr.args
    inner = source.within(source.space.extend([rows, columns]))
    own = tuple(Axis(indices=(bound[0],)) for bound in (rows, columns))
    text = print_fitting(inner, body, Frame(axes=(*frame.axes, *own), chain=frame.chain), 70)
    if not {rows[0], columns[0]} <= free_indices(body, inner.space):
        sides = ", ".join(printer.print_size(source, b[2] - b[1] + 1) for b in (rows, columns))
        text = Text(text=f"{text.wrapped(1)} * np.ones(({sides}))", level=1)
    if text.text.replace(".", "_").isidentifier():
        return text.text
    name = source.fresh(hint)
    if not source.statement(f"{name} = ", text):
        source.lines += force_statement(f"{name} = ", text, source.depth, short=True)
    return name


def _write_power(source: Source, expr: sp.Pow, frame: Frame, hint: str) -> str:
    """A whole power of a matrix, as the product that it is."""
    text = contraction.print_chain(source, expr, frame)
    name = source.fresh(hint)
    source.statement(f"{name} = ", text)
    return name


def _write_inverse(source: Source, expr: sp.Pow, hint: str) -> str:
    base = expr.base
    if not isinstance(base, Ref) and source.recall(base) is None:
        printer.lift(source, base)
    own = source.frame_of(base)
    shown = printer.print_expression(source, base, own)
    name = source.fresh(hint)
    source.statement(f"{name} = ", _call("np.linalg.inv", shown.text))
    return name


def _write_alone(source: Source, expr: heads.Gated, frame: Frame, hint: str) -> str:
    """A gated expression as an array of its own: zeros where the conditions fail."""
    body, conditions = expr.args
    space, rules, masks = narrow(source.space, list(conditions))
    inner = source.within(space)
    name = source.fresh(hint)
    sides = [printer.print_size(source, side) for side in sides_of(expr)]
    shape = shape_text(source, frame, sides)
    source.add(f"{name} = np.zeros({f'({shape})' if ',' in shape else shape})")
    indices = tuple(symbol for axis in frame.axes for symbol in axis.indices)
    own = Quantity(
        name=name,
        indices=indices,
        ranges=tuple(source.space.bounds[symbol] for symbol in indices),
        sides=sides_of(expr),
        chain=frame.chain,
    )
    _add_where(inner, own, indices, rules, masks, body)
    return name


def _add_where(inner: Source, own: Quantity, indices: tuple, rules: dict, masks: list, body: Expr) -> None:
    """Write ``array[slice] += body`` in a narrowed scope."""
    key = f"{own.name} (gated)"
    inner.quantities[key] = own
    element = Ref(Variable(key, own.sides), *indices).xreplace(rules)
    frame = inner.frame_of_element(element)
    left = align(inner, read_reference(inner, element), frame)
    body = body.xreplace(rules)
    text = print_fitting(inner, body, frame, 88 - 8 - len(left))
    if inner.statement(f"{left} += ", _masked(inner, text, masks, rules, frame)):
        return
    named = Text(text=write_assignment(inner, body, frame, "term"))
    kept = _masked(inner, named, masks, rules, frame)
    if not inner.statement(f"{left} += ", kept):
        inner.add(f"{left} += {kept.text}")


def _masked(inner: Source, text: Text, masks: list, rules: dict, frame: Frame) -> Text:
    """Return a text where the masks hold, 0 elsewhere."""
    if not masks:
        return text
    flat = Frame(axes=frame.axes, chain=frame.chain)
    tests = [mask_text(inner, mask.xreplace(rules), flat) for mask in masks]
    test = tests[0] if len(tests) == 1 else " & ".join(f"({t})" for t in tests)
    test = test if not frame.sides else f"({test})[{', '.join(['...', *['None'] * frame.sides])}]"
    return _call("np.where", test, text.text, "0")


# --- parameters with gated terms ----------------------------------------------------------------------------


def write_parameter(source: Source, expr: Expr, target: Ref, hint: str) -> str:
    """Write a parameter of the target's conditional, full axes where terms are gated, and return its name."""
    expr = complete_sums(open_gates(expr), source.space.bounds)
    terms = sp.Add.make_args(expr)
    gated = [term for term in terms if isinstance(term, heads.Gated)]
    frame = parameter_frame(source, expr, target)
    if not gated:
        return write_assignment(source, expr, frame, hint)
    return _write_gated(source, expr, gated, target, frame, hint)


def parameter_frame(source: Source, expr: Expr, target: Ref) -> Frame:
    """Return the target's axes, in the order of its array, with the component axes of a parameter."""
    own = source.space.axes_of(target)
    return Frame(axes=own, chain=True, sides=count_sides(expr))


def open_gates(expr: Expr) -> Expr:
    """Multiply products with gated factors out, so that gated terms stand at the top."""
    terms = []
    for term in sp.Add.make_args(expr):
        while isinstance(term, sp.Mul) and any(_holds_gate(factor) for factor in term.args):
            term = sp.expand_mul(term, deep=False)
        terms += sp.Add.make_args(term)
    return sp.Add(*map(_gate_outside, terms))


def _holds_gate(factor: Expr) -> bool:
    """Tell whether a factor is a sum with a gated term."""
    return isinstance(factor, sp.Add) and any(
        isinstance(part, heads.Gated) for term in factor.args for part in sp.Mul.make_args(term)
    )


def _gate_outside(term: Expr) -> Expr:
    gates = [factor for factor in sp.Mul.make_args(term) if isinstance(factor, heads.Gated)]
    if not gates or term == gates[0]:
        return term
    factors = [f.args[0] if isinstance(f, heads.Gated) else f for f in sp.Mul.make_args(term)]
    conditions = [condition for gate in gates for condition in gate.args[1]]
    return heads.Gated(sp.Mul(*factors), dict.fromkeys(conditions))


def _write_gated(source: Source, expr: Expr, gated: list[Expr], target: Ref, frame: Frame, hint: str) -> str:
    name = source.fresh(hint)
    base = sp.Add(*(term for term in sp.Add.make_args(expr) if term not in gated))
    zeros = _zeros(source, target, frame)
    if base == 0:
        source.add(f"{name} = {zeros}")
    else:
        shown = print_fitting(source, base, frame, 88 - 12 - len(name) - len(zeros)).wrapped(1)
        if len(name) + len(zeros) + len(shown) + 6 + 4 * source.depth > 88:
            shown = write_assignment(source, base, frame, "base")
        source.add(f"{name} = {zeros} + {shown}")
    by_gate: dict[tuple, Expr] = {}
    for term in gated:
        key = tuple(sp.ordered(term.args[1]))
        by_gate[key] = by_gate.get(key, sp.S.Zero) + term.args[0]
    for conditions, body in sorted(by_gate.items(), key=lambda item: sp.default_sort_key(item[0])):
        _write_gate(source, name, list(conditions), body, target)
    return name


def _zeros(source: Source, target: Ref, frame: Frame) -> str:
    own = source.quantity(target.name)
    if frame.sides == len(own.sides):
        return f"np.zeros_like({own.text})"
    if frame.sides < len(own.sides):
        return f"np.zeros({own.text}.shape[:-{len(own.sides) - frame.sides}])"
    sides = printer.print_size(source, own.sides[0])
    return f"np.zeros((*{own.text}.shape, {sides}))"


def _write_gate(source: Source, name: str, conditions: list, body: Expr, target: Ref) -> None:
    """Write ``name[slice] += body`` for the elements where the conditions hold."""
    space, rules, masks = narrow(source.space, conditions)
    own = source.quantity(target.name)
    array = Quantity(name=name, indices=own.indices, ranges=own.ranges, sides=sides_of(body), chain=True)
    _add_where(source.within(space), array, target.indices, rules, masks, body)
