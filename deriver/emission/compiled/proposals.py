"""The Newton proposal of a vector as text: a t distribution about a Newton step, and the ratio that accepts it.

From a point with centre m and precision LL', proposed is m + L'^-1 t, t having the standard multivariate t distribution
of ``FREEDOM`` degrees; its density at a value is known but for a factor by |L| and 4 + |L'(value - m)|^2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deriver.emission.compiled import unrolled
from deriver.emission.compiled.body import Body
from deriver.emission.text import Text, atom, join_product, join_sum

FREEDOM = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What ``newton_<node>`` returns, by name: log kernel, the centre of the proposal and the root of its precision."""

    value: str
    centre: tuple[str, ...]
    root: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, body: Body, size: int, value: str) -> Point:
        """Return unused names for what is found at the current value ("now") or at the proposal ("then")."""
        centre, root = ("centre", "L") if value == "now" else ("back", "M")
        return cls(
            value=body.fresh(value),
            centre=tuple(body.fresh(f"{centre}_{a}") for a in range(size)),
            root=tuple(tuple(body.fresh(f"{root}_{a}{b}") for b in range(a + 1)) for a in range(size)),
        )

    @property
    def names(self) -> list[str]:
        """Return the names in the order of what is returned."""
        return [self.value, *self.centre, *(name for row in self.root for name in row)]

    @property
    def volume(self) -> str:
        """Return the root of the determinant of the precision."""
        return " * ".join(row[-1] for row in self.root)


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Where random numbers come from, as text: two uniforms for a gamma, normals; and the logarithm to use."""

    log: str
    gammas: tuple[str, str]
    normals: tuple[str, ...]


def write_proposal(body: Body, here: Point, noise: Noise) -> tuple[list[str], list[str]]:
    """Write a proposal from a point; return the names of its components, and of those of the standard t."""
    size = len(here.centre)
    gamma, wide = body.fresh("gamma"), body.fresh("wide")
    body.add(f"{gamma} = -{noise.log}({noise.gammas[0]} * {noise.gammas[1]})")
    body.add(f"{wide} = math.sqrt({FREEDOM / 2} / {gamma})  # t with {FREEDOM} df")
    scaled = [body.fresh(f"t_{a}") for a in range(size)]
    for name, normal in zip(scaled, noise.normals, strict=True):
        body.add(f"{name} = {wide} * {normal}")
    lower = [[atom(name) for name in row] for row in here.root]
    turned = [body.fresh(f"turned_{a}") for a in range(size)]
    unrolled.back_solution(body, lower, [atom(name) for name in scaled], turned)
    new = [body.fresh(f"new_{a}") for a in range(size)]
    for name, centre, turn in zip(new, here.centre, turned, strict=True):
        body.add(f"{name} = {centre} + {turn}")
    return new, scaled


def write_width(body: Body, hint: str, scaled: Sequence[str]) -> str:
    """Write 4 + |t|^2, and return its name."""
    squares = [(False, join_product([atom(cell), atom(cell)], [])) for cell in scaled]
    return unrolled.named(body, hint, join_sum([(False, atom(str(FREEDOM))), *squares])).text


def write_ratio(
    body: Body, there: Point, value: Sequence[str], now: str, volume: str, ahead: str, log: str
) -> str:
    """Write the log ratio of a proposal, whose way back leads to ``value``; return its name.

    ``now``, ``volume`` and ``ahead`` are log kernel, root of the determinant and width at the value.
    """
    size = len(value)
    back = [body.fresh(f"s_{a}") for a in range(size)]
    for a, name in enumerate(back):
        terms: list[tuple[bool, Text]] = []
        for c in range(a, size):
            apart = join_sum([(False, atom(value[c])), (True, atom(there.centre[c]))])
            terms.append((False, join_product([atom(there.root[c][a]), apart], [])))
        body.assign(name, join_sum(terms))
    behind, ratio = write_width(body, "behind", back), body.fresh("ratio")
    below = f"({volume})" if " * " in volume and "[" not in volume else volume
    body.add(f"{ratio} = {there.value} - {now}")
    body.add(f"{ratio} += {log}({there.volume} / {below})")
    body.add(f"{ratio} += {(FREEDOM + size) / 2} * {log}({ahead} / {behind})")
    return ratio
