"""The density of a Pólya–gamma variable PG(b, 0), by inversion of its Laplace transform.

E exp(s ω) = cos(√(s/2))^(−b), whose singularities lie on the real axis beyond π²/2.  The inversion runs along the
parabola of steepest descent through the saddle point, so that both tails keep their digits and a trapezium sum of a
few dozen points is exact to rounding.  Any contour gives the same integral: its saddle need only be near.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

_STEPS = np.arange(0.0, 12.0, 0.25)


def log_polya_gamma(value: ArrayLike, size: ArrayLike) -> np.ndarray:
    """Return log PG(value; size, 0) elementwise, for value > 0 and a whole size > 0."""
    value, size = np.broadcast_arrays(np.asarray(value, dtype=float), np.asarray(size, dtype=float))
    v = _saddle(value / size)
    step = 1e-3 * (v + np.pi**2)
    below, middle, above = (_mean(v + shift) for shift in (-step, 0.0, step))
    spread = -size * (above - below) / step  # K''(s) at the saddle s = −v / 2
    skew = 4 * size * (above - 2 * middle + below) / step**2  # K'''(s)
    bend = skew / (6 * spread)
    u = _STEPS / np.sqrt(spread)[..., None]
    s = -v[..., None] / 2 + bend[..., None] * u**2 + 1j * u
    height = _log_transform(s, size[..., None]) - s * value[..., None]
    top = height[..., :1].real
    points = (np.exp(height - top) * (1 - 2j * bend[..., None] * u)).real
    area = (points.sum(axis=-1) - points[..., 0] / 2) * 0.25 / np.sqrt(spread)
    return top[..., 0] + np.log(area / np.pi)


def _log_transform(s: np.ndarray, size: np.ndarray) -> np.ndarray:
    """−b log cos √(s/2), the cosine written without overflow."""
    root = np.sqrt(s / 2 + 0j)
    root = np.where(root.imag < 0, -root, root)
    return size * (1j * root + np.log(2.0) - np.log1p(np.exp(2j * root)))


def _mean(v: np.ndarray) -> np.ndarray:
    """tanh(c/2) / (2c) for c² = v, tan(θ/2) / (2θ) where v = −θ² is negative."""
    c = np.sqrt(np.maximum(np.abs(v), 1e-12))
    with np.errstate(over="ignore"):
        return np.where(v < 0, np.tan(c / 2), np.tanh(c / 2)) / (2 * c)


def _saddle(mean: np.ndarray) -> np.ndarray:
    """Return v > −π² at which a PG(1, √v) variable has this mean, nearly."""
    g = 1 / mean
    v = (1 + g / 4) ** 2 * 4 - 4 - np.pi**2  # g = 4 (√(1 + (v + π²)/4) − 1), within 15 %
    for _ in range(4):
        step = 1e-3 * (v + np.pi**2)
        slope = (1 / _mean(v + step) - 1 / _mean(v - step)) / (2 * step)
        v = np.maximum(v - (1 / _mean(v) - g) / slope, v - 0.9 * (v + np.pi**2))
    return v
