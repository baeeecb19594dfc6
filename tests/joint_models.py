"""Small models at hard corners of the language, with exact draws from their posteriors by weighting draws of NumPy's own.

A ``Case`` has the text, what the sampler's ``prepare`` takes, a function that draws all nodes from some distribution,
and the log weight of these draws: the log joint density over that of the drawing, written by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

Nodes = dict[str, np.ndarray]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A model, its inputs, draws of its nodes and the log weights that make posterior draws of them."""

    text: str
    inputs: Mapping[str, Any]
    draw: Callable[[np.random.Generator, int], Nodes]
    log_weight: Callable[[Nodes], np.ndarray]


def log_normal(value, mean, variance) -> np.ndarray:
    return -0.5 * np.log(variance) - 0.5 * (value - mean) ** 2 / variance


# Scales that are a tiny share of the interval on which they are uniform.
WIDE_COUNTS = """model wide_counts
plates
  i = 1..n
data
  y[i] ~ Poisson(log_rate=log(1000) + a + b[i])
process
  b[i] ~ Normal(0, sd=s)
parameters
  a ~ N(0, 1)
  s ~ Uniform(0, 10000)
"""
COUNTS = np.array([1010, 980, 1033, 1001, 955, 1040.0])


def draw_wide_counts(rng: np.random.Generator, size: int) -> Nodes:
    s = np.exp(rng.normal(np.log(0.03), 1.2, size))
    b = s[:, None] * rng.standard_normal((size, 6))
    return {"s": s, "a": rng.normal(0, 0.05, size), "b": b}


def weigh_wide_counts(nodes: Nodes) -> np.ndarray:
    change = nodes["a"][:, None] + nodes["b"]
    found = np.sum(COUNTS * change - 1000 * np.expm1(change), axis=1)
    found += np.log(nodes["s"]) - log_normal(np.log(nodes["s"]), np.log(0.03), 1.2**2)
    return found + log_normal(nodes["a"], 0, 1) - log_normal(nodes["a"], 0, 0.05**2)


WIDE_NORMAL = """model wide_normal
plates
  i = 1..n
data
  y[i] ~ Normal(b[i], var=v)
process
  b[i] ~ Normal(0, sd=s)
parameters
  v ~ InverseGamma(shape=3, scale=0.0003)
  s ~ Uniform(0, 10000)
"""
SMALL = np.array([0.01, -0.02, 0.035, 0.0, -0.05, 0.04])


def draw_wide_normal(rng: np.random.Generator, size: int) -> Nodes:
    s, v = np.exp(rng.normal(np.log(0.03), 1.2, size)), 1 / rng.gamma(3, 1 / 3e-4, size)
    share = (s**2 / (s**2 + v))[:, None]
    b = share * SMALL + np.sqrt(share * v[:, None]) * rng.standard_normal((size, 6))
    return {"s": s, "v": v, "b": b}


def weigh_wide_normal(nodes: Nodes) -> np.ndarray:
    s, v = nodes["s"], nodes["v"]
    found = log_normal(SMALL, 0, (s**2 + v)[:, None]).sum(axis=1) + np.log(s)
    return found - log_normal(np.log(s), np.log(0.03), 1.2**2)


# States in rows of 1, 3 and 2 steps that share their transitions; a response may hang on two states.
STATES = """model states
plates
  i = 1..n
  t = 1..J[i]
  k = 1..2
given
  J[i] : integer >= 1
data
  y[i,1] ~ Normal(a * (z[i,1] - 1), var=0.4)
  y[i,t] ~ Normal(a * (z[i,t] - 1) + b * (z[i,t] - 1) * (z[i,t-1] - 1), var=0.4) for t in 2..J[i]
process
  z[i,1] ~ Categorical([0.5; 0.5])
  z[i,t] ~ Categorical(P[z[i,t-1]]) for t in 2..J[i]
parameters
  P[k] ~ Dirichlet([3 - k; k])
  a ~ N(0, 1)
  b ~ N(0, 1)
"""
SEEN = np.array([0.3, 1.2, -0.5, 1.9, -1.0, 0.8])
BEFORE = [None, None, 1, 2, None, 4]  # the place of the state before


def draw_states(rng: np.random.Generator, size: int) -> Nodes:
    stay = np.stack([rng.dirichlet([2, 1], size), rng.dirichlet([1, 2], size)], axis=1)
    z, chains = np.zeros((size, 6)), np.arange(size)
    for place, before in enumerate(BEFORE):
        first = 0.5 if before is None else stay[chains, z[:, before].astype(int) - 1, 0]
        z[:, place] = 1 + (rng.random(size) > first)
    return {"P": stay, "z": z, "a": rng.standard_normal(size), "b": rng.standard_normal(size)}


def weigh_states(nodes: Nodes) -> np.ndarray:
    on = nodes["z"] - 1
    twice = np.stack(
        [0 * on[:, 0] if b is None else on[:, k] * on[:, b] for k, b in enumerate(BEFORE)], axis=1
    )
    mean = nodes["a"][:, None] * on + nodes["b"][:, None] * twice
    return log_normal(SEEN, mean, 0.4).sum(axis=1)


# Thresholds in order, beside effects and their precision.
ORDERED = """model ordered
plates
  i = 1..N
given
  x[i]
data
  y[i] ~ Categorical([expit(c1 + m[i]); expit(c2 + m[i]) - expit(c1 + m[i]); 1 - expit(c2 + m[i])])
  order ~ Bernoulli(is_positive(c2 - c1))
process
  m[i] = beta * x[i] + b[i]
  b[i] ~ Normal(0, prec=tau)
parameters
  c1 ~ Normal(0, var=4)
  c2 ~ Normal(0, var=4)
  beta ~ Normal(0, var=1)
  tau ~ Gamma(shape=3, rate=2)
"""
GRADES, DOSES = np.array([1, 3, 2, 3]), np.array([-1.0, 1, 0.5, 0])


def draw_ordered(rng: np.random.Generator, size: int) -> Nodes:
    c, tau = np.sort(rng.normal(0, 2, (size, 2)), axis=1), rng.gamma(3, 0.5, size)
    b = rng.standard_normal((size, 4)) / np.sqrt(tau)[:, None]
    return {"c1": c[:, 0], "c2": c[:, 1], "beta": rng.standard_normal(size), "tau": tau, "b": b}


def weigh_ordered(nodes: Nodes) -> np.ndarray:
    m = nodes["beta"][:, None] * DOSES + nodes["b"]
    low, high = (special.expit(nodes[name][:, None] + m) for name in ("c1", "c2"))
    return np.log(np.where(GRADES == 1, low, np.where(GRADES == 2, high - low, 1 - high))).sum(axis=1)


CASES = {
    "wide_counts": Case(
        text=WIDE_COUNTS, inputs={"y": COUNTS}, draw=draw_wide_counts, log_weight=weigh_wide_counts
    ),
    "wide_normal": Case(
        text=WIDE_NORMAL, inputs={"y": SMALL}, draw=draw_wide_normal, log_weight=weigh_wide_normal
    ),
    "states": Case(
        text=STATES, inputs={"y": SEEN, "J": np.array([1, 3, 2])}, draw=draw_states, log_weight=weigh_states
    ),
    "ordered": Case(
        text=ORDERED,
        inputs={"y": GRADES, "x": DOSES, "order": 1.0},
        draw=draw_ordered,
        log_weight=weigh_ordered,
    ),
}
