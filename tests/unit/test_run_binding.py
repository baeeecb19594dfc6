"""From columns and arrays to the plates of a model."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from deriver.derivation.conditionals import derive
from deriver.emission.module import emit
from deriver.errors import DataError, UsageError
from deriver.language import parse_model
from deriver.running.binding import Binding, bind_data

RAGGED = parse_model(
    """model ragged
plates
  i = 1..n
  j = 1..J[i]
given
  x[i,j] : vector(p)
  w[i]
  v[i,j] > 0
data
  y[i,j] ~ N(x[i,j]' * beta[i] + w[i], v[i,j])
process
  beta[i] ~ N(mu, eye(p))
parameters
  mu ~ N(0 * ones(p), 100*eye(p))
"""
)

LONG = parse_model(
    """model long
plates
  i = 1..n
  s = 1..m
  k = 1..K
given
  g : k -> i
  h : i -> s
data
  y[k] ~ N(beta[g[k]], 1)
process
  beta[i] ~ N(mu[h[i]], 1)
  mu[s] ~ N(0, 10)
"""
)

SERIES = parse_model(
    """model series
plates
  i = 1..n
  t = 1..T[i]
data
  y[i,t] ~ N(z[i,t], 1)
process
  z[i,0] ~ N(0, 10)
  z[i,t] ~ N(z[i,t-1], 1) for t in 1..T[i]
"""
)

FRAME = pd.DataFrame(
    {
        "who": ["b", "a", "b", "a", "b"],
        "day": [1, 5, 2, 4, 3],
        "age": [40, 30, 40, 30, 40],
        "arm": ["drug", "none", "drug", "none", "drug"],
        "weight": [1.0, 2.0, 3.0, 4.0, 5.0],
        "noise": [1.0, 2.0, 3.0, 4.0, 5.0],
    }
)
COLUMNS = {"y": "weight", "x": "[1, (day - 3)/2, arm[drug]]", "w": "log(age/10)", "v": "noise"}


def bind_ragged(frame: object = FRAME, **options: dict) -> Binding:
    """Return the ragged model with the frame."""
    return bind_data(RAGGED, frame, columns=COLUMNS, **{"index": {"i": "who"}, **options})


def test_ragged_rows_are_sorted_by_label_and_stay_in_file_order_within() -> None:
    binding = bind_ragged()
    assert binding.labels["i"].labels == ("a", "b")
    assert binding.arrays["J"].tolist() == [2, 3]
    assert binding.arrays["y"].tolist() == [2, 4, 1, 3, 5]
    np.testing.assert_allclose(binding.arrays["w"], np.log([3, 4]))
    np.testing.assert_allclose(binding.arrays["x"][0], [1, 1, 0])
    np.testing.assert_allclose(binding.arrays["x"][2], [1, -1, 1])
    assert int(binding.arrays["p"]) == 3
    assert binding.components["x"] == ("1", "(day - 3) / 2", "arm[drug]")


def test_an_index_column_sorts_the_rows_within() -> None:
    binding = bind_ragged(index={"i": "who", "j": "day"})
    assert binding.arrays["y"].tolist() == [4, 2, 1, 3, 5]
    assert binding.row_labels["j"].labels == (4, 5, 1, 2, 3)


def test_the_order_of_rows_does_not_matter_where_labels_tell() -> None:
    one, two = (
        bind_ragged(f, index={"i": "who", "j": "day"}) for f in (FRAME, FRAME[::-1].reset_index(drop=True))
    )
    for name, array in one.arrays.items():
        np.testing.assert_array_equal(array, two.arrays[name])


def test_unused_categories_are_groups_without_observations() -> None:
    frame = FRAME.assign(who=pd.Categorical(FRAME.who, categories=["b", "c", "a"]))
    binding = bind_data(
        parse_model(
            """model bare
plates
  i = 1..n
  j = 1..J[i]
data
  y[i,j] ~ N(beta[i], 1)
process
  beta[i] ~ N(0, 1)
"""
        ),
        frame,
        columns={"y": "weight"},
        index={"i": "who"},
    )
    assert binding.labels["i"].labels == ("b", "c", "a")
    assert binding.arrays["J"].tolist() == [3, 0, 2]


def test_nested_groups_come_from_columns_of_the_rows() -> None:
    frame = FRAME.assign(g=FRAME.who, school=["x", "y", "x", "y", "x"])
    binding = bind_data(LONG, frame, columns={"y": "weight", "h": "school"}, index={"s": "school"})
    assert binding.arrays["g"].tolist() == [1, 0, 1, 0, 1]
    assert binding.arrays["h"].tolist() == [1, 0]
    assert binding.labels["s"].labels == ("x", "y")
    assert [int(binding.arrays[name]) for name in ("K", "n", "m")] == [5, 2, 2]


def test_arrays_that_have_the_shape_of_the_plates() -> None:
    x = np.ones((5, 2))
    flat = {"y": np.arange(5.0), "x": x, "J": [2, 3], "w": [1, 2], "v": np.ones(5)}
    nested = {**flat, "y": [[0, 1], [2, 3, 4]], "v": [[1, 1], [1, 1, 1]]}
    padded = {**flat, "y": np.array([[0, 1, 99], [2, 3, 4.0]])}
    del nested["J"]
    for data in (flat, nested, padded):
        binding = bind_data(RAGGED, data)
        assert binding.arrays["y"].tolist() == [0, 1, 2, 3, 4]
        assert binding.arrays["J"].tolist() == [2, 3]
        assert int(binding.arrays["n"]) == 2


def test_a_matrix_of_covariates_beside_one_response_a_row() -> None:
    """Arrays of two axes are taken by their axes, though the rows of all would make a table."""
    model = parse_model(
        """model two_axes
plates
  i = 1..n
  m = 1..M
given
  x[i,m]
data
  y[i] ~ N(sum(m: x[i,m] * b[m]), 1)
process
  b[m] ~ N(0, 1)
"""
    )
    x = np.arange(6.0).reshape(3, 2)
    binding = bind_data(model, {"y": np.zeros(3), "x": x})
    assert binding.arrays["x"].tolist() == x.tolist()
    assert [int(binding.arrays[name]) for name in ("n", "M")] == [3, 2]


def test_group_numbers_in_arrays_count_from_one_or_are_labels() -> None:
    data = {"y": np.arange(4.0), "g": [1, 3, 3, 1], "h": [1, 1, 2]}
    binding = bind_data(LONG, data)
    assert binding.arrays["g"].tolist() == [0, 2, 2, 0]
    named = bind_data(LONG, {"y": np.arange(4.0), "g": ["u", "v", "v", "u"], "h": [1, 2]})
    assert named.arrays["g"].tolist() == [0, 1, 1, 0]
    assert named.labels["i"].labels == ("u", "v")


def test_series_of_unequal_length_begin_where_they_begin_and_gaps_are_missing() -> None:
    frame = pd.DataFrame(
        {"who": [1, 1, 1, 2, 3], "year": [2001, 2002, 2004, 2003, 2001], "y": [1.0, 2, 3, 4, 5]}
    )
    binding = bind_data(SERIES, frame, index={"i": "who", "t": "year"})
    assert binding.arrays["T"].tolist() == [4, 1, 1]
    np.testing.assert_array_equal(binding.arrays["y"], [1, 2, np.nan, 3, 4, 5])
    assert binding.layouts["z"].extents == (9,)


def test_values_are_expressions_and_defaults_may_use_sizes() -> None:
    model = parse_model(
        """model prior
plates
  k = 1..K
given
  x[k] : vector(p)
  S : matrix(p,p) = 2 * eye(p)
  b > 0
  a > 0 = b + 1
data
  y[k] ~ N(x[k]' * mu, a)
parameters
  mu ~ N(0 * ones(p), S)
"""
    )
    frame = pd.DataFrame({"y": [1.0, 2.0], "u": [3.0, 4.0]})
    binding = bind_data(model, frame, columns={"x": "[1, u]"}, values={"b": "1/4"})
    np.testing.assert_allclose(binding.arrays["S"], 2 * np.eye(2))
    assert float(binding.arrays["a"]) == 1.25
    given = bind_data(model, frame, columns={"x": "[1, u]"}, values={"b": 2.0, "S": np.eye(2)})
    assert float(given.arrays["a"]) == 3.0


def test_all_problems_are_raised_at_once() -> None:
    with pytest.raises(DataError) as caught:
        bind_data(
            RAGGED, FRAME, columns={"y": "wieght", "x": "[1, dy]"}, index={"i": "whom"}, values={"q": 1}
        )
    codes = [mistake.code for mistake in caught.value.mistakes]
    assert codes.count("missing-column") == 3
    assert "unknown-name" in codes
    assert all(mistake.found for mistake in caught.value.mistakes)


def test_options_alone_are_a_usage_error() -> None:
    with pytest.raises(UsageError):
        bind_ragged(values={"nothing": 1})


SUBSETS = parse_model(
    """model halves
plates
  i = 1..n
  j = 1..J[i]
given
  A : subset(i)
  B : subset(i)
data
  y[i,j] ~ N(a[i], 1) for i in A
  y[i,j] ~ N(a[i] + b, 1) for i in B
process
  a[i] ~ N(0, 1)
parameters
  b ~ N(0, 10)
"""
)


def test_subsets_come_from_columns_or_numbers() -> None:
    frame = pd.DataFrame(
        {"who": list("aabbcc"), "treated": [0, 0, 1, 1, 0, 0], "y": [1.0, 2, 3, 4, np.nan, 6]}
    )
    by_column = bind_data(SUBSETS, frame, columns={"A": "1 - treated", "B": "treated"}, index={"i": "who"})
    by_number = bind_data(SUBSETS, frame, values={"A": "[1, 3]", "B": [2]}, index={"i": "who"})
    for binding in (by_column, by_number):
        assert binding.arrays["A"].tolist() == [0, 2]
        assert binding.arrays["B"].tolist() == [1]
        assert binding.missing["y"] == 1
    some = bind_data(SUBSETS, frame, values={"A": "1", "B": "2"}, index={"i": "who"})
    assert some.missing["y"] == 0
    with pytest.raises(DataError, match=r"whole numbers in 1..3"):
        bind_data(SUBSETS, frame, values={"A": "[1, 4]", "B": "2"}, index={"i": "who"})


DESIGN = parse_model(
    """model design
plates
  k = 1..n
  d = 1..D
given
  x[k,d]
  w[d]
  q > 0
data
  y[k] ~ N(sum(d: x[k,d] * b[d]), 1)
process
  b[d] ~ N(w[d], q)
"""
)


@pytest.mark.parametrize("form", ["arrays", "lists", "npz"])
@pytest.mark.parametrize("n", [4, 2])
def test_an_axis_for_each_plate_is_no_table(form: str, n: int, tmp_path) -> None:
    """Neither a matrix beside vectors of as many rows, nor a square one, is taken for columns."""
    data = {"x": np.arange(2.0 * n).reshape(n, 2), "y": np.arange(1.0 * n), "w": np.array([1.0, 2.0])}
    source: object = data
    if form == "lists":
        source = {name: array.tolist() for name, array in data.items()}
    if form == "npz":
        source = tmp_path / "data.npz"
        np.savez(source, **data)
    binding = bind_data(DESIGN, source, columns={}, index={}, values={"q": 1})
    for name, array in data.items():
        np.testing.assert_array_equal(binding.arrays[name], array)
    assert (binding.arrays["n"], binding.arrays["D"]) == (n, 2)


def test_an_array_without_an_axis_for_each_plate_is_told() -> None:
    data = {"x": np.arange(8.0), "y": np.arange(4.0), "w": [1.0, 2.0]}
    with pytest.raises(DataError, match="`x` is an array of 8"):
        bind_data(DESIGN, data, columns={}, index={}, values={"q": 1})


def test_an_archive_that_is_none_is_told(tmp_path) -> None:
    (tmp_path / "data.npz").write_text("y\n1\n")
    with pytest.raises(DataError, match="no archive of NumPy arrays"):
        bind_data(DESIGN, tmp_path / "data.npz", columns={}, index={}, values={"q": 1})


@pytest.mark.parametrize(
    ("plate", "ranges", "told"),
    [
        ("t = 1..T", " for t in f[i]+1..T", "the range `t in f[i]+1..T` of `y`"),
        ("t = 1..T", " for t in 1..f[i]", "the range `t in 1..f[i]` of `y`"),
        ("t = f[i]..T", "", "the plate `t = f[i]..T`"),
    ],
)
def test_an_end_of_its_own_for_each_individual_is_refused(plate: str, ranges: str, told: str) -> None:
    """By the data and by the emitter, with what can be written in its place."""
    model = parse_model(
        f"model m\nplates\n  i = 1..n\n  {plate}\ngiven\n  f[i] : integer >= 1\n"
        f"data\n  y[i,t] ~ N(mu, 1){ranges}\nparameters\n  mu ~ N(0, 10)\n"
    )
    data = {"y": np.zeros((2, 3)), "f": [1, 2], "T": 3}
    with pytest.raises(UsageError, match="has an end of its own for each `i`") as caught:
        bind_data(model, data)
    assert told in str(caught.value)
    with pytest.raises(UsageError, match="leave values that are not there missing"):
        emit(derive(model))
