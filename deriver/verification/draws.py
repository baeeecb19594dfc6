"""Draws from every family, given its canonical parameters; what a model statement says, made into numbers.

Stage verification.  Nothing here is shared with the emitted samplers, whose draws are under test.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from deriver.families.record import Family

Rng = np.random.Generator
Draw = Callable[..., Any]

MOST_TRIES = 100_000


class Undrawable(ValueError):
    """A value cannot be drawn; the message is a sentence for the user."""


def draw_wishart(rng: Rng, df: float, scale: np.ndarray) -> np.ndarray:
    """Draw a (p, p) matrix of mean df * scale, by Bartlett's decomposition."""
    p = len(scale)
    lower = np.tril(rng.standard_normal((p, p)), -1)
    np.fill_diagonal(lower, np.sqrt(rng.chisquare(df - np.arange(p))))
    root = np.linalg.cholesky(scale) @ lower
    return root @ root.T


def draw_inverse_wishart(rng: Rng, df: float, scale: np.ndarray) -> np.ndarray:
    """Draw a (p, p) matrix whose inverse is Wishart with inverse scale ``scale``."""
    return _symmetric(np.linalg.inv(draw_wishart(rng, df, _symmetric(np.linalg.inv(scale)))))


def draw_lkj(rng: Rng, dim: float, eta: float) -> np.ndarray:
    """Draw a correlation matrix by partial correlations, each a beta variable stretched to (-1, 1)."""
    p = int(dim)
    partial, matrix = np.zeros((p, p)), np.eye(p)
    for k in range(p - 1):
        half = eta + (p - k - 2) / 2
        for i in range(k + 1, p):
            value = partial[k, i] = 2 * rng.beta(half, half) - 1
            for m in range(k - 1, -1, -1):
                rest = (1 - partial[m, i] ** 2) * (1 - partial[m, k] ** 2)
                value = value * math.sqrt(rest) + partial[m, i] * partial[m, k]
            matrix[k, i] = matrix[i, k] = value
    return matrix


def draw_mvnormal(rng: Rng, mean: np.ndarray, cov: np.ndarray) -> np.ndarray:
    """Draw a p-vector from N(mean, cov)."""
    return np.ravel(mean) + np.linalg.cholesky(cov) @ rng.standard_normal(len(cov))


def _symmetric(matrix: np.ndarray) -> np.ndarray:
    return (matrix + matrix.T) / 2


def draw_polya_gamma(rng: Rng, size: float, tilt: float) -> float:
    """Draw from PG(size, tilt) as Σ 2 G_k / ((2k − 1)² π² + tilt²); past the 500th term, the mean of the rest."""
    k = np.arange(1, 501)
    weights = 2.0 / (((2 * k - 1) * math.pi) ** 2 + tilt**2)
    half = abs(tilt) / 2
    mean = size / 4 if half < 1e-6 else size * math.tanh(half) / (4 * half)
    return float(weights @ rng.standard_gamma(size, len(k)) + mean - size * weights.sum())


# One draw function a family, of (rng, *canonical parameters); an improper family has none.
DRAWS: dict[str, Draw] = {
    "normal": lambda rng, mean, var: rng.normal(mean, math.sqrt(var)),
    "mvnormal": draw_mvnormal,
    "gamma": lambda rng, shape, rate: rng.gamma(shape) / rate,
    "inverse_gamma": lambda rng, shape, scale: scale / rng.gamma(shape),
    "sqrt_inverse_gamma": lambda rng, shape, scale: math.sqrt(scale / rng.gamma(shape)),
    "exponential": lambda rng, rate: rng.exponential() / rate,
    "uniform": lambda rng, lower, upper: lower + (upper - lower) * rng.uniform(),
    "wishart": draw_wishart,
    "inverse_wishart": draw_inverse_wishart,
    "beta": lambda rng, a, b: rng.beta(a, b),
    "dirichlet": lambda rng, concentration: rng.dirichlet(np.ravel(concentration)),
    "bernoulli": lambda rng, prob: float(rng.uniform() < prob),
    "binomial": lambda rng, size, prob: float(rng.binomial(int(size), prob)),
    "poisson": lambda rng, rate: float(rng.poisson(rate)),
    "negative_binomial": lambda rng, size, prob: float(rng.poisson(rng.gamma(size) * (1 - prob) / prob)),
    "categorical": lambda rng, prob: float(1 + rng.choice(len(prob), p=np.ravel(prob))),
    "multinomial": lambda rng, size, prob: rng.multinomial(int(size), np.ravel(prob)).astype(float),
    "student_t": lambda rng, df, mean, scale: mean + scale * rng.standard_t(df),
    "cauchy": lambda rng, location, scale: location + scale * rng.standard_cauchy(),
    "half_cauchy": lambda rng, scale: scale * abs(rng.standard_cauchy()),
    "half_normal": lambda rng, var: math.sqrt(var) * abs(rng.standard_normal()),
    "laplace": lambda rng, location, scale: rng.laplace(location, scale),
    "logistic": lambda rng, location, scale: rng.logistic(location, scale),
    "lognormal": lambda rng, meanlog, varlog: math.exp(rng.normal(meanlog, math.sqrt(varlog))),
    "weibull": lambda rng, shape, scale: scale * rng.weibull(shape),
    "pareto": lambda rng, shape, minimum: minimum * math.exp(rng.exponential() / shape),
    "lkj": draw_lkj,
    "polya_gamma": draw_polya_gamma,
}


def draw_value(
    rng: Rng, family: Family, parameters: list[Any], ends: tuple[float, float] = (-math.inf, math.inf)
) -> Any:
    """Draw a value of a family between two ends, by rejection; raise ``Undrawable`` if it cannot be."""
    if family.key not in DRAWS:
        raise Undrawable(f"{family.surface}() is improper: nothing can be drawn from it")
    draw, (lower, upper) = DRAWS[family.key], ends
    for _ in range(MOST_TRIES):
        try:
            value = draw(rng, *parameters)
        except (ValueError, np.linalg.LinAlgError) as error:
            raise Undrawable(f"{family.surface}() has parameters that no draw has: {error}") from None
        if family.shape != "scalar" or lower <= value <= upper:
            return value
    raise Undrawable(
        f"the interval {lower:g} to {upper:g} has next to no probability under {family.surface}()"
    )
