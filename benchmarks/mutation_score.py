"""The mutation score of the checker of hand derivations.

    python benchmarks/mutation_score.py [--sample N] [--seed S] [--processes P] [--no-right] [--list FILE]

Checks every right claim and ``N`` wrong mutants (1500; 0 for all there are), taken in turn from each kind of slip
and each model, and prints, for each slip planted, how many mutants were made, removed by the numeric oracle, caught
and named right, with the machine, the versions and the seed.  Exit status 1 when a wrong claim was accepted or a
right one refused.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import deriver
from tests.mutations.claims import CLAIMS
from tests.mutations.score import Outcome, Score, all_mutants, describe, sample_mutants, score_all


def read_options() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="The mutation score of the checker of hand derivations.")
    parser.add_argument(
        "--sample", type=int, default=1500, help="wrong mutants to check; 0 for all there are"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--no-right", action="store_true", help="leave out the right claims")
    parser.add_argument("--list", type=Path, help="write every fault and every slip not named to this file")
    return parser.parse_args()


def describe_run(options: argparse.Namespace) -> str:
    """Return what the figures rest on: the machine, the versions, the seed."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("sympy", "numpy", "scipy"))
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return (
        f"{machine}; Python {platform.python_version()}, deriver {deriver.__version__}, {versions}; "
        f"seed {options.seed}, sample {options.sample or 'all'}, processes {options.processes}"
    )


def main() -> int:
    """Run the score and print it."""
    options = read_options()
    start = time.perf_counter()
    items = [*([] if options.no_right else CLAIMS), *sample_mutants(options.sample, options.seed)]
    found: list[Outcome] = []
    sink = options.list.open("w", encoding="utf-8") if options.list else None
    for outcome in score_all(items, options.processes):
        found.append(outcome)
        if sink and (outcome.faulty or outcome.kind == "wrong" and not outcome.named_right):
            print("FAULT" if outcome.faulty else "not named", describe(outcome), file=sink, flush=True)
    if sink:
        sink.close()
    score = Score(outcomes=tuple(found))
    print(describe_run(options))
    print(f"{len(CLAIMS)} right claims, {len(all_mutants())} mutants of them in all\n")
    print(score.render())
    for outcome in found:
        if outcome.faulty:
            print("FAULT", describe(outcome))
    print(f"{time.perf_counter() - start:.0f} s")
    return 0 if score.passed else 1


if __name__ == "__main__":
    sys.exit(main())
