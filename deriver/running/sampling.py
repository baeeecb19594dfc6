"""Loading an emitted sampler and running its chains.

Stage run, second part.  Input: the emitted source and a ``Binding``.  Output: ``Draws``.  The source is written to
a private folder and imported, as the user would import it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import linecache
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Self

import numpy as np

from deriver.errors import InternalError


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to run the chains; ``seed`` None draws one, which the result tells."""

    chains: int = 4
    warmup: int = 1000
    draws: int = 1000
    thin: int = 1
    seed: int | None = None
    keep: tuple[str, ...] | None = None
    progress: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """``values`` by node: (chains, draws, plate axes, component axes); ``acceptance`` by node: (chains, ...).

    ``mixing`` is the effective draws a sweep by which the sampler chose whether to update nodes ``together``; nan where
    it had no choice.
    """

    values: Mapping[str, np.ndarray]
    acceptance: Mapping[str, np.ndarray]
    seed: int
    seconds: float
    asked: int
    together: bool = False
    mixing: float = float("nan")

    @property
    def done(self) -> int:
        """Return the number of draws kept per chain."""
        return next((array.shape[1] for array in self.values.values()), 0)


def load_sampler(source: str, name: str) -> ModuleType:
    """Return the emitted source as a module; its lines stay known to tracebacks.

    Compiled source stays in a folder of the user's cache, by its contents, so that it is compiled once.
    """
    if "import numba" in source:
        return _load_compiled(source, name)
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


def cache_folder() -> Path:
    """Return the folder that keeps compiled samplers: ``DERIVER_CACHE``, or the user's cache."""
    own = os.environ.get("DERIVER_CACHE")
    if own:
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "deriver"


def _load_compiled(source: str, name: str) -> ModuleType:
    """Import compiled source from the cache, or from a temporary folder where the cache cannot be written."""
    key = hashlib.sha256(source.encode("utf-8")).hexdigest()[:16]
    try:
        folder = cache_folder() / key
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)
        _forget_old(folder.parent)
    except OSError:
        folder = Path(tempfile.mkdtemp(prefix="deriver-"))
    path = folder / f"sampler_{name}.py"
    if not path.is_file():
        partial = path.with_suffix(f".{os.getpid()}.part")
        partial.write_text(source, encoding="utf-8")
        partial.replace(path)
    return _import(path)


def _forget_old(cache: Path, kept: int = 50) -> None:
    """Remove all but the samplers used last."""
    folders = sorted(
        (f for f in cache.iterdir() if f.is_dir()), key=lambda f: f.stat().st_mtime, reverse=True
    )
    for folder in folders[kept:]:
        shutil.rmtree(folder, ignore_errors=True)


def draw_samples(
    module: ModuleType,
    arrays: Mapping[str, np.ndarray],
    settings: Settings,
    start: Mapping[str, Any] | None = None,
) -> Draws:
    """Run the chains; an interrupt (Ctrl-C) keeps the draws so far."""
    seed = secrets.randbits(31) if settings.seed is None else settings.seed
    data = module.prepare(dict(arrays))
    began = time.perf_counter()
    with ProgressBar(settings) as bar:
        found = module.sample(
            data, draws=settings.draws, warmup=settings.warmup, chains=settings.chains, thin=settings.thin,
            seed=seed, keep=settings.keep, start=dict(start) if start else None, progress=bar.update,
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
        asked=settings.draws,
        together=bool(found.get("together", False)),
        mixing=float(found.get("mixing", np.nan)),
    )


class ProgressBar:
    """A progress bar on the terminal, if there is one or it was asked for; ``update`` takes sweeps done."""

    def __init__(self, settings: Settings) -> None:
        wanted = settings.progress if settings.progress is not None else sys.stderr.isatty()
        self._total = settings.warmup + settings.draws * settings.thin
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
        if self._bar is not None:
            self._bar.update(done - self._bar.n)
