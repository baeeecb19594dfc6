"""Classes with probabilities in proportion to exponentials: a logit regression of more than two classes.

Premises: y_i ~ Categorical(p_i), p_ik = exp(s (a_k + b_k x_i)) / sum_l exp(s (a_l + b_l x_i)); a_k ~ N(0, v),
b_k ~ N(0, v), s ~ N(0, v).

No node has a known conditional.  With eta_ik = s (a_k + b_k x_i), each has the log density
sum_i (eta_{i,y_i} - log sum_k exp(eta_ik)) - (the node)^2 / (2 v): the other elements of a and of b stand in it beside
the one that moves, and for s the class of each row is a subscript.
"""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp

from . import densities
from .common import (
    Index,
    Kernel,
    Sizes,
    State,
    Value,
    column,
    plate,
    positive_scalars,
    real_scalars,
    reals,
    replaced,
    scalar,
    size_state,
)

MODEL = """
model multinomial_logit

plates
  i = 1..n
  k = 1..K

given
  x[i]
  v > 0

data
  y[i] ~ Categorical(p[i,:])

process
  p[i,k] = exp(s * (a[k] + b[k] * x[i])) / sum(k: exp(s * (a[k] + b[k] * x[i])))
  a[k] ~ N(0, v)
  b[k] ~ N(0, v)

parameters
  s ~ N(0, v)
"""

SIZES: tuple[Sizes, ...] = ({"n": 6, "K": 3}, {"n": 3, "K": 2})


def random_state(rng: np.random.Generator, sizes: Sizes) -> State:
    """A generic state, in which some class may have no row."""
    rows, classes = plate(sizes["n"]), plate(sizes["K"])
    seen = {at: float(rng.integers(1, sizes["K"] + 1)) for at in rows}
    effects = {"a": reals(rng, classes), "b": reals(rng, classes)}
    data = {"x": reals(rng, rows), "y": seen}
    return size_state(sizes) | data | effects | real_scalars(rng, "s") | positive_scalars(rng, "v")


def log_data(state: State) -> float:
    """The log probability of the classes."""
    line = column(state, "a") + np.outer(column(state, "x"), column(state, "b"))
    eta = scalar(state, "s") * line
    seen = column(state, "y").astype(int) - 1
    return float(np.sum(eta[np.arange(len(seen)), seen] - logsumexp(eta, axis=1)))


def log_joint(state: State) -> float:
    """The log probability of the classes, and the log densities of a, b and s."""
    effects = np.concatenate([column(state, "a"), column(state, "b"), [scalar(state, "s")]])
    return log_data(state) + densities.normal(effects, 0.0, scalar(state, "v"))


def _by_rows(node: str):
    def conditional(state: State, at: Index) -> Kernel:
        def log_kernel(value: Value) -> float:
            moved = replaced(state, node, at, value)
            return log_data(moved) - float(value) ** 2 / (2 * scalar(state, "v"))

        return Kernel(log_kernel)

    return conditional


CONDITIONALS = {node: _by_rows(node) for node in "abs"}
