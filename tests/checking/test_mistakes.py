"""Nonsense in a claims text gets the model language's messages: line, caret, what was expected, what to do."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest

from deriver.errors import ModelError
from deriver.pipeline import check, load_model

FOLDER = Path(__file__).parent / "bad_claims"
CASES = sorted(FOLDER.glob("*.claims"))
UPDATE = "python -m pytest tests/checking/test_mistakes.py --update-generated"


def test_there_are_cases() -> None:
    assert len(CASES) >= 25


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_message(case: Path, update_generated: bool) -> None:
    with pytest.raises(ModelError) as caught:
        check(load_model("all_random"), case)
    found = f"{caught.value}\n"
    expected = case.with_suffix(".txt")
    if update_generated:
        expected.write_text(found)
        return
    wanted = expected.read_text() if expected.exists() else ""
    lines = difflib.unified_diff(wanted.splitlines(), found.splitlines(), "expected", "found", lineterm="")
    assert found == wanted, "\n".join([*lines, f"if the new message is better, run: {UPDATE}"])
