"""Growth curves whose residual variance differs between groups: the groups' effects and variances integrated out.

Model: y_i ~ N(X beta_i, s_i I), beta_i ~ N(mu, Sigma), l_i = log(s_i)/2 with a density p(l_i), the same X (J, 2) in
every group (models G1 and G2). With b_i, RSS_i and V as in growth_curves.py, given mu the groups are independent and

    p(y_i | mu, Sigma) = integral of exp(-(J-2) l - RSS_i/(2 exp(2 l))) N(b_i; mu, V(l)) p(l) dl + constant,
    V(l) = Sigma + exp(2 l) (X'X)^-1,

one integral for each group, which the trapezoidal rule does on nodes that all groups share.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.integrate import quad

from growth_curves import Curves, Triple, coefficient_covariance, determinant, invert, multiply_row
from report import require

PIECE = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Nodes:
    """Equidistant values of l (K); log p(l) at them comes with each call."""

    log_sd: np.ndarray

    @property
    def variance(self) -> np.ndarray:
        """exp(2 l), shape (K)."""
        return np.exp(2 * self.log_sd)


def log_terms(
    curves: Curves, nodes: Nodes, groups: slice, mu: np.ndarray, sigma: Triple, log_prior: np.ndarray
) -> np.ndarray:
    """The logarithm of the integrand: (groups, N, K) at mu (N, 2), Sigma (N) and log_prior (N or 1, K)."""
    wide = tuple(element[:, None] for element in sigma)
    v = coefficient_covariance(curves, wide, nodes.variance[None, :])
    p = invert(v)
    common = log_prior - np.log(determinant(v)) / 2 - (curves.repeats - 2) * nodes.log_sd
    d = curves.coefficients[groups, None, :] - mu
    d0, d1 = d[..., 0, None], d[..., 1, None]
    fit = p[0] * d0**2 + 2 * p[1] * d0 * d1 + p[2] * d1**2
    return common - (fit + curves.residuals[groups, None, None] / nodes.variance) / 2


def log_likelihood(
    curves: Curves, nodes: Nodes, mu: np.ndarray, sigma: Triple, log_prior: np.ndarray
) -> np.ndarray:
    """log p(y | mu, Sigma), up to a constant, shape (N)."""
    total = np.zeros(len(mu))
    for first in range(0, len(mu), PIECE):
        piece = slice(first, first + PIECE)
        prior = log_prior if len(log_prior) == 1 else log_prior[piece]
        here = tuple(element[piece] for element in sigma)
        for group in range(curves.groups):
            terms = log_terms(curves, nodes, slice(group, group + 1), mu[piece], here, prior)[0]
            top = terms.max(axis=1)
            total[piece] += top + np.log(np.exp(terms - top[:, None]).sum(axis=1))
    return total


def first_group(
    curves: Curves, nodes: Nodes, mu: np.ndarray, sigma: Triple, log_prior: np.ndarray
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Mean and variance (N) of l, exp(l), exp(2 l) and both elements of beta of the first group, given mu and Sigma."""
    terms = log_terms(curves, nodes, slice(0, 1), mu, sigma, log_prior)[0]
    weight = np.exp(terms - terms.max(axis=1, keepdims=True))
    weight /= weight.sum(axis=1, keepdims=True)
    wide = tuple(element[:, None] for element in sigma)
    precision = invert(coefficient_covariance(curves, wide, nodes.variance[None, :]))
    zero = np.zeros(len(nodes.log_sd))
    found = {
        "log_sigma": (nodes.log_sd, zero),
        "sigma": (np.exp(nodes.log_sd), zero),
        "sigma2": (nodes.variance, zero),
    }
    b = curves.coefficients[0]
    d = b - mu
    for k in (0, 1):
        g = curves.inverse_gram[k][:, None] * nodes.variance
        gain = multiply_row(g[:, None, :], precision)
        mean = b[k] - gain[0] * d[:, :1] - gain[1] * d[:, 1:]
        found[f"beta{k + 1}"] = (mean, g[k] - gain[0] * g[0] - gain[1] * g[1])
    return {name: mix(weight, mean, variance) for name, (mean, variance) in found.items()}


def mix(weight: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance (N) of mixtures with weights (N, K) of means and variances ((N,) K)."""
    centre = (weight * mean).sum(axis=1)
    return centre, (weight * ((mean - centre[:, None]) ** 2 + variance)).sum(axis=1)


def check_integral(
    curves: Curves, x: np.ndarray, y: np.ndarray, nodes: Nodes, points: list, log_density
) -> None:
    """Compare with adaptive quadrature of the dense normal of y_i, group by group, at two points.

    Each of `points` is (mu, Sigma, arguments); `log_density(l, *arguments)` is log p(l).
    """
    design = np.column_stack([np.ones_like(x), x])

    def slow(mu: np.ndarray, sigma: np.ndarray, arguments: tuple) -> float:
        def integrand(log_sd: float, row: np.ndarray, shift: float) -> float:
            covariance = design @ sigma @ design.T + np.exp(2 * log_sd) * np.eye(len(x))
            _, log_determinant = np.linalg.slogdet(covariance)
            error = row - design @ mu
            fit = error @ np.linalg.solve(covariance, error)
            return float(np.exp(-(log_determinant + fit) / 2 + log_density(log_sd, *arguments) - shift))

        total = 0.0
        for row in y:
            shift = np.log(max(integrand(at, row, -60.0) for at in nodes.log_sd[::4])) - 60
            pieces = np.linspace(nodes.log_sd[0], nodes.log_sd[-1], 9)
            parts = pairwise(pieces)
            area = sum(
                quad(integrand, a, b, args=(row, shift), epsabs=1e-10, epsrel=1e-10)[0] for a, b in parts
            )
            total += np.log(area) + shift
        return total

    def fast(mu: np.ndarray, sigma: np.ndarray, arguments: tuple) -> float:
        triple = (sigma[:1, 0], sigma[:1, 1], sigma[1:, 1])
        prior = np.array([[log_density(at, *arguments) for at in nodes.log_sd]])
        return float(log_likelihood(curves, nodes, mu[None, :], triple, prior)[0])

    gaps = [fast(*point) - slow(*point) for point in points]
    error = abs(gaps[0] - gaps[1])
    print(f"integral over each group's variance against adaptive quadrature: difference {error:.1e}")
    require(error < 1e-6, "the integral over the variances is wrong")
