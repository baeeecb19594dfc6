"""Printing a model and parsing it back gives the same model."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import deriver.examples
from deriver.language import parse_expression, parse_model, print_expression, print_model
from deriver.model.expressions import (
    Binary,
    Call,
    Condition,
    Expression,
    MatrixRows,
    Negate,
    Number,
    Reference,
    SumOver,
    Transpose,
)

MODELS = sorted((Path(deriver.examples.__path__[0]) / "models").glob("*.model"))
PACKAGED = {
    "all_random", "free_covariance", "independent_effects", "poisson", "random_intercepts", "random_log_sd",
    "random_slopes", "random_slopes_as_printed", "state_space", "varying_variance", "wishart",
}  # fmt: skip

EVERYTHING = """model everything  # every construct once

plates
  k = 1..K
  i = 1..n
  s = 1..S
  t = 0..T[i]
  c = 1..3

given
  g : k -> i
  school : i -> s
  member : subset(i)
  x[k], w[k] in (0, 1)
  X[i,t] : vector(p)
  count[k] : integer >= 0 = 3
  a : integer in 1..5
  pr : simplex(3)
  alpha : vector(3) > 0 = 1
  v0, m0 > 0 = 1 / (1 + 2)^-2
  S0 : matrix(p,p)
  offset[i] < 4

data
  y[k] ~ Normal(theta[g[k]] + b * x[k], sd=s_y[c_of[g[k]]])  # a mixture
  u[k] ~ Binomial(count[k], expit(theta[g[k]]))
  r[i,t] ~ N(z[i,t] + X[i,t]' * gam, 1)
  part[i] ~ StudentT(df=4, mean=0, scale=1) T(-1, inf) for i in member
  nb[k] ~ NegativeBinomial(mean=exp(offset[g[k]]), size=2)

process
  theta[i] ~ N(phi0[school[i]], tau2)
  phi0[s] ~ Laplace(location=0, scale=v0)
  # above the statement
  z[i,0] ~ N(m0, v0)
  z[i,t] ~ N(rho * z[i,t-1], exp(-ell)) for t in 1..T[i]
  c_of[i] ~ Categorical(pr)
  log(h[i]) ~ N(0, 2)
  sqrt(w2[i]) ~ Gamma(shape=2, scale=3)
  logit(pi[i]) = h[i]
  hh[i] = sum(k where g[k] = i and x[k] > 0: x[k] * y2[k]) + sum(c: s_y[c])
  y2[k] = log_h[g[k]] - -x[k]^2^2
  P[i] ~ Wishart(rate=S0, df=p + 2)

parameters
  inv(Om) ~ Wish(inv(S0), p)
  gam ~ N(0 * ones(p), Om)
  b ~ Flat()
  s_y[c] ~ HalfNormal(sd=2.5)
  tau2 ~ Gamma(shape=1, rate=.5)
  rho ~ Uniform(lower=-1, upper=1)
  ell ~ N(0, 1)
  R ~ LKJ(p, 2)
  D = diag(s_y[:]) * exchangeable(0.5, 3) * diag(s_y[:])
  pp ~ Dirichlet(alpha)
"""


def test_the_packaged_models_are_there() -> None:
    assert {path.stem for path in MODELS} == PACKAGED


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_packaged_model_is_canonical(path: Path) -> None:
    text = path.read_text()
    model = parse_model(text)
    assert model.name == path.stem
    assert print_model(model) == text
    assert parse_model(print_model(model)) == model


def test_every_construct_is_printed_back() -> None:
    model = parse_model(EVERYTHING)
    printed = print_model(model)
    assert parse_model(printed) == model
    assert print_model(parse_model(printed)) == printed
    for line in ("  z[i,t] ~ N(rho * z[i,t-1], exp(-ell)) for t in 1..T[i]", "  x[k], w[k] in (0, 1)"):
        assert line in printed.splitlines()


def test_comments_are_kept() -> None:
    model = parse_model(EVERYTHING)
    comments = {statement.name: statement.comment for statement in model.statements}
    assert comments["y"] == "a mixture"
    assert comments["z"] == "" and model.statements_of("z")[0].comment == "above the statement"
    assert model.comment == "every construct once"


def test_comments_and_layout_do_not_count() -> None:
    text = MODELS[0].read_text()
    bare = "\n".join(line.partition("#")[0].strip() for line in text.splitlines())
    assert parse_model(bare) == parse_model(text)


def test_blocks_in_any_order() -> None:
    head, *blocks = parse_blocks(MODELS[0].read_text())
    assert parse_model("\n".join([head, *blocks[::-1]])) == parse_model(MODELS[0].read_text())


def parse_blocks(text: str) -> list[str]:
    """Return the text split before each block."""
    return text.split("\n\n")


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("a+b*c", "a + b * c"),
        ("(a+b)*c", "(a + b) * c"),
        ("a-(b-c)", "a - (b - c)"),
        ("a-b-c", "a - b - c"),
        ("a/(b*c)", "a / (b * c)"),
        ("-x^2", "-x^2"),
        ("(-x)^2", "(-x)^2"),
        ("2^-x", "2^-x"),
        ("(a^b)^c", "(a^b)^c"),
        ("a^b^c", "a^b^c"),
        ("-a*b", "-a * b"),
        ("-(a*b)", "-(a * b)"),
        ("x'*A*x", "x' * A * x"),
        ("(a+b)'", "(a + b)'"),
        ("x[i , j + 1]", "x[i,j+1]"),
        ("y[ i,: ]", "y[i,:]"),
        ("[1,rho;rho,1]", "[1, rho; rho, 1]"),
        ("sum(k where g[k]=i:x[k])", "sum(k where g[k] = i: x[k])"),
        ("ilogit(x)", "expit(x)"),
        ("1e4 * .5 + 2.", "1e4 * .5 + 2."),
    ],
)
def test_expression_text(text: str, printed: str) -> None:
    expression = parse_expression(text)
    assert print_expression(expression) == printed
    assert parse_expression(printed) == expression


def test_numbers_are_exact() -> None:
    assert parse_expression("0.1") == Number(value=Fraction(1, 10), text="0.1")
    assert parse_expression("1e-3") == parse_expression("0.001")


names = st.sampled_from(["a", "b", "sigma2", "n"])
numbers = st.sampled_from(["0", "1", "2.5", "1e4", ".5"]).map(
    lambda text: Number(value=Fraction(text), text=text)
)


def extend(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    conditions = st.builds(
        lambda r, a, b: Condition(relation=r, left=a, right=b),
        st.sampled_from(["=", "<", ">="]),
        inner,
        inner,
    )
    return st.one_of(
        st.builds(
            lambda o, a, b: Binary(operator=o, left=a, right=b), st.sampled_from("+-*/^"), inner, inner
        ),
        st.builds(lambda a: Negate(operand=a), inner),
        st.builds(lambda a: Transpose(operand=a), inner),
        st.builds(lambda a: Call(function="exp", arguments=(a,)), inner),
        st.builds(lambda a, b: Call(function="max", arguments=(a, b)), inner, inner),
        st.builds(lambda n, a, b: Reference(name=n, subscripts=(a, b)), names, inner, inner),
        st.builds(lambda a, b, c, d: MatrixRows(rows=((a, b), (c, d))), inner, inner, inner, inner),
        st.builds(
            lambda c, b: SumOver(index="k", conditions=tuple(c), body=b),
            st.lists(conditions, max_size=2),
            inner,
        ),
    )


expressions = st.recursive(st.one_of(names.map(lambda n: Reference(name=n)), numbers), extend, max_leaves=12)


@given(expressions)
@settings(max_examples=300, deadline=None)
def test_any_expression_is_printed_back(expression: Expression) -> None:
    assert parse_expression(print_expression(expression)) == expression


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_choice_of_lines_is_printed_back(data: st.DataObject) -> None:
    """A model of independent lines: each subset of them is a model, and comes back."""
    lines = [
        "a[i] ~ N(m, v) for i in 1..n", "b ~ Normal(m, prec=v) T(0, inf)", "log(c[i]) ~ N(0, v)",
        "d = exp(m)", "e[0] ~ N(0, 1)\n  e[i] ~ N(e[i-1], v)", "f[i] = sum(i: w[i]) / n", "h ~ Beta(1, 2)",
    ]  # fmt: skip
    chosen = data.draw(st.lists(st.sampled_from(lines), min_size=1, unique=True))
    layer = data.draw(st.sampled_from(["data", "process", "parameters"]))
    head = "model m\nplates\n  i = 1..n\ngiven\n  w[i]\n  m = 0\n  v > 0 = 1\n"
    model = parse_model(head + f"{layer}\n  " + "\n  ".join(chosen) + "\n")
    assert parse_model(print_model(model)) == model
