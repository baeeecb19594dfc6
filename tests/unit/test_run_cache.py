"""Sources kept from run to run: found again only for the same model, options, sizes and program."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import deriver
from deriver.errors import InternalError
from deriver.running import cache
from deriver.running.cache import Choice, choice_key, keep_choice, recall_choice
from deriver.running.sampling import INNER, Settings

ROOT = Path(__file__).parents[2]
TEXT = """model mean
plates
  i = 1..n
given
  v > 0 = 1
data
  y[i] ~ N(mu, sigma2)
parameters
  mu ~ N(0, v)
  sigma2 ~ IG(1, 1)
"""
MODEL = deriver.parse_model(TEXT)
DATA = {"y": np.arange(5.0)}
CHOICE = Choice(backend="numpy", reason="as asked", source="print('hello')\n")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test an empty cache."""
    monkeypatch.setenv("DERIVER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def run(**options: Any) -> Any:
    """Run the model for a moment."""
    return deriver.run(MODEL, DATA, draws=20, warmup=5, seed=1, backend="numpy", **options)


def forbid_derivation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every derivation fail."""

    def refuse(*_: object) -> None:
        raise AssertionError("derived anew")

    monkeypatch.setattr("deriver.pipeline.derive", refuse)


def test_a_second_run_derives_nothing_and_draws_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    first = run()
    forbid_derivation(monkeypatch)
    second = run()
    assert second.source == first.source
    assert "an earlier run derived" in second.notes[-1]
    assert "earlier" not in first.notes[-1]
    for name, variable in first.posterior.variables.items():
        np.testing.assert_array_equal(variable.array, second.posterior.variables[name].array)


def test_a_second_run_with_auxiliary_variables_derives_nothing_and_says_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = """model groups
plates
  i = 1..n
data
  y[i] ~ Binomial(5, logit=b[i])
process
  b[i] ~ Normal(0, prec=tau)
parameters
  tau ~ Gamma(shape=3, rate=2)
"""
    data = {"n": 4, "y": np.array([1, 4, 2, 3])}
    options = {"draws": 20, "warmup": 5, "seed": 1, "backend": "numpy"}
    first = deriver.run(deriver.parse_model(text), data, **options)
    monkeypatch.setattr("deriver.remedies.auxiliary.derive", None)
    second = deriver.run(deriver.parse_model(text), data, **options)
    assert "omega_y" in first.source and second.source == first.source
    assert "tau" in second.posterior and "omega_y" not in second.posterior
    told = [[note for note in result.notes if "added" in note] for result in (first, second)]
    assert told[0] == told[1] != []
    with pytest.raises(TypeError):
        deriver.run(deriver.parse_model(text), {**data, "y": np.array([1, 4, 0, 0])}, augment="on", **options)


def test_a_second_run_on_statistics_derives_nothing_and_draws_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(1)
    rows = {"i": rng.integers(0, 5, 60), "x": rng.standard_normal(60), "y": rng.standard_normal(60)}
    pq.write_table(pa.table(rows), tmp_path / "rows.parquet")
    options: dict[str, Any] = {"index": {"i": "i"}, "reduce": "on", "draws": 20, "warmup": 5, "seed": 1}
    first = deriver.run("random_intercepts", tmp_path / "rows.parquet", **options)
    forbid_derivation(monkeypatch)
    second = deriver.run("random_intercepts", tmp_path / "rows.parquet", **options)
    assert "an earlier run derived" in " ".join(second.notes)
    assert "earlier" not in " ".join(first.notes)
    for name, variable in first.posterior.variables.items():
        np.testing.assert_array_equal(variable.array, second.posterior.variables[name].array)
    with pytest.raises(AssertionError, match="derived anew"):
        deriver.run("random_intercepts", tmp_path / "rows.parquet", cache=False, **options)


def test_recipes_of_other_models_and_plans_have_other_keys() -> None:
    own = ("recipe", MODEL, None, "off")
    changed = [
        ("choice", *own[1:]),
        (own[0], deriver.load_model("wishart"), *own[2:]),
        (*own[:2], {"mu": "slice"}, "off"),
    ]
    assert len({cache.model_key(*each) for each in [own, *changed, (*own[:3], "on")]}) == 5


def test_without_the_cache_a_run_derives_anew(monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> None:
    run(cache=False)
    assert not own_cache.exists()
    run()
    forbid_derivation(monkeypatch)
    with pytest.raises(AssertionError, match="derived anew"):
        run(cache=False)


def test_a_source_that_fails_its_check_is_not_kept(monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> None:
    def fail(derivation: object, **options: object) -> None:
        raise InternalError("the ratio is off")

    monkeypatch.setattr("deriver.derivation.density_ratio.check_derivation", fail)
    with pytest.raises(InternalError, match="the ratio is off"):
        run()
    assert not list(own_cache.rglob("*.json")) if own_cache.exists() else True
    monkeypatch.undo()


def key_of(**changes: Any) -> str:
    """Return the key of the model with some of what it depends on changed."""
    options: dict[str, Any] = {
        "model": MODEL, "arrays": {**DATA, "n": np.array(5)}, "settings": Settings(), "backend": "auto",
        "methods": None, "blocks": "off", "templates": None,
    }  # fmt: skip
    options |= changes
    model, arrays, settings = (options.pop(name) for name in ("model", "arrays", "settings"))
    return choice_key(model, arrays, settings, **options)


@pytest.mark.parametrize(
    "changes",
    [
        {"model": deriver.parse_model(TEXT.replace("IG(1, 1)", "IG(1, 2)"))},
        {"model": deriver.parse_model(TEXT.replace("v > 0 = 1", "v > 0 = 2"))},
        {"model": deriver.parse_model(TEXT.replace("v > 0 = 1", "v > 0 = 1.0"))},
        {"model": replace(MODEL, comment="a comment, which the source repeats")},
        {"arrays": {"y": np.arange(6.0), "n": np.array(6)}},
        {"settings": Settings(draws=10**6)},
        {"backend": "numba"},
        {"methods": {"mu": "slice"}},
        {"blocks": "on"},
    ],
)  # fmt: skip
def test_what_the_source_depends_on_is_in_the_key(changes: dict[str, Any]) -> None:
    assert key_of(**changes) != key_of()


def test_values_of_the_data_are_not_in_the_key() -> None:
    assert key_of(arrays={"y": np.ones(5), "n": np.array(5)}) == key_of()


def test_lengths_are_in_the_key_where_the_backend_is_to_be_chosen() -> None:
    assert key_of(backend="numpy", settings=Settings(draws=10**6)) == key_of(backend="numpy")
    vectors = deriver.load_model("wishart")
    keys = {key_of(backend="numba", model=vectors, arrays={"p": np.array(p)}) for p in (2, 3)}
    assert len(keys) == 2


def test_templates_and_files_of_the_package_are_in_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.jinja").write_text("one", encoding="utf-8")
    one = key_of(templates=tmp_path)
    (tmp_path / "a.jinja").write_text("two", encoding="utf-8")
    assert len({one, key_of(templates=tmp_path), key_of()}) == 3
    plain = key_of()
    for name in ("_digest_of_package", "_installed_sympy"):
        monkeypatch.setattr(cache, name, lambda: "another")
        assert key_of() != plain
        plain = key_of()


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"kept": 3}', "changed", "binary"])
def test_a_damaged_file_counts_as_none(own_cache: Path, damage: str) -> None:
    keep_choice("key", CHOICE)
    assert recall_choice("key") == CHOICE
    (file,) = own_cache.rglob("*.json")
    if damage == "changed":
        kept = json.loads(file.read_text(encoding="utf-8"))
        kept["kept"]["source"] += "# edited"
        file.write_text(json.dumps(kept), encoding="utf-8")
    elif damage == "binary":
        file.write_bytes(b"\xff\xfe\x00")
    else:
        file.write_text(damage, encoding="utf-8")
    assert recall_choice("key") is None


def test_a_cache_that_cannot_be_written_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    monkeypatch.setenv("DERIVER_CACHE", str(tmp_path / "file"))
    keep_choice("key", CHOICE)
    assert recall_choice("key") is None


def test_writers_at_the_same_time_leave_a_whole_file(own_cache: Path) -> None:
    choices = [replace(CHOICE, source=f"# {k}\n" * 2000) for k in range(20)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda choice: keep_choice("key", choice), choices))
    assert recall_choice("key") in choices
    assert not list(own_cache.rglob("*.part"))


def test_entries_used_last_stay(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "KEPT", 2)
    for number, key in enumerate(("a", "b", "c")):
        keep_choice(key, CHOICE)
        os.utime(own_cache / key, (number, number))
    keep_choice("d", CHOICE)
    assert [recall_choice(key) is not None for key in "abcd"] == [False, False, True, True]


HEAVY = ("arviz", "xarray", "pandas", "matplotlib", "polars", "scipy.stats", "sympy")
SCRIPT = """
import sys
from deriver.cli import main
status = main(sys.argv[1:])
print("loaded:", [name for name in {heavy!r} if name in sys.modules])
sys.exit(status)
"""


def test_a_second_run_of_the_command_imports_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "mean.model").write_text(TEXT, encoding="utf-8")
    (tmp_path / "y.csv").write_text("y\n1\n2\n4\n", encoding="utf-8")
    command = [sys.executable, "-c", SCRIPT.format(heavy=HEAVY), "run", "mean.model", "--data", "y.csv"]
    command += ["--draws", "50", "--warmup", "10", "--seed", "1", "--overwrite", "--backend", "numpy"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    first, second = (
        subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    )
    assert "loaded: ['sympy']" in first
    assert "loaded: []" in second


@pytest.mark.parametrize("name", ["wishart", "poisson", "random_intercepts"])
def test_a_compiled_source_has_the_lines_that_a_run_seals(name: str) -> None:
    source = deriver.emit(name, backend="numba", sizes={"p": 2})
    assert {match[1] for match in INNER.finditer(source)} == {"compiled", "inlined", "merged"}
    called = re.findall(r"@entry\ndef (\w+)", source)
    assert "run" in called
    assert {"draw_mu", "draw_mu0", "sweep"}.isdisjoint(called)
