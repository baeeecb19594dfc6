"""The package against the table cases.json: no false conjugacy on the near misses, no missed one on the controls.

A row's node must have the expected outcome, "mh" or a family, or one of the outcomes listed under "also". Where a
family is claimed on a part of its support, the truncation must be in the parameters.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from deriver.derivation.conditionals import derive
from deriver.language import parse_model

FOLDER = Path(__file__).parent
TABLE = json.loads((FOLDER / "cases.json").read_text())
ROWS = [pytest.param(row, id=f"{row['file']}-{row['node']}") for row in TABLE]


@cache
def derivation(file: str):
    return derive(parse_model((FOLDER / file).read_text()))


@pytest.mark.parametrize("row", ROWS)
def test_outcome(row: dict) -> None:
    node = derivation(row["file"]).node(row["node"])
    outcome = "mh" if node.method == "mh" else node.family
    assert outcome in {row["expected"], *row.get("also", ())}, row["why"]


def rows(values: list[float]) -> dict[tuple[int, ...], float]:
    """A column over k = 1, 2, ..."""
    return {(k,): value for k, value in enumerate(values, 1)}


# file, node, index, state, parameters: each from the untruncated conjugate update, derived by hand; K = 3.
TRUNCATED = [
    pytest.param(
        "mean_with_uniform_prior.model",
        "mu",
        (),
        {
            "K": {(): 3},
            "y": rows([0.2, 1.1, 0.5]),
            "mu": {(): 0.4},
            "l": {(): -1.0},
            "w": {(): 3.0},
            "s2": {(): 1.5},
        },
        {"mean": 0.6, "var": 0.5, "lower": -1.0, "upper": 2.0},
        id="mean: ybar and s2/K on (l, l + w)",
    ),
    pytest.param(
        "truncated_population.model",
        "a",
        (1,),
        {
            "n": {(): 1},
            "J": {(1,): 3},
            "y": {(1, 1): 0.2, (1, 2): 1.1, (1, 3): 0.5},
            "a": {(1,): 0.7},
            "mu": {(): -0.5},
            "s2": {(): 1.5},
            "t2": {(): 2.0},
            "m": {(): 0.0},
            "v": {(): 1.0},
        },
        {"mean": (1.2 - 0.25) / 2.5, "var": 1 / 2.5, "lower": 0.0, "upper": np.inf},
        id="population: precision 3/1.5 + 1/2, linear 1.8/1.5 - 0.5/2, on (0, inf)",
    ),
    pytest.param(
        "poisson_rate_gamma_cut.model",
        "theta",
        (),
        {
            "K": {(): 3},
            "y": rows([0, 2, 1]),
            "theta": {(): 0.4},
            "a": {(): 1.5},
            "b": {(): 0.5},
            "c": {(): 2.0},
        },
        {"shape": 4.5, "rate": 3.5, "lower": 0.0, "upper": 2.0},
        id="rate: a + 3 and b + 3 on (0, c)",
    ),
    pytest.param(
        "variance_with_ig_prior_cut.model",
        "s2",
        (),
        {
            "K": {(): 3},
            "y": rows([1.0, 2.0, 0.0]),
            "s2": {(): 0.4},
            "m": {(): 1.0},
            "q": {(): 1.5},
            "r": {(): 0.5},
            "c": {(): 2.0},
        },
        {"shape": 3.0, "scale": 3.0, "lower": 0.0, "upper": 2.0},
        id="variance: q + 3/2 and 1/r + 2/2 on (0, c)",
    ),
    pytest.param(
        "binomial_probability_uniform_half.model",
        "theta",
        (),
        {"K": {(): 3}, "y": rows([0, 2, 1]), "t": rows([2, 2, 4]), "theta": {(): 0.3}},
        {"a": 4.0, "b": 6.0, "lower": 0.0, "upper": 0.5},
        id="probability: 1 + 3 and 1 + 5 on (0, 1/2)",
    ),
]


@pytest.mark.parametrize(("file", "name", "at", "state", "expected"), TRUNCATED)
def test_truncated_member(file: str, name: str, at: tuple[int, ...], state: dict, expected: dict) -> None:
    node = derivation(file).node(name)
    if node.method == "mh":  # a narrower outcome that the table allows, with its reason
        assert node.reason is not None
        return
    _, parameters = node.at(state, at)
    assert set(parameters) == set(expected)
    for parameter, value in expected.items():
        np.testing.assert_allclose(parameters[parameter], value, rtol=1e-8, err_msg=parameter)


def test_the_table_and_the_folder_agree() -> None:
    assert {row["file"] for row in TABLE} == {file.name for file in FOLDER.glob("*.model")}
    assert len({row["file"] for row in TABLE if row["expected"] == "mh"}) >= 36
