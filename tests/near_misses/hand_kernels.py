"""The log kernel of each case's node, written by hand at fixed data, for the table cases.json to be checked against.

Each entry is keyed by (model, node) and holds the kind of value and a function of it. Everything but the node is a
number: data and neighbours are the constants below, so that a kernel is a plain function of one argument.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import gammaln, log_ndtr, multigammaln

Y = np.array([0.7, -0.4, 1.9, 2.3, 0.2])  # real responses
P = np.array([0.7, 0.4, 1.9, 2.3, 0.2])  # positive responses
C = np.array([0.0, 3.0, 1.0, 2.0, 4.0])  # counts
X = np.array([0.5, -1.2, 0.3, 1.4, -0.6])  # covariates
V = np.array([0.5, 1.2, 0.3, 1.4, 0.6])  # known variances
T = np.array([2.0, 5.0, 1.0, 3.0, 6.0])  # trials, each at least its count
B = np.array([0.0, 1.0, 1.0, 0.0, 1.0])  # binary responses
U = np.array([0.2, 0.5, 0.9, 0.4, 0.7])  # responses in (0, 1)
K = len(Y)
M, W, A, R, Q = (
    0.4,
    1.3,
    1.7,
    0.8,
    2.1,
)  # a mean, a variance, a shape, a rate or IG scale parameter, a shape
GROUPS = (
    np.array([0, 1, 1, 0, 2]),
    np.array([0, 1, 2, 1, 0]),
)  # two group columns that meet in rows 1 and 2
OTHERS = np.array([np.nan, 0.8, -1.1])  # a[1] is the element in question
CHAIN = np.array([0.3, -0.5, 0.9, 0.4, -0.2, 1.1])  # z[0..5]
MU2 = np.array([0.2, -0.3])
Y2 = np.array([[0.7, -0.4], [1.9, 0.3], [0.2, -1.1], [-0.6, 0.8]])
PSD1 = np.array([[1.2, 0.3], [0.3, 0.8]])
PSD2 = np.array([[0.9, -0.2], [-0.2, 1.4]])
DF = 4.3
ALPHA, KNOWN = np.array([1.2, 0.7, 2.0]), np.array([0.2, 0.5, 0.3])
COUNTS = np.array([3.0, 1.0, 4.0])
MIXING = np.array([[0.8, 0.1, 0.2], [0.1, 0.7, 0.2], [0.1, 0.2, 0.6]])


def normal(x, mean, var) -> float:
    """Log kernel of N(mean, var), with the terms in mean and var."""
    return np.sum(-0.5 * np.log(var) - 0.5 * (x - mean) ** 2 / var + 0 * x)


def ig(x, q=Q, r=R) -> float:
    """Log kernel of IG(q, r) in x, with the terms in q and r."""
    return np.sum(-q * np.log(r) - gammaln(q) - (q + 1) * np.log(x) - 1 / (r * x))


def gamma(x, shape=A, rate=R) -> float:
    """Log kernel of Gamma(shape, rate), with the terms in shape and rate."""
    return np.sum(shape * np.log(rate) - gammaln(shape) + (shape - 1) * np.log(x) - rate * x)


def beta(x, a=A, b=R) -> float:
    """Log kernel of Beta(a, b), with the terms in a and b."""
    return np.sum(gammaln(a + b) - gammaln(a) - gammaln(b) + (a - 1) * np.log(x) + (b - 1) * np.log1p(-x))


def poisson(x, rate) -> float:
    """Log kernel of Pois(rate) in the rate."""
    return np.sum(x * np.log(rate) - rate)


def binomial(x, trials, prob) -> float:
    """Log kernel of Binomial(trials, prob) in prob."""
    return np.sum(x * np.log(prob) + (trials - x) * np.log1p(-prob))


def student(x, df, mean, scale) -> float:
    """Log density of a Student t, up to a constant."""
    power = (df + 1) / 2 * np.log1p(((x - mean) / scale) ** 2 / df)
    return np.sum(gammaln((df + 1) / 2) - gammaln(df / 2) - np.log(df) / 2 - np.log(scale) - power)


def dirichlet(x, alpha) -> float:
    """Log density of a Dirichlet."""
    return gammaln(np.sum(alpha)) - np.sum(gammaln(alpha)) + np.sum((alpha - 1) * np.log(x))


def log_det(matrix) -> float:
    """Log of the absolute determinant."""
    return np.linalg.slogdet(matrix)[1]


def vectors(cov, mean=MU2) -> float:
    """Log kernel of the vector responses Y2 ~ N(mean, cov)."""
    d = Y2 - mean
    return -len(d) / 2 * log_det(cov) - np.trace(d @ np.linalg.inv(cov) @ d.T) / 2


def wishart(x, scale, df=DF) -> float:
    """Log density of Wish(scale, df), with the terms in scale and df."""
    p = len(x)
    constant = df / 2 * (log_det(scale) + p * np.log(2)) + multigammaln(df / 2, p)
    return (df - p - 1) / 2 * log_det(x) - np.trace(np.linalg.inv(scale) @ x) / 2 - constant


def inverse_wishart(x, scale, df=DF) -> float:
    """Log kernel of InverseWishart(df, scale) in x."""
    return -(df + len(x) + 1) / 2 * log_det(x) - np.trace(scale @ np.linalg.inv(x)) / 2


def memberships(first, second) -> Callable[[float], float]:
    """Rows whose mean is first(a) times second(a), a[1] being the value."""

    def kernel(value: float) -> float:
        effects = np.where(np.arange(3) == 0, value, OTHERS)
        return normal(Y, first(effects) * second(effects), W) + normal(value, M, W)

    return kernel


def transition(rule: Callable[[float], float]) -> Callable[[float], float]:
    """z[2] of a chain with z[t] ~ N(rule(z[t-1]), W), y[t] ~ N(z[t], 1)."""
    return lambda z: normal(Y[1], z, 1.0) + normal(z, rule(CHAIN[1]), W) + normal(CHAIN[3], rule(z), W)


def stationary(s2: float, phi: float) -> float:
    """The chain with the stationary start."""
    return normal(CHAIN[0], 0.0, s2 / (1 - phi**2)) + normal(CHAIN[1:], phi * CHAIN[:-1], s2)


def exchangeable(rho: float) -> np.ndarray:
    """The 2 x 2 correlation matrix."""
    return np.array([[1.0, rho], [rho, 1.0]])


REAL = {
    # Rows with one label, the other, and both at this element; the other element is 0.7.
    ("product_of_labels", "a"): lambda x: -((x - 0.3) ** 2) - (1.1 - 0.7 * x) ** 2 - (0.4 - x * x) ** 2,
    ("product_of_labels", "b"): lambda x: -((x - 0.3) ** 2) - (1.1 - 0.7 - x) ** 2 - (0.4 - 2 * x) ** 2,
    ("mean_exp", "mu"): lambda x: normal(Y, np.exp(x), W) + normal(x, M, W),
    ("mean_exp_through_node", "ell"): lambda x: normal(Y, np.exp(x), W) + normal(x, M, W),
    ("mean_reciprocal", "mu"): lambda x: normal(Y, 1 / x, W) + normal(x, M, W),
    ("mean_absolute", "mu"): lambda x: normal(Y, abs(x), W) + normal(x, M, W),
    ("mean_max", "mu"): lambda x: normal(Y, max(x, 0), W) + normal(x, M, W),
    ("coefficient_squared", "beta"): lambda x: normal(Y, x**2 * X, W) + normal(x, M, W),
    ("hidden_square", "a"): lambda x: normal(Y, 2 * x * x, W) + normal(x, M, W),
    ("product_of_one_node", "a"): memberships(lambda a: a[GROUPS[0]], lambda a: a[GROUPS[1]]),
    ("product_of_two_nodes", "a"): memberships(lambda a: a[GROUPS[0]], lambda a: X),
    ("cauchy_prior_on_mean", "mu"): lambda x: normal(Y, x, W) + student(x, 1.0, M, A),
    ("student_prior_on_mean", "mu"): lambda x: normal(Y, x, W) + student(x, 4.0, M, A),
    ("student_child", "mu"): lambda x: student(Y, 4.0, x, A) + normal(x, M, W),
    ("mean_with_uniform_prior", "mu"): lambda x: normal(Y, x, W),
    ("truncated_data", "mu"): lambda x: normal(P, x, W) - K * log_ndtr(x / np.sqrt(W)) + normal(x, M, W),
    ("truncated_population", "mu"): lambda x: (
        normal(P, x, W) - K * log_ndtr(x / np.sqrt(W)) + normal(x, M, W)
    ),
    ("standardised_effect", "mu"): lambda x: normal(Y, x * np.sqrt(W), W) + normal(x, M, W),
    ("variance_regression", "a"): lambda x: normal(Y, M, W * np.exp(x * X)) + normal(x, M, W),
    ("log_sd_normal", "ell"): lambda x: normal(Y, M, np.exp(2 * x)) + normal(x, M, W),
    ("autoregression_squared", "phi"): lambda x: normal(CHAIN[1:], x**2 * CHAIN[:-1], W) + normal(x, M, W),
    ("nonlinear_transition", "z"): transition(lambda z: np.exp(-z)),
    ("stochastic_volatility", "h"): lambda x: (
        normal(Y[0], 0.0, np.exp(x)) + normal(x, M, W) + normal(0.7, A * x, W)
    ),
    ("stochastic_volatility", "phi"): lambda x: normal(CHAIN[1:], x * CHAIN[:-1], W) + normal(x, M, W),
    ("product_of_neighbours", "z"): lambda x: normal(Y[:2], x * X[:2], W) + normal(x, 0.0, 1.0),
    ("poisson_log_rate_normal", "theta"): lambda x: poisson(C, np.exp(x)) + normal(x, M, W),
    ("logit_link", "beta"): lambda x: binomial(B, 1.0, 1 / (1 + np.exp(-x * X))) + normal(x, M, W),
}

POSITIVE = {
    ("sd_with_ig_prior", "s"): lambda x: normal(Y, M, x**2) + ig(x),
    ("sd_with_gamma_prior", "s"): lambda x: normal(Y, M, x**2) + gamma(x),
    ("sd_with_uniform_prior", "s"): lambda x: normal(Y, M, x**2),
    ("sd_uniform_plus_known", "s"): lambda x: normal(Y, M, (x + A) ** 2),
    ("sd_half_normal", "s"): lambda x: normal(Y, M, x**2) + normal(x, 0.0, W),
    ("sd_half_cauchy", "s"): lambda x: normal(Y, M, x**2) + student(x, 1.0, 0.0, A),
    ("variance_with_gamma_prior", "s2"): lambda x: normal(Y, M, x) + gamma(x),
    ("variance_with_exponential_prior", "s2"): lambda x: normal(Y, M, x) + gamma(x, 1.0),
    ("precision_with_ig_prior", "tau"): lambda x: normal(Y, M, 1 / x) + ig(x),
    ("sd_is_reciprocal_of_gamma", "tau"): lambda x: normal(Y, M, 1 / x**2) + gamma(x),
    ("variance_squared", "s2"): lambda x: normal(Y, M, x**2) + ig(x),
    ("variance_plus_known", "theta"): lambda x: normal(Y, M, V + x) + ig(x),
    ("variance_sum_of_two", "s_a"): lambda x: normal(Y, M, x + W) + ig(x),
    ("variance_sum_of_two", "s_b"): lambda x: normal(Y, M, W + x) + ig(x),
    ("variance_with_floor", "s2"): lambda x: normal(Y, M, max(x, 0.9)) + ig(x),
    ("variance_regression", "s2"): lambda x: normal(Y, M, x * np.exp(A * X)) + ig(x),
    ("arch", "w"): lambda x: normal(Y[1:], 0.0, x + A * Y[:-1] ** 2) + ig(x),
    ("mean_sqrt_of_gamma", "theta"): lambda x: normal(Y, np.sqrt(x), W) + gamma(x),
    ("mean_log_of_gamma", "theta"): lambda x: normal(Y, np.log(x), W) + gamma(x),
    ("mean_of_gamma", "theta"): lambda x: normal(Y, x, W) + gamma(x),
    ("truncated_data", "s2"): lambda x: normal(P, M, x) - K * log_ndtr(M / np.sqrt(x)) + ig(x),
    ("truncated_population", "a"): lambda x: normal(Y, x, W) + normal(x, M, W),
    ("variance_is_the_mean", "s2"): lambda x: normal(Y, x, x) + ig(x),
    ("mean_is_the_sd", "theta"): lambda x: normal(Y, x, x**2) + normal(x, M, W),
    ("scale_in_mean_and_variance", "theta"): lambda x: normal(Y, x, W * x) + gamma(x),
    ("slope_in_the_variance", "theta"): lambda x: normal(Y, M + x * X, W * x) + ig(x),
    ("standardised_effect", "s2"): lambda x: normal(Y, M * np.sqrt(x), x) + ig(x),
    ("stationary_start", "s2"): lambda x: stationary(x, 0.4) + ig(x),
    ("poisson_rate_shifted", "theta"): lambda x: poisson(C, x + W) + gamma(x),
    ("poisson_rate_sum", "theta"): lambda x: poisson(C, x + W) + gamma(x),
    ("poisson_rate_squared", "theta"): lambda x: poisson(C, x**2) + gamma(x),
    ("poisson_rate_half_normal", "theta"): lambda x: poisson(C, x) + normal(x, M, W),
    ("poisson_rate_gamma_cut", "theta"): lambda x: poisson(C, x) + gamma(x),
    ("gamma_rate_shifted", "theta"): lambda x: gamma(P, A, W + x) + gamma(x),
    ("gamma_shape", "theta"): lambda x: gamma(P, x, W) + gamma(x),
    ("gamma_mean_with_gamma_prior", "mu"): lambda x: gamma(P, A, A / x) + gamma(x),
    ("gamma_mean_with_ig_prior", "mu"): lambda x: gamma(P, A, A / x) + ig(x),
    ("exponential_mean_with_gamma_prior", "theta"): lambda x: gamma(P, 1.0, 1 / x) + gamma(x),
    ("exponential_rate", "theta"): lambda x: gamma(P, 1.0, x) + gamma(x, 1.0),
    ("ig_second_parameter_with_gamma_prior", "r"): lambda x: ig(P, Q, x) + gamma(x),
    ("ig_second_parameter_with_ig_prior", "r"): lambda x: ig(P, Q, x) + ig(x),
    ("ig_scale_with_gamma_prior", "b"): lambda x: K * Q * np.log(x) - np.sum(x / P) + gamma(x),
    ("ig_shape", "q"): lambda x: ig(P, x, R) + gamma(x),
    ("variance_with_ig_prior_cut", "s2"): lambda x: normal(Y, M, x) + ig(x),
    ("student_degrees_of_freedom", "nu"): lambda x: student(Y, x, M, A) + gamma(x),
    ("uniform_upper_end", "theta"): lambda x: -K * np.log(x) + gamma(x),
    ("bernoulli_exp_of_gamma", "theta"): lambda x: binomial(B, 1.0, np.exp(-x)) + gamma(x),
    ("beta_shape", "theta"): lambda x: beta(U, x, A) + gamma(x),
    ("dirichlet_concentration", "s"): lambda x: dirichlet(KNOWN, x * ALPHA) + gamma(x),
    ("wishart_degrees_of_freedom", "d"): lambda x: wishart(PSD2, PSD1, 2 + x) + gamma(x),
    ("scaled_inverse_wishart", "s2"): lambda x: vectors(x * PSD1) + ig(x),
    ("sd_is_root_of_variance", "s2"): lambda x: normal(Y, M, np.sqrt(x) ** 2) + ig(x),
    ("sd_is_root_of_precision", "tau"): lambda x: normal(Y, M, (1 / np.sqrt(x)) ** 2) + gamma(x),
    ("variance_exp_of_log", "s2"): lambda x: normal(Y, M, np.exp(np.log(x))) + ig(x),
    ("poisson_rate_product", "theta"): lambda x: poisson(C, x * W) + gamma(x),
}

UNIT = {
    ("poisson_rate_beta", "theta"): lambda x: poisson(C, x) + beta(x),
    ("binomial_probability_squared", "theta"): lambda x: binomial(C, T, x**2) + beta(x),
    ("binomial_probability_halved", "theta"): lambda x: binomial(C, T, x / 2) + beta(x),
    ("binomial_probability_of_failure", "theta"): lambda x: binomial(C, T, 1 - x) + beta(x),
    ("binomial_probability_uniform", "theta"): lambda x: binomial(C, T, x),
    ("binomial_probability_uniform_half", "theta"): lambda x: binomial(C, T, x),
    ("correlation_with_beta_prior", "rho"): lambda x: vectors(W * exchangeable(x)) + beta(x),
}

CORRELATION = {
    ("exchangeable_correlation", "rho"): lambda x: vectors(W * exchangeable(x)),
    ("stationary_start", "phi"): lambda x: stationary(W, x),
}

MATRIX = {
    ("wishart_on_covariance", "Q"): lambda x: vectors(x) + wishart(x, PSD1),
    ("inverse_wishart_on_precision", "Sigma"): lambda x: vectors(np.linalg.inv(x)) + inverse_wishart(x, PSD1),
    ("precision_of_one_covariance_of_another", "Q"): lambda x: (
        vectors(np.linalg.inv(x)) + vectors(x) + wishart(x, PSD1)
    ),
    # Its quadratic form is fitted by a Wishart kernel: tr((A B + B A) S)/2 is linear in A. The covariance is the fault.
    ("wishart_times_wishart", "A"): lambda x: vectors(np.linalg.inv(x @ PSD2)) + wishart(x, PSD1),
    ("wishart_sandwich", "A"): lambda x: vectors(np.linalg.inv(x @ PSD2 @ x)) + wishart(x, PSD1),
    ("wishart_covariance_plus_known", "Q"): lambda x: vectors(np.linalg.inv(x) + PSD2) + wishart(x, PSD1),
    ("wishart_scale_with_wishart_prior", "A"): lambda x: wishart(PSD2, x) + wishart(x, PSD1),
    ("wishart_inverse_scale_with_wishart_prior", "A"): lambda x: (
        wishart(PSD2, np.linalg.inv(x)) + wishart(x, PSD1)
    ),
    ("scaled_inverse_wishart", "Q"): lambda x: vectors(W * np.linalg.inv(x)) + wishart(x, PSD1),
}

SIMPLEX = {
    ("dirichlet_mixed", "theta"): lambda x: COUNTS @ np.log(0.5 * x + 0.5 * KNOWN) + dirichlet(x, ALPHA),
    ("dirichlet_through_matrix", "theta"): lambda x: COUNTS @ np.log(MIXING @ x) + dirichlet(x, ALPHA),
}

VECTOR = {
    ("mean_in_covariance", "mu"): lambda x: vectors(W * np.eye(2) + np.outer(x, x), x) - x @ x / 2,
}

KERNELS: dict[str, dict[tuple[str, str], Callable]] = {
    "real": REAL,
    "positive": POSITIVE,
    "unit": UNIT,
    "correlation": CORRELATION,
    "matrix": MATRIX,
    "simplex": SIMPLEX,
    "vector": VECTOR,
}
