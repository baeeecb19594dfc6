"""The examples: a model file, its data, what to compare it with, and how each of its nodes should be drawn."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from deriver.derivation.records import Derivation
from deriver.language import parse_model
from deriver.model.records import Model
from deriver.pipeline import derive

FOLDER = Path(__file__).parent

# What a code says of a node; an exact draw where the code is weaker is no fault.
EXACT = ("C", "CT", "CI", "P")


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One example.

    ``expected`` maps what a run reports to mean and sd, with the Monte Carlo errors (``mcse``, ``sd_mcse``) and the
    rounding of the source where it has them.  ``codes`` maps nodes to C (conjugate), CT (a truncated member), CI
    (exact once a special case is seen), D (finite, enumerated), P (drawn from its prior), M or A/M (neither).
    """

    name: str
    model: str
    suite: str
    data: dict[str, Any]
    values: dict[str, Any]
    derived: tuple[str, ...]
    reference: str
    expected: dict[str, dict[str, float]]
    codes: dict[str, str]
    note: str
    quick: bool


@cache
def read_example(name: str) -> Example:
    """Return the example of that name."""
    record = json.loads((FOLDER / "data" / f"{name}.json").read_text(encoding="utf-8"))
    return Example(name=name, **(record | {"derived": tuple(record["derived"])}))


def example_names() -> tuple[str, ...]:
    """Return the names of all examples, in order."""
    return tuple(sorted(path.stem for path in (FOLDER / "data").glob("*.json")))


@cache
def read_model(name: str) -> Model:
    """Return the model of that name."""
    path = FOLDER / "models" / f"{name}.model"
    return parse_model(path.read_text(encoding="utf-8"), origin=path.name)


@cache
def derivation_of(name: str) -> Derivation:
    """Return the derivation of the model of that name."""
    return derive(read_model(name))


def is_exact(derivation: Derivation, node: str) -> bool:
    """Tell whether a node is drawn from its full conditional without a Metropolis step, enumeration aside."""
    return derivation.node(node).method in ("gibbs", "prior")
