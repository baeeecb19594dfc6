"""A demo's posterior beside a reference posterior.

Input: a ``Result`` and the key of a reference.  Output: a table with z = (mean - reference) / its Monte Carlo error.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from deriver.running.results import Result
from deriver.running.summary import SummaryRow, decimals, format_table

REFERENCES = Path(__file__).parent / "references.json"
LARGEST_Z = 4.0
_ELEMENT = re.compile(r"(\w+)(?:\[([-\d, ]+)\])?\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One number: our posterior mean, the reference's, and how many Monte Carlo errors lie between."""

    name: str
    mean: float
    sd: float
    reference_mean: float
    reference_sd: float
    z: float


@cache
def read_references() -> dict[str, Any]:
    """Return the packaged reference posteriors by ``demo/model``."""
    return json.loads(REFERENCES.read_text(encoding="utf-8"))


def compare(result: Result, key: str) -> tuple[Comparison, ...]:
    """Return the comparison of every number that the reference gives."""
    found = []
    for name, reference in read_references()[key]["parameters"].items():
        row = find_row(result, name)
        if row is not None:
            found.append(_compare_one(name, row, reference))
    return tuple(found)


def find_row(result: Result, name: str) -> SummaryRow | None:
    """Return the summary of a number written as in the model (``mu[1]``, ``z[28]``), or None."""
    match = _ELEMENT.match(name)
    if match is None or match[1] not in result.posterior.variables:
        return None
    position = tuple(int(part) for part in match[2].split(",")) if match[2] else ()
    rows = result.summary([match[1]]).rows
    return next((row for row in rows if row.position == position), None)


def _compare_one(name: str, row: SummaryRow, reference: dict[str, float]) -> Comparison:
    error = math.hypot(row.mcse, reference.get("mcse") or 0.0)
    z = (row.mean - reference["mean"]) / error if error > 0 else math.nan
    return Comparison(
        name=name,
        mean=row.mean,
        sd=row.sd,
        reference_mean=reference["mean"],
        reference_sd=reference["sd"],
        z=z,
    )


def compare_with_reference(result: Result, key: str) -> str:
    """Return the comparison as a table, with the source of the reference and a verdict."""
    if key not in read_references():
        return f"there is no reference posterior for {key}"
    reference = read_references()[key]
    compared = compare(result, key)
    table = [["", "mean", "reference", "sd", "reference", "z"]]
    for each in compared:
        digits = decimals(each.reference_sd)
        numbers = (each.mean, each.reference_mean, each.sd, each.reference_sd)
        table.append([each.name, *(f"{x:.{digits}f}" for x in numbers), f"{each.z:+.1f}"])
    far = [each.name for each in compared if not abs(each.z) <= LARGEST_Z]
    verdict = f"all {len(compared)} posterior means agree with the reference (|z| up to {LARGEST_Z:.0f})"
    if far:
        verdict = f"DIFFERENT from the reference: {', '.join(far)}"
    heading = f"beside the reference posterior: {reference['source']}"
    note = "z is the difference of the means in Monte Carlo standard errors of both"
    return "\n".join([heading, *format_table(table), note, verdict])
