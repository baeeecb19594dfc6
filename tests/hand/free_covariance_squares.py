"""Model G4 at p = 2 with inverse-gamma priors on the variances: they look conjugate, and are not.

Premises: as free_covariance with v0 = sigma2_0, v1 = sigma2_1, Sigma = [v0, rho sqrt(v0 v1); rho sqrt(v0 v1), v1],
v0 ~ IG(q0, r0), v1 ~ IG(q1, r1), rho ~ Unif(-1, 1).

v0: v0^-(n/2 + q0 + 1) exp{-(1/r0)/v0 - [A/v0 - 2 rho C/sqrt(v0 v1)]/(2(1-rho^2))}: the cross term in v0^-1/2 is not in
    the inverse gamma's kernel.   v1 alike with B.
beta_i, mu, sigma2, rho: as in free_covariance at s0 = sqrt(v0), s1 = sqrt(v1).
"""

from __future__ import annotations

import numpy as np

from . import densities, free_covariance
from .common import (
    Index,
    Kernel,
    Sizes,
    State,
    constant,
    edited,
    positive_scalars,
    scalar,
)
from .regressions import SIZES_TWO as SIZES
from .regressions import all_residuals, common_variance_state, log_population

__all__ = ["CONDITIONALS", "MODEL", "SIZES", "log_joint", "random_state"]

MODEL = edited(
    free_covariance.MODEL,
    ("model free_covariance", "model free_covariance_squares"),
    ("a0, b0, u1 > 0", "q0, r0, q1, r1 > 0"),
    (
        "[sigma0^2, sigma0*sigma1*rho; sigma0*sigma1*rho, sigma1^2]",
        "[sigma2_0, sqrt(sigma2_0*sigma2_1)*rho; sqrt(sigma2_0*sigma2_1)*rho, sigma2_1]",
    ),
    ("sigma0 ~ Gamma(shape=a0, rate=b0)", "sigma2_0 ~ IG(q0, r0)"),
    ("sigma1 ~ Unif(0, u1)", "sigma2_1 ~ IG(q1, r1)"),
)


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: as free_covariance, with variances."""
    rho = {"rho": constant(float(rng.uniform(-0.9, 0.9)))}
    return common_variance_state(rng, sizes) | rho | positive_scalars(rng, "sigma2_0 sigma2_1 q0 r0 q1 r1")


def _with_sds(state: State) -> State:
    sds = {f"sigma{c}": constant(float(np.sqrt(scalar(state, f"sigma2_{c}")))) for c in (0, 1)}
    return state | sds


def log_joint(state: State) -> float:
    """The sum of the seven log densities of the model."""
    return (
        densities.normal(all_residuals(state), 0.0, scalar(state, "sigma2"))
        + log_population(state, free_covariance.spread(_with_sds(state)))
        + densities.inverse_gamma(scalar(state, "sigma2_0"), scalar(state, "q0"), scalar(state, "r0"))
        + densities.inverse_gamma(scalar(state, "sigma2_1"), scalar(state, "q1"), scalar(state, "r1"))
        + densities.uniform(scalar(state, "rho"), -1.0, 1.0)
        + densities.inverse_gamma(scalar(state, "sigma2"), scalar(state, "q"), scalar(state, "r"))
    )


def _from(node: str):
    return lambda state, at: free_covariance.CONDITIONALS[node](_with_sds(state), at)


def _variance(own: int):
    def conditional(state: State, at: Index) -> Kernel:
        n, *squares, cross = free_covariance.sums(state)
        other, rho = scalar(state, f"sigma2_{1 - own}"), scalar(state, "rho")
        q, r = scalar(state, f"q{own}"), scalar(state, f"r{own}")

        def log_kernel(v: float) -> float:
            quadratic = (squares[own] / v - 2 * rho * cross / np.sqrt(v * other)) / (1 - rho**2)
            return float(-(n / 2 + q + 1) * np.log(v) - 1 / (r * v) - quadratic / 2)

        return Kernel(log_kernel)

    return conditional


CONDITIONALS = {node: _from(node) for node in ("beta", "mu", "sigma2", "rho")} | {
    "sigma2_0": _variance(0),
    "sigma2_1": _variance(1),
}
