"""The numbers by which two simulators are compared: scalar quantities of a state, and bounded functions of them.

Stage verification.  Positive nodes are taken on their log scale, matrices by their log diagonals, correlations and
log determinant, nodes with many elements by the first, the last, the mean and the spread.  Bounded functions have
moments whatever the prior.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from deriver.derivation.lower import Lowering
from deriver.model.records import Model, Node
from deriver.verification.arrays import ArrayMaker, Arrays, State

LOG_JOINT = "log joint density"
MOST_COMPONENTS = 4

# (chains, elements, components...) -> (chains, elements, coordinates)
Coordinates = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """One scalar of a state: what it is called, the node it is of, and whether that is data."""

    name: str
    node: str
    observed: bool = False


class Quantities:
    """Computes the scalar quantities of states; ``names`` are the nodes that the sampler draws."""

    def __init__(self, model: Model, maker: ArrayMaker, state: State, names: tuple[str, ...]) -> None:
        self._maker = maker
        data = [n.name for n in model.nodes if n.is_response]
        self._parts = []
        found: list[Quantity] = []
        for name in (*names, *data):
            node = model.node(name)
            labels, coordinates = _coordinates(model, node, maker)
            covered = [k for k, key in enumerate(maker.keys[name]) if key in state[name]]
            if not covered:
                continue
            keys = [maker.keys[name][k] for k in covered]
            found += [
                Quantity(name=text, node=name, observed=name in data) for text in _name(name, labels, keys)
            ]
            self._parts.append((name, np.array(covered), coordinates))
        found.append(Quantity(name=LOG_JOINT, node=""))
        self.all = tuple(found)

    def evaluate(self, nodes: Arrays, data: Arrays, log_joint: np.ndarray) -> np.ndarray:
        """Return the quantities, shape (chains, quantities).

        ``nodes`` have a chain axis, ``data`` have none; ``log_joint`` has shape (chains,).
        """
        chains, columns = len(log_joint), []
        for name, covered, coordinates in self._parts:
            array = nodes[name] if name in nodes else data[name][None]
            layout = self._maker.layouts[name]
            flat = np.asarray(array, dtype=float).reshape(
                len(array), len(self._maker.keys[name]), *layout.shape
            )
            with np.errstate(all="ignore"):
                values = coordinates(flat[:, covered])
            columns.append(np.broadcast_to(_summarise(values), (chains, _width(values))))
        return np.concatenate([*columns, log_joint[:, None]], axis=1)


def _width(values: np.ndarray) -> int:
    return values.shape[2] * (1 if values.shape[1] == 1 else 4)


def _summarise(values: np.ndarray) -> np.ndarray:
    """Return first, last, mean and log spread over the elements of (chains, elements, coordinates)."""
    if values.shape[1] == 1:
        return values[:, 0]
    spread = np.log(np.mean((values - values.mean(axis=1, keepdims=True)) ** 2, axis=1) + 1e-300)
    return np.concatenate([values[:, 0], values[:, -1], values.mean(axis=1), spread], axis=1)


def _name(name: str, labels: list[str], keys: list[tuple[int, ...]]) -> list[str]:
    """Return the names of the quantities of one node, in the order of ``_summarise``."""
    if len(keys) == 1:
        element = name + (f"[{','.join(map(str, keys[0]))}]" if keys[0] else "")
        return [_fill(label, element) for label in labels]
    ends = [f"{name}[{','.join(map(str, key))}]" for key in (keys[0], keys[-1])]
    found = [_fill(label, end) for end in ends for label in labels]
    found += [f"mean of {_fill(label, name)}" for label in labels]
    return found + [f"spread of {_fill(label, name)}" for label in labels]


def _fill(label: str, element: str) -> str:
    """Return a label with the element in it: ``beta[1,2]`` for component 2 of ``beta[1]``."""
    return label.replace("*", element).replace("][", ",")


def _coordinates(model: Model, node: Node, maker: ArrayMaker) -> tuple[list[str], Coordinates]:
    """Return labels (``*`` stands for the element) and the function that computes the coordinates."""
    shape = maker.layouts[node.name].shape
    match node.support.kind:
        case "spd":
            return _matrix_labels(shape[0], diagonal=True), _of_covariance
        case "correlation":
            return _matrix_labels(shape[0], diagonal=False), _off_diagonal
        case "simplex":
            labels = [f"log *[{k + 1}]" for k in range(min(shape[0], MOST_COMPONENTS))]
            return labels, lambda v: np.log(v[..., :MOST_COMPONENTS])
    lower = _constant_bound(model, node)
    labels = [f"*[{k + 1}]" for k in range(min(shape[0], MOST_COMPONENTS))] if shape else ["*"]
    if lower is None:
        return labels, _components
    start = float(lower)
    sign = f" - {start:g}" if start > 0 else (f" + {-start:g}" if start < 0 else "")
    words = [f"log({label}{sign})" if sign else f"log {label}" for label in labels]
    return words, lambda v: np.log(_components(v) - start)


def _constant_bound(model: Model, node: Node) -> float | None:
    """Return the lower end of a half-line (b, inf) where it is a number."""
    kind, lower, upper = Lowering(model).support(node.support)
    if kind != "real" or lower is None or upper is not None or not lower.is_number:
        return None
    return float(lower)


def _components(values: np.ndarray) -> np.ndarray:
    return values[..., :MOST_COMPONENTS] if values.ndim > 2 else values[..., None]


def _pairs(p: int) -> list[tuple[int, int]]:
    return list(combinations(range(p), 2))[:MOST_COMPONENTS]


def _matrix_labels(p: int, *, diagonal: bool) -> list[str]:
    correlations = [f"correlation {i + 1},{j + 1} of *" for i, j in _pairs(p)]
    if not diagonal:
        return correlations
    logs = [f"log *[{k + 1},{k + 1}]" for k in range(min(p, MOST_COMPONENTS))]
    return [*logs, *correlations, "log det(*)"]


def _off_diagonal(values: np.ndarray) -> np.ndarray:
    return np.stack([values[..., i, j] for i, j in _pairs(values.shape[-1])], axis=-1)


def _of_covariance(values: np.ndarray) -> np.ndarray:
    variances = np.diagonal(values, axis1=-2, axis2=-1)
    parts = [np.log(variances[..., :MOST_COMPONENTS])]
    if values.shape[-1] > 1:
        scales = np.sqrt(variances)
        parts.append(_off_diagonal(values / scales[..., :, None] / scales[..., None, :]))
    return np.concatenate([*parts, np.linalg.slogdet(values)[1][..., None]], axis=-1)


# --- bounded functions ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A bounded function of a state: u, u squared, or the product of two u, each u a quantity squeezed to (-1, 1)."""

    name: str
    nodes: frozenset[str]
    first: int
    second: int | None = None


def list_functions(quantities: tuple[Quantity, ...]) -> tuple[Function, ...]:
    """Return every bounded function that is compared, data alone left out."""
    found = []
    for k, quantity in enumerate(quantities):
        if not quantity.observed:
            nodes = frozenset({quantity.node})
            found.append(Function(name=quantity.name, nodes=nodes, first=k))
            found.append(Function(name=f"spread of {quantity.name}", nodes=nodes, first=k, second=k))
    for a, b in combinations(range(len(quantities)), 2):
        one, two = quantities[a], quantities[b]
        if not (one.observed and two.observed):
            name = f"{one.name} with {two.name}"
            found.append(Function(name=name, nodes=frozenset({one.node, two.node}), first=a, second=b))
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scales:
    """Centre and scale of each quantity under the prior, from a pilot simulation."""

    centre: tuple[float, ...]
    scale: tuple[float, ...]

    def squeeze(self, quantities: np.ndarray) -> np.ndarray:
        """Return the quantities (chains, quantities) in (-1, 1)."""
        return np.tanh((quantities - np.array(self.centre)) / np.array(self.scale))


def measure_scales(pilot: np.ndarray) -> Scales:
    """Return the scales of pilot quantities, shape (draws, quantities): medians and half the middle 90 %."""
    low, centre, high = np.quantile(pilot, [0.05, 0.5, 0.95], axis=0)
    scale = np.where(high > low, (high - low) / 2, 1.0)
    return Scales(centre=tuple(centre.tolist()), scale=tuple(scale.tolist()))


def apply_functions(functions: tuple[Function, ...], squeezed: np.ndarray) -> np.ndarray:
    """Return the functions of squeezed quantities (chains, quantities), shape (chains, functions)."""
    first = np.array([f.first for f in functions])
    second = np.array([f.first if f.second is None else f.second for f in functions])
    alone = np.array([f.second is None for f in functions])
    return squeezed[:, first] * np.where(alone, 1.0, squeezed[:, second])
