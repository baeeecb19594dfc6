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


@pytest.mark.parametrize("fault", BROKEN)
def test_broken_samplers_fail_and_the_update_is_named(fault: str) -> None:
    model, old, new, node = BROKEN[fault]
    source = edited(model, old, new, compiled=True)
    report = verify_small(model, source, replace(SMALL, chain=20, steps=2, ranks=3))
    assert not report.passed
    assert node in {outcome.node for outcome in report.failures if outcome.kind in ("draws", "update")}
