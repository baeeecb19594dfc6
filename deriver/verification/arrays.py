"""States of the model language as the arrays that an emitted sampler takes, and back.

Stage verification.  Dense plates have an axis each, a ragged plate shares one with its parents, components come
last; group columns and subsets count from 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np

from deriver.model.records import Given, Model, Node
from deriver.running.layout import Layout
from deriver.running.problems import Problems
from deriver.running.sizes import Sizes

State = Mapping[str, Mapping[tuple[int, ...], Any]]
Arrays = dict[str, np.ndarray]


def is_size(given: Given) -> bool:
    """Tell whether a given may be the size of a plate: declared as one, or a whole number of its own."""
    return given.origin != "given" or (given.support.kind == "integer" and not given.shape)


class ArrayMaker:
    """Turns states into arrays, for one choice of sizes."""

    def __init__(self, model: Model, givens: State) -> None:
        self.model = model
        self._sizes = Sizes(model, Problems())
        for given in model.givens:
            if is_size(given):
                values = [value for _, value in sorted(givens[given.name].items())]
                array = np.array(values if given.indices else values[0], dtype=np.intp)
                self._sizes.record(given.name, array, "the setting")
        declared: tuple[Given | Node, ...] = (*model.givens, *model.nodes)
        self.layouts = {each.name: self._sizes.layout(each) for each in declared}
        self.keys = {name: _keys_of(layout) for name, layout in self.layouts.items()}

    def array(self, name: str, values: Mapping[tuple[int, ...], Any]) -> np.ndarray:
        """Return a quantity as an array; an element that no statement covers is 0 (1 on a diagonal)."""
        layout = self.layouts[name]
        empty = np.eye(layout.shape[0]) if len(layout.shape) == 2 else np.zeros(layout.shape)
        stacked = [np.asarray(values.get(key, empty), dtype=float) for key in self.keys[name]]
        return np.array(stacked, dtype=float).reshape(layout.extents)

    def element(self, name: str, array: np.ndarray, key: tuple[int, ...]) -> np.ndarray:
        """Return one element of an array by its 1-based index tuple."""
        layout = self.layouts[name]
        flat = array.reshape(len(self.keys[name]), *layout.shape)
        return flat[self.keys[name].index(key)]

    def inputs(self, state: State) -> Arrays:
        """Return what the sampler's ``prepare`` takes: the givens and the data."""
        found = {given.name: self._given(given, state) for given in self.model.givens}
        return found | self.data(state)

    def data(self, state: State) -> Arrays:
        """Return the observed nodes as arrays."""
        names = [n.name for n in self.model.nodes if n.is_response]
        return {name: self.array(name, state[name]) for name in names}

    def nodes(self, state: State, names: tuple[str, ...]) -> Arrays:
        """Return the named nodes as arrays."""
        return {name: self.array(name, state[name]) for name in names}

    def _given(self, given: Given, state: State) -> np.ndarray:
        if given.support.kind == "subset":
            lower = self._sizes.lower(given.support.plate or "")
            return np.array(sorted(state[given.name][()]), dtype=np.intp) - lower
        array = self.array(given.name, state[given.name])
        if given.support.kind == "index":
            return (array - self._sizes.lower(given.support.plate or "")).astype(np.intp)
        return array.astype(np.intp) if given.origin != "given" else array


def _keys_of(layout: Layout) -> tuple[tuple[int, ...], ...]:
    """Return the 1-based index tuples of a quantity in the order of its array."""
    found = []
    for rows in product(*(range(block.size) for block in layout.blocks)):
        places: dict[str, int] = {}
        for block, row in zip(layout.blocks, rows, strict=True):
            places |= {index: int(values[row]) for index, values in block.rows.items()}
        found.append(tuple(places[index] for index in layout.indices))
    return tuple(found)
