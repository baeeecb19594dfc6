"""How long a run is predicted to take: a function of the model and its sizes, in the right order."""

from __future__ import annotations

import numpy as np
import pytest

from deriver.language import parse_model
from deriver.pipeline import derive, plan
from deriver.running.effort import draw_one_by_one, predict_seconds
from deriver.running.sampling import Settings

HEAD = "model m\nplates\n  t = 1..T\n"
PLAIN = (
    HEAD + "data\n  y[t] ~ Normal(mu, sd=sigma)\nparameters\n  mu ~ Normal(0, sd=2)\n  sigma ~ Uniform(0, 9)"
)
RECURRING = HEAD + (
    "data\n  y[t] ~ Normal(mu + phi * e[t-1], sd=sigma)\n  e[0] = 0\n  e[t] = y[t] - mu - phi * e[t-1]\n"
    "parameters\n  mu ~ Normal(0, sd=2)\n  phi ~ Uniform(-1, 1)\n  sigma ~ Uniform(0, 9)"
)
LOGIT = HEAD + (
    "given\n  x[t], z[t]\ndata\n  y[t] ~ Bernoulli(logit=b[1] * x[t] + b[2] * z[t])\n"
    "parameters\n  b ~ Flat(dim=2)"
)
COUNT = HEAD + (
    "given\n  w : simplex(K)\ndata\n  y[t] ~ Binomial(size=n, prob=p)\n"
    "parameters\n  n ~ Categorical(w)\n  p ~ Beta(1, 1)"
)


def predict(
    text: str, size: int, *, chains: int = 4, draws: int = 1000, blocks: str = "auto", **sizes
) -> float:
    derivation = derive(parse_model(text))
    names = ("y", "x", "z")
    arrays = {name: np.zeros(size) for name in names} | {"T": np.array(size)}
    arrays |= {name: np.array(value) for name, value in sizes.items()}
    made = plan(derivation, None, blocks)
    return predict_seconds(derivation, made, arrays, Settings(chains=chains, draws=draws))


@pytest.mark.parametrize("text", [PLAIN, RECURRING, LOGIT])
def test_a_prediction_depends_on_the_model_and_its_sizes_alone(text: str) -> None:
    assert predict(text, 300) == predict(text, 300) > 0


@pytest.mark.parametrize("text", [PLAIN, RECURRING, LOGIT])
def test_more_rows_chains_or_draws_take_longer(text: str) -> None:
    small = predict(text, 100)
    assert predict(text, 10_000) > small
    assert predict(text, 100, chains=64) > small
    assert predict(text, 100, draws=3000) == pytest.approx(2 * small, rel=0.3)


def test_a_recursion_is_dearer_than_a_plain_sum_and_grows_with_its_steps() -> None:
    assert predict(RECURRING, 200) > 3 * predict(PLAIN, 200)
    assert predict(RECURRING, 2000) == pytest.approx(10 * predict(RECURRING, 200), rel=0.3)


def test_a_long_regression_is_dear_and_a_short_one_cheap() -> None:
    assert predict(LOGIT, 3000) > 6
    assert predict(LOGIT, 20) < 6


def test_moves_that_are_tried_count() -> None:
    assert predict(LOGIT, 500) > predict(LOGIT, 500, blocks="off")


def test_a_value_that_is_enumerated_counts() -> None:
    assert predict(COUNT, 50, K=400) > 5 * predict(COUNT, 50, K=40)


@pytest.mark.parametrize(("columns", "whole"), [(400, True), (600, False)])
def test_very_many_coupled_elements_are_drawn_one_by_one(columns: int, whole: bool) -> None:
    text = HEAD + (
        "  d = 1..D\ngiven\n  x[t,d]\ndata\n  y[t] ~ Normal(sum(d: x[t,d]*b[d]), sd=1)\n"
        "process\n  b[d] ~ Normal(0, sd=1)"
    )
    derivation = derive(parse_model(text))
    made = plan(derivation, None, "auto")
    assert made.step("b").whole is not None
    left = draw_one_by_one(derivation, made, {"T": np.array(9), "D": np.array(columns)})
    assert (left.step("b").whole is not None) == whole
