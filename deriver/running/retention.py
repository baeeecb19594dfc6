"""What a run keeps: all draws of a node, or, of a large field, its moments; foreseen in bytes before it starts.

Part of stage run.  Input: layouts and settings.  Output: a ``Retention``, or what to do where memory would not hold it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deriver.model.records import Model
from deriver.running.layout import Layout
from deriver.running.moments import bytes_per_element
from deriver.running.problems import Problems
from deriver.running.sampling import Settings

# A node whose draws would take more bytes than this is kept as moments, unless its draws are asked for.
LARGE = 2**30
# The share of the free memory that the draws, and what is made of them, may take.
SHARE = 0.8
NUMBER = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """Which drawn nodes are kept whole, and which as moments, with the shape of one draw."""

    whole: tuple[str, ...]
    moments: Mapping[str, tuple[int, ...]]
    bytes: int
    notes: tuple[str, ...] = ()


def drawn_nodes(model: Model) -> tuple[str, ...]:
    """Return the nodes that a sampler draws."""
    return tuple(n.name for n in model.nodes if n.is_drawn)


def plan_retention(model: Model, layouts: Mapping[str, Layout], settings: Settings) -> Retention:
    """Return what is kept of each node: draws where they are asked for, or take less than ``LARGE``."""
    as_moments = {*settings.moments, *settings.stream}
    more = {*settings.keep_draws, *as_moments}
    names = [n for n in drawn_nodes(model) if settings.keep is None or n in settings.keep or n in more]
    asked = {*(settings.keep or ()), *settings.keep_draws}
    counts = {name: int(np.prod(layouts[name].extents, dtype=int)) for name in names}
    whole, moments, notes, total = [], {}, [], 0
    for name, count in counts.items():
        size = draws_bytes(count, settings)
        if name in as_moments or (size > LARGE and name not in asked):
            moments[name] = layouts[name].extents
            total += count * bytes_per_element(settings.chains, settings.draws)
            if name not in as_moments:
                notes.append(
                    f"{name} has {count:,} elements, whose draws would take {in_words(size)}: kept as moments and "
                    f"quantiles; --stream {name} writes every draw to the file, --keep-draws {name} keeps them in memory"
                )
        else:
            whole.append(name)
            total += size
    return Retention(whole=tuple(whole), moments=moments, bytes=total, notes=tuple(notes))


def draws_bytes(elements: int, settings: Settings) -> int:
    """Return what all draws of so many elements take."""
    return NUMBER * elements * settings.chains * settings.draws


def check_memory(
    retention: Retention, layouts: Mapping[str, Layout], settings: Settings, problems: Problems,
    made: Mapping[str, int],
) -> None:  # fmt: skip
    """Add a mistake if memory would not hold what is kept and ``made`` (elements of other quantities, by name)."""
    free = free_memory()
    sizes = {
        name: draws_bytes(int(np.prod(layouts[name].extents, dtype=int)), settings)
        for name in retention.whole
    }
    sizes |= {name: draws_bytes(count, settings) for name, count in made.items()}
    total = retention.bytes + sum(draws_bytes(count, settings) for count in made.values())
    if free is None or total <= SHARE * free:
        return
    largest = sorted(sizes, key=lambda name: sizes[name], reverse=True)[:3]
    shown = ", ".join(f"{name} {in_words(sizes[name])}" for name in largest)
    fields = [name for name in largest if name in retention.whole]
    remedy = "run fewer --draws, or a larger --thin; leave out what is large, or name in --keep what you need"
    if fields:
        remedy += (
            f"; --moments {fields[0]} keeps means, sds and quantiles of its elements only, and --stream "
        )
        remedy += f"{fields[0]} besides writes its draws to the file as they are taken"
    problems.add(
        "memory", f"what the run keeps would take {in_words(total)}, where {in_words(free)} are free ({shown})",
        expected=f"at most {in_words(int(SHARE * free))}", remedy=remedy, usage=True,
    )  # fmt: skip


def in_words(size: int) -> str:
    """Return a number of bytes as ``1.2 GB``."""
    for unit, power in (("GB", 3), ("MB", 2)):
        if size >= 1000**power:
            return f"{size / 1000**power:.1f} {unit}"
    return f"{size / 1000:.1f} kB"


def free_memory() -> int | None:
    """Return how many bytes this process can still take, or None where the system does not tell."""
    found = [bound for bound in (_system_memory(), _group_memory()) if bound is not None]
    return min(found, default=None)


def _system_memory() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _group_memory() -> int | None:
    """Return what the limit of a container leaves."""
    base = Path("/sys/fs/cgroup")
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        left = _read_numbers([base / limit, base / used])
        if left is not None:
            return max(left[0] - left[1], 0)
    return None


def _read_numbers(paths: Sequence[Path]) -> list[int] | None:
    try:
        return [int(path.read_text(encoding="ascii")) for path in paths]
    except (OSError, ValueError):
        return None
