"""A state space with vector states, a known transition matrix and an inverse Wishart innovation covariance.

Premises: y_t ~ N(h'z_t, sigma2_y), z_0 ~ N(m0, C0), z_t ~ N(F z_{t-1}, W), t = 1..T, W ~ InverseWishart(nu, Psi); h, F known.

z_t: L2, prior N(F z_{t-1}, W) or N(m0, C0) at t = 0; if t >= 1 D = h', e = y_t, noise sigma2_y; if t < T D = F,
    e = z_{t+1}, noise W: precision W^-1 + h h'/sigma2_y + F'W^-1 F inside.
W: as inverse_wishart with the T vectors e_t = z_t - F z_{t-1}.   sigma2_y: L3, e_t = y_t - h'z_t.
"""

from __future__ import annotations

import numpy as np

from . import densities
from .common import (
    Hand,
    Index,
    Sizes,
    State,
    column,
    constant,
    plate,
    positive_scalars,
    reals,
    scalar,
    size_state,
    spd,
    vectors,
)
from .lemmas import variance, vector_coefficient

MODEL = """
model vector_state_space

plates
  t = 1..T

given
  h : vector(p)
  F : matrix(p,p)
  m0 : vector(p)
  C0 : matrix(p,p)
  Psi : matrix(p,p)
  nu > p - 1
  q, r > 0

data
  y[t] ~ N(h' * z[t], sigma2_y)

process
  z[0] ~ N(m0, C0)
  z[t] ~ N(F * z[t-1], W) for t in 1..T

parameters
  W ~ InverseWishart(df=nu, scale=Psi)
  sigma2_y ~ IG(q, r)
"""

SIZES: tuple[Sizes, ...] = ({"T": 4, "p": 2}, {"T": 1, "p": 3}, {"T": 3, "p": 1})


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state: y (t); z (t)->(p,), t = 0..T; h, m0 (p,); F (p, p), not symmetric; C0, Psi, W (p, p); scalars."""
    times, p = plate(sizes["T"]), sizes["p"]
    matrices = {name: constant(spd(rng, p)) for name in ("C0", "Psi", "W")}
    fixed = {
        "h": constant(rng.normal(size=p)),
        "m0": constant(rng.normal(size=p)),
        "F": constant(rng.normal(size=(p, p))),
    }
    nodes = {"y": reals(rng, times), "z": vectors(rng, [(0,), *times], p)}
    df = {"nu": constant(p - 1 + float(rng.uniform(0.3, 4.0)))}
    return size_state(sizes) | nodes | matrices | fixed | df | positive_scalars(rng, "sigma2_y q r")


def _states(state: State) -> np.ndarray:
    """z_0..z_T, shape (T+1, p)."""
    return column(state, "z", [(0,), *plate(scalar(state, "T"))])


def _innovations(state: State) -> np.ndarray:
    """z_t - F z_{t-1}, shape (T, p)."""
    z = _states(state)
    return z[1:] - z[:-1] @ scalar(state, "F").T


def _measured(state: State) -> np.ndarray:
    return column(state, "y") - _states(state)[1:] @ scalar(state, "h")


def log_joint(state: State) -> float:
    """The sum of the five log densities of the model."""
    w, sigma2_y, zero = (
        scalar(state, "W"),
        scalar(state, "sigma2_y"),
        np.zeros(scalar(state, "p")),
    )
    return (
        densities.normal(_measured(state), 0.0, sigma2_y)
        + densities.mvnormal(state["z"][(0,)], scalar(state, "m0"), scalar(state, "C0"))
        + sum(densities.mvnormal(step, zero, w) for step in _innovations(state))
        + densities.inverse_wishart(w, scalar(state, "Psi"), scalar(state, "nu"))
        + densities.inverse_gamma(sigma2_y, scalar(state, "q"), scalar(state, "r"))
    )


def _latent(state: State, at: Index) -> Hand:
    (t,), transition, w = at, scalar(state, "F"), scalar(state, "W")
    terms = [(transition, state["z"][(t + 1,)], w)] if t < scalar(state, "T") else []
    if t == 0:
        return vector_coefficient(scalar(state, "m0"), scalar(state, "C0"), terms)
    noise = np.array([[scalar(state, "sigma2_y")]])
    terms.append((scalar(state, "h")[None, :], np.array([state["y"][at]]), noise))
    return vector_coefficient(transition @ state["z"][(t - 1,)], w, terms)


def _innovation(state: State, at: Index) -> Hand:
    left = _innovations(state)
    df = float(scalar(state, "nu") + len(left))
    return Hand("inverse_wishart", {"df": df, "scale": scalar(state, "Psi") + left.T @ left})


def _measurement(state: State, at: Index) -> Hand:
    return variance(scalar(state, "q"), scalar(state, "r"), (_measured(state), 1.0))


CONDITIONALS = {"z": _latent, "W": _innovation, "sigma2_y": _measurement}
