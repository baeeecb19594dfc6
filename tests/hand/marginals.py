"""Marginal densities of variances by hand: models A (random intercepts) and G5 (correlated coefficients, Wishart).

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
"""

from __future__ import annotations

import numpy as np

from . import densities
from .common import State, cells, rows_of, scalar


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
