"""Models that must be refused: the whole message of each, as a user reads it."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest

from deriver.errors import ModelError
from deriver.language import parse_model

FOLDER = Path(__file__).parents[1] / "bad_models"
CASES = sorted(FOLDER.glob("*.model"))
UPDATE = "python -m pytest tests/unit/test_language_bad_models.py --update-generated"


def test_there_are_cases() -> None:
    assert len(CASES) >= 60


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_message(case: Path, update_generated: bool) -> None:
    with pytest.raises(ModelError) as caught:
        parse_model(case.read_text(), origin=case.name)
    found = f"{caught.value}\n"
    expected = case.with_suffix(".txt")
    if update_generated:
        expected.write_text(found)
        return
    wanted = expected.read_text() if expected.exists() else ""
    lines = difflib.unified_diff(wanted.splitlines(), found.splitlines(), "expected", "found", lineterm="")
    assert found == wanted, "\n".join([*lines, f"if the new message is better, run: {UPDATE}"])


def test_no_message_without_model(update_generated: bool) -> None:
    stale = [path for path in FOLDER.glob("*.txt") if not path.with_suffix(".model").exists()]
    for path in stale if update_generated else []:
        path.unlink()
    assert update_generated or not stale, f"remove {stale}, or run: {UPDATE}"
