"""Run published examples (BUGS, posteriordb) and set their posteriors beside the references.

    python benchmarks/suites.py [NAME ...] [--seconds 60] [--quick] [--again] [--table]

States, derives, emits and runs each example of ``tests/suites`` and each program of ``tests/bugs``
(``bugs/NAME``), until the Monte Carlo error of every compared quantity is at most 0.03 posterior standard deviations
or the seconds are over.  What is found of each is kept in ``benchmarks/results/suites.jsonl`` as it comes, so that a
run that is cut off goes on where it was; ``--again`` runs all anew, a NAME only that one.  At the end, or at once with
``--table``, a table of all that is kept is printed and written to ``benchmarks/results/suites.md``: nodes, how many
are drawn from their full conditional, the methods of the others, the worst z of a mean or sd, effective draws a
second, R-hat.  What cannot be stated or run is named with the reason.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import deriver
from deriver.bugs import read_program
from deriver.errors import DeriverError, InternalError
from deriver.pipeline import derive, plan
from deriver.running.results import Result
from tests.bugs.programs import PROGRAMS, REFERENCES, data_of, program_of
from tests.suites.catalogue import example_names, read_example, read_model
from tests.suites.compare import CHAINS, LARGEST_R_HAT, agrees, run_example, run_until_enough

RESULTS = Path(__file__).resolve().parent / "results"
PROGRAM = "bugs/"
Record = dict[str, Any]


# --- one model ----------------------------------------------------------------------------------------------


def run_one(name: str, seconds: float) -> Record:
    """Return the record of an example or a program; of one that cannot be stated or run, the reason."""
    began = time.process_time()
    try:
        found = run_program(name, seconds) if name.startswith(PROGRAM) else run_published(name, seconds)
    except (DeriverError, InternalError, ArithmeticError, ValueError) as error:
        found = {"left_out": " ".join(str(error).split())[:300]}
    stamp = {"version": deriver.__version__, "machine": machine(), "cpu": time.process_time() - began}
    return {"name": name} | found | stamp


def run_published(name: str, seconds: float) -> Record:
    """Run an example of ``tests/suites``."""
    example = read_example(name)

    def run(draws: int, backend: str) -> Result:
        return run_example(example, draws=draws, backend=backend)

    methods = count_methods(read_model(example.model))
    return methods | compare(run, example.reference, example.expected, seconds) | {"note": example.note}


def run_program(name: str, seconds: float) -> Record:
    """Run a program of ``tests/bugs``."""
    program = name.removeprefix(PROGRAM)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        methods = count_methods(read_program(program_of(program), data_of(program)).model)
    reference = REFERENCES.get(program, {"source": "none", "expected": {}})

    def run(draws: int, backend: str) -> Result:
        return deriver.run(
            program_of(program), data_of(program), chains=CHAINS, warmup=max(500, draws // 2), draws=draws,
            seed=1, progress=False, backend=backend,
        )  # fmt: skip

    found = compare(run, reference["source"], reference["expected"], seconds)
    return methods | found | {"note": reference.get("note", "")}


def count_methods(model: Any) -> Record:
    """Return how many nodes a model has, how many are drawn from their full conditional, and how the others are."""
    methods = [step.method for step in plan(derive(model)).steps]
    others = Counter(method for method in methods if method not in ("gibbs", "prior"))
    return {"nodes": len(methods), "exact": len(methods) - others.total(), "others": dict(others)}


def compare(run: Any, source: str, expected: Mapping[str, Mapping[str, float]], seconds: float) -> Record:
    """Run until the errors are small; return what was found."""
    outcome, draws = run_until_enough(run, expected, seconds=seconds)
    return {
        "reference": source, "compared": len(expected), "draws": draws, "worst": outcome.worst, "where": outcome.where,
        "agrees": agrees(outcome), "error": outcome.error, "enough": outcome.enough, "r_hat": outcome.r_hat,
        "ess_per_second": outcome.ess_per_second,
    }  # fmt: skip


def machine() -> str:
    """Return the machine in words."""
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


# --- the table ----------------------------------------------------------------------------------------------


def remark_of(record: Record) -> str:
    """Return what is to be said of a record."""
    words = [] if record["agrees"] else [f"OFF: {record['where']}"]
    words += [] if record["enough"] else [f"mcse {record['error']:.3f} sd"]
    words += ["R-hat"] if record["r_hat"] > LARGEST_R_HAT else []
    words += [] if record["compared"] else ["no reference: mixing only"]
    return "; ".join([*words, *([record["note"]] if record.get("note") else [])])


def write_row(record: Record) -> str:
    """Return the line of a record in the table."""
    others = ", ".join(f"{count} {method}" for method, count in record["others"].items())
    worst = f"{record['worst']:.1f}" if record["compared"] else "-"
    cells = [
        record["name"], record["nodes"], record["exact"], others, record["reference"], worst,
        f"{record['ess_per_second']:.0f}", f"{record['r_hat']:.3f}", remark_of(record),
    ]  # fmt: skip
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def summary_of(done: list[Record], left_out: list[Record]) -> list[str]:
    """Return the counts."""
    with_reference = [record for record in done if record["compared"]]
    off = [record["name"] for record in with_reference if not record["agrees"]]
    worst = max((record["worst"] for record in with_reference), default=0.0)
    short = [record["name"] for record in done if not record["enough"] or record["r_hat"] > LARGEST_R_HAT]
    quantities = sum(record["compared"] for record in done)
    versions = sorted({f"deriver {record['version']} ({record['machine']})" for record in [*done, *left_out]})
    return [
        f"{len(done)} models run, {len(with_reference)} with a reference, {quantities} quantities compared.",
        f"Worst z {worst:.1f}; {len(left_out)} left out.",
        f"Not agreeing: {', '.join(off) or 'none'}.  Not mixed, or with too few draws: {', '.join(short) or 'none'}.",
        f"CPU {sum(record['cpu'] for record in [*done, *left_out]) / 60:.0f} minutes; {'; '.join(versions)}.",
    ]


def write_table(records: Iterable[Record], waiting: Sequence[str] = ()) -> str:
    """Return the table as Markdown; ``waiting`` are those not run yet."""
    kept = list(records)
    done = [record for record in kept if "left_out" not in record]
    left_out = [record for record in kept if "left_out" in record]
    lines = ["# Published models", "", *summary_of(done, left_out), ""]
    lines.append("| model | nodes | exact | others | reference | worst z | ESS/s | R-hat | remark |")
    lines.append("|---|---|---|---|---|---|---|---|---|")
    lines += [write_row(record) for record in done]
    lines += ["", f"Not run: {', '.join(waiting)}."] if waiting else []
    lines += ["", "Left out:", ""] if left_out else []
    lines += [f"- {record['name']}: {record['left_out']}" for record in left_out]
    return "\n".join(lines) + "\n"


# --- the command --------------------------------------------------------------------------------------------


def read_records(file: Path) -> dict[str, Record]:
    """Return what is kept, the last record of each name."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return {record["name"]: record for record in map(json.loads, lines)}


def all_names(*, quick: bool) -> list[str]:
    """Return the examples, those with exact references first, and the programs."""
    examples = [name for name in example_names() if read_example(name).quick or not quick]
    examples.sort(key=lambda name: read_example(name).reference != "exact")
    return examples if quick else [*examples, *(PROGRAM + name for name in PROGRAMS)]


def main() -> int:
    """Run what is not kept yet, print the table; return 1 if an example disagrees with its reference."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*")
    parser.add_argument("--seconds", type=float, default=60.0, help="the most for one example")
    parser.add_argument("--quick", action="store_true", help="only those that the test suite runs")
    parser.add_argument("--again", action="store_true", help="run anew what is kept")
    parser.add_argument("--table", action="store_true", help="run nothing, print what is kept")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder of what is kept")
    options = parser.parse_args()
    options.results.mkdir(parents=True, exist_ok=True)
    file = options.results / "suites.jsonl"
    every = all_names(quick=options.quick)
    kept = read_records(file)
    if not options.table:
        wanted = options.names or [name for name in every if options.again or name not in kept]
        for name in wanted:
            kept[name] = run_one(name, options.seconds)
            with file.open("a", encoding="utf-8") as out:
                out.write(json.dumps(kept[name]) + "\n")
            print(write_table([kept[name]]).splitlines()[-1], file=sys.stderr, flush=True)
    table = write_table(
        (kept[name] for name in every if name in kept), [name for name in every if name not in kept]
    )
    (options.results / "suites.md").write_text(table, encoding="utf-8")
    print(table)
    return 1 if any(not record.get("agrees", True) for record in kept.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
