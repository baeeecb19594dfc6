"""A chain integrated out in compiled loops, run as plain Python: its mean, its pivots, and its digits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deriver.derivation.marginal_check import gaussian_system, list_places
from tests.unit.test_blocks_compiled import CompiledBench

CHAINS = ("state_space", "by_group", "mean_reverting", "shared_variance", "regression")


@pytest.fixture(params=CHAINS)
def bench(request, tmp_path: Path) -> CompiledBench:
    return CompiledBench(request.param, tmp_path, 2)


def test_density_leaves_the_chain_at_its_mean_and_the_determinant_in_the_pivots(bench: CompiledBench) -> None:
    """Both against the dense system of the chain alone, the shared nodes held."""
    (chain,) = bench.marginal.effects
    state = bench.chain(0)
    bench.density(state)
    precision, gradient = gaussian_system(bench.derivation, bench.marginal, bench.states[0])
    places = list_places(bench.marginal, bench.states[0])
    size = sum(member is chain for member, _, _ in places)
    own, values = (
        precision[:size, :size],
        [bench.states[0][chain.node][index] for _, index, _ in places[:size]],
    )
    mean = np.array(values) + np.linalg.solve(own, gradient[:size])
    found = np.ravel(getattr(state, chain.node))
    np.testing.assert_allclose(found, mean, rtol=1e-8, atol=1e-10)
    log_det = np.sum(np.log(bench.steps.dets))
    np.testing.assert_allclose(log_det, np.linalg.slogdet(own)[1], rtol=1e-9, atol=1e-9)


def test_a_precision_that_is_not_positive_definite_is_refused(tmp_path: Path) -> None:
    bench = CompiledBench("state_space", tmp_path, 2)
    wrong = bench.chain(0)._replace(sigma2_y=np.array([-1e-3]))
    assert bench.density(wrong) == -np.inf
    precision, coupling = np.array([[2.0, 2.0], [1.0, 1.0]]), np.array([[0.0, 1.0], [0.0, 2.0]])
    mean, _, log_det = bench.module.integrate_chains(precision, coupling, np.ones((2, 1, 2)))
    np.testing.assert_allclose(mean[0], [1.0, 1.0])
    np.testing.assert_allclose(log_det, [np.log(3.0), np.inf])
    too_far = bench.module.integrate_chains(precision, coupling * np.nan, np.ones((2, 1, 2)))[2]
    assert (too_far == np.inf).all()
