"""The hand derivations that recur, each derived once, premises first; the modules say which terms go in.

L1  scalar coefficient.  Premises: theta ~ N(m, v); e_k = d_k theta + noise, noise ~ N(0, w_k), d_k free of theta.
    log kernel = -(theta - m)^2/(2v) - sum_k (e_k - d_k theta)^2/(2 w_k)
               = -theta^2/2 [1/v + sum d_k^2/w_k] + theta [m/v + sum d_k e_k/w_k] + const.
    Hence N(b/a, 1/a), a = 1/v + sum d_k^2/w_k, b = m/v + sum d_k e_k/w_k. With no k this is the prior.

L2  vector coefficient.  Premises: theta ~ N(m, V); e_k = D_k theta + noise, noise ~ N(0, W_k).
    As L1 with D_k' W_k^-1 D_k for d_k^2/w_k: N(A^-1 b, A^-1), A = V^-1 + sum D'W^-1 D, b = V^-1 m + sum D'W^-1 e.

L3  variance.  Premises: s ~ IG(q, r), density prop. to s^-(q+1) exp(-1/(r s)); e_k ~ N(0, c_k s), k = 1..N, c_k > 0 known.
    Each normal gives s^-1/2 exp(-e_k^2/(2 c_k s)); the product is s^-(q + N/2 + 1) exp(-(1/r + sum e_k^2/(2 c_k))/s).
    Hence shape q + N/2, scale 1/r + sum e_k^2/(2 c_k); in the notation IG(q~, r~), r~ = 1/scale.
    A vector e_k ~ N(0, s C_k) of length p gives s^-p/2 and e_k' C_k^-1 e_k: N is then the count of numbers, n p.

L4  precision matrix.  Premises: Q ~ Wish(V, nu), density prop. to |Q|^((nu-p-1)/2) exp(-tr(V^-1 Q)/2); d_i ~ N(0, Q^-1).
    Each normal gives |Q|^1/2 exp(-d_i'Q d_i/2), and d'Qd = tr(Q d d'). Hence Wish((V^-1 + sum d d')^-1, nu + n).

L5  exchangeable correlation.  R = (1-rho) I + rho 11' has eigenvalue 1-rho on vectors orthogonal to 1 (p-1 of them) and
    1+(p-1)rho on 1. So log|R| = (p-1) log(1-rho) + log(1+(p-1)rho), and d'R^-1 d = (d'd - p m^2)/(1-rho)
    + p m^2/(1+(p-1)rho), m the mean of d. The kernel in rho is exp(-n log|R|/2 - sum d'R^-1 d/(2 s)) times its prior.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import ArrayLike

from .common import Hand


def normal_coefficient(mean: float, var: float, *terms: tuple[ArrayLike, ArrayLike, ArrayLike]) -> Hand:
    """L1: terms are (slopes d, residuals e, variances w), arrays of one length or scalars."""
    precision, linear = 1 / var, mean / var
    for slope, residual, variance in terms:
        slope, residual, variance = np.broadcast_arrays(slope, residual, variance)
        precision = precision + np.sum(slope * slope / variance)
        linear = linear + np.sum(slope * residual / variance)
    return Hand("normal", {"mean": float(linear / precision), "var": float(1 / precision)})


def vector_coefficient(
    mean: np.ndarray,
    cov: np.ndarray,
    terms: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]] = (),
) -> Hand:
    """L2: terms are (D, shape (m, p); e, shape (m,); W, shape (m, m))."""
    precision = np.linalg.inv(cov)
    linear = precision @ mean
    for design, residual, noise in terms:
        weight = design.T @ np.linalg.inv(noise)
        precision = precision + weight @ design
        linear = linear + weight @ residual
    covariance = np.linalg.inv(precision)
    return Hand("mvnormal", {"mean": covariance @ linear, "cov": covariance})


def regression(
    mean: np.ndarray,
    cov: np.ndarray,
    design: np.ndarray,
    residual: np.ndarray,
    variance: ArrayLike,
) -> Hand:
    """L2 with independent rows: design (m, p), residual (m,), variance a scalar or (m,); m = 0 gives the prior."""
    noise = np.diag(np.broadcast_to(variance, residual.shape).astype(float))
    terms = [(design, residual, noise)] if len(residual) else []
    return vector_coefficient(mean, cov, terms)


def population_mean(mean: np.ndarray, cov: np.ndarray, draws: np.ndarray, spread: np.ndarray) -> Hand:
    """L2 with D = I, a term per row of draws, shape (n, p), each with covariance spread."""
    return vector_coefficient(mean, cov, [(np.eye(len(mean)), draw, spread) for draw in draws])


def variance(q: float, r: float, *terms: tuple[np.ndarray, ArrayLike]) -> Hand:
    """L3: terms are (residuals, known multipliers c)."""
    shape, scale = q, 1 / r
    for residual, multiplier in terms:
        residual = np.asarray(residual, dtype=float)
        shape = shape + residual.size / 2
        scale = scale + np.sum(residual**2 / multiplier) / 2
    return Hand("inverse_gamma", {"shape": float(shape), "scale": float(scale)})


def scale_of_covariance(q: float, r: float, deviations: np.ndarray, fixed: np.ndarray) -> Hand:
    """L3 for vectors: deviations (n, p) ~ N(0, s * fixed)."""
    inverse = np.linalg.inv(fixed)
    quadratic = sum(d @ inverse @ d for d in deviations)
    return Hand(
        "inverse_gamma",
        {"shape": q + deviations.size / 2, "scale": float(1 / r + quadratic / 2)},
    )


def precision_matrix(scale: np.ndarray, df: float, deviations: np.ndarray) -> Hand:
    """L4: deviations (n, p)."""
    total = np.linalg.inv(scale) + deviations.T @ deviations
    return Hand("wishart", {"df": float(df + len(deviations)), "scale": np.linalg.inv(total)})


def exchangeable_kernel(p: int, deviations: np.ndarray, scale: float) -> Callable[[float], float]:
    """L5 with a uniform prior on (-1/max(p-1, 1), 1); deviations (n, p) ~ N(0, scale * R)."""
    n = len(deviations)
    total = np.sum(deviations**2)
    along = p * np.sum(np.mean(deviations, axis=1) ** 2)

    def log_kernel(rho: float) -> float:
        if not -1 / max(p - 1, 1) < rho < 1:
            return -np.inf
        low, high = 1 - rho, 1 + (p - 1) * rho
        log_det = (p - 1) * np.log(low) + np.log(high)
        return float(-n * log_det / 2 - ((total - along) / low + along / high) / (2 * scale))

    return log_kernel


def exchangeable(p: int, rho: float) -> np.ndarray:
    """The matrix with 1 on the diagonal and rho off it."""
    return (1 - rho) * np.eye(p) + rho * np.ones((p, p))
