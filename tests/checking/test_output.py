"""The report in its formats, and the exit statuses of the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deriver.cli import main
from deriver.errors import UsageError
from deriver.pipeline import check, load_model

RIGHT = "[sigma2_0 | .] = IG(n/2 + q0, 1/(sum(i: (beta0[i] - mu0)^2)/2 + 1/r0))\n"
WRONG = "[sigma2_0 | .] = IG(n/2 + q0, 1/(sum(i: (beta0[i] - mu0)^2) + 1/r0))\n"


@pytest.fixture
def claims(tmp_path: Path) -> Path:
    path = tmp_path / "two.claims"
    path.write_text(RIGHT + WRONG)
    return path


def test_json(claims: Path) -> None:
    record = json.loads(check(load_model("random_intercepts"), claims).render("json"))
    assert (record["model"], record["claims"], record["passed"]) == ("random_intercepts", "two.claims", False)
    right, wrong = record["results"]
    assert (right["verdict"], right["passed"], right["lines"][0]["proof"]) == ("equal", True, "symbolic")
    assert (wrong["verdict"], wrong["line"], wrong["first_wrong_line"]) == ("wrong_parameter", 2, 2)
    assert wrong["slips"][0]["name"] == "factor of 2"
    assert wrong["lines"][0]["parameters"][0]["name"] == "scale"
    assert set(wrong["lines"][0]["counterexample"]) == {"values", "what", "theirs", "right"}


def test_text_and_markdown(claims: Path) -> None:
    report = check(load_model("random_intercepts"), claims)
    text, markdown = report.render(), report.render("markdown")
    for part in (
        "right",
        "WRONG",
        "factor of 2",
        "counter-example",
        "shown symbolically",
        "2 claims, 1 wrong",
    ):
        assert part in text
    assert markdown.startswith("# Claims about random_intercepts\n")
    assert "| 2 | `[sigma2_0 \\| .]` |" in markdown


def test_an_unknown_format_is_refused(claims: Path) -> None:
    with pytest.raises(UsageError, match="there is no format `html`"):
        check(load_model("random_intercepts"), claims).render("html")


def test_the_same_report_twice(claims: Path) -> None:
    model = load_model("random_intercepts")
    assert check(model, claims).render("json") == check(model, claims).render("json")


def test_exit_statuses(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    right, wrong, nonsense = (tmp_path / name for name in ("right", "wrong", "nonsense"))
    right.write_text(RIGHT)
    wrong.write_text(WRONG)
    nonsense.write_text("[sigma2_0 | .] = IG(n/2 + q00, 1)\n")
    assert main(["check", "random_intercepts", str(right)]) == 0
    assert main(["check", "random_intercepts", str(wrong)]) == 1
    assert main(["check", "random_intercepts", str(nonsense)]) == 2
    shown = capsys.readouterr()
    assert "WRONG" in shown.out
    assert "`q00` is not declared" in shown.err and "did you mean `q0`" in shown.err


def test_the_report_can_be_written(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    right, report = tmp_path / "right.claims", tmp_path / "report.json"
    right.write_text(RIGHT)
    arguments = ["check", "random_intercepts", str(right), "--format", "json", "-o", str(report)]
    assert main(arguments) == 0
    assert json.loads(report.read_text())["passed"] is True
    assert main(arguments) == 2  # it is there already
