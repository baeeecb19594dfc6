"""Crossed groups: coefficients by subject (a vector) and an intercept by item.

Premises: y_k ~ N(x_k'beta_{f[k]} + a_{h[k]}, sigma2), f[k] the subject i and h[k] the item l of row k;
beta_i ~ N(mu, Q^-1), Q ~ Wish((nu S)^-1, nu), a_l ~ N(0, sigma2_a).

beta_i: L2 over the rows with f[k] = i, D rows x_k', e_k = y_k - a_{h[k]}, W = sigma2 I; prior N(mu, Q^-1).
a_l: L1 over the rows with h[k] = l, d = 1, e_k = y_k - x_k'beta_{f[k]}, w = sigma2; prior N(0, sigma2_a).
mu: L2 over all subjects.   Q: L4.   sigma2_a: L3, e_l = a_l.   sigma2: L3 over all rows.
"""

from __future__ import annotations

import numpy as np

from . import densities, wishart
from .common import (
    Hand,
    Index,
    Sizes,
    State,
    column,
    members,
    plate,
    positive_scalars,
    reals,
    scalar,
    vectors,
)
from .lemmas import normal_coefficient, regression, variance
from .regressions import log_population, population_state

MODEL = """
model crossed_groups

plates
  i = 1..n                     # subjects
  l = 1..L                     # items
  k = 1..K                     # rows

given
  f : k -> i
  h : k -> l
  x[k] : vector(p)
  mu0 : vector(p)
  Sigma0 : matrix(p,p)
  S : matrix(p,p)
  nu > p - 1
  q, r, q_a, r_a > 0

data
  y[k] ~ N(x[k]' * beta[f[k]] + a[h[k]], sigma2)

process
  beta[i] ~ N(mu, inv(Q))
  a[l] ~ N(0, sigma2_a)

parameters
  mu ~ N(mu0, Sigma0)
  Q ~ Wish(inv(nu * S), nu)
  sigma2_a ~ IG(q_a, r_a)
  sigma2 ~ IG(q, r)
"""

SIZES: tuple[Sizes, ...] = (
    {
        "n": 3,
        "L": 2,
        "K": 7,
        "f": (1, 1, 2, 3, 3, 3, 2),
        "h": (1, 2, 2, 1, 2, 1, 1),
        "p": 2,
    },
    {"n": 4, "L": 3, "K": 5, "f": (4, 1, 1, 4, 2), "h": (3, 3, 1, 1, 3), "p": 3},
    {"n": 2, "L": 2, "K": 3, "f": (2, 1, 2), "h": (2, 2, 1), "p": 1},
)


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: f, h, y (k); x (k)->(p,); beta (i)->(p,); a (l); mu (p,); Q, S (p, p); scalars."""
    rows, p = plate(sizes["K"]), sizes["p"]
    data = {
        "x": vectors(rng, rows, p),
        "y": reals(rng, rows),
        "a": reals(rng, plate(sizes["L"])),
    }
    scalars = positive_scalars(rng, "sigma2 sigma2_a q r q_a r_a")
    return population_state(rng, sizes) | data | scalars | wishart.wishart_state(rng, p)


def _subject_part(state: State) -> np.ndarray:
    return np.array([state["x"][k] @ state["beta"][(int(i),)] for k, i in state["f"].items()])


def _item_part(state: State) -> np.ndarray:
    return np.array([state["a"][(int(label),)] for label in state["h"].values()])


def _residuals(state: State) -> np.ndarray:
    return column(state, "y") - _subject_part(state) - _item_part(state)


def log_joint(state: State) -> float:
    """The sum of the seven log densities of the model."""
    sigma2, sigma2_a = scalar(state, "sigma2"), scalar(state, "sigma2_a")
    return (
        densities.normal(_residuals(state), 0.0, sigma2)
        + log_population(state, np.linalg.inv(scalar(state, "Q")))
        + wishart.log_prior_precision(state)
        + densities.normal(column(state, "a"), 0.0, sigma2_a)
        + densities.inverse_gamma(sigma2_a, scalar(state, "q_a"), scalar(state, "r_a"))
        + densities.inverse_gamma(sigma2, scalar(state, "q"), scalar(state, "r"))
    )


def _coefficients(state: State, at: Index) -> Hand:
    rows = members(state, "f", at[0])
    left = column(state, "y", rows) - np.array([state["a"][(int(state["h"][k]),)] for k in rows])
    prior = np.linalg.inv(scalar(state, "Q"))
    return regression(
        scalar(state, "mu"),
        prior,
        column(state, "x", rows),
        left,
        scalar(state, "sigma2"),
    )


def _item(state: State, at: Index) -> Hand:
    rows = members(state, "h", at[0])
    fitted = [state["x"][k] @ state["beta"][(int(state["f"][k]),)] for k in rows]
    left = column(state, "y", rows) - np.array(fitted)
    return normal_coefficient(0.0, scalar(state, "sigma2_a"), (1.0, left, scalar(state, "sigma2")))


def _between_items(state: State, at: Index) -> Hand:
    return variance(scalar(state, "q_a"), scalar(state, "r_a"), (column(state, "a"), 1.0))


def _within(state: State, at: Index) -> Hand:
    return variance(scalar(state, "q"), scalar(state, "r"), (_residuals(state), 1.0))


CONDITIONALS = {
    "beta": _coefficients,
    "a": _item,
    "mu": wishart.mean,
    "Q": wishart.precision,
    "sigma2_a": _between_items,
    "sigma2": _within,
}
