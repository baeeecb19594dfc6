"""Rules of the house that a reader relies on: one-way imports, nothing evaluated as code, small functions."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "deriver"

# A stage may import from those before it only.
STAGES = ("model", "algebra", "families", "language", "derivation", "plan", "emission", "running")
READERS = {
    "show": STAGES[: STAGES.index("plan") + 1],
    "checking": (*STAGES[: STAGES.index("derivation") + 1], "show"),
    "remedies": (*STAGES[: STAGES.index("derivation") + 1], "show"),
    "bugs": STAGES[: STAGES.index("language") + 1],
    "examples": STAGES,
    "verification": STAGES,
    "reduction": STAGES,
}

FORBIDDEN_CALLS = {"eval", "exec", "sympify", "parse_expr", "simplify", "nsimplify", "lambdify", "compile"}
LONGEST_FUNCTION = 60

FILES = sorted(PACKAGE.rglob("*.py"))


def stage_of(path: Path) -> str:
    """Return the folder of the package in which a file stands, or the file's own stem at the top."""
    relative = path.relative_to(PACKAGE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def imported_stages(tree: ast.AST) -> set[str]:
    """Return the stages of deriver that a module imports anywhere, inside functions too."""
    stages = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("deriver."):
            stages.add(node.module.split(".")[1])
        if isinstance(node, ast.Import):
            stages |= {a.name.split(".")[1] for a in node.names if a.name.startswith("deriver.")}
    return stages


def wrong_imports(stage: str, imported: set[str]) -> set[str]:
    """Return the stages that ``stage`` must not import."""
    if stage in STAGES:
        allowed = set(STAGES[: STAGES.index(stage) + 1])
    elif stage in READERS:
        allowed = {*READERS[stage], stage}
    else:
        return set()
    return imported - allowed - {"errors"}


def called_names(tree: ast.AST) -> set[str]:
    """Return the names of the functions that a module calls, methods included but for ``re.compile``."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            match node.func:
                case ast.Name(id=name):
                    names.add(name)
                case ast.Attribute(attr=name, value=ast.Name(id=module)) if module in ("sp", "sympy"):
                    names.add(name)
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_stage_imports_only_earlier_stages(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert wrong_imports(stage_of(path), imported_stages(tree)) == set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_is_evaluated_as_code(path: Path) -> None:
    assert called_names(ast.parse(path.read_text(encoding="utf-8"))) & FORBIDDEN_CALLS == set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_functions_are_small(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    long = {f.name: f.end_lineno - f.lineno + 1 for f in functions if f.end_lineno is not None}
    assert {name: size for name, size in long.items() if size > LONGEST_FUNCTION} == {}


def test_the_rules_can_fail() -> None:
    """Each rule, broken once, is caught."""
    backwards = ast.parse("from deriver.emission.source import emit")
    assert wrong_imports("derivation", imported_stages(backwards)) == {"emission"}
    hidden = ast.parse("def f(text):\n    import sympy as sp\n    return sp.sympify(text)")
    assert called_names(hidden) & FORBIDDEN_CALLS == {"sympify"}
