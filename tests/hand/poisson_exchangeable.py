"""Model G6 under C: Poisson responses, exchangeable covariance of the coefficients.

Premises: y_ij ~ Pois(z_ij), log z_ij = x_ij'beta_i, beta_i ~ N(mu, s R(rho)).

beta_i: exp{sum_j (y_ij x_ij'beta - exp(x_ij'beta)) - (beta-mu)'(s R)^-1 (beta-mu)/2}; exp(x'beta) fits no normal kernel.
    With J_i = 0 the sum is empty and the conditional is N(mu, s R); it is in the family only there, so it is no claim.
mu, sigma2_beta, rho: the responses do not touch them; as in all_random.
"""

from __future__ import annotations

import numpy as np

from . import all_random, densities
from .common import (
    Index,
    Kernel,
    Sizes,
    State,
    constant,
    edited,
    exchangeable_rho,
    positive_scalars,
    scalar,
)
from .regressions import (
    SIZES,
    log_counts,
    log_population,
    poisson_kernel,
    poisson_state,
)

__all__ = ["CONDITIONALS", "MODEL", "SIZES", "log_joint", "random_state"]

MODEL = edited(
    all_random.MODEL,
    ("model all_random", "model poisson_exchangeable"),
    ("q, r, q_beta, r_beta > 0", "q_beta, r_beta > 0"),
    ("y[i,j] ~ N(x[i,j]' * beta[i], sigma2)", "y[i,j] ~ Pois(z[i,j])"),
    ("  beta[i] ~", "  log(z[i,j]) = x[i,j]' * beta[i]\n  beta[i] ~"),
    ("  sigma2 ~ IG(q, r)\n", ""),
)


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: x (i,j)->(p,); counts y (i,j); beta (i)->(p,); mu (p,); scalars."""
    rho = {"rho": constant(exchangeable_rho(rng, sizes["p"]))}
    return poisson_state(rng, sizes) | rho | positive_scalars(rng, "sigma2_beta q_beta r_beta")


def log_joint(state: State) -> float:
    """The sum of the five log densities of the model."""
    low = -1 / max(scalar(state, "p") - 1, 1)
    return (
        log_counts(state)
        + log_population(state, all_random.spread(state))
        + densities.inverse_gamma(
            scalar(state, "sigma2_beta"),
            scalar(state, "q_beta"),
            scalar(state, "r_beta"),
        )
        + densities.uniform(scalar(state, "rho"), low, 1.0)
    )


def _coefficients(state: State, at: Index) -> Kernel:
    return Kernel(poisson_kernel(state, at, np.linalg.inv(all_random.spread(state))))


CONDITIONALS = {
    "beta": _coefficients,
    "mu": all_random.mean,
    "sigma2_beta": all_random.scale,
    "rho": all_random.correlation,
}
