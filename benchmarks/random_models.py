"""Random models by the thousand, each held against every check of ``tests/random_models``.

    python benchmarks/random_models.py [--models N] [--seed S] [--jobs J] [--save FOLDER]

Prints the shares of nodes by family and by Metropolis-Hastings, the models that the emitter refuses and why, and
every failure as model text, shrunk; failures are saved in FOLDER, too.  Exit status 1 when there was one.  An
interrupt (Ctrl-C) keeps what was found so far.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.random_models.batches import Batch, run_batch

BATCH = 25
PACKAGES = ("sympy", "numpy", "scipy", "hypothesis")


def read_options() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="Random models, each held against every check.")
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1, help="other seeds draw other models")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--save", type=Path, help="a folder in which to save the failing models")
    return parser.parse_args()


def main() -> int:
    """Run the batches and print what became of the models."""
    options = read_options()
    start, batches = time.perf_counter(), []
    numbers = [options.seed * 1_000_000 + k for k in range(-(-options.models // BATCH))]
    with ProcessPoolExecutor(options.jobs) as pool:
        try:
            for number, batch in zip(numbers, pool.map(run_one, numbers), strict=True):
                batches.append(batch)
                report_failures(number, batch, options.save)
                print(f"{len(batches) * BATCH} models", file=sys.stderr, flush=True)
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
    print(render(batches, time.perf_counter() - start, options.jobs))
    return 1 if any(batch.failed for batch in batches) else 0


def run_one(number: int) -> Batch:
    """Examine one batch."""
    return run_batch(number, BATCH)


def report_failures(number: int, batch: Batch, folder: Path | None) -> None:
    """Print failures as they come, and save them."""
    for place, failure in enumerate(batch.failures):
        print(f"FAILURE in batch {number}: {failure.render()}", flush=True)
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            text = f"# {failure.check}\n" + failure.case.text
            (folder / f"batch_{number}_{place}.model").write_text(text, encoding="utf-8")


def render(batches: list[Batch], seconds: float, jobs: int) -> str:
    """Return the table of shares."""
    found = [each for batch in batches for each in batch.found]
    failed = sum(batch.failed for batch in batches)
    nodes = Counter(method for each in found for method in each.nodes.values())
    why = Counter(each.refused for each in found if each.refused)
    everything, total = len(found) + failed, sum(nodes.values())
    lines = [f"{everything} models, {total} nodes, {failed} models that failed a check"]
    lines += [f"  {count:6d}  {100 * count / total:5.1f} %  {name}" for name, count in nodes.most_common()]
    lines += [f"{sum(why.values())} models without a sampler ({100 * sum(why.values()) / everything:.2f} %)"]
    lines += [f"  {count:6d}  {reason}" for reason, count in why.most_common()]
    return "\n".join([*lines, f"{seconds:.0f} s with {jobs} processes; {describe_machine()}"])


def describe_machine() -> str:
    """Return the machine and the versions that took part."""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return f"{platform.machine()}, {os.cpu_count()} cores; Python {platform.python_version()}, {versions}"


if __name__ == "__main__":
    sys.exit(main())
