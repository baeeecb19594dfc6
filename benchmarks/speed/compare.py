"""Compares the speed of generated samplers with tuned C and with JAGS, nutpie and NumPyro.

Builds the C samplers, installs what peers can be had, runs all in turn on the same data and priors, checks that the
posteriors agree, and prints the tables; results.md and results.json are written to the build folder.  Exit status 1:
some posterior disagrees.

    python benchmarks/speed/compare.py --quick --only A,G5 --tables 1,2,3
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import machine

machine.hold_to_one_thread()

from c_references import FLAGS, build_samplers
from effective import (
    list_disagreements,
    run_contests,
    table_of_jags,
    table_of_mixing,
    table_of_nile,
    table_of_peers,
)
from extras import table_of_digits, table_of_parquet, table_of_processes
from peers import find_peers
from report import Table, write_report
from settings import Settings, read_settings
from sweeps import table_of_growth, table_of_sweeps

SIMPLE: dict[int, Callable[[Settings], Table]] = {
    1: table_of_sweeps,
    4: table_of_mixing,
    6: table_of_growth,
    7: table_of_digits,
    8: table_of_processes,
    9: table_of_parquet,
}


def main() -> int:
    """Make the tables that are asked for, in order."""
    settings = read_settings()
    build_samplers(settings.build)
    facts = machine.describe_machine() | {"C flags": " ".join(FLAGS), "backend": settings.backend}
    tables: list[Table] = []
    failures: list[str] = []

    def add(table: Table) -> None:
        tables.append(table)
        print("\n" + table.as_markdown(), flush=True)

    if {2, 3} & set(settings.tables):
        peers, notes = find_peers(list(settings.peers), settings.environment)
        facts |= notes
        contests = run_contests(settings, peers)
        failures += list_disagreements(contests)
        add(table_of_peers(contests))
        add(table_of_jags(contests))
    for number in settings.tables:
        if number in SIMPLE:
            add(SIMPLE[number](settings))
        elif number == 5:
            table, disagreements = table_of_nile(settings)
            failures += disagreements
            add(table)
    print(write_report(settings.build, sorted(tables, key=lambda table: table.number), facts, failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
