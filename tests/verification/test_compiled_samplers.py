"""Compiled samplers are verified as those of arrays are: a right one passes, broken ones fail by the update at fault."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.verification.samplers import SMALL, compiled_sampler, edited, verify_small

# name: (model, text of the emitted source, what it is replaced by, node at fault)
BROKEN = {
    "coupling_forgotten": ("state_space", "before = linear + share * before", "before = linear", "z"),
    "sums_of_another_value": (
        "poisson", "if kept[0, i] != beta_0 or kept[1, i] != beta_1:", "if kept[0, i] != kept[0, i]:", "beta",
    ),
}  # fmt: skip


def test_a_right_sampler_passes() -> None:
    report = verify_small("wishart", compiled_sampler("wishart"))
    assert report.passed, report.to_text()


def test_nodes_drawn_together_are_tested_as_they_are_drawn() -> None:
    """Sweeps with the effects integrated out pass; where a shared node moves twice as far, they do not."""
    source = compiled_sampler("random_intercepts", blocks="on")
    report = verify_small("random_intercepts", source)
    assert report.passed, report.to_text()
    line = "anchor.mu0[0] + shift_0"
    assert source.count(line) == 1
    report = verify_small("random_intercepts", source.replace(line, "anchor.mu0[0] + 2 * shift_0"))
    assert {outcome.kind for outcome in report.failures} >= {"update", "chain"}
    assert {outcome.node for outcome in report.failures} <= {"a whole sweep", ""}


@pytest.mark.parametrize("fault", BROKEN)
def test_broken_samplers_fail_and_the_update_is_named(fault: str) -> None:
    model, old, new, node = BROKEN[fault]
    source = edited(model, old, new, compiled=True)
    report = verify_small(model, source, replace(SMALL, chain=20, steps=2, ranks=3))
    assert not report.passed
    assert node in {outcome.node for outcome in report.failures if outcome.kind in ("draws", "update")}
