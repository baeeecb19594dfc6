"""Emits this project's samplers, and times and runs them through the interface of the emitted module."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

import deriver
from cases import Case
from datasets import Rows
from deriver.running.fixing import fix_nodes
from settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampler:
    """A sampler with its data bound: ``module.sample(data, ...)`` runs it."""

    module: ModuleType
    data: Any
    nodes: tuple[str, ...]

    def run(self, *, draws: int, warmup: int, chains: int, seed: int) -> tuple[dict[str, Any], float]:
        """Draws of the top-level nodes, and processor seconds of a sweep after the warm-up.

        The clock is read at the first report of progress after the warm-up and at the last, so that starts, and a
        compilation before them, do not count; where a backend reports but once, the whole call is shared out.
        """
        marks: list[tuple[int, float]] = []

        def mark(number: int, total: int) -> None:
            if number >= warmup and (not marks or number == total):
                marks.append((number, time.process_time()))

        began = time.process_time()
        found = self.module.sample(
            self.data, draws=draws, warmup=warmup, chains=chains, seed=seed, keep=self.nodes, progress=mark
        )
        if len(marks) == 2 and marks[1][0] > marks[0][0]:
            return found, (marks[1][1] - marks[0][1]) / (marks[1][0] - marks[0][0])
        return found, (time.process_time() - began) / (draws + warmup)


def make_sampler(case: Case, rows: Rows, settings: Settings, blocks: str) -> Sampler:
    """Emit the sampler of a case, import it, and prepare the data.

    ``blocks`` is "off" for the plain sweep that the C samplers do, or what ``deriver.emit`` takes besides.
    """
    model = deriver.load_model(case.packaged)
    if case.start:
        model = fix_nodes(model, {name: str(value) for name, value in case.start.items()})
    data, methods = case.bind(rows), settings.own_methods(case.key)
    sizes = {"p": 2} if settings.backend == "numba" and "Sigma0" in data else None
    source = deriver.emit(model, backend=settings.backend, methods=methods, sizes=sizes, blocks=blocks)
    module = import_source(source, settings.build / "emitted", f"{case.packaged}_{settings.backend}")
    return Sampler(module=module, data=module.prepare(data), nodes=case.nodes)


def import_source(source: str, folder: Path, stem: str) -> ModuleType:
    """Write emitted source to the folder and import it; its name carries its content, as caches need."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{stem}_{hashlib.sha256(source.encode()).hexdigest()[:12]}"
    path = folder / f"{name}.py"
    path.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def choose_draws(sampler: Sampler, budget: float, limit: int) -> int:
    """How many sweeps fill a budget of seconds, after one call that compiles.

    Trials grow until they take a tenth of the budget: a few short sweeps would time the hand-over to a thread.  The least
    number is that of several reports of progress, so that the start of a chain does not count.
    """
    sampler.run(draws=1, warmup=1, chains=1, seed=0)
    draws, seconds = 6, 0.0
    while draws < limit:
        _, seconds = sampler.run(draws=draws, warmup=0, chains=1, seed=0)
        if seconds * draws > budget / 10:
            break
        draws *= 8
    return int(np.clip(budget / max(seconds, 1e-8), 64, limit))


def time_sweep(sampler: Sampler, draws: int, seed: int) -> float:
    """Seconds of a sweep of one chain."""
    return max(sampler.run(draws=draws, warmup=0, chains=1, seed=seed)[1], 1e-9)
