"""Paths of nodes that are computed from their own earlier elements: a loop over the steps, each over all chains.

    err = np.empty((chains, data.T))
    err[..., 0] = first
    for t in range(1, data.T):
        err[..., t] = level[..., t - 1] - theta * err[..., t - 1]

What no earlier element stands in is computed before the loop, for all its steps at once.
"""

from __future__ import annotations

import sympy as sp
from sympy import Expr, Symbol

from deriver.algebra import heads
from deriver.algebra.heads import Ref, Variable
from deriver.emission import printer
from deriver.emission.source import Frame, Source
from deriver.emission.text import force_statement
from deriver.plan.layout import Quantity, free_indices, plate_of, unsupported


def write_recursion(source: Source, path: heads.Recursion, frame: Frame) -> str:
    """Write the statements that compute the paths of a recursion, and return the local name of its own node's."""
    from deriver.emission.statements import shape_text

    running, lower, upper = path.bound
    _check_length(source, path)
    scalar = Frame(axes=frame.axes, chain=frame.chain)
    size = printer.print_size(source, heads.shape_of(path)[0])
    names = [source.fresh(str(variable.name)) for variable in path.variables]
    shape = shape_text(source, scalar, [size])
    parts = _Parts(source, path, scalar)
    steps = [parts.settle(step) for step in path.steps]
    firsts = [[printer.print_expression(source, first, scalar) for first in own] for own in path.firsts]
    for name, own in zip(names, firsts, strict=True):
        source.add(f"{name} = np.empty(({shape}{'' if ',' in shape else ','}))")
        for place, first in enumerate(own):
            source.lines += force_statement(f"{name}[..., {place}] = ", first, source.depth)
    inner = source.nested(source.depth + 1)
    loop = inner.fresh(plate_of(running))
    last = printer.print_size(source, upper - lower + 1 + path.lead)
    source.add(f"for {loop} in range({path.lead}, {last}):")
    parts.enter(inner, loop, names)
    for name, step in zip(names, steps, strict=True):
        text = printer.print_expression(inner, step, scalar)
        inner.lines += force_statement(f"{name}[..., {loop}] = ", text, inner.depth)
    source.lines += inner.lines
    return names[path.row]


def _check_length(source: Source, path: heads.Recursion) -> None:
    if free_indices(sp.Tuple(*path.bound[1:]), source.space):
        names = ", ".join(variable.name for variable in path.variables)
        raise unsupported(
            f"the recursion of {names} over a ragged plate",
            "give every group the same number of steps",
        )


class _Parts:
    """The parts of the steps that hold no earlier element: named before the loop, and read step by step inside it."""

    def __init__(self, source: Source, path: heads.Recursion, frame: Frame) -> None:
        self.source, self.path, self.frame = source, path, frame
        self.symbols = {symbol for symbol, _, _ in path.earlier}
        self.arrays: dict[Symbol, str] = {}
        self.known: dict[Expr, Symbol] = {}

    def settle(self, expr: Expr) -> Expr:
        """Return a step with a symbol in the place of every part that moves along and holds no earlier element."""
        if not expr.free_symbols & self.symbols:
            return self._name(expr)
        if expr in self.symbols:
            return expr
        if isinstance(expr, sp.Add | sp.Mul) and expr.is_commutative:
            free = [arg for arg in expr.args if not arg.free_symbols & self.symbols]
            held = [self.settle(arg) for arg in expr.args if arg.free_symbols & self.symbols]
            plain = all(
                arg.is_number or isinstance(arg, Ref) and not arg.has(self.path.bound[0]) for arg in free
            )
            return expr.func(*free if plain else [self._name(expr.func(*free))], *held)
        if getattr(expr, "bound_symbols", None) or not expr.is_commutative:
            raise unsupported(
                f"a sum or a vector of earlier elements of {self.path.variables[0].name}",
                "write the sum out, or give it a definition of its own",
            )
        return expr.func(*(self.settle(arg) for arg in expr.args))

    def _name(self, part: Expr) -> Expr:
        from deriver.emission.statements import write_value

        running = self.path.bound[0]
        if not part.has(running):
            return part if not part.args or isinstance(part, Ref) else self._lifted(part)
        if part not in self.known:
            stack = heads.Stack(part, self.path.bound)
            hint = "moving" if not isinstance(part, Ref) else f"{part.name}_path"
            full = Frame(axes=self.frame.axes, chain=self.frame.chain, sides=1)
            symbol = Symbol(f"part {len(self.known)}", real=True)
            self.known[part] = symbol
            self.arrays[symbol] = write_value(self.source, stack, full, hint)
        return self.known[part]

    def _lifted(self, part: Expr) -> Expr:
        return part if part.is_number else printer.lift(self.source, part)

    def enter(self, inner: Source, loop: str, names: list[str]) -> None:
        """Make the parts and the earlier elements known inside the loop, each as an element of its array."""
        lead = self.path.lead
        for symbol, array in self.arrays.items():
            self._make_known(inner, symbol, f"{array}[..., {_moved(loop, lead)}]")
        for symbol, row, lag in self.path.earlier:
            self._make_known(inner, symbol, f"{names[int(row)]}[..., {_moved(loop, int(lag))}]")

    def _make_known(self, inner: Source, symbol: Symbol, text: str) -> None:
        indices = tuple(index for axis in self.frame.axes for index in axis.indices)
        quantity = Quantity(
            name=text,
            indices=indices,
            ranges=tuple(inner.space.bounds[index] for index in indices),
            chain=self.frame.chain,
        )
        inner.quantities[text] = quantity
        inner.locals[inner._key(symbol)] = Ref(Variable(text, ()), *indices)


def _moved(loop: str, back: int) -> str:
    return f"{loop} - {back}" if back else loop
