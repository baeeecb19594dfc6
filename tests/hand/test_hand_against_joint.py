"""Every hand-derived conditional against the hand-coded joint density of its model; no engine takes part.

The density-ratio identity must hold for every element of every node, at several random states and sizes. The last
tests show that the check can fail: on a dropped half, a forgotten prior, a forgotten term, a wrong kernel.
"""

from __future__ import annotations

import numpy as np
import pytest

from .catalogue import CASES, Case, elements, load, state_of
from .common import Hand, Kernel
from .kernels import ratio_error

TOLERANCE = 1e-8
SEEDS = (11, 12, 13)


def worst_error(case: Case, change=lambda conditional: conditional) -> float:
    """The largest failure of the identity over elements and seeds; each other value is from an independent state."""
    module = load(case.module)
    worst = 0.0
    for seed in SEEDS:
        state, other = state_of(case, seed), state_of(case, seed + 100)
        for at in elements(state, case.node):
            conditional = change(module.CONDITIONALS[case.node](state, at))
            error = ratio_error(
                conditional,
                module.log_joint,
                state,
                at,
                **{case.node: other[case.node][at]},
            )
            worst = max(worst, error if np.isfinite(error) else np.inf)
    return worst


@pytest.mark.parametrize("case", CASES, ids=str)
def test_conditional_matches_joint(case: Case) -> None:
    assert worst_error(case) < TOLERANCE


def altered(name: str, factor: float = 1.0, shift: float = 0.0):
    """A change of one parameter of a conditional."""

    def change(conditional: Hand) -> Hand:
        value = conditional.parameters[name]
        return Hand(conditional.family, {**conditional.parameters, name: value * factor + shift})

    return change


@pytest.mark.parametrize(
    ("module", "node", "change"),
    [
        pytest.param(
            "random_intercepts",
            "sigma2",
            altered("scale", 2.0),
            id="dropped half in a sum of squares",
        ),
        pytest.param(
            "random_intercepts",
            "sigma2_0",
            altered("shape", shift=0.5),
            id="half an observation too many",
        ),
        pytest.param(
            "all_random",
            "sigma2_beta",
            altered("shape", shift=1.0),
            id="the exponent taken for the shape",
        ),
        pytest.param(
            "all_random",
            "mu",
            altered("cov", 1.01),
            id="covariance off by one per cent",
        ),
        pytest.param(
            "wishart",
            "Q",
            altered("df", shift=1.0),
            id="one degree of freedom too many",
        ),
        pytest.param(
            "gamma_poisson",
            "theta",
            altered("rate", shift=1e-4),
            id="rate off by 1e-4",
        ),
        pytest.param(
            "beta_binomial",
            "theta",
            altered("b", shift=-1.0),
            id="the prior's -1 taken for the parameter's",
        ),
    ],
)
def test_a_slip_in_a_parameter_is_caught(module: str, node: str, change) -> None:
    assert worst_error(Case(module, 0, node), change) > 100 * TOLERANCE


def test_a_forgotten_prior_is_caught() -> None:
    def without_prior(conditional: Hand) -> Hand:
        """Remove the prior N(m, v) from a normal conditional, as if it had been flat."""
        state = state_of(Case("random_slopes", 0, "beta0"), SEEDS[0])
        m, v = state["m0"][()], state["v0"][()]
        mean, var = conditional.parameters["mean"], conditional.parameters["var"]
        precision = 1 / var - 1 / v
        return Hand("normal", {"mean": (mean / var - m / v) / precision, "var": 1 / precision})

    assert worst_error(Case("random_slopes", 0, "beta0"), without_prior) > 100 * TOLERANCE


def test_a_forgotten_determinant_is_caught() -> None:
    def without_determinant(conditional: Kernel) -> Kernel:
        return Kernel(lambda rho: conditional.log_kernel(rho) + 0.5 * np.log(1 - rho**2))

    assert worst_error(Case("all_random_two", 0, "rho"), without_determinant) > 100 * TOLERANCE
