"""Batches of random models from a seed: what became of each, and the failing ones shrunk.

A batch is drawn once without stopping at a failure; where there was one, the same batch is drawn again and
Hypothesis shrinks it.  The draws depend on the seed alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.random_models.draft import Case
from tests.random_models.examine import Failed, Found, examine
from tests.random_models.strategy import random_models

MOST_SHRUNK = 3  # how many checks that failed in one batch are shrunk
MOST_ATTEMPTS = 80  # how many smaller models are examined for each


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A failing model, shrunk, and the check that does not hold of it."""

    case: Case
    check: str
    why: str

    def render(self) -> str:
        """Return it as a person reads it."""
        return f"{self.check} does not hold: {self.why}\n{self.case!r}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What was found in the models of one batch."""

    found: tuple[Found, ...]
    failures: tuple[Failure, ...]
    failed: int


def run_batch(number: int, models: int, *, shrink: bool = True) -> Batch:
    """Examine so many models drawn with the seed ``number``."""
    found: list[Found] = []
    failing: dict[str, list[tuple[Case, Failed]]] = {}
    passed: set[tuple[str, int]] = set()

    def look(case: Case) -> None:
        try:
            found.append(examine(case))
            passed.add((case.text, case.seed))
        except Failed as error:
            failing.setdefault(error.check, []).append((case, error))

    draw(number, models, (Phase.generate,), look)
    failures = [
        shrunk(number, models, check, passed) if shrink else smallest(check, cases)
        for check, cases in list(failing.items())[:MOST_SHRUNK]
    ]
    return Batch(found=tuple(found), failures=tuple(failures), failed=sum(map(len, failing.values())))


def draw(number: int, models: int, phases: tuple[Phase, ...], look: Callable[[Case], None]) -> None:
    """Draw models with a seed, and look at each."""

    @seed(number)
    @settings(
        max_examples=models,
        phases=phases,
        database=None,
        deadline=None,
        derandomize=False,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(random_models())
    def run(case: Case) -> None:
        look(case)

    run()


class Again(AssertionError):
    """The failure that is being shrunk."""


def smallest(check: str, cases: list[tuple[Case, Failed]]) -> Failure:
    """Return the shortest failing model as it was drawn."""
    case, error = min(cases, key=lambda pair: len(pair[0].text))
    return Failure(case=case, check=check, why=str(error))


def shrunk(number: int, models: int, check: str, passed: set[tuple[str, int]]) -> Failure:
    """Draw a batch again up to a failure of the check, and return it as small as so many attempts make it."""
    failing: dict[tuple[str, int], tuple[Case, Failed]] = {}
    attempts = 0

    def look(case: Case) -> None:
        nonlocal attempts
        key = (case.text, case.seed)
        if key not in failing and key not in passed and attempts < MOST_ATTEMPTS:
            attempts += bool(failing)
            try:
                examine(case)
                passed.add(key)
            except Failed as error:
                if error.check == check:
                    failing[key] = (case, error)
        if key in failing:
            raise Again(check)

    try:
        draw(number, models, (Phase.generate, Phase.shrink), look)
    except Again:
        pass
    case, error = min(failing.values(), key=lambda pair: len(pair[0].text))
    return Failure(case=case, check=check, why=str(error))
