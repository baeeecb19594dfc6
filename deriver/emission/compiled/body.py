"""The body of one compiled function while it is written: nested blocks, and what each has computed already.

A block is the function itself, a loop in it, or a function inside (the log density of a proposal).  A part of an
expression is computed in the outermost block that knows all its indices, before the loop inside begins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import sympy as sp
from sympy import Basic, Expr, Symbol

from deriver.algebra.heads import Ref
from deriver.emission.mathtext import show
from deriver.emission.naming import local_name
from deriver.emission.rows import Needs
from deriver.emission.text import Text, atom, break_statement, force_statement
from deriver.errors import InternalError
from deriver.plan.layout import Bound, Quantity, Space, free_indices, unsupported


@dataclass(frozen=True, slots=True, kw_only=True)
class Dense:
    """A vector or matrix that is not written out: its sizes, the text of the cell at given subscripts, and the name of
    the array whose elements the cells are, if they are."""

    sizes: tuple[str, ...]
    cell: Callable[..., Text]
    name: str = ""


# The components of a value that is written out: a number, a vector's, or a matrix's rows.  A value that is computed in
# loops is Dense, and met only where ``dense.is_large`` has been asked.
Value = Text | list[Text] | list[list[Text]]


@dataclass(slots=True, kw_only=True)
class Block:
    """Lines at one depth; ``owns`` are the indices (or the moving node) that are known from here on."""

    depth: int
    owns: tuple[Basic, ...] = ()
    lines: list[str] = field(default_factory=list)
    known: dict[Expr, Value] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Body:
    """A function being written.

    ``loops`` gives for each index in scope the text of its loop variable, which counts from 0, and for the rows
    of a ragged plate runs over the flat rows of the range that ``layouts`` gives.  ``sides`` are the values of the
    dimensions, ``fits`` the first part of each fit that is held in two, by the name of the second; ``triangles`` names
    what has zeros below its diagonal.  ``streaming`` is on while rows are read for a sum that is to vectorise; ``rows``
    then gives the loop variable as an unsigned number, which needs no test of its sign.
    ``words`` are locals that a writer uses as they are; an array of such a name is unpacked under another; ``noisy`` is
    on once the normals have been drawn ahead, under the name "noise".
    ``arrays`` are the locals that are arrays; ``slots`` counts the parts of the scratch space in use, ``components`` names the loops over components around.
    """

    space: Space
    quantities: dict[str, Quantity]
    needs: Needs
    declared: dict[str, Bound]
    definitions: dict[str, tuple[Ref, Expr]]
    sides: dict[Expr, Expr]
    fits: dict[str, str] = field(default_factory=dict)
    triangles: frozenset[str] = frozenset()
    blocks: list[Block] = field(default_factory=lambda: [Block(depth=1)])
    loops: dict[Symbol, str] = field(default_factory=dict)
    layouts: dict[Symbol, Bound] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    aliases: dict[str, str] = field(default_factory=dict)
    arrays: set[str] = field(default_factory=set)
    level: int = 0
    slots: int = 0
    components: list[str] = field(default_factory=list)
    lazy: bool = False
    summing: bool = False
    streaming: bool = False
    rows: dict[Symbol, str] = field(default_factory=dict)
    words: frozenset[str] = frozenset()
    noisy: bool = False

    @property
    def block(self) -> Block:
        """Return the block that is being written."""
        return self.blocks[self.level]

    def add(self, line: str) -> None:
        """Add a line to the current block."""
        self.block.lines.append("    " * self.block.depth + line)

    def assign(self, name: str, text: Text, operator: str = "=") -> None:
        """Add ``name = text``, broken over lines where it is long, or in two statements."""
        depth = self.block.depth
        plain = bool(text.parts) and not text.parts[-1][1].endswith(")")
        lines = break_statement(f"{name} {operator} ", text, depth, short=plain)
        if lines is None and len(text.parts) == 2 and operator == "=":
            (_, first), (joined, second) = text.parts
            self.assign(name, atom(first[1:-1] if _is_choice(first) else first))
            self.assign(name, atom(second[1:-1] if _is_choice(second) else second), f"{joined}=")
            return
        self.block.lines += lines or force_statement(f"{name} {operator} ", text, depth, short=plain)

    def fresh(self, hint: str) -> str:
        """Return an unused local name; what is called after a quantity keeps clear of the functions' own locals."""
        hint = hint.replace("′", "_").replace("″", "__").replace(" (moving)", "")
        hint = local_name(hint) if hint in self.quantities else hint
        name, number = hint, 2
        while name in self.taken:
            name, number = f"{hint}_{number}", number + 1
        self.taken.add(name)
        return name

    def quantity(self, name: str) -> Quantity:
        """Return the array of that name."""
        found = self.quantities.get(name)
        if found is None:
            raise InternalError(f"no array for {name}")
        return found

    def side(self, dimension: Expr) -> int:
        """Return a dimension as a number."""
        value = sp.expand(dimension.xreplace(self.sides))
        if not value.is_Integer:
            raise unsupported(
                f"the dimension {show(dimension)} as any number", f"give it, as --size {show(dimension)}=2"
            )
        return int(value)

    # --- blocks -------------------------------------------------------------------------------------------

    def home(self, expr: Basic) -> int:
        """Return the level of the outermost block in which an expression can be computed."""
        free = free_indices(expr, self.space)
        for level in range(self.level, 0, -1):
            if any(own in free if type(own) is Symbol else expr.has(own) for own in self.blocks[level].owns):
                return level
        return 0

    @contextmanager
    def at(self, level: int) -> Iterator[None]:
        """Write into an outer block for a while."""
        before, lazy, summing = self.level, self.lazy, self.summing
        self.level, self.lazy, self.summing = level, lazy and level == before, summing and level == before
        try:
            yield
        finally:
            self.level, self.lazy, self.summing = before, lazy, summing

    @contextmanager
    def nested(self, header: str, owns: Sequence[Basic]) -> Iterator[None]:
        """Write a loop or a function inside the current block."""
        outer = self.level
        block = Block(depth=self.block.depth + 1, owns=tuple(owns))
        self.blocks.append(block)
        self.level = len(self.blocks) - 1
        try:
            yield
        finally:
            self.blocks.pop()
            self.level = outer
        self.add(header)
        self.block.lines += block.lines

    def recall(self, expr: Expr) -> Value | None:
        """Return the locals that hold an expression, if they are in scope."""
        for block in self.blocks[self.level :: -1]:
            if expr in block.known:
                return block.known[expr]
        return None

    def remember(self, expr: Expr, value: Value) -> Value:
        """Make the value of an expression known in the current block."""
        self.block.known[expr] = value
        return value

    def alias(self, name: str, source: str) -> str:
        """Return the local name of an array or number of the state or the data, unpacked at the top."""
        name = self.unpacked_name(name)
        if name not in self.aliases:
            self.taken.add(name)
            self.aliases[name] = source
        return name

    def unpacked_name(self, name: str) -> str:
        """Return the local name that an array or number of the state or the data has here."""
        if name in self.words:
            return f"{local_name(name)}_"
        return local_name(name) if name in self.quantities else name

    def unpacked(self) -> list[str]:
        """Return the lines that unpack the state and the data."""
        return ["    " + f"{name} = {source}" for name, source in self.aliases.items()]

    def lines(self) -> list[str]:
        """Return the whole body."""
        return [*self.unpacked(), *self.blocks[0].lines]


def _is_choice(text: str) -> bool:
    """Tell whether a text is (value if test else other)."""
    return text.startswith("(") and text.endswith(")") and " else " in text and text.count("(") == 1
