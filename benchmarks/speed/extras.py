"""Tables of digits lost by hoisting (7), of a whole process (8), and of a long Parquet file (9)."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from cases import A
from datasets import DATA, SEED, Rows
from generated import Sampler, make_sampler
from machine import SINGLE_THREAD
from report import Cell, Table
from settings import Settings

ROOT = Path(__file__).parents[2]
CURVES = ("--map", "y=yC", "--map", "x=[1, x]", "--index", "i=g")
RATS_PRIORS = ("--set", "S=[100, 0; 0, 100]", "--set", "nu=3", "--set", "q=2", "--set", "r=1")
BATCH_ROWS = 1_000_000
LONG_GROUPS = 1000


# --- digits ------------------------------------------------------------------------------------------------


def table_of_digits(settings: Settings) -> Table:
    """Relative error of the sum of squares that sigma2 is drawn from, where raw squares would lose all digits.

    A draw times the gamma variate of its own seed is the scale that it was drawn from.
    """
    rows, errors, note = _far_rows(), [], ""
    if settings.backend == "numpy":
        sampler = make_sampler(A, rows, settings, "off")
        errors = [_relative_error(sampler, rows, seed) for seed in range(10)]
    else:
        note = "Measured with --backend numpy, whose draws can be called one by one with a generator of one's own."
    return Table(
        number=7, title="Relative error of the sum of squares, mean 1e8, groups spread by 1e8, sd 1",
        columns=("model", "largest of ten states"), rows=(("A", max(errors, default=None)),), note=note,
    )  # fmt: skip


def _relative_error(sampler: Sampler, rows: Rows, seed: int) -> float:
    state = _far_state(sampler.module, rows, seed)
    drawn = sampler.module.draw_sigma2(np.random.default_rng(seed), state, sampler.data)
    scale = float(np.squeeze(drawn)) * float(
        np.random.default_rng(seed).standard_gamma(2.0 + len(rows.y) / 2)
    )
    return float(abs(Fraction(scale) / (_exact_squares(rows, state) / 2 + 1) - 1))


def _far_rows() -> Rows:
    rng = np.random.default_rng([SEED, 8])
    size = np.full(100, 20)
    centres = 1e8 + 1e8 * rng.standard_normal(len(size))
    x = rng.standard_normal(size.sum())
    return Rows(
        name="far", size=size, x=x, y=np.repeat(centres, size) - x + rng.standard_normal(len(x)), S0=1.0
    )


def _far_state(module: ModuleType, rows: Rows, seed: int) -> Any:
    """A state near the posterior, as a sampler would have it."""
    group = np.repeat(np.arange(len(rows.size)), rows.size)
    beta0 = np.bincount(group, rows.y + rows.x) / rows.size
    rng = np.random.default_rng(seed)
    values = {"beta0": beta0 + 0.2 * rng.standard_normal(len(beta0)), "mu0": 1e8, "sigma2_0": 1e16}
    values |= {"beta1": -1.01, "sigma2": 1.0}
    return module.State(**{name: np.asarray(value, dtype=float)[None] for name, value in values.items()})


def _exact_squares(rows: Rows, state: Any) -> Fraction:
    """The sum of squared residuals at a state, without rounding."""
    beta0, slope = np.repeat(state.beta0[0], rows.size), Fraction(float(state.beta1[0]))
    parts = zip(rows.y.tolist(), rows.x.tolist(), beta0.tolist(), strict=True)
    return sum(((Fraction(y) - slope * Fraction(x) - Fraction(b)) ** 2 for y, x, b in parts), Fraction(0))


# --- whole processes ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Seconds on the clock and of processors, and largest resident memory (bytes), of a process."""

    seconds: float
    processor: float
    memory: float


def measure(command: list[str], folder: Path, **variables: str) -> Measured:
    """Run a command in a folder; raises ``RuntimeError`` with what it printed where it fails."""
    env = SINGLE_THREAD | {"PYTHONPATH": str(ROOT)} | variables
    with (folder / "output.txt").open("w+", encoding="utf-8") as output:
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            raise RuntimeError(output.read()[-1500:])
    processor = usage.ru_utime + usage.ru_stime
    return Measured(seconds=seconds, processor=processor, memory=usage.ru_maxrss * 1024.0)


def table_of_processes(settings: Settings) -> Table:
    """``deriver run`` on the rats, to the saved file, against the import of what it rests on; taking turns."""
    imports = [sys.executable, "-c", "import numba, sympy, xarray"]
    runs: dict[str, list[Measured]] = {"imports": []}
    note = "First: with an empty cache; again: with the cache that the first run left."
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            for turn in range(settings.repeats):
                runs["imports"].append(measure(imports, folder))
                for backend in ("numpy", "numba") if settings.backend == "numba" else ("numpy",):
                    cache = str(folder / f"cache_{backend}_{turn}")
                    for time_of in ("first", "again"):
                        taken = measure(_run_rats(backend), folder, DERIVER_CACHE=cache)
                        runs.setdefault(f"run, {backend}, {time_of}", []).append(taken)
        except RuntimeError as error:
            note = str(error).strip().splitlines()[-1]
    rows = [(label, *_compare_processes(taken, runs["imports"])) for label, taken in runs.items()]
    columns = ("process", "seconds", "processor seconds", "÷ imports", "÷ imports, processor")
    title = "Whole process: deriver run, rats, G5, 4 × 2,500 draws, ÷ import numba, sympy, xarray"
    return Table(number=8, title=title, columns=columns, rows=tuple(rows), note=note)


def _compare_processes(taken: list[Measured], base: list[Measured]) -> tuple[Cell, ...]:
    if not taken or not base:
        return (None,) * 4
    clock, ours = (statistics.median(run.seconds for run in runs) for runs in (base, taken))
    base_processor, processor = (statistics.median(run.processor for run in runs) for runs in (base, taken))
    return ours, processor, ours / clock, processor / base_processor


def _run_rats(backend: str) -> list[str]:
    command = [sys.executable, "-m", "deriver", "run", "wishart", "--data", str(DATA / "rats.csv")]
    lengths = ["--chains", "4", "--draws", "2500", "--seed", "1", "-o", "rats.nc", "--overwrite"]
    return [*command, *CURVES, *RATS_PRIORS, *lengths, "--backend", backend]


# --- a long file -------------------------------------------------------------------------------------------

SCAN = """
import sys
import pyarrow.compute as pc, pyarrow.parquet as pq
totals = {"g": 0.0, "x": 0.0, "y": 0.0}
file = pq.ParquetFile(sys.argv[1], pre_buffer=False)  # pre-buffered, it holds the file and takes five times as long
for batch in file.iter_batches(batch_size=1_000_000, columns=list(totals)):
    for name in totals:
        totals[name] += pc.sum(batch[name]).as_py()
print(totals)
"""


def table_of_parquet(settings: Settings) -> Table:
    """Model A from a long Parquet file: memory and time, against a bare scan of its three columns."""
    total, path = settings.parquet_rows, settings.build / f"rows_{settings.parquet_rows}.parquet"
    write_parquet(path, total)
    run = [sys.executable, "-m", "deriver", "run", "random_intercepts", "--data", str(path)]
    run += ["--map", "y=y", "--map", "x=x", "--index", "i=g", "--backend", settings.backend]
    run += ["--chains", "1", "--warmup", "50", "--draws", "50", "--seed", "1"]
    commands = {
        "scan": [sys.executable, "-c", SCAN, str(path)],
        "deriver run": [*run, "-o", "long.nc", "--overwrite"],
    }
    runs: dict[str, list[Measured]] = {label: [] for label in commands}
    note = f"Medians of {settings.repeats} turns; 50 + 50 sweeps of one chain; peak memory is the largest resident set."
    with tempfile.TemporaryDirectory() as name:
        try:
            for _ in range(settings.repeats):
                for label, command in commands.items():
                    runs[label].append(measure(command, Path(name)))
        except RuntimeError as error:
            note = str(error).strip().splitlines()[-1]
    rows = [
        (
            label,
            f"{total:.0e}",
            max(each.memory for each in got) / 1e9,
            *_compare_processes(got, runs["scan"]),
        )
        for label, got in runs.items()
        if got
    ]
    columns = ("process", "rows", "peak GB", "seconds", "processor seconds", "÷ scan", "÷ scan, processor")
    return Table(
        number=9, title="Parquet, model A, 1,000 groups", columns=columns, rows=tuple(rows), note=note
    )


def write_parquet(path: Path, total: int) -> None:
    """Write rows g, x, y of 1,000 groups in batches, unless the file is there."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.is_file():
        return
    rng = np.random.default_rng([SEED, 9])
    centres = 2 + np.sqrt(0.5) * rng.standard_normal(LONG_GROUPS)
    schema = pa.schema([("g", pa.int32()), ("x", pa.float64()), ("y", pa.float64())])
    path.parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(path, schema) as writer:
        for first in range(0, total, BATCH_ROWS):
            count = min(BATCH_ROWS, total - first)
            group = rng.integers(LONG_GROUPS, size=count).astype(np.int32)
            x = rng.standard_normal(count)
            y = centres[group] - x + rng.standard_normal(count)
            writer.write_table(pa.table({"g": group, "x": x, "y": y}, schema=schema))
