"""Published models: each is stated, derived and emitted; its nodes are drawn as the suites' codes say; posteriors agree."""

from __future__ import annotations

import json
import math
from functools import cache

import numpy as np
import pytest

from deriver.derivation.conditionals import derive
from deriver.language import parse_model
from deriver.pipeline import emit
from tests.suites.catalogue import (
    EXACT,
    FOLDER,
    derivation_of,
    example_names,
    is_exact,
    read_example,
    read_model,
)
from tests.suites.compare import agrees, judge, methods_of, run_example

NAMES = example_names()
MODELS = sorted({read_example(name).model for name in NAMES})
QUICK = [name for name in NAMES if read_example(name).quick]
# Exact by the suite's code, and drawn by a Metropolis step here: the reason.
WEAKER: dict[tuple[str, str], str] = {}
# Models that are stated and derived, and whose sampler is refused: the construct.
NOT_EMITTED: dict[str, str] = {}
CONJUGACY = json.loads((FOLDER / "conjugacy.json").read_text(encoding="utf-8"))
CONDITIONALS = json.loads((FOLDER / "conditionals.json").read_text(encoding="utf-8"))


def test_all_are_there() -> None:
    suites = [read_example(name).suite for name in NAMES]
    assert (suites.count("BUGS"), suites.count("posteriordb")) == (36, 22)


@pytest.mark.parametrize("model", [model for model in MODELS if model not in NOT_EMITTED])
def test_a_sampler_is_emitted(model: str) -> None:
    """With the moves that a run tries."""
    source = emit(read_model(model), blocks="auto")
    compile(source, f"{model}.py", "exec")
    assert "def sample(" in source


@pytest.mark.parametrize("name", NAMES)
def test_every_node_is_drawn_as_the_code_says(name: str) -> None:
    example = read_example(name)
    derivation, methods = derivation_of(example.model), methods_of(example)
    for node, code in example.codes.items():
        if code in EXACT and (name, node) not in WEAKER:
            assert is_exact(derivation, node), node
        if code == "D":
            assert methods[node] == "enumerate", node
    missed = {node for (owner, node) in WEAKER if owner == name}
    assert not any(is_exact(derivation, node) for node in missed)


@pytest.mark.parametrize("name", QUICK)
def test_the_posterior_is_the_reference(name: str) -> None:
    example = read_example(name)
    outcome = judge(example, run_example(example, draws=500, seed=3))
    assert outcome.enough, "too few effective draws"
    assert agrees(outcome), outcome.where


def test_a_wrong_reference_is_seen() -> None:
    example = read_example("line")
    expected = {name: dict(reference) for name, reference in example.expected.items()}
    expected["alpha"]["mean"] += 0.05  # a twelfth of a posterior sd
    result = run_example(example, draws=2000, seed=3)
    from dataclasses import replace

    assert not agrees(judge(replace(example, expected=expected), result))


# --- conjugacy ----------------------------------------------------------------------------------------------


@cache
def _derived(text: str):
    return derive(parse_model(text))


@pytest.mark.parametrize("case", CONJUGACY, ids=lambda case: case["id"])
def test_conjugacy_is_seen_where_it_is_and_nowhere_else(case: dict) -> None:
    derivation = _derived(case["model"])
    for node, family in case["expected"].items():
        conditional = derivation.node(node)
        found = conditional.family if conditional.method == "gibbs" else "mh"
        assert found == family, node
        assert (conditional.truncation is not None) == (node in case.get("truncated", [])), node


# --- conditionals as numbers --------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CONDITIONALS, ids=lambda case: case["model"])
def test_full_conditionals_are_the_known_numbers(case: dict) -> None:
    state = {name: _cells(value) for name, value in case["state"].items()}
    derivation = derivation_of(case["model"]) if "text" not in case else _derived(case["text"])
    for known in case["full_conditionals"]:
        index = tuple(known["index"])
        node = derivation.node(known["node"])
        if "values" in known:
            heights = [node.log_kernel_at(state, index, point) for point, _ in known["values"]]
            levels = np.array(heights) - [height for _, height in known["values"]]
            np.testing.assert_allclose(levels, levels[0], atol=1e-6)
            continue
        _, parameters = node.at(state, index)
        found = parameters | ({"sd": math.sqrt(parameters["var"])} if "var" in parameters else {})
        for name, value in known["parameters"].items():
            assert found[name] == pytest.approx(value, rel=1e-6, abs=1e-9), (known["node"], name)


def _cells(value: object) -> dict[tuple[int, ...], object]:
    """Return an array as {1-based index: number}; ``vectors`` holds a vector for each element, ``single`` is one."""
    if isinstance(value, dict) and "single" in value:
        return {(): np.array(value["single"])}
    if isinstance(value, dict):
        return {(k,): np.array(row) for k, row in enumerate(value["vectors"], 1)}
    array = np.array(value, dtype=float)
    return {tuple(place + 1 for place in at): float(array[at]) for at in np.ndindex(array.shape)}
