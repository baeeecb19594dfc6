"""Loading an emitted sampler and running its chains.

Stage run, second part.  Input: the emitted source and a ``Binding``.  Output: ``Draws``.  The source is written to
a private folder and imported, as the user would import it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import linecache
import os
import re
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Self

import numpy as np

from deriver.errors import DataError, InternalError, Mistake
from deriver.running.moments import FieldMoments, Watcher
from deriver.running.streaming import Stream, Streamed


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to run the chains; ``seed`` None draws one, which the result tells.

    ``keep`` names the nodes that are kept, all of them by default; ``keep_draws`` those of which every draw is kept
    however large, ``moments`` those that are kept as moments (see ``retention``).  ``stream`` names nodes kept as moments
    of which every so many draws are written to a disk, in ``folder`` while the run lasts.
    """

    chains: int = 4
    warmup: int = 1000
    draws: int = 1000
    thin: int = 1
    seed: int | None = None
    keep: tuple[str, ...] | None = None
    keep_draws: tuple[str, ...] = ()
    moments: tuple[str, ...] = ()
    stream: Mapping[str, int] = field(default_factory=dict)
    folder: Path | None = None
    progress: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """``values`` by node: (chains, draws, plate axes, component axes); ``acceptance`` by node: (chains, ...).

    ``moments`` by node are those of fields whose draws are not kept, or are ``streamed`` to a disk.  ``mixing`` is the
    effective draws a sweep by which the sampler chose whether to update nodes ``together``; nan where it had no choice.
    ``linked`` names those that it can draw in one draw, ``apart`` tells why it did not, where they are too many.
    ``lost`` numbers the chains that never came to values of positive density.
    """

    values: Mapping[str, np.ndarray]
    acceptance: Mapping[str, np.ndarray]
    seed: int
    seconds: float
    warmup_seconds: float
    asked: int
    moments: Mapping[str, FieldMoments] = field(default_factory=dict)
    streamed: Mapping[str, Streamed] = field(default_factory=dict)
    together: bool = False
    mixing: float = float("nan")
    linked: str = ""
    apart: str = ""
    lost: tuple[int, ...] = ()

    @property
    def done(self) -> int:
        """Return the number of draws kept per chain."""
        counts = [array.shape[1] for array in self.values.values()]
        return min([*counts, *(each.draws for each in self.moments.values())], default=0)


# How an emitted module compiles what only compiled functions call.  A run adds that they need no way in from Python,
# which takes a third of the time to compile, and no place in the cache: what calls them holds their code.
INNER = re.compile(r"^(compiled|inlined|merged) = numba\.njit\(\*\*SETTINGS", re.MULTILINE)
SEALED = r'\g<1> = numba.njit(**SETTINGS | {"cache": False}, no_cpython_wrapper=True, no_cfunc_wrapper=True'


def load_sampler(source: str, name: str, *, cached: bool = True, sealed: bool = False) -> ModuleType:
    """Return the emitted source as a module; its lines stay known to tracebacks.

    Compiled source stays in a folder of the user's cache, by its contents, so that it is compiled once;
    unless ``cached`` is false.  ``sealed`` leaves out what it takes to call its inner functions from Python.
    """
    if "import numba" in source:
        return _load_compiled(INNER.sub(SEALED, source) if sealed else source, name, cached)
    folder = Path(tempfile.mkdtemp(prefix="deriver-"))
    path = folder / f"sampler_{name}.py"
    try:
        path.write_text(source, encoding="utf-8")
        module = _import(path)
        linecache.cache[str(path)] = (len(source), None, source.splitlines(keepends=True), str(path))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return module


def _import(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise InternalError(f"the emitted module {path.stem} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    previous, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = previous
    return module


def _load_compiled(source: str, name: str, cached: bool) -> ModuleType:
    """Import compiled source from the cache, or from a temporary folder where the cache cannot be written."""
    from deriver.running.cache import make_entry

    key = hashlib.sha256(source.encode("utf-8")).hexdigest()[:16]
    try:
        folder = make_entry(key) if cached else Path(tempfile.mkdtemp(prefix="deriver-"))
    except OSError:
        folder = Path(tempfile.mkdtemp(prefix="deriver-"))
    path = folder / f"sampler_{name}.py"
    if not path.is_file():
        partial = path.with_suffix(f".{os.getpid()}.part")
        partial.write_text(source, encoding="utf-8")
        partial.replace(path)
    return _import(path)


def draw_samples(
    module: ModuleType,
    arrays: Mapping[str, np.ndarray],
    settings: Settings,
    start: Mapping[str, Any] | None = None,
    *,
    keep: Sequence[str] | None = None,
    fields: Mapping[str, tuple[int, ...]] | None = None,
) -> Draws:
    """Run the chains; an interrupt (Ctrl-C) keeps the draws so far.

    ``keep`` names the nodes whose draws are kept, all by default; ``fields`` gives the shapes of those of which only
    moments are.
    """
    streams = {
        name: Stream(shape, settings.chains, settings.draws, settings.stream[name], settings.folder)
        for name, shape in (fields or {}).items() if name in settings.stream
    }  # fmt: skip
    watcher = Watcher(fields, settings.chains, settings.draws, streams) if fields else None
    extra = {} if watcher is None else {"visit": watcher}
    seed = secrets.randbits(31) if settings.seed is None else settings.seed
    try:
        data = module.prepare(dict(arrays))
    except ValueError as error:  # what the sampler cannot hold
        raise DataError([Mistake(code="data", found=str(error), remedy="leave these rows out")]) from None
    began = time.perf_counter()
    with ProgressBar(settings) as bar:
        found = module.sample(
            data, draws=settings.draws, warmup=settings.warmup, chains=settings.chains, thin=settings.thin,
            seed=seed, keep=keep, start=dict(start) if start else None, progress=bar.update, **extra,
        )  # fmt: skip
    values = {name: np.asarray(array) for name, array in found.items() if isinstance(array, np.ndarray)}
    rates = found.get("acceptance", {})
    acceptance = (
        {name: np.asarray(rate) for name, rate in rates.items()} if isinstance(rates, Mapping) else {}
    )
    values.pop("acceptance", None)
    return Draws(
        values=values,
        acceptance=acceptance,
        seed=seed,
        seconds=time.perf_counter() - began,
        warmup_seconds=bar.warm - began,
        asked=settings.draws,
        moments={} if watcher is None else watcher.results(),
        streamed={name: stream.result() for name, stream in streams.items()},
        together=bool(found.get("together", False)),
        mixing=float(found.get("mixing", np.nan)),
        linked=str(found.get("linked", "")),
        apart=str(found.get("apart", "")),
        lost=tuple(found.get("lost", ())),
    )


class ProgressBar:
    """A progress bar on the terminal, if there is one or it was asked for; ``update`` takes sweeps done.

    ``warm`` is when the warm-up ended (``time.perf_counter``): what is compiled or loaded is so by then.
    """

    def __init__(self, settings: Settings) -> None:
        wanted = settings.progress if settings.progress is not None else sys.stderr.isatty()
        self._warmup, self._total = settings.warmup, settings.warmup + settings.draws * settings.thin
        self.warm = time.perf_counter()
        self._bar: Any = None
        if wanted:
            from tqdm import tqdm

            self._bar = tqdm(total=self._total, desc=f"{settings.chains} chains", unit=" sweeps", leave=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def update(self, done: int, total: int | None = None) -> None:
        """Show that ``done`` sweeps of the chains are finished."""
        if done <= self._warmup:
            self.warm = time.perf_counter()
        if self._bar is not None:
            self._bar.update(done - self._bar.n)
