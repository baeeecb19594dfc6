"""The builder gives the same model as the text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import deriver.examples
from deriver.errors import ModelError
from deriver.language import ModelBuilder, parse_model, print_expression, print_model
from deriver.language.distributions import IG, LKJ, Beta, Flat, N, Normal, Pois, StudentT, Unif, Wish
from deriver.language.terms import (
    absolute,
    exchangeable,
    exp,
    expit,
    eye,
    inv,
    largest,
    log,
    matrix,
    sqrt,
    to_expression,
    total,
    vector,
)


def packaged(name: str):
    return parse_model((Path(deriver.examples.__path__[0]) / "models" / f"{name}.model").read_text())


def start(name: str):
    m = ModelBuilder(name)
    i = m.plate("i", 1, "n")
    return m, i, m.plate("j", 1, "J[i]")


def test_all_random() -> None:
    m, i, j = start("all_random")
    x = m.given("x", i, j, shape="p", comment="a covariate vector")
    mu0 = m.given("mu0", shape="p", default=0)
    Sigma0 = m.given("Sigma0", shape=("p", "p"), default=1e4 * eye("p"))
    q, q_beta = (m.given(name, lower=0, default=0.001) for name in ("q", "q_beta"))
    r, r_beta = (m.given(name, lower=0, default=1000) for name in ("r", "r_beta"))
    y, beta, Sigma, R, mu, sigma2_beta, rho, sigma2 = m.nodes("y beta Sigma R mu sigma2_beta rho sigma2")
    m.data(y[i, j], N(x[i, j].T @ beta[i], sigma2))
    m.process(beta[i], N(mu, Sigma))
    m.process(Sigma, sigma2_beta * R)
    m.process(R, exchangeable(rho, "p"))
    m.parameters(mu, N(mu0, Sigma0))
    m.parameters(sigma2_beta, IG(q_beta, r_beta))
    m.parameters(rho, Unif("-1/max(p - 1, 1)", 1))
    m.parameters(sigma2, IG(q, r))
    assert m.build() == packaged("all_random")


def test_state_space() -> None:
    m = ModelBuilder("state_space")
    t = m.plate("t", 1, "T")
    m0, m_phi = (m.given(name, default=0) for name in ("m0", "m_phi"))
    v0 = m.given("v0", lower=0, default=1e6)
    v_phi = m.given("v_phi", lower=0, default=1)
    q_y, q_z = (m.given(name, lower=0, default=0.001) for name in ("q_y", "q_z"))
    r_y, r_z = (m.given(name, lower=0, default=1000) for name in ("r_y", "r_z"))
    y, z, phi, sigma2_y, sigma2_z = m.nodes("y, z, phi, sigma2_y, sigma2_z")
    m.data(y[t], N(z[t], sigma2_y))
    m.process(z[0], N(m0, v0))
    m.process(z[t], N(phi * z[t - 1], sigma2_z), over={t: (1, "T")})
    m.parameters(phi, N(m_phi, v_phi))
    m.parameters(sigma2_y, IG(q_y, r_y))
    m.parameters(sigma2_z, IG(q_z, r_z))
    assert m.build() == packaged("state_space")


def test_poisson() -> None:
    m, i, j = start("poisson")
    x = m.given("x", i, j, shape="p")
    mu0 = m.given("mu0", shape="p", default=0)
    Sigma0 = m.given("Sigma0", shape=("p", "p"), default=100 * eye("p"))
    S = m.given("S", shape=("p", "p"), default=eye("p"))
    nu = m.given("nu", lower="p - 1", default="p")
    y, z, beta, mu, Q, Sigma = m.nodes("y z beta mu Q Sigma")
    m.data(y[i, j], Pois(z[i, j]))
    m.process(log(z[i, j]), x[i, j].T @ beta[i])
    m.process(beta[i], N(mu, Sigma))
    m.parameters(mu, N(mu0, Sigma0))
    m.parameters(Q, Wish(inv(nu * S), nu))
    m.parameters(Sigma, inv(Q))
    assert m.build() == packaged("poisson")


def test_every_operator_and_declaration() -> None:
    m = ModelBuilder("crossings", comment="two lines\nof comment")
    k, i = m.plate("k", 1, "K"), m.plate("i", 1, "n")
    g = m.group("g", k, to=i)
    S = m.subset("S", of=i)
    w = m.given("w", k, lower=0, upper=1, comment="# a weight")
    c = m.given("c", k, kind="integer", lower=0)
    m.given("pr", shape=3, kind="simplex")
    y, u, h, e, b, R, f, d = m.nodes("y u h e b R f d")
    m.data(y[k], Normal(u[g[k]] + np.float64(0.5) - 2 / (1 + w[k]) - (-b) ** 2, sd=exp(b)))
    m.process(u[i], StudentT(df=4, mean=0, scale=sqrt(h[i])).truncate(lower=0), over={i: S})
    m.process(log(h[i]), N(0, 1))
    m.process(e[i], total(k, c[k] * h[i], where=[(g[k], "=", i)]))
    m.parameters(b, Flat())
    m.parameters(R, LKJ(3, 2))
    m.parameters(f, Beta(1, absolute(b) + 1))
    m.parameters(d, vector([1, 2]).T @ matrix([[1, b], [b, 1]]) @ vector([largest(1, b), expit(b)]))
    model = m.build()
    assert parse_model(print_model(model)) == model
    assert model.given("w").comment == "# a weight"
    assert model.node("u").ranges[0].subset == "S"
    assert print_expression(model.statements_of("e")[0].expression) == "sum(k where g[k] = i: c[k] * h[i])"


def test_mistakes_show_the_text() -> None:
    m = ModelBuilder("m")
    i = m.plate("i", 1, "n")
    y, a = m.nodes("y a")
    m.data(y[i], N(a, 1))
    with pytest.raises(ModelError, match=r"y\[i\] ~ N\(a, 1\)"):
        m.build()


@pytest.mark.parametrize(
    "call",
    [
        lambda m: m.node("lambda"),
        lambda m: m.node("x\nmodel evil"),
        lambda m: m.plate("i = 1..n\n", 1, "n"),
        lambda m: m.given("a b"),
        lambda m: to_expression("__import__('os')"),
        lambda m: to_expression(float("nan")),
        lambda m: to_expression(True),
        lambda m: to_expression(np.zeros(3)),
        lambda m: to_expression([1, 2]),
        lambda m: matrix([[1, 2], [3]]),
        lambda m: m.node("a")[1:2],
        lambda m: (m.node("a") + 1)[0],
        lambda m: m.data(m.node("a") + 1, N(0, 1)),
        lambda m: m.data(m.node("a"), N(0, 1), over={m.node("t"): 3}),
        lambda m: m.given("a", shape=(1, 2, 3)),
        lambda m: m.given("a", shape=2, kind="integer"),
        lambda m: total(m.node("k"), 1, where=[(1, "~", 2)]),
    ],
)
def test_wrong_calls(call) -> None:
    with pytest.raises(ModelError):
        call(ModelBuilder("m"))


def test_a_term_cannot_be_iterated() -> None:
    with pytest.raises(TypeError):
        list(ModelBuilder("m").node("a"))


def test_a_comment_cannot_become_a_statement() -> None:
    m = ModelBuilder("m", comment="one\r\ntwo\x0bthree")
    m.parameters(m.node("a"), N(0, 1), comment="x\nb ~ N(0, 1)")
    assert [node.name for node in m.build().nodes] == ["a"]
