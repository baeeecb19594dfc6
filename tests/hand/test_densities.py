"""The densities of the hand joints against scipy.stats, constants included."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from . import densities
from .common import spd

RNG = np.random.default_rng(5)
MATRIX, SCALE = spd(RNG, 3), spd(RNG, 3)
VECTOR, MEAN = RNG.normal(size=3), RNG.normal(size=3)
SIMPLEX = np.array([0.2, 0.5, 0.3])


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (
            densities.normal([0.3, 1.0], 0.5, 2.0),
            stats.norm(0.5, np.sqrt(2.0)).logpdf([0.3, 1.0]).sum(),
        ),
        (
            densities.mvnormal(VECTOR, MEAN, MATRIX),
            stats.multivariate_normal(MEAN, MATRIX).logpdf(VECTOR),
        ),
        (
            densities.inverse_gamma(0.7, 2.5, 0.4),
            stats.invgamma(2.5, scale=1 / 0.4).logpdf(0.7),
        ),
        (densities.gamma(0.7, 2.5, 0.4), stats.gamma(2.5, scale=1 / 0.4).logpdf(0.7)),
        (
            densities.wishart(MATRIX, SCALE, 4.5),
            stats.wishart(4.5, SCALE).logpdf(MATRIX),
        ),
        (
            densities.inverse_wishart(MATRIX, SCALE, 4.5),
            stats.invwishart(4.5, SCALE).logpdf(MATRIX),
        ),
        (densities.uniform(0.7, -1.0, 2.0), stats.uniform(-1.0, 3.0).logpdf(0.7)),
        (densities.poisson([0, 3], 1.7), stats.poisson(1.7).logpmf([0, 3]).sum()),
        (densities.beta(0.3, 1.5, 2.5), stats.beta(1.5, 2.5).logpdf(0.3)),
        (
            densities.binomial([0, 3], [2, 3], 0.3),
            stats.binom([2, 3], 0.3).logpmf([0, 3]).sum(),
        ),
        (
            densities.dirichlet(SIMPLEX, np.array([1.5, 0.7, 2.0])),
            stats.dirichlet([1.5, 0.7, 2.0]).logpdf(SIMPLEX),
        ),
        (
            densities.multinomial(np.array([2, 0, 3]), SIMPLEX),
            stats.multinomial(5, SIMPLEX).logpmf([2, 0, 3]),
        ),
    ],
)
def test_density_matches_scipy(ours: float, theirs: float) -> None:
    assert ours == pytest.approx(theirs, rel=1e-12)


def test_uniform_has_no_mass_outside() -> None:
    assert densities.uniform(3.0, -1.0, 2.0) == -np.inf
