"""What verification finds: samplers broken on purpose, and the smallest errors that each test sees.

    python benchmarks/verification_power.py [--effort quick|default|long] [--each N] [--seed N] [--jobs N] [MODEL ...]
    python benchmarks/verification_power.py --smallest

The first breaks emitted samplers in the ways of ``tests/verification/faults.py``: ``N`` samplers (2; 0 for all) of each
kind, spread over the models and nodes, and prints which tests caught each.  Exit status 1 if one was missed.  A
sampler takes as long as a verification: a minute or two on two cores at the default effort.  The second simulates
errors of the size that a report says is found with probability 0.9, and prints how often each test finds them.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import deriver
from deriver.emission import emit
from deriver.model.records import Model
from deriver.pipeline import plan
from deriver.verification.replicates import EFFORTS
from deriver.verification.verify import verify
from tests.verification.faults import KINDS, Fault, list_faults
from tests.verification.power import measure_power

LOGISTIC = """
model logistic
plates
  i = 1..n
  j = 1..J[i]
given
  x[i,j] : vector(p)
  Sigma : matrix(p,p) = 2 * eye(p)
data
  y[i,j] ~ Bernoulli(logit = x[i,j]' * beta[i])
process
  beta[i] ~ N(mu, Sigma)
parameters
  mu ~ N(0 * ones(p), eye(p))
"""
TESTS = ("density ratio", "log joint", "draws", "update", "chain", "ranks", "run")


def main() -> int:
    """Run the command."""
    options = read_options()
    if options.smallest:
        for line in measure_power(EFFORTS[options.effort], options.seed):
            print(line, flush=True)
        return 0
    models = [deriver.load_model(name) for name in options.models or deriver.packaged_models()]
    models += [] if options.models else [deriver.parse_model(LOGISTIC)]
    missed = 0
    for kind, chosen in choose(models, options.each).items():
        print(f"\n{kind}")
        for model, fault in chosen:
            missed += not show(model, fault, options)
    return 1 if missed else 0


def read_options() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="What verification finds in samplers broken on purpose.")
    parser.add_argument("models", nargs="*", metavar="MODEL")
    parser.add_argument("--effort", choices=tuple(EFFORTS), default="default")
    parser.add_argument("--each", type=int, default=2, help="broken samplers of each kind; 0 for all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--smallest", action="store_true", help="the smallest errors that are found")
    return parser.parse_args()


def choose(models: list[Model], each: int) -> dict[str, list[tuple[Model, Fault]]]:
    """Return broken samplers of each kind, evenly from the list of all."""
    found: dict[str, list[tuple[Model, Fault]]] = {kind: [] for kind in KINDS}
    for model in models:
        derivation = deriver.derive(model)
        for fault in list_faults(emit(derivation, plan(derivation))):
            found[fault.kind].append((model, fault))
    return {kind: faults[:: max(1, len(faults) // each if each else 1)] for kind, faults in found.items()}


def show(model: Model, fault: Fault, options: argparse.Namespace) -> bool:
    """Verify a broken sampler and print one line; return whether it was caught."""
    began = time.perf_counter()
    report = verify(
        deriver.derive(model), fault.source, effort=options.effort, seed=options.seed, jobs=options.jobs
    )
    caught = {outcome.kind for outcome in report.failures}
    named = any(o.node == fault.node for o in report.failures if o.kind in ("draws", "update"))
    by = ", ".join(kind for kind in TESTS if kind in caught) or "NOTHING"
    where = f"{model.name}, {fault.node}"
    seconds = time.perf_counter() - began
    print(f"  {where:<36} by {by}{'' if named else ' (not named)'}  {seconds:.0f} s", flush=True)
    return bool(caught)


if __name__ == "__main__":
    sys.exit(main())
