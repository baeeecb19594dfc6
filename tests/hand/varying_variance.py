"""Model G1: model C with a data variance per individual, sigma2_i ~ IG(q, r).

Premises: as all_random, with y_ij ~ N(x_ij'beta_i, sigma2_i).

beta_i: as there with sigma2_i for sigma2.
sigma2_i: L3 with the J_i residuals of individual i only: shape q + J_i/2. With J_i = 0 the prior IG(q, r).
mu, sigma2_beta, rho: their factors are those of all_random.
"""

from __future__ import annotations

import numpy as np

from . import all_random, densities
from .common import (
    Hand,
    Index,
    Sizes,
    State,
    constant,
    edited,
    exchangeable_rho,
    positive_scalars,
    scalar,
)
from .lemmas import variance
from .regressions import (
    SIZES,
    coefficients,
    log_population,
    residuals,
    varying_variance_state,
)

__all__ = ["CONDITIONALS", "MODEL", "SIZES", "log_joint", "random_state"]

MODEL = edited(
    all_random.MODEL,
    ("model all_random", "model varying_variance"),
    ("beta[i], sigma2)", "beta[i], sigma2[i])"),
    ("sigma2 ~ IG(q, r)", "sigma2[i] ~ IG(q, r)"),
)


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: as all_random, with sigma2 (i)."""
    rho = {"rho": constant(exchangeable_rho(rng, sizes["p"]))}
    return varying_variance_state(rng, sizes) | rho | positive_scalars(rng, "sigma2_beta q_beta r_beta")


def log_data(state: State) -> float:
    """The log likelihood with a variance per individual, and the log prior of the variances."""
    q, r = scalar(state, "q"), scalar(state, "r")
    return sum(
        densities.normal(residuals(state, i), 0.0, value) + densities.inverse_gamma(value, q, r)
        for (i,), value in state["sigma2"].items()
    )


def log_joint(state: State) -> float:
    """The sum of the log densities of the model."""
    low = -1 / max(scalar(state, "p") - 1, 1)
    return (
        log_data(state)
        + log_population(state, all_random.spread(state))
        + densities.inverse_gamma(
            scalar(state, "sigma2_beta"),
            scalar(state, "q_beta"),
            scalar(state, "r_beta"),
        )
        + densities.uniform(scalar(state, "rho"), low, 1.0)
    )


def _coefficients(state: State, at: Index) -> Hand:
    return coefficients(state, at, all_random.spread(state), state["sigma2"][at])


def within(state: State, at: Index) -> Hand:
    """[sigma2_i | .]."""
    return variance(scalar(state, "q"), scalar(state, "r"), (residuals(state, at[0]), 1.0))


CONDITIONALS = all_random.CONDITIONALS | {"beta": _coefficients, "sigma2": within}
