"""The evaluator of expressions: arithmetic with named axes, plates, sums, and refusals in words."""

from __future__ import annotations

import numpy as np
import pytest

from deriver.language import parse_expression
from deriver.running.evaluate import Environment, evaluate
from deriver.running.values import EvaluationError, Value, scalar, shaped, to_shape


def value_of(text: str, **plain: Value) -> np.ndarray:
    """Return the plain value of an expression in which the given names are known."""
    return evaluate(parse_expression(text), Environment(plain=plain)).plain()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1/15000", 1 / 15000),
        ("-2^2", -4.0),
        ("exp(log(3))", 3.0),
        ("max(1, 2, 0.5)", 2.0),
        ("[1, 2] * [3; 4]", 11.0),
        ("[1, 2; 3, 4] * [1; 1]", [3.0, 7.0]),
        ("det([2, 0; 0, 3])", 6.0),
        ("inv([2, 0; 0, 4])", [[0.5, 0], [0, 0.25]]),
        ("tr([1, 2; 3, 4])", 5.0),
        ("diag([100, 0.1])", [[100, 0], [0, 0.1]]),
        ("1e4 * eye(2)", [[1e4, 0], [0, 1e4]]),
        ("exchangeable(0.5, 2)", [[1, 0.5], [0.5, 1]]),
        ("[1, 2; 3, 4]'", [[1, 3], [2, 4]]),
        ("ones(3)", [1, 1, 1]),
    ],
)
def test_arithmetic(text: str, expected: object) -> None:
    np.testing.assert_allclose(value_of(text), expected)


def test_axes_are_aligned_by_name() -> None:
    a = scalar(np.arange(3.0), ("chain",))
    b = scalar(np.arange(4.0), ("draw",))
    value = evaluate(parse_expression("a + 10*b"), Environment(plain={"a": a, "b": b}))
    assert value.axes == ("chain", "draw")
    np.testing.assert_allclose(value.array, np.arange(3.0)[:, None] + 10 * np.arange(4.0))


def test_components_and_quadratic_forms_over_draws() -> None:
    rng = np.random.default_rng(1)
    mu, sigma = rng.normal(size=(2, 5, 3)), rng.normal(size=(2, 5, 3, 3))
    plain = {"mu": shaped(mu, ("chain", "draw"), 1), "S": shaped(sigma, ("chain", "draw"), 2)}
    np.testing.assert_allclose(value_of("mu[2] - S[1,3]", **plain), mu[..., 1] - sigma[..., 0, 2])
    np.testing.assert_allclose(
        value_of("mu' * S * mu", **plain), np.einsum("cda,cdab,cdb->cd", mu, sigma, mu)
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2] + 1", "cannot add a row vector of length 2 and a number"),
        ("[1, 2] * [3, 4]", "cannot multiply"),
        ("1 / [1, 2]", "cannot divide by"),
        ("inv([1, 2])", "needs a square matrix"),
        ("inv([1, 1; 1, 1])", "singular"),
        ("eye(0)", "positive whole number"),
        ("a", "`a` has no value here"),
        ("S[3,1]", "outside"),
    ],
)
def test_refusals(text: str, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        value_of(text, S=shaped(np.eye(2), (), 2))


def test_a_number_fills_a_vector_and_never_a_matrix() -> None:
    assert to_shape(scalar(2.0), (3,)).tolist() == [2.0, 2.0, 2.0]
    with pytest.raises(EvaluationError, match="expected a 2 by 2 matrix"):
        to_shape(scalar(2.0), (2, 2))
