"""Compile the derivations of all packaged models with a real TeX, and look for errors and overfull boxes.

    python benchmarks/compile_latex.py [--keep DIRECTORY] [MODEL.model ...]

Needs ``pdflatex`` with amsmath (Debian: texlive-latex-recommended).  Exit status 0: every document compiles and no
box is too wide by more than a hair; 1: some does not, and the log lines that say so are printed; 2: no TeX.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from deriver.derivation.conditionals import derive
from deriver.language import parse_model
from deriver.show import render

MODELS = Path(__file__).resolve().parents[1] / "deriver" / "examples" / "models"

# An overfull box that no eye sees, in points.
_HAIR = 1.0
_OVERFULL = re.compile(r"Overfull \\hbox \((?P<points>[\d.]+)pt too wide\).*")


def compile_document(source: str, folder: Path, name: str) -> list[str]:
    """Compile one document; return the errors and overfull boxes of its log."""
    (folder / f"{name}.tex").write_text(source, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", f"{name}.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    log = done.stdout.decode("utf-8", errors="replace")
    return find_faults(log)


def find_faults(log: str) -> list[str]:
    """Return the lines of a TeX log that tell of an error or of a box that is too wide."""
    faults = [line for line in log.splitlines() if line.startswith("!")]
    for match in _OVERFULL.finditer(log):
        if float(match["points"]) > _HAIR:
            faults.append(match[0])
    return faults


def main(arguments: list[str] | None = None) -> int:
    """Compile what is asked for, or every packaged model; print the faults."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", type=Path, help="model files (default: the packaged ones)")
    parser.add_argument("--keep", type=Path, help="a directory for the .tex and .pdf files")
    options = parser.parse_args(arguments)
    if shutil.which("pdflatex") is None:
        print(
            "pdflatex is not installed (Debian: apt-get install texlive-latex-recommended)", file=sys.stderr
        )
        return 2
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        return 1 if _compile_all(options.models or sorted(MODELS.glob("*.model")), folder) else 0


def _compile_all(paths: list[Path], folder: Path) -> int:
    """Compile each model; return how many have faults."""
    bad = 0
    for path in paths:
        source = render(derive(parse_model(path.read_text(encoding="utf-8"))), "latex")
        faults = compile_document(source, folder, path.stem)
        print(f"{path.stem}: {'; '.join(faults) if faults else 'good'}")
        bad += bool(faults)
    return bad


if __name__ == "__main__":
    sys.exit(main())
