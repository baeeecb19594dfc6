"""Pointwise log likelihood, posterior predictive draws, and draws of missing responses.

Part of stage run.  Input: a ``Binding`` and ``Draws``.  Output: variables with the axes of chain,
draw and the response.  A missing response has no log likelihood (NaN).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from deriver.model.records import Stochastic
from deriver.running.binding import Binding
from deriver.running.distributions import OWN, Arguments, Frame, make_distribution
from deriver.running.groups import Variable
from deriver.running.quantities import DrawEvaluator
from deriver.running.results import binding_dimensions, label_value
from deriver.running.sampling import Draws
from deriver.running.values import Value, align, shaped

# (distribution, observed, truncation bounds, lengths of (chain, draw, element)) -> values of that frame
Measure = Callable[[Any, np.ndarray, Arguments, Frame], np.ndarray]


def make_log_likelihood(binding: Binding, draws: Draws) -> dict[str, Variable]:
    """Return the log density of each response in each draw."""
    return _for_each_response(binding, draws, _log_density)


def make_predictions(binding: Binding, draws: Draws) -> dict[str, Variable]:
    """Return a new response for each element in each draw; the same for the same seed."""
    rng = np.random.default_rng([draws.seed, 1])
    return _for_each_response(binding, draws, partial(_predict, rng))


def draw_missing(binding: Binding, draws: Draws, among: Sequence[str]) -> dict[str, Variable]:
    """Return draws of the missing values of some responses, ``y_missing`` by the labels of its elements."""
    names = tuple(name for name in among if binding.missing[name] and not binding.model.node(name).partly)
    if not names:
        return {}
    rng = np.random.default_rng([draws.seed, 2])
    drawn = _for_each_response(binding, draws, partial(_predict, rng), names)
    found: dict[str, Variable] = {}
    for name in names:
        found[f"{name}_missing"] = _choose_missing(binding, name, drawn[name])
    return found


def collect_drawn(binding: Binding, draws: Draws) -> dict[str, Variable]:
    """Return the draws of the missing elements of partly observed nodes, labelled as those of other responses are."""
    evaluator = DrawEvaluator(binding, draws.values)
    return {
        f"{node.name}_missing": _choose_missing(
            binding, node.name, label_value(evaluator.node(node.name), node.name, binding)
        )
        for node in binding.model.nodes
        if node.partly and node.name in draws.values and binding.missing.get(node.name)
    }


def _choose_missing(binding: Binding, name: str, drawn: Variable) -> Variable:
    """Return the elements of a response that are missing."""
    gone = np.isnan(binding.arrays[name])
    gone = (gone.any(axis=-1) if binding.model.node(name).shape else gone).ravel()
    plates = len(binding_dimensions(binding, name))
    return _choose_elements(drawn, plates, np.flatnonzero(gone), f"{name}_missing_dim")


def _choose_elements(variable: Variable, plates: int, chosen: np.ndarray, dim: str) -> Variable:
    """Return some elements along one axis in place of the plate axes, each labelled ``i,j``."""
    lead, inner = variable.dims[:2], variable.dims[2 + plates :]
    shape = variable.array.shape
    flat = variable.array.reshape(*shape[:2], -1, *shape[2 + plates :])
    labels = [variable.labels(each) for each in variable.dims[2 : 2 + plates]]
    places = (
        zip(*np.unravel_index(chosen, shape[2 : 2 + plates]), strict=True) if plates else [()] * len(chosen)
    )
    texts = [",".join(str(own[k]) for own, k in zip(labels, place, strict=True)) for place in places]
    coords = {each: variable.coords[each] for each in inner if each in variable.coords}
    return Variable(
        dims=(*lead, dim, *inner), array=flat[:, :, chosen], coords={**coords, dim: np.array(texts)}
    )


def _for_each_response(
    binding: Binding, draws: Draws, measure: Measure, names: tuple[str, ...] | None = None
) -> dict[str, Variable]:
    """Apply ``measure`` to the distribution of each response over the draws, statement by statement."""
    evaluator = DrawEvaluator(binding, draws.values)
    found: dict[str, Variable] = {}
    for node in binding.model.nodes:
        observed = node.is_response or (node.partly and node.layer == "data")
        if not observed or (names is not None and node.name not in names):
            continue
        layout = binding.layouts[node.name]
        total: np.ndarray | None = None
        for statement in binding.model.statements_of(node.name):
            assert isinstance(statement, Stochastic)
            values, positions = _measure_statement(evaluator, binding, statement, measure)
            inner = values.shape[3:]
            if total is None:
                plates = tuple(block.size for block in layout.blocks)
                total = np.full(values.shape[:2] + plates + inner, np.nan)
            where: tuple[Any, ...] = (slice(None), slice(None), *positions)
            total[where] = values if positions else values[:, :, 0]
        assert total is not None
        found[node.name] = label_value(
            shaped(total, ("chain", "draw", *layout.axes), len(inner)), node.name, binding
        )
    return found


def _measure_statement(
    evaluator: DrawEvaluator, binding: Binding, statement: Stochastic, measure: Measure
) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """Return the measure with the axes (chain, draw, element, components), and where the elements stand."""
    values, positions = evaluator.arguments(statement)
    observed = np.asarray(binding.arrays[statement.name])
    observed = observed[positions] if positions else observed[None]
    spread = spread_arguments(values)
    bounds = {name: array for name, array in spread.items() if name.endswith("bound")}
    arguments = {name: array for name, array in spread.items() if name not in bounds}
    drawn = next(each for each in evaluator.env.stored.values() if each.lead == ("chain", "draw"))
    frame = drawn.array.shape[:2] + observed.shape[:1]
    result = measure(make_distribution(statement.family, arguments), observed, bounds, frame)
    return np.broadcast_to(result, frame + result.shape[3:]), positions


def spread_arguments(values: Mapping[str, Value]) -> dict[str, np.ndarray]:
    """Return the arguments with the axes (chain, draw, element), of length one where they do not differ."""
    axes = ("chain", "draw", "element")
    frame = Value(array=np.zeros((1, 1, 1)), axes=axes)
    spread = {name: Value(array=align(frame, v)[1][1], axes=axes, kind=v.kind) for name, v in values.items()}
    return {name: value.plain() for name, value in spread.items()}


def _log_density(distribution: Any, observed: np.ndarray, bounds: Arguments, frame: Frame) -> np.ndarray:
    if isinstance(distribution, OWN):
        return distribution.logpdf(observed)
    density = distribution.logpmf if _is_discrete(distribution) else distribution.logpdf
    if not bounds:
        return np.asarray(density(observed))
    return density(observed) - np.log(_kept(distribution, bounds)[2])


def _predict(
    rng: np.random.Generator, distribution: Any, observed: np.ndarray, bounds: Arguments, frame: Frame
) -> np.ndarray:
    if isinstance(distribution, OWN):
        return distribution.draw(rng, frame)
    if not bounds:
        return distribution.rvs(size=frame, random_state=rng)
    below, above, mass = _kept(distribution, bounds)
    share = rng.random(frame)
    drawn = distribution.ppf(below + share * mass)
    return np.where(below < 0.5, drawn, distribution.isf(above + (1 - share) * mass))


def _is_discrete(distribution: Any) -> bool:
    return hasattr(distribution.dist, "logpmf")


def _kept(distribution: Any, bounds: Arguments) -> tuple[Any, Any, Any]:
    """Return the probabilities below, above and between the ends of a truncation, the last from the tail that keeps its digits."""
    lower, upper = bounds.get("lower bound", -np.inf), bounds.get("upper bound", np.inf)
    lower = np.ceil(lower) - 1 if _is_discrete(distribution) else lower
    below, above = distribution.cdf(lower), distribution.sf(upper)
    mass = np.where(below < 0.5, distribution.cdf(upper) - below, distribution.sf(lower) - above)
    return below, above, mass
