"""Draws of fields written to a disk while they are taken, so that memory need not hold them.

Part of stage run.  Input: the values of a node at each draw, (chains, ...).  Output: ``Streamed``: an array (chains,
draws, ...) that is read from the disk when it is used.  The files have no name, and are gone when nothing uses them.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from deriver.running.problems import Problems

if TYPE_CHECKING:
    from deriver.running.sampling import Settings

NUMBER = 8
COPIES = 2  # the file of the draws as they come, and the file of results


@dataclass(frozen=True, slots=True, kw_only=True)
class Streamed:
    """Every ``every``-th draw of a node, (chains, draws, ...)."""

    array: np.ndarray
    every: int

    def numbers(self) -> np.ndarray:
        """Return the numbers of the draws, from 0."""
        return np.arange(1, self.array.shape[1] + 1) * self.every - 1


class Stream:
    """Takes the draws of one node, one after another, and writes every ``every``-th of them."""

    def __init__(
        self, extents: tuple[int, ...], chains: int, draws: int, every: int, folder: Path | None
    ) -> None:
        """Make room on the disk for ``draws`` draws of a node of that shape; ``folder`` is that of temporary files."""
        self.every = every
        self.shape = (chains, draws // every, *extents)
        self.done = 0
        self._size = NUMBER * int(np.prod(extents, dtype=int))
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=folder, prefix=".deriver-", buffering=0)  # noqa: SIM115  open as long as the run
        self._file.truncate(max(self._size * chains * self.shape[1], 1))

    def add(self, number: int, value: np.ndarray) -> None:
        """Take the draw of a number, counted from 0: an array (chains, *shape)."""
        if (number + 1) % self.every:
            return
        for chain, own in enumerate(np.ascontiguousarray(value, dtype=float)):
            self._file.seek(self._size * (chain * self.shape[1] + self.done))
            rest = memoryview(own).cast("B")
            while rest:  # a write may stop short
                rest = rest[self._file.write(rest) :]
        self.done += 1

    def result(self) -> Streamed:
        """Return the draws so far."""
        if not self.done:
            return Streamed(array=np.empty((self.shape[0], 0, *self.shape[2:])), every=self.every)
        array = np.memmap(self._file, dtype=float, mode="r", shape=self.shape)
        return Streamed(array=array[:, : self.done], every=self.every)


def check_disk(counts: Mapping[str, int], settings: Settings, problems: Problems) -> None:
    """Add a mistake if the disk would not hold the streamed draws of fields with so many elements."""
    from deriver.running.retention import in_words

    every = settings.stream
    sizes = {
        name: NUMBER * count * settings.chains * (settings.draws // every[name])
        for name, count in counts.items()
    }
    place = settings.folder or Path(tempfile.gettempdir())
    wanted, free = COPIES * sum(sizes.values()), shutil.disk_usage(place).free
    if wanted <= free:
        return
    largest = max(sizes, key=lambda name: sizes[name])
    enough = -(-wanted * every[largest] // max(free, 1))
    problems.add(
        "disk", f"the draws that --stream writes would take {in_words(wanted)} (the results, and as much while they are "
        f"taken), where {in_words(free)} are free in {place}",
        expected=f"at most {in_words(free)}",
        remedy=f"--stream {largest}={enough} writes every {enough}th draw; or a disk with more room, or fewer --draws",
        usage=True,
    )  # fmt: skip
