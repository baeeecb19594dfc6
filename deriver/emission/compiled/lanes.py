"""Compiled Newton updates of many elements side by side: what goes before and after the sums over rows vectorises.

The elements of a plate are taken ``WIDTH`` at a time, each a lane.  What the proposals need of each is laid out in the
room of the random numbers, in rows of ``WIDTH``: a loop over lanes then reads and writes one array at distances that the
compiler knows, and has no test and no call in it.  Lanes without an element copy the first; nothing is taken from them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from sympy import Symbol

from deriver.emission.compiled.body import Body
from deriver.emission.compiled.functions import place, target_text
from deriver.emission.compiled.indices import number, plate_is_ragged
from deriver.emission.compiled.inner import assigned_in
from deriver.emission.compiled.newton import (
    Newton,
    names_of,
    own_place,
    write_call,
    write_newton,
    write_sums_at,
    write_sums_now,
)
from deriver.emission.compiled.proposals import Noise, Point, write_proposal, write_ratio, write_width
from deriver.emission.rows import index_name
from deriver.emission.text import atom
from deriver.emission.views import FunctionView
from deriver.plan.records import Step

UNIFORMS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Lanes:
    """The names of a loop over lanes, and the rows of the room by what they hold."""

    body: Body
    room: str
    first: str
    count: str
    lane: str
    index: str
    symbol: Symbol
    size: str
    rows: dict[str, int] = field(default_factory=dict)

    def cell(self, name: str) -> str:
        """Return the place of a name's number in the lane; a new name gets the next row."""
        row = self.rows.setdefault(name, len(self.rows))
        return f"{self.room}[{self.at(row)}{self.lane}]"

    def at(self, row: int) -> str:
        """Return the beginning of a row, to be added to."""
        return "" if row == 0 else "WIDTH + " if row == 1 else f"{row} * WIDTH + "

    def put(self, name: str, text: str) -> None:
        """Write a number into the lane."""
        self.body.assign(self.cell(name), atom(text))

    @contextmanager
    def all(self) -> Iterator[None]:
        """Open a loop over all lanes, which vectorises."""
        with self.body.nested(f"for {self.lane} in range(WIDTH):", ()):
            yield

    @contextmanager
    def elements(self) -> Iterator[None]:
        """Open a loop over the lanes that have an element, by its index."""
        with self.body.nested(f"for {self.lane} in range({self.count}):", (self.symbol,)):
            self.body.add(f"{self.index} = {self.first} + {self.lane}")
            yield


def is_side_by_side(body: Body, step: Step) -> bool:
    """Tell whether the elements of a node are those of one plate of fixed length."""
    ranges = step.conditional.ranges
    return len(ranges) == 1 and not plate_is_ragged(body, ranges[0][0])


def write_side_by_side(body: Body, step: Step) -> tuple[Newton, list[FunctionView]]:
    """Write the update of all elements; return the proposal with ``sums_<node>`` and ``newton_<node>``."""
    body.needs.helpers |= {"fill_normal", "fill_uniform", "logarithm"}
    with _chunks(body, step) as lanes:
        with lanes.elements():
            newton, functions = write_newton(body, step)
            around = _load(lanes, step, newton)
        _pad(lanes, newton)
        _propose(lanes, step, newton, around)
        with lanes.elements():
            _add_up(lanes, newton, around)
        _weigh(lanes, step, newton, around)
        with lanes.elements():
            _take(lanes, step, newton)
    body.needs.lanes = max(body.needs.lanes, len(lanes.rows))
    return newton, functions


@contextmanager
def _chunks(body: Body, step: Step) -> Iterator[Lanes]:
    """Open a loop over every ``WIDTH`` elements of a node."""
    ((symbol, lower, upper),) = step.conditional.ranges
    before = body.space, dict(body.loops)
    body.space = body.space.extend(step.conditional.ranges)
    size = number(body, upper - lower + 1)
    lanes = Lanes(
        body=body,
        room=body.fresh("room"),
        first=body.fresh("first"),
        count=body.fresh("count"),
        lane=body.fresh("lane"),
        index=body.fresh(index_name(symbol)),
        symbol=symbol,
        size=size,
    )
    body.loops[symbol] = lanes.index
    body.add(f"{lanes.room} = rng.room")
    with body.nested(f"for {lanes.first} in range(0, {size}, WIDTH):", ()):
        body.add(f"{lanes.count} = min({size} - {lanes.first}, WIDTH)")
        yield lanes
    body.space, body.loops = before


def _noise_names(newton: Newton) -> tuple[list[str], list[str]]:
    """Return the first rows of the room: normals, which are made there, and uniforms."""
    return [f"normal {a}" for a in range(newton.size)], [f"uniform {a}" for a in range(UNIFORMS)]


def _load(lanes: Lanes, step: Step, newton: Newton) -> dict[str, str]:
    """Lay out what is known of each element; return the arguments of ``newton_`` and ``sums_`` by name."""
    body = lanes.body
    normals, uniforms = _noise_names(newton)
    for name in (*normals, *uniforms):
        lanes.cell(name)
    inside = assigned_in(body.block.lines) - {lanes.index}
    where, now = target_text(body, step), names_of(body, step, step.node)
    for a, name in enumerate(now):
        body.add(f"{name} = {place(where, (a,))}")
    sums = write_sums_now(body, newton, own_place(where), now)
    if sums and not newton.kept:
        sums = [f"sums[{a}]" for a in range(len(newton.sums))]
    for name, text in zip((*now, *newton.sums), (*now, *sums), strict=True):
        lanes.put(name, text)
    around = {}
    for name in dict.fromkeys((*newton.arguments, *newton.sum_arguments)):
        if name in inside:
            lanes.put(name, name)
        around[name] = lanes.cell(name) if name in inside else name
    return around


def _pad(lanes: Lanes, newton: Newton) -> None:
    """Copy the first lane to lanes without an element, and draw random numbers for all."""
    body = lanes.body
    begin, row = newton.size + UNIFORMS, body.fresh("row")
    with body.nested(f"for {lanes.lane} in range({lanes.count}, WIDTH):  # without an element", ()):
        body.add(f"for {row} in range({begin}, {len(lanes.rows)}):")
        body.add(f"    {lanes.room}[{row} * WIDTH + {lanes.lane}] = {lanes.room}[{row} * WIDTH]")
    body.add(f"fill_normal(rng, {lanes.room}[: {newton.size} * WIDTH])  # the first rows")
    body.add(f"fill_uniform(rng, {newton.size} * WIDTH, {UNIFORMS} * WIDTH)")


def _arguments(lanes: Lanes, newton: Newton, around: dict[str, str]) -> list[str]:
    """Return the arguments of ``newton_`` after the sums; an index is that of the first where a lane has none."""
    index = f"min({lanes.first} + {lanes.lane}, {lanes.size} - 1)"
    return [index if name == lanes.index else around[name] for name in newton.arguments]


def _proposed(lanes: Lanes, newton: Newton) -> list[str]:
    return [lanes.cell(f"new {a}") for a in range(newton.size)]


def _propose(lanes: Lanes, step: Step, newton: Newton, around: dict[str, str]) -> None:
    """Propose in every lane, and keep what the ratio needs."""
    body, here = lanes.body, Point.of(lanes.body, newton.size, "now")
    normals, uniforms = _noise_names(newton)
    with lanes.all():
        at = [lanes.cell(name) for name in (*names_of(body, step, step.node), *newton.sums)]
        write_call(body, newton, here.names, [*at, *_arguments(lanes, newton, around)])
        noise = Noise(
            log="logarithm",
            gammas=(lanes.cell(uniforms[0]), lanes.cell(uniforms[1])),
            normals=tuple(map(lanes.cell, normals)),
        )
        new, scaled = write_proposal(body, here, noise)
        for a, name in enumerate(new):
            lanes.put(f"new {a}", name)
        lanes.put("now", here.value)
        lanes.put("volume", here.volume)
        lanes.put("ahead", write_width(body, "ahead", scaled))


def _add_up(lanes: Lanes, newton: Newton, around: dict[str, str]) -> None:
    """Take the sums over rows of each element at its proposal."""
    own = replace(newton, sum_arguments=tuple(around[name] for name in newton.sum_arguments))
    write_sums_at(lanes.body, own, _proposed(lanes, newton))
    for a, name in enumerate(newton.sums):
        lanes.put(f"new {name}", f"sums[{a}]")


def _weigh(lanes: Lanes, step: Step, newton: Newton, around: dict[str, str]) -> None:
    """Weigh the proposals: the log ratio less the log of a uniform."""
    body, there = lanes.body, Point.of(lanes.body, newton.size, "then")
    _, uniforms = _noise_names(newton)
    with lanes.all():
        at = [*_proposed(lanes, newton), *(lanes.cell(f"new {name}") for name in newton.sums)]
        write_call(body, newton, there.names, [*at, *_arguments(lanes, newton, around)])
        now = [lanes.cell(name) for name in names_of(body, step, step.node)]
        known, volume, ahead = (lanes.cell(name) for name in ("now", "volume", "ahead"))
        ratio = write_ratio(body, there, now, known, volume, ahead, "logarithm")
        lanes.put("excess", f"{ratio} - logarithm({lanes.cell(uniforms[2])})")


def _take(lanes: Lanes, step: Step, newton: Newton) -> None:
    """Put what is accepted into the state, with its sums."""
    body, where = lanes.body, target_text(lanes.body, step)
    own = own_place(where)
    body.add(f"if {lanes.cell('excess')} > 0.0:")
    body.block.depth += 1
    new = _proposed(lanes, newton)
    for a, name in enumerate(new):
        body.assign(place(where, (a,)), atom(name))
    if newton.kept:
        for a, name in enumerate((*new, *(lanes.cell(f"new {name}") for name in newton.sums))):
            body.assign(place(f"kept{own}", (a,)), atom(name))
    body.add(f"rate{own} += 1.0")
    body.block.depth -= 1
