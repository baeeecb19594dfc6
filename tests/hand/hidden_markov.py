"""A hidden Markov chain of labels 1..K, and a mixture of two of whose parts the labels pick the mean and variance.

Premises: y_t ~ N(mu_{z_t}, s2_{z_t}), z_1 ~ Categorical(w), z_t ~ Categorical(P_{z_{t-1}}), c_i ~ Categorical(w),
x_i ~ N(mu_{c_i} + b_{d_i}, 1), d_i ~ Categorical(w); w, P_k ~ Dirichlet(alpha), mu_k, b_k ~ N(m, v), s2_k ~ IG(q, r).

w: Dirichlet(alpha + [z_1 = k] + #{c_i = k} + #{d_i = k});  P_k: Dirichlet(alpha + #{t > 1: z_{t-1} = k, z_t = l} in l).
mu_k: precision 1/v + #{z_t = k}/s2_k + #{c_i = k}, linear m/v + sum_{z_t = k} y_t/s2_k + sum_{c_i = k} (x_i - b_{d_i}).
b_k: precision 1/v + #{d_i = k}, linear m/v + sum_{d_i = k} (x_i - mu_{c_i}).
s2_k: IG(q + #{z_t = k}/2, scale 1/r + sum_{z_t = k} (y_t - mu_k)^2/2).
z_t: log N(y_t; mu_{z_t}, s2_{z_t}) + log of the step into z_t + log of the step out of it.
c_i: log w_{c_i} + log N(x_i; mu_{c_i} + b_{d_i}, 1).
"""

from __future__ import annotations

import itertools

import numpy as np

from . import densities
from .common import (
    Hand,
    Index,
    Kernel,
    Sizes,
    State,
    column,
    constant,
    members,
    plate,
    positive_scalars,
    real_scalars,
    reals,
    scalar,
    size_state,
)

MODEL = """
model hidden_markov

plates
  t = 1..T
  i = 1..n
  k = 1..K

given
  alpha : vector(K) > 0
  m
  v, q, r > 0

data
  y[t] ~ N(mu[z[t]], s2[z[t]])
  x[i] ~ N(mu[c[i]] + b[d[i]], 1)

process
  z[1] ~ Categorical(w)
  z[t] ~ Categorical(P[z[t-1]]) for t in 2..T
  c[i] ~ Categorical(w)
  d[i] ~ Categorical(w)

parameters
  w ~ Dirichlet(alpha)
  P[k] ~ Dirichlet(alpha)
  mu[k] ~ N(m, v)
  b[k] ~ N(m, v)
  s2[k] ~ IG(q, r)
"""

SIZES: tuple[Sizes, ...] = ({"T": 6, "n": 5, "K": 3}, {"T": 2, "n": 1, "K": 2})


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state; some labels may name no row."""
    count, labels = sizes["K"], plate(sizes["K"])
    state = size_state(sizes) | real_scalars(rng, "m") | positive_scalars(rng, "v q r")
    state |= {"alpha": constant(np.exp(rng.normal(0.1, 0.5, size=count)))}
    for name, rows in (("z", plate(sizes["T"])), ("c", plate(sizes["n"])), ("d", plate(sizes["n"]))):
        state[name] = {at: float(rng.integers(1, count + 1)) for at in rows}
    state |= {"y": reals(rng, plate(sizes["T"])), "x": reals(rng, plate(sizes["n"]))}
    state |= {"mu": reals(rng, labels), "b": reals(rng, labels)}
    state |= {"s2": {at: float(np.exp(rng.normal(0, 0.4))) for at in labels}}
    state |= {"P": {at: rng.dirichlet(np.full(count, 3.0)) for at in labels}}
    return state | {"w": constant(rng.dirichlet(np.full(count, 3.0)))}


def _named(state: State, values: str, label: str) -> np.ndarray:
    """The element that each label of a column names."""
    return np.array([state[values][(int(own),)] for own in state[label].values()])


def _steps(state: State) -> list[tuple[int, int]]:
    """The pairs (z_{t-1}, z_t)."""
    labels = [int(label) for label in state["z"].values()]
    return list(itertools.pairwise(labels))


def _step_density(state: State) -> float:
    return sum(float(np.log(state["P"][(before,)][after - 1])) for before, after in _steps(state))


def log_joint(state: State) -> float:
    """The sum of the log densities of the model."""
    alpha, w = scalar(state, "alpha"), scalar(state, "w")
    m, v, q, r = (scalar(state, name) for name in ("m", "v", "q", "r"))
    total = densities.normal(column(state, "y"), _named(state, "mu", "z"), _named(state, "s2", "z"))
    total += densities.normal(column(state, "x"), _named(state, "mu", "c") + _named(state, "b", "d"), 1.0)
    first = [state["z"][(1,)], *state["c"].values(), *state["d"].values()]
    total += sum(float(np.log(w[int(label) - 1])) for label in first) + _step_density(state)
    total += densities.dirichlet(w, alpha) + sum(
        densities.dirichlet(row, alpha) for row in state["P"].values()
    )
    total += densities.normal(column(state, "mu"), m, v) + densities.normal(column(state, "b"), m, v)
    return total + densities.inverse_gamma(column(state, "s2"), q, r)


def _counts(state: State, labels: list[float]) -> np.ndarray:
    return np.array([sum(int(label) == k for label in labels) for (k,) in state["mu"]], dtype=float)


def _shares(state: State, at: Index) -> Hand:
    labels = [state["z"][(1,)], *state["c"].values(), *state["d"].values()]
    return Hand("dirichlet", {"concentration": scalar(state, "alpha") + _counts(state, labels)})


def _transitions(state: State, at: Index) -> Hand:
    after = [float(b) for a, b in _steps(state) if a == at[0]]
    return Hand("dirichlet", {"concentration": scalar(state, "alpha") + _counts(state, after)})


def _normal(precision: float, linear: float) -> Hand:
    return Hand("normal", {"mean": linear / precision, "var": 1 / precision})


def _mean(state: State, at: Index) -> Hand:
    s2 = state["s2"][at]
    in_chain, in_rows = members(state, "z", at[0]), members(state, "c", at[0])
    precision = 1 / scalar(state, "v") + len(in_chain) / s2 + len(in_rows)
    linear = scalar(state, "m") / scalar(state, "v") + sum(state["y"][t] for t in in_chain) / s2
    linear += sum(state["x"][i] - state["b"][(int(state["d"][i]),)] for i in in_rows)
    return _normal(precision, linear)


def _shift(state: State, at: Index) -> Hand:
    rows = members(state, "d", at[0])
    linear = sum(state["x"][i] - state["mu"][(int(state["c"][i]),)] for i in rows)
    prior = 1 / scalar(state, "v")
    return _normal(prior + len(rows), scalar(state, "m") * prior + linear)


def _variance(state: State, at: Index) -> Hand:
    rows = members(state, "z", at[0])
    squares = sum((state["y"][t] - state["mu"][at]) ** 2 for t in rows)
    scale = 1 / scalar(state, "r") + squares / 2
    return Hand("inverse_gamma", {"shape": scalar(state, "q") + len(rows) / 2, "scale": scale})


def _hidden(state: State, at: Index) -> Kernel:
    (t,) = at
    w, steps = scalar(state, "w"), state["P"]
    before, after = state["z"].get((t - 1,)), state["z"].get((t + 1,))

    def log_kernel(label: float) -> float:
        own = int(label)
        total = densities.normal(np.array([state["y"][at]]), state["mu"][(own,)], state["s2"][(own,)])
        total += float(np.log(w[own - 1] if before is None else steps[(int(before),)][own - 1]))
        return total + (0.0 if after is None else float(np.log(steps[(own,)][int(after) - 1])))

    return Kernel(log_kernel)


def _class(state: State, at: Index) -> Kernel:
    shift = state["b"][(int(state["d"][at]),)]

    def log_kernel(label: float) -> float:
        mean = state["mu"][(int(label),)] + shift
        row = densities.normal(np.array([state["x"][at]]), mean, 1.0)
        return row + float(np.log(scalar(state, "w")[int(label) - 1]))

    return Kernel(log_kernel)


CONDITIONALS = {
    "w": _shares, "P": _transitions, "mu": _mean, "b": _shift, "s2": _variance, "z": _hidden, "c": _class,
}  # fmt: skip
