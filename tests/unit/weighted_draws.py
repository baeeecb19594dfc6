"""Models of counts, draws from their posteriors by weighting draws from the priors, and what a move does to such draws."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from deriver.emission.module import emit
from deriver.language import parse_model
from deriver.pipeline import derive, plan

EFFECTS = """model effects
plates
  i = 1..N
given
  x[i]
data
  y[i] ~ Poisson(log_rate=alpha + beta * x[i] + b[i])
process
  b[i] ~ Normal(0, sd=sigma)
parameters
  alpha ~ Normal(0, var=1)
  beta ~ Uniform(-2, 2)
  sigma ~ Uniform(0, 2)
"""
# A random walk whose elements depend on each other, beside effects of which the first is fixed.
WALK = """model walk
plates
  t = 1..T
  k = 1..K
given
  g : t -> k
data
  y[t] ~ Poisson(log_rate=h[t] + a[g[t]])
process
  h[1] ~ Normal(0, var=1)
  h[t] ~ Normal(h[t-1], var=v) for t in 2..T
  a[1] = 0
  a[k] ~ Normal(0, var=1) for k in 2..K
parameters
  v ~ InverseGamma(shape=3, scale=1)
"""
# Vectors, whose mean is one of the nodes.
SLOPES = """model slopes
plates
  i = 1..N
  j = 1..J
given
  x[i,j] : vector(2)
data
  y[i,j] ~ Poisson(log_rate=x[i,j]' * b[i])
process
  b[i] ~ Normal(mu, cov=s2 * eye(2))
parameters
  mu ~ Normal(0, cov=eye(2))
  s2 ~ InverseGamma(shape=3, scale=1)
"""
X = np.array([-1.0, -0.5, 0.5, 1.5])
G = np.array([0, 1, 1, 0])
PAIRS = np.array([[[1.0, -1.0], [1.0, 0.5]], [[1.0, 1.0], [0.5, 0.0]]])
Y = np.array([0.0, 2.0, 1.0, 4.0])
DATA = {
    EFFECTS: {"x": X, "y": Y}, WALK: {"g": G, "y": Y, "K": 2, "a_observed": np.array([0.0, np.nan])}, SLOPES: {"x": PAIRS, "y": Y.reshape(2, 2)}
}  # fmt: skip
CHAINS = 8_000
TEXTS = {"effects": EFFECTS, "walk": WALK, "slopes": SLOPES}


def prior_of_effects(rng, size: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    alpha, beta, sigma = rng.standard_normal(size), rng.uniform(-2, 2, size), rng.uniform(0, 2, size)
    b = sigma[:, None] * rng.standard_normal((size, 4))
    return {"alpha": alpha, "beta": beta, "sigma": sigma, "b": b}, alpha[:, None] + beta[:, None] * X + b


def prior_of_walk(rng, size: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    v = 1 / rng.gamma(3, 1, size)
    steps = rng.standard_normal((size, 4)) * np.column_stack([np.ones(size), *[np.sqrt(v)] * 3])
    a = np.column_stack([np.zeros(size), rng.standard_normal(size)])
    h = np.cumsum(steps, axis=1)
    return {"v": v, "h": h, "a": a}, h + a[:, G]


def prior_of_slopes(rng, size: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    s2, mu = 1 / rng.gamma(3, 1, size), rng.standard_normal((size, 2))
    b = mu[:, None, :] + np.sqrt(s2)[:, None, None] * rng.standard_normal((size, 2, 2))
    return {"s2": s2, "mu": mu, "b": b}, np.einsum("ijp,xip->xij", PAIRS, b).reshape(size, -1)


PRIORS = {EFFECTS: prior_of_effects, WALK: prior_of_walk, SLOPES: prior_of_slopes}


@cache
def posterior(model: str) -> tuple[dict[str, np.ndarray], float]:
    """Return draws from the posterior by weighting draws from the prior, and how many they are worth."""
    rng, size = np.random.default_rng(1), 300_000
    draws, eta = PRIORS[model](rng, size)
    logs = (Y * eta - np.exp(eta)).sum(axis=1)
    weight = np.exp(logs - logs.max())
    weight /= weight.sum()
    chosen = rng.choice(size, CHAINS, p=weight)
    return {name: values[chosen] for name, values in draws.items()}, 1 / float(np.sum(weight**2))


@cache
def source(model: str) -> str:
    return emit(derive(parse_model(model)), plan(derive(parse_model(model)), blocks="on"))


def numbers(state) -> np.ndarray:
    """Return all numbers of a state, and their squares and products with the first, (chains, k)."""
    flat = np.column_stack([value.reshape(len(value), -1) for value in vars(state).values()])
    flat = flat[:, np.ptp(flat, axis=0) > 0]  # what is fixed
    return np.column_stack([flat, flat[:, 1:] - flat[:, :1], flat * flat[:, :1]])


def farthest(model: str, move: Callable[[np.random.Generator, Any, int], tuple[Any, np.ndarray]], start: Any):
    """Return by how many standard errors a quantile is off after moves, and how far a move is from reversible.

    ``start`` holds draws from the posterior; ``move`` takes the generator, a state and the number of the move.
    """
    worth = posterior(model)[1]
    rng, state = np.random.default_rng(2), start
    moved, worst = 0.0, 0.0
    for number in range(4):
        before = numbers(state)
        state, accepted = move(rng, state, number)
        moved += accepted.mean() / 4
        after = numbers(state)
        swapped = before[:, :, None] * after[:, None, :] - after[:, :, None] * before[:, None, :]
        spread = np.maximum(swapped.std(axis=0), 1e-12)
        worst = max(worst, float(np.max(np.abs(swapped.mean(axis=0)) / spread)) * np.sqrt(len(before)))
    assert moved > 0
    first, last = numbers(start), numbers(state)
    errors = []
    for share in (0.05, 0.25, 0.5, 0.75, 0.95):
        below = (last <= np.quantile(first, share, axis=0)).mean(axis=0)
        error = np.sqrt(share * (1 - share) * (2 / len(first) + 2 / worth))
        errors.append(float(np.max(np.abs(below - share))) / error)
    return max(errors), worst
