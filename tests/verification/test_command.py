"""The command, its state file, and the module of tests that goes with a sampler."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import deriver
from deriver.cli import main
from deriver.errors import UsageError
from deriver.verification.replicates import EFFORTS
from deriver.verification.running import read_state
from deriver.verification.verify import make_task, verify
from tests.verification.samplers import SMALL, edited, sampler

TINY = replace(SMALL, chain=30, steps=3, ranks=6, draws_at=2)


def test_an_interrupted_run_goes_on_and_ends_alike(tmp_path: Path) -> None:
    derivation, source = sampler("state_space")
    whole = verify(derivation, source, effort=TINY, seed=5, jobs=1)
    file = tmp_path / "state.jsonl"

    def interrupt(done: int, total: int) -> None:
        if done == 17:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verify(derivation, source, effort=TINY, seed=5, jobs=1, resume=file, progress=interrupt)
    task = make_task(derivation.model, source, {}, {}, TINY, 5)
    assert len(read_state(file, task)) == 17
    with file.open("a") as unfinished:
        unfinished.write('{"kind": "ra')
    resumed = verify(derivation, source, effort=TINY, seed=5, jobs=2, resume=file)
    assert resumed.outcomes == whole.outcomes
    with pytest.raises(UsageError, match="another model, seed, effort or setting"):
        verify(derivation, source, effort=TINY, seed=6, jobs=1, resume=file)


def test_exit_statuses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(EFFORTS, "quick", TINY)
    plot = tmp_path / "ranks.png"
    right = ["verify", "state_space", "--effort", "quick", "--seed", "3", "--jobs", "1"]
    assert main([*right, "--format", "json", "--plot", str(plot)]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["passed"] and {test["kind"] for test in report["tests"]} >= {
        "draws",
        "update",
        "chain",
        "ranks",
    }
    assert plot.stat().st_size > 1000
    broken = tmp_path / "broken.py"
    broken.write_text(edited("state_space", "data.q_y\n", "data.q_y + 2\n"))
    assert main([*right, "--sampler", str(broken)]) == 1
    text = capsys.readouterr().out
    assert "state_space: FAILED" in text and "Look first at the update of sigma2_y" in text
    assert "What these tests cannot see" in text and "Power." in text
    assert main([*right, "--sizes", "n=3"]) == 2
    assert main([*right, "--resume", str(plot)]) == 2
    assert main(["verify", "state_space", "--resume", "x", "--jobs", "0"]) == 2
    capsys.readouterr()
    assert main([*right, "--plot", str(tmp_path / "ranks.xyz")]) == 2
    assert "ends in .png, .pdf or .svg" in capsys.readouterr().err


def run_module(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(folder),
        str(folder),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


def test_the_module_of_tests_goes_with_the_sampler(tmp_path: Path) -> None:
    output, tests = tmp_path / "my_sampler.py", tmp_path / "test_my_sampler.py"
    assert main(["emit", "random_intercepts", "-o", str(output), "--tests", str(tests)]) == 0
    text = tests.read_text()
    assert "import my_sampler as sampler" in text and "import deriver" not in text
    again = deriver.emit_tests(
        deriver.load_model("random_intercepts"), "my_sampler", source=output.read_text()
    )
    assert again == text
    for command in (["check"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--isolated", str(tests)]
        assert subprocess.run(ruff, capture_output=True, check=False, cwd=tmp_path).returncode == 0
    found = run_module(tmp_path)
    assert found.returncode == 0, found.stdout
    output.write_text(
        edited("random_intercepts", "shape = data.n / 2 + data.q0", "shape = data.n / 2 + data.q0 + 1")
    )
    found = run_module(tmp_path)
    assert found.returncode == 1
    assert "test_draws_are_from_the_full_conditional[sigma2_0]" in found.stdout


def test_a_sampler_that_cannot_be_imported_is_a_mistake() -> None:
    with pytest.raises(UsageError, match="no test can import"):
        deriver.emit_tests(deriver.load_model("random_intercepts"), "my-sampler")


def test_no_test_module_is_written_for_a_compiled_sampler(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "s.py"
    emit = ["emit", "wishart", "--backend", "numba", "--size", "p=2", "-o", str(output)]
    assert main(emit) == 0
    assert main([*emit, "--overwrite", "--tests", str(tmp_path / "test_s.py")]) == 2
    assert "--backend numpy" in capsys.readouterr().err
