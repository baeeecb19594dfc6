"""SciPy's densities by family and by the keywords of its parametrisations."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy import special, stats


class Density:
    """One of SciPy's distributions with its parameters, not frozen (which takes long)."""

    def __init__(self, distribution: Any, *parameters: Any, **more: Any) -> None:
        self._distribution, self._parameters, self._more = distribution, parameters, more

    def log(self, value: Any) -> float:
        """Return the log density, or the log probability of a discrete value."""
        whole = isinstance(self._distribution, stats.rv_discrete) or self._distribution is stats.multinomial
        function = self._distribution.logpmf if whole else self._distribution.logpdf
        return float(function(value, *self._parameters, **self._more))

    def cdf(self, value: float) -> float:
        """Return P(X <= value)."""
        return float(self._distribution.cdf(value, *self._parameters, **self._more))


class _Gaussian:
    """A multivariate normal, by the determinant and a solve: also where SciPy calls a covariance singular."""

    @staticmethod
    def logpdf(value: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> float:
        """Return the log density."""
        apart = value - mean
        volume = np.linalg.slogdet(2 * np.pi * covariance)[1]
        return float(-0.5 * (volume + apart @ np.linalg.solve(covariance, apart)))


class _Flat:
    """The density 1 of an improper prior."""

    @staticmethod
    def logpdf(value: float) -> float:
        """Return the log density."""
        return 0.0


class _Category:
    """A category from 1 on, by its probability."""

    @staticmethod
    def logpdf(value: int, probabilities: np.ndarray) -> float:
        """Return the log probability."""
        return float(np.log(probabilities[int(value) - 1]))


Arguments = Mapping[str, Any]
Shape = tuple[int, ...]


def _spread(a: Arguments, of: str = "") -> float:
    """Return a standard deviation from whichever of var, sd and prec was written (varlog, sdlog, preclog)."""
    if "sd" + of in a:
        return a["sd" + of]
    return math.sqrt(a["var" + of]) if "var" + of in a else 1 / math.sqrt(a["prec" + of])


def _scale(a: Arguments, other: str = "scale") -> float:
    """Return a scale from whichever of the scale and the rate was written."""
    return 1 / a["rate"] if "rate" in a else a[other]


def _mvnormal(a: Arguments, shape: Shape) -> Density:
    if "chol" in a:
        return Density(_Gaussian, np.broadcast_to(a["mean"], shape), a["chol"] @ a["chol"].T)
    covariance = a["cov"] if "cov" in a else np.linalg.inv(a["prec"])
    return Density(_Gaussian, np.broadcast_to(a["mean"], shape), covariance)


def _inverse_gamma(a: Arguments, shape: Shape) -> Density:
    shape_, scale = (a["q"], 1 / a["r"]) if "q" in a else (a["shape"], a["scale"])
    return Density(stats.invgamma, shape_, scale=scale)


def _wishart(a: Arguments, shape: Shape) -> Density:
    return Density(stats.wishart, a["df"], a["scale"] if "scale" in a else np.linalg.inv(a["rate"]))


def _negative_binomial(a: Arguments, shape: Shape) -> Density:
    probability = a["prob"] if "prob" in a else a["size"] / (a["size"] + a["mean"])
    return Density(stats.nbinom, a["size"], probability)


def _weibull(a: Arguments, shape: Shape) -> Density:
    scale = a["scale"] if "scale" in a else a["rate"] ** (-1 / a["shape"])
    return Density(stats.weibull_min, a["shape"], scale=scale)


def _poisson(a: Arguments, shape: Shape) -> Density:
    return Density(stats.poisson, a["rate"] if "rate" in a else math.exp(a["log_rate"]))


def _probability(a: Arguments) -> float:
    return a["prob"] if "prob" in a else special.expit(a["logit"])


DENSITIES: dict[str, Callable[[Arguments, Shape], Density]] = {
    "normal": lambda a, _: Density(stats.norm, a["mean"], _spread(a)),
    "mvnormal": _mvnormal,
    "gamma": lambda a, _: Density(stats.gamma, a["shape"], scale=_scale(a)),
    "inverse_gamma": _inverse_gamma,
    "exponential": lambda a, _: Density(stats.expon, scale=_scale(a, "mean")),
    "uniform": lambda a, _: Density(stats.uniform, a["lower"], a["upper"] - a["lower"]),
    "wishart": _wishart,
    "inverse_wishart": lambda a, _: Density(stats.invwishart, a["df"], a["scale"]),
    "beta": lambda a, _: Density(stats.beta, a["a"], a["b"]),
    "dirichlet": lambda a, _: Density(stats.dirichlet, a["concentration"]),
    "bernoulli": lambda a, _: Density(stats.bernoulli, _probability(a)),
    "binomial": lambda a, _: Density(stats.binom, a["size"], _probability(a)),
    "poisson": _poisson,
    "negative_binomial": _negative_binomial,
    "categorical": lambda a, _: Density(_Category, a["prob"]),
    "multinomial": lambda a, _: Density(stats.multinomial, a["size"], a["prob"]),
    "student_t": lambda a, _: Density(stats.t, a["df"], a["mean"], a["scale"]),
    "cauchy": lambda a, _: Density(stats.cauchy, a["location"], a["scale"]),
    "half_cauchy": lambda a, _: Density(stats.halfcauchy, scale=a["scale"]),
    "half_normal": lambda a, _: Density(stats.halfnorm, scale=_spread(a)),
    "laplace": lambda a, _: Density(stats.laplace, a["location"], _scale(a)),
    "logistic": lambda a, _: Density(stats.logistic, a["location"], a["scale"]),
    "lognormal": lambda a, _: Density(stats.lognorm, _spread(a, "log"), scale=math.exp(a["meanlog"])),
    "weibull": _weibull,
    "flat": lambda a, _: Density(_Flat),
    "pareto": lambda a, _: Density(stats.pareto, a["shape"], scale=a["minimum"]),
}
