"""Sweeps of emitted samplers, their tuning ended, leave exact posterior draws as they are distributed.

The draws are made without deriver (``joint_models``).  A sweep is held by the change of moments and of the shares below
quantiles, whose error is that of the change alone: the test sees a shift of some hundredths of a standard deviation.
"""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy import integrate

from deriver.emission import emit
from deriver.language import parse_model
from deriver.pipeline import derive, plan
from deriver.running.sampling import load_sampler
from deriver.verification.drivers import make_driver
from tests.joint_models import CASES

CHAINS, SWEEPS, TUNING = 6_000, 3, 20
LARGEST = 5.0  # standard errors; some hundred quantities, so that 4 may come by chance


@cache
def source(name: str, blocks: str, backend: str = "numpy") -> str:
    derivation = derive(parse_model(CASES[name].text))
    return emit(derivation, plan(derivation, blocks=blocks), backend=backend)


@cache
def posterior(name: str) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return draws and their probabilities."""
    rng, case = np.random.default_rng(1), CASES[name]
    nodes = case.draw(rng, 400_000)
    logs = case.log_weight(nodes)
    weight = np.exp(logs - np.max(logs))
    return nodes, weight / weight.sum()


def farthest(text: str, name: str) -> float:
    """Return by how many standard errors a quantity changes in sweeps that begin at posterior draws."""
    case, rng = CASES[name], np.random.default_rng(2)
    nodes, chances = posterior(name)
    driver = make_driver(load_sampler(text, name))
    data = driver.module.prepare(dict(case.inputs))

    def start() -> Any:
        places = rng.choice(len(chances), CHAINS, p=chances)
        return driver.State(**{node: np.asarray(nodes[node], float)[places] for node in driver.names})

    steps = tune(driver, rng, data, start())
    state = first = start()  # other draws than those of the tuning
    for _ in range(SWEEPS):
        state = driver.sweep(rng, state, data, steps)
    before, after = (flat(each) for each in (first, state))
    levels = np.quantile(before, (0.02, 0.1, 0.5, 0.9, 0.98), axis=0)
    change = functions(after, levels) - functions(before, levels)
    error = np.sqrt(change.var(axis=0) * (1 / CHAINS + np.sum(chances**2)))
    return float(np.max(np.abs(change.mean(axis=0)) / np.maximum(error, 1e-12)))


def tune(driver: Any, rng: np.random.Generator, data: Any, state: Any) -> Any:
    """Return the steps after a short warm-up; they are left alone from then on."""
    if not hasattr(driver.module, "first_steps"):
        return driver.tune(rng, data, 1, 400)
    options = inspect.signature(driver.module.first_steps).parameters
    steps = driver.module.first_steps(state, **({"collapse": "on"} if "collapse" in options else {}))
    for number in range(TUNING):
        state, accepted = driver.module.sweep(rng, state, data, steps)
        driver.module.adapt_steps(steps, state, accepted, number)
    return steps


def flat(state: Any) -> np.ndarray:
    """Return all numbers of a state, (chains, k)."""
    return np.column_stack([value.reshape(len(value), -1) for value in vars(state).values()])


def functions(x: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Return moments of numbers, and whether they lie below levels."""
    below = [(x <= level).astype(float) for level in levels]
    return np.column_stack([x, x**2, x * x[:, :1], x[:, 1:] * x[:, :-1], *below])


@pytest.mark.parametrize(
    ("name", "blocks", "backend"),
    [
        ("wide_counts", "on", "numpy"),
        ("wide_normal", "on", "numpy"),
        ("wide_normal", "on", "numba"),
        ("states", "off", "numpy"),
        ("ordered", "on", "numpy"),
    ],
)
def test_sweeps_keep_the_posterior(name: str, blocks: str, backend: str) -> None:
    assert farthest(source(name, blocks, backend), name) < LARGEST


BROKEN = {
    "refused_near_0": ("wide_normal", "-288", "-12"),
    "wrong_scale": ("states", "random_normal(rng, precision, linear", "random_normal(rng, 1.1 * precision, linear"),
}  # fmt: skip


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_sampler_is_seen(fault: str) -> None:
    name, old, new = BROKEN[fault]
    text = source(name, "on" if name == "wide_normal" else "off")
    assert old in text
    assert farthest(text.replace(old, new), name) > 2 * LARGEST


# --- draws between two bounds, where both tails are too small for any digits --------------------------------

BOUNDED = """model bounded
plates
  i = 1..n
data
  y[i] ~ Poisson(g)
  r ~ Binomial(9, p)
  e[i] ~ N(0, v)
parameters
  g ~ Gamma(shape=2, rate=1) T(1, 3)
  p ~ Beta(2, 3) T(0.6, 1)
  v ~ InverseGamma(shape=3, scale=1) T(0.5, 5)
"""
FAR = {
    "gamma": [(2, 1000, 1, np.inf), (1, 2000, 0.5, 3), (500, 10, 1e-3, 2), (500, 500, 4, np.inf), (2, 5, 1, 2)],
    "beta": [(2, 1000, 0.6, 1), (2000, 3, 0, 0.6), (2, 3000, 0.5, 0.6), (2, 3, 0.6, 1)],
    "inverse_gamma": [(500, 0.1, 0.5, np.inf), (500, 0.01, 0.5, 2), (500, 500, 0, 5e-4), (3, 0.5, 0.5, 5)],
}  # fmt: skip
LOGS = {
    "gamma": lambda x, a, b: (a - 1) * np.log(x) - b * x,
    "beta": lambda x, a, b: (a - 1) * np.log(x) + (b - 1) * np.log1p(-x),
    "inverse_gamma": lambda x, a, b: -(a + 1) * np.log(x) - b / x,
}


@pytest.mark.parametrize("family", FAR)
def test_truncated_draws_far_in_a_tail(family: str) -> None:
    module, rng, size = (
        load_sampler(emit(derive(parse_model(BOUNDED))), "bounded"),
        np.random.default_rng(3),
        4000,
    )
    for a, b, low, high in FAR[family]:
        draw = getattr(module, f"random_truncated_{family}")
        found = draw(rng, np.full(size, float(a)), np.full(size, float(b)), low, high, (size,))
        assert np.all((found > low) & (found < high))
        mean, sd = moments(lambda x, a=a, b=b: LOGS[family](x, a, b), low, high)
        assert abs(found.mean() - mean) < 4 * sd / np.sqrt(size)
        assert abs(found.std() / sd - 1) < 0.1


def moments(log_density: Any, low: float, high: float) -> tuple[float, float]:
    """Return the mean and standard deviation of a density on an interval, by quadrature from each end."""
    shares = np.geomspace(1e-9, 1, 200_001)
    width = high - low if np.isfinite(high) else 20.0
    x = np.unique(np.concatenate([low + width * shares[:-1], low + width * (1 - shares[:-1])]))
    x = x[(x > low) & (x < high)]
    logs = log_density(x)
    density = np.exp(logs - logs.max())
    total, first = (integrate.trapezoid(density * x**k, x) for k in (0, 1))
    mean = first / total
    return mean, float(np.sqrt(integrate.trapezoid(density * (x - mean) ** 2, x) / total))


# --- where chains begin -------------------------------------------------------------------------------------

DECAY = """model decay
plates
  t = 1..T
data
  y[t] ~ Binomial(z[t], p)
process
  z[1] ~ Binomial(6, 0.7)
  z[t] ~ Binomial(z[t-1], phi) for t in 2..T
parameters
  phi ~ Beta(3, 1)
  p ~ Beta(2, 2)
"""


def test_every_chain_begins_at_positive_density() -> None:
    """A chain that starts at none never moves; few counts that fall in time are found by chance."""
    module = load_sampler(emit(derive(parse_model(DECAY))), "decay")
    data = module.prepare({"y": np.array([4, 2, 2, 0])})
    for seed in range(3):
        state = module.starting_values(np.random.default_rng(seed), data, 40)
        assert np.all(np.isfinite(module.log_joint(state, data)))


SINGLE = """model single
plates
  t = 1..T
  k = 1..2
data
  y[t] ~ Normal(z[t], var=1)
process
  z[1] ~ Categorical([0.5; 0.5])
  z[t] ~ Categorical(P[z[t-1]]) for t in 2..T
parameters
  P[k] ~ Dirichlet([1; 1])
"""


def test_a_chain_of_one_state_has_no_transitions() -> None:
    module = load_sampler(emit(derive(parse_model(SINGLE))), "single")
    draws = module.sample(module.prepare({"y": np.array([1.8])}), draws=2000, warmup=5, chains=4, seed=1)
    chance = np.exp(-0.02) / (np.exp(-0.02) + np.exp(-0.32))
    assert abs(np.mean(draws["z"] == 2) - chance) < 4 * np.sqrt(chance * (1 - chance) / 8000)
    assert abs(np.mean(draws["P"][..., 0]) - 0.5) < 4 * np.sqrt(1 / 12 / 16_000)
