"""The sampler of a remedy has the posterior of the model before: against quadrature, at its Monte Carlo error."""

from __future__ import annotations

import numpy as np
import pytest
from why_models import MODELS, first, text_of

from deriver.derivation.conditionals import derive
from deriver.derivation.numeric import log_joint
from deriver.emission import emit
from deriver.language import parse_model
from tests.emitted import load_source

Y = np.array([0.4, -1.3, 2.1, 0.9, -0.2, 6.0])
X = np.array([0.5, -1.0, 2.0, 0.3, -0.4, 1.1])
COUNTS = np.array([3.0, 1.0, 4.0, 2.0, 5.0, 2.0])
INPUTS: dict[str, dict[str, np.ndarray]] = {
    "half_cauchy": {"y": Y, "c": np.array(1.5)},
    "half_t": {"y": Y, "c": np.array(1.5)},
    "student": {"y": Y, "c": np.array(0.7), "v": np.array(4.0)},
    "cauchy_prior": {"y": Y[:3] + 1.0, "c": np.array(0.4)},
    "logit": {"y": np.array([2.0, 1.0, 4.0, 1.0, 2.0, 2.0]), "x": X, "m": COUNTS, "v": np.array(3.0)},
    "probit": {"y": np.array([1.0, 0.0, 1.0, 1.0, 1.0, 1.0]), "x": X, "v": np.array(3.0)},
}
GRIDS = {"s": np.geomspace(0.05, 60, 4001), "mu": np.linspace(-8, 8, 4001), "b": np.linspace(-8, 12, 4001)}


def exact_posterior(name: str) -> tuple[np.ndarray, np.ndarray]:
    """(grid, distribution function) of the node in the model before, from its own log joint density."""
    node, values = MODELS[name][0], INPUTS[name]
    derivation = derive(parse_model(text_of(name)))
    state = {"K": {(): len(values["y"])}}
    for key, array in values.items():
        state[key] = (
            {(): float(array)} if array.ndim == 0 else {(k,): each for k, each in enumerate(array, 1)}
        )
    grid = GRIDS[node]
    logs = np.array(
        [log_joint(derivation.factors, derivation.definitions, {**state, node: {(): v}}) for v in grid]
    )
    weights = np.exp(logs - logs.max())
    areas = np.concatenate([[0.0], np.cumsum((weights[1:] + weights[:-1]) / 2 * np.diff(grid))])
    return grid, areas / areas[-1]


def drawn(name: str, folder) -> np.ndarray:
    """Draws of the node by the sampler of its first remedy, shape (chains, draws)."""
    remedy = first(name)
    module = load_source(emit(remedy.derivation), folder, f"remedy_{name}")
    values = dict(INPUTS[name])
    if remedy.node == "s_sq":
        return np.sqrt(
            module.sample(module.prepare(values), draws=3000, warmup=300, chains=8, seed=11)["s_sq"]
        )
    return module.sample(module.prepare(values), draws=3000, warmup=300, chains=8, seed=11)[remedy.node]


@pytest.mark.parametrize("name", INPUTS)
def test_draws_follow_the_posterior_of_the_model_before(name: str, tmp_path) -> None:
    grid, cdf = exact_posterior(name)
    draws = drawn(name, tmp_path)
    for share in (0.1, 0.3, 0.5, 0.7, 0.9):
        below = (draws < np.interp(share, cdf, grid)).astype(float)
        batches = below.reshape(-1, 300).mean(axis=1)  # 80 batches of 300 draws in a row
        error = batches.std(ddof=1) / np.sqrt(len(batches))
        assert error < 0.03
        assert abs(below.mean() - share) < 4.5 * error


def test_the_comparison_can_fail(tmp_path) -> None:
    """A weight of the wrong rate, still conjugate, is found by its draws."""
    text = first("student").text.replace("rate=2", "rate=8")
    derivation = derive(parse_model(text))
    module = load_source(emit(derivation), tmp_path, "broken")
    draws = module.sample(module.prepare(INPUTS["student"]), draws=3000, warmup=300, chains=8, seed=11)["mu"]
    grid, cdf = exact_posterior("student")
    below = (draws < np.interp(0.9, cdf, grid)).astype(float)
    batches = below.reshape(-1, 300).mean(axis=1)
    assert abs(below.mean() - 0.9) > 4.5 * batches.std(ddof=1) / np.sqrt(len(batches))
