"""Data and inits of BUGS programs: JSON, OpenBUGS's list and R's dump."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deriver.bugs import read_arrays
from deriver.bugs.data import read_r
from deriver.errors import DataError


def test_a_list_fills_its_rows_first() -> None:
    found = read_r("list(N = 2, Y = structure(.Data = c(1, 2, 3, NA, 5, 6), .Dim = c(2, 3)))")
    assert found["N"] == 2
    assert found["Y"][0].tolist() == [1, 2, 3]
    assert np.isnan(found["Y"][1, 0])


def test_a_dump_fills_its_columns_first() -> None:
    found = read_r(
        '"Y" <-\nstructure(c(1L, 2L, 3L, 4L, 5L, 6L), .Dim = c(2L, 3L))\n`x.y` <- c(1e-3, -2)\n"N" = 3'
    )
    assert found["Y"].tolist() == [[1, 3, 5], [2, 4, 6]]
    assert found["x.y"].tolist() == [0.001, -2]
    assert found["N"] == 3


def test_ranges_logicals_and_comments() -> None:
    found = read_r("# data\nx <- 1:4\ny <- c(TRUE, FALSE, T)  # three\nz <- as.integer(c(1, 2))")
    assert found["x"].tolist() == [1, 2, 3, 4]
    assert found["y"].tolist() == [1, 0, 1]
    assert found["z"].tolist() == [1, 2]


def test_three_dimensions() -> None:
    numbers = ", ".join(map(str, range(8)))
    by_row = read_r(f"list(X = structure(.Data = c({numbers}), .Dim = c(2, 2, 2)))")["X"]
    by_column = read_r(f"X <- structure(c({numbers}), .Dim = c(2, 2, 2))")["X"]
    assert by_row[0, 0].tolist() == [0, 1]
    assert by_column[0, 0].tolist() == [0, 4]


def test_ranges_that_fall_and_repeats() -> None:
    found = read_r(
        "x <- c(1:3, 2:1)\ny <- rep(c(1, 2), 2)\nz <- rep(c(1, 2), each = 2)\nw = rep(NA, times = 3)"
    )
    assert found["x"].tolist() == [1, 2, 3, 2, 1]
    assert found["y"].tolist() == [1, 2, 1, 2]
    assert found["z"].tolist() == [1, 1, 2, 2]
    assert np.isnan(found["w"]).tolist() == [True, True, True]


def test_a_list_of_r_fills_its_columns_first_and_may_name_its_rows() -> None:
    """R writes no ``.Data``; OpenBUGS always does."""
    found = read_r(
        'list(Y = structure(c(1, 2, 3, 4), .Dim = c(2L, 2L), .Dimnames = list(c("a", "b"), NULL)), N = 2)'
    )
    assert found["Y"].tolist() == [[1, 3], [2, 4]]
    assert found["N"] == 2


def test_the_generator_of_jags_is_passed_over(tmp_path: Path) -> None:
    dump = '".RNG.name" <- "base::Wichmann-Hill"\n.RNG.seed <- 314159\n.RNG.state <- c(1L, 2L)\nmu <- 2'
    assert read_r(dump) == {"mu": 2}
    path = tmp_path / "inits.json"
    path.write_text('{".RNG.name": "base::Wichmann-Hill", ".RNG.seed": 1, "mu": 2}')
    assert read_arrays(path) == {"mu": 2}


def test_a_table_beside_a_list() -> None:
    text = "list(N = 2)\r\n t[]  y[,1] y[,2]\n1 2 NA\n\n3 4.5 -6e0\nEND\nlist(k = 1)\n"
    found = read_r(text)
    assert found["N"] == 2 and found["k"] == 1
    assert found["t"].tolist() == [1, 3]
    np.testing.assert_array_equal(found["y"], [[2, np.nan], [4.5, -6]])


def test_json_with_nulls_and_comments(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_text('{"_note": "made up", "x.bar": 2, "Y": [[1, null], [3, 4]]}')
    found = read_arrays(path)
    assert set(found) == {"x.bar", "Y"}
    assert np.isnan(found["Y"][0, 1])


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("list(x = c(1, 2)", ("line 1", "ends too early")),
        ("x <- c(1,\n two)", ("line 2", "found `two`")),
        ("list(Y = structure(.Data = c(1, 2, 3), .Dim = c(2, 2)))", ("3 numbers in an array", "4 numbers")),
        ("list(N = 2)\nx[] y[]\n1 2\n3\nEND", ("line 4", "1 numbers below 2 names")),
        ("x[] y[]\n1 two\nEND", ("line 2", "the row `1 two`", "numbers or NA")),
        ("x <- 1 @ 2", ("the character '@'",)),
    ],
)
def test_what_cannot_be_read_is_named(text: str, parts: tuple[str, ...]) -> None:
    with pytest.raises(DataError) as caught:
        read_r(text, "data.R")
    for part in ("data.R", *parts):
        assert part in str(caught.value)


def test_ragged_json_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_text('{"Y": [[1], [2, 3]]}')
    with pytest.raises(DataError, match="`Y` is not an array of numbers"):
        read_arrays(path)
