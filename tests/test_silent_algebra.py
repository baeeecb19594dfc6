"""What SymPy leaves out, or gets wrong, in silence, as models and as calls of the algebra.

The behaviour told in a docstring is that of SymPy 1.14.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import sympy as sp

from deriver.algebra.heads import PlateSum, Ref, Variable, index_symbol, inner, trace, transpose
from deriver.algebra.normal_form import expand_in, sum_over
from deriver.errors import ModelError
from deriver.language import parse_model
from tests.model_checks import Bench, check_bench
from tests.regressions import TWO_LEVELS, column, held

I = index_symbol("i")


def test_coefficients_hidden_in_a_sum_are_found() -> None:
    """``Sum(...).coeff`` finds nothing, and the posterior is the prior; with groups of 2, 0 and 1 rows."""
    derivation = held(TWO_LEVELS, {"mu": "normal", "m": "normal", "tau": "gamma"})
    state = {
        "n": {(): 3},
        "J": column(2, 0, 1),
        "y": {(1, 1): 1.0, (1, 2): 2.0, (3, 1): 4.0},
        "mu": column(1.0, 7.0, 1.0),
        "m": {(): 0.5},
        "tau": {(): 3.0},
    }
    _, tau = derivation.node("tau").at(state)
    assert tau == pytest.approx({"shape": 1 + 3 / 2, "rate": 1 + (0 + 1 + 9) / 2})
    means = [derivation.node("mu").at(state, (i,))[1]["mean"] for i in (1, 2, 3)]
    assert means == pytest.approx([(9 + 0.25) / 6.5, 0.5, (12 + 0.25) / 3.5])


def test_the_coefficient_of_a_square_inside_a_sum() -> None:
    """In -sum(i: tau (x[i] - mu)^2)/2 the coefficient of mu^2 is -n tau/2, not 0."""
    x, n = Ref(Variable("x", (), real=True), I), Ref(Variable("n", (), integer=True, positive=True))
    mu, tau = (Ref(Variable(name, (), real=True)) for name in ("mu", "tau"))
    body, bounds = -tau * (x - mu) ** 2 / 2, (sp.Tuple(I, 1, n),)
    terms = {monomial: sum_over(c, bounds) for monomial, c in expand_in(body, mu).items()}
    assert sp.expand(terms[mu**2] + n * tau / 2) == 0
    assert sp.expand(terms[mu] - PlateSum(x, bounds) * tau) == 0


def test_the_derivative_of_a_log_determinant_is_not_needed() -> None:
    """SymPy 1.14 differentiates log det A to 0: a scale of a covariance would lose half its shape, n p/2."""
    derivation = held(
        """
plates
  i = 1..n
given
  R : matrix(p, p)
data
  y[i] ~ N(0 * ones(p), s2 * R)
parameters
  s2 ~ IG(2, 1)
""",
        {"s2": "inverse_gamma"},
    )
    vectors = {(1,): np.array([1.0, 2.0, 0.0]), (2,): np.array([0.0, 1.0, 1.0])}
    state = {"n": {(): 2}, "p": {(): 3}, "R": {(): 2 * np.eye(3)}, "y": vectors, "s2": {(): 1.0}}
    _, found = derivation.node("s2").at(state)
    assert found == pytest.approx({"shape": 2 + 2 * 3 / 2, "scale": 1 + (5 + 2) / 2 / 2})


def test_transposed_products_cancel_and_join_numbers() -> None:
    """b'X'y - y'Xb and tr(AB) - tr(BA) do not cancel in SymPy, and a 1 x 1 product plus 1 is an error."""
    p, q = (Ref(Variable(name, (), integer=True, positive=True)) for name in "pq")
    b, y = Ref(Variable("b", (p,))), Ref(Variable("y", (q,)))
    matrix = Ref(Variable("X", (q, p)))
    first, second = (Ref(Variable(name, (p, p), symmetric=True)) for name in "AB")
    assert inner(transpose(b) * transpose(matrix) * y) - inner(transpose(y) * matrix * b) == 0
    assert trace(first * second) - trace(second * first) == 0
    assert (inner(transpose(b) * b) + 1) - 1 == inner(transpose(b) * b)


def test_a_bound_index_is_not_captured() -> None:
    """``Sum(x[i] m).subs(m, x[i])`` gives the sum of x[i]^2: a sum over the index of its own statement."""
    derivation = held(
        """
plates
  k = 1..K
given
  x[k]
data
  y[k] ~ N(x[k] * total[k], 1)
process
  total[k] = sum(k: x[k] * a[k])
  a[k] ~ N(0, 1)
""",
        {"a": "normal"},
    )
    state = {"K": {(): 2}, "x": column(2, 3), "y": column(1, 1), "a": column(0, 0)}
    _, found = derivation.node("a").at(state, (1,))
    assert found["var"] == pytest.approx(1 / (1 + 13 * 4))
    assert found["mean"] == pytest.approx((2 + 3) * 2 / 53)


def test_an_element_inside_a_sum_is_told_from_its_neighbours() -> None:
    """Derivatives by an indexed element give Kronecker deltas; here the element is taken out of the sum."""
    text = "\nplates\n  i = 1..n\ngiven\n  w[i]\ndata\n  y ~ N(sum(i: w[i] * a[i]), 1)\nprocess\n  a[i] ~ N(0, 1)\n"
    state = {"n": {(): 3}, "w": column(2, 3, 5), "y": {(): 1.0}, "a": column(9, 1, 2)}
    _, found = held(text, {"a": "normal"}).node("a").at(state, (1,))
    assert found["mean"] == pytest.approx(2 * (1 - 13) / 5)
    assert found["var"] == pytest.approx(1 / 5)


@pytest.mark.parametrize(
    ("given", "written", "family"),
    [
        ("w[k] > 0", "Pois(w[k] * lam)", "gamma"),
        ("w[k] > 0", "Gamma(shape = 2, rate = sqrt(w[k]) * lam)", "gamma"),
        ("w[k]", "Gamma(shape = 2, rate = exp(w[k]) * lam)", "gamma"),
        ("w[k]", "Gamma(shape = 2, rate = w[k]^2 * lam)", None),
        ("w[k]", "Normal(0, prec = abs(w[k]) * lam)", None),
    ],
)
def test_a_log_is_split_only_where_both_parts_are_positive(
    given: str, written: str, family: str | None
) -> None:
    """log(ab) = log a + log b needs a > 0 and b > 0: a covariate that can be 0 proves no rate or precision."""
    text = f"\nplates\n  k = 1..K\ngiven\n  {given}\ndata\n  y[k] ~ {written}\nparameters\n  lam ~ Gamma(shape = 2, rate = 1)\n"
    held(text, {"lam": family} if family else {}, () if family else ("lam",))


@pytest.mark.parametrize("name", ["lambda", "__import__", "exec", "np", "import", "None"])
def test_no_name_reaches_an_evaluator(name: str) -> None:
    """SymPy's ``sympify`` evaluates its text; here a name is an identifier of the model, or refused."""
    text = f"model a\ndata\n  y ~ N({name}, 1)\nparameters\n  {name} ~ N(0, 1)\n"
    try:
        model = parse_model(text)
    except ModelError as error:
        assert error.mistakes[0].remedy or error.mistakes[0].expected
    else:
        assert [node.name for node in model.nodes] == ["y", name]


@pytest.mark.parametrize("call", ["__import__('os')", "exec(1)", "eval(1)", "().__class__", "open(1)"])
def test_no_call_reaches_an_evaluator(call: str) -> None:
    """Nothing in a model's text is evaluated."""
    with pytest.raises(ModelError):
        parse_model(f"model a\ndata\n  y ~ N({call}, 1)\n")


def test_decimal_numbers_are_exact() -> None:
    """0.1 + 0.2 - 0.3 leaves 5.6e-17 of a coefficient in floats: here the node leaves the likelihood."""
    text = "\nplates\n  k = 1..K\ndata\n  y[k] ~ N(0.1 * mu + 0.2 * mu - 0.3 * mu, 1)\nparameters\n  mu ~ N(2, 3)\n"
    _, found = (
        held(text, {"mu": "normal"}).node("mu").at({"K": {(): 3}, "y": column(7, 8, 9), "mu": {(): 0.0}})
    )
    assert found == pytest.approx({"mean": 2.0, "var": 3.0})


def test_a_power_written_as_a_decimal_is_whole() -> None:
    """x^2.0 is no polynomial in SymPy, and a quadratic goes unrecognised."""
    text = "\nplates\n  k = 1..K\ngiven\n  x[k]\ndata\n  y[k] ~ N(x[k] * mu^1.0, s2^2.0 / s2)\nparameters\n  mu ~ N(0, 1)\n  s2 ~ IG(2, 1)\n"
    held(text, {"mu": "normal", "s2": "inverse_gamma"})


def test_special_functions_are_printed_for_arrays(tmp_path: Path) -> None:
    """``loggamma`` is printed as a function of one number: the emitted log joint must take whole plates."""
    text = """model counts
plates
  k = 1..K
given
  r[k] > 0
data
  y[k] ~ NegativeBinomial(size = r[k], prob = theta)
  z[k] ~ Gamma(shape = r[k], rate = lam)
parameters
  theta ~ Beta(2, 2)
  lam ~ Gamma(shape = 2, rate = 1)
"""
    check_bench(Bench(text, tmp_path, 5), 5)
