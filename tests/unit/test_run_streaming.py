"""Draws of large fields written to a disk while they are taken."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import h5netcdf
import numpy as np
import pytest

import deriver
from deriver.cli import main
from deriver.errors import DeriverError
from deriver.running.moments import Watcher
from deriver.running.streaming import Stream

MODEL = """model fields
plates
  i = 1..n
given
  v > 0 = 2
data
  y[i] ~ N(u[i], v)
process
  u[i] ~ N(m, t)
parameters
  m ~ N(0, 100)
  t ~ IG(2, 1)
"""
DATA = {"y": np.random.default_rng(1).standard_normal(7)}
SHORT: dict[str, Any] = {"draws": 25, "warmup": 5, "chains": 3, "seed": 4, "backend": "numpy"}


def run(**options: Any) -> Any:
    """Run the model for a moment."""
    return deriver.run(deriver.parse_model(MODEL), DATA, **{**SHORT, **options})


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_streamed_draws_are_those_that_memory_would_hold(backend: str) -> None:
    whole, streamed = run(backend=backend), run(backend=backend, stream=["u"])
    kept = whole.posterior.variables["u"]
    found = streamed.groups["streamed"].variables["u"]
    assert isinstance(found.array.base, np.memmap)
    assert found.dims == kept.dims
    np.testing.assert_array_equal(found.array, kept.array)
    np.testing.assert_allclose(streamed.fields["u"].mean, kept.array.mean(axis=(0, 1)), rtol=1e-12)
    assert "u" not in streamed.posterior.variables


def test_every_tenth_draw_in_the_saved_file(tmp_path: Path) -> None:
    kept = run().posterior.variables["u"].array
    path = run(stream={"u": 10, "m": 1}).save(tmp_path / "draws.nc")
    with h5netcdf.File(path) as file:
        np.testing.assert_array_equal(file["streamed_every_10"]["u"][...], kept[:, 9::10])
        assert file["streamed_every_10"]["draw"][...].tolist() == [9, 19]
        assert file["streamed"]["m"].shape == (3, 25)
        assert file["moments"]["u_mean"].shape == (7,)


def test_the_command_leaves_no_file_but_the_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "fields.model").write_text(MODEL, encoding="utf-8")
    (tmp_path / "y.csv").write_text("y\n1\n2\n4\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    command = (
        "run fields.model --data y.csv --draws 20 --warmup 5 --seed 1 --backend numpy --stream u=4 -o u.nc"
    )
    assert main(command.split()) == 0, capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fields.model", "u.nc", "y.csv"]
    with h5netcdf.File(tmp_path / "u.nc") as file:
        assert file["streamed_every_4"]["u"].shape == (4, 5, 3)


def test_an_interrupt_keeps_the_draws_so_far() -> None:
    draws = np.random.default_rng(2).standard_normal((2, 9, 3))
    stream = Stream((3,), 2, 50, 2, None)
    watcher = Watcher({"u": (3,)}, 2, 50, {"u": stream})
    for number in range(9):
        watcher(number, {"u": draws[:, number]})
    np.testing.assert_array_equal(stream.result().array, draws[:, 1::2])
    assert Stream((3,), 2, 50, 2, None).result().array.shape == (2, 0, 3)


def test_a_disk_that_would_not_hold_them_is_told_before_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**6, 10**6 - 3000, 3000))
    with pytest.raises(DeriverError, match="would take 8.4 kB .* 3.0 kB are free") as caught:
        run(stream=["u"])
    assert "3" in caught.value.mistakes[0].remedy
    run(stream={"u": 3})


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"stream": {"u": 0}}, "u"), ({"stream": {"u": 26}}, "a whole number from 1"), ({"stream": ["w"]}, "no node `w`"),
        ({"stream": ["u"], "keep_draws": ["u"]}, "leave one out"),
    ],
)  # fmt: skip
def test_wrong_options_are_told(options: dict[str, Any], found: str) -> None:
    with pytest.raises(DeriverError, match=found):
        run(**options)


@pytest.mark.parametrize("text", ["u=", "=3", "u=x"])
def test_wrong_text_on_the_command_line(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "wishart", "--stream", text]) == 2
    assert "NODE=K" in capsys.readouterr().err
