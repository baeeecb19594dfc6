"""The emitted source of every packaged model: the same as the golden file, and clean as it stands."""

from __future__ import annotations

import ast
import difflib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deriver.derivation.conditionals import derive
from deriver.emission import emit
from deriver.language import parse_model
from deriver.plan import make_plan

ROOT = Path(__file__).resolve().parent.parent
GENERATED = ROOT / "generated"
MODELS = sorted((ROOT / "deriver" / "examples" / "models").glob("*.model"))
UPDATE = "python -m pytest --update-generated tests/test_generated.py"
ALLOWED = {
    *("__future__", "collections.abc", "dataclasses", "typing", "numpy", "numpy.typing"),
    *("scipy.linalg", "scipy.linalg.lapack", "scipy.special"),
}


# Models whose compiled sampler is shown, too: a Gibbs sampler, one with Newton proposals, a chain in time.
COMPILED = ("wishart", "poisson", "state_space")


def emitted(path: Path, backend: str = "numpy") -> str:
    """Return the sampler of a packaged model."""
    derivation = derive(parse_model(path.read_text(encoding="utf-8")))
    return emit(derivation, make_plan(derivation), backend=backend, sizes={"p": 2})


def test_golden_files_are_current(request):
    fresh = {f"{path.stem}.py": emitted(path) for path in MODELS}
    fresh |= {f"compiled/{p.stem}.py": emitted(p, "numba") for p in MODELS if p.stem in COMPILED}
    if request.config.getoption("--update-generated"):
        (GENERATED / "compiled").mkdir(parents=True, exist_ok=True)
        for stale in GENERATED.rglob("*.py"):
            if stale.relative_to(GENERATED).as_posix() not in fresh:
                stale.unlink()
        for name, text in fresh.items():
            (GENERATED / name).write_text(text, encoding="utf-8")
    kept = sorted(path.relative_to(GENERATED).as_posix() for path in GENERATED.rglob("*.py"))
    assert kept == sorted(fresh), f"the files in generated/ differ; run: {UPDATE}"
    for name, text in fresh.items():
        old = (GENERATED / name).read_text(encoding="utf-8")
        lines = difflib.unified_diff(
            old.splitlines(), text.splitlines(), f"generated/{name}", "emitted now", lineterm=""
        )
        assert old == text, "\n".join([*lines, f"to update: {UPDATE}"])


@pytest.mark.parametrize("arguments", [("check",), ("format", "--check")])
def test_ruff_finds_nothing(arguments):
    command = [sys.executable, "-m", "ruff", *arguments, "--isolated", "--no-cache", str(GENERATED)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_only_numpy_and_scipy_are_imported(path):
    tree = ast.parse((GENERATED / f"{path.stem}.py").read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert {alias.name for alias in node.names} <= ALLOWED
        elif isinstance(node, ast.ImportFrom):
            assert node.module in ALLOWED


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_every_function_is_used(path):
    text = (GENERATED / f"{path.stem}.py").read_text(encoding="utf-8")
    names = [node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    public = {"prepare", "sample", "predict", "log_likelihood", "log_joint"}
    for name in names:
        uses = len(
            [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name) and node.id == name]
        )
        assert uses or name in public, f"{name} in {path.stem} is never used"


def test_bytes_do_not_depend_on_the_hash_seed():
    program = (
        "import hashlib, sys; sys.path.insert(0, sys.argv[1]);"
        "from tests.test_generated import MODELS, emitted;"
        "print(hashlib.sha256(''.join(map(emitted, MODELS)).encode()).hexdigest())"
    )
    found = set()
    for seed in ("0", "1", "20231"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", program, str(ROOT)],
            capture_output=True, text=True, check=True, env=environment, cwd=ROOT,
        )  # fmt: skip
        found.add(done.stdout)
    assert len(found) == 1
