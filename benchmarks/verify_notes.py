"""Verify the sampler of every packaged model, and print a table.

    python benchmarks/verify_notes.py [--effort quick|default|long] [--seed N] [--jobs N] [MODEL ...]

Each row: seconds, the least adjusted p value of each kind of test (fails at 0.001), the verdict.  Exit status 1 if
one fails.  The default effort takes about a minute a model on two cores.
"""

from __future__ import annotations

import argparse
import sys

import deriver

KINDS = ("draws", "update", "chain", "ranks")


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Verify the sampler of every packaged model.")
    parser.add_argument("models", nargs="*", metavar="MODEL", default=None)
    parser.add_argument("--effort", choices=("quick", "default", "long"), default="default")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int)
    options = parser.parse_args()
    names = options.models or deriver.packaged_models()
    width = max(len(name) for name in names)
    print(f"{'model':<{width}}  seconds  exact  " + "  ".join(f"{kind:>8}" for kind in KINDS) + "  verdict")
    failed = []
    for name in names:
        report = deriver.verify(
            deriver.load_model(name), effort=options.effort, seed=options.seed, jobs=options.jobs
        )
        print(f"{name:<{width}}  {row(report)}", flush=True)
        if not report.passed:
            failed.append(report)
    for report in failed:
        print(f"\n{report}")
    return 1 if failed else 0


def row(report) -> str:
    """Return a report as the cells of one row."""
    exact = all(outcome.passed for outcome in report.outcomes if outcome.p is None)
    least = []
    for kind in KINDS:
        found = [outcome.adjusted for outcome in report.outcomes if outcome.kind == kind]
        least.append(f"{min(found):>8.2g}" if found else f"{'-':>8}")
    verdict = "passed" if report.passed else "FAILED"
    return f"{report.seconds:>7.0f}  {'ok' if exact else 'FAIL':>5}  {'  '.join(least)}  {verdict}"


if __name__ == "__main__":
    sys.exit(main())
