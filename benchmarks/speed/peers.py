"""The peers: JAGS, PyMC models under nutpie, and NumPyro, each optional, on the same data and priors."""

from __future__ import annotations

import json
import subprocess
import tempfile
import venv
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

import jags
from cases import Case
from datasets import Rows
from machine import SINGLE_THREAD

SCRIPTS = Path(__file__).parent / "peers"
REQUIRED = {"nutpie": ("pymc", "nutpie"), "numpyro": ("jax", "numpyro")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """Lengths of a run."""

    draws: int
    warmup: int
    chains: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A program, and for the NUTS samplers whether effects are centred."""

    program: str
    centred: bool = True
    python: Path | None = None

    @property
    def name(self) -> str:
        """As tables have it."""
        if self.program == "jags":
            return "JAGS"
        return f"{self.program}, {'centred' if self.centred else 'non-centred'}"


class Session:
    """A peer with a case and data, open for turns: it compiles once, then samples for each seed."""

    def __init__(self, peer: Peer, case: Case, rows: Rows, effort: Effort) -> None:
        self.peer, self.case, self.rows, self.effort = peer, case, rows, effort
        self._process: subprocess.Popen[str] | None = None
        if peer.program == "jags":
            return
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        options = asdict(effort) | {"key": case.key, "centred": peer.centred}
        (folder / "options.json").write_text(json.dumps(options), encoding="utf-8")
        np.savez(folder / "data.npz", **_arrays(case, rows))
        self._output = folder / "draws.npz"
        paths = [str(folder / name) for name in ("options.json", "data.npz", "draws.npz")]
        command = [str(peer.python), str(SCRIPTS / f"{peer.program}_run.py"), *paths]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=SINGLE_THREAD,
        )
        self._wait_for("ready")

    def sample(self, seed: int) -> tuple[np.ndarray, float]:
        """Draws (chains, draws, k), and processor seconds of the draws alone."""
        if self._process is None:
            effort = asdict(self.effort)
            return jags.run_jags(self.case, self.rows, **effort, seed=seed)
        assert self._process.stdin is not None
        self._process.stdin.write(f"{seed}\n")
        self._process.stdin.flush()
        self._wait_for("done")
        with np.load(self._output) as found:
            return found["draws"], float(found["seconds"])

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process.wait()
            self._folder.cleanup()

    def _wait_for(self, word: str) -> None:
        assert self._process is not None and self._process.stdout is not None
        for line in self._process.stdout:
            if line.strip() == word:
                return
        raise RuntimeError(f"{self.peer.name} failed on {self.case.key}, {self.rows.name}")


def find_peers(wanted: list[str], environment: Path) -> tuple[list[Peer], dict[str, str]]:
    """The peers that can be had, and what was found of each: its versions, or why it is left out."""
    peers: list[Peer] = []
    notes: dict[str, str] = {}
    if "jags" in wanted:
        there = jags.is_available()
        notes |= {} if there else {"jags": "left out: it is not installed, and apt-get could not install it"}
        peers += [Peer(program="jags")] if there else []
    for program in [name for name in ("nutpie", "numpyro") if name in wanted]:
        python, note = _install(program, environment)
        notes[program] = note
        if python is not None:
            peers += [Peer(program=program, centred=centred, python=python) for centred in (True, False)]
    return peers, notes


def _install(program: str, environment: Path) -> tuple[Path | None, str]:
    """The interpreter of the peers' environment, with the packages of a program, and their versions."""
    python = environment / "bin" / "python"
    if not python.exists():
        venv.create(environment, with_pip=True)
    packages = REQUIRED[program]
    have = subprocess.run([python, "-c", f"import {', '.join(packages)}"], capture_output=True, check=False)
    if have.returncode:
        command = [python, "-m", "pip", "install", "-q", *packages]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return None, f"left out: pip could not install {' and '.join(packages)}"
    names = ", ".join(f"m.version({name!r})" for name in packages)
    show = subprocess.run(
        [python, "-c", f"import importlib.metadata as m; print({names})"],
        capture_output=True,
        text=True,
        check=False,
    )
    return python, " ".join(f"{name} {v}" for name, v in zip(packages, show.stdout.split(), strict=False))


def _arrays(case: Case, rows: Rows) -> dict[str, np.ndarray]:
    """The rows with their groups, and a pooled least squares line from which chains start."""
    y = np.log(rows.y + 0.5) if case.key == "G6" else rows.y
    return {
        "g": np.repeat(np.arange(len(rows.size)), rows.size), "x": rows.x, "y": rows.y,
        "n": np.array(len(rows.size)), "S0": np.array(rows.S0), "mean": np.polyfit(rows.x, y, 1)[::-1],
    }  # fmt: skip
