"""What a verification found: one record a test, and the report that holds them.

Stage verification.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

TestKind = Literal["density ratio", "log joint", "draws", "update", "chain", "ranks", "run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One test: what was tested, its p value (None if it is exact), and the smallest shift that it would have seen.

    ``adjusted`` is the p value corrected for the number of all tests (Holm).  ``effect`` is what was found, ``error`` its
    standard error, ``detectable`` the smallest that is found with probability 0.9: in standard deviations of the
    quantity, or as a share of one.
    """

    kind: TestKind
    node: str
    name: str
    passed: bool
    p: float | None = None
    adjusted: float | None = None
    effect: float | None = None
    error: float | None = None
    detectable: float | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The report of a verification; ``passed`` is the verdict, ``str()`` the text."""

    model: str
    seed: int
    effort: str
    level: float
    outcomes: tuple[Outcome, ...]
    setting: tuple[str, ...]
    counts: Mapping[str, int]
    seconds: float = 0.0
    draws: int = 0
    ranks: Mapping[str, np.ndarray] = field(default_factory=dict, compare=False)

    @property
    def passed(self) -> bool:
        """Tell whether no test failed."""
        return all(outcome.passed for outcome in self.outcomes)

    @property
    def failures(self) -> tuple[Outcome, ...]:
        """Return the tests that failed, the clearest first within each kind."""
        return tuple(outcome for outcome in self.outcomes if not outcome.passed)

    def to_text(self) -> str:
        """Return the report as text."""
        from deriver.verification.report import render_text

        return render_text(self)

    def to_json(self) -> str:
        """Return the report as JSON."""
        from deriver.verification.report import render_json

        return render_json(self)

    def __str__(self) -> str:
        return self.to_text()

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain values."""
        from deriver.verification.report import as_dict

        return as_dict(self)
