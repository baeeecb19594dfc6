"""G6 crossed with G5 in long format: rows k = 1..K, the individual of row k in a column g[k]; some have no rows.

Premises: y_k ~ Pois(z_k), log z_k = x_k'beta_{g[k]}, beta_i ~ N(mu, Q^-1), Q ~ Wish((nu S)^-1, nu).

beta_i: row k counts if g[k] = i: exp{sum_{k: g[k]=i} (y_k x_k'beta - exp(x_k'beta)) - (beta-mu)'Q(beta-mu)/2}.
mu, Q: all n individuals count, those without rows too; as in wishart.
"""

from __future__ import annotations

import numpy as np

from . import densities, wishart
from .common import (
    Index,
    Kernel,
    Sizes,
    State,
    column,
    counts,
    edited,
    members,
    plate,
    scalar,
    vectors,
)
from .regressions import log_population, population_state

MODEL = edited(
    wishart.MODEL,
    ("model wishart", "model poisson_wishart_long"),
    ("  j = 1..J[i]", "  k = 1..K"),
    ("  x[i,j] : vector(p)", "  g : k -> i\n  x[k] : vector(p)"),
    ("  q, r > 0\n", ""),
    ("y[i,j] ~ N(x[i,j]' * beta[i], sigma2)", "y[k] ~ Pois(z[k])"),
    ("  beta[i] ~", "  log(z[k]) = x[k]' * beta[g[k]]\n  beta[i] ~"),
    ("  sigma2 ~ IG(q, r)\n", ""),
)

SIZES: tuple[Sizes, ...] = (
    {"n": 4, "K": 7, "g": (1, 4, 1, 2, 1, 4, 1), "p": 2},
    {"n": 3, "K": 4, "g": (3, 3, 1, 3), "p": 3},
    {"n": 2, "K": 3, "g": (2, 2, 2), "p": 1},
    {"n": 5, "K": 6, "g": (5, 1, 2, 5, 3, 1), "p": 5},
)


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: g (k); x (k)->(p,); counts y (k); beta (i)->(p,); mu (p,); Q, S (p, p); nu."""
    rows, p = plate(sizes["K"]), sizes["p"]
    data = {"x": vectors(rng, rows, p), "y": counts(rng, rows)}
    return population_state(rng, sizes) | data | wishart.wishart_state(rng, p)


def log_joint(state: State) -> float:
    """The sum of the four log densities of the model."""
    rows = sum(
        densities.poisson(y, np.exp(state["x"][k] @ state["beta"][(int(state["g"][k]),)]))
        for k, y in state["y"].items()
    )
    return (
        rows + log_population(state, np.linalg.inv(scalar(state, "Q"))) + wishart.log_prior_precision(state)
    )


def _coefficients(state: State, at: Index) -> Kernel:
    rows = members(state, "g", at[0])
    design, y = column(state, "x", rows), column(state, "y", rows)
    mu, precision = scalar(state, "mu"), scalar(state, "Q")

    def log_kernel(beta: np.ndarray) -> float:
        predictor = design @ beta
        return float(y @ predictor - np.sum(np.exp(predictor)) - 0.5 * (beta - mu) @ precision @ (beta - mu))

    return Kernel(log_kernel)


CONDITIONALS = {"beta": _coefficients, "mu": wishart.mean, "Q": wishart.precision}
