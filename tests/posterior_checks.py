"""Holding draws against a reference posterior at a stated Monte Carlo error."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import arviz as az
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "deriver" / "examples" / "data"
EXACT = json.loads((ROOT / "tests" / "references" / "exact.json").read_text(encoding="utf-8"))
POSTERIORS = json.loads((ROOT / "tests" / "references" / "posteriors.json").read_text(encoding="utf-8"))
PUBLISHED = json.loads((ROOT / "deriver" / "examples" / "references.json").read_text(encoding="utf-8"))

az.Numba.disable_numba()  # its compiled path makes a float of an array, which NumPy 2.4 refuses

STANDARD_ERRORS = 4.0
LARGEST_MCSE = 0.03  # of a posterior standard deviation


def element(posterior, name: str) -> np.ndarray:
    """Return the draws (chain, draw) of ``mu0``, ``beta0[3]`` or ``Sigma[1,2]``, by position.

    Positions count from 1; from 0 along a time that begins there, which its dimension tells (``t_from_0``).
    """
    base, _, rest = name.partition("[")
    if base not in posterior:  # the missing elements of a response, by their labels
        missing = posterior[f"{base}_missing"]
        return missing.sel({missing.dims[-1]: rest.rstrip("]")}).to_numpy()
    array = posterior[base]
    if not rest:
        return array.to_numpy()
    lowest = [int(dim.partition("_from_")[2] or 1) for dim in array.dims[2:]]
    positions = [int(part) for part in rest.rstrip("]").split(",")]
    place = tuple(position - low for position, low in zip(positions, lowest, strict=True))
    return array.to_numpy()[(slice(None), slice(None), *place)]


def discrepancies(posterior, references: Mapping[str, Mapping[str, float]]) -> dict[str, str]:
    """Return what disagrees: |mean − ref| or |sd − ref| over 4 standard errors, or too few draws to tell."""
    found = {}
    for name, reference in references.items():
        draws = element(posterior, name)
        mcse = float(az.mcse(draws, method="mean"))
        sd_mcse = float(az.mcse(draws, method="sd"))
        gaps = {
            "mean": (draws.mean() - reference["mean"], np.hypot(mcse, reference.get("mcse", 0.0))),
            "sd": (draws.std(ddof=1) - reference["sd"], np.hypot(sd_mcse, reference.get("sd_mcse", 0.0))),
        }
        for what, (gap, error) in gaps.items():
            if abs(gap) > STANDARD_ERRORS * error:
                found[f"{what} of {name}"] = f"off by {gap:.4g}, {abs(gap) / error:.1f} standard errors"
        if mcse > LARGEST_MCSE * reference["sd"]:
            found[f"draws of {name}"] = f"mcse {mcse / reference['sd']:.3f} sd"
    return found
