"""Run published examples (BUGS, posteriordb) and set their posteriors beside the references.

    python benchmarks/suites.py [NAME ...] [--seconds 60] [--quick]

States, derives, emits and runs each example of ``tests/suites``, until the Monte Carlo error of every compared
quantity is at most 0.03 posterior standard deviations or the seconds are over, and prints a row for each: nodes, how
many are drawn from their full conditional, the methods of the others, the worst z of a mean or sd, effective draws a
second, R-hat.  An example that cannot be run is named with the reason.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from deriver.errors import DeriverError, InternalError
from tests.suites.catalogue import derivation_of, example_names, is_exact, read_example
from tests.suites.compare import agrees, methods_of, run_until_enough

ROW = "{:27} {:>5} {:>5}  {:36} {:15} {:>7} {:>8} {:>6}  {}"


def describe(name: str, seconds: float) -> str:
    """Return the row of an example; raise ``DeriverError`` for what cannot be stated or drawn."""
    example = read_example(name)
    methods = methods_of(example)
    derivation = derivation_of(example.model)
    exact = sum(is_exact(derivation, node) for node in methods)
    others = Counter(method for node, method in methods.items() if not is_exact(derivation, node))
    _, outcome = run_until_enough(example, seconds=seconds)
    remark = "" if agrees(outcome) else f"OFF: {outcome.where}"
    remark += "" if outcome.enough else " too few draws"
    shown = ", ".join(f"{count} {method}" for method, count in others.items())
    worst = f"{outcome.worst:.1f}" if example.expected else "-"
    return ROW.format(
        name, len(methods), exact, shown, example.reference, worst, f"{outcome.ess_per_second:.0f}",
        f"{outcome.r_hat:.3f}", remark.strip(),
    )  # fmt: skip


def main() -> int:
    """Print the table; return 1 if an example could not be run or disagrees with its reference."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*")
    parser.add_argument("--seconds", type=float, default=60.0, help="the most for one example")
    parser.add_argument("--quick", action="store_true", help="only those that the test suite runs")
    options = parser.parse_args()
    names = options.names or [
        name for name in example_names() if read_example(name).quick or not options.quick
    ]
    print(ROW.format("model", "nodes", "exact", "others", "reference", "worst z", "ESS/s", "R-hat", ""))
    left_out, off = [], 0
    for name in names:
        try:
            row = describe(name, options.seconds)
        except (DeriverError, InternalError) as error:
            left_out.append(f"{name}: {' '.join(str(error).split())[:240]}")
            continue
        off += "OFF" in row
        print(row, flush=True)
    print("\n".join(["", "left out:", *left_out]) if left_out else "")
    return 1 if left_out or off else 0


if __name__ == "__main__":
    sys.exit(main())
