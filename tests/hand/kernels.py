"""The log kernel of a hand-derived conditional, and the density-ratio identity that judges it.

log c(a | rest) - log c(b | rest) = log joint(a, rest) - log joint(b, rest) for any two values a, b of one element.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .common import Hand, Index, Kernel, State, Value, replaced


def log_conditional(conditional: Hand | Kernel, value: Value) -> float:
    """The log density of the conditional at the value, up to a constant free of the value; -inf off the support."""
    if isinstance(conditional, Kernel):
        return float(conditional.log_kernel(value))
    parameters = conditional.parameters
    if "lower" in parameters and not parameters["lower"] < value < parameters["upper"]:
        return -np.inf
    return float(LOG_KERNELS[conditional.family](value, parameters))


def ratio_error(
    conditional: Hand | Kernel,
    log_joint: Callable[[State], float],
    state: State,
    at: Index,
    **to,
) -> float:
    """How far the identity fails for one element, relative to the size of the two differences.

    ``to`` names the node and holds the other value: ``ratio_error(c, log_joint, state, (1,), beta=value)``.
    """
    ((name, other),) = to.items()
    here = state[name][at]
    by_hand = log_conditional(conditional, other) - log_conditional(conditional, here)
    by_joint = log_joint(replaced(state, name, at, other)) - log_joint(state)
    return abs(by_hand - by_joint) / max(1.0, abs(by_hand), abs(by_joint))


def _normal(value, given):
    return -0.5 * (value - given["mean"]) ** 2 / given["var"]


def _mvnormal(value, given):
    deviation = value - given["mean"]
    return -0.5 * deviation @ np.linalg.inv(given["cov"]) @ deviation


def _inverse_gamma(value, given):
    return -(given["shape"] + 1) * np.log(value) - given["scale"] / value


def _sqrt_inverse_gamma(value, given):
    return -(2 * given["shape"] + 1) * np.log(value) - given["scale"] / value**2


def _gamma(value, given):
    return (given["shape"] - 1) * np.log(value) - given["rate"] * value


def _wishart(value, given):
    power = (given["df"] - len(value) - 1) / 2
    return power * np.linalg.slogdet(value)[1] - np.trace(np.linalg.inv(given["scale"]) @ value) / 2


def _inverse_wishart(value, given):
    power = (given["df"] + len(value) + 1) / 2
    return -power * np.linalg.slogdet(value)[1] - np.trace(given["scale"] @ np.linalg.inv(value)) / 2


def _beta(value, given):
    return (given["a"] - 1) * np.log(value) + (given["b"] - 1) * np.log(1 - value)


def _dirichlet(value, given):
    return np.dot(given["concentration"] - 1, np.log(value))


LOG_KERNELS: dict[str, Callable[[Value, dict[str, Value]], float]] = {
    "normal": _normal,
    "mvnormal": _mvnormal,
    "inverse_gamma": _inverse_gamma,
    "sqrt_inverse_gamma": _sqrt_inverse_gamma,
    "gamma": _gamma,
    "wishart": _wishart,
    "inverse_wishart": _inverse_wishart,
    "beta": _beta,
    "dirichlet": _dirichlet,
}
