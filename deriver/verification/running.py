"""Doing the replicates: over the cores, on a Dask cluster, and on from where an interrupted run stopped.

Stage verification.  Results are appended to a state file as lines of JSON, if one is named; its first line tells which
task they belong to.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from deriver.errors import Mistake, UsageError
from deriver.running.cluster import connect
from deriver.verification.replicates import KINDS, Kind, Replicate, Task, run_batch

BATCHES_A_CORE = 16
MOST_IN_A_BATCH = 8  # an interrupt waits for the batches that are being done
PATIENCE = "20s"  # for a scheduler to answer
Place = tuple[Kind, int]


def run_replicates(
    task: Task, *, jobs: int | None = None, dask: str | None = None, resume: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Replicate]:  # fmt: skip
    """Return every replicate of a task, in order.

    An interrupt (Ctrl-C) leaves those that are done in the file ``resume``; the same call goes on from there.
    Raises ``UsageError`` when the file belongs to another task, or Dask is missing.
    """
    wanted: list[Place] = [(kind, k) for kind in KINDS for k in range(task.effort.count(kind))]
    done = {} if resume is None else read_state(resume, task)
    todo = [place for place in wanted if place not in done]
    cores = max(1, min(jobs or os.cpu_count() or 1, len(todo) or 1))
    with StateFile(resume, task) as file:
        for replicate in _run(task, todo, cores, dask):
            done[replicate.kind, replicate.number] = replicate
            file.append(replicate)
            if progress is not None:
                progress(len(done), len(wanted))
    return [done[place] for place in wanted]


def _batches(todo: Sequence[Place], cores: int) -> list[list[Place]]:
    """Return batches of unlike replicates, so that all take about as long."""
    count = min(len(todo), max(cores * BATCHES_A_CORE, len(todo) // MOST_IN_A_BATCH))
    return [list(todo[k::count]) for k in range(count)]


def _run(task: Task, todo: Sequence[Place], cores: int, dask: str | None) -> Iterator[Replicate]:
    if not todo:
        return
    if dask is not None:
        yield from _run_on_dask(task, todo, dask)
    elif cores == 1:
        for place in todo:
            yield from run_batch(task, [place])
    else:
        yield from _run_on_cores(task, _batches(todo, cores), cores)


def _run_on_cores(task: Task, batches: list[list[Place]], cores: int) -> Iterator[Replicate]:
    with ProcessPoolExecutor(cores, initializer=_leave_interrupts) as pool:
        futures = [pool.submit(run_batch, task, batch) for batch in batches]
        try:
            for future in as_completed(futures):
                yield from future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _leave_interrupts() -> None:
    """Leave interrupts to the parent: Ctrl-C reaches every process of a terminal."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _run_on_dask(task: Task, todo: Sequence[Place], address: str) -> Iterator[Replicate]:
    with connect(address, PATIENCE) as client:
        import distributed

        shared = client.scatter(task, broadcast=True)
        batches = _batches(todo, max(1, sum(client.nthreads().values())))
        futures = [client.submit(run_batch, shared, batch, pure=False) for batch in batches]
        for _, replicates in distributed.as_completed(futures, with_results=True):
            yield from replicates


# --- the state file ---------------------------------------------------------------------------------------


class StateFile:
    """A file to which each replicate is appended as soon as it is done; nothing is written if none is named."""

    def __init__(self, path: Path | None, task: Task) -> None:
        self._path, self._task = path, task
        self._file: Any = None

    def __enter__(self) -> Self:
        if self._path is not None:
            new = not self._path.exists() or self._path.stat().st_size == 0
            _drop_unfinished_line(self._path)
            self._file = self._path.open("a", encoding="utf-8")
            if new:
                self._write({"model": self._task.model.name, "task": self._task.key})
        return self

    def __exit__(self, *exc: object) -> None:
        if self._file is not None:
            self._file.close()

    def append(self, replicate: Replicate) -> None:
        """Write one replicate as a line."""
        self._write(asdict(replicate))

    def _write(self, entry: dict[str, Any]) -> None:
        if self._file is not None:
            self._file.write(json.dumps(entry, separators=(",", ":")) + "\n")
            self._file.flush()


def _drop_unfinished_line(path: Path) -> None:
    """Cut off a last line that an interrupt left unfinished."""
    if path.exists():
        text = path.read_bytes()
        if text and not text.endswith(b"\n"):
            path.write_bytes(text[: text.rfind(b"\n") + 1])


def read_state(path: Path, task: Task) -> dict[Place, Replicate]:
    """Return the replicates in a state file; raise ``UsageError`` if they belong to another task."""
    if not path.exists():
        return {}
    try:
        lines = [
            json.loads(line)
            for line in path.read_text(encoding="utf-8").splitlines(True)
            if line.endswith("\n")
        ]
    except (OSError, ValueError):
        lines = [{"task": ""}]
    if not lines:
        return {}
    if not isinstance(lines[0], dict) or lines[0].get("task") != task.key:
        found = f"--resume {path}: the file belongs to another model, seed, effort or setting"
        remedy = "name another file, or give the options of the run that was interrupted"
        raise UsageError([Mistake(code="resume", found=found, remedy=remedy)])
    found_replicates = (
        Replicate(
            kind=entry["kind"], number=entry["number"], error=entry["error"],
            values={name: tuple(values) for name, values in entry["values"].items()},
        )
        for entry in lines[1:]
    )  # fmt: skip
    return {(each.kind, each.number): each for each in found_replicates}
