"""Holding a node at a value turns it into a given."""

from __future__ import annotations

import pytest

from deriver.errors import UsageError
from deriver.language import parse_model, print_model
from deriver.pipeline import load_model
from deriver.running.fixing import fix_nodes


def test_the_node_becomes_a_given_and_its_prior_goes() -> None:
    model = fix_nodes(load_model("state_space"), {"phi": "1"})
    names = {given.name for given in model.givens}
    assert "phi" in names
    assert not {"m_phi", "v_phi"} & names
    assert {"m0", "v0", "T"} <= names
    assert "phi" not in {node.name for node in model.nodes}


def test_the_changed_model_is_a_model() -> None:
    model = fix_nodes(load_model("wishart"), {"mu": "[1; 2]", "sigma2": "2"})
    again = parse_model(print_model(model))
    assert {node.name for node in again.nodes} == {node.name for node in model.nodes}
    assert {given.name for given in model.givens} - {given.name for given in again.givens} <= {"p"}


@pytest.mark.parametrize("fixed", [{"y": 1}, {"phi": 1}, {"Sigma": 1}, {"mu": "(1"}])
def test_what_cannot_be_fixed(fixed: dict) -> None:
    with pytest.raises(UsageError):
        fix_nodes(load_model("wishart"), fixed)
