"""The installed wheel, away from the source: templates, models, data and the command are all inside."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def run(*command: object, folder: Path) -> str:
    """Run a command in a folder and return what it printed; fail with all of it."""
    done = subprocess.run(
        [str(part) for part in command], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel, built from this source."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, folder=ROOT)
    return next(folder.glob("deriver-*.whl"))


@pytest.fixture(scope="module")
def command(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the command of a fresh environment with the wheel, in which our dependencies can be imported."""
    folder = tmp_path_factory.mktemp("env")
    venv.create(folder, with_pip=False)
    scripts = folder / ("Scripts" if sys.platform == "win32" else "bin")
    python = scripts / Path(sys.executable).name
    if not python.exists():
        python = scripts / "python"
    own = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", folder=folder).strip()
    shared = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    Path(own, "dependencies.pth").write_text("\n".join(sorted(shared)) + "\n")
    install = (
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--ignore-installed",
    )
    run(sys.executable, *install, wheel, folder=folder)
    return scripts / "deriver"


def test_what_is_inside(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    here = {
        f"deriver/templates/{p.relative_to(ROOT / 'templates')}"
        for p in (ROOT / "templates").rglob("*.jinja")
    }
    assert here
    assert here <= names
    assert {"deriver/examples/models/wishart.model", "deriver/examples/references.json"} <= names
    assert {
        f"deriver/examples/data/{name}.csv" for name in ("rats", "sleepstudy", "seizures", "nile")
    } <= names
    assert not [name for name in names if name.startswith(("tests/", "generated/", "benchmarks/"))]


def test_the_command_runs_from_an_empty_folder(command: Path, tmp_path: Path) -> None:
    assert run(command, "--version", folder=tmp_path).startswith("deriver ")
    listed = run(command, "demo", folder=tmp_path)
    assert all(name in listed for name in ("rats", "sleepstudy", "seizures", "nile"))
    where = run(command.parent / "python", "-c", "import deriver; print(deriver.__file__)", folder=tmp_path)
    assert str(ROOT) not in where


def test_a_demo_runs_from_an_empty_folder(command: Path, tmp_path: Path) -> None:
    printed = run(command, "demo", "sleepstudy", "--draws", "500", "--warmup", "500", folder=tmp_path)
    assert "all 10 posterior means agree with the reference" in printed
    assert {path.name for path in tmp_path.iterdir()} == {"demo_sleepstudy.nc", "demo_sleepstudy.py"}
