"""Pointwise log likelihood and posterior predictive draws of the responses.

Part of stage run, on request only.  Input: a ``Binding`` and ``Draws``.  Output: xarray datasets with the axes of
chain, draw and the response.  A missing response has no log likelihood (NaN).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from deriver.errors import Mistake, UsageError
from deriver.model.records import Stochastic
from deriver.run.binding import Binding
from deriver.run.quantities import DrawEvaluator
from deriver.run.results import label_value
from deriver.run.sampling import Draws
from deriver.run.values import Value, align, shaped

Arguments = Mapping[str, np.ndarray]


def make_log_likelihood(binding: Binding, draws: Draws) -> Any:
    """Return the log density of each response in each draw."""

    def measure(distribution: Any, observed: np.ndarray, bounds: Arguments) -> np.ndarray:
        density = distribution.logpmf if hasattr(distribution.dist, "logpmf") else distribution.logpdf
        return density(observed) - _log_mass(distribution, bounds)

    return _for_each_response(binding, draws, measure)


def make_predictions(binding: Binding, draws: Draws) -> Any:
    """Return a new response for each element in each draw; the same for the same seed."""
    rng = np.random.default_rng([draws.seed, 1])

    def predict(distribution: Any, observed: np.ndarray, bounds: Arguments) -> np.ndarray:
        shape = np.broadcast_shapes(observed.shape, *(np.shape(a) for a in distribution.kwds.values()))
        if not bounds:
            return distribution.rvs(size=shape, random_state=rng)
        low, high = _ends(distribution, bounds)
        return distribution.ppf(low + rng.random(shape) * (high - low))

    return _for_each_response(binding, draws, predict)


def _log_mass(distribution: Any, bounds: Arguments) -> np.ndarray | float:
    if not bounds:
        return 0.0
    low, high = _ends(distribution, bounds)
    return np.log(high - low)


def _ends(distribution: Any, bounds: Arguments) -> tuple[Any, Any]:
    """Return the probabilities below the two ends of a truncation."""
    lower, upper = bounds.get("lower bound"), bounds.get("upper bound")
    low = 0.0 if lower is None else distribution.cdf(lower - _step(distribution))
    return low, 1.0 if upper is None else distribution.cdf(upper)


def _step(distribution: Any) -> int:
    return 1 if hasattr(distribution.dist, "logpmf") else 0


def _for_each_response(binding: Binding, draws: Draws, measure: Callable[..., np.ndarray]) -> Any:
    import xarray

    evaluator = DrawEvaluator(binding, draws.values)
    found: dict[str, Any] = {}
    for node in binding.model.nodes:
        if node.kind != "stochastic" or node.layer != "data":
            continue
        if node.shape:
            raise _not_scalar(node.name)
        total: np.ndarray | None = None
        for statement in binding.model.statements_of(node.name):
            assert isinstance(statement, Stochastic)
            values, positions = _measure_statement(evaluator, binding, statement, measure)
            if total is None:
                total = np.full(values.shape[:2] + binding.layouts[node.name].extents, np.nan)
            where: tuple[Any, ...] = (slice(None), slice(None), *positions)
            total[where] = values if positions else values[..., 0]
        axes = ("chain", "draw", *binding.layouts[node.name].axes)
        found[node.name] = label_value(shaped(total, axes, 0), node.name, binding)
    return xarray.Dataset(found)


def _not_scalar(name: str) -> UsageError:
    found = f"`{name}` is a vector, and has neither pointwise log likelihood nor predictions here"
    return UsageError([Mistake(code="not-scalar", found=found, remedy="leave the option out")])


def _measure_statement(
    evaluator: DrawEvaluator, binding: Binding, statement: Stochastic, measure: Callable[..., np.ndarray]
) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    values, positions = evaluator.arguments(statement)
    observed = np.asarray(binding.arrays[statement.name])
    observed = observed[positions] if positions else observed[None]
    spread = _spread(values)
    bounds = {name: array for name, array in spread.items() if name.endswith("bound")}
    arguments = {name: array for name, array in spread.items() if name not in bounds}
    distribution = make_distribution(statement.family, arguments)
    chains, draws = next(iter(evaluator.env.stored[n].array.shape[:2] for n in evaluator.env.stored
                              if evaluator.env.stored[n].lead == ("chain", "draw")))  # fmt: skip
    result = measure(distribution, observed, bounds)
    return np.broadcast_to(result, (chains, draws, observed.shape[-1])), positions


def _spread(values: Mapping[str, Value]) -> dict[str, np.ndarray]:
    """Return the arguments with the axes (chain, draw, element), of length one where they do not differ."""
    frame = Value(array=np.zeros((1, 1, 1)), axes=("chain", "draw", "element"))
    return {name: align(frame, value)[1][1] for name, value in values.items()}


def make_distribution(family: str, a: Arguments) -> Any:
    """Return the SciPy distribution of a family with the given keywords as the language names them."""
    from scipy import stats

    match family:
        case "normal":
            return stats.norm(loc=a["mean"], scale=_sd(a))
        case "poisson":
            return stats.poisson(mu=a["rate"] if "rate" in a else np.exp(a["log_rate"]))
        case "binomial":
            return stats.binom(n=a["size"], p=a["prob"])
        case "bernoulli":
            return stats.bernoulli(p=a["prob"] if "prob" in a else 1 / (1 + np.exp(-a["logit"])))
        case "negative_binomial":
            prob = a["prob"] if "prob" in a else a["size"] / (a["size"] + a["mean"])
            return stats.nbinom(n=a["size"], p=prob)
        case "gamma":
            return stats.gamma(a=a["shape"], scale=a["scale"] if "scale" in a else 1 / a["rate"])
        case "inverse_gamma":
            return stats.invgamma(a=a["shape"], scale=a["scale"]) if "scale" in a else stats.invgamma(
                a=a["q"], scale=1 / a["r"]
            )  # fmt: skip
        case "exponential":
            return stats.expon(scale=a["mean"] if "mean" in a else 1 / a["rate"])
        case "beta":
            return stats.beta(a=a["a"], b=a["b"])
        case "student_t":
            return stats.t(df=a["df"], loc=a["mean"], scale=a["scale"])
        case "lognormal":
            return stats.lognorm(s=a.get("sdlog", np.sqrt(a.get("varlog", 1.0))), scale=np.exp(a["meanlog"]))
        case "laplace" | "cauchy" | "logistic":
            return getattr(stats, family)(loc=a["location"], scale=a["scale"])
        case "weibull":
            return stats.weibull_min(c=a["shape"], scale=a["scale"])
        case "uniform":
            return stats.uniform(loc=a["lower"], scale=a["upper"] - a["lower"])
    found = f"the family {family} has neither pointwise log likelihood nor predictions here"
    raise UsageError([Mistake(code="no-density", found=found, remedy="leave the option out")])


def _sd(a: Arguments) -> np.ndarray:
    if "sd" in a:
        return a["sd"]
    return np.sqrt(a["var"]) if "var" in a else 1 / np.sqrt(a["prec"])
