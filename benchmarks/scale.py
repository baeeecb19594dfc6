"""Rows beyond memory: peak memory and time of a run that reduces them, against a bare scan of the same columns.

    python benchmarks/scale.py --rows 1e7 --groups 1e5 --folder /tmp

writes rows of random intercepts (group, x, y) in any order as Parquet files, then measures, each in a process of its own:
a bare scan of the three columns with pyarrow; the reduction to statistics, imports included, of a model that is derived
anew and of one that an earlier run has derived; and the whole command ``deriver run`` with few
draws of the parameters without plates.  The files are removed afterwards.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

SEED = 20240607
ROW_GROUP = 1_000_000
ROWS_PER_FILE = 10_000_000
OPTIONS = ["--map", "x=x", "--map", "y=y", "--index", "i=group"]
STAGES = ("scan-one", "scan-threads", "reduce-anew", "reduce-again")
KEEP = ["mu0", "sigma2_0", "beta1", "sigma2"]


def write_rows(folder: Path, rows: int, groups: int, texts: bool) -> None:
    """Write rows of y = beta0[group] - x + noise, groups drawn at random, in files of ten million rows."""
    import pyarrow as pa
    from pyarrow import parquet

    rng = np.random.default_rng(SEED)
    beta0 = rng.normal(2.0, 0.7, groups)
    for first in range(0, rows, ROWS_PER_FILE):
        writer = None
        last = min(rows, first + ROWS_PER_FILE)
        for start in range(first, last, ROW_GROUP):
            size = min(ROW_GROUP, last - start)
            group = rng.integers(0, groups, size)
            x = rng.standard_normal(size)
            y = beta0[group] - x + rng.standard_normal(size)
            label = pa.array(group).cast(pa.string()) if texts else pa.array(group)
            table = pa.table({"group": label, "x": x, "y": y})
            writer = writer or parquet.ParquetWriter(
                folder / f"part-{first // ROWS_PER_FILE:04d}.parquet", table.schema
            )
            writer.write_table(table, row_group_size=ROW_GROUP)
        if writer is not None:
            writer.close()


def scan(folder: Path, threads: bool) -> int:
    """Read the three columns, and nothing else; return the number of rows."""
    from pyarrow import parquet

    rows = 0
    for path in sorted(folder.glob("*.parquet")):
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(
                batch_size=131_072, columns=["group", "x", "y"], use_threads=threads
            ):
                rows += batch.num_rows
    return rows


def reduce_rows(folder: Path, cache: bool) -> int:
    """Reduce the rows to statistics; return the number of groups.  ``cache`` as in ``deriver run``."""
    from deriver.pipeline import derive, load_model, plan
    from deriver.reduction.run import choose_reduction, find_recipe
    from deriver.running.job import Job

    job = Job(columns={"x": "x", "y": "y"}, index={"i": "group"})
    reduction = choose_reduction(folder, job, choice="on")
    assert reduction is not None
    model = load_model("random_intercepts")

    def derived() -> Any:
        derivation = derive(model)
        return derivation, plan(derivation)

    binding = reduction.bind(model, find_recipe(model, derived, None, "off", cache), job)
    return len(binding.labels["i"].labels)


def run_stage(stage: str, folder: Path) -> None:
    """Run one stage in this process and print its times as JSON."""
    wall, cpu = time.perf_counter(), time.process_time()
    if stage.startswith("reduce"):
        found = reduce_rows(folder, cache=stage == "reduce-again")
    else:
        found = scan(folder, stage == "scan-threads")
    print(json.dumps({"found": found, "wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}))


def measure(command: list[str]) -> tuple[str, float, float, float]:
    """Run a command; return what it prints, its wall and CPU seconds, and its peak memory in MB (10^6 bytes)."""
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed")
    unit = 1 if sys.platform == "darwin" else 1024
    return output, time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss * unit / 1e6


def best_of(stage: str, folder: Path, repeats: int) -> dict[str, float]:
    """Return the least times of a stage over its repeats, each in a new process, and its peak memory."""
    runs = []
    for _ in range(repeats):
        output, _, _, memory = measure([sys.executable, __file__, "--stage", stage, "--folder", str(folder)])
        runs.append({**json.loads(output.splitlines()[-1]), "memory": memory})
    return {key: min(run[key] for run in runs) for key in ("wall", "cpu")} | {
        "memory": max(run["memory"] for run in runs)
    }


def report(folder: Path, repeats: int, draws: int) -> None:
    """Measure the stages and print their figures and ratios."""
    stages = {stage: best_of(stage, folder, repeats) for stage in STAGES}
    for stage, figures in stages.items():
        print(
            f"{stage:>14}: {figures['wall']:8.2f} s wall {figures['cpu']:8.2f} s CPU {figures['memory']:7.0f} MB peak"
        )
    bare = {key: min(stages["scan-one"][key], stages["scan-threads"][key]) for key in ("wall", "cpu")}
    for stage in STAGES[2:]:
        wall, cpu = (stages[stage][key] / bare[key] for key in ("wall", "cpu"))
        print(f"{stage} / bare scan: {wall:.2f} wall, {cpu:.2f} CPU")
    command = [
        sys.executable,
        "-m",
        "deriver",
        "run",
        "random_intercepts",
        "--data",
        str(folder),
        "--reduce",
        "on",
    ]
    command += [*OPTIONS, "--draws", str(draws), "--warmup", str(draws), "--seed", "1", "--keep", *KEEP]
    command += ["--no-progress", "-o", str(folder / "draws.nc"), "--overwrite"]
    output, wall, cpu, memory = measure(command)
    print(
        f"{'deriver run':>14}: {wall:8.2f} s wall {cpu:8.2f} s CPU {memory:7.0f} MB peak ({draws} + {draws} sweeps)"
    )
    print(output)


def main() -> None:
    """Write the rows, measure, remove them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=float, default=1e7)
    parser.add_argument("--groups", type=float, default=1e5)
    parser.add_argument("--texts", action="store_true", help="labels of groups as texts")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--stage", choices=STAGES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stage:
        run_stage(options.stage, options.folder)
        return
    import numba
    import pyarrow

    folder = Path(tempfile.mkdtemp(prefix="deriver-scale-", dir=options.folder))
    try:
        write_rows(folder, int(options.rows), int(options.groups), options.texts)
        size = sum(path.stat().st_size for path in folder.iterdir()) / 1e9
        print(f"{int(options.rows):,} rows, {int(options.groups):,} groups, {size:.2f} GB of Parquet")
        print(f"{platform.machine()}, {os.cpu_count()} cores; Python {platform.python_version()}, NumPy {np.__version__}, "
              f"Numba {numba.__version__}, pyarrow {pyarrow.__version__}")  # fmt: skip
        report(folder, options.repeats, options.draws)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
