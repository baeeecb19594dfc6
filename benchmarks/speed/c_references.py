"""Builds and runs the hand-written C samplers of the folder c/."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cases import Case
from datasets import Rows
from machine import SINGLE_THREAD

SOURCES = Path(__file__).parent / "c"
FLAGS = ("-O3", "-march=native", "-ffast-math")


@dataclass(frozen=True, slots=True, kw_only=True)
class CRun:
    """One run: processor seconds a sweep after the warm-up, and the draws (draws, k)."""

    seconds_per_sweep: float
    acceptance: float
    draws: np.ndarray


def build_samplers(build: Path) -> None:
    """Compile every sampler into ``build``; raises ``SystemExit`` where there is no compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise SystemExit("a C compiler is needed: gcc")
    build.mkdir(parents=True, exist_ok=True)
    for source in sorted(SOURCES.glob("*.c")):
        command = [compiler, *FLAGS, "-o", str(build / source.stem), str(source), "-lm"]
        subprocess.run(command, check=True)


def run_sampler(build: Path, case: Case, rows: Rows, *, draws: int, warmup: int, seed: int) -> CRun:
    """Run one chain of the C sampler of a case."""
    with tempfile.TemporaryDirectory() as folder:
        data, output = Path(folder) / "data.bin", Path(folder) / "draws.bin"
        rows.write(data)
        options = [str(value) for value in (draws, warmup, seed, *case.priors(rows))]
        command = [str(build / case.packaged), str(data), str(output), *options]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=SINGLE_THREAD)
        values = np.fromfile(output).reshape(draws, -1)
    found = json.loads(done.stdout)
    return CRun(seconds_per_sweep=found["seconds_per_sweep"], acceptance=found["acceptance"], draws=values)
