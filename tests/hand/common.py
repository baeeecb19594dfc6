"""What the hand derivations share: the state, the two kinds of answer, generic random values.

A state is ``values[name][index]``: indices are 1-based as in the language (``z[0]`` has key ``(0,)``), scalars are
keyed by ``()``, vectors and matrices are arrays at their plate index. Sizes, group columns, data and hyperparameters
are in it too. Random values are generic points of the supports, not draws from a prior: an identity between
functions is tested best where nothing is near a special value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

Index = tuple[int, ...]
Value = float | np.ndarray
State = dict[str, dict[Index, Value]]
Sizes = Mapping[str, int | tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Hand:
    """A conditional in a known family.

    normal(mean, var), mvnormal(mean, cov), inverse_gamma(shape, scale), gamma(shape, rate), wishart(df, scale),
    inverse_wishart(df, scale), beta(a, b), dirichlet(alpha); a truncated member adds lower and upper.
    """

    family: str
    parameters: dict[str, Value]


@dataclass(frozen=True, slots=True)
class Kernel:
    """A conditional in no known family: its log density up to a constant, -inf off the support."""

    log_kernel: Callable[[Value], float]


Conditional = Callable[[State, Index], Hand | Kernel]


# --- reading a state ------------------------------------------------------------------------------------------------


def scalar(state: State, name: str) -> float:
    """The value of a node, size or constant without an index."""
    return state[name][()]


def plate(size: int) -> list[Index]:
    """The indices 1..size."""
    return [(i,) for i in range(1, int(size) + 1)]


def ragged(lengths: Iterable[int]) -> list[Index]:
    """The indices (i, j), j = 1..lengths[i]; a length may be 0."""
    return [(i, j) for i, length in enumerate(lengths, 1) for j in range(1, int(length) + 1)]


def cells(state: State, lengths: str = "J") -> list[Index]:
    """All (i, j) of a state."""
    return [(i, j) for (i,) in state[lengths] for j in range(1, int(state[lengths][(i,)]) + 1)]


def rows_of(state: State, i: int) -> list[Index]:
    """The (i, j) of one individual; empty where J[i] = 0."""
    return [(i, j) for j in range(1, int(state["J"][(i,)]) + 1)]


def members(state: State, column: str, label: int) -> list[Index]:
    """The rows whose group column holds the label; may be empty."""
    return [k for k, value in state[column].items() if int(value) == label]


def column(state: State, name: str, indices: Iterable[Index] | None = None) -> np.ndarray:
    """The values of a node at the indices (all, if none are given), stacked in their order; shape (len, ...)."""
    chosen = list(state[name]) if indices is None else list(indices)
    if not chosen and state[name]:
        return np.zeros((0, *np.shape(next(iter(state[name].values())))))
    return np.array([state[name][index] for index in chosen], dtype=float)


# --- writing a state ------------------------------------------------------------------------------------------------


def size_state(sizes: Sizes) -> State:
    """Sizes as state entries: an int is a scalar, a tuple is indexed from 1."""
    return {
        name: {(i,): v for i, v in enumerate(size, 1)} if isinstance(size, tuple) else {(): size}
        for name, size in sizes.items()
    }


def reals(rng: np.random.Generator, indices: Iterable[Index]) -> dict[Index, Value]:
    """A real number at each index."""
    return {index: float(rng.normal(0.3, 1.2)) for index in indices}


def positives(rng: np.random.Generator, indices: Iterable[Index]) -> dict[Index, Value]:
    """A positive number at each index."""
    return {index: float(np.exp(rng.normal(0.1, 0.5))) for index in indices}


def vectors(rng: np.random.Generator, indices: Iterable[Index], p: int) -> dict[Index, Value]:
    """A real vector, shape (p,), at each index."""
    return {index: rng.normal(0.3, 1.0, size=p) for index in indices}


def counts(rng: np.random.Generator, indices: Iterable[Index], mean: float = 2.0) -> dict[Index, Value]:
    """A count at each index, zeros among them."""
    return {index: float(rng.poisson(mean)) for index in indices}


def real_scalars(rng: np.random.Generator, names: str) -> State:
    """Real numbers for the names in a space-separated list."""
    return {name: reals(rng, [()]) for name in names.split()}


def positive_scalars(rng: np.random.Generator, names: str) -> State:
    """Positive numbers for the names in a space-separated list."""
    return {name: positives(rng, [()]) for name in names.split()}


def constant(value: Value) -> dict[Index, Value]:
    """One value without an index."""
    return {(): value}


def spd(rng: np.random.Generator, p: int) -> np.ndarray:
    """A symmetric positive definite matrix, shape (p, p), well conditioned."""
    root = rng.normal(size=(p, p + 2))
    return root @ root.T / (p + 2) + 0.3 * np.eye(p)


def correlation(rng: np.random.Generator, p: int) -> np.ndarray:
    """A correlation matrix, shape (p, p)."""
    matrix = spd(rng, p)
    scale = np.sqrt(np.diag(matrix))
    result = matrix / np.outer(scale, scale)
    np.fill_diagonal(result, 1.0)
    return result


def exchangeable_rho(rng: np.random.Generator, p: int) -> float:
    """A correlation in (-1/max(p-1, 1), 1), where the exchangeable matrix is positive definite."""
    low = -1.0 / max(p - 1, 1)
    return float(low + (1.0 - low) * rng.uniform(0.05, 0.95))


def replaced(state: State, name: str, index: Index, value: Value) -> State:
    """The state with one element set to another value; the state given is left as it was."""
    return {**state, name: {**state[name], index: value}}


def edited(text: str, *changes: tuple[str, str]) -> str:
    """The model text with each (old, new) applied; a fragment that is not there is an error, never a silent no-op."""
    for old, new in changes:
        if old not in text:
            raise ValueError(f"{old!r} is not in the model text")
        text = text.replace(old, new)
    return text
