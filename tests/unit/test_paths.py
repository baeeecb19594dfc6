"""Discrete chains drawn whole: what is one, the identity of its density, draws against every path weighed by hand."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy import stats

from deriver.derivation.conditionals import derive
from deriver.derivation.path_check import check_path
from deriver.derivation.paths import find_path
from deriver.emission import emit
from deriver.errors import InternalError
from deriver.language import parse_model
from deriver.plan import make_plan
from tests.emitted import load_source

CHAINS = 20_000
# Each response also depends on the state before (Hamilton 1989), and one state leads nowhere.
SWITCHING = """
model switching
plates
  t = 1..T
  k = 1..3
given
  P[k] : simplex(3)
  mu[k]
  T : integer >= 2
data
  y[1] ~ Normal(mu[z[1]], var=1)
  y[t] ~ Normal(mu[z[t]] + phi * (y[t-1] - mu[z[t-1]]), var=1) for t in 2..T
process
  z[1] ~ Categorical([0.3; 0.3; 0.4])
  z[t] ~ Categorical(P[z[t-1]]) for t in 2..T
parameters
  phi ~ Uniform(-1, 1)
"""
SURVIVAL = """
model survival
plates
  i = 1..n
  t = 1..T
data
  y[i,t] ~ Bernoulli(z[i,t] * p)
process
  z[i,1] = 1
  z[i,t] ~ Bernoulli(phi * z[i,t-1]) for t in 2..T
parameters
  phi ~ Uniform(0, 1)
  p ~ Uniform(0, 1)
"""
# Sites by time, time outside: neighbours do not lie next to each other.
OUTSIDE = """
model outside
plates
  t = 1..T
  i = 1..n
data
  y[t,i] ~ Poisson(1 + 2 * z[t,i])
process
  z[1,i] ~ Bernoulli(0.3)
  z[t,i] ~ Bernoulli(0.2 + g * z[t-1,i]) for t in 2..T
parameters
  g ~ Uniform(0, 0.7)
"""
RAGGED = """
model ragged
plates
  i = 1..n
  t = 1..J[i]
given
  J[i] : integer >= 1
data
  y[i,t] ~ Poisson(1 + 2 * z[i,t])
process
  z[i,1] ~ Bernoulli(0.3)
  z[i,t] ~ Bernoulli(0.2 + g * z[i,t-1]) for t in 2..J[i]
parameters
  g ~ Uniform(0, 0.7)
"""
STEPS = np.array([[0.5, 0.3, 0.2], [0.1, 0.9, 0.0], [0.3, 0.0, 0.7]])
CASES = {
    "switching": (
        SWITCHING,
        {"y": [-0.5, 1.2, 0.3, 0.9, -0.2], "P": STEPS, "mu": [-0.5, 0.5, 1.0], "T": 5},
        {"phi": 0.4},
        list(itertools.product((1.0, 2.0, 3.0), repeat=5)),
    ),
    "survival": (
        SURVIVAL,
        {"y": [[1, 0, 1, 0], [0, 0, 0, 0]], "z": [[1, np.nan, np.nan, np.nan]] * 2},
        {"phi": 0.7, "p": 0.4},
        [np.array([[1.0, *path[:3]], [1.0, *path[3:]]]) for path in itertools.product((0.0, 1.0), repeat=6)],
    ),
    "outside": (
        OUTSIDE,
        {"y": [[1, 2], [3, 0], [4, 1]]},
        {"g": 0.6},
        [np.reshape(path, (3, 2)) for path in itertools.product((0.0, 1.0), repeat=6)],
    ),
    "ragged": (
        RAGGED,
        {"y": [1, 2, 3, 0, 4, 1], "J": [1, 3, 2]},
        {"g": 0.6},
        list(itertools.product((0.0, 1.0), repeat=6)),
    ),
}


def sampler(name: str, folder: Path, fault: tuple[str, str] = ("", "")) -> ModuleType:
    derivation = derive(parse_model(CASES[name][0]))
    source = emit(derivation, make_plan(derivation))
    assert "random_path(" in source and fault[0] in source
    return load_source(source.replace(*fault, 1), folder, name)


def distance(module: ModuleType, name: str) -> float:
    """Return the p-value of the paths drawn from one poor state, against the weight of each by the joint density."""
    _, given, numbers, paths = CASES[name]
    data = module.prepare(given)
    ways = np.array(paths, dtype=float)

    def state_of(z: np.ndarray):
        return module.State(z=z, **{key: np.full(len(z), value) for key, value in numbers.items()})

    with np.errstate(all="ignore"):
        logs = module.log_joint(state_of(ways), data)
    chances = np.exp(logs - np.max(logs))
    chances /= chances.sum()
    poor = np.broadcast_to(ways[np.argmin(np.where(chances > 0, chances, np.inf))], (CHAINS, *ways.shape[1:]))
    drawn = module.update_z(np.random.default_rng(3), state_of(poor.copy()), data)
    flat = ways.reshape(len(ways), -1)
    places = {tuple(way): k for k, way in enumerate(flat)}
    found = [places[tuple(each)] for each in drawn.reshape(CHAINS, -1)]
    counts = np.bincount(found, minlength=len(ways))
    if counts[chances == 0].any():
        return 0.0
    often = chances * CHAINS >= 5
    rest = (np.sum(counts[~often]), np.sum(chances[~often]) * CHAINS)
    expected = np.append(chances[often] * CHAINS, max(rest[1], 1e-12))
    return float(stats.chisquare(np.append(counts[often], rest[0]), expected).pvalue)


@pytest.mark.parametrize("name", CASES)
def test_whole_paths_come_with_the_weight_of_the_joint_density(name: str, tmp_path: Path) -> None:
    assert distance(sampler(name, tmp_path), name) > 0.001


@pytest.mark.parametrize(
    "fault",
    [
        ("steps[a, b, 1::2] += link[1::2]", "steps[b, a, 1::2] += link[1::2]"),
        ("(right, end[None, None, :pairs]", "(right, start[None, None, :pairs]"),
        ("log_own(np.full(size, v))", "0 * log_own(np.full(size, v))"),
    ],
    ids=["transposed", "end forgotten", "weights forgotten"],
)
def test_the_comparison_finds_a_broken_draw(fault: tuple[str, str], tmp_path: Path) -> None:
    assert distance(sampler("switching", tmp_path, fault), "switching") < 1e-6


def test_the_identity_finds_a_link_that_is_counted_twice() -> None:
    derivation = derive(parse_model(SWITCHING))
    conditional = derivation.node("z")
    path = find_path(conditional)
    assert path is not None
    assert check_path(derivation, conditional, path)
    twice = replace(path, link=2 * path.link)
    with pytest.raises(InternalError, match="disagrees with the"):
        check_path(derivation, conditional, twice)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("phi * (y[t-1] - mu[z[t-1]])", "phi * y[t-1]"),
        ("P[z[t-1]]", "[0.3; 0.3; 0.4]"),
    ],
)
def test_a_link_may_come_from_the_response_or_the_state_alone(old: str, new: str) -> None:
    path = find_path(derive(parse_model(SWITCHING.replace(old, new))).node("z"))
    assert path is not None and path.link != 0


def test_a_chain_of_second_order_is_no_path() -> None:
    text = SWITCHING.replace("T : integer >= 2", "T : integer >= 3")
    text = text.replace("  y[t] ~ Normal(mu[z[t]] + phi * (y[t-1] - mu[z[t-1]]), var=1) for t in 2..T", "")
    text = text.replace(
        "  y[1] ~ Normal(mu[z[1]], var=1)",
        "  y[2] ~ Normal(mu[z[2]], var=1)\n  y[1] ~ Normal(mu[z[1]], var=1)",
    )
    text = text.replace(
        "process", "  y[t] ~ Normal(mu[z[t]] + phi * mu[z[t-1]] * mu[z[t-2]], var=1) for t in 3..T\nprocess"
    )
    assert find_path(derive(parse_model(text)).node("z")) is None
