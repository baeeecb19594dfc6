"""Named arrays in groups, as ArviZ's InferenceData lays them out, in records of NumPy arrays alone.

Part of stage run.  A ``Variable`` is an array with named dimensions and labels along them, a ``Group`` holds variables
(posterior, sample_stats, observed_data, ...).  ``to_inference_data`` imports ArviZ and xarray; nothing else here does.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

LEAD = ("chain", "draw")


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """An array, the names of its axes, and the labels of those that have any."""

    dims: tuple[str, ...]
    array: np.ndarray
    coords: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def is_drawn(self) -> bool:
        """Tell whether there is a value for each chain and draw."""
        return self.dims[:2] == LEAD

    def labels(self, dim: str) -> np.ndarray:
        """Return the labels of an axis; numbers from 0 where it has none."""
        found = self.coords.get(dim)
        return np.arange(self.array.shape[self.dims.index(dim)]) if found is None else found


@dataclass(frozen=True, slots=True, kw_only=True)
class Group(Mapping[str, np.ndarray]):
    """Variables by name; an axis of the same name has the same labels in all of them.

    As a mapping it gives their arrays: ``group["beta"]`` is (chains, draws, plate axes, component axes).
    """

    variables: Mapping[str, Variable]
    attributes: Mapping[str, str | int | float] = field(default_factory=dict)

    def __getitem__(self, name: str) -> np.ndarray:
        return self.variables[name].array

    def __iter__(self) -> Iterator[str]:
        return iter(self.variables)

    def __len__(self) -> int:
        return len(self.variables)

    def sizes(self) -> dict[str, int]:
        """Return the length of every axis by name."""
        pairs = [
            (dim, size)
            for each in self.variables.values()
            for dim, size in zip(each.dims, each.array.shape, strict=True)
        ]
        return dict(pairs)

    def coordinates(self) -> dict[str, np.ndarray]:
        """Return the labels of the axes that have any; chains and draws are numbered from 0."""
        found = {dim: np.arange(size) for dim, size in self.sizes().items() if dim in LEAD}
        for each in self.variables.values():
            found |= each.coords
        return found


Groups = Mapping[str, Group]


def make_group(
    variables: Mapping[str, Variable], attributes: Mapping[str, str | int | float] | None = None
) -> Group:
    """Return a group; an axis whose labels differ from those of one of its name before it gets a name of its own.

    A variable that is called like an axis (the dimension p of vectors) is left out: the axis tells its value.
    """
    labels: dict[str, np.ndarray] = {}
    found = {}
    axes = {dim for each in variables.values() for dim in each.dims}
    for name, variable in variables.items():
        if name in axes:
            continue
        kept = _rename_conflicts(name, variable, labels)
        labels |= {dim: kept.labels(dim) for dim in kept.dims}
        found[name] = kept
    return Group(variables=found, attributes=dict(attributes or {}))


def _rename_conflicts(name: str, variable: Variable, labels: Mapping[str, np.ndarray]) -> Variable:
    new = {
        dim: f"{dim}_of_{name}"
        for dim in variable.dims
        if dim in labels and not np.array_equal(labels[dim], variable.labels(dim))
    }
    if not new:
        return variable
    dims = tuple(new.get(dim, dim) for dim in variable.dims)
    return replace(variable, dims=dims, coords={new.get(d, d): c for d, c in variable.coords.items()})


def to_inference_data(groups: Groups) -> Any:
    """Return ArviZ InferenceData of the groups."""
    import arviz

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*is not defined in the InferenceData scheme")
        return arviz.InferenceData(**{name: to_dataset(group) for name, group in groups.items()})


def to_dataset(group: Group) -> Any:
    """Return an xarray Dataset of a group."""
    import xarray

    variables = {name: (each.dims, each.array) for name, each in group.variables.items()}
    return xarray.Dataset(variables, coords=group.coordinates(), attrs=dict(group.attributes))
