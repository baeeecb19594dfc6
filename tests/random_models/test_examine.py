"""The checks of random models can fail: each is shown one fault of the kind that it is for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sympy as sp

from deriver.derivation.conditionals import derive
from deriver.derivation.records import Derivation
from deriver.errors import Mistake, UsageError
from deriver.language import parse_model
from tests.model_checks import Bench
from tests.random_models.batches import run_batch
from tests.random_models.draft import Case
from tests.random_models.examine import (
    Failed,
    check_against_reference,
    check_marks,
    check_sweeps,
    examine,
    refusal,
)

TEXT = """model random
plates
  k = 1..K
given
  x[k]
data
  y[k] ~ N(x[k] * b, s)
parameters
  b ~ N(0, 1)
  s ~ IG(2, 1)
"""
CASE = Case(text=TEXT, must={"b": "normal", "s": "inverse_gamma"}, never=frozenset(), seed=3)


def changed(parameter: str, change: sp.Expr) -> Derivation:
    """Return the derivation with something added to one parameter."""
    derivation = derive(parse_model(TEXT))
    conditionals = []
    for conditional in derivation.conditionals:
        parameters = tuple(
            (name, value + change if name == parameter else value) for name, value in conditional.parameters
        )
        conditionals.append(replace(conditional, parameters=parameters))
    return replace(derivation, conditionals=tuple(conditionals))


def test_a_right_model_passes() -> None:
    assert examine(CASE).nodes == {"b": "normal", "s": "inverse_gamma"}


@pytest.mark.parametrize("parameter", ["precision", "linear", "shape", "scale"])
def test_a_wrong_parameter_is_found(parameter: str) -> None:
    check_against_reference(changed(parameter, sp.S.Zero), seed=3)
    with pytest.raises(Failed, match="false conjugacy"):
        check_against_reference(changed(parameter, sp.Rational(1, 100)), seed=3)


def test_a_wrong_joint_is_found() -> None:
    derivation = derive(parse_model(TEXT))
    shorter = replace(derivation, factors=derivation.factors[:-1])
    with pytest.raises(AssertionError, match="log joint"):
        check_against_reference(shorter, seed=3)


def test_a_missed_and_a_false_conjugacy_are_found() -> None:
    derivation = derive(parse_model(TEXT))
    with pytest.raises(Failed, match="false conjugacy"):
        check_marks(replace(CASE, never=frozenset({"b"})), derivation)
    with pytest.raises(Failed, match="family"):
        check_marks(replace(CASE, must={"b": "gamma"}), derivation)
    refused = replace(derivation.conditionals[0], method="mh", family=None)
    with pytest.raises(Failed, match="missed"):
        check_marks(CASE, replace(derivation, conditionals=(refused,)))


def test_a_broken_text_and_a_refusal_without_a_remedy_are_found() -> None:
    with pytest.raises(Failed, match="parse"):
        examine(replace(CASE, text=TEXT.replace("IG(2, 1)", "IG(2)")))
    assert refusal(UsageError([Mistake(code="not_emitted", found="this", remedy="that")])).endswith("this")
    with pytest.raises(Failed, match="refusal"):
        refusal(UsageError([Mistake(code="not_emitted", found="this")]))
    with pytest.raises(Failed, match="refusal"):
        refusal(UsageError([Mistake(code="unknown_node", found="this", remedy="that")]))


def test_a_sampler_whose_draws_are_not_finite_is_found(tmp_path: Path, monkeypatch) -> None:
    bench = Bench(TEXT, tmp_path, 3)
    check_sweeps(bench, 3)
    monkeypatch.setattr(bench.module, "random_normal", lambda rng, a, b, size: np.full(size, np.nan))
    with pytest.raises(AssertionError, match="draws of b are not finite"):
        check_sweeps(bench, 3)


def test_a_failing_batch_gives_the_model_and_its_check(monkeypatch) -> None:
    def refuse(case: Case) -> None:
        if "IG" in case.text:
            raise Failed("planted", "a model with an inverse gamma")

    monkeypatch.setattr("tests.random_models.batches.examine", refuse)
    batch = run_batch(1, 40)
    (failure,) = batch.failures
    assert batch.failed >= 1
    assert failure.check == "planted"
    assert "IG" in failure.case.text and "IG" in failure.render()
    assert len(failure.case.text.splitlines()) <= 14


def test_a_batch_depends_on_its_seed_alone(monkeypatch) -> None:
    seen: list[list[str]] = [[], [], []]
    for place, number in enumerate((7, 7, 8)):
        monkeypatch.setattr(
            "tests.random_models.batches.examine", lambda case, p=place: seen[p].append(repr(case))
        )
        run_batch(number, 10)
    assert seen[0] == seen[1] != seen[2]
