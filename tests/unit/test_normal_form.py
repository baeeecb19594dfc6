"""The target-directed normal form: nothing is lost, and what a coefficient holds is free of the target."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

from deriver.algebra import heads
from deriver.algebra.evaluate import evaluate
from deriver.algebra.heads import PlateSum, Ref, Variable, index_symbol, inner, transpose
from deriver.algebra.normal_form import expand_in, sum_over

P = Ref(Variable("p", integer=True, positive=True))
N = Ref(Variable("n", integer=True, positive=True))
I, J = index_symbol("i"), index_symbol("j")
THETA = Ref(Variable("theta", positive=True))
A = Ref(Variable("a", real=True))
Y = Ref(Variable("y", real=True), I)
BETA = Ref(Variable("beta", (P,)))
MU = Ref(Variable("mu", (P,)))
X = Ref(Variable("x", (P,)), I)
SIGMA = Ref(Variable("Sigma", (P, P), symmetric=True))
RHO = Ref(Variable("rho", real=True))
OVER_I = (sp.Tuple(I, 1, N),)


def a_state(seed: int) -> dict:
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(2, 2))
    return {
        "p": {(): 2},
        "n": {(): 3},
        "theta": {(): float(rng.gamma(2.0))},
        "a": {(): float(rng.normal())},
        "rho": {(): float(rng.uniform(-0.9, 0.9))},
        "y": {(i,): float(rng.normal()) for i in (1, 2, 3)},
        "x": {(i,): rng.normal(size=2) for i in (1, 2, 3)},
        "beta": {(): rng.normal(size=2)},
        "mu": {(): rng.normal(size=2)},
        "Sigma": {(): root @ root.T + np.eye(2)},
    }


def quadratic(vector: sp.Expr, matrix: sp.Expr) -> sp.Expr:
    return inner(transpose(vector) * matrix * vector)


CASES = [
    pytest.param((Y - A * THETA) ** 2 / 3, THETA, id="square"),
    pytest.param(sp.log(A**2 * THETA**3) - THETA / A, THETA, id="log of a product"),
    pytest.param(1 / (THETA * (1 + A**2)), THETA, id="reciprocal"),
    pytest.param(sp.exp(A * THETA + 2), THETA, id="exponential"),
    pytest.param(PlateSum((Y - THETA) ** 2, OVER_I), THETA, id="under a sum"),
    pytest.param(quadratic(BETA - MU, SIGMA**-1), BETA, id="quadratic form"),
    pytest.param(quadratic(BETA - MU, (THETA * SIGMA) ** -1), THETA, id="scale of a covariance"),
    pytest.param(heads.logdet(THETA * SIGMA), THETA, id="determinant of a scaled matrix"),
    pytest.param((A - inner(transpose(X) * BETA)) ** 2, BETA, id="regression"),
    pytest.param(quadratic(BETA, heads.Exchangeable(RHO, P) ** -1), RHO, id="exchangeable"),
    pytest.param(quadratic(BETA, heads.Literal(2, 2, 1, RHO, RHO, 1) ** -1), RHO, id="explicit matrix"),
    pytest.param(sp.log(1 - RHO**2) + heads.LogGamma(THETA * A), THETA, id="opaque"),
]


@pytest.mark.parametrize(("expr", "target"), CASES)
def test_terms_add_up_and_coefficients_are_free_of_the_target(expr: sp.Expr, target: Ref) -> None:
    terms = expand_in(expr, target)
    assert all(not coefficient.has(target) for coefficient in terms.values())
    assert all(monomial == 1 or monomial.has(target) for monomial in terms)
    total = sp.Add(*(monomial * coefficient for monomial, coefficient in terms.items()))
    for seed in range(3):
        state, own = a_state(seed), {I: 1}
        assert evaluate(total, state, own) == pytest.approx(evaluate(expr, state, own), rel=1e-11)


def test_a_coefficient_under_a_sum_is_found() -> None:
    """SymPy's own ``Sum`` hides it: the coefficient of μ² in Σᵢ(yᵢ − μ)² would read 0."""
    terms = expand_in(PlateSum((Y - THETA) ** 2, OVER_I), THETA)
    assert sp.expand(sum_over(sp.S.One, OVER_I)) == N
    assert evaluate(terms[THETA**2], a_state(0)) == 3


def test_a_residual_stays_a_residual() -> None:
    """What is free of the target is not multiplied out, so that no digits are lost."""
    expr = PlateSum((Y - A) ** 2, OVER_I) / THETA
    assert expand_in(expr, THETA) == {1 / THETA: PlateSum((Y - A) ** 2, OVER_I)}


def test_bound_indices_are_not_captured() -> None:
    """Σᵢ yᵢ·m with m → y_i (a free i) must not become Σᵢ yᵢ²: pulled out, the free one stays outside."""
    inside = PlateSum(Ref(Variable("y", real=True), J) * Y, (sp.Tuple(J, 1, N),))
    state = a_state(1)
    expected = state["y"][(2,)] * sum(state["y"].values())
    assert evaluate(inside, state, {I: 2}) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (A, N * A),
        (Y * A, A * PlateSum(Y, OVER_I)),
        (SIGMA**-1, N * SIGMA**-1),
        (SIGMA**-1 * X, SIGMA**-1 * PlateSum(X, OVER_I)),
    ],
)
def test_constants_come_out_of_a_sum(body: sp.Expr, expected: sp.Expr) -> None:
    assert sum_over(body, OVER_I) == expected
