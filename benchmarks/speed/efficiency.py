"""Effective sample sizes, Monte Carlo errors, and whether posteriors agree."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import arviz

TOLERANCE = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Mean and its Monte Carlo standard error of each parameter (k)."""

    mean: np.ndarray
    error: np.ndarray


def min_ess(draws: np.ndarray) -> float:
    """The least bulk effective sample size of draws (chains, draws, k), at most the number of draws."""
    return min(float(np.min(bulk_ess(draws))), draws.shape[0] * draws.shape[1])


def bulk_ess(draws: np.ndarray) -> np.ndarray:
    """Bulk effective sample size of each of the k last entries (Vehtari et al. 2021), as ArviZ has it."""
    return np.array([float(arviz.ess(draws[..., k], method="bulk")) for k in range(draws.shape[-1])])


def moments(draws: np.ndarray) -> Moments:
    """Means of draws (chains, draws, k), with errors from the effective sample size of the mean."""
    ess = np.array([float(arviz.ess(draws[..., k], method="mean")) for k in range(draws.shape[-1])])
    return Moments(mean=draws.mean(axis=(0, 1)), error=draws.std(axis=(0, 1)) / np.sqrt(ess))


def pool(runs: list[Moments]) -> Moments:
    """The mean of independent runs of equal length."""
    mean = np.mean([run.mean for run in runs], axis=0)
    return Moments(mean=mean, error=np.sqrt(np.sum([run.error**2 for run in runs], axis=0)) / len(runs))


def worst_gap(first: Moments, second: Moments) -> float:
    """The largest difference of means in standard errors; they agree where it is at most TOLERANCE."""
    return float(np.max(np.abs(first.mean - second.mean) / np.hypot(first.error, second.error)))
