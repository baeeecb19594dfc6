"""Each distribution of BUGS has the density that its manual gives, through the translated statement."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sympy as sp
from scipy import stats
from scipy.special import gammaln, multigammaln

from deriver.bugs import to_jags, translate
from deriver.bugs.families import FAMILIES
from deriver.families import family
from deriver.model.expressions import Binary, Call, Expression, Number
from deriver.model.records import Stochastic

# program's distribution -> (value, log density by the formulas of the JAGS user manual, version 4.3, chapter 9)
X = 1.7
CASES = {
    "dnorm(0.5, 4)": (X, 0.5 * math.log(4 / (2 * math.pi)) - 2 * (X - 0.5) ** 2),
    "dgamma(2.5, 3)": (X, 2.5 * math.log(3) + 1.5 * math.log(X) - 3 * X - gammaln(2.5)),
    "dexp(3)": (X, math.log(3) - 3 * X),
    "dunif(1, 5)": (X, -math.log(4)),
    "dbeta(2, 3)": (0.3, math.log(0.3 * 0.7**2) - (gammaln(2) + gammaln(3) - gammaln(5))),
    "dbern(0.3)": (1, math.log(0.3)),
    "dbin(0.3, 7)": (2, math.log(21 * 0.3**2 * 0.7**5)),
    "dbinom(0.3, 7)": (2, math.log(21 * 0.3**2 * 0.7**5)),
    "dpois(2.5)": (3, 3 * math.log(2.5) - 2.5 - math.log(6)),
    "dweib(1.5, 0.4)": (X, math.log(1.5 * 0.4) + 0.5 * math.log(X) - 0.4 * X**1.5),
    "dpar(2.5, 0.8)": (X, math.log(2.5) + 2.5 * math.log(0.8) - 3.5 * math.log(X)),
    "dt(0.5, 4, 3)": (X, 0.5 * math.log(4) + stats.t(3).logpdf(2 * (X - 0.5))),
    "dnegbin(0.3, 2.5)": (
        4, gammaln(6.5) - gammaln(2.5) - math.log(24) + 2.5 * math.log(0.3) + 4 * math.log(0.7)
    ),
    "ddexp(0.5, 4)": (X, math.log(2) - 4 * abs(X - 0.5)),
    "dlogis(0.5, 4)": (X, math.log(4) + 4 * (X - 0.5) - 2 * math.log1p(math.exp(4 * (X - 0.5)))),
    "dlnorm(0.5, 4)": (
        X, 0.5 * math.log(4 / (2 * math.pi)) - math.log(X) - 2 * (math.log(X) - 0.5) ** 2
    ),
    "dchisqr(5)": (X, 1.5 * math.log(X) - X / 2 - 2.5 * math.log(2) - gammaln(2.5)),
}  # fmt: skip


def number(expression: Expression) -> float:
    """Return the value of an expression of numbers."""
    match expression:
        case Number(value=value):
            return float(value)
        case Binary(operator="/", left=left, right=right):
            return number(left) / number(right)
        case Call(function="sqrt", arguments=(inner,)):
            return math.sqrt(number(inner))
    raise AssertionError(expression)


def parameters(statement: Stochastic) -> list[float]:
    """Return the canonical parameters of a statement whose arguments are numbers."""
    record = family(statement.family)
    keywords = tuple(argument.keyword for argument in statement.arguments)
    form = next(each for each in record.parametrisations if each.keywords == keywords)
    values = form.to_canonical(*(sp.Float(number(argument.value), 30) for argument in statement.arguments))
    return [float(each) for each in values]


@pytest.mark.parametrize("written", CASES)
def test_scalar_density(written: str) -> None:
    value, expected = CASES[written]
    translation = translate(f"model {{ y ~ {written} }}", {"y": np.array(value)})
    statement = translation.model.statements[0]
    assert isinstance(statement, Stochastic)
    record = family(statement.family)
    assert record.logpdf(value, *parameters(statement)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("written", CASES)
def test_there_and_back_again(written: str) -> None:
    """A statement written for JAGS and read again is a statement of the same density."""
    value, expected = CASES[written]
    data = {"y": np.array(value)}
    text = to_jags(translate(f"model {{ y ~ {written} }}", data).model)
    statement = translate(text, data).model.statements[0]
    assert isinstance(statement, Stochastic)
    assert family(statement.family).logpdf(value, *again(statement)) == pytest.approx(expected, rel=1e-9)


def again(statement: Stochastic) -> list[float]:
    """Return the parameters of a statement read back, whose arguments may hold powers."""
    record = family(statement.family)
    keywords = tuple(argument.keyword for argument in statement.arguments)
    form = next(each for each in record.parametrisations if each.keywords == keywords)
    return [
        float(each)
        for each in form.to_canonical(*(sp.Float(power(a.value), 30) for a in statement.arguments))
    ]


def power(expression: Expression) -> float:
    """Return the value of an expression of numbers and their powers."""
    match expression:
        case Binary(operator="^", left=left, right=right):
            return power(left) ** power(right)
        case Binary(operator="/", left=left, right=right):
            return power(left) / power(right)
        case Call(function="sqrt", arguments=(inner,)):
            return math.sqrt(power(inner))
    if hasattr(expression, "operand"):
        return -power(expression.operand)
    return number(expression)


def test_wishart_takes_the_scale_of_its_trace() -> None:
    """dwish(R, k) has density |R|^(k/2) |x|^((k-p-1)/2) exp(-tr(Rx)/2) / (2^(pk/2) Γ_p(k/2))."""
    rate, value, df = np.array([[2.0, 0.3], [0.3, 1.0]]), np.array([[1.5, -0.2], [-0.2, 0.7]]), 4
    program = "model { Q[1:2,1:2] ~ dwish(R[,], 4) y[1:2] ~ dmnorm(m[], Q[,]) }"
    arrays = {"R": rate, "y": np.array([1.0, 2.0]), "m": np.zeros(2)}
    statement = translate(program, arrays).model.statements_of("Q")[0]
    assert isinstance(statement, Stochastic)
    assert [a.keyword for a in statement.arguments] == ["rate", "df"]
    expected = (
        df / 2 * math.log(np.linalg.det(rate)) + (df - 3) / 2 * math.log(np.linalg.det(value))
        - np.trace(rate @ value) / 2 - df * math.log(2) - multigammaln(df / 2, 2)
    )  # fmt: skip
    assert family("wishart").logpdf(value, df, np.linalg.inv(rate)) == pytest.approx(expected)


def test_multivariate_normal_takes_a_precision() -> None:
    program = "model { y[1:2] ~ dmnorm(m[], P[,]) a ~ dnorm(0, 1) x ~ dnorm(a, 1) }"
    arrays = {"P": np.eye(2), "y": np.array([1.0, 2.0]), "m": np.zeros(2), "x": np.array(1.0)}
    statement = translate(program, arrays).model.statements_of("y")[0]
    assert isinstance(statement, Stochastic)
    assert [a.keyword for a in statement.arguments] == ["mean", "prec"]


@pytest.mark.parametrize(
    ("written", "value", "expected"),
    [("dcat(p[])", 2, "Categorical(p)"), ("dmulti(p[], 3)", [1, 2, 0], "Multinomial(3, p)")],
)
def test_families_of_probability_vectors(written: str, value: object, expected: str) -> None:
    target = "y[1:3]" if "multi" in written else "y"
    program = f"model {{ {target} ~ {written} p[1:3] ~ ddirch(a[]) }}"
    arrays = {"y": np.array(value, float), "a": np.ones(3)}
    text = translate(program, arrays).text
    assert f"y ~ {expected}" in text
    assert "p ~ Dirichlet(a)" in text


def test_every_name_is_held_by_some_test() -> None:
    tested = {written.partition("(")[0] for written in CASES}
    others = {"dcat", "dmulti", "ddirch", "dmnorm", "dwish", "dflat", "dmnorm.vcov"}
    twins = {name for name in FAMILIES if FAMILIES[name] in {FAMILIES[each]: 0 for each in tested | others}}
    assert twins == set(FAMILIES)
