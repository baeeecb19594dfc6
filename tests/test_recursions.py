"""Definitions that refer to their own earlier elements: derivation, both backends and results, against paths by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import deriver
from deriver.bugs.to_jags import to_jags
from deriver.bugs.to_stan import to_stan
from deriver.language import parse_model, print_model
from tests.emitted import load_source
from tests.test_partly_observed import check

ARMA = """model arma
plates
  t = 1..T
data
  y[1] ~ Normal(mu, sd=sigma)
  y[t] ~ Normal(mu + phi * y[t-1] + theta * err[t-1], sd=sigma) for t in 2..T
process
  err[1] = y[1] - mu
  err[t] = y[t] - mu - phi * y[t-1] - theta * err[t-1] for t in 2..T
parameters
  mu ~ N(0, 4)
  phi ~ N(0, 1)
  theta ~ N(0, 1)
  sigma ~ Exponential(rate=1)
"""
ARMA_BY_MEANS = """model arma_by_means  # each of two nodes uses the other
plates
  t = 1..T
data
  y[t] ~ Normal(nu[t], sd=sigma)
process
  nu[1] = mu
  nu[t] = mu + phi * y[t-1] + theta * err[t-1] for t in 2..T
  err[t] = y[t] - nu[t]
parameters
  mu ~ N(0, 4)
  phi ~ N(0, 1)
  theta ~ N(0, 1)
  sigma ~ Exponential(rate=1)
"""
ARMA_FROM_SECOND = """model arma_from_second  # nu has no first element, and is written out
plates
  t = 1..T
data
  y[1] ~ Normal(mu, sd=sigma)
  y[t] ~ Normal(nu[t], sd=sigma) for t in 2..T
process
  err[1] = y[1] - mu
  err[t] = y[t] - nu[t] for t in 2..T
  nu[t] = mu + phi * y[t-1] + theta * err[t-1] for t in 2..T
parameters
  mu ~ N(0, 4)
  phi ~ N(0, 1)
  theta ~ N(0, 1)
  sigma ~ Exponential(rate=1)
"""
GARCH = """model garch
plates
  t = 1..T
given
  s1 > 0
data
  y[t] ~ Normal(mu, var=s2[t])
process
  s2[1] = s1^2
  s2[t] = a0 + a1 * (y[t-1] - mu)^2 + b1 * s2[t-1] for t in 2..T
parameters
  mu ~ N(0, 4)
  a0 ~ Gamma(shape=2, rate=2)
  a1 ~ Unif(0, 1)
  b1 ~ Unif(0, 1 - a1)
"""
EPIDEMIC = """model epidemic  # new infections are seen in part; the state before the first day is at 0
plates
  t = 1..T
given
  N > 0
  I0 > 0
data
  y[t] ~ Poisson(rho * new[t])
process
  S[0] = N - I0
  I[0] = I0
  S[t] = S[t-1] - new[t] for t in 1..T
  I[t] = I[t-1] + new[t] - gamma * I[t-1] for t in 1..T
  new[t] = S[t-1] * (1 - exp(-beta * I[t-1] / N))
parameters
  beta ~ LogNormal(meanlog=0, sdlog=1)
  gamma ~ Beta(2, 2)
  rho ~ Beta(2, 2)
"""
PREDATORS = """model predators  # steps of Runge and Kutta for u' = (a - b w) u, w' = (d u - c) w
plates
  t = 1..T
given
  h > 0
data
  y[t] ~ LogNormal(meanlog=log(u[t]), sdlog=s)
  z[t] ~ LogNormal(meanlog=log(w[t]), sdlog=s)
process
  u[1] = u1
  w[1] = w1
  u[t] = u[t-1] + h / 6 * (ku1[t] + 2 * ku2[t] + 2 * ku3[t] + ku4[t]) for t in 2..T
  w[t] = w[t-1] + h / 6 * (kw1[t] + 2 * kw2[t] + 2 * kw3[t] + kw4[t]) for t in 2..T
  ku1[t] = (a - b * w[t-1]) * u[t-1] for t in 2..T
  kw1[t] = (d * u[t-1] - c) * w[t-1] for t in 2..T
  ku2[t] = (a - b * (w[t-1] + h / 2 * kw1[t])) * (u[t-1] + h / 2 * ku1[t]) for t in 2..T
  kw2[t] = (d * (u[t-1] + h / 2 * ku1[t]) - c) * (w[t-1] + h / 2 * kw1[t]) for t in 2..T
  ku3[t] = (a - b * (w[t-1] + h / 2 * kw2[t])) * (u[t-1] + h / 2 * ku2[t]) for t in 2..T
  kw3[t] = (d * (u[t-1] + h / 2 * ku2[t]) - c) * (w[t-1] + h / 2 * kw2[t]) for t in 2..T
  ku4[t] = (a - b * (w[t-1] + h * kw3[t])) * (u[t-1] + h * ku3[t]) for t in 2..T
  kw4[t] = (d * (u[t-1] + h * ku3[t]) - c) * (w[t-1] + h * kw3[t]) for t in 2..T
parameters
  u1 ~ LogNormal(meanlog=0, sdlog=1)
  w1 ~ LogNormal(meanlog=0, sdlog=1)
  a ~ Gamma(shape=2, rate=2)
  b ~ Gamma(shape=2, rate=2)
  c ~ Gamma(shape=2, rate=2)
  d ~ Gamma(shape=2, rate=2)
  s ~ Exponential(rate=1)
"""
SECOND_ORDER = """model second_order
plates
  t = 1..T
given
  T : integer >= 2
data
  y[t] ~ Normal(x[t], sd=s)
process
  x[1] = a
  x[2] = b + x[1]
  x[t] = p * x[t-1] - q * x[t-2] + x[1] for t in 3..T
parameters
  a ~ N(0, 1)
  b ~ N(0, 1)
  p ~ N(1, 1)
  q ~ Unif(0, 1)
  s ~ Exponential(rate=1)
"""
SMOOTHING = """model smoothing  # a path for each group
plates
  i = 1..n
  t = 1..T
data
  y[i,t] ~ Normal(level[i,t], sd=s)
process
  level[i,1] = start[i]
  level[i,t] = alpha[i] * y[i,t-1] + (1 - alpha[i]) * level[i,t-1] for t in 2..T
  start[i] ~ N(m, v)
  alpha[i] ~ Beta(2, 2)
parameters
  m ~ N(0, 1)
  v ~ IG(2, 1)
  s ~ Exponential(rate=1)
"""

Y = np.array([0.3, 1.2, -0.4, 0.8, 2.1, 1.4, -0.2])
COUNTS = np.array([3.0, 5.0, 4.0, 9.0, 2.0])
PANEL = np.array([[0.2, 0.5, -0.1, 1.0], [1.2, 0.9, 1.8, 1.1]])
State = dict[str, float | np.ndarray]


def log_arma(s: State, d: State) -> float:
    y, total, err = d["y"], 0.0, 0.0
    for t in range(len(y)):
        mean = s["mu"] if t == 0 else s["mu"] + s["phi"] * y[t - 1] + s["theta"] * err
        err = y[t] - mean
        total += stats.norm.logpdf(y[t], mean, s["sigma"])
    total += stats.norm.logpdf(s["mu"], 0, 2) - s["sigma"]
    return total + stats.norm.logpdf(s["phi"]) + stats.norm.logpdf(s["theta"])


def log_garch(s: State, d: State) -> float:
    y, s2 = d["y"], d["s1"] ** 2
    total = stats.norm.logpdf(y[0], s["mu"], math.sqrt(s2))
    for t in range(1, len(y)):
        s2 = s["a0"] + s["a1"] * (y[t - 1] - s["mu"]) ** 2 + s["b1"] * s2
        total += stats.norm.logpdf(y[t], s["mu"], math.sqrt(s2))
    total += stats.norm.logpdf(s["mu"], 0, 2) + stats.gamma.logpdf(s["a0"], 2, scale=1 / 2)
    return total - math.log(1 - s["a1"])


def log_epidemic(s: State, d: State) -> float:
    susceptible, infected, total = d["N"] - d["I0"], d["I0"], 0.0
    for count in d["y"]:
        new = susceptible * (1 - math.exp(-s["beta"] * infected / d["N"]))
        susceptible, infected = susceptible - new, infected + new - s["gamma"] * infected
        total += stats.poisson.logpmf(count, s["rho"] * new)
    total += stats.lognorm.logpdf(s["beta"], 1)
    return total + stats.beta.logpdf(s["gamma"], 2, 2) + stats.beta.logpdf(s["rho"], 2, 2)


def step_of_predators(s: State, h: float, now: np.ndarray) -> np.ndarray:
    """Return u and w after a time h by the classical method of fourth order (Hairer, Norsett and Wanner 1993, II.1)."""

    def slope(x: np.ndarray) -> np.ndarray:
        return np.array([(s["a"] - s["b"] * x[1]) * x[0], (s["d"] * x[0] - s["c"]) * x[1]])

    one = slope(now)
    two = slope(now + h / 2 * one)
    three = slope(now + h / 2 * two)
    return now + h / 6 * (one + 2 * two + 2 * three + slope(now + h * three))


def log_predators(s: State, d: State) -> float:
    now, total = np.array([s["u1"], s["w1"]]), -s["s"]
    for seen in zip(d["y"], d["z"], strict=True):
        total += stats.lognorm.logpdf(seen, s["s"], scale=now).sum()
        now = step_of_predators(s, d["h"], now)
    total += sum(stats.lognorm.logpdf(s[name], 1) for name in ("u1", "w1"))
    return total + sum(stats.gamma.logpdf(s[name], 2, scale=1 / 2) for name in "abcd")


def log_second_order(s: State, d: State) -> float:
    x = [s["a"], s["a"] + s["b"]]
    for _ in range(2, len(d["y"])):
        x.append(s["p"] * x[-1] - s["q"] * x[-2] + s["a"])
    total = stats.norm.logpdf(d["y"], x, s["s"]).sum() - s["s"]
    return total + sum(stats.norm.logpdf(s[name], mean) for name, mean in (("a", 0), ("b", 0), ("p", 1)))


def log_smoothing(s: State, d: State) -> float:
    total = -s["s"] + stats.norm.logpdf(s["m"]) + stats.invgamma.logpdf(s["v"], 2)
    for y, level, alpha in zip(d["y"], s["start"], s["alpha"], strict=True):
        total += stats.norm.logpdf(level, s["m"], math.sqrt(s["v"])) + stats.beta.logpdf(alpha, 2, 2)
        for value in y:
            total += stats.norm.logpdf(value, level, s["s"])
            level = alpha * value + (1 - alpha) * level
    return total


CASES: dict[str, tuple[str, Callable[[State, State], float], State, State]] = {
    "arma": (ARMA, log_arma, {"y": Y}, {"mu": 0.4, "phi": 0.3, "theta": -0.6, "sigma": 0.9}),
    "arma_by_means": (ARMA_BY_MEANS, log_arma, {"y": Y}, {"mu": 0.4, "phi": 0.3, "theta": -0.6, "sigma": 0.9}),
    "arma_from_second": (
        ARMA_FROM_SECOND, log_arma, {"y": Y}, {"mu": 0.4, "phi": 0.3, "theta": -0.6, "sigma": 0.9},
    ),
    "garch": (GARCH, log_garch, {"y": Y, "s1": 0.7}, {"mu": 0.4, "a0": 0.5, "a1": 0.3, "b1": 0.4}),
    "epidemic": (
        EPIDEMIC, log_epidemic, {"y": COUNTS, "N": 50.0, "I0": 4.0}, {"beta": 0.9, "gamma": 0.4, "rho": 0.6},
    ),
    "predators": (
        PREDATORS, log_predators, {"y": np.array([1.2, 1.5, 1.1, 0.7]), "z": np.array([0.6, 0.9, 1.3, 1.2]), "h": 0.4},
        {"u1": 1.1, "w1": 0.7, "a": 1.2, "b": 0.9, "c": 0.8, "d": 0.7, "s": 0.3},
    ),
    "second_order": (
        SECOND_ORDER, log_second_order, {"y": Y}, {"a": 0.3, "b": -0.5, "p": 0.8, "q": 0.35, "s": 1.2},
    ),
    "smoothing": (
        SMOOTHING, log_smoothing, {"y": PANEL},
        {"start": np.array([0.4, 1.5]), "alpha": np.array([0.2, 0.7]), "m": 0.6, "v": 0.8, "s": 0.5},
    ),
}  # fmt: skip


def indexed(values: State) -> dict:
    return {
        name: {tuple(k + 1 for k in place): float(x) for place, x in np.ndenumerate(np.asarray(value))}
        for name, value in values.items()
    }


def sizes(data: State) -> dict:
    y = np.asarray(data["y"])
    return {"T": {(): y.shape[-1]}, **({"n": {(): y.shape[0]}} if y.ndim == 2 else {})}


@pytest.mark.parametrize("name", CASES)
def test_kernels_are_those_of_the_path_by_hand(name: str) -> None:
    text, log_density, data, state = CASES[name]
    derivation = deriver.derive(parse_model(text))
    whole = {**indexed(data), **indexed(state), **sizes(data)}
    for conditional in derivation.conditionals:
        own = np.asarray(state[conditional.node], dtype=float)
        place = tuple(0 for _ in own.shape)
        moved = own.copy()
        moved[place] = own[place] * 0.83
        index = tuple(k + 1 for k in place)
        derived = [conditional.log_kernel_at(whole, index, float(value[place])) for value in (own, moved)]
        by_hand = [log_density({**state, conditional.node: value}, data) for value in (own, moved)]
        assert derived[0] - derived[1] == pytest.approx(by_hand[0] - by_hand[1], rel=1e-10), conditional.node


@pytest.mark.parametrize("name", CASES)
def test_the_source_has_the_joint_density_by_hand(name: str, tmp_path: Path) -> None:
    text, log_density, data, state = CASES[name]
    module = load_source(deriver.emit(parse_model(text)), tmp_path, name)
    own = {key: int(value[()]) for key, value in sizes(data).items()}
    prepared = module.prepare({**data, **own})
    states = module.State(**{key: np.asarray(value, dtype=float)[None] for key, value in state.items()})
    assert module.log_joint(states, prepared)[0] == pytest.approx(log_density(state, data), rel=1e-10)


@pytest.mark.parametrize("name", CASES)
def test_printing_and_reading_give_the_same_model(name: str) -> None:
    model = parse_model(CASES[name][0])
    assert parse_model(print_model(model)) == model


TWO = """model two
plates
  t = 1..T
data
  y[1] ~ Normal(0, sd=1)
  y[t] ~ Normal(phi * y[t-1] + theta * err[t-1], sd=1) for t in 2..T
process
  err[1] = y[1]
  err[t] = y[t] - phi * y[t-1] - theta * err[t-1] for t in 2..T
parameters
  phi ~ Unif(-1, 1)
  theta ~ Unif(-1, 1)
"""


def moments_on_a_grid(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return posterior means and sds of (phi, theta) by quadrature over their square."""
    nodes, weights = np.polynomial.legendre.leggauss(120)
    phi, theta = np.meshgrid(nodes, nodes, indexing="ij")
    log_weight, err = np.log(np.outer(weights, weights)), np.full_like(phi, y[0])
    for before, now in pairwise(y):
        err = now - phi * before - theta * err
        log_weight -= err**2 / 2
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    means = np.array([(weight * part).sum() for part in (phi, theta)])
    squares = np.array([(weight * part**2).sum() for part in (phi, theta)])
    return means, np.sqrt(squares - means**2)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_the_posterior_of_an_arma_model_is_the_exact_one(backend: str) -> None:
    rng = np.random.default_rng(4)
    noise, y = rng.normal(size=25), np.zeros(25)
    for t in range(25):
        y[t] = noise[t] + (0.5 * y[t - 1] + 0.4 * noise[t - 1] if t else 0)
    mean, sd = moments_on_a_grid(y)
    result = deriver.run(
        parse_model(TWO), {"y": y}, seed=1, draws=2500, warmup=500, backend=backend, progress=False,
        derived=("last = err[25]",),
    )  # fmt: skip
    posterior = result.idata.posterior
    check(np.stack([posterior["phi"], posterior["theta"]], axis=-1), mean, sd)
    phi, theta = (posterior[name].to_numpy() for name in ("phi", "theta"))
    err = np.full_like(phi, y[0])
    for before, now in pairwise(y):
        err = now - phi * before - theta * err
    np.testing.assert_allclose(posterior["last"].to_numpy(), err, rtol=1e-9)


def test_induction_gives_the_support_of_a_path() -> None:
    model = parse_model(GARCH)
    assert str(model.node("s2").support.lower.text) == "0"
    turned = parse_model(GARCH.replace("+ b1 * s2[t-1]", "- b1 * s2[t-1]"))
    assert turned.node("s2").support.lower is None
    pair = parse_model(
        "model pair\nplates\n  t = 1..T\ngiven\n  c > 0\ndata\n  y[t] ~ N(u[t], 1)\nprocess\n"
        "  u[1] = c\n  u[t] = v[t-1] for t in 2..T\n  v[1] = c\n  v[t] = u[t-1] - c for t in 2..T\n"
    )
    assert pair.node("u").support.lower is None  # as v can be negative


def test_several_statements_under_a_transform_are_no_recursion() -> None:
    model = parse_model(
        "model steps\nplates\n  t = 1..T\ndata\n  y[t] ~ Normal(0, sd=h[t])\nprocess\n"
        "  log(h[1]) ~ N(0, 1)\n  log(h[t]) ~ N(log(h[t-1]), v) for t in 2..T\nparameters\n  v ~ IG(2, 1)\n"
    )
    assert deriver.derive(model).node("v").family == "inverse_gamma"
    assert "def update_log_h" in deriver.emit(model)


def test_a_path_over_a_ragged_plate_is_refused_in_words() -> None:
    text = SMOOTHING.replace("t = 1..T\n", "t = 1..T[i]\ngiven\n  T[i] : integer >= 1\n").replace(
        "2..T", "2..T[i]"
    )
    with pytest.raises(deriver.UsageError, match="the recursion of level over a ragged plate"):
        deriver.emit(parse_model(text))


def test_other_languages() -> None:
    """JAGS puts definitions in order by itself; Stan takes them as they stand, so that a path of one node can be written."""
    assert "for (t in 2:T) {\n    err[t] <- " in to_jags(parse_model(ARMA))
    assert "err[t] <- y[t] - nu[t]" in to_jags(parse_model(ARMA_BY_MEANS))
    assert to_stan(parse_model(GARCH)).count("s2[t - 1]") == 1
    with pytest.raises(deriver.ModelError, match="which use each other's earlier elements"):
        to_stan(parse_model(ARMA_BY_MEANS))
