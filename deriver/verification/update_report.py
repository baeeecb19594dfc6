"""What was found about a person's own update function.

Stage verification.
"""

from __future__ import annotations

from dataclasses import dataclass

from deriver.verification.pools import PoolTest
from deriver.verification.responses import Finding

MOST_SHOWN = 4
# Ratios of standard deviations that come from a common slip.
SLIPS = {
    2**0.5: "a factor of 2 too much in the variance (or lost in the precision)",
    2**-0.5: "a factor of 2 lost in the variance (or too much in the precision)",
    2.0: "a factor of 4 in the variance",
    0.5: "a factor of 4 lost in the variance",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateReport:
    """The verdict on an update function; ``passed`` tells it, ``text`` explains it.

    ``how`` is ``pivots`` (draws against the exact conditional) or ``invariance`` (an update must leave exact joint
    draws in place).  ``adjusted`` are the p values of ``tests`` corrected for their number (Holm).
    """

    model: str
    node: str
    seed: int
    level: float
    states: int
    draws: int
    how: str
    exact: bool
    tests: tuple[PoolTest, ...]
    adjusted: tuple[float, ...]
    findings: tuple[Finding, ...]
    problem: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def failures(self) -> tuple[PoolTest, ...]:
        """Return the tests of distribution that failed."""
        return tuple(test for test, p in zip(self.tests, self.adjusted, strict=True) if p <= self.level)

    @property
    def passed(self) -> bool:
        """Tell whether nothing is off."""
        unread = any(finding.kind in ("unread", "partly") for finding in self.findings)
        return not self.problem and not self.failures and not unread

    @property
    def off(self) -> tuple[str, ...]:
        """Return what is off, by name: location, spread, shape, dependence, unread, partly, response, needless."""
        found = [test.aspect for test in self.failures] + [finding.kind for finding in self.findings]
        return tuple(dict.fromkeys(found))

    @property
    def text(self) -> str:
        """Return the report as text."""
        verdict = "passed" if self.passed else "FAILED"
        lines = [
            f"the update of {self.node} in {self.model}: {verdict}  (seed {self.seed})",
            *self._how_lines(),
        ]
        if self.problem:
            lines.append(f"  {self.problem}")
        aspects = [test.aspect for test in self.failures]
        for aspect in ("location", "spread", "shape", "dependence"):
            if aspect != "shape" or not {"location", "spread"} & set(aspects):
                lines += self._aspect_lines(aspect)
        lines += [f"  {_describe(finding, self.node)}" for finding in self.findings]
        lines += [f"  remark: {remark}" for remark in self.remarks]
        return "\n".join(lines)

    def _how_lines(self) -> list[str]:
        rate = f"false alarm with probability {self.level:g} over all tests"
        if self.how == "invariance":
            return [
                f"  {len(self.tests)} functions of exact joint draws, before and after one update; {rate}"
            ]
        start = "" if self.exact else ", each from an exact draw"
        return [
            f"  {self.draws} draws{start} at each of {self.states} states, {len(self.tests)} tests; {rate}"
        ]

    def _aspect_lines(self, aspect: str) -> list[str]:
        failed = sorted((t for t in self.failures if t.aspect == aspect), key=lambda t: (t.p, -abs(t.effect)))
        lines = [f"  {aspect}: {_effect(test, self.how)}" for test in failed[:MOST_SHOWN]]
        more = len(failed) - len(lines)
        return [*lines, f"  … and {more} more of {aspect}"] if more > 0 else lines

    def __str__(self) -> str:
        return self.text


def _effect(test: PoolTest, how: str) -> str:
    if how == "invariance":
        return f"{test.subject} moves by {test.effect:+.2f} sd"
    match test.aspect:
        case "location":
            way = "high" if test.effect > 0 else "low"
            return f"{test.subject} is {abs(test.effect):.2f} sd of the conditional too {way}"
        case "spread":
            slip = next((text for ratio, text in SLIPS.items() if abs(test.effect / ratio - 1) < 0.04), "")
            return f"{test.subject} spreads {test.effect:.2f} times as much as it should" + (
                f": {slip}?" if slip else ""
            )
        case "dependence":
            return f"{test.subject} have a correlation of {test.effect:+.2f} beyond the conditional's"
    return f"{test.subject} has another distribution (Kolmogorov-Smirnov distance {test.effect:.3f})"


def _describe(finding: Finding, node: str) -> str:
    elements = ", ".join(finding.elements[:MOST_SHOWN]) + (
        ", …" if len(finding.elements) > MOST_SHOWN else ""
    )
    match finding.kind:
        case "unread":
            return f"it never reads {finding.name}, on which the conditional of {node} depends"
        case "partly":
            return f"it does not read {elements}, on which the conditional of {node} depends"
        case "needless":
            return f"it reads {finding.name}, on which the conditional of {node} does not depend"
    return f"it reacts wrongly to {finding.name}: the mean of its pivot moves by {finding.amount:+.2f}, not 0"
