"""The hand-derived models, found by their MODEL text, and the cases (model, sizes, node) that the tests run over."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType

import numpy as np

from .common import Index, State


@dataclass(frozen=True, slots=True)
class Case:
    """One node of one model at one of the module's size sets (by position)."""

    module: str
    sizes: int
    node: str

    def __str__(self) -> str:
        return f"{self.module}-{self.sizes}-{self.node}"


def load(name: str) -> ModuleType:
    """The module of a model, by its file name."""
    return importlib.import_module(f".{name}", __package__)


def _model_names() -> tuple[str, ...]:
    files = sorted(Path(__file__).parent.glob("*.py"))
    names = [file.stem for file in files if not file.stem.startswith(("test_", "__"))]
    return tuple(name for name in names if hasattr(load(name), "MODEL"))


@lru_cache(maxsize=512)
def state_of(case: Case, seed: int) -> State:
    """A generic state of the case's model and sizes; never change it in place."""
    module = load(case.module)
    return module.random_state(np.random.default_rng([seed, case.sizes]), module.SIZES[case.sizes])


def elements(state: State, node: str) -> list[Index]:
    """All indices of a node in a state."""
    return list(state[node])


MODELS = _model_names()
CASES = tuple(
    Case(name, position, node)
    for name in MODELS
    for position in range(len(load(name).SIZES))
    for node in load(name).CONDITIONALS
)
