"""A random model while it is made: its text by block, and what must and must not be recognised in it.

Choices come from Hypothesis, so that a failing model shrinks: the first option of a choice is the simplest, and a
chance shrinks to "no".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from hypothesis import strategies as st

Option = TypeVar("Option")
Indices = tuple[str, ...]

PLATES = {"c": "1..C", "i": "1..n", "l": "1..L", "j": "1..J[i]", "t": "1..T", "d": "0..D", "k": "1..K"}
PARENTS = {"j": ("i",)}
COLUMNS = {
    ("k", "i"): "g",
    ("k", "l"): "h",
    ("k", "t"): "u",
    ("i", "c"): "b",
    ("k", "d"): "e",
    ("t", "c"): "f",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A model's text, the family that nodes must have, the nodes that must have none, and a seed for its states."""

    text: str
    must: Mapping[str, str]
    never: frozenset[str]
    seed: int

    def __repr__(self) -> str:
        marks = ", ".join([*(f"{name}: {family}" for name, family in self.must.items()), *sorted(self.never)])
        return f"seed {self.seed}; must and never: {marks}\n{self.text}"


@dataclass(slots=True)
class Draft:
    """Declarations and statements so far; ``draw`` makes Hypothesis' choices."""

    draw: Callable
    plates: set[str] = field(default_factory=set)
    givens: dict[str, str] = field(default_factory=dict)
    data: list[str] = field(default_factory=list)
    process: dict[str, list[str]] = field(default_factory=dict)
    parameters: dict[str, list[str]] = field(default_factory=dict)
    claimed: dict[str, str] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    unsure: set[str] = field(default_factory=set)

    def choose(self, *options: Option) -> Option:
        """Return one of the options; the first is the simplest."""
        return self.draw(st.sampled_from(options))

    def chance(self, percent: int) -> bool:
        """Return True in about so many cases of a hundred."""
        return self.draw(st.integers(0, 99)) >= 100 - percent

    def use(self, *indices: str) -> None:
        """Declare plates, and those on which they depend."""
        for index in indices:
            self.use(*PARENTS.get(index, ()))
            self.plates.add(index)

    def given(self, name: str, indices: Indices = (), kind: str = "") -> str:
        """Declare a given, and return its element."""
        self.use(*indices)
        text = element(name, indices)
        self.givens.setdefault(name, f"{text}{kind}")
        return text

    def column(self, start: str, end: str) -> str:
        """Declare the group column between two plates, and return its name."""
        name = COLUMNS[start, end]
        self.use(start, end)
        self.givens.setdefault(name, f"{name} : {start} -> {end}")
        return name

    def state(self, name: str, lines: Sequence[str], *, layer: str = "process", family: str = "") -> None:
        """Write the statements of a node, and the family that it must be found to have, if it is known."""
        (self.process if layer == "process" else self.parameters).setdefault(name, list(lines))
        if family:
            self.claimed.setdefault(name, family)

    def scalar(self, name: str, positive: bool = False) -> str:
        """State a scalar parameter, and return its name."""
        prior = self.choose("IG(2, 1)", "IG(3, 0.5)") if positive else "N(0.5, 4)"
        family = "inverse_gamma" if positive else "normal"
        self.state(name, [f"{name} ~ {prior}"], layer="parameters", family=family)
        return name

    def spoil(self, *names: str) -> None:
        """Record that nodes can no longer have a conjugate family."""
        self.broken.update(names)

    def _dimensions(self) -> set[str]:
        """Return the dimensions that statements mention."""
        lines = [
            *self.data,
            *(line for block in (self.process, self.parameters) for ls in block.values() for line in ls),
        ]
        return {"p"} if any("(p)" in line or "p +" in line for line in lines) else set()

    def finish(self, seed: int) -> Case:
        """Return the model."""
        if "p" in self._dimensions() and not any("(p" in line for line in self.givens.values()):
            self.given("unit", (), " : vector(p) = ones(p)")  # by which p is declared
        blocks = {
            "plates": [f"{name} = {bounds}" for name, bounds in PLATES.items() if name in self.plates],
            "given": list(self.givens.values()),
            "data": self.data,
            "process": [line for lines in self.process.values() for line in lines],
            "parameters": [line for lines in self.parameters.values() for line in lines],
        }
        body = "".join(
            f"{head}\n" + "".join(f"  {line}\n" for line in part) for head, part in blocks.items() if part
        )
        undecided = self.broken | self.unsure
        return Case(
            text=f"model random\n{body}",
            must={name: family for name, family in self.claimed.items() if name not in undecided},
            never=frozenset(self.broken - self.unsure),
            seed=seed,
        )


def element(name: str, indices: Sequence[str]) -> str:
    """Return name[i,j], or the name of a scalar."""
    return f"{name}[{','.join(indices)}]" if indices else name


def part_of(draft: Draft, indices: Indices) -> Indices:
    """Return some of the indices, those on which they depend included."""
    some = {index for index in indices if draft.chance(60)}
    for index in list(some):
        some |= set(PARENTS.get(index, ()))
    return tuple(index for index in indices if index in some)


def reach(draft: Draft, indices: Indices) -> tuple[Indices, Indices]:
    """Return the indices of an effect, and the subscripts by which a statement over ``indices`` reads it.

    An index is kept, or followed through a group column, or through a nest of two.
    """
    fixed = {PARENTS[index][0] for index in indices if index in PARENTS}
    reached: dict[str, str] = {}
    for index in part_of(draft, indices):
        ends = [end for start, end in COLUMNS if start == index]
        end, shown = index, index
        if ends and index not in fixed and draft.chance(70):
            end = draft.choose(*ends)
            shown = f"{draft.column(index, end)}[{index}]"
            onward = [last for start, last in COLUMNS if start == end]
            if onward and draft.chance(30):
                shown = f"{draft.column(end, onward[0])}[{shown}]"
                end = onward[0]
        if end in reached:
            return indices, indices
        reached[end] = shown
    order = sorted(reached, key=list(PLATES).index)
    return tuple(order), tuple(reached[index] for index in order)
