"""Reading data: every source gives the same columns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from deriver.errors import DataError
from deriver.running.levels import order_levels
from deriver.running.tables import Arrays, Table, read_data, table_of

ROWS = {"who": ["b", "a", "b"], "day": [1, 2, 3], "y": [1.5, None, 2.5]}


def check_rows(table: Table | Arrays | None) -> None:
    """Check that a table holds the three rows."""
    assert isinstance(table, Table)
    assert table.columns["who"].labels == ("b", "a", "b")
    assert table.columns["who"].numbers is None
    assert table.columns["day"].labels == (1, 2, 3)
    numbers = table.columns["y"].numbers
    assert numbers is not None
    np.testing.assert_array_equal(numbers, [1.5, np.nan, 2.5])


def test_frames() -> None:
    check_rows(read_data(pd.DataFrame(ROWS)))
    check_rows(read_data(pd.DataFrame(ROWS).convert_dtypes()))
    check_rows(read_data(pl.DataFrame(ROWS)))
    check_rows(read_data(pl.LazyFrame(ROWS)))
    check_rows(read_data(pa.table(ROWS)))
    check_rows(read_data([dict(zip(ROWS, row, strict=True)) for row in zip(*ROWS.values(), strict=True)]))
    arrays = read_data(ROWS)
    assert isinstance(arrays, Arrays)
    check_rows(table_of(arrays))


def test_files(tmp_path: Path) -> None:
    csv, tsv, parquet, json = (tmp_path / f"a.{end}" for end in ("csv", "tsv", "parquet", "json"))
    csv.write_text('\ufeff# a comment\nwho,day,y\nb,1,1.5\n\na,2,NA\n"b",3,2.5\n', encoding="utf-8")
    tsv.write_text("who\tday\ty\nb\t1\t1.5\na\t2\t\nb\t3\t2.5\n")
    pd.DataFrame(ROWS).to_parquet(parquet)
    pd.DataFrame(ROWS).to_json(json, orient="records")
    for path in (csv, tsv, parquet, json):
        check_rows(read_data(path))
    table = read_data(csv)
    assert isinstance(table, Table)
    assert table.place(1) == "line 5"


def test_labels_with_leading_zeros_stay_text(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,y\n007,1\n010,2\n")
    table = read_data(path)
    assert isinstance(table, Table)
    assert table.columns["id"].labels == ("007", "010")


def test_categories_keep_their_order() -> None:
    order = ["low", "mid", "high"]
    pandas = pd.DataFrame({"g": pd.Categorical(["high", "low"], categories=order)})
    polars = pl.DataFrame({"g": ["high", "low"]}, schema={"g": pl.Enum(order)})
    for frame in (pandas, polars):
        table = read_data(frame)
        assert isinstance(table, Table)
        assert table.columns["g"].categories == tuple(order)


@pytest.mark.parametrize("source", [pd.DataFrame({"a": []}), 3, [1, 2], "nowhere.csv"])
def test_what_is_no_data(source: object) -> None:
    with pytest.raises(DataError):
        read_data(source)


@pytest.mark.parametrize("large", [2**53 + 1, 2**60 + 1, -(2**62) - 1, 10**30 + 1])
def test_whole_labels_beyond_doubles_stay_apart(large: int, tmp_path: Path) -> None:
    """Neighbours that are the same double are labels of their own, from text, from columns and from integers."""
    near = large - 1 if large > 0 else large + 1
    labels = (large, near, 3, large)
    path = tmp_path / "rows.csv"
    path.write_text("g,y\n" + "".join(f"{label},1\n" for label in labels), encoding="utf-8")
    assert float(large) == float(near)
    for source in (path, [{"g": label, "y": 1.0} for label in labels]):
        table = read_data(source)
        assert isinstance(table, Table)
        assert table.columns["g"].labels == labels
        assert len(order_levels([table.columns["g"]]).labels) == 3


def test_cells_may_have_spaces_between_them(tmp_path: Path) -> None:
    """As R writes them; names with a space in a file of one column stay one name."""
    (tmp_path / "spaces.txt").write_text('"who" "day"  "y"\nb 1 1.5\na  2 NA\nb 3 2.5\n')
    check_rows(read_data(tmp_path / "spaces.txt"))
    (tmp_path / "one.csv").write_text("reaction time\n1.5\n2.5\n")
    table = read_data(tmp_path / "one.csv")
    assert isinstance(table, Table)
    assert list(table.columns) == ["reaction time"]
