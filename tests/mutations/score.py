"""The score: what the checker says to right claims and to mutants, tallied by the slip that was planted.

Input: ``CLAIMS`` and a number of mutants to sample.  Output: ``Outcome`` records and a ``Score``.
"""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Literal

from deriver.checking import check_claim
from deriver.errors import ModelError

from .claims import CLAIMS, Claim, model_of
from .evaluate import BadClaim
from .mutate import Mutant, mutants
from .oracle import is_right

Kind = Literal["right", "equivalent", "malformed", "wrong"]
_CHUNK = 6
ACCEPTED = ("equal", "proportional")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One claim checked: what it is by the oracle, what the checker said, and the slips it named."""

    kind: Kind
    slip: str
    allowed: frozenset[str]
    model: str
    text: str
    verdict: str
    named: tuple[str, ...]
    message: str
    seconds: float

    @property
    def accepted(self) -> bool:
        """Tell whether the checker took the claim for right."""
        return self.verdict in ACCEPTED

    @property
    def caught(self) -> bool:
        """Tell whether the checker found it wrong or refused its text; a crash is neither."""
        return self.verdict in ("wrong", "wrong_parameter", "refused")

    @property
    def faulty(self) -> bool:
        """Tell whether the checker is at fault: a right claim not accepted, or a wrong one not caught."""
        return not self.accepted if self.kind in ("right", "equivalent") else not self.caught

    @property
    def named_right(self) -> bool:
        """Tell whether the planted slip, or one that makes the same edit, is among those named."""
        return bool(self.allowed & set(self.named))


@lru_cache(maxsize=1)
def all_mutants() -> tuple[Mutant, ...]:
    """Return the mutants of all claims."""
    return tuple(mutant for claim in CLAIMS for mutant in mutants(claim))


def sample_mutants(count: int, seed: int) -> list[Mutant]:
    """Return ``count`` mutants (all for 0), taken in turn from each (slip, model, node), so that none is left out."""
    if not count:
        return list(all_mutants())
    strata: dict[tuple, list[Mutant]] = defaultdict(list)
    for mutant in all_mutants():
        subject = mutant.claim.subject
        strata[mutant.slip, subject.model, subject.element].append(mutant)
    rng = random.Random(seed)
    groups = [rng.sample(group, len(group)) for group in strata.values()]
    rng.shuffle(groups)
    rounds = (group[k] for k in range(max(map(len, groups))) for group in groups if k < len(group))
    return [mutant for mutant, _ in zip(rounds, range(count), strict=False)]


def judge_mutant(mutant: Mutant) -> Kind:
    """Return what a mutant is, by the oracle."""
    try:
        return "equivalent" if is_right(mutant.claim) else "wrong"
    except (BadClaim, ValueError):  # sides that do not fit
        return "malformed"


def check(claim: Claim) -> tuple[str, tuple[str, ...], str]:
    """Return the checker's verdict, the slips that it names with their aliases, and a message if it refused."""
    try:
        result = check_claim(model_of(claim.subject.model), claim.text())
    except ModelError as error:
        return "refused", (), str(error)
    except Exception as error:  # noqa: BLE001 - a crash is an outcome too
        return "crash", (), f"{type(error).__name__}: {error}"
    named = tuple(name for slip in result.slips for name in (slip.name, *slip.aliases))
    return result.verdict, named, ""


def score_one(item: Claim | Mutant) -> Outcome:
    """Return the outcome of a right claim or a mutant."""
    start = time.perf_counter()
    mutant = item if isinstance(item, Mutant) else None
    claim = item if isinstance(item, Claim) else item.claim
    verdict, named, message = check(claim)
    return Outcome(
        kind=judge_mutant(mutant) if mutant else "right",
        slip=mutant.slip if mutant else "",
        allowed=mutant.names() if mutant else frozenset(),
        model=claim.subject.model,
        text=claim.text(),
        verdict=verdict,
        named=named,
        message=message,
        seconds=time.perf_counter() - start,
    )


def score_all(items: Sequence[Claim | Mutant], processes: int = 2, seed: int = 1) -> Iterator[Outcome]:
    """Yield the outcomes as they come, in parallel.

    A chunk is of one node, so that what the checker has worked out is kept; the chunks are in random order.
    """
    if processes == 1:
        yield from map(score_one, sorted(items, key=_place))
        return
    ordered = sorted(items, key=_place)
    chunks = [list(chunk) for _, group in groupby(ordered, _place) for chunk in _cut(list(group))]
    random.Random(seed).shuffle(chunks)
    with ProcessPoolExecutor(processes) as pool:
        for done in as_completed([pool.submit(score_chunk, chunk) for chunk in chunks]):
            yield from done.result()


def score_chunk(items: Sequence[Claim | Mutant]) -> list[Outcome]:
    """Return the outcomes of some claims."""
    return [score_one(item) for item in items]


def _place(item: Claim | Mutant) -> tuple[str, str]:
    subject = item.subject if isinstance(item, Claim) else item.claim.subject
    return subject.model, subject.element


def _cut(items: list) -> Iterator[list]:
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The tallies of a run."""

    outcomes: tuple[Outcome, ...]

    def of(self, *kinds: Kind, slip: str | None = None) -> list[Outcome]:
        """Return the outcomes of some kinds, and of one slip if named."""
        return [each for each in self.outcomes if each.kind in kinds and slip in (None, each.slip)]

    @property
    def passed(self) -> bool:
        """Tell whether no wrong claim was accepted and no right one refused."""
        return not any(each.faulty for each in self.outcomes)

    def named_share(self) -> float:
        """Return the share of the wrong claims whose slip was named right."""
        wrong = self.of("wrong")
        return sum(each.named_right for each in wrong) / max(1, len(wrong))

    def render(self) -> str:
        """Return the table."""
        right, same = self.of("right"), self.of("equivalent")
        lines = []
        if right:
            lines.append(f"right claims accepted: {_accepted(right)} of {len(right)}")
        slips = sorted({each.slip for each in self.outcomes if each.slip})
        header = ("slip planted", "made", "malformed", "equivalent", "wrong", "caught", "named")
        lines.append("{:<24}{:>7}{:>11}{:>12}{:>8}{:>8}{:>8}".format(*header))
        for name, slip in [*((slip, slip) for slip in slips), ("all", None)]:
            lines.append(self._row(name, slip))
        lines.append(f"equivalent mutants accepted: {_accepted(same)} of {len(same)}")
        malformed = self.of("malformed")
        lines.append(
            f"malformed mutants not accepted: {len(malformed) - _accepted(malformed)} of {len(malformed)}"
        )
        lines.append(f"named right: {self.named_share():.1%} of the wrong claims")
        return "\n".join(lines)

    def _row(self, name: str, slip: str | None) -> str:
        made = [each for each in self.of("wrong", "equivalent", "malformed", slip=slip)]
        wrong = self.of("wrong", slip=slip)
        counts = (
            len(made), len(self.of("malformed", slip=slip)), len(self.of("equivalent", slip=slip)), len(wrong),
            sum(each.caught for each in wrong), sum(each.named_right for each in wrong),
        )  # fmt: skip
        return "{:<24}{:>7}{:>11}{:>12}{:>8}{:>8}{:>8}".format(name, *counts)


def _accepted(outcomes: Iterable[Outcome]) -> int:
    return sum(each.accepted for each in outcomes)


def describe(outcome: Outcome) -> str:
    """Return an outcome as a minimal example."""
    planted = f" ({outcome.slip})" if outcome.slip else ""
    expected = "accepted" if outcome.kind in ("right", "equivalent") else "wrong"
    got = (
        f"{outcome.verdict} {list(outcome.named)}"
        if not outcome.message
        else f"{outcome.verdict}: {outcome.message}"
    )
    return f"{outcome.model} | {outcome.text}\n    {outcome.kind}{planted}; expected {expected}, got {got}"
