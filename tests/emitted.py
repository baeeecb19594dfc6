"""Emitted samplers as modules, and the hand-derived states as their arrays: what several tests share."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from deriver.derivation.conditionals import derive
from deriver.derivation.records import Derivation
from deriver.emission import emit
from deriver.language import parse_model
from deriver.model.records import Model
from deriver.plan import make_plan

# The parameters of a family in the order in which the generator takes them.
ORDER = {
    "normal": ("precision", "linear"),
    "mvnormal": ("precision", "linear"),
    "inverse_gamma": ("shape", "scale"),
    "sqrt_inverse_gamma": ("shape", "scale"),
    "gamma": ("shape", "rate"),
    "wishart": ("df", "inverse_scale"),
    "inverse_wishart": ("df", "scale"),
    "beta": ("a", "b"),
    "dirichlet": ("concentration",),
}
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


WALKS = ("random_walk", "vector_walk", "slice_sample", "integer_walk")


class Scale:
    """Steps that stand in for the tuned ones of a vector walk."""

    def root(self) -> np.ndarray:
        """Return a root that no one reads."""
        return np.zeros(1)


def through(module: ModuleType, node: str, arrays: Any, data: Any, move: Any) -> tuple[Any, Any, Any]:
    """Run ``update_<node>`` with its walk replaced by ``move(u)``: return the node, the log target, and u."""
    seen: dict[str, Any] = {}
    helper = next(name for name in WALKS if _calls(module, node, name))
    original = getattr(module, helper)

    def stand_in(rng: Any, value: np.ndarray, log_target: Any, *rest: Any, **options: Any) -> Any:
        if "u" not in seen:
            seen.update(u=value, target=log_target)
            value = move(value)
        return (
            value
            if helper == "slice_sample"
            else (value, np.zeros(value.shape[: np.ndim(log_target(value))]))
        )

    setattr(module, helper, stand_in)
    try:
        update = getattr(module, f"update_{node}")
        given = [None, arrays, data] + ([Scale()] if update.__code__.co_argcount == 4 else [])
        result = update(*given)
    finally:
        setattr(module, helper, original)
    return (result[0] if isinstance(result, tuple) else result), seen["target"], seen["u"]


def _calls(module: ModuleType, node: str, helper: str) -> bool:
    return helper in getattr(module, f"update_{node}").__code__.co_names and hasattr(module, helper)


def check_walk(module: ModuleType, node: str, arrays: Any, data: Any, rng: np.random.Generator) -> None:
    """Assert that the log target is the log joint in u, Jacobian counted, when one element moves.

    The Jacobian is taken by central differences of the map from u to the node, in its free entries.
    """
    value, target, u = through(module, node, arrays, data, lambda point: point)
    np.testing.assert_allclose(value, getattr(arrays, node), rtol=1e-8, atol=1e-10)
    shape = np.shape(target(u))
    first = (slice(None), *(0,) * (len(shape) - 1))
    free = int(np.prod(u.shape[len(shape) :]))
    if free == 0:
        return
    there = u.copy()
    there[first] += 0.3 * rng.standard_normal(there[first].shape)
    totals = [_in_coordinate(module, node, arrays, data, point, first, free) for point in (there, u)]
    got = target(there)[first] - target(u)[first]
    np.testing.assert_allclose(got, totals[0] - totals[1], rtol=1e-5, atol=1e-5)


def _in_coordinate(
    module: ModuleType, node: str, arrays: Any, data: Any, u: np.ndarray, first: tuple, free: int
) -> np.ndarray:
    """Return log joint + log |d node / d u| at u, for the element ``first``."""

    def node_at(point: np.ndarray) -> np.ndarray:
        return through(module, node, arrays, data, lambda _: point)[0]

    h, columns = 1e-5, []
    for k in range(free):
        ends = []
        for sign in (1, -1):
            point = u.copy()
            own = point[first].reshape(len(u), free)
            own[:, k] += sign * h
            point[first] = own.reshape(point[first].shape)
            ends.append(_free_entries(node_at(point)[first], free))
        columns.append((ends[0] - ends[1]) / (2 * h))
    jacobian = np.stack(columns, axis=-1)
    moved = replace(arrays, **{node: node_at(u)})
    return module.log_joint(moved, data) + np.linalg.slogdet(jacobian)[1]


def _free_entries(value: np.ndarray, free: int) -> np.ndarray:
    """Return as many independent entries of an element as there are coordinates: (chains, free)."""
    if value.ndim == 3:
        p = value.shape[-1]
        rows, columns = np.tril_indices(p, 0 if free == p * (p + 1) // 2 else -1)
        return value[:, rows, columns]
    return value.reshape(len(value), -1)[:, :free]


def drawn_from(module: ModuleType, conditional: Any, arrays: Any, data: Any) -> list[Any]:
    """Return the parameters that ``draw_<node>`` hands to the generator, the shape last.

    A chain drawn whole hands over the coupling to the element before, a dense draw that to every other one; the linear
    terms returned count the others.
    """
    seen: list[Any] = []
    here = getattr(arrays, conditional.node)

    def capture(rng: Any, *arguments: Any) -> np.ndarray:
        seen[:] = arguments  # a coupled node may be drawn in several sets; it stays as it is here
        return here

    def capture_chain(rng: Any, precision: Any, linear: Any, coupling: Any, size: Any) -> np.ndarray:
        flat = [np.broadcast_to(part, size).reshape(-1) for part in (linear, coupling, here)]
        own, before, value = flat
        whole = own + before * np.roll(value, 1) + np.roll(before, -1) * np.roll(value, -1)
        seen[:] = [np.broadcast_to(precision, size), whole.reshape(size), size]
        return here

    def capture_coupled(rng: Any, precision: Any, linear: Any, coupling: Any, size: Any) -> np.ndarray:
        beside = np.broadcast_to(coupling, (*size, size[-1])) * (1 - np.eye(size[-1]))
        whole = np.broadcast_to(linear, size) + np.einsum("...pq,...q->...p", beside, here)
        seen[:] = [np.broadcast_to(precision, size), whole, size]
        return here

    draw = getattr(module, f"draw_{conditional.node}")
    kind = "random_truncated_" if conditional.truncation else "random_"
    captures = {"random_chain": capture_chain, "random_coupled": capture_coupled}
    whole = next((name for name in captures if name in draw.__code__.co_names), None)
    name = whole or kind + conditional.family
    original = getattr(module, name)
    setattr(module, name, captures.get(name, capture))
    try:
        draw(None, arrays, data)
    finally:
        setattr(module, name, original)
    return seen
