"""Improper posteriors are told where they can be, and proper ones are left alone."""

from __future__ import annotations

import numpy as np
import pytest

import deriver
from deriver.errors import DataError
from deriver.running.propriety import improper_nodes
from deriver.running.results import Result

LINE = """
model line

plates
  k = 1..N

given
  x[k]

data
  y[k] ~ Normal(b[1] + b[2] * x[k], sd=sigma)

parameters
  b ~ Flat(dim=2)
  sigma ~ HalfNormal(sd=2)
"""
GROUPS = """
model groups

plates
  k = 1..N
  j = 1..J

given
  g : k -> j

data
  y[k] ~ Normal(u[g[k]], var=1)

process
  u[j] ~ Normal(mu, sd=tau)

parameters
  mu ~ Normal(0, sd=10)
  tau ~ {prior}
"""
COIN = """
model coin

plates
  k = 1..N

data
  y[k] ~ Bernoulli(logit=a)

parameters
  a ~ Flat()
"""


def run(text: str, data: dict) -> Result:
    return deriver.run(
        deriver.parse_model(text),
        data,
        chains=2,
        warmup=100,
        draws=100,
        seed=1,
        backend="numpy",
        progress=False,
    )


def grouped(groups: int) -> dict:
    labels = np.arange(12) % groups + 1
    return {"N": 12, "J": groups, "g": labels, "y": labels + np.sin(np.arange(12))}


def test_a_flat_prior_that_the_data_do_not_make_up_for_is_an_error() -> None:
    with pytest.raises(
        DataError, match="no density: b has no proper prior, and the data do not make up for it"
    ):
        run(LINE, {"N": 1, "x": [1.0], "y": [2.0]})


def test_a_flat_prior_that_they_do_make_up_for_is_none() -> None:
    assert not [
        w for w in run(LINE, {"N": 4, "x": [1.0, 2, 3, 5], "y": [2.0, 3, 3, 4]}).warnings if "proper" in w
    ]


@pytest.mark.parametrize(("groups", "told"), [(2, True), (3, False)])
def test_a_flat_sd_of_two_groups_is_told(groups: int, told: bool) -> None:
    warnings = run(GROUPS.format(prior="Flat() T(0, inf)"), grouped(groups)).warnings
    assert told == any("tau has a flat prior, and is the sd of 2 u only" in each for each in warnings)


def test_chains_that_drift_are_told() -> None:
    """All outcomes are 1: the likelihood grows to 1 as a does to infinity."""
    assert any(
        "a has no proper prior, and the chains drift" in each
        for each in run(COIN, {"N": 3, "y": [1, 1, 1]}).warnings
    )


@pytest.mark.parametrize(
    ("prior", "found"),
    [
        ("Flat() T(0, inf)", ("tau",)),
        ("Flat() T(0, 9)", ()),
        ("Uniform(0, 9)", ()),
        ("HalfCauchy(scale=1)", ()),
    ],
)
def test_what_is_no_density(prior: str, found: tuple[str, ...]) -> None:
    assert improper_nodes(deriver.parse_model(GROUPS.format(prior=prior))) == found
