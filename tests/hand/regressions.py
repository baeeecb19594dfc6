"""What the models with a coefficient vector per individual share: C, G1 to G7 and their crossings.

y[i,j] has covariates x[i,j], shape (p,), and coefficients beta[i] ~ N(mu, Sigma), mu ~ N(mu0, Sigma0).
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
    counts,
    plate,
    positive_scalars,
    positives,
    ragged,
    reals,
    rows_of,
    scalar,
    size_state,
    spd,
    vectors,
)
from .lemmas import population_mean, regression

SIZES: tuple[Sizes, ...] = (
    {"n": 3, "J": (2, 4, 1), "p": 2},
    {"n": 4, "J": (3, 0, 1, 2), "p": 3},
    {"n": 2, "J": (3, 2), "p": 1},
    {"n": 1, "J": (3,), "p": 2},
    {"n": 3, "J": (1, 6, 2), "p": 5},
)
SIZES_TWO: tuple[Sizes, ...] = tuple({**sizes, "p": 2} for sizes in SIZES[:4])


def population_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """Sizes, coefficients and the prior of their mean."""
    p = sizes["p"]
    return size_state(sizes) | {
        "beta": vectors(rng, plate(sizes["n"]), p),
        "mu": constant(rng.normal(size=p)),
        "mu0": constant(rng.normal(size=p)),
        "Sigma0": constant(spd(rng, p)),
    }


def gaussian_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """As population_state, with covariates and real responses."""
    every = ragged(sizes["J"])
    return population_state(rng, sizes) | {
        "x": vectors(rng, every, sizes["p"]),
        "y": reals(rng, every),
    }


def common_variance_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """As gaussian_state, with one data variance sigma2 ~ IG(q, r)."""
    return gaussian_state(rng, sizes) | positive_scalars(rng, "sigma2 q r")


def varying_variance_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """As gaussian_state, with sigma2[i] ~ IG(q, r)."""
    variances = {"sigma2": positives(rng, plate(sizes["n"]))}
    return gaussian_state(rng, sizes) | variances | positive_scalars(rng, "q r")


def poisson_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """As population_state, with covariates and counts."""
    every = ragged(sizes["J"])
    return population_state(rng, sizes) | {
        "x": vectors(rng, every, sizes["p"]),
        "y": counts(rng, every),
    }


def residuals(state: State, i: int) -> np.ndarray:
    """y[i,j] - x[i,j]'beta[i], shape (J[i],)."""
    rows = rows_of(state, i)
    return column(state, "y", rows) - column(state, "x", rows) @ state["beta"][(i,)]


def all_residuals(state: State) -> np.ndarray:
    """The residuals of all individuals, shape (sum J,)."""
    return np.concatenate([residuals(state, i) for (i,) in state["beta"]])


def deviations(state: State) -> np.ndarray:
    """beta[i] - mu, shape (n, p)."""
    return column(state, "beta") - scalar(state, "mu")


def log_population(state: State, spread: np.ndarray) -> float:
    """The log density of the coefficients with covariance spread, and of their mean."""
    mu = scalar(state, "mu")
    coefficients = sum(densities.mvnormal(beta, mu, spread) for beta in state["beta"].values())
    return coefficients + densities.mvnormal(mu, scalar(state, "mu0"), scalar(state, "Sigma0"))


def coefficients(state: State, at: Index, spread: np.ndarray, variance: float) -> Hand:
    """[beta_i | .]: L2 with D = X_i, W = variance I; prior N(mu, spread)."""
    rows = rows_of(state, at[0])
    return regression(
        scalar(state, "mu"),
        spread,
        column(state, "x", rows),
        column(state, "y", rows),
        variance,
    )


def mean_of_coefficients(state: State, spread: np.ndarray) -> Hand:
    """[mu | .]: L2 with D = I, n terms of covariance spread; prior N(mu0, Sigma0)."""
    return population_mean(scalar(state, "mu0"), scalar(state, "Sigma0"), column(state, "beta"), spread)


def log_poisson(state: State, beta: np.ndarray, i: int) -> float:
    """sum_j y_ij x_ij'beta - exp(x_ij'beta): the Poisson factors of one individual, free of constants."""
    rows = rows_of(state, i)
    predictor = column(state, "x", rows) @ beta
    return float(np.sum(column(state, "y", rows) * predictor - np.exp(predictor)))


def poisson_kernel(state: State, at: Index, precision: np.ndarray):
    """[beta_i | .] for Poisson responses: its factors and the normal prior, in no known family."""
    mu = scalar(state, "mu")

    def log_kernel(beta: np.ndarray) -> float:
        return log_poisson(state, beta, at[0]) - 0.5 * (beta - mu) @ precision @ (beta - mu)

    return log_kernel


def log_counts(state: State) -> float:
    """The Poisson log likelihood of all responses."""
    return sum(
        densities.poisson(
            column(state, "y", rows),
            np.exp(column(state, "x", rows) @ state["beta"][(i,)]),
        )
        for (i,) in state["beta"]
        for rows in [rows_of(state, i)]
    )
