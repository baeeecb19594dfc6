"""JAGS: the models as its text, and runs of the program with the time of sampling alone.

The command ``pwd`` prints a line when all before it is done: the processor time of the process is read there, from
/proc, before and after the draws.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from cases import Case
from datasets import Rows
from machine import SINGLE_THREAD

_LINES = "for (k in 1:N) { y[k] ~ dnorm(b[g[k],1] + b[g[k],2] * x[k], tau) }\n sigma2 <- 1 / tau\n tau ~ dgamma(2, 1)"
_MEAN = "for (i in 1:n) { b[i,1:2] ~ dmnorm(mu, Q) }\n mu ~ dmnorm(zero, vague)"
_WISHART = "Q ~ dwish(R, 3)\n Sigma <- inverse(Q)"
MODELS = {
    "A": """model {
 for (k in 1:N) { y[k] ~ dnorm(b[g[k]] + beta1 * x[k], tau) }
 for (i in 1:n) { b[i] ~ dnorm(mu0, tau0) }
 mu0 ~ dnorm(0, 1.0E-4)
 beta1 ~ dnorm(0, 1.0E-4)
 tau ~ dgamma(2, 1)
 tau0 ~ dgamma(2, 1)
 sigma2 <- 1 / tau
 sigma2_0 <- 1 / tau0
}""",
    "C": f"""model {{
 {_LINES}
 {_MEAN}
 rho ~ dunif(-1, 1)
 tau_b ~ dgamma(2, 1)
 sigma2_beta <- 1 / tau_b
 Q[1,1] <- tau_b / (1 - rho^2)
 Q[2,2] <- tau_b / (1 - rho^2)
 Q[1,2] <- -rho * tau_b / (1 - rho^2)
 Q[2,1] <- -rho * tau_b / (1 - rho^2)
}}""",
    "G5": f"model {{\n {_LINES}\n {_MEAN}\n {_WISHART}\n}}",
    "G6": f"""model {{
 for (k in 1:N) {{ y[k] ~ dpois(exp(b[g[k],1] + b[g[k],2] * x[k])) }}
 {_MEAN}
 {_WISHART}
}}""".replace(
        "dpois(exp(b[g[k],1] + b[g[k],2] * x[k]))", "dpois(z[k])\n log(z[k]) <- b[g[k],1] + b[g[k],2] * x[k]"
    ),
}
MONITORED = {
    "A": ("mu0", "sigma2_0", "beta1", "sigma2"),
    "C": ("mu", "sigma2_beta", "rho", "sigma2"),
    "G5": ("mu", "Sigma", "sigma2"),
    "G6": ("mu", "Sigma"),
}


def is_available() -> bool:
    """Whether the program is there; as root on Debian it is installed first."""
    if shutil.which("jags") is None and shutil.which("apt-get") and os.geteuid() == 0:
        subprocess.run(["apt-get", "install", "-y", "-q", "jags"], capture_output=True, check=False)
    return shutil.which("jags") is not None


def run_jags(
    case: Case, rows: Rows, *, draws: int, warmup: int, chains: int, seed: int
) -> tuple[np.ndarray, float]:
    """Draws of the top-level parameters (chains, draws, k), and processor seconds of the draws."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "model.txt").write_text(MODELS[case.key], encoding="utf-8")
        (folder / "data.R").write_text(_dump(_data(case, rows)), encoding="utf-8")
        for chain in range(1, chains + 1):
            (folder / f"start{chain}.R").write_text(
                _dump(_start(case, rows, 100 * seed + chain)), encoding="utf-8"
            )
        elapsed = _drive(folder, _script(case, draws, warmup, chains))
        return _read_draws(folder, case, chains, draws), elapsed


def _script(case: Case, draws: int, warmup: int, chains: int) -> str:
    load = "load glm\n" if case.key == "G6" else ""
    starts = "".join(f'parameters in "start{k}.R", chain({k})\n' for k in range(1, chains + 1))
    monitors = "".join(f"monitor {name}\n" for name in MONITORED[case.key])
    return (
        f'{load}model in "model.txt"\ndata in "data.R"\ncompile, nchains({chains})\n{starts}initialize\n'
        f"update {warmup}\n{monitors}pwd\nupdate {draws}\npwd\ncoda *\nexit\n"
    )


def _drive(folder: Path, script: str) -> float:
    """Run the script; return processor seconds between the two lines that ``pwd`` prints."""
    process = subprocess.Popen(
        ["jags"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder,
        env=SINGLE_THREAD,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(script)
    process.stdin.close()
    marks, lines = [], []
    for line in process.stdout:
        lines.append(line)
        if line.rstrip().endswith(folder.name):
            marks.append(_processor_seconds(process.pid))
    process.wait()
    if len(marks) != 2:
        raise RuntimeError("JAGS failed:\n" + "".join(lines[-15:]))
    return marks[1] - marks[0]


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _data(case: Case, rows: Rows) -> dict[str, np.ndarray]:
    n = len(rows.size)
    data = {
        "N": len(rows.x),
        "n": n,
        "y": rows.y,
        "x": rows.x,
        "g": np.repeat(np.arange(1, n + 1), rows.size),
    }
    if case.key != "A":
        data |= {"zero": np.zeros(2), "vague": 1e-4 * np.eye(2)}
    if case.key in ("G5", "G6"):
        data["R"] = 3 * rows.S0 * np.eye(2)
    return {name: np.asarray(value) for name, value in data.items()}


def _start(case: Case, rows: Rows, seed: int) -> dict[str, np.ndarray | str]:
    """Starts near least squares: from its default starts JAGS can stay where all groups are equal."""
    mean = np.polyfit(rows.x, np.log(rows.y + 0.5) if case.key == "G6" else rows.y, 1)[::-1]
    start: dict[str, np.ndarray | str] = {".RNG.name": "base::Mersenne-Twister", ".RNG.seed": np.array(seed)}
    if case.key == "A":
        return start | {"mu0": mean[0], "beta1": mean[1], "b": np.full(len(rows.size), mean[0])}
    return start | {"mu": mean, "b": np.tile(mean, (len(rows.size), 1))}


def _dump(values: dict[str, np.ndarray | str]) -> str:
    """Values in R's dump format."""
    return "".join(f'"{name}" <- {_dump_value(value)}\n' for name, value in values.items())


def _dump_value(value: np.ndarray | str) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    array = np.asarray(value)
    text = ", ".join(repr(number) for number in array.ravel(order="F").tolist())
    if array.ndim == 0:
        return text
    if array.ndim == 1:
        return f"c({text})"
    return f"structure(c({text}), .Dim = c({', '.join(map(str, array.shape))}))"


def _read_draws(folder: Path, case: Case, chains: int, draws: int) -> np.ndarray:
    """Draws in the order of the case's parameters; a symmetric matrix gives its upper triangle."""
    columns = {}
    for line in (folder / "CODAindex.txt").read_text(encoding="ascii").splitlines():
        name, first, last = line.split()
        columns[name.replace(" ", "")] = slice(int(first) - 1, int(last))
    chosen = [columns[name] for name in case.parameters]
    values = [np.loadtxt(folder / f"CODAchain{k}.txt", usecols=1) for k in range(1, chains + 1)]
    return np.stack([np.stack([chain[place] for place in chosen], axis=-1) for chain in values])
