"""Emitted samplers as modules, and the hand-derived states as their arrays: what several tests share."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from deriver.derive.conditionals import derive
from deriver.derive.records import Derivation
from deriver.emit import emit
from deriver.language import parse_model
from deriver.model.records import Model
from deriver.plan import make_plan

State = Mapping[str, Mapping[tuple[int, ...], Any]]


def load_source(text: str, folder: Path, name: str) -> ModuleType:
    """Import the text of a sampler from a file in the folder."""
    path = folder / f"{name}.py"
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(f"emitted_{name}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def build(text: str, folder: Path, methods: Mapping[str, str] | None = None) -> tuple[Derivation, ModuleType]:
    """Return the derivation of a model text and its sampler as a module."""
    derivation = derive(parse_model(text))
    source = emit(derivation, make_plan(derivation, methods))
    return derivation, load_source(source, folder, derivation.model.name)


def to_array(values: Mapping[tuple[int, ...], Any], ragged: bool) -> np.ndarray:
    """Return the values of a quantity as an array: plate axes, then component axes; rows when ragged."""
    keys = sorted(values)
    if keys == [()]:
        return np.asarray(values[()], dtype=float)
    stacked = np.array([values[key] for key in keys], dtype=float)
    if ragged or not keys:
        return stacked
    lengths = [len({key[place] for key in keys}) for place in range(len(keys[0]))]
    return stacked.reshape(*lengths, *stacked.shape[1:])


def is_ragged(model: Model, indices: tuple[str, ...]) -> bool:
    """Tell whether a quantity of these indices lies in rows."""
    from deriver.model.expressions import references

    names = {name for index in indices for name in indices if name != index}
    plates = [model.plate(index) for index in indices]
    return any(ref.name in names for plate in plates for ref in references(plate.upper))


def to_inputs(model: Model, state: State) -> dict[str, np.ndarray]:
    """Return the arrays that ``prepare`` takes: givens and observed nodes; group columns from 0."""
    inputs: dict[str, np.ndarray] = {}
    for given in model.givens:
        if given.name in state:
            array = to_array(state[given.name], is_ragged(model, given.indices))
            shift = 1 if given.support.kind == "index" else 0
            inputs[given.name] = array - shift
    for node in model.nodes:
        if node.layer == "data" and node.kind == "stochastic":
            inputs[node.name] = to_array(state[node.name], is_ragged(model, node.indices))
    return inputs


def to_state(module: ModuleType, model: Model, states: list[State]) -> Any:
    """Return the sampler's State with one chain per state."""
    fields = {}
    for name in module.State.__dataclass_fields__:
        ragged = is_ragged(model, model.node(name).indices)
        fields[name] = np.stack([to_array(state[name], ragged) for state in states])
    return module.State(**fields)


def element(model: Model, state: State, name: str, array: np.ndarray, index: tuple[int, ...]) -> np.ndarray:
    """Return the element of one chain's array at a 1-based index tuple of the state's keys."""
    keys = sorted(state[name])
    if keys == [()]:
        return array
    ragged = is_ragged(model, model.node(name).indices)
    if ragged:
        return array[keys.index(index)]
    places = [sorted({key[k] for key in keys}).index(index[k]) for k in range(len(index))]
    return array[tuple(places)]
