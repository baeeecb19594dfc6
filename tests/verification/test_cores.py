"""Many cores: a Dask cluster, an interrupt of the whole command, and going on from where it stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from distributed import LocalCluster

from deriver.cli import main
from deriver.errors import UsageError
from deriver.verification.replicates import EFFORTS
from deriver.verification.verify import verify
from tests.verification.samplers import SMALL, sampler

TINY = replace(SMALL, chain=30, steps=3, ranks=6, draws_at=2)
ROOT = Path(__file__).resolve().parents[2]
# The command, its quick effort made smaller.  Where PAUSE is set it waits for an interrupt after so many replicates,
# while its workers go on.
PROGRAM = """
import os
import signal
import sys
import time
from dataclasses import replace
from deriver.cli import main
from deriver.verification import running
from deriver.verification.replicates import EFFORTS
from tests.verification.samplers import SMALL
EFFORTS["quick"] = replace(SMALL, chain=20, steps=3, ranks=6, draws_at=2)
left, append = int(os.environ.get("PAUSE", -1)), running.StateFile.append
def append_and_pause(file, replicate):
    global left
    append(file, replicate)
    left -= 1
    while left == 0:  # no signal.pause(), which would miss an interrupt that comes just before it
        time.sleep(0.02)
running.StateFile.append = append_and_pause
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have left it ignored
    sys.exit(main(sys.argv[1:]))
"""
DONE = 8


def command(file: Path) -> list[str]:
    """Return the words of a verification that keeps its state in a file."""
    words = ["verify", "random_intercepts", "--effort", "quick", "--seed", "4", "--format", "json"]
    return [*words, "--jobs", "2", "--resume", str(file)]


def start(program: Path, words: list[str], **settings: str) -> subprocess.Popen[str]:
    """Start the command in a process group of its own, as a terminal does."""
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(
        [sys.executable, str(program), *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, env={**os.environ, "PYTHONPATH": paths, **settings},
    )  # fmt: skip


def lines_in(file: Path) -> int:
    return file.read_bytes().count(b"\n") if file.exists() else 0


def without_seconds(text: str) -> dict[str, object]:
    return {name: value for name, value in json.loads(text).items() if name != "seconds"}


def test_ctrl_c_keeps_what_is_done_and_the_same_command_ends_as_if_never_interrupted(tmp_path: Path) -> None:
    program, file = tmp_path / "program.py", tmp_path / "state.jsonl"
    program.write_text(PROGRAM)
    stopped = start(program, command(file), PAUSE=str(DONE))
    while lines_in(file) <= DONE and stopped.poll() is None:  # its first line tells the task
        time.sleep(0.02)
    os.killpg(stopped.pid, signal.SIGINT)
    out, err = stopped.communicate()
    assert (stopped.returncode, out) == (130, ""), err
    assert err == f"interrupted: what is done is in {file}; the same command goes on from there\n"
    assert lines_in(file) == 1 + DONE
    with pytest.raises(ProcessLookupError):  # no worker is left
        os.killpg(stopped.pid, 0)
    resumed = start(program, command(file))
    out, err = resumed.communicate()
    assert resumed.returncode == 0, err
    never_stopped = start(program, command(tmp_path / "other.jsonl"))
    whole, err = never_stopped.communicate()
    assert never_stopped.returncode == 0, err
    assert without_seconds(out) == without_seconds(whole)


def test_a_cluster_gives_the_same_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(EFFORTS, "quick", TINY)
    words = ["verify", "state_space", "--effort", "quick", "--seed", "5", "--format", "json"]
    assert main([*words, "--jobs", "1"]) == 0
    alone, file = without_seconds(capsys.readouterr().out), tmp_path / "state.jsonl"
    with LocalCluster(n_workers=2, threads_per_worker=2, host="127.0.0.1", dashboard_address=None) as cluster:
        assert main([*words, "--dask", cluster.scheduler_address, "--resume", str(file)]) == 0
    assert without_seconds(capsys.readouterr().out) == alone
    assert lines_in(file) == 1 + TINY.prior + TINY.chain + TINY.ranks


def test_no_cluster_at_an_address_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deriver.verification.running.PATIENCE", "1s")
    derivation, source = sampler("state_space")
    with pytest.raises(UsageError, match="the scheduler cannot be reached"):
        verify(derivation, source, effort=TINY, seed=5, dask="tcp://127.0.0.1:1")


def test_dask_that_is_missing_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    derivation, source = sampler("state_space")
    with pytest.raises(UsageError, match=r"--dask needs the package `distributed`(.|\n)*deriver\[cluster\]"):
        verify(derivation, source, effort=TINY, seed=5, dask="tcp://127.0.0.1:1")
