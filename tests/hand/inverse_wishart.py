"""An inverse Wishart prior on the covariance of vector responses.

Premises: y_k ~ N(mu, Sigma), vectors of length p, mu ~ N(mu0, Sigma0), Sigma ~ InverseWishart(nu, Psi), density prop. to
|Sigma|^-((nu+p+1)/2) exp(-tr(Psi Sigma^-1)/2).

Sigma: each y_k gives |Sigma|^-1/2 exp(-tr(Sigma^-1 e_k e_k')/2), e_k = y_k - mu: InverseWishart(nu + K, Psi + sum e_k e_k').
mu: L2, D = I, e_k = y_k, W = Sigma.
"""

from __future__ import annotations

import numpy as np

from . import densities
from .common import (
    Hand,
    Index,
    Sizes,
    State,
    column,
    constant,
    plate,
    scalar,
    size_state,
    spd,
    vectors,
)
from .lemmas import population_mean

MODEL = """
model inverse_wishart

plates
  k = 1..K

given
  mu0 : vector(p)
  Sigma0 : matrix(p,p)
  Psi : matrix(p,p)
  nu > p - 1

data
  y[k] ~ N(mu, Sigma)

parameters
  mu ~ N(mu0, Sigma0)
  Sigma ~ InverseWishart(df=nu, scale=Psi)
"""

SIZES: tuple[Sizes, ...] = (
    {"K": 4, "p": 2},
    {"K": 1, "p": 3},
    {"K": 3, "p": 1},
    {"K": 2, "p": 5},
)


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: y (k)->(p,); mu, mu0 (p,); Sigma, Sigma0, Psi (p, p); nu."""
    p = sizes["p"]
    matrices = {name: constant(spd(rng, p)) for name in ("Sigma", "Sigma0", "Psi")}
    means = {name: constant(rng.normal(size=p)) for name in ("mu", "mu0")}
    df = {"nu": constant(p - 1 + float(rng.uniform(0.3, 4.0)))}
    return size_state(sizes) | {"y": vectors(rng, plate(sizes["K"]), p)} | matrices | means | df


def log_joint(state: State) -> float:
    """The sum of the three log densities of the model."""
    mu, sigma = scalar(state, "mu"), scalar(state, "Sigma")
    return (
        sum(densities.mvnormal(y, mu, sigma) for y in state["y"].values())
        + densities.mvnormal(mu, scalar(state, "mu0"), scalar(state, "Sigma0"))
        + densities.inverse_wishart(sigma, scalar(state, "Psi"), scalar(state, "nu"))
    )


def _mean(state: State, at: Index) -> Hand:
    return population_mean(
        scalar(state, "mu0"),
        scalar(state, "Sigma0"),
        column(state, "y"),
        scalar(state, "Sigma"),
    )


def _covariance(state: State, at: Index) -> Hand:
    left = column(state, "y") - scalar(state, "mu")
    df = float(scalar(state, "nu") + len(left))
    return Hand("inverse_wishart", {"df": df, "scale": scalar(state, "Psi") + left.T @ left})


CONDITIONALS = {"mu": _mean, "Sigma": _covariance}
