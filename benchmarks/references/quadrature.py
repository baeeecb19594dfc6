"""Posterior moments by the trapezoidal rule on a grid that the Laplace approximation places.

Input: an unnormalised log density on R^d. Output: means and standard deviations of functions of it.
On a smooth density that vanishes at the edges of the grid the trapezoidal rule converges faster than
any power of the step (Trefethen & Weideman 2014, SIAM Review 56, 385-458), so two steps that agree
to many digits bound the error. `integrate_checked` demands that agreement, a negligible mass at the
edges of the grid, and no second mode far outside it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from report import Estimate, require

LogDensity = Callable[[np.ndarray], np.ndarray]
"""Maps points (N, d) to log densities (N)."""

Moments = dict[str, tuple[np.ndarray, np.ndarray | float]]
"""For each parameter its mean (N) and variance (N, or 0) given each of N points."""

CHUNK = 200_000
NEGLIGIBLE = 45.0  # log ratio to the mode below which a point is left out


@dataclass(frozen=True, slots=True)
class Frame:
    """Centre (d) and scale (d, d) of a grid: point = centre + scale @ z."""

    centre: np.ndarray
    scale: np.ndarray


def find_mode(log_density: LogDensity, start: np.ndarray) -> np.ndarray:
    """The mode (d) by repeated Nelder-Mead."""
    point = np.asarray(start, dtype=float)
    options = {"xatol": 1e-7, "fatol": 1e-9, "maxiter": 20_000, "maxfev": 20_000}
    for _ in range(3):
        result = minimize(
            lambda theta: -log_density(theta[None, :])[0],
            point,
            method="Nelder-Mead",
            options=options,
        )
        point = result.x
    return point


def differentiate_twice(log_density: LogDensity, point: np.ndarray, step: float = 1e-3) -> np.ndarray:
    """The Hessian (d, d) of the log density, by central differences."""
    d = len(point)
    shifts = step * np.eye(d)
    corners = [
        point + si * shifts[i] + sj * shifts[j]
        for i in range(d)
        for j in range(d)
        for si in (1, -1)
        for sj in (1, -1)
    ]
    signs = np.array([1, -1, -1, 1])
    values = log_density(np.array(corners)).reshape(d, d, 4)
    return (values * signs).sum(axis=2) / (4 * step**2)


def laplace_frame(log_density: LogDensity, start: np.ndarray) -> Frame:
    """The frame of the Laplace approximation: the mode, and a root of the inverse curvature."""
    mode = find_mode(log_density, start)
    covariance = np.linalg.inv(-differentiate_twice(log_density, mode))
    return Frame(mode, np.linalg.cholesky(covariance))


def grid_chunks(axis: np.ndarray, dimension: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The points (N, d) of the product grid in pieces, and whether each is on its boundary (N)."""
    size = len(axis)
    for first in range(0, size**dimension, CHUNK):
        flat = np.arange(first, min(first + CHUNK, size**dimension))
        index = np.stack(np.unravel_index(flat, (size,) * dimension), axis=1)
        yield axis[index], ((index == 0) | (index == size - 1)).any(axis=1)


def integrate(
    log_density: LogDensity,
    moments: Callable[[np.ndarray], Moments],
    frame: Frame,
    half_width: float,
    step: float,
) -> tuple[dict[str, Estimate], float]:
    """Means and standard deviations, and the share of mass on the boundary of the grid."""
    steps = int(np.ceil(half_width / step))
    axis = step * np.arange(-steps, steps + 1)
    reference = log_density(frame.centre[None, :])[0]
    origin = {k: v[0][0] for k, v in moments(frame.centre[None, :]).items()}
    total = edge = 0.0
    sums = {name: np.zeros(2) for name in origin}
    for z, boundary in grid_chunks(axis, len(frame.centre)):
        points = frame.centre + z @ frame.scale.T
        log_weight = log_density(points) - reference
        keep = log_weight > -NEGLIGIBLE
        weight = np.exp(log_weight[keep])
        total += weight.sum()
        edge += weight[boundary[keep]].sum()
        if keep.any():
            for name, (mean, variance) in moments(points[keep]).items():
                shifted = mean - origin[name]
                second = shifted**2 + variance
                sums[name] += (weight @ shifted, weight @ second)
    estimates = {}
    for name, (first, second) in sums.items():
        shift = first / total
        sd = float(np.sqrt(second / total - shift**2))
        estimates[name] = Estimate(mean=float(origin[name] + shift), sd=sd)
    return estimates, float(edge / total)


def mass_outside(log_density: LogDensity, frame: Frame, half_width: float, reach: float, size: int) -> float:
    """A rough share of the mass of a wide box (centre +- reach) that the grid of `frame` leaves out."""
    inverse = np.linalg.inv(frame.scale)
    reference = log_density(frame.centre[None, :])[0]
    outside = 0.0
    for offset, _ in grid_chunks(np.linspace(-reach, reach, size), len(frame.centre)):
        beyond = (np.abs(offset @ inverse.T) > half_width).any(axis=1)
        points = frame.centre + offset[beyond]
        outside += np.exp(log_density(points) - reference).sum()
    cell = (2 * reach / (size - 1)) ** len(frame.centre)
    inside = (2 * np.pi) ** (len(frame.centre) / 2) * abs(np.linalg.det(frame.scale))
    return float(outside * cell / inside)


def largest_difference(one: dict[str, Estimate], other: dict[str, Estimate]) -> float:
    """The largest difference of means or standard deviations, in standard deviations."""
    return max(
        max(abs(a.mean - b.mean), abs(a.sd - b.sd)) / b.sd
        for a, b in ((one[name], other[name]) for name in one)
    )


def integrate_checked(
    log_density: LogDensity,
    moments: Callable[[np.ndarray], Moments],
    start: np.ndarray,
    half_width: float = 10.0,
    step: float = 0.5,
    tolerance: float = 1e-6,
) -> dict[str, Estimate]:
    """Posterior moments, after the three checks named at the top of this file.

    `log_density` maps (N, d) to (N); `moments` maps the same points to the mean and variance of each
    parameter given the point; `start` (d) need only be in the region of the mode. `tolerance` is the
    largest difference allowed between the two grids, in posterior standard deviations.
    """
    frame = laplace_frame(log_density, start)
    fine, edge = integrate(log_density, moments, frame, half_width, step)
    coarse, _ = integrate(log_density, moments, frame, half_width, 1.4 * step)
    difference = largest_difference(coarse, fine)
    reach, size = (8.0, 33) if len(frame.centre) < 4 else (6.0, 25)
    far = mass_outside(log_density, frame, half_width, reach, size)
    print(f"grids differ by {difference:.1e} sd; edge mass {edge:.1e}; far mass {far:.1e}")
    require(difference < tolerance, f"two grids differ by {difference} sd")
    require(edge < 1e-9, f"mass {edge} at the edge of the grid")
    require(far < 1e-6, f"mass {far} outside the grid")
    return fine
