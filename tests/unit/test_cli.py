"""The command line: exit status, messages, files."""

from __future__ import annotations

from pathlib import Path

import arviz
import pytest

import deriver
from deriver import cli

MODEL = """model mean
plates
  k = 1..K
data
  y[k] ~ N(mu, sigma2)
parameters
  mu ~ N(0, 100)
  sigma2 ~ IG(1, 1)
"""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder, made the current one, with a model and data."""
    (tmp_path / "mean.model").write_text(MODEL)
    (tmp_path / "data.csv").write_text("y\n1\n2\n4\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_run_writes_and_prints(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = [
        "--data",
        "data.csv",
        "--draws",
        "100",
        "--warmup",
        "50",
        "--seed",
        "1",
        "--emit",
        "sampler.py",
    ]
    assert cli.main(["run", "mean.model", *options, "--derive", "sd = sqrt(sigma2)"]) == 0
    printed = capsys.readouterr()
    assert "seed 1" in printed.out
    assert "sd " in printed.out
    assert printed.err == ""
    assert arviz.from_netcdf("mean.nc").posterior.sizes["draw"] == 100
    compile((files / "sampler.py").read_text(), "sampler.py", "exec")


def test_the_same_seed_gives_the_same_draws(files: Path) -> None:
    options = ["--data", "data.csv", "--draws", "20", "--warmup", "10", "--seed", "1"]
    for name in ("a.nc", "b.nc"):
        assert cli.main(["run", "mean.model", *options, "-o", name]) == 0
    one, two = (arviz.from_netcdf(name).posterior for name in ("a.nc", "b.nc"))
    assert one.mu.equals(two.mu)


def test_nothing_is_overwritten(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "mean.nc").write_text("precious")
    assert cli.main(["run", "mean.model", "--data", "data.csv"]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert (files / "mean.nc").read_text() == "precious"


def test_a_wrong_output_is_told_before_sampling(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", "mean.model", "--data", "data.csv", "-o", "no/such/a.nc"]) == 2
    assert "there is no folder" in capsys.readouterr().err


def test_emit_and_derive_write_files(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["emit", "mean.model", "-o", "s.py"]) == 0
    assert cli.main(["emit", "mean.model", "-o", "s.py"]) == 2
    assert cli.main(["emit", "mean.model", "-o", "s.py", "--overwrite"]) == 0
    assert cli.main(["derive", "mean.model", "--format", "latex", "-o", "d.tex"]) == 0
    assert "def sample(" in (files / "s.py").read_text()
    assert (files / "d.tex").read_text()


def test_derive_prints_one_node(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["derive", "mean.model", "--node", "mu"]) == 0
    printed = capsys.readouterr().out
    assert "μ" in printed
    assert cli.main(["derive", "mean.model", "--node", "nothing"]) == 2


def test_a_model_built_in_python(files: Path) -> None:
    (files / "built.py").write_text(f"import deriver\nmean = deriver.parse_model('''{MODEL}''')\nother = 3\n")
    assert deriver.load_model("built.py:mean").name == "mean"
    for wrong in ("built.py:nothing", "built.py:other", "none.py:mean"):
        with pytest.raises(deriver.UsageError):
            deriver.load_model(wrong)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["derive", "wishrat"], "did you mean `wishart`?"),
        (["frobnicate"], "invalid choice"),
        (["derive"], "MODEL"),
        (["demo", "rat"], "did you mean `rats`?"),
        (["emit", "wishart"], "-o"),
        (["emit", "wishart", "-o", "a.py", "--method", "beta"], "--method NAME=VALUE"),
    ],
)
def test_mistakes_are_told_and_exit_with_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert "Traceback" not in printed.err


def test_a_fault_of_ours_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(options: object) -> int:
        raise deriver.InternalError("the density-ratio identity fails")

    monkeypatch.setitem(cli.COMMANDS, "derive", fail)
    assert cli.main(["derive", "wishart"]) == 3
    assert "fault of deriver" in capsys.readouterr().err


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--version"], ["--help"], ["run", "--help"]):
        with pytest.raises(SystemExit) as stopped:
            cli.main(arguments)
        assert stopped.value.code == 0
    printed = capsys.readouterr().out
    assert deriver.__version__ in printed
    assert "--index i=subject" in printed
    assert cli.main([]) == 2


def test_verbs_are_functions_of_the_package() -> None:
    import deriver.derivation.records

    model = deriver.load_model("random_intercepts")
    derivation = deriver.derive(model)
    assert isinstance(derivation, deriver.derivation.records.Derivation)
    assert "def sample(" in deriver.emit(model)


def test_the_list_of_demos(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["demo"]) == 0
    assert "sleepstudy" in capsys.readouterr().out
