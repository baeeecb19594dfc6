"""Marginal densities of variances by hand: models A (random intercepts), G5 (correlated coefficients, Wishart), T.

A, with beta0_i = mu0 + u_i, u_i ~ N(0, s0) for s0 = sigma2_0.  Given theta = (mu0, beta1), the rows y_i of individual i
are N(F_i theta, sigma2 I + s0 1 1'), F_i = [1, x_i]; so, with f_ij = (1, x_ij), w_i = 1/sigma2 of each row and by the
Sherman-Morrison formula (sigma2 I + s0 11')^-1 = I/sigma2 - k_i 11', k_i = s0 / (sigma2 (sigma2 + J_i s0)),
    log|V_i| = (J_i - 1) log sigma2 + log(sigma2 + J_i s0)      (0 for J_i = 0)
    y_i'V_i^-1 y_i = sum y_ij^2 / sigma2 - k_i (sum y_ij)^2, and so F_i'V_i^-1 F_i, F_i'V_i^-1 y_i.
theta has the prior N(m, D), D = diag(sigma2_00, sigma2_1), so with H = D^-1 + sum F_i'V_i^-1 F_i and
g = D^-1 m + sum F_i'V_i^-1 y_i,
    log [sigma2_0, sigma2 | y] = -sum (log|V_i| + y_i'V_i^-1 y_i) / 2 + (g'H^-1 g - log|H|) / 2
                                 + log IG(sigma2_0) + log IG(sigma2) + constant.

G5: y, all rows, is N(F mu0, V) with F the rows x_ij' and V = sigma2 I + Z (I (x) Q^-1) Z' + F Sigma0 F', Z the block
diagonal of the X_i: beta_i = mu + u_i, u_i ~ N(0, Q^-1), mu ~ N(mu0, Sigma0).  So
    log [Q, sigma2 | y] = log N(y; F mu0, V) + log Wish(Q; (nu S)^-1, nu) + log IG(sigma2) + constant.

T, a state space: z_t = phi^t z_0 + sum_{s<=t} phi^(t-s) e_s, e_s ~ N(0, sigma2_z), so y is N(mean, V) with
    mean_t = phi^t m0,  V_st = phi^(s+t) v0 + sigma2_z sum_{k=1}^{min(s,t)} phi^(s+t-2k) + sigma2_y [s = t],
    log [phi, sigma2_y, sigma2_z | y] = log N(y; mean, V) + log N(phi; m_phi, v_phi) + the two log IG + constant.
T about a mean mu ~ N(m, v), phi alone unknown: z_0 as before, z_t - mu follows T's recursion; given mu
    mean_t = phi^t m0 + (1 - phi^t) mu, so mean_t = phi^t m0 + (1 - phi^t) m and V gains v (1 - phi^s)(1 - phi^t).
T by group: the groups are independent given sigma2_y, each with its own phi_i and s_i; these stay as they are.
"""

from __future__ import annotations

import numpy as np

from . import densities
from .common import State, cells, column, rows_of, scalar


def random_intercepts(state: State) -> float:
    """Log [sigma2_0, sigma2 | y, hyperparameters] up to a constant; the state's beta0, mu0 and beta1 are not read."""
    sigma2, between = scalar(state, "sigma2"), scalar(state, "sigma2_0")
    variances = np.array([scalar(state, "sigma2_00"), scalar(state, "sigma2_1")])
    precision = np.diag(1 / variances)
    linear = np.array([scalar(state, "mu00"), scalar(state, "mu1")]) / variances
    total = 0.0
    for i in range(1, int(scalar(state, "n")) + 1):
        rows = rows_of(state, i)
        count = len(rows)
        if count == 0:
            continue
        y = np.array([state["y"][row] for row in rows])
        design = np.array([[1.0, state["x"][row]] for row in rows])
        shrink = between / (sigma2 * (sigma2 + count * between))
        log_volume = (count - 1) * np.log(sigma2) + np.log(sigma2 + count * between)
        total -= (log_volume + y @ y / sigma2 - shrink * y.sum() ** 2) / 2
        precision += design.T @ design / sigma2 - shrink * np.outer(design.sum(0), design.sum(0))
        linear += design.T @ y / sigma2 - shrink * design.sum(0) * y.sum()
    total += (linear @ np.linalg.solve(precision, linear) - np.linalg.slogdet(precision)[1]) / 2
    return (
        total
        + densities.inverse_gamma(between, scalar(state, "q0"), scalar(state, "r0"))
        + densities.inverse_gamma(sigma2, scalar(state, "q1"), scalar(state, "r1"))
    )


def wishart(state: State) -> float:
    """Log [Q, sigma2 | y, hyperparameters] up to a constant; the state's beta and mu are not read."""
    precision, sigma2 = state["Q"][()], scalar(state, "sigma2")
    rows = cells(state)
    y = np.array([state["y"][row] for row in rows])
    design = np.array([state["x"][row] for row in rows])
    same = np.array([[a[0] == b[0] for b in rows] for a in rows], dtype=float)
    within = design @ np.linalg.inv(precision) @ design.T
    covariance = sigma2 * np.eye(len(rows)) + same * within + design @ state["Sigma0"][()] @ design.T
    scale = np.linalg.inv(scalar(state, "nu") * state["S"][()])
    return (
        densities.mvnormal(y, design @ state["mu0"][()], covariance)
        + densities.wishart(precision, scale, scalar(state, "nu"))
        + densities.inverse_gamma(sigma2, scalar(state, "q"), scalar(state, "r"))
    )


def _chain_moments(phi: float, start: float, innovation: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return phi^t, t = 1..count, and the covariance of z_1..z_count; ``start`` is the variance of z_0."""
    powers = phi ** np.arange(1, count + 1)
    covariance = start * np.outer(powers, powers)
    for k in range(1, count + 1):
        after = np.where(
            np.arange(1, count + 1) >= k, phi ** np.maximum(np.arange(1, count + 1) - k, 0.0), 0.0
        )
        covariance += innovation * np.outer(after, after)
    return powers, covariance


def state_space(state: State) -> float:
    """Log [phi, sigma2_y, sigma2_z | y, hyperparameters] up to a constant; the state's z is not read."""
    y = column(state, "y")
    phi, s_y, s_z = (scalar(state, name) for name in ("phi", "sigma2_y", "sigma2_z"))
    powers, covariance = _chain_moments(phi, scalar(state, "v0"), s_z, len(y))
    return (
        densities.mvnormal(y, powers * scalar(state, "m0"), covariance + s_y * np.eye(len(y)))
        + densities.normal(phi, scalar(state, "m_phi"), scalar(state, "v_phi"))
        + densities.inverse_gamma(s_y, scalar(state, "q_y"), scalar(state, "r_y"))
        + densities.inverse_gamma(s_z, scalar(state, "q_z"), scalar(state, "r_z"))
    )


def mean_reverting(state: State) -> float:
    """Log [phi | y, variances, hyperparameters] up to a constant; the state's z and mu are not read."""
    y, phi = column(state, "y"), scalar(state, "phi")
    powers, covariance = _chain_moments(phi, scalar(state, "v0"), scalar(state, "s_z"), len(y))
    mean = powers * scalar(state, "m0") + (1 - powers) * scalar(state, "m")
    covariance += scalar(state, "v") * np.outer(1 - powers, 1 - powers)
    return densities.mvnormal(y, mean, covariance + scalar(state, "s_y") * np.eye(len(y))) + densities.normal(
        phi, scalar(state, "m_phi"), scalar(state, "v_phi")
    )


def state_space_by_group(state: State) -> float:
    """Log [sigma2_y | y, phi, sigma2_z, hyperparameters] up to a constant; the state's z is not read."""
    s_y = scalar(state, "sigma2_y")
    total = densities.inverse_gamma(s_y, scalar(state, "q_y"), scalar(state, "r_y"))
    for group, length in state["T"].items():
        y = column(state, "y", [(*group, t) for t in range(1, int(length) + 1)])
        phi, s_z = state["phi"][group], state["sigma2_z"][group]
        powers, covariance = _chain_moments(phi, scalar(state, "v0"), s_z, len(y))
        total += densities.mvnormal(y, powers * scalar(state, "m0"), covariance + s_y * np.eye(len(y)))
    return total
