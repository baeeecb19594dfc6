"""The BUGS examples of this folder: programs, data, references."""

from __future__ import annotations

import json
from pathlib import Path

HERE = Path(__file__).resolve().parent
EXACT = json.loads((HERE / "exact.json").read_text(encoding="utf-8"))
REFERENCES = json.loads((HERE / "references.json").read_text(encoding="utf-8"))
PROGRAMS = tuple(sorted(path.stem for path in HERE.glob("*.bug")))
_SHARED = {
    "seedszro": "seeds", "seedssig": "seeds", "surgical_fixed": "surgical", "surgical_random": "surgical",
    "stacks_a": "stacks", "stacks_b": "stacks", "epil2": "epil", "beetles_logit": "beetles",
    "beetles_probit": "beetles",
}  # fmt: skip


def program_of(name: str) -> Path:
    """Return the file of a program."""
    return HERE / f"{name}.bug"


def data_of(name: str) -> Path:
    """Return the file of its data."""
    return HERE / "data" / f"{_SHARED.get(name, name)}.json"
