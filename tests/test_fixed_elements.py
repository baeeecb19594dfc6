"""Fixed elements of random nodes: corner constraints, known entries and starts, against exact posteriors."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import deriver
from deriver.errors import ModelError
from deriver.language import parse_model, print_model
from tests.test_partly_observed import check, posterior_of

CORNER = """model corner
plates
  i = 1..n
  k = 1..K
given
  g : i -> k
data
  y[i] ~ N(m + a[g[i]], 0.5)
process
  a[1] = 0
  a[k] ~ N(1, 3) for k in 2..K
parameters
  m ~ N(0, 10)
"""
START = """model start
plates
  t = 1..T
given
  x0
data
  y[t] ~ N(x[t], 0.5)
process
  x[0] = x0 / 2
  x[t] ~ N(0.5 * x[t-1], 1) for t in 1..T
"""
SURVIVAL = """model survival  # a known entry at the first occasion
plates
  i = 1..n
  t = 1..T
data
  y[i,t] ~ Bernoulli(p * z[i,t]) for t in 2..T
process
  z[i,1] = 1
  z[i,t] ~ Bernoulli(phi * z[i,t-1]) for t in 2..T
parameters
  phi ~ Beta(2, 2)
  p ~ Beta(2, 3)
"""


def test_a_corner_constraint() -> None:
    rng, g = np.random.default_rng(1), np.array([1, 1, 2, 2, 3, 4, 4, 4])
    y = rng.normal(g, 0.7)
    design = np.column_stack([np.ones(8), *(g == k for k in (2, 3, 4))])
    precision = design.T @ design / 0.5 + np.diag([1 / 10, *[1 / 3] * 3])
    linear = design.T @ y / 0.5 + np.array([0, *[1 / 3] * 3])
    mean, sd = np.linalg.solve(precision, linear), np.sqrt(np.diag(np.linalg.inv(precision)))
    found = posterior_of(CORNER, {"y": y, "g": g, "K": 4})
    check(np.concatenate([found.m.to_numpy()[..., None], found.a[:, :, 1:]], axis=-1), mean, sd)
    assert (found.a[:, :, 0] == 0).all()


def test_a_fixed_start() -> None:
    y = np.array([1.2, 0.1, -0.4, 2.0, 1.1])
    step = np.eye(5) - 0.5 * np.eye(5, k=-1)
    precision = step.T @ step + np.eye(5) / 0.5
    linear = y / 0.5 + step.T @ np.array([0.5 * 4 / 2, 0, 0, 0, 0])
    mean, sd = np.linalg.solve(precision, linear), np.sqrt(np.diag(np.linalg.inv(precision)))
    found = posterior_of(START, {"y": y}, values={"x0": 4})
    check(found.x[:, :, 1:], mean, sd)
    assert (found.x[:, :, 0] == 2).all()


def test_survival_from_a_known_entry() -> None:
    """The states summed out by going forward, the two probabilities on a grid."""
    y = np.array([[1, 1, 0, 1, 0], [1, 0, 0, 0, 0], [1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [1, 0, 1, 0, 0]])
    grid = (np.arange(400) + 0.5) / 400
    phi, p = np.meshgrid(grid, grid, indexing="ij")
    log = stats.beta(2, 2).logpdf(phi) + stats.beta(2, 3).logpdf(p)
    for row in y:
        alive, dead = np.ones_like(phi), np.zeros_like(phi)
        for seen in row[1:]:
            dead = (dead + alive * (1 - phi)) * (1 - seen)
            alive = alive * phi * (p if seen else 1 - p)
        log += np.log(alive + dead)
    weight = np.exp(log - log.max())
    weight /= weight.sum()
    mean = np.array([(weight * each).sum() for each in (phi, p)])
    sd = np.sqrt([(weight * (each - m) ** 2).sum() for each, m in zip((phi, p), mean, strict=True)])
    found = posterior_of(SURVIVAL, {"y": np.array(y)[:, 1:], "T": 5})
    check(np.stack([found.phi, found.p], axis=-1), mean, sd)
    assert (found.z[:, :, :, 0] == 1).all()


def test_the_conditional_is_that_of_the_others() -> None:
    derivation = deriver.derive(parse_model(CORNER))
    page = deriver.render(derivation)
    assert "a_k,  k = 2..K   [normal]" in page and "Its other elements are fixed" in page
    state = {
        "a": {(1,): 0.0, (2,): 5.0},
        "m": {(): 1.0},
        "y": {(1,): 3.0, (2,): 4.0},
        "g": {(1,): 1, (2,): 2},
    }
    family, values = derivation.node("a").at(state | {"n": {(): 2}, "K": {(): 2}}, (2,))
    assert family == "normal"
    assert values["mean"] == pytest.approx((3 / 0.5 + 1 / 3) / (1 / 0.5 + 1 / 3))


def test_the_text_is_printed_as_written() -> None:
    model = parse_model(START)
    assert "  x[0] = x0 / 2\n" in print_model(model)
    assert parse_model(print_model(model)) == model


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("a[1] = 0", "a[1] = m", "`a` has a distribution and a definition"),
        ("a[1] = 0", "a[1] = [0; 1]", "the fixed element of `a` is a vector"),
        ("a[1] = 0\n", "a[1] = 0\n  a[1] = 1\n", "do not cover it once each"),
    ],
)
def test_what_cannot_be_fixed(old: str, new: str, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        parse_model(CORNER.replace(old, new))
    assert message in str(caught.value)


def test_no_density_of_a_fixed_element_is_counted() -> None:
    source = deriver.emit(parse_model(CORNER))
    body = source[source.index("def log_joint") : source.index("def log_likelihood")]
    assert body.count("log_normal(") == 3
