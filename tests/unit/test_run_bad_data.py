"""The corpus of bad data: each case of ``tests/bad_data`` gives its exact message.

A case is a TOML file: ``model`` (a text, or a packaged model's name), ``data`` (the text of a CSV or JSON file),
``options`` (as on the command line); the message stands beside it in a ``.txt`` file of the same name.
``--update-generated`` writes the messages anew.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from deriver.cli import main

CORPUS = Path(__file__).parents[1] / "bad_data"
CASES = sorted(CORPUS.glob("*.toml"))


def run_case(case: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Return the exit status and the message of a case."""
    content = tomllib.loads(case.read_text(encoding="utf-8"))
    model = content["model"]
    if "\n" in model:
        (folder / "case.model").write_text(model, encoding="utf-8")
        model = str(folder / "case.model")
    name = content.get("file", "data.csv")
    arguments = ["run", model, *content["options"], "-o", str(folder / "out.nc")]
    if "data" in content:
        (folder / name).write_text(content["data"], encoding="utf-8")
        arguments += ["--data", str(folder / name)]
    status = main(arguments)
    return status, capsys.readouterr().err.replace(str(folder) + "/", "")


def test_there_are_cases() -> None:
    assert len(CASES) > 30


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_message(
    case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    status, message = run_case(case, tmp_path, capsys)
    expected = case.with_suffix(".txt")
    if request.config.getoption("--update-generated", default=False):
        expected.write_text(message, encoding="utf-8")
    assert status == 2
    assert message == expected.read_text(encoding="utf-8")
    assert not (tmp_path / "out.nc").exists()
