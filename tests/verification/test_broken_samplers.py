"""Samplers broken on purpose must fail, and the report must name the update at fault; right ones must pass."""

from __future__ import annotations

from dataclasses import replace

import pytest

import deriver
from deriver.verification.replicates import SWEEP
from tests.verification.faults import EDITS, KINDS, list_faults
from tests.verification.samplers import SMALL, edited, sampler, verify_small

# name: (model, text of the emitted source, what it is replaced by, node at fault)
BROKEN = {
    "factor_of_two_in_the_precision": (
        "wishart", "precision = data.inv_Sigma0 + data.n * state.Q",
        "precision = data.inv_Sigma0 + 2 * data.n * state.Q", "mu",
    ),
    "missing_jacobian": (
        "all_random", "return log_kernel + np.log(rho - lower) + np.log(1 - rho)", "return log_kernel", "rho",
    ),
    "degrees_of_freedom_off_by_one": ("wishart", "df = data.n + data.nu", "df = data.n + data.nu + 1", "Q"),
    "one_group_left_out": (
        "random_intercepts", "linear = np.sum(state.beta0, axis=1)", "linear = np.sum(state.beta0[:, 1:], axis=1)",
        "mu0",
    ),
    "newton_step_as_independence_proposal": (
        "poisson", "log_proposal(value, back, back_root)", "log_proposal(value, centre, root)", "beta",
    ),
    "prior_forgotten": ("random_intercepts", "/ 2 + 1 / data.r1", "/ 2 + 1e-9 / data.r1", "sigma2"),
    "the_same_noise_for_all": (
        "independent_effects", "noise = rng.standard_normal(size)\n    return linear / precision",
        "noise = np.broadcast_to(rng.standard_normal(size[:1])[(...,) + (None,) * (len(size) - 1)], size)\n"
        + "    return linear / precision",
        "beta0",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ["random_intercepts", "all_random", "state_space"])
def test_right_samplers_pass(name: str) -> None:
    report = verify_small(name)
    assert report.passed, report.to_text()


@pytest.mark.parametrize("fault", BROKEN)
def test_broken_samplers_fail_and_the_update_is_named(fault: str) -> None:
    model, old, new, node = BROKEN[fault]
    report = verify_small(model, edited(model, old, new), replace(SMALL, chain=20, steps=2, ranks=3))
    assert not report.passed
    assert node in {outcome.node for outcome in report.failures if outcome.kind in ("draws", "update")}
    assert f"{node}" in report.to_text().partition("Look first at the update of")[2]


def test_a_node_that_is_never_updated_fails_by_its_ranks() -> None:
    """From exact starts such a sweep leaves the joint in place: only ranks, whose chains start elsewhere, tell."""
    update, start = (
        "state = replace(state, beta1=draw_beta1(rng, state, data))",
        "beta1=rng.standard_normal(chains)",
    )
    source = sampler("random_intercepts")[1]
    assert update in source and start in source
    broken = source.replace(update, "pass").replace(start, f"beta1=3 + {start[6:]}")
    report = verify_small("random_intercepts", broken)
    assert {outcome.kind for outcome in report.failures} == {"ranks"}
    assert "chains may be too short" in report.to_text()


def test_a_wrong_line_in_the_sweep_fails_by_the_chain() -> None:
    """Each update is right by itself."""
    last = "    state = replace(state, sigma2=draw_sigma2(rng, state, data))\n    return state\n"
    source = edited(
        "random_intercepts", f"beta1=draw_beta1(rng, state, data))\n{last}",
        f"beta1=draw_beta1(rng, state, data))\n{last}".replace("return state", "return replace(state, sigma2=state.sigma2 / 2)"),
    )  # fmt: skip
    report = verify_small("random_intercepts", source, replace(SMALL, chain=60, steps=12))
    assert "chain" in {outcome.kind for outcome in report.failures}
    assert {outcome.node for outcome in report.failures if outcome.kind in ("draws", "update")} == {SWEEP}
    assert "look at the order in `sweep`" in report.to_text()


def test_a_log_joint_without_a_term_fails() -> None:
    source = edited(
        "random_intercepts", "    total += log_inverse_gamma(state.sigma2, data.q1, 1 / data.r1)\n", ""
    )
    report = verify_small("random_intercepts", source, replace(SMALL, chain=3, steps=1, ranks=0))
    assert "log joint" in {outcome.kind for outcome in report.failures}


def test_a_sampler_that_raises_is_reported() -> None:
    source = edited("random_intercepts", "    shape = data.n / 2 + data.q0\n", "    shape = -1.0\n")
    report = verify_small("random_intercepts", source, replace(SMALL, chain=3, steps=1, ranks=2))
    assert not report.passed
    assert "ValueError" in report.to_text()


def test_every_way_to_break_a_sampler_is_found_in_the_packaged_models() -> None:
    faults = [fault for name in deriver.packaged_models() for fault in list_faults(sampler(name)[1])]
    assert {fault.kind for fault in faults} == set(KINDS)


@pytest.mark.parametrize("kind", EDITS)
def test_each_kind_of_fault_is_caught_at_the_update(kind: str) -> None:
    name = "all_random" if kind == "a missing Jacobian" else "random_intercepts"
    fault = next(fault for fault in list_faults(sampler(name)[1]) if fault.kind == kind)
    report = verify_small(name, fault.source, replace(SMALL, prior=3, chain=3, steps=1, ranks=0))
    assert fault.node in {outcome.node for outcome in report.failures if outcome.kind == "draws"}
