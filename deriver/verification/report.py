"""A verification as text and as JSON.

Stage verification.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from math import isfinite
from typing import Any

from deriver.verification.records import Outcome, Verification
from deriver.verification.replicates import SWEEP
from deriver.verification.statistics import POWER

BLIND_SPOTS = (
    "an error smaller than those above, or one that changes none of the quantities compared",
    "the exact shape of draws of coupled elements, and of Metropolis steps of simplexes and matrices: no draws test",
    "anything that happens only at larger sizes, other covariates, or under vague priors: other --sizes and --set",
    "slow mixing on data of your own: look at R-hat and the effective sample size there",
    "a mistake in the model statement itself: data are simulated from it",
)
MOST_SHOWN = 6


def render_text(report: Verification) -> str:
    """Return the report as text."""
    verdict = "passed" if report.passed else "FAILED"
    lines = [
        f"{report.model}: {verdict}  (seed {report.seed}, effort {report.effort}, {report.seconds:.0f} s)",
        "",
    ]
    lines += _exact_lines(report)
    lines += _node_lines(report, "draws", _draws_title(report))
    lines += _node_lines(report, "update", _update_title(report))
    lines += _summary_lines(report, "chain", _chain_title(report))
    lines += _summary_lines(report, "ranks", _rank_title(report))
    lines += _failure_lines(report)
    lines += ["", *_power_lines(report), "", "What these tests cannot see:"]
    lines += [f"  - {text}" for text in BLIND_SPOTS]
    lines += ["", "The givens:", *(f"  {text}" for text in report.setting)]
    return "\n".join(lines)


def _of(report: Verification, kind: str, node: str | None = None) -> list[Outcome]:
    return [o for o in report.outcomes if o.kind == kind and (node is None or o.node == node)]


def _mark(outcomes: Iterable[Outcome]) -> str:
    return "ok  " if all(outcome.passed for outcome in outcomes) else "FAIL"


def _exact_lines(report: Verification) -> list[str]:
    ratios, joint, run = (_of(report, kind) for kind in ("density ratio", "log joint", "run"))
    fewest = min((outcome.detail for outcome in ratios), default="no node is drawn")
    lines = [
        f"{_mark(ratios)}  density ratio of {len(ratios)} conditionals against the joint density: {fewest}"
    ]
    lines += [f"{_mark(joint)}  log_joint against the families' densities, {o.detail}" for o in joint]
    return lines + [f"{_mark(run)}  {o.detail}" for o in run]


def _draws_title(report: Verification) -> str:
    from deriver.verification.draw_checks import DRAWS

    return f"Each update against its derived conditional, {DRAWS} draws at each of {report.counts['draws_at']} states:"


def _update_title(report: Verification) -> str:
    count = report.counts["prior"]
    return f"Each update by itself, and a sweep, from {count} exact joint draws (it must leave their distribution in place):"


def _node_lines(report: Verification, kind: str, title: str) -> list[str]:
    nodes = dict.fromkeys(outcome.node for outcome in _of(report, kind))
    if not nodes:
        return []
    lines = ["", title]
    width = max(len(node) for node in nodes)
    for node in nodes:
        tests = _of(report, kind, node)
        least = min(tests, key=lambda outcome: outcome.p or 0.0)
        lines.append(f"{_mark(tests)}  {node:<{width}}  {len(tests):>3} tests, {_least(least)}")
    return lines


def _least(outcome: Outcome) -> str:
    return f"least adjusted p {_p(outcome.adjusted)} ({outcome.name})"


def _p(p: float | None) -> str:
    return "1" if p is None or p >= 0.9995 else (f"{p:.3f}" if p >= 0.001 else f"{p:.1e}")


def _chain_title(report: Verification) -> str:
    counts = report.counts
    return (
        f"Geweke's joint-distribution test: {counts['chain']} chains of {counts['steps']} sweeps, data redrawn after "
        f"each, against {counts['prior']} forward draws:"
    )


def _rank_title(report: Verification) -> str:
    return (
        f"Simulation-based calibration: ranks of {report.counts['ranks']} true values, each among "
        f"{report.draws} chains:"
    )


def _summary_lines(report: Verification, kind: str, title: str) -> list[str]:
    tests = _of(report, kind)
    if not tests:
        return []
    least = min(tests, key=lambda outcome: outcome.p or 0.0)
    noun = "quantities" if kind == "ranks" else "functions"
    return ["", title, f"{_mark(tests)}  {len(tests)} {noun}, {_least(least)}"]


def _failure_lines(report: Verification) -> list[str]:
    failures = report.failures
    if not failures:
        return []
    lines = ["", "What failed:"]
    for kind in ("density ratio", "log joint", "run"):
        lines += [f"  {o.kind}: {o.name}: {o.detail}" for o in failures if o.kind == kind]
    for kind, what in (
        ("draws", "draws of"),
        ("update", "update of"),
        ("chain", "whole sweeps:"),
        ("ranks", "ranks of"),
    ):
        worst = sorted(
            (o for o in failures if o.kind == kind), key=lambda o: (o.p or 0.0, -abs(o.effect or 0))
        )
        for o in worst[:MOST_SHOWN]:
            subject = f"{what} {o.node}: {o.name}" if kind in ("draws", "update") else f"{what} {o.name}"
            lines.append(f"  {subject} {_how_much(o)} (adjusted p {_p(o.adjusted)})")
        if len(worst) > MOST_SHOWN:
            lines.append(f"  … and {len(worst) - MOST_SHOWN} more of {what.rstrip(':')}")
    return [*lines, *_advice(report)]


def _how_much(outcome: Outcome) -> str:
    """Return what was found: a shift, a ratio of standard deviations, or a distance."""
    if outcome.kind == "draws" and outcome.name.startswith("spread"):
        return f"is {outcome.effect:.2f} times the right one"
    if outcome.kind == "draws" and outcome.name.startswith("shape"):
        return f"has a Kolmogorov-Smirnov distance of {outcome.effect:.3f}"
    if outcome.kind == "draws" and outcome.name.startswith("dependence"):
        return f"is a correlation of {outcome.effect:+.3f}"
    return f"is off by {outcome.effect:+.2f} sd"


def _advice(report: Verification) -> list[str]:
    """Return what the pattern of failures points to."""
    kinds = {o.kind for o in report.failures}
    nodes = sorted({o.node for o in report.failures if o.kind in ("draws", "update")} - {SWEEP})
    if nodes:
        return [f"  Look first at the update of {', '.join(nodes)}."]
    if kinds == {"ranks"}:
        return [
            "  Every update is right by itself: chains may be too short for their starts, or `sample` keeps wrong draws."
        ]
    if kinds & {"chain", "update"}:
        return [
            "  Every update is right by itself: look at the order in `sweep`, and at what one update hands to the next."
        ]
    return []


def _power_lines(report: Verification) -> list[str]:
    alarm = f"All tests together raise a false alarm with probability {report.level:g} (Holm's correction)."
    lines = [f"Power. {alarm} With probability {POWER:g} they see:"]
    lines += [f"  draws of {', '.join(nodes)} off by {text}" for text, nodes in _draws_seen(report).items()]
    for node, seen in _updates_seen(report).items():
        low, high = f"{min(seen):.2f}", f"{max(seen):.2f}"
        span = low if low == high else f"{low} to {high}"
        what = "that shifts a summary" if node == SWEEP else "that shifts its summaries"
        lines.append(f"  {node if node == SWEEP else f'an update of {node}'} {what} by {span} prior sd")
    for kind, what in (("chain", "a stationary mean"), ("ranks", "a posterior")):
        seen = _seen(_of(report, kind))
        unit = "prior sd of the quantity" if kind == "chain" else "posterior sd"
        if seen:
            lines.append(f"  {what} off by {max(seen):.2f} {unit}")
    return lines


def _seen(outcomes: Iterable[Outcome]) -> list[float]:
    return [o.detectable for o in outcomes if o.detectable and isfinite(o.detectable)]


def _draws_seen(report: Verification) -> dict[str, list[str]]:
    """Return the nodes by what their draws show: a shift, and a share of the standard deviation where that is tested."""
    found: dict[str, list[str]] = {}
    for node in dict.fromkeys(o.node for o in _of(report, "draws")):
        tests = _of(report, "draws", node)
        shift = max(_seen(o for o in tests if o.name.startswith("location")), default=0.0)
        ratio = max(_seen(o for o in tests if o.name.startswith("spread")), default=0.0)
        wide = f", or with an sd off by {100 * ratio:.0f} %" if ratio else ""
        found.setdefault(f"{shift:.2f} sd of the conditional{wide}", []).append(node)
    return found


def _updates_seen(report: Verification) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for o in _of(report, "update"):
        if o.detectable and (o.node in o.name or o.node == SWEEP) and " with " not in o.name:
            found.setdefault(o.node, []).append(o.detectable)
    return found


def _finite(value: float | None) -> float | None:
    """Return a number that JSON can hold: nothing is seen by too few replicates."""
    return None if value is None or not isfinite(value) else value


def as_dict(report: Verification) -> dict[str, Any]:
    """Return the report as plain values, in a fixed order."""
    return {
        "model": report.model,
        "passed": report.passed,
        "seed": report.seed,
        "effort": report.effort,
        "level": report.level,
        "seconds": round(report.seconds, 1),
        "counts": dict(report.counts),
        "givens": list(report.setting),
        "tests": [
            {
                "kind": o.kind, "node": o.node, "name": o.name, "passed": o.passed, "p": o.p,
                "adjusted_p": o.adjusted, "effect_sd": o.effect, "detectable_sd": _finite(o.detectable), "detail": o.detail,
            }
            for o in report.outcomes
        ],
        "cannot_see": list(BLIND_SPOTS),
    }  # fmt: skip


def render_json(report: Verification) -> str:
    """Return the report as JSON."""
    return json.dumps(as_dict(report), indent=2)
