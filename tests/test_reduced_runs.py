"""Runs on Parquet data that are reduced to statistics in one pass draw what runs on the rows draw, up to rounding."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import deriver
from deriver.language import parse_model
from tests.hand import nested_groups, random_intercepts_long

SHORT: dict[str, Any] = {"draws": 20, "warmup": 10, "chains": 2, "seed": 3, "progress": False}


def make_rows(*, groups: int = 7, rows: int = 400, texts: bool = False) -> dict[str, Any]:
    """Rows of unequal groups in any order, with a covariate far from zero."""
    rng = np.random.default_rng(20240607)
    group = rng.choice(groups, size=rows, p=rng.dirichlet(np.full(groups, 2.0)))
    days = 1e3 + rng.standard_normal(rows)
    y = rng.standard_normal(groups)[group] + 0.5 * (days - 1e3) + rng.standard_normal(rows)
    labels = np.array([f"s{(7 * k) % 11:02d}" for k in range(groups)]) if texts else 5 * np.arange(groups) - 9
    return {
        "subject": labels[group].tolist(),
        "days": days,
        "y": y,
        "dose": np.array(["a", "b", "c"])[group % 3].tolist(),
    }


def write(folder: Path, columns: dict[str, Any], *, files: int = 3, size: int = 37) -> Path:
    """Write columns as a folder of files with small row groups, texts of the first as dictionaries."""
    table = pa.table(columns)
    cuts = np.linspace(0, table.num_rows, files + 1).astype(int)
    folder.mkdir()
    for k, (first, last) in enumerate(pairwise(cuts)):
        part = table.slice(first, last - first)
        pq.write_table(part, folder / f"part-{k}.parquet", row_group_size=size, use_dictionary=k == 0)
    return folder


def assert_same_draws(model: Any, path: Path, **options: Any) -> Any:
    """Run on the rows and on the statistics; the draws must agree to ten digits, and the coordinates."""
    whole = deriver.run(model, path, reduce="off", **SHORT, **options)
    small = deriver.run(model, path, reduce="on", **SHORT, **options)
    assert "reduced to statistics" in " ".join(small.notes)
    assert set(whole.idata.posterior) == set(small.idata.posterior)
    for name, values in whole.idata.posterior.items():
        other = small.idata.posterior[name]
        assert dict(values.coords.sizes) == dict(other.coords.sizes)
        for axis in values.coords:
            assert values[axis].values.tolist() == other[axis].values.tolist()
        scale = np.abs(values.values).max()
        np.testing.assert_allclose(
            other.values, values.values, rtol=1e-9, atol=1e-9 * scale, err_msg=str(name)
        )
    return small


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("texts", [False, True])
def test_random_intercepts(tmp_path: Path, backend: Any, texts: bool) -> None:
    path = write(tmp_path / "rows", make_rows(texts=texts))
    assert_same_draws(
        "random_intercepts", path, columns={"x": "(days - 1000) / 7"}, index={"i": "subject"}, backend=backend
    )


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_vectors_of_covariates(tmp_path: Path, backend: Any) -> None:
    path = write(tmp_path / "rows", make_rows())
    columns = {"x": "[1, days - 1000, dose[b]]"}
    small = assert_same_draws("wishart", path, columns=columns, index={"i": "subject"}, backend=backend)
    assert small.components == ("p: 1 = 1, 2 = days - 1000, 3 = dose[b]",)


@pytest.mark.parametrize(
    "name", ["random_slopes", "independent_effects", "varying_variance", "random_log_sd"]
)
def test_other_models(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "rows", make_rows())
    design = "days - 1000" if name in ("random_slopes", "independent_effects") else "[1, days - 1000]"
    assert_same_draws(name, path, columns={"x": design}, index={"i": "subject"}, blocks="off")


@pytest.mark.parametrize("name", ["random_intercepts", "wishart", "independent_effects"])
def test_variances_with_effects_integrated_out(tmp_path: Path, name: str) -> None:
    """The marginal density of the variances is made of sums and fits of the rows, too."""
    path = write(tmp_path / "rows", make_rows())
    columns = {"x": "[1, days - 1000]" if name == "wishart" else "days - 1000"}
    small = assert_same_draws(
        name, path, columns=columns, index={"i": "subject"}, blocks="on", backend="numpy"
    )
    assert "log_marginal" in small.source and "data.y" not in small.source


def test_long_format(tmp_path: Path) -> None:
    path = write(tmp_path / "rows", make_rows())
    model = parse_model(random_intercepts_long.MODEL)
    values = {
        each.name: "1"
        for each in model.givens
        if each.origin == "given" and not each.indices and each.default is None
    }
    assert_same_draws(model, path, columns={"x": "days - 1000", "g": "subject"}, values=values)


def test_groups_within_groups(tmp_path: Path) -> None:
    rows = make_rows(groups=9)
    model = parse_model(nested_groups.MODEL)
    values = {
        each.name: "1"
        for each in model.givens
        if each.origin == "given" and not each.indices and each.default is None
    }
    path = write(tmp_path / "rows", rows)
    assert_same_draws(
        model, path, columns={"x": "days - 1000", "g": "subject", "school": "dose"}, values=values
    )


COUNTS = """model counts
plates
  i = 1..n
  k = 1..K
given
  g : k -> i
  e[k] > 0
data
  y[k] ~ Poisson(rate=theta[g[k]] * e[k])
process
  theta[i] ~ Gamma(shape=a, rate=b)
parameters
  a ~ Gamma(shape=2, rate=1)
  b ~ Gamma(shape=2, rate=1)
"""

KNOWN_VARIANCES = """model known_variances
plates
  i = 1..n
  j = 1..J[i]
given
  v[i,j] > 0
  x[i,j]
data
  log(y[i,j]) ~ N(a[i] + b * x[i,j], s * v[i,j])
process
  a[i] ~ N(m, t)
parameters
  b ~ N(0, 1e4)
  m ~ N(0, 1e4)
  s ~ IG(2, 1)
  t ~ IG(2, 1)
"""

BLOCKS = """model blocks
plates
  i = 1..n
  j = 1..J
data
  y[i,j] ~ N(a[i], s)
process
  a[i] ~ N(m, t)
parameters
  m ~ N(0, 1e4)
  s ~ IG(2, 1)
  t ~ IG(2, 1)
"""

REGRESSION = """model regression
plates
  k = 1..K
given
  x[k] : vector(p)
data
  y[k] ~ N(x[k]' * b, s)
parameters
  b ~ N(0 * ones(p), 1e4 * eye(p))
  s ~ IG(2, 1)
"""


def test_counts(tmp_path: Path) -> None:
    rows = make_rows()
    rng = np.random.default_rng(4)
    rows |= {"e": rng.uniform(1, 2, 400), "y": rng.poisson(3.0, 400)}
    path = write(tmp_path / "rows", rows)
    # A method that is asked for keeps a out of the move with b, which reads the rows.
    assert_same_draws(parse_model(COUNTS), path, index={"i": "subject"}, methods={"a": "random_walk"})


def test_weights_and_a_transformed_response(tmp_path: Path) -> None:
    rows = make_rows()
    rows |= {"y": np.exp(rows["y"]), "v": np.random.default_rng(4).uniform(0.5, 2, 400)}
    path = write(tmp_path / "rows", rows)
    assert_same_draws(
        parse_model(KNOWN_VARIANCES), path, columns={"x": "days - 1000"}, index={"i": "subject"}
    )


def test_groups_of_one_length(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    subject = rng.permutation(np.repeat(np.arange(8), 5))
    path = write(tmp_path / "rows", {"subject": subject, "y": rng.standard_normal(40)}, size=7)
    assert_same_draws(parse_model(BLOCKS), path, index={"i": "subject"})
    uneven = write(tmp_path / "uneven", {"subject": np.append(subject, 3), "y": rng.standard_normal(41)})
    with pytest.raises(deriver.DeriverError, match="the groups have between 5 and 6 rows"):
        deriver.run(parse_model(BLOCKS), uneven, index={"i": "subject"}, reduce="on", **SHORT)


def test_no_groups(tmp_path: Path) -> None:
    path = write(tmp_path / "rows", make_rows())
    assert_same_draws(parse_model(REGRESSION), path, columns={"x": "[days - 1000, 1, dose[b]]"})


def test_groups_without_rows(tmp_path: Path) -> None:
    rows = make_rows()
    rows["subject"] = [1 + (label + 9) // 5 for label in rows["subject"]]
    path = write(tmp_path / "rows", rows)
    small = assert_same_draws(
        "random_intercepts", path, columns={"x": "days - 1000"}, index={"i": "subject"}, values={"n": 12}
    )
    assert small.idata.posterior["beta0"].sizes["i"] == 12
