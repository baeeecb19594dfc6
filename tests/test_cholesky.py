"""Vector normals by the Cholesky factor of their covariance: conditionals by hand, both backends, mistakes, a posterior."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import deriver
from deriver.bugs import to_jags, to_stan
from deriver.derivation.states import random_state
from deriver.errors import DataError, ModelError
from deriver.language import parse_model, print_model
from tests.emitted import load_source
from tests.test_partly_observed import check, posterior_of

GROUPS = """model groups

plates
  i = 1..n
  j = 1..J[i]

given
  L : matrix(p,p)
  K : matrix(p,p)
  L0 : matrix(p,p)
  m0 : vector(p)

data
  y[i,j] ~ Normal(beta[i], chol=s * K)

process
  beta[i] ~ Normal(mu, chol=L)

parameters
  mu ~ Normal(m0, chol=L0)
  s ~ SqrtInverseGamma(shape=3, scale=2)
"""
PAIR = """model pair
plates
  i = 1..n
  k = 1..2
given
  K : matrix(2,2)
data
  y[i] ~ Normal(mu, {spread})
parameters
  mu ~ Normal(0, chol=3 * eye(2))
  a ~ HalfNormal(sd=2)
  b ~ N(0, 1)
  c ~ HalfNormal(sd=2)
  d[k] ~ HalfNormal(sd=2)
"""
# What may stand for a factor, and the covariance that it gives, each written by the names of the model.
SPREADS = {
    "a * K": lambda v: v["a"] ** 2 * v["K"] @ v["K"].T,
    "[a, 0; b, c]": lambda v: np.array([[v["a"] ** 2, v["a"] * v["b"]], [v["a"] * v["b"], v["b"] ** 2 + v["c"] ** 2]]),
    "diag(d[:]) * K": lambda v: np.diag(v["d"]) @ v["K"] @ v["K"].T @ np.diag(v["d"]),
    "diag(d[:])": lambda v: np.diag(v["d"] ** 2),
    "a * eye(2)": lambda v: v["a"] ** 2 * np.eye(2),
    "inv(K)": lambda v: np.linalg.inv(v["K"].T @ v["K"]),
}  # fmt: skip
PAIR_VALUES = {
    "K": np.array([[1.2, 0.0], [-0.4, 0.7]]), "a": 0.8, "b": -0.5, "c": 1.3, "d": np.array([0.6, 1.7]),
    "mu": np.array([0.3, -0.9]),
}  # fmt: skip


def test_conditionals_by_hand() -> None:
    """Precision n (LL')^-1 + (L0 L0')^-1 for the mean; Σ Q/2 and the count of components/2 for the scale."""
    derivation = deriver.derive(parse_model(GROUPS))
    state = random_state(derivation.model, np.random.default_rng(3), dimension=3, size=4)
    beta, y = state["beta"], state["y"]
    inside, above, below = (np.linalg.inv(state[k][()] @ state[k][()].T) for k in ("L", "L0", "K"))
    scale = state["s"][()]

    _, found = derivation.node("mu").at(state, ())
    precision = len(beta) * inside + above
    linear = inside @ sum(beta.values()) + above @ state["m0"][()]
    np.testing.assert_allclose(found["cov"], np.linalg.inv(precision), rtol=1e-10)
    np.testing.assert_allclose(found["mean"], np.linalg.solve(precision, linear), rtol=1e-10)

    rows = [value for (i, _), value in y.items() if i == 1]
    _, found = derivation.node("beta").at(state, (1,))
    precision = len(rows) * below / scale**2 + inside
    linear = below @ sum(rows) / scale**2 + inside @ state["mu"][()]
    np.testing.assert_allclose(found["cov"], np.linalg.inv(precision), rtol=1e-10)
    np.testing.assert_allclose(found["mean"], np.linalg.solve(precision, linear), rtol=1e-10)

    quadratic = sum((value - beta[key[:1]]) @ below @ (value - beta[key[:1]]) for key, value in y.items())
    family, found = derivation.node("s").at(state, ())
    assert family == "sqrt_inverse_gamma"
    assert found["shape"] == pytest.approx(3 + 3 * len(y) / 2)
    assert found["scale"] == pytest.approx(2 + quadratic / 2, rel=1e-10)


@pytest.mark.parametrize("spread", SPREADS)
def test_the_mean_is_normal_whatever_the_factor(spread: str, tmp_path: Path) -> None:
    """The mean's conditional and the source's log joint density, against the covariance computed by hand."""
    derivation = deriver.derive(parse_model(PAIR.format(spread=f"chol={spread}")))
    v, y = PAIR_VALUES, np.array([[0.4, 1.1], [-0.7, 0.2], [1.9, -0.3]])
    covariance = SPREADS[spread](v)
    state = {name: {(): value} for name, value in v.items()}
    state |= {"n": {(): 3}, "y": {(i + 1,): row for i, row in enumerate(y)}}
    state |= {"d": {(1,): v["d"][0], (2,): v["d"][1]}}
    family, found = derivation.node("mu").at(state, ())
    precision = 3 * np.linalg.inv(covariance) + np.eye(2) / 9
    assert family == "mvnormal"
    np.testing.assert_allclose(found["cov"], np.linalg.inv(precision), rtol=1e-10)
    mean = np.linalg.solve(precision, np.linalg.solve(covariance, y.sum(axis=0)))
    np.testing.assert_allclose(found["mean"], mean, rtol=1e-10)

    module = load_source(deriver.emit(derivation.model), tmp_path, "pair")
    values = module.State(**{name: np.asarray(v[name])[None] for name in ("mu", "a", "b", "c", "d")})
    expected = stats.multivariate_normal(v["mu"], covariance).logpdf(y).sum()
    expected += stats.multivariate_normal(np.zeros(2), 9 * np.eye(2)).logpdf(v["mu"])
    expected += stats.halfnorm(scale=2).logpdf([v["a"], v["c"], *v["d"]]).sum() + stats.norm.logpdf(v["b"])
    given = {"y": y, "n": 3, "K": v["K"]}
    assert module.log_joint(values, module.prepare(given))[0] == pytest.approx(expected, rel=1e-10)


def test_a_factor_above_the_diagonal_is_a_covariance_too() -> None:
    """L'L with L triangular is definite, as L L' is; A A' of any other matrix is not known to be."""
    text = PAIR.format(spread="cov=K' * K").replace("matrix(2,2)", "matrix(2,2)\n  m0 : vector(2)")
    known = text.replace("mu ~ Normal(0, chol=3 * eye(2))", "mu ~ Normal(m0, chol=K)")
    assert deriver.derive(parse_model(known)).node("mu").family == "mvnormal"
    assert deriver.derive(parse_model(text)).node("mu").family is None


def test_both_backends_draw_the_posterior() -> None:
    """A normal mean of known covariance L L' under a normal prior: exact."""
    factor, prior = np.array([[1.0, 0.0], [0.6, 0.5]]), np.array([[2.0, 0.0], [-0.5, 1.0]])
    y = np.random.default_rng(4).normal(size=(6, 2)) @ factor.T + np.array([1.0, -1.0])
    text = (
        "model exact\nplates\n  i = 1..n\ngiven\n  L : matrix(2,2)\n  L0 : matrix(2,2)\ndata\n"
        "  y[i] ~ Normal(mu, chol=L)\nparameters\n  mu ~ Normal(0, chol=L0)\n"
    )
    inside, above = np.linalg.inv(factor @ factor.T), np.linalg.inv(prior @ prior.T)
    precision = 6 * inside + above
    mean = np.linalg.solve(precision, inside @ y.sum(axis=0))
    sd = np.sqrt(np.diag(np.linalg.inv(precision)))
    data = {"y": y, "L": factor, "L0": prior}
    for backend in ("numpy", "numba"):
        check(posterior_of(text, data, 2000, backend=backend)["mu"], mean, sd)


def test_a_missing_response_is_predicted_with_the_factor() -> None:
    factor = np.array([[1.0, 0.0], [0.6, 0.5]])
    text = (
        "model known\nplates\n  i = 1..n\ngiven\n  L : matrix(2,2)\ndata\n  y[i] ~ Normal(m * ones(2), chol=L)\n"
        "parameters\n  m ~ N(0, 1e-12)\n"
    )
    y = np.array([[0.1, 0.2], [np.nan, np.nan]])
    drawn = posterior_of(text, {"y": y, "L": factor}, 2000)["y_missing"].to_numpy().reshape(-1, 2)
    np.testing.assert_allclose(np.cov(drawn.T), factor @ factor.T, atol=0.06)


@pytest.mark.parametrize(
    ("spread", "found", "remedy"),
    [
        ("chol=[a, b; 0, c]", "its entry (1,2) is b", "0 for each entry above the diagonal"),
        ("chol=[a, 0; b, -1]", "has -1 on its diagonal", ""),
        ("chol=exchangeable(0.5, 2)", "which is symmetric", "cov=exchangeable(0.5, 2)"),
        ("chol=[a, 0; b, c]'", "is upper triangular", "chol=[a, 0; b, c]"),
        ("chol=[a, 0; 1, b]", "for a = ", "restrict"),
        ("chol=a", "the Cholesky factor of this Normal is a number", "a * eye(2)"),
        ("chol=K[1,1] * ones(2, 3)", "the chol of Normal is not square", ""),
    ],
)
def test_what_is_no_factor_is_refused(spread: str, found: str, remedy: str) -> None:
    with pytest.raises(ModelError) as caught:
        parse_model(PAIR.format(spread=spread))
    assert found in str(caught.value)
    assert remedy in str(caught.value)


@pytest.mark.parametrize(
    ("matrix", "found"),
    [([[1.0, 0.2], [0.0, 1.0]], "not lower triangular"), ([[1.0, 0.0], [0.2, 0.0]], "its diagonal not positive")],
)  # fmt: skip
def test_a_given_that_is_no_factor_is_refused(matrix: list, found: str) -> None:
    with pytest.raises(DataError, match=found):
        posterior_of(PAIR.format(spread="chol=K"), {"y": np.zeros((3, 2)), "K": np.array(matrix)})


def test_written_back_and_for_other_programs() -> None:
    assert parse_model(print_model(parse_model(GROUPS))) == parse_model(GROUPS)
    plain = parse_model(GROUPS.replace("s ~ SqrtInverseGamma(shape=3, scale=2)", "s ~ Unif(0, 9)"))
    assert "beta[i] ~ multi_normal_cholesky(mu, L);" in to_stan(plain)
    assert "y[i, j] ~ multi_normal_cholesky(beta[i], s * K);" in to_stan(plain)
    assert "beta[i,1:p] ~ dmnorm.vcov(mu[1:p], (L[1:p,1:p]) %*% t(L[1:p,1:p]))" in to_jags(plain)
