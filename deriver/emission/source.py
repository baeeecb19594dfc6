"""The scope in which an expression is printed: what is in an array, which indices run, which locals exist.

One ``Source`` is the body of one emitted function.  It collects statements; parts that are used twice or
do not fit into a line become named locals.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import sympy as sp
from sympy import Expr

from deriver.algebra.heads import Ref, Variable, shape_of
from deriver.emission.naming import local_name
from deriver.emission.rows import Needs
from deriver.emission.text import Text, break_statement
from deriver.errors import InternalError
from deriver.plan.layout import Axis, Bound, Quantity, Space, free_indices


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The axes that a printed array has: chain, plate axes, number of component axes."""

    axes: tuple[Axis, ...] = ()
    chain: bool = False
    sides: int = 0


@dataclass(slots=True, kw_only=True)
class Source:
    """The body of one function while it is written.

    ``data`` is what stands before the name of a given quantity (``"data."``, or nothing in ``prepare``).
    """

    space: Space
    quantities: dict[str, Quantity]
    needs: Needs
    data: str = "data."
    declared: Mapping[str, Bound] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)
    defined: set[str] = field(default_factory=set)
    locals: dict[tuple, Ref] = field(default_factory=dict)
    depth: int = 1

    def frame_of(self, expr: Expr) -> Frame:
        """Return the axes that an expression has by itself."""
        return Frame(
            axes=self.space.axes(free_indices(expr, self.space)),
            chain=self.uses_state(expr),
            sides=count_sides(expr),
        )

    def frame_of_element(self, element: Ref) -> Frame:
        """Return the axes of an element of an array, in the order in which the array has them."""
        return replace(self.frame_of(element), axes=self.space.axes_of(element))

    def uses_state(self, expr: sp.Basic) -> bool:
        """Tell whether the value of an expression differs between chains."""
        return any(self.quantity(ref.name).chain for ref in expr.atoms(Ref))

    def quantity(self, name: str) -> Quantity:
        """Return the array of that name."""
        found = self.quantities.get(name)
        if found is None:
            raise InternalError(f"no array for {name}")
        return found

    def fresh(self, hint: str) -> str:
        """Return an unused local name; what is called after a quantity keeps clear of the functions' own locals."""
        hint = local_name(hint) if hint in self.quantities else hint
        name, number = hint, 2
        while name in self.taken:
            name, number = f"{hint}_{number}", number + 1
        self.taken.add(name)
        return name

    def statement(self, head: str, value: Text) -> bool:
        """Add ``head value``, broken over lines where needed; False when it cannot be broken."""
        lines = break_statement(head, value, self.depth)
        if lines is None:
            return False
        self.lines += lines
        return True

    def add(self, line: str) -> None:
        """Add a line at the current depth."""
        self.lines.append("    " * self.depth + line if line else "")

    def define(self, name: str) -> None:
        """Make the value of a deterministic node known as a local, of its name unless that is taken."""
        local = self.fresh(f"{name}_value") if name in self.taken or local_name(name) != name else name
        if local != name:
            self.quantities[name] = replace(self.quantity(name), name=local)
        self.taken.add(local)
        self.defined.add(name)
        self.needs.definitions.add(name)
        self.add(f"{local} = compute_{name}(state, data)")

    def nested(self, depth: int) -> Source:
        """Return the body of a function or loop inside this one; what it names stays inside."""
        return replace(
            self,
            lines=[],
            taken=set(self.taken),
            defined=set(self.defined),
            locals=dict(self.locals),
            quantities=dict(self.quantities),
            depth=depth,
        )

    def as_local(self, name: str) -> None:
        """Let a node be read from its local in place of the state."""
        self.quantities[name] = replace(self.quantity(name), name=local_name(name), prefix="")
        self.taken.add(local_name(name))

    def remember(self, expr: Expr, name: str, frame: Frame) -> Ref:
        """Make a local array known as the value of an expression."""
        indices = tuple(symbol for axis in frame.axes for symbol in axis.indices)
        quantity = Quantity(
            name=name,
            indices=indices,
            ranges=tuple(self.space.bounds[symbol] for symbol in indices),
            sides=sides_of(expr),
            chain=frame.chain,
            confined=tuple(symbol for symbol in indices if symbol in self.space.subsets),
        )
        key = f"{name} (local)"
        self.quantities[key] = quantity
        ref = Ref(Variable(key, sides_of(expr)), *indices)
        self.locals[self._key(expr)] = ref
        return ref

    def recall(self, expr: Expr) -> Ref | None:
        """Return the local array that holds the value of an expression, if there is one."""
        return self.locals.get(self._key(expr))

    def _key(self, expr: Expr) -> tuple:
        inside = self.space.sort(free_indices(expr, self.space))
        scope = tuple((s, self.space.bounds[s], self.space.subsets.get(s)) for s in inside)
        return (expr, scope)

    def within(self, space: Space) -> Source:
        """Return a view of the same body in which other indices run."""
        return replace(self, space=space)


def count_sides(expr: Expr) -> int:
    """Return the number of component axes: 0 scalar, 1 vector or row, 2 matrix."""
    return len(sides_of(expr))


def sides_of(expr: Expr) -> tuple[Expr, ...]:
    """Return the component sides of an expression."""
    return tuple(side for side in shape_of(expr) if side is not None)
