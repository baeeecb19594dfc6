"""The score: what the checker says to right claims and to mutants, tallied by the slip that was planted.

Input: ``CLAIMS`` and a number of mutants to sample.  Output: ``Outcome`` records and a ``Score``.
"""

from __future__ import annotations

import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Literal

from deriver.checking import check_claim
from deriver.errors import ModelError

from .claims import CLAIMS
from .evaluate import BadClaim
from .forms import Claim, model_of
from .mutate import Mutant, mutants
from .oracle import is_right

Kind = Literal["right", "equivalent", "malformed", "wrong"]
_CHUNK = 6
ACCEPTED = ("equal", "proportional")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One claim checked: what it is by the oracle, what the checker said in how many processor seconds, the slips it named."""

    kind: Kind
    slip: str
    allowed: frozenset[str]
    model: str
    element: str
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
    """Return ``count`` wrong mutants (all mutants for 0), with those drawn on the way that turned out not to be wrong.

    They are drawn in turn from each slip, in a slip from each model, in that from each form: so every kind of slip
    has its equal share of wrong claims (all it has, where that is less), and no model or form is left out.
    """
    if not count:
        return list(all_mutants())
    rng = random.Random(seed)
    groups = _grouped(list(all_mutants()), _slip)
    waiting = [_in_turn(group, (_model, _form), rng) for group in rng.sample(groups, len(groups))]
    drawn: list[Mutant] = []
    wrong = 0
    while waiting and wrong < count:
        for queue in list(waiting):
            before = len(drawn)
            wrong += _draw_wrong(queue, drawn) if wrong < count else 0
            if len(drawn) == before:
                waiting.remove(queue)
    return drawn


def _draw_wrong(queue: Iterator[Mutant], drawn: list[Mutant]) -> bool:
    """Draw mutants until one is wrong, by the oracle; tell whether there was one."""
    for mutant in queue:
        drawn.append(mutant)
        if judge_mutant(mutant) == "wrong":
            return True
    return False


def _slip(mutant: Mutant) -> str:
    return mutant.slip


def _model(mutant: Mutant) -> str:
    return mutant.claim.subject.model


def _form(mutant: Mutant) -> tuple[str, str, bool]:
    return mutant.claim.subject.element, mutant.claim.family, mutant.claim.log


def _grouped(items: list[Mutant], key: Callable[[Mutant], object]) -> list[list[Mutant]]:
    groups: dict[object, list[Mutant]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return list(groups.values())


def _in_turn(
    items: list[Mutant], keys: tuple[Callable[[Mutant], object], ...], rng: random.Random
) -> Iterator[Mutant]:
    """Yield items one of each group in turn, the groups those of the first key, each in turn by the rest."""
    if not keys:
        yield from rng.sample(items, len(items))
        return
    groups = _grouped(items, keys[0])
    waiting = [_in_turn(group, keys[1:], rng) for group in rng.sample(groups, len(groups))]
    while waiting:
        for queue in list(waiting):
            item = next(queue, None)
            if item is None:
                waiting.remove(queue)
            else:
                yield item


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
    mutant = item if isinstance(item, Mutant) else None
    claim = item if isinstance(item, Claim) else item.claim
    start = time.process_time()
    verdict, named, message = check(claim)
    seconds = time.process_time() - start
    return Outcome(
        kind=judge_mutant(mutant) if mutant else "right",
        slip=mutant.slip if mutant else "",
        allowed=mutant.names() if mutant else frozenset(),
        model=claim.subject.model,
        element=claim.subject.element,
        text=claim.text(),
        verdict=verdict,
        named=named,
        message=message,
        seconds=seconds,
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
        """Return the tables."""
        parts = [self._right_table(), self._wrong_table(), self._times()]
        return "\n\n".join("\n".join(part) for part in parts if part)

    def _right_table(self) -> list[str]:
        right = self.of("right")
        if not right:
            return []
        written = Counter((each.model, each.element) for each in right)
        header = f"{'model':<28}{'right claims':>14}{'accepted':>10}"
        rows = [
            f"{model:<28}{len(own):>14}{_accepted(own):>10}"
            for model in sorted({each.model for each in right})
            for own in [[each for each in right if each.model == model]]
        ]
        total = f"{'all':<28}{len(right):>14}{_accepted(right):>10}"
        return [
            header,
            *rows,
            total,
            f"{len(written)} conditionals, each written in at least {min(written.values())} ways",
        ]

    def _wrong_table(self) -> list[str]:
        slips = sorted({each.slip for each in self.outcomes if each.slip})
        if not slips:
            return []
        header = ("slip planted", "made", "malformed", "equivalent", "wrong", "caught", "named", "share")
        lines = ["{:<24}{:>7}{:>11}{:>12}{:>8}{:>8}{:>8}{:>8}".format(*header)]
        for name, slip in [*((slip, slip) for slip in slips), ("all", None)]:
            lines.append(self._row(name, slip))
        same, malformed = self.of("equivalent"), self.of("malformed")
        refused = len(malformed) - _accepted(malformed)
        return [
            *lines,
            "(the numeric oracle removes what is malformed, and what is equivalent to the right claim)",
            f"equivalent mutants accepted: {_accepted(same)} of {len(same)}",
            f"malformed mutants not accepted: {refused} of {len(malformed)}",
            f"wrong claims accepted: {_accepted(self.of('wrong'))}",
            f"named right: {self.named_share():.1%} of the wrong claims",
        ]

    def _times(self) -> list[str]:
        seconds = sorted(each.seconds for each in self.of("wrong"))
        if not seconds:
            return []
        places = {"median": 0.5, "95 %": 0.95}
        shown = [f"{name} {seconds[int(share * (len(seconds) - 1))]:.1f}" for name, share in places.items()]
        return [f"processor seconds a wrong claim: {', '.join(shown)}, longest {seconds[-1]:.1f}"]

    def _row(self, name: str, slip: str | None) -> str:
        made = [each for each in self.of("wrong", "equivalent", "malformed", slip=slip)]
        wrong = self.of("wrong", slip=slip)
        counts = (
            len(made), len(self.of("malformed", slip=slip)), len(self.of("equivalent", slip=slip)), len(wrong),
            sum(each.caught for each in wrong), sum(each.named_right for each in wrong),
        )  # fmt: skip
        share = f"{counts[-1] / len(wrong):.1%}" if wrong else "–"
        return "{:<24}{:>7}{:>11}{:>12}{:>8}{:>8}{:>8}{:>8}".format(name, *counts, share)


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
