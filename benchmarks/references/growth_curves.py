"""The marginal likelihood of balanced normal growth curves, effects and population mean integrated out.

Model: y_i ~ N(X beta_i, sigma2 I), beta_i ~ N(mu, Sigma), mu ~ N(m, C), i = 1..n, with the same X (J, 2) in
every group; Sigma and C may be singular. With b_i the least-squares coefficients of group i, b_i ~ N(mu, V),
V = Sigma + sigma2 (X'X)^-1, independent of the residuals (Lindley & Smith 1972, J. R. Statist. Soc. B 34, 1-41;
Laird & Ware 1982, Biometrics 38, 963-974). So

    log p(y | Sigma, sigma2) = -n(J-2)/2 log sigma2 - RSS/(2 sigma2) - (n-1)/2 log|V| - tr(V^-1 S)/2
                               + log N(mean(b); m, V/n + C) + constant,     S = sum (b_i - mean b)(b_i - mean b)',
    mu | Sigma, sigma2, y    ~ N(m + C M (mean(b) - m), W),     M = (V/n + C)^-1, W = C - C M C,
    beta_i | mu, Sigma, sigma2, y ~ N(b_i - K (b_i - mu), (I - K) sigma2 (X'X)^-1),     K = sigma2 (X'X)^-1 V^-1.

Symmetric 2 x 2 matrices are triples (m11, m12, m22) of arrays of shape (N).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from report import require

Triple = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """Sufficient statistics of the data, and the prior N(m, C) of mu."""

    groups: int
    repeats: int
    inverse_gram: np.ndarray  # (X'X)^-1, (2, 2)
    coefficients: np.ndarray  # b_i, (n, 2)
    centre: np.ndarray  # mean of b_i, (2)
    scatter: np.ndarray  # S, (2, 2)
    residuals: np.ndarray  # the sum of squares of each group, (n)
    prior_mean: np.ndarray  # m, (2)
    prior_covariance: Triple  # C

    @property
    def residual(self) -> float:
        """RSS."""
        return float(self.residuals.sum())


def summarise_curves(
    x: np.ndarray, y: np.ndarray, mean_variance: float | np.ndarray, mean: Sequence[float] = (0.0, 0.0)
) -> Curves:
    """The statistics of responses y (n, J) at covariate values x (J), with an intercept.

    `mean` and `mean_variance` are the prior mean of mu and its covariance (2, 2), or c for c I.
    """
    prior = mean_variance * np.eye(2) if np.ndim(mean_variance) == 0 else np.asarray(mean_variance)
    design = np.column_stack([np.ones_like(x), x])
    inverse_gram = np.linalg.inv(design.T @ design)
    slopes = y @ design @ inverse_gram
    deviations = slopes - slopes.mean(axis=0)
    return Curves(
        groups=y.shape[0],
        repeats=y.shape[1],
        inverse_gram=inverse_gram,
        coefficients=slopes,
        centre=slopes.mean(axis=0),
        scatter=deviations.T @ deviations,
        residuals=((y - slopes @ design.T) ** 2).sum(axis=1),
        prior_mean=np.array(mean, dtype=float),
        prior_covariance=(prior[0, 0], prior[0, 1], prior[1, 1]),
    )


def determinant(m: Triple) -> np.ndarray:
    """|M|, shape (N)."""
    return m[0] * m[2] - m[1] ** 2


def invert(m: Triple) -> Triple:
    """M^-1."""
    d = determinant(m)
    return m[2] / d, -m[1] / d, m[0] / d


def multiply_row(row: Sequence[np.ndarray | float], m: Triple) -> tuple[np.ndarray, np.ndarray]:
    """The row vector (2) times M."""
    return row[0] * m[0] + row[1] * m[1], row[0] * m[1] + row[1] * m[2]


def quadratic(m: Triple, v: np.ndarray) -> np.ndarray:
    """v'Mv for one vector v (2), shape (N)."""
    return m[0] * v[0] ** 2 + 2 * m[1] * v[0] * v[1] + m[2] * v[1] ** 2


def trace_product(m: Triple, s: np.ndarray) -> np.ndarray:
    """tr(M S) for one symmetric S (2, 2), shape (N)."""
    return m[0] * s[0, 0] + 2 * m[1] * s[0, 1] + m[2] * s[1, 1]


def coefficient_covariance(curves: Curves, sigma: Triple, sigma2: np.ndarray) -> Triple:
    """V = Sigma + sigma2 (X'X)^-1."""
    g = curves.inverse_gram
    return (
        sigma[0] + sigma2 * g[0, 0],
        sigma[1] + sigma2 * g[0, 1],
        sigma[2] + sigma2 * g[1, 1],
    )


def centre_covariance(curves: Curves, v: Triple) -> Triple:
    """The covariance V/n + C of mean(b) about m."""
    n, c = curves.groups, curves.prior_covariance
    return v[0] / n + c[0], v[1] / n + c[1], v[2] / n + c[2]


def log_likelihood(curves: Curves, sigma: Triple, sigma2: np.ndarray) -> np.ndarray:
    """log p(y | Sigma, sigma2), up to a constant, shape (N)."""
    n = curves.groups
    v = coefficient_covariance(curves, sigma, sigma2)
    spread = centre_covariance(curves, v)
    degrees = n * (curves.repeats - 2)
    return (
        -degrees / 2 * np.log(sigma2)
        - curves.residual / (2 * sigma2)
        - (n - 1) / 2 * np.log(determinant(v))
        - trace_product(invert(v), curves.scatter) / 2
        - np.log(determinant(spread)) / 2
        - quadratic(invert(spread), curves.centre - curves.prior_mean) / 2
    )


def mean_given_variances(
    curves: Curves, sigma: Triple, sigma2: np.ndarray
) -> tuple[np.ndarray, np.ndarray, Triple]:
    """E(mu[1]), E(mu[2]) and the covariance W of mu, given Sigma, sigma2 and y."""
    n, c = curves.groups, curves.prior_covariance
    v = coefficient_covariance(curves, sigma, sigma2)
    inverse = invert(centre_covariance(curves, v))
    gain = multiply_row(c[:2], inverse), multiply_row(c[1:], inverse)  # the rows of C M
    shift = curves.centre - curves.prior_mean
    means = [m + g[0] * shift[0] + g[1] * shift[1] for m, g in zip(curves.prior_mean, gain, strict=True)]
    first, second = (multiply_row(g, v) for g in gain)
    return means[0], means[1], (first[0] / n, first[1] / n, second[1] / n)


def effect_given_variances(
    curves: Curves, group: int, element: int, sigma: Triple, sigma2: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of an element (0 or 1) of beta of a group (from 0), given Sigma, sigma2 and y."""
    m0, m1, w = mean_given_variances(curves, sigma, sigma2)
    g = sigma2 * curves.inverse_gram[element][:, None]  # a row of sigma2 (X'X)^-1
    k = multiply_row((g[0], g[1]), invert(coefficient_covariance(curves, sigma, sigma2)))
    b = curves.coefficients[group]
    mean = b[element] - k[0] * (b[0] - m0) - k[1] * (b[1] - m1)
    within = g[element] - k[0] * g[0] - k[1] * g[1]
    # the variance given mu, and that of the mean as mu varies
    return mean, within + k[0] ** 2 * w[0] + 2 * k[0] * k[1] * w[1] + k[1] ** 2 * w[2]


def log_inverse_gamma(x: np.ndarray, shape: float, scale: float) -> np.ndarray:
    """log density of IG(shape, 1/scale) at x, up to a constant: x^-(shape+1) exp(-scale/x)."""
    return -(shape + 1) * np.log(x) - scale / x


def log_inverse_wishart(sigma: Triple, scale: np.ndarray, nu: float) -> np.ndarray:
    """log density of Sigma, up to a constant, when Sigma^-1 ~ Wish(scale^-1, nu), scale = S nu.

    |Sigma|^-(nu+p+1)/2 exp(-tr(scale Sigma^-1)/2), p = 2 (Gelman et al. 2013, BDA3, appendix A).
    """
    return -(nu + 3) / 2 * np.log(determinant(sigma)) - trace_product(invert(sigma), scale) / 2


def correlate(log_v1: np.ndarray, log_v2: np.ndarray, z: np.ndarray) -> tuple[Triple, np.ndarray]:
    """Sigma from log variances and atanh(rho), and the log Jacobian.

    d(S11, S12, S22) = S11 S22 sqrt(S11 S22) (1 - rho^2) d(log S11, atanh rho, log S22).
    """
    root = np.exp((log_v1 + log_v2) / 2)
    sigma = (np.exp(log_v1), root * np.tanh(z), np.exp(log_v2))
    return sigma, 1.5 * (log_v1 + log_v2) - 2 * np.log(np.cosh(z))


def dense_log_likelihood(
    x: np.ndarray, y: np.ndarray, curves: Curves, sigma: np.ndarray, sigma2: float
) -> float:
    """log p(y | Sigma, sigma2) from the covariance of all nJ responses: slow, written independently."""
    design = np.column_stack([np.ones_like(x), x])
    n = len(y)
    c = curves.prior_covariance
    prior = np.array([[c[0], c[1]], [c[1], c[2]]])
    within = design @ sigma @ design.T + sigma2 * np.eye(len(x))
    covariance = np.kron(np.eye(n), within) + np.kron(np.ones((n, n)), design @ prior @ design.T)
    _, log_determinant = np.linalg.slogdet(covariance)
    flat = (y - design @ curves.prior_mean).ravel()
    return float(-log_determinant / 2 - flat @ np.linalg.solve(covariance, flat) / 2)


def check_likelihood(
    x: np.ndarray, y: np.ndarray, curves: Curves, effects: tuple[bool, bool] = (True, True)
) -> None:
    """Compare differences of `log_likelihood` with those of `dense_log_likelihood` at two states.

    `effects` tells which of the coefficients differ between groups.
    """
    states = [(150.0, -2.0, 0.4, 40.0), (400.0, 9.0, 1.7, 90.0)]
    keep = np.array(effects, dtype=float)
    fast, slow = [], []
    for s11, s12, s22, s2 in states:
        matrix = np.array([[s11, s12], [s12, s22]]) * np.outer(keep, keep)
        triple = tuple(np.array([matrix[place]]) for place in ((0, 0), (0, 1), (1, 1)))
        fast.append(log_likelihood(curves, triple, np.array([s2]))[0])
        slow.append(dense_log_likelihood(x, y, curves, matrix, s2))
    error = abs((fast[0] - fast[1]) - (slow[0] - slow[1]))
    print(f"marginal likelihood against the dense normal: difference {error:.1e}")
    require(error < 1e-6, "the marginal likelihood disagrees with the dense normal")
