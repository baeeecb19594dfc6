"""The machine and its software, and the environment of single-thread runs."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
from pathlib import Path

_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "RAYON_NUM_THREADS",
)
SINGLE_THREAD = {**os.environ} | {name: "1" for name in _THREADS}
PACKAGES = ("numpy", "scipy", "numba", "sympy", "arviz", "pandas", "pyarrow")


def hold_to_one_thread() -> None:
    """Set the thread variables of this process; to be called before NumPy is imported."""
    os.environ.update({name: "1" for name in _THREADS})


def describe_machine() -> dict[str, str]:
    """Processor, cores, load, operating system, compiler and versions of packages."""
    found = {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "load": f"{os.getloadavg()[0]:.1f}",
        "system": platform.platform(),
        "python": platform.python_version(),
        "compiler": _first_line("gcc", "--version"),
        "jags": _first_line("dpkg-query", "-W", "-f=${Version}", "jags") if shutil.which("jags") else "none",
    }
    return found | {name: _version(name) for name in PACKAGES}


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _first_line(*command: str) -> str:
    if shutil.which(command[0]) is None:
        return "none"
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.splitlines()[0] if done.stdout else "unknown"


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "none"
