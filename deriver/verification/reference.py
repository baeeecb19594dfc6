"""The exact conditional of one element of a node, as pivots: numbers that are independent and uniform if draws are right.

Stage verification.  A scalar's pivot is its distribution function; a vector normal is whitened, a Wishart matrix taken
apart by Bartlett's decomposition, a Dirichlet vector by its sticks.  A scalar without a family has its log kernel
integrated numerically.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from deriver.derivation.numeric import log_kernel_at, parameters_at, to_canonical
from deriver.derivation.records import Conditional
from deriver.families import family as family_record

# (draws, components...) -> (draws, pivots)
Pivots = Callable[[np.ndarray], np.ndarray]
GRID = 801
DEPTH = 40.0  # log units below the mode at which a kernel is cut


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The conditional of one element at one state: names of its pivots, and how they and exact draws are computed.

    ``draw`` is there for a conditional without a family only.
    """

    names: tuple[str, ...]
    pivots: Pivots
    draw: Callable[[np.random.Generator, int], np.ndarray] | None = None


def make_reference(
    conditional: Conditional, state: Mapping, index: tuple[int, ...], rng: np.random.Generator
) -> Reference | None:
    """Return the reference of one element, or None where there is none: a vector without a family.

    ``rng`` breaks the ties of discrete values.
    """
    if conditional.family is None:
        scalar = not conditional.shape and conditional.support[0] == "real"
        return _by_quadrature(conditional, state, index) if scalar else None
    values = parameters_at(conditional, state, index)
    ends = (values.pop("lower", -np.inf), values.pop("upper", np.inf))
    parameters = to_canonical(conditional.family, values)
    return _by_family(conditional.family, parameters, ends, rng)


def _by_family(
    key: str, parameters: Mapping[str, Any], ends: tuple[float, float], rng: np.random.Generator
) -> Reference | None:
    match key:
        case "mvnormal":
            mean, cov = np.ravel(parameters["mean"]), np.asarray(parameters["cov"])
            return Reference(names=_numbered("component", len(mean)), pivots=lambda x: _whiten(x, mean, cov))
        case "wishart":
            df, scale = float(parameters["df"]), np.asarray(parameters["scale"])
            return Reference(names=_bartlett_names(len(scale)), pivots=lambda x: _bartlett(x, df, scale))
        case "inverse_wishart":
            df, scale = float(parameters["df"]), np.linalg.inv(np.asarray(parameters["scale"]))
            names = _bartlett_names(len(scale))
            return Reference(names=names, pivots=lambda x: _bartlett(np.linalg.inv(x), df, scale))
        case "dirichlet":
            a = np.ravel(parameters["concentration"])
            return Reference(names=_numbered("stick", len(a) - 1), pivots=lambda x: _sticks(x, a))
    record = family_record(key)
    if record.cdf is None or record.shape != "scalar":
        return None
    arguments = [parameters[name] for name in record.parameters]
    whole = record.support.kind == "integer"
    cdf, low, high = record.cdf, *_masses(record.cdf, arguments, ends, whole)

    def pivots(x: np.ndarray) -> np.ndarray:
        at = np.array([cdf(float(value), *arguments) for value in np.ravel(x)])
        if whole:
            below = np.array([cdf(float(value) - 1, *arguments) for value in np.ravel(x)])
            at = below + rng.random(len(at)) * (at - below)
        return ((at - low) / (high - low))[:, None]

    return Reference(names=("value",), pivots=pivots)


def _masses(
    cdf: Callable[..., float], arguments: list[Any], ends: tuple[float, float], whole: bool
) -> tuple[float, float]:
    """Return the distribution function at the two ends of a truncation."""
    lower, upper = ends
    low = 0.0 if lower == -np.inf else cdf(np.ceil(lower) - 1 if whole else lower, *arguments)
    return low, 1.0 if upper == np.inf else cdf(upper, *arguments)


def _numbered(word: str, count: int) -> tuple[str, ...]:
    return tuple(f"{word} {k + 1}" for k in range(count)) if count > 1 else ("value",)


def _whiten(x: np.ndarray, mean: np.ndarray, cov: np.ndarray) -> np.ndarray:
    root = np.linalg.cholesky(cov)
    return special.ndtr(np.linalg.solve(root, (x - mean).T).T)


def _bartlett_names(p: int) -> tuple[str, ...]:
    diagonal = tuple(f"Bartlett diagonal {k + 1}" for k in range(p))
    return diagonal + tuple(f"Bartlett {i + 1},{j + 1}" for i in range(p) for j in range(i))


def _bartlett(x: np.ndarray, df: float, scale: np.ndarray) -> np.ndarray:
    """Return chi-square and normal pivots of the Cholesky factor of L⁻¹xL⁻ᵀ, scale = LLᵀ."""
    root = np.linalg.cholesky(scale)
    half = np.linalg.solve(root, x)
    white = np.linalg.solve(root, np.swapaxes(half, -1, -2))
    factor = np.linalg.cholesky((white + np.swapaxes(white, -1, -2)) / 2)
    p = len(scale)
    squares = np.diagonal(factor, axis1=-2, axis2=-1) ** 2
    diagonal = special.chdtr(df - np.arange(p), squares)
    below = [special.ndtr(factor[:, i, j]) for i in range(p) for j in range(i)]
    return np.concatenate([diagonal, *(values[:, None] for values in below)], axis=1)


def _sticks(x: np.ndarray, a: np.ndarray) -> np.ndarray:
    left = np.cumsum(x[:, ::-1], axis=1)[:, ::-1]
    rest = np.cumsum(a[::-1])[::-1]
    columns = [special.betainc(a[k], rest[k + 1], x[:, k] / left[:, k]) for k in range(len(a) - 1)]
    return np.stack(columns, axis=1)


# --- a scalar without a family ----------------------------------------------------------------------------


def _by_quadrature(conditional: Conditional, state: Mapping, index: tuple[int, ...]) -> Reference:
    """Return the reference of a scalar by integrating its log kernel over a line without bounds."""
    lower, upper = _support_ends(conditional, state, index)

    def log_density(u: np.ndarray) -> np.ndarray:
        x, slope = _from_line(u, lower, upper)
        with np.errstate(all="ignore"):
            kernel = np.array([_kernel(conditional, state, index, value) for value in x.tolist()])
            return np.nan_to_num(kernel + np.log(slope), nan=-np.inf, posinf=-np.inf)

    grid = _find_grid(log_density)
    density = np.exp((logs := log_density(grid)) - logs.max())
    # Simpson's rule on every pair of intervals, with the midpoint the grid's own odd point
    width = grid[1] - grid[0]
    pieces = width / 3 * (density[:-2:2] + 4 * density[1:-1:2] + density[2::2])
    knots = grid[::2]
    cdf = np.concatenate([[0.0], np.cumsum(pieces)]) / pieces.sum()
    increasing = np.concatenate([[True], np.diff(cdf) > 1e-15])
    from scipy.interpolate import PchipInterpolator

    forward = PchipInterpolator(knots, cdf)
    backward = PchipInterpolator(cdf[increasing], knots[increasing])

    def pivots(x: np.ndarray) -> np.ndarray:
        u = _to_line(np.ravel(x), lower, upper)
        return np.clip(forward(np.clip(u, knots[0], knots[-1])), 0.0, 1.0)[:, None]

    def draw(rng: np.random.Generator, count: int) -> np.ndarray:
        return _from_line(backward(rng.uniform(0, 1, count)), lower, upper)[0]

    return Reference(names=("value",), pivots=pivots, draw=draw)


def _kernel(conditional: Conditional, state: Mapping, index: tuple[int, ...], value: float) -> float:
    try:
        return float(log_kernel_at(conditional, state, index, value))
    except (ArithmeticError, ValueError):
        return -np.inf


def _support_ends(conditional: Conditional, state: Mapping, index: tuple[int, ...]) -> tuple[float, float]:
    from deriver.algebra.evaluate import evaluate

    own = dict(zip(conditional.indices, index, strict=True))
    _, lower, upper = conditional.support
    return (
        -np.inf if lower is None else evaluate(lower, state, own),
        np.inf if upper is None else evaluate(upper, state, own),
    )


def _from_line(u: np.ndarray, lower: float, upper: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the values that points of the line stand for, and the slope of that map."""
    if np.isfinite(lower) and np.isfinite(upper):
        share = special.expit(u)
        return lower + (upper - lower) * share, (upper - lower) * share * (1 - share)
    if np.isfinite(lower):
        return lower + np.exp(u), np.exp(u)
    if np.isfinite(upper):
        return upper - np.exp(-u), np.exp(-u)
    return u, np.ones_like(u)


def _to_line(x: np.ndarray, lower: float, upper: float) -> np.ndarray:
    with np.errstate(all="ignore"):
        if np.isfinite(lower) and np.isfinite(upper):
            return np.log(x - lower) - np.log(upper - x)
        if np.isfinite(lower):
            return np.log(x - lower)
        return -np.log(upper - x) if np.isfinite(upper) else x


def _find_grid(log_density: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Return an even grid that covers all but a negligible part of a density on the line."""
    low, high = -60.0, 60.0
    for _ in range(4):
        coarse = np.linspace(low, high, 121)
        logs = log_density(coarse)
        inside = np.flatnonzero(logs > logs.max() - DEPTH)
        low, high = coarse[max(inside[0] - 1, 0)], coarse[min(inside[-1] + 1, 120)]
        if len(inside) > 60:
            break
    return np.linspace(low, high, GRID)
