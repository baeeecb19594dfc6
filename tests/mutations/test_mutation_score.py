"""A small mutation score at a fixed seed; ``benchmarks/mutation_score.py`` runs the whole."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest

from deriver.checking import SLIPS
from deriver.checking.slips import SlipFinder

from . import score as score_module
from .claims import CLAIMS
from .forms import Claim
from .mutate import Mutant
from .oracle import is_right
from .score import Score, all_mutants, describe, judge_mutant, sample_mutants, score_all

MUTANTS = 60
PROCESSES = 2
SEED = 7
NAMED = 0.9


@pytest.fixture(scope="module")
def score() -> Score:
    """The outcomes of one right claim in eight, and of a sample of mutants."""
    items: list[Claim | Mutant] = [*CLAIMS[::8], *sample_mutants(MUTANTS, SEED)]
    return Score(outcomes=tuple(score_all(items, PROCESSES)))


def test_every_conditional_is_written_in_five_ways():
    written = Counter((claim.subject.model, claim.subject.element) for claim in CLAIMS)
    assert min(written.values()) >= 5


def test_right_claims_are_right_by_the_oracle():
    assert [claim.text() for claim in CLAIMS[::7] if not is_right(claim)] == []


def test_a_thousand_mutants_of_every_slip_on_the_list():
    planted = Counter(mutant.slip for mutant in all_mutants())
    assert sum(planted.values()) >= 1000
    assert set(planted) == set(SLIPS) - {"wrong symbol"}


@pytest.mark.parametrize(
    "change",
    [("n * p / 2 + q_beta", "n + q_beta"), ("inv([1, rho; rho, 1]) ", "inv([1, rho; rho, 1]') ")],
    ids=["n for np/2 at p = 2", "R' for R"],
)
def test_the_oracle_removes_what_changes_nothing(change):
    old, new = change
    claims = [each for each in CLAIMS if each.subject.model == "all_random_two" and old in each.text()]
    assert claims
    for claim in claims[:3]:
        arguments = tuple((keyword, value.replace(old, new)) for keyword, value in claim.arguments)
        names = tuple((name, value.replace(old, new)) for name, value in claim.names)
        changed = Mutant(slip="transpose", claim=_with_parts(claim, arguments, names), change="")
        assert judge_mutant(changed) == "equivalent"


def _with_parts(claim: Claim, arguments: tuple, names: tuple) -> Claim:
    return Claim(
        subject=claim.subject, head=claim.head, coordinate=claim.coordinate, family=claim.family,
        arguments=arguments, names=names, log=claim.log,
    )  # fmt: skip


@pytest.fixture
def few() -> list[Mutant]:
    """Three wrong mutants of one conditional."""
    found = (m for m in all_mutants() if (m.claim.subject.model, m.slip) == ("random_intercepts", "sign"))
    return list(islice((m for m in found if judge_mutant(m) == "wrong"), 3))


def test_the_score_fails_for_a_wrong_claim_accepted(few, monkeypatch):
    monkeypatch.setattr(score_module, "check", lambda claim: ("equal", (), ""))
    score = Score(outcomes=tuple(score_all(few, processes=1)))
    assert not score.passed and "wrong claims accepted: 3" in score.render()


def test_the_score_fails_for_a_right_claim_refused(monkeypatch):
    monkeypatch.setattr(score_module, "check", lambda claim: ("wrong", (), ""))
    score = Score(outcomes=tuple(score_all(CLAIMS[:2], processes=1)))
    assert not score.passed and "accepted" in score.render()


def test_the_score_falls_when_no_slip_is_named(few, monkeypatch):
    monkeypatch.setattr(SlipFinder, "find", lambda self, statement: ())
    score = Score(outcomes=tuple(score_all(few, processes=1)))
    assert score.passed and score.named_share() == 0.0


def test_each_kind_of_slip_has_its_share_of_wrong_claims():
    kinds = Counter(
        mutant.slip for mutant in sample_mutants(2 * len(SLIPS), SEED) if judge_mutant(mutant) == "wrong"
    )
    assert set(kinds) == set(SLIPS) - {"wrong symbol"}
    assert max(kinds.values()) - min(kinds.values()) <= 1


def test_no_right_claim_is_refused_and_no_wrong_one_accepted(score):
    assert [describe(outcome) for outcome in score.outcomes if outcome.faulty] == []


def test_the_planted_slip_is_named(score):
    assert score.named_share() >= NAMED, score.render()
