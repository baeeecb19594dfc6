"""The engine's marginal densities of variances against those derived by hand."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from deriver.derivation.conditionals import derive
from deriver.derivation.marginal import Marginal, find_marginal
from deriver.derivation.marginal_check import log_marginal_at
from deriver.language import parse_model

from . import marginals, mean_reverting, random_intercepts, state_space, state_space_by_group, wishart
from .common import replaced

CASES = [
    (random_intercepts, marginals.random_intercepts, ("sigma2_0", "sigma2")),
    (wishart, marginals.wishart, ("Q", "sigma2")),
    (state_space, marginals.state_space, ("phi", "sigma2_y", "sigma2_z")),
    (mean_reverting, marginals.mean_reverting, ("phi",)),
    (state_space_by_group, marginals.state_space_by_group, ("sigma2_y",)),
]


@pytest.mark.parametrize(
    ("module", "by_hand", "variances"), CASES, ids=["A", "G5", "T", "T about a mean", "T by group"]
)
def test_marginal_is_the_hand_derived_one(module: ModuleType, by_hand, variances: tuple[str, ...]) -> None:
    derivation = derive(parse_model(module.MODEL))
    marginal = find_marginal(derivation)
    assert isinstance(marginal, Marginal)
    assert tuple(c.node for c in marginal.variances) == variances
    for seed, sizes in enumerate(module.SIZES):
        rng = np.random.default_rng(seed)
        state, other = (module.random_state(rng, sizes) for _ in range(2))
        moved = state
        for name in variances:
            moved = replaced(moved, name, (), other[name][()])
        derived = [log_marginal_at(derivation, marginal, each) for each in (moved, state)]
        hand = [by_hand(each) for each in (moved, state)]
        np.testing.assert_allclose(derived[0] - derived[1], hand[0] - hand[1], rtol=1e-8, atol=1e-8)
