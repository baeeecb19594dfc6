"""The distributions of responses as arrays of draws have them, for log likelihoods and predictions.

Part of stage run.  Input: a family's key and its arguments by the keywords of the language, as arrays of any common
shape.  Output: a frozen SciPy distribution, or one of the three below, which SciPy has not in arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from deriver.errors import Mistake, UsageError

Arguments = Mapping[str, np.ndarray]
Frame = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MultivariateNormal:
    """``mean`` (..., p) and ``covariance`` (..., p, p), over any leading axes."""

    mean: np.ndarray
    covariance: np.ndarray

    def logpdf(self, value: np.ndarray) -> np.ndarray:
        """Return the log density at ``value`` (..., p)."""
        difference = value - self.mean
        solved = np.linalg.solve(self.covariance, difference[..., None])[..., 0]
        constant = difference.shape[-1] * np.log(2 * np.pi) + np.linalg.slogdet(self.covariance)[1]
        return -((difference * solved).sum(axis=-1) + constant) / 2

    def draw(self, rng: np.random.Generator, frame: Frame) -> np.ndarray:
        """Return draws of shape (*frame, p)."""
        noise = rng.standard_normal((*frame, self.mean.shape[-1]))
        return self.mean + (np.linalg.cholesky(self.covariance) @ noise[..., None])[..., 0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Categorical:
    """A label 1..K; ``prob`` (..., K)."""

    prob: np.ndarray

    def logpdf(self, value: np.ndarray) -> np.ndarray:
        """Return the log probability of ``value`` (...); a missing label has none."""
        known = np.isfinite(value)
        label = np.where(known, value, 1).astype(np.intp) - 1
        label = np.broadcast_to(label, self.prob.shape[: -1 - label.ndim] + label.shape)
        chances = np.broadcast_to(self.prob, label.shape + self.prob.shape[-1:])
        with np.errstate(divide="ignore"):
            return np.where(known, np.log(np.take_along_axis(chances, label[..., None], -1)[..., 0]), np.nan)

    def draw(self, rng: np.random.Generator, frame: Frame) -> np.ndarray:
        """Return labels of shape ``frame``: as many sums of probabilities lie below a uniform number."""
        below = np.cumsum(self.prob, axis=-1)[..., :-1]
        return 1 + (rng.random(frame)[..., None] >= below).sum(axis=-1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Multinomial:
    """Counts (..., K) that add up to ``size``; ``prob`` (..., K)."""

    size: np.ndarray
    prob: np.ndarray

    def logpdf(self, value: np.ndarray) -> np.ndarray:
        """Return the log probability of the counts ``value`` (..., K)."""
        from scipy.special import gammaln, xlogy

        ways = gammaln(self.size + 1.0) - gammaln(value + 1.0).sum(axis=-1)
        return ways + xlogy(value, self.prob).sum(axis=-1)

    def draw(self, rng: np.random.Generator, frame: Frame) -> np.ndarray:
        """Return counts of shape (*frame, K)."""
        size = np.broadcast_to(self.size, frame).astype(np.int64)
        return rng.multinomial(size, np.broadcast_to(self.prob, (*frame, self.prob.shape[-1])))


OWN = (MultivariateNormal, Categorical, Multinomial)


def make_distribution(family: str, arguments: Arguments) -> Any:
    """Return the distribution of a family; raise ``UsageError`` for one that has none here."""
    maker = _MAKERS.get(family)
    if maker is None:
        found = (
            f"the family {family.replace('_', ' ')} has neither pointwise log likelihood nor predictions here"
        )
        raise UsageError([Mistake(code="no-density", found=found, remedy="leave the option out")])
    return maker(arguments)


def _stats() -> Any:
    from scipy import stats

    return stats


def _inverse_or(a: Arguments, word: str, inverse: str) -> np.ndarray:
    return a[word] if word in a else 1 / a[inverse]


def _sd(a: Arguments, ending: str = "") -> np.ndarray:
    """Return the sd from ``sd``, ``var`` or ``prec``, with ``log`` after the word for a log-normal."""
    if f"sd{ending}" in a:
        return a[f"sd{ending}"]
    return np.sqrt(_inverse_or(a, f"var{ending}", f"prec{ending}"))


def _covariance(a: Arguments) -> np.ndarray:
    if "chol" in a:
        return a["chol"] @ np.swapaxes(a["chol"], -1, -2)
    return a["cov"] if "cov" in a else np.linalg.inv(a["prec"])


def _prob(a: Arguments) -> np.ndarray:
    return a["prob"] if "prob" in a else 1 / (1 + np.exp(-a["logit"]))


def _inverse_gamma(a: Arguments) -> Any:
    shape = a["shape"] if "shape" in a else a["q"]
    return _stats().invgamma(a=shape, scale=_inverse_or(a, "scale", "r"))


def _negative_binomial(a: Arguments) -> Any:
    prob = a["prob"] if "prob" in a else a["size"] / (a["size"] + a["mean"])
    return _stats().nbinom(n=a["size"], p=prob)


def _weibull(a: Arguments) -> Any:
    scale = a["scale"] if "scale" in a else a["rate"] ** (-1 / a["shape"])
    return _stats().weibull_min(c=a["shape"], scale=scale)


_MAKERS: dict[str, Callable[[Arguments], Any]] = {
    "mvnormal": lambda a: MultivariateNormal(mean=a["mean"], covariance=_covariance(a)),
    "categorical": lambda a: Categorical(prob=a["prob"]),
    "multinomial": lambda a: Multinomial(size=a["size"], prob=a["prob"]),
    "normal": lambda a: _stats().norm(loc=a["mean"], scale=_sd(a)),
    "half_normal": lambda a: _stats().halfnorm(scale=_sd(a)),
    "lognormal": lambda a: _stats().lognorm(s=_sd(a, "log"), scale=np.exp(a["meanlog"])),
    "poisson": lambda a: _stats().poisson(mu=a["rate"] if "rate" in a else np.exp(a["log_rate"])),
    "binomial": lambda a: _stats().binom(n=np.asarray(a["size"]).astype(np.int64), p=_prob(a)),
    "bernoulli": lambda a: _stats().bernoulli(p=_prob(a)),
    "negative_binomial": _negative_binomial,
    "gamma": lambda a: _stats().gamma(a=a["shape"], scale=_inverse_or(a, "scale", "rate")),
    "inverse_gamma": _inverse_gamma,
    "exponential": lambda a: _stats().expon(scale=_inverse_or(a, "mean", "rate")),
    "beta": lambda a: _stats().beta(a=a["a"], b=a["b"]),
    "student_t": lambda a: _stats().t(df=a["df"], loc=a["mean"], scale=a["scale"]),
    "cauchy": lambda a: _stats().cauchy(loc=a["location"], scale=a["scale"]),
    "half_cauchy": lambda a: _stats().halfcauchy(scale=a["scale"]),
    "logistic": lambda a: _stats().logistic(loc=a["location"], scale=a["scale"]),
    "laplace": lambda a: _stats().laplace(loc=a["location"], scale=_inverse_or(a, "scale", "rate")),
    "weibull": _weibull,
    "pareto": lambda a: _stats().pareto(b=a["shape"], scale=a["minimum"]),
    "uniform": lambda a: _stats().uniform(loc=a["lower"], scale=a["upper"] - a["lower"]),
}
