"""What a reduced run says of data and models that it cannot take, and reading in pieces: files, row groups, a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from distributed import LocalCluster

import deriver
from deriver.errors import DeriverError
from deriver.language import parse_model
from deriver.pipeline import derive, plan
from deriver.reduction.labels import Labels, MissingLabel
from deriver.reduction.recipe import make_recipe
from deriver.reduction.run import choose_reduction
from deriver.running.job import Job

OPTIONS: dict[str, Any] = {
    "columns": {"x": "days"},
    "index": {"i": "subject"},
    "draws": 5,
    "warmup": 5,
    "progress": False,
}


def write(path: Path, *, size: int = 50, **changes: Any) -> Path:
    """Write 200 rows in file order, with columns put in place of these."""
    rng = np.random.default_rng(5)
    columns = {
        "subject": rng.integers(0, 6, 200),
        "days": rng.standard_normal(200),
        "y": rng.standard_normal(200),
    }
    pq.write_table(pa.table({**columns, **changes}), path, row_group_size=size)
    return path


def with_null(row: int) -> pa.Array:
    """A column of ones with one cell missing."""
    return pa.array([None if k == row else 1.0 for k in range(200)])


def refusal(model: Any, path: Path, **changes: Any) -> str:
    """The message of a reduced run that is refused."""
    with pytest.raises(DeriverError) as caught:
        deriver.run(model, path, reduce="on", **{**OPTIONS, **changes})
    return str(caught.value)


# --- what is wrong with the data ---------------------------------------------------------------------------------


def test_a_missing_covariate_is_named_by_row_and_column(tmp_path: Path) -> None:
    text = refusal("random_intercepts", write(tmp_path / "rows.parquet", days=with_null(123)))
    assert "row 124 of rows.parquet: column `days` is blank" in text


def test_a_missing_response_is_named_by_row(tmp_path: Path) -> None:
    text = refusal("random_intercepts", write(tmp_path / "rows.parquet", y=with_null(61)))
    assert "row 62 of rows.parquet: `y` is missing" in text
    assert "reduce off keeps the rows in memory" in text


@pytest.mark.parametrize(
    "labels",
    [[None if k == 77 else k % 5 for k in range(200)], [None if k == 77 else "a" for k in range(200)]],
)
def test_a_missing_label_is_named_by_row(tmp_path: Path, labels: list[Any]) -> None:
    text = refusal("random_intercepts", write(tmp_path / "rows.parquet", subject=pa.array(labels)))
    assert "row 78 of rows.parquet: column `subject` is blank" in text


def test_an_infinite_cell_is_named_by_row(tmp_path: Path) -> None:
    days = np.ones(200)
    days[150] = np.inf
    assert "row 151 of rows.parquet: `x` is infinite" in refusal(
        "random_intercepts", write(tmp_path / "rows.parquet", days=days)
    )


def test_columns_that_are_not_there_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.parquet")
    assert "there is no column `dayz`" in refusal("random_intercepts", path, columns={"x": "dayz - 1"})
    assert "there is no column `person`" in refusal("random_intercepts", path, index={"i": "person"})
    assert "no column says which `i` a row belongs to" in refusal("random_intercepts", path, index={})
    assert "no column is mapped to the covariate `x`" in refusal("random_intercepts", path, columns={})


def test_a_column_of_texts_is_no_covariate(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.parquet", days=["u"] * 200)
    assert "column `days` holds the text `u`" in refusal("random_intercepts", path)


def test_a_label_that_no_row_has(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.parquet", dose=["a"] * 199 + ["b"])
    text = refusal("random_intercepts", path, columns={"x": "dose[c]"})
    assert "the column `dose` has no label `c`" in text


def test_a_value_of_a_group_that_differs_between_its_rows(tmp_path: Path) -> None:
    model = parse_model(
        "model m\nplates\n  i = 1..n\n  j = 1..J[i]\ngiven\n  w[i]\ndata\n  y[i,j] ~ N(a[i], s)\nprocess\n"
        "  a[i] ~ N(b * w[i], t)\nparameters\n  b ~ N(0, 1e4)\n  s ~ IG(2, 1)\n  t ~ IG(2, 1)\n"
    )
    subject = np.arange(200) // 50
    good = write(tmp_path / "good.parquet", subject=subject, w=10.0 * subject, size=30)
    options = {**OPTIONS, "columns": {}, "seed": 1}
    whole, small = (deriver.run(model, good, reduce=way, **options) for way in ("off", "on"))
    np.testing.assert_allclose(small.idata.posterior["b"], whole.idata.posterior["b"], rtol=1e-9)
    bad = write(tmp_path / "bad.parquet", subject=subject, w=[1.0] * 170 + [2.0] + [1.0] * 29)
    text = refusal(model, bad, columns={})
    assert "row 171 of bad.parquet: `w` differs from another row of the same `i`" in text


def test_files_with_different_columns(tmp_path: Path) -> None:
    folder = tmp_path / "rows"
    folder.mkdir()
    write(folder / "a.parquet")
    write(folder / "b.parquet", more=np.ones(200))
    assert "b.parquet has the columns" in refusal("random_intercepts", folder)


def test_data_that_are_no_parquet_files() -> None:
    with pytest.raises(DeriverError, match="data that are no Parquet files"):
        deriver.run("random_intercepts", {"y": [1.0]}, reduce="on", **OPTIONS)


# --- what a model rules out --------------------------------------------------------------------------------------


def test_a_node_that_needs_each_row_is_named_with_the_reason(tmp_path: Path) -> None:
    text = refusal("poisson", write(tmp_path / "rows.parquet"), columns={"x": "[1, days]"})
    assert "`beta` needs each row at every sweep (it reads i_of_j, x)" in text
    assert "weighed by the likelihood of every row" in text


def test_a_latent_variable_of_each_row_is_named(tmp_path: Path) -> None:
    text = refusal("state_space", write(tmp_path / "rows.parquet"), columns={}, index={})
    assert "`z` has a value for each row, which is drawn at every sweep" in text


def test_pointwise_results_need_the_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.parquet")
    assert "pointwise log likelihoods" in refusal("random_intercepts", path, log_likelihood=True)


def test_labels_of_rows_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.parquet")
    assert "labels the rows, which are not kept" in refusal(
        "random_intercepts", path, index={"i": "subject", "j": "days"}
    )


# --- when --------------------------------------------------------------------------------------------------------


def test_auto_reduces_what_would_fill_a_quarter_of_the_memory(tmp_path: Path) -> None:
    path, job = write(tmp_path / "rows.parquet"), Job(columns={"x": "days", "y": "y"}, index={"i": "subject"})
    size = 200 * 3 * 130
    chosen = choose_reduction(path, job, memory=4 * size - 4)
    assert (
        chosen is not None
        and "200 rows of 3 columns" in chosen.note
        and "quarter of the memory" in chosen.note
    )
    assert choose_reduction(path, job, memory=4 * size) is None
    assert choose_reduction(path, job, choice="off", memory=1) is None


# --- labels ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["int64", "int16", "string", "float64", "date32"])
def test_labels_are_numbered_as_they_are_met(kind: str) -> None:
    raw = [5, 3, 5, 900, 3, -2, 900]
    column = pa.array(raw, type=pa.int32()).cast(kind) if kind != "int64" else pa.array(raw)
    labels = Labels()
    assert labels.number(column[:3]).tolist() == [0, 1, 0]
    assert labels.number(column[3:]).tolist() == [2, 1, 3, 2]
    expected = [pa.array([x], type=pa.int32()).cast(kind)[0].as_py() for x in (5, 3, 900, -2)]
    assert labels.listed() == expected
    assert len(labels) == 4


def test_many_whole_labels() -> None:
    rng = np.random.default_rng(1)
    values = rng.integers(-(2**62), 2**62, 5000)
    drawn = rng.choice(values, 60_000)
    labels = Labels()
    codes = np.concatenate([labels.number(pa.array(drawn[:40_000])), labels.number(pa.array(drawn[40_000:]))])
    assert (np.array(labels.listed())[codes] == drawn).all()
    assert len(labels) == len(set(drawn.tolist()))


@pytest.mark.parametrize("step", [1, -1, 3, 7, -1000, 2**40])
def test_whole_labels_in_batches_that_widen_their_range(step: int) -> None:
    """Close labels have a table, which grows to both sides; spread ones the hash table, from any batch on."""
    rng = np.random.default_rng(2)
    drawn = np.concatenate(
        [k * 1000 * step + rng.integers(0, 900, 800) * step for k in (0, 3, -2, 20, -30, 40)]
    )
    labels = Labels()
    codes = np.concatenate([labels.number(pa.array(part)) for part in np.array_split(drawn, 13)])
    assert (np.array(labels.listed())[codes] == drawn).all()
    met = list(dict.fromkeys(drawn.tolist()))
    assert labels.listed() == met
    found, order = labels.sorted()
    assert list(found) == sorted(met) == [met[k] for k in order]
    assert (labels.whole.places is not None) == (abs(step) < 3)


def test_whole_labels_at_the_ends_of_their_range() -> None:
    ends = [-(2**63), -(2**63) + 1, 2**63 - 1, 2**63 - 2, 0]
    for some in (ends[:2], ends[2:4], ends):
        labels = Labels()
        assert labels.number(pa.array(some)).tolist() == list(range(len(some)))
        assert labels.number(pa.array(some[::-1])).tolist() == list(range(len(some)))[::-1]
        assert labels.listed() == some


def test_nan_is_no_label() -> None:
    with pytest.raises(MissingLabel):
        Labels().number(pa.array([1.0, float("nan")]))


# --- a cluster ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a cluster of two processes on this machine."""
    with LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as running:
        yield running.scheduler_address


@pytest.mark.parametrize("texts", [False, True])
def test_a_cluster_finds_the_same_statistics(tmp_path: Path, cluster: str, texts: bool) -> None:
    rng = np.random.default_rng(5)
    subject = rng.integers(0, 40, 200)
    labels = [f"p{k:03d}" for k in subject] if texts else subject
    path = write(tmp_path / "rows.parquet", size=30, subject=labels, days=1e6 + rng.standard_normal(200))
    job = Job(columns={"x": "days"}, index={"i": "subject"})
    derivation = derive("random_intercepts")
    recipe = make_recipe(derivation, plan(derivation))
    bindings = []
    for dask in (None, cluster):
        reduction = choose_reduction(path, job, choice="on", dask=dask)
        assert reduction is not None
        bindings.append(reduction.bind(derivation.model, recipe, job))
    local, remote = bindings
    assert local.labels["i"].labels == remote.labels["i"].labels
    assert set(local.arrays) == set(remote.arrays)
    for name, array in local.arrays.items():
        np.testing.assert_allclose(
            remote.arrays[name], array, rtol=1e-13, atol=1e-13 * np.abs(array).max(), err_msg=name
        )


def test_a_cluster_reports_mistakes_of_its_pieces(tmp_path: Path, cluster: str) -> None:
    text = refusal("random_intercepts", write(tmp_path / "rows.parquet", days=with_null(123)), dask=cluster)
    assert "row 124 of rows.parquet: column `days` is blank" in text


def test_a_cluster_that_cannot_be_reached(tmp_path: Path) -> None:
    text = refusal("random_intercepts", write(tmp_path / "rows.parquet"), dask="tcp://127.0.0.1:1")
    assert "the scheduler cannot be reached" in text
