"""A function inside an update: the log density of a proposal, as a function of its own.

What the moving node does not change is computed once, outside, and handed over as arguments.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from sympy import Expr

from deriver.emission.compiled.body import Block, Body, Value

WORD = re.compile(r"(?<![\w.])([A-Za-z_]\w*)")
BUILT_IN = {"range", "abs", "max", "min", "math", "return", "if", "else", "for", "in", "and", "or", "not"}


@dataclass(slots=True)
class Inner:
    """The lines of the inner function, and the names that were taken before it."""

    outside: set[str]
    lines: list[str] = field(default_factory=list)


@contextmanager
def inner_function(body: Body, known: Mapping[Expr, Value]) -> Iterator[Inner]:
    """Write the body of a function whose parameters are ``known``: the moving node's components, sums that move with it."""
    inner = Inner(outside=set(body.taken))
    outer = body.level
    block = Block(depth=1, owns=tuple(known))
    block.known.update(known)
    body.blocks.append(block)
    body.level = len(body.blocks) - 1
    try:
        yield inner
    finally:
        body.blocks.pop()
        body.level = outer
        inner.lines = block.lines


def arguments_of(body: Body, inner: Inner, own: Sequence[str]) -> list[str]:
    """Return the names that an inner function needs from outside, in the order of their use."""
    local = assigned_in(inner.lines) | set(own)
    around = {name for block in body.blocks for name in assigned_in(block.lines)}
    known = around | set(body.aliases) | set(body.loops.values())
    used = [word for line in inner.lines for word in WORD.findall(line.split("  # ")[0])]
    return [name for name in dict.fromkeys(used) if name in known and name not in local | BUILT_IN]


def assigned_in(lines: Sequence[str]) -> set[str]:
    """Return the names that lines assign to, loop variables among them."""
    found: set[str] = set()
    for line in lines:
        text = line.strip()
        if text.startswith("for "):
            found |= set(WORD.findall(text.removeprefix("for ").partition(" in ")[0]))
        head, equals, _ = text.partition(" = ")
        if equals and "(" not in head and "[" not in head:
            found |= set(WORD.findall(head))
    return found


def kind_of(name: str, body: Body) -> str:
    """Return the annotation of an argument."""
    if name in body.loops.values():
        return "int"
    if name in body.arrays:
        return "Array"
    source = body.aliases.get(name, "")
    if source.startswith("rng.scratch"):
        return "Array"
    return "Array" if source and not source.endswith("]") and name_is_array(name, body) else "float"


def name_is_array(name: str, body: Body) -> bool:
    """Tell whether an unpacked name is an array."""
    quantity = next((each for own, each in body.quantities.items() if body.unpacked_name(own) == name), None)
    return quantity is None or bool(quantity.indices or quantity.sides)
