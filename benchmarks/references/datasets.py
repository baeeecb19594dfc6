"""Read the packaged CSV files. Input: a file name; output: columns or group-by-repeat arrays."""

import csv
from pathlib import Path

import numpy as np

DATA = Path(__file__).resolve().parents[2] / "deriver" / "examples" / "data"


def read_columns(name: str) -> dict[str, list[str]]:
    """The columns of a CSV file, as text; lines that start with `#` are comments."""
    with (DATA / name).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(line for line in stream if not line.startswith("#")))
    return {column: [row[column] for row in rows] for column in rows[0]}


def read_balanced(
    name: str, group: str, covariate: str, response: str
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Group labels (n), the covariate values that every group shares (J), and the responses (n, J)."""
    columns = read_columns(name)
    labels = list(dict.fromkeys(columns[group]))
    shape = (len(labels), len(columns[group]) // len(labels))
    groups = np.array(columns[group]).reshape(shape)
    if not (groups == np.array(labels)[:, None]).all():
        raise ValueError(f"{name}: rows must be sorted by {group}, with equal group sizes")
    x = np.array(columns[covariate], dtype=float).reshape(shape)
    if not (x == x[0]).all():
        raise ValueError(f"{name}: {covariate} must take the same values in each group")
    return labels, x[0], np.array(columns[response], dtype=float).reshape(shape)
