"""Log densities with all their constants, summed over the arrays given; the hand joints are sums of these.

They are tested against scipy.stats in test_densities.py, and share nothing with the kernels of kernels.py that they
are compared with.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaln, gammaln, multigammaln


def normal(x: ArrayLike, mean: ArrayLike, var: ArrayLike) -> float:
    """N(mean, var), var a variance."""
    deviation = np.asarray(x) - mean
    return float(np.sum(-0.5 * np.log(2 * np.pi * np.asarray(var)) - 0.5 * deviation**2 / var))


def mvnormal(x: np.ndarray, mean: np.ndarray, cov: np.ndarray) -> float:
    """N(mean, cov) for one vector, shape (p,)."""
    deviation = x - mean
    quadratic = deviation @ np.linalg.solve(cov, deviation)
    return float(-0.5 * (len(x) * np.log(2 * np.pi) + np.linalg.slogdet(cov)[1] + quadratic))


def inverse_gamma(x: ArrayLike, q: float, r: float) -> float:
    """IG(q, r) of the language: shape q, scale 1/r, density r^-q / Gamma(q) x^-(q+1) exp(-1/(r x))."""
    x = np.asarray(x)
    return float(np.sum(-q * np.log(r) - gammaln(q) - (q + 1) * np.log(x) - 1 / (r * x)))


def gamma(x: ArrayLike, shape: ArrayLike, rate: ArrayLike) -> float:
    """Gamma with a rate: mean shape / rate."""
    x = np.asarray(x)
    return float(np.sum(shape * np.log(rate) - gammaln(shape) + (shape - 1) * np.log(x) - rate * x))


def wishart(matrix: np.ndarray, scale: np.ndarray, df: float) -> float:
    """Wish(scale, df): mean df * scale."""
    p = len(matrix)
    trace = np.trace(np.linalg.solve(scale, matrix))
    log_constant = 0.5 * df * (p * np.log(2) + np.linalg.slogdet(scale)[1]) + multigammaln(df / 2, p)
    return float(0.5 * (df - p - 1) * np.linalg.slogdet(matrix)[1] - 0.5 * trace - log_constant)


def inverse_wishart(matrix: np.ndarray, scale: np.ndarray, df: float) -> float:
    """Inverse Wishart: mean scale / (df - p - 1)."""
    p = len(matrix)
    trace = np.trace(np.linalg.solve(matrix, scale))
    log_constant = 0.5 * df * (p * np.log(2) - np.linalg.slogdet(scale)[1]) + multigammaln(df / 2, p)
    return float(-0.5 * (df + p + 1) * np.linalg.slogdet(matrix)[1] - 0.5 * trace - log_constant)


def uniform(x: float, low: float, high: float) -> float:
    """Unif(low, high)."""
    return float(-np.log(high - low)) if low < x < high else -np.inf


def poisson(x: ArrayLike, rate: ArrayLike) -> float:
    """Pois(rate)."""
    x = np.asarray(x)
    return float(np.sum(x * np.log(rate) - rate - gammaln(x + 1)))


def beta(x: ArrayLike, a: float, b: float) -> float:
    """Beta(a, b)."""
    x = np.asarray(x)
    return float(np.sum((a - 1) * np.log(x) + (b - 1) * np.log1p(-x) - betaln(a, b)))


def binomial(x: ArrayLike, trials: ArrayLike, prob: ArrayLike) -> float:
    """Binomial(trials, prob)."""
    x, trials = np.asarray(x), np.asarray(trials)
    log_choose = gammaln(trials + 1) - gammaln(x + 1) - gammaln(trials - x + 1)
    return float(np.sum(log_choose + x * np.log(prob) + (trials - x) * np.log1p(-np.asarray(prob))))


def dirichlet(x: np.ndarray, alpha: np.ndarray) -> float:
    """Dirichlet(alpha) for one vector."""
    return float(np.sum((alpha - 1) * np.log(x)) - np.sum(gammaln(alpha)) + gammaln(np.sum(alpha)))


def multinomial(x: np.ndarray, prob: np.ndarray) -> float:
    """Multinomial(sum(x), prob) for one vector of counts."""
    return float(gammaln(np.sum(x) + 1) + np.sum(x * np.log(prob) - gammaln(x + 1)))


def lkj(matrix: np.ndarray, eta: float) -> float:
    """LKJ(eta), without its constant: eta is fixed in every model here, and the constant is free of the matrix."""
    return float((eta - 1) * np.linalg.slogdet(matrix)[1])
